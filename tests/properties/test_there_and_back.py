"""What a platform is told, read back as somebody else's: not a word is lost, added or turned into markup."""

import msgspec
from hypothesis import given
from some_documents import documents

from adapters.bluesky import translate as bluesky
from adapters.discord import markup as discord
from adapters.telegram import entities as telegram
from gateway.model.content import Document, plain


def words(document: Document) -> list[str]:
    return plain(document).split()


@given(documents("discord"))
def test_discord(document):
    said = discord.document(discord.render(document), {"42": discord.Person("ben")})
    # Discord has no quotation within another: what is set apart in one loses the inner sign.
    assert [word for word in words(said) if word != ">"] == [word for word in words(document) if word != ">"]


@given(documents("telegram"))
def test_telegram(document):
    text, marks = telegram.render(document)
    assert words(telegram.document(text, msgspec.convert(marks, list[telegram.Entity]))) == words(document)


@given(documents("bluesky"))
def test_bluesky(document):
    assert words(bluesky.read(*bluesky.render(document))) == words(document)
