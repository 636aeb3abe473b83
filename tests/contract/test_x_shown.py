"""What people see on X and what an agent hears of it, through the real tweepy: media, polls, quotes, marks, files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from msgspec import structs
from x_films import film, gif
from x_rig import XRig, draft, drafted, fault_of, sent

from adapters.sandbox import x_shown
from adapters.sandbox.control import serve
from adapters.sandbox.faults import Trouble
from adapters.sandbox.world import Message
from gateway.clock import SystemClock
from gateway.model.content import Document, Link, Media, Poll, Quote, Text, plain, spans
from gateway.model.delivery import FaultKind, Receipt, Repliers
from gateway.model.events import RAW_MAX, MessageEdited, MessageReceived, PlatformEvent
from gateway.model.ids import MessageRef
from gateway.model.media import Attachment
from gateway.ports import Reacts, Reposts

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
FILM = Media("vv", "video/mp4", 1_200_000, "a cat jumps", duration_s=10.0)
GIF = Media("gg", "image/gif", 30, "a cat turns", animated=True)


@pytest.fixture
async def rig() -> AsyncIterator[XRig]:
    sandbox = await serve(names=["x"])
    face: Any = sandbox.faces["x"]
    made = XRig(face)
    made.bench.pictures |= {"vv": bytes(1_200_000), "gg": bytes(30), "pp": b"png"}
    yield made
    await made.close()
    await sandbox.stop()


async def heard(rig: XRig, **options: Any) -> MessageReceived:
    """What somebody's mention is to the account."""
    told = partial(rig.face.say, "ana", options.pop("kind", "mention"), options.pop("text", "look"), **options)
    (event,) = await listened(rig, told)
    assert isinstance(event, MessageReceived)
    return event


async def listened(rig: XRig, *happens: Callable[[], Any], count: int = 1) -> list[PlatformEvent]:
    """What is heard of what happens, one after the other; each is heard of before the next where so much is."""
    events: list[PlatformEvent] = []
    adapter = await rig.open()
    async with asyncio.timeout(30), aclosing(adapter.events(None)) as arrivals:  # type: ignore[type-var]  # a generator
        await anext(arrivals)
        for happening in happens:
            happening()
            wanted = len(events) + count
            while len(events) < wanted:
                events += (await anext(arrivals))[0]
    return events


@pytest.mark.parametrize("media", [FILM, GIF])
async def test_a_film_is_uploaded_and_described(rig: XRig, media: Media) -> None:
    adapter = await rig.open()
    rig.face.uploads.slow_polls = 1
    await sent(adapter, structs.replace(draft("look", media=(media,))))
    (post,) = rig.held()
    assert post.media[0]["mime"] == media.mime
    assert (post.media[0]["alt"], post.media[0]["size_bytes"]) == (media.alt, media.size_bytes)


async def test_hidden_media_are_marked(rig: XRig) -> None:
    adapter = await rig.open()
    document = Document(((Text("look away"),),), (Media("pp", "image/png", 3),), sensitive=True)
    await sent(adapter, drafted(document))
    assert rig.held()[0].media[0]["sensitive"]


async def test_a_crash_after_the_upload_makes_no_second_post(rig: XRig) -> None:
    adapter = await rig.open()
    (part,) = adapter.plan(draft("look", media=(FILM,)), AT)
    rig.strike(Trouble.DROP_BEFORE, on="write", action="post", count=1)
    assert not (await fault_of(adapter.send(part))).certain
    again = await rig.open()
    await again.send(part)
    assert len(rig.held()) == 1
    assert len(rig.held()[0].media) == 1


async def test_a_poll_is_one(rig: XRig) -> None:
    adapter = await rig.open()
    await sent(adapter, drafted(Document(((Text("Which day?"),),), poll=Poll(("Monday", "Tuesday"), 3600.0))))
    assert rig.held()[0].extra["poll"] == {"options": ["Monday", "Tuesday"], "duration_minutes": 60}


async def test_who_may_reply_is_said(rig: XRig) -> None:
    adapter = await rig.open()
    await sent(adapter, structs.replace(draft("hear me"), repliers=Repliers.FOLLOWED))
    assert rig.held()[0].extra["reply_settings"] == "following"


