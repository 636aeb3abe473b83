"""gateway/text/apart.py: what a platform finds in a text ends where it was meant to, and there is no space too many."""

import re

import pytest
from hypothesis import given, settings
from some_documents import glued

from adapters.mastodon.profile import PROFILE as MASTODON
from adapters.sandbox.mastodon_entities import _URL as MASTODON_URL
from adapters.sandbox.x_wire import URL as X_URL
from adapters.x.length import _addresses
from adapters.x.profile import PROFILE as X
from gateway.model.content import Document, Link, Mark, Mention, Text, marked, plain, spelled
from gateway.text.apart import apart

PAGE = Link("https://e.org/a")
ASKED = Link("https://e.org/?a=1", "asked")
BEN = Mention("x", "7", "ben")


@pytest.mark.parametrize(
    ("spans", "on_x", "on_mastodon"),
    [
        ((PAGE, Text("）から")), "https://e.org/a）から", "https://e.org/a ）から"),  # noqa: RUF001 - meant
        ((PAGE, Text("から")), "https://e.org/aから", "https://e.org/a から"),
        ((PAGE, Text("и там")), "https://e.org/a и там", "https://e.org/a и там"),
        ((PAGE, Text("שם")), "https://e.org/aשם", "https://e.org/a שם"),
        ((PAGE, Text("\u2069 b")), "https://e.org/a\u2069 b", "https://e.org/a \u2069 b"),
        ((PAGE, Text("”, he said")), "https://e.org/a”, he said", "https://e.org/a ”, he said"),
        ((PAGE, Text(", b"), Text("c")), "https://e.org/a, bc", "https://e.org/a, bc"),
        ((PAGE, Text(","), marked("b", Mark.BOLD)), "https://e.org/a ,b", "https://e.org/a ,b"),
        ((PAGE, Text("). B.")), "https://e.org/a). B.", "https://e.org/a). B."),
        ((PAGE, PAGE), "https://e.org/a https://e.org/a", "https://e.org/a https://e.org/a"),
        ((ASKED, Text("b")), "asked (https://e.org/?a=1) b", "asked (https://e.org/?a=1) b"),
        ((ASKED, Text("から")), "asked (https://e.org/?a=1)から", "asked (https://e.org/?a=1) から"),
        ((Link("https://e.org/a", "it"), Text("から")), "it (https://e.org/a)から", "it (https://e.org/a)から"),
        ((Link("https://e.jp"), Text("から")), "https://e.jpから", "https://e.jpから"),
        ((Link("https://e.org"), Text("s")), "https://e.org s", "https://e.org s"),
        ((Text("see"), PAGE), "see https://e.org/a", "see https://e.org/a"),
        ((Text("又"), PAGE), "又https://e.org/a", "又https://e.org/a"),
    ],
)
def test_a_space_parts_an_address_from_what_would_be_swallowed(spans, on_x, on_mastodon):
    said = Document((spans,))
    assert plain(apart(said, "x", X)) == on_x
    assert plain(apart(said, "mastodon", MASTODON)) == on_mastodon


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ((BEN, Text("さん")), "@ben さん"),
        ((BEN, Text("s")), "@ben s"),
        ((BEN, Text("'s, and @ana-x")), "@ben's, and @ana-x"),
        ((BEN, Text("-x.")), "@ben-x."),
        ((BEN, BEN), "@ben @ben"),
        ((Text("и"), BEN), "и @ben"),
        ((Text("("), BEN, Text(")")), "(@ben)"),
        ((Mention("elsewhere", "1", "ana", "Ana"), Text("s")), "Anas"),
        ((PAGE, BEN), "https://e.org/a @ben"),
        ((BEN, PAGE), "@ben https://e.org/a"),
    ],
)
def test_a_space_parts_a_name_from_letters(spans, expected):
    assert plain(apart(Document((spans,)), "x", X)) == expected


def test_a_name_on_mastodon_goes_on_behind_a_full_stop():
    ana = Mention("mastodon", "ana@a.example", "ana@a.example")
    said = Document(((ana, Text(".Then "), ana, Text(". Then")),))
    assert plain(apart(said, "mastodon", MASTODON)) == "@ana@a.example .Then @ana@a.example. Then"
    local = Document(((Mention("mastodon", "", "ana"), Text(".Then")),))
    assert plain(apart(local, "mastodon", MASTODON)) == "@ana .Then"


@settings(deadline=None)  # the library takes its time to load
@given(glued("x"))
def test_what_the_networks_find_is_what_was_meant(document):
    """By the library that X itself published, and by the faces."""
    meant = [span.url for one in document.paragraphs for span in one if isinstance(span, Link)]
    x, mastodon = (plain(apart(document, name, one)) for name, one in (("x", X), ("mastodon", MASTODON)))
    assert [found[0] for found in MASTODON_URL.finditer(mastodon)] == meant
    assert [found[0] for found in X_URL.finditer(x) if "://" in found[0]] == meant
    assert [found for found in _addresses(x) if "://" in found] == meant
    assert re.sub(r"\s", "", x) == re.sub(r"\s", "", "\n".join("".join(map(spelled, p)) for p in document.paragraphs))
    again = apart(document, "x", X)
    assert apart(again, "x", X) == again
