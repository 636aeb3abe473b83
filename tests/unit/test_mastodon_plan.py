"""Any document as statuses: within the limit by the face's own count, no word lost, and read back as it was written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from some_documents import documents

from adapters.mastodon.markup import blocks
from adapters.mastodon.plan import plan
from adapters.mastodon.profile import PROFILE
from adapters.sandbox.mastodon_entities import Entities, length
from adapters.sandbox.world import Network
from gateway.model.capabilities import Limits
from gateway.model.content import Document, Media, Mention, Quote, Text, plain
from gateway.model.delivery import Draft, FaultError, FaultKind, InConversation, Part, Target, Timeline, ToPerson
from gateway.model.identity import Identity
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, MessageRef
from gateway.text.markdown import from_markdown
from gateway.text.plain import from_text

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANA = Identity("mastodon", "ana@home.example", "ana@home.example")
FACE = Entities(Network("mastodon"))
LIMITS = PROFILE.limits
ENDLESS = structs.replace(LIMITS, text_max=10**6)
PLACES: list[Target] = [
    Timeline(),
    ToPerson(ANA),
    ToPerson(ANA, private=True),
    InConversation(ConversationId("open|7")),
]
WARNINGS = ["", "spiders", "👩‍👩‍👧 " * 100, "https://example.org/" + "a" * 150]


def parts_of(said: Document, target: Target | None = None, limits: Limits = LIMITS, **more: Any) -> tuple[Part, ...]:
    account = AccountId("mastodon/main")
    draft = Draft(DraftId("d1"), DEFAULT_WORKSPACE, account, target or Timeline(), said, AT, "k", **more)
    return plan(draft, AT, limits, "public")


def words(text: str) -> list[str]:
    """Without the signs that are set anew where a block goes on in another part."""
    return [word for word in text.split() if word not in (">", "•")]


@given(documents("mastodon"), st.sampled_from([1, 1, 4]), st.sampled_from(WARNINGS), st.sampled_from(PLACES))
def test_any_document_fits_and_loses_no_word(document: Document, times: int, warning: str, target: Target) -> None:
    said = structs.replace(document, paragraphs=document.paragraphs * times, warning=warning)
    parts = parts_of(said, target)
    assert parts == parts_of(said, target)
    for part in parts:
        assert part.body["text"].strip()
        assert length(part.body["text"], part.body.get("warning", "")) <= LIMITS.text_max
        assert part.body.get("warning", "") == warning.strip()
    (whole,) = parts_of(said, target, ENDLESS)
    calls = [word for word in whole.body["text"].split()[:1] if len(parts) > 1 and word == f"@{ANA.id}"]
    texts = [words(part.body["text"]) for part in parts]
    again = [text[1:] if n and calls and text[:1] == calls else text for n, text in enumerate(texts)]
    assert [word for text in again for word in text] == words(whole.body["text"])


@given(documents("mastodon"), st.sampled_from([1, 5]))
def test_what_is_written_is_read_as_that(document: Document, times: int) -> None:
    for part in parts_of(structs.replace(document, paragraphs=document.paragraphs * times)):
        text = part.body["text"]
        assert plain(Document(blocks(FACE.html(text), lambda _: None))).split() == text.split()


@given(documents("mastodon"), st.sampled_from(WARNINGS))
def test_numbers_fit_too(document: Document, warning: str) -> None:
    said = structs.replace(document, paragraphs=document.paragraphs * 6, warning=warning)
    parts = parts_of(said, numbered=True)
    for number, part in enumerate(parts, 1):
        assert length(part.body["text"], part.body.get("warning", "")) <= LIMITS.text_max
        assert len(parts) == 1 or part.body["text"].endswith(f"\n\n{number}/{len(parts)}")
        assert part.rest is None or f"{number}/{len(parts)}" not in plain(part.rest).split()[-1:]


MARKDOWN = """# Release 2.0

Now with *speed* and **care**, see [the notes](https://example.org/notes).

1. First
2. Second
   - deeper

> Somebody said
> > before

```python
def f():
    return 1
```

| a | b |
|---|---|
| 1 | 2 |
"""
LEGIBLE = """Release 2.0

Now with speed and care, see the notes (https://example.org/notes).

1. First
2. Second
  • deeper

> Somebody said

> > before

def f():
    return 1

a | b
1 | 2"""


def test_markdown_is_legible_without_markup() -> None:
    (part,) = parts_of(from_markdown(MARKDOWN))
    assert part.body["text"] == LEGIBLE


def test_a_name_from_elsewhere_is_a_name() -> None:
    said = Document(((Text("thanks "), Mention("bluesky", "did:plc:x", "ana.example.org", ""), Text("!")),))
    assert parts_of(said)[0].body["text"] == "thanks ana.example.org!"


def test_words_are_what_a_warning_hides() -> None:
    """Masto post_status_service.rb: a warning without words becomes the words."""
    picture = Media("0" * 64, "image/png", 1)
    (part,) = parts_of(Document(media=(picture,), warning="spiders"))
    assert (part.body["text"], part.body["sensitive"], "warning" in part.body) == ("spiders", True, False)


def test_a_warning_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(FaultError) as caught:
        parts_of(structs.replace(from_text("hello"), warning="w" * 500))
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.TOO_LONG, True)


def test_a_quote_that_can_not_be_one_is_a_link() -> None:
    ref, url = MessageRef("7|public|ana@home.example"), "https://home.example/@ana/7"
    quote = Quote("mastodon", ref, url)
    picture = Media("0" * 64, "image/png", 1)
    said = from_text("see")
    assert parts_of(structs.replace(said, quote=quote))[0].body["quote"] == "7"
    for document, target in (
        (structs.replace(said, quote=quote, media=(picture,)), None),
        (structs.replace(said, quote=quote), ToPerson(ANA, private=True)),
        (Document(quote=quote), None),
    ):
        body = parts_of(document, target)[0].body
        assert "quote" not in body
        assert body["text"].endswith(url)
    with pytest.raises(FaultError) as caught:
        parts_of(structs.replace(said, quote=structs.replace(quote, url=""), media=(picture,)))
    assert caught.value.fault.kind is FaultKind.INVALID