async def test_with_an_enterprise_plan_posts_are_quoted_and_liked(rig: XRig) -> None:
    rig.face.enterprise = True
    said = rig.face.say("ana", "mention", "news")
    adapter = await rig.open(enterprise=True)
    await sent(adapter, drafted(Document(((Text("so it is"),),), quote=Quote("x", MessageRef(said.id)))))
    assert rig.held()[0].extra["quote_tweet_id"] == said.id
    assert isinstance(adapter, Reacts)
    await adapter.react(MessageRef(said.id), "🎉")
    await adapter.react(MessageRef(said.id), "🎉")
    assert len(said.reactions) == 1


async def test_a_repost_is_there_once(rig: XRig) -> None:
    said = rig.face.say("ana", "mention", "news")
    adapter = await rig.open()
    assert isinstance(adapter, Reposts)
    assert not isinstance(adapter, Reacts)
    await adapter.repost(MessageRef(said.id))
    await adapter.repost(MessageRef(said.id))
    assert [mark["reaction"] for mark in said.reactions] == ["retweet"]
    assert (await fault_of(adapter.repost(MessageRef("1")))).kind is FaultKind.TARGET_GONE


async def test_what_is_attached_is_told_and_can_be_fetched(rig: XRig) -> None:
    event = await heard(rig, image=True, video=True)
    picture, film = event.attachments
    assert (picture.mime, picture.alt, picture.width_px) == ("image/png", "a picture", 640)
    assert (film.mime, film.duration_s, film.name) == ("video/mp4", 10.5, "high.mp4")
    adapter = rig.opened[0]
    assert b"".join([piece async for piece in adapter.fetch(film)]) == x_shown.CONTENT
    assert plain(event.document) == "@agent look"


async def test_a_direct_message_tells_its_picture(rig: XRig) -> None:
    event = await heard(rig, kind="direct", image=True)
    assert [one.mime for one in event.attachments] == ["image/png"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/secret",
        "http://169.254.169.254/latest",
        "http://pbs.twimg.com/a.jpg",
        "https://pbs.twimg.com.evil.example/a.jpg",
        "file:///etc/passwd",
        "//",
        "",
        "http://[::1",
    ],
)
async def test_nothing_is_fetched_from_elsewhere(rig: XRig, url: str) -> None:
    adapter = await rig.open()

    async def fetch() -> None:
        async for _ in adapter.fetch(Attachment(url)):
            raise AssertionError("something came")

    fault = await fault_of(fetch())
    assert (fault.kind, fault.certain) == (FaultKind.TARGET_REFUSED, True)


async def test_what_is_gone_says_so(rig: XRig) -> None:
    adapter = await rig.open()

    async def fetch() -> None:
        async for _ in adapter.fetch(Attachment(f"{rig.face.url}/media/1/0/photo.png")):
            raise AssertionError("something came")

    assert (await fault_of(fetch())).kind is FaultKind.TARGET_GONE


async def test_a_mention_comes_with_its_poll_quote_and_language(rig: XRig) -> None:
    quoted = rig.face.say("ben", "post", "the first word")
    poll = {"options": ["a", "b"], "duration_minutes": 60}
    event = await heard(rig, poll=poll, quote_tweet_id=quoted.id, lang="pt", sensitive=True)
    document = event.document
    assert document.poll == Poll(("a", "b"), 3600.0)
    assert document.quote is not None
    assert document.quote.author is not None
    assert (document.quote.ref, document.quote.text, document.quote.author.handle) == (
        quoted.id,
        "the first word",
        "ben",
    )
    assert (document.language, document.sensitive) == ("pt", True)
    assert event.url == f"https://x.com/ana/status/{event.id}"
    assert event.thread_root is None
    assert 0 < len(event.raw) <= RAW_MAX


async def test_a_long_post_is_heard_whole_with_its_addresses(rig: XRig) -> None:
    text = "word " * 100 + "https://example.org/a?b=1"
    event = await heard(rig, text=text, long=True)
    assert plain(event.document) == f"@agent {text}"
    assert Link("https://example.org/a?b=1") in list(spans(event.document))


async def test_a_reply_names_the_thread(rig: XRig) -> None:
    root = rig.face.say("ben", "post", "the first word")
    event = await heard(rig, kind="reply", to=root.id, text="@agent look")
    assert (event.in_reply_to, event.thread_root) == (root.id, root.id)


async def test_an_answer_deep_in_a_thread_names_its_beginning(rig: XRig) -> None:
    root = rig.face.say("ben", "post", "the first word")
    above = rig.face.say("zoe", "reply", "the second", to=root.id)
    event = await heard(rig, kind="reply", to=above.id, text="@agent look")
    assert (event.in_reply_to, event.thread_root) == (above.id, root.id)


