"""Any document as posts on X: within the limit by twitter's parser, no word lost, no part empty, stable."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from urllib.parse import unquote

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs
from some_documents import documents

from adapters.x import length
from adapters.x.parts import plan, preview
from gateway.model.content import Document, plain
from gateway.model.delivery import Draft, FaultError, Part, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DraftId

AT = datetime(2026, 11, 26, tzinfo=UTC)


def parts_of(said: Document, *, numbered: bool) -> tuple[Part, ...]:
    draft = Draft(DraftId("d1"), DEFAULT_WORKSPACE, AccountId("x/main"), Timeline(), said, AT, "k", numbered=numbered)
    try:
        return plan(draft)
    except FaultError:  # an address that is longer than a post
        assume(False)
        raise


def words(text: str) -> list[str]:
    """Without the signs that are set anew where a block goes on in another part, and what keeps names from calling."""
    bare = text.replace("\u2060", "").replace("\u200b", "")
    return [word for word in bare.split() if word not in (">", "•")]


@settings(deadline=None)
@given(documents("x"), st.sampled_from([1, 1, 4]), st.booleans())
def test_any_document_fits_and_loses_no_word(document: Document, times: int, numbered: bool) -> None:
    said = structs.replace(document, paragraphs=document.paragraphs * times)
    parts = parts_of(said, numbered=numbered)
    assert parts == parts_of(said, numbered=numbered)
    told = []
    for number, part in enumerate(parts, 1):
        text = preview(part).text
        assert text.strip()
        assert int(length._parse()(unicodedata.normalize("NFC", text)).weightedLength) <= length.POST_MAX
        sign = f"{number}/{len(parts)}"
        told += words(text.removesuffix(sign) if numbered and len(parts) > 1 else text)
    assert unquote(" ".join(told)) == " ".join(words(plain(said)))
