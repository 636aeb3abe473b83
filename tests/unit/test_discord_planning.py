"""adapters/discord/planning.py: polls, files, and how a part will look."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from adapters.discord.planning import plan, preview, reworded
from adapters.discord.profile import Settings
from gateway.model.content import Document, Media, Mention, Poll, Text
from gateway.model.delivery import Draft, FaultError, FaultKind, Timeline
from gateway.model.ids import AccountId, DraftId, WorkspaceId
from gateway.model.secret import Secret
from gateway.text.plain import from_text

SETTINGS = Settings(token=Secret("t"), announce_to="77")
NOW = datetime(2026, 11, 26, tzinfo=UTC)
CAT = Media("00", "image/png", 10, "a cat")
FILM = Media("11", "video/mp4", 10, name="holiday.mp4")


def parts(document: Document, **more: Any) -> Any:
    draft = Draft(DraftId("d"), WorkspaceId("w"), AccountId("discord/main"), Timeline(), document, NOW, "k", **more)
    return plan(draft, SETTINGS)


def asked(text: str, poll: Poll) -> tuple[str, dict[str, Any]]:
    (part,) = parts(structs.replace(from_text(text), poll=poll))
    payload = part.body["payload"]
    return payload["content"], payload["poll"]


def test_a_short_text_is_the_question_of_its_poll() -> None:
    content, poll = asked("Which day?", Poll(("Monday", "Tuesday"), 7200.0, multiple=True))
    assert content == ""
    assert poll == {
        "question": {"text": "Which day?"},
        "answers": [{"poll_media": {"text": "Monday"}}, {"poll_media": {"text": "Tuesday"}}],
        "duration": 2,
        "allow_multiselect": True,
        "layout_type": 1,
    }


def test_a_long_text_stands_before_the_question() -> None:
    content, poll = asked("word " * 100 + "\n\nWhich day?", Poll(("a", "b")))
    assert content.endswith("Which day?")
    assert poll["question"]["text"] == "Which day?"
    _, poll = asked("word " * 100, Poll(("a", "b")))
    assert len(poll["question"]["text"]) == 300
    assert poll["question"]["text"].endswith("…")


@pytest.mark.parametrize("before", ["word " * 100, "Well,"])
def test_the_number_of_a_part_is_no_question(before: str) -> None:
    said = from_text(f"{before}\n\nWhich day?\n\n" + "x" * 1_985)
    first, _ = parts(structs.replace(said, poll=Poll(("a", "b"))), numbered=True)
    payload = first.body["payload"]
    assert payload["content"].endswith("Which day?\n\n1/2")
    assert payload["poll"]["question"]["text"].endswith("Which day?")


@pytest.mark.parametrize(("open_for_s", "hours"), [(1.0, 1), (3 * 3600.0, 3), (1e9, 768)])
def test_polls_are_open_for_whole_hours(open_for_s: float, hours: int) -> None:
    assert asked("Which day?", Poll(("a", "b"), open_for_s))[1]["duration"] == hours


def test_files_have_names_and_descriptions_and_are_hidden_by_name() -> None:
    (part,) = parts(structs.replace(from_text("Look"), media=(CAT, FILM)))
    assert [one["name"] for one in part.body["media"]] == ["image0.png", "holiday.mp4"]
    assert part.body["payload"]["attachments"] == [{"id": 0, "description": "a cat"}, {"id": 1, "description": ""}]
    (part,) = parts(structs.replace(from_text("Look"), media=(CAT, FILM), sensitive=True))
    assert [one["name"] for one in part.body["media"]] == ["SPOILER_image0.png", "SPOILER_holiday.mp4"]


def test_a_part_with_too_many_files_is_refused() -> None:
    with pytest.raises(FaultError) as caught:
        parts(structs.replace(from_text("Look"), media=(CAT,) * 11))
    assert caught.value.fault.kind is FaultKind.MEDIA


def test_each_media_is_on_the_part_that_mentions_it() -> None:
    text = "\n\n".join(f"Paragraph {n}. " + "word " * 200 for n in range(4))
    planned = parts(structs.replace(from_text(text), media=(structs.replace(CAT, at=3), FILM)))
    assert [len(part.body.get("media", ())) for part in planned] == [1, *[0] * (len(planned) - 2), 1]
    assert planned[-1].body["media"][0]["sha256"] == "00"


def test_an_edit_says_all_anew() -> None:
    said = Document(((Text("hi "), Mention("discord", "5", "ana")),), (CAT,))
    body = reworded(said)
    assert body["payload"]["allowed_mentions"]["users"] == ["5"]
    assert body["payload"]["attachments"] == [{"id": 0, "description": "a cat"}]
    assert reworded(from_text("hi"))["payload"]["attachments"] == []


def test_a_preview_shows_what_readers_get() -> None:
    (part,) = parts(structs.replace(from_text("Which *day*?"), media=(CAT,), poll=Poll(("a", "b"))))
    shown = preview(part)
    assert (shown.text, shown.length, shown.limit) == ("Which *day*?", 12, 300)
    assert shown.media == ("image/png image0.png: a cat",)
    assert shown.extras == ("poll, open for 1 d: a / b",)
    (part,) = parts(from_text("2 * 3"))
    assert (preview(part).text, preview(part).limit, preview(part).extras) == (r"2 \* 3", 2000, ())