@pytest.mark.parametrize("kind", ["mention", "direct"])
async def test_short_addresses_are_long_again(rig: XRig, kind: str) -> None:
    event = await heard(rig, kind=kind, text="see https://example.org/a?b=1&c=2 and example.com")
    assert [span.url for span in spans(event.document) if isinstance(span, Link)] == [
        "https://example.org/a?b=1&c=2",
        "http://example.com",
    ]


async def test_an_edit_is_heard_whole_under_the_name_of_the_first(rig: XRig) -> None:
    said: list[Message] = []
    heard_first, edit = await listened(
        rig,
        lambda: said.append(rig.face.say("ana", "mention", "frist https://example.org/a", image=True)),
        lambda: rig.face.person_edits(said[0].id, "first https://example.org/b"),
    )
    assert isinstance(heard_first, MessageReceived)
    assert isinstance(edit, MessageEdited)
    assert (edit.ref, plain(edit.document)) == (heard_first.ref, "@agent first https://example.org/b")
    assert [one.alt for one in edit.attachments] == ["a picture"]
    assert 0 < len(edit.raw) <= RAW_MAX


async def test_of_likes_reposts_quotes_and_deletions_nothing_is_told(rig: XRig) -> None:
    """The profile says why. What calls the account by name comes all the same."""
    adapter = await rig.open()
    (receipt,) = await sent(adapter, draft("news"))
    ours = rig.face.network.messages[receipt.ref]
    gone = rig.face.say("ana", "mention", "a mistake")

    def strangers() -> None:
        for mark in ("❤️", "retweet"):
            rig.face.network.react(ours, rig.face.person("ana"), mark)
        rig.face.say("ana", "post", "so it is", quote_tweet_id=ours.id)
        rig.face.person_deletes(gone.id)
        rig.face.say("ana", "mention", "look at that", quote_tweet_id=ours.id)

    (event,) = await listened(rig, strangers)
    assert isinstance(event, MessageReceived)
    assert event.document.quote is not None
    assert (plain(event.document), event.document.quote.ref) == ("@agent look at that", ours.id)


async def test_own_posts_are_not_heard(rig: XRig) -> None:
    adapter = await rig.open()
    posting: list[asyncio.Task[Any]] = []

    def both() -> None:
        posting.append(asyncio.create_task(sent(adapter, draft("@agent that is me"))))

    events = await listened(rig, both, count=0)
    await posting[0]
    events += await listened(rig, lambda: rig.face.say("ana", "mention", "look"))
    assert [event.text for event in events if isinstance(event, MessageReceived)] == ["@agent look"]


@pytest.mark.parametrize(
    ("media", "data", "words"),
    [
        (FILM, film(1201.0), "UnsupportedMedia: Duration 20.minutes+1.seconds exceeds max duration of 20.minutes"),
        (FILM, film(0.4), "UnsupportedMedia: Duration 400.milliseconds"),
        (GIF, gif(frames=351), "Your media IDs are invalid."),
    ],
)
async def test_what_x_finds_wrong_with_media_is_told_and_nothing_is_posted(
    rig: XRig, media: Media, data: bytes, words: str
) -> None:
    """What was not known of it before it was handed in."""
    rig.bench.pictures[media.sha256] = data
    adapter = await rig.open()
    fault = await fault_of(sent(adapter, draft("look", media=(media,))))
    assert (fault.kind, fault.certain) == (FaultKind.MEDIA, True)
    assert words in fault.evidence
    assert rig.held() == []


async def test_two_cashtags_are_one_and_both_are_read(rig: XRig) -> None:
    adapter = await rig.open()
    (part,) = adapter.plan(draft("$AAA rose, $BBB fell"), AT)
    since = SystemClock().now()
    await adapter.send(part)
    assert rig.held()[0].text.replace("\u2060", "") == "$AAA rose, $BBB fell"
    assert isinstance(await adapter.reconcile(part, since), Receipt)


async def test_a_change_that_is_too_fast_says_so_of_its_own_window(rig: XRig) -> None:
    said = rig.face.say("ana", "mention", "news")
    adapter = await rig.open()
    (receipt,) = await sent(adapter, draft("oops"))
    changes = {"deletes": adapter.delete(receipt.ref), "reposts": adapter.repost(MessageRef(said.id))}
    for window, change in changes.items():
        rig.strike(Trouble.RATE_LIMIT, on="write", count=1, retry_after_s=60.0)
        fault = await fault_of(change)
        assert fault.kind is FaultKind.RATE_LIMITED
        assert [(lane.lane, lane.remaining) for lane in fault.lanes] == [(window, 0)]
