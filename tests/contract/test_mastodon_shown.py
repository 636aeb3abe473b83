"""What a Mastodon status can carry besides words, and what may be done to it: asserted on what the instance holds."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import structs

from adapters.mastodon.adapter import MastodonAdapter
from adapters.sandbox.faults import Trouble
from adapters.sandbox.mastodon_media import PIXEL
from adapters.sandbox.world import Message
from gateway.clock import SystemClock
from gateway.model.capabilities import Feature, Support
from gateway.model.content import Document, Link, Mark, Media, Mention, Poll, Quote, Text, marked
from gateway.model.delivery import FaultKind, InConversation, Part, Shown, Timeline, ToPerson, Visibility
from gateway.model.events import Reacted, Reposted
from gateway.model.identity import Identity
from gateway.model.ids import MessageRef
from gateway.model.media import Attachment, MediaKind
from gateway.testing.kit import Bench, ManualClock
from gateway.text.plain import from_text
from tests.contract.mastodon_rig import (
    ACCOUNT,
    Rig,
    draft,
    listening,
    mastodon_account,  # noqa: F401 - a fixture
    mastodon_rig,  # noqa: F401 - a fixture
    opened,
    refusal,
    send,
    until,
)

ANA = Identity("mastodon", "ana@mastodon.sandbox", "ana", "Ana")
BO = Identity("mastodon", "bo@mastodon.sandbox", "bo", "Bo")
GIF = b"GIF89a" + struct.pack("<HH", 2, 2) + b"\x00\x21\xf9\x04frame" * 2
FILM = b"\0\0\0\x18ftypmp42" + b"\0" * 40
SOUND = b"ID3" + b"\0" * 40
KINDS = {"image/png": PIXEL, "image/gif": GIF, "video/mp4": FILM, "audio/mpeg": SOUND}


def media(rig: Rig, mime: str = "image/png", **more: Any) -> Media:
    data = KINDS[mime]
    digest = hashlib.sha256(data).hexdigest()
    rig.bench.pictures[digest] = data
    return Media(digest, mime, len(data), animated=mime == "image/gif", **more)


def said(text: str = "look", **more: Any) -> Document:
    return structs.replace(from_text(text), **more)


def planned(account: MastodonAdapter, document: Document, **more: Any) -> tuple[Part, ...]:
    return account.plan(draft(document, **more), datetime.now(UTC))


async def refused_plan(account: MastodonAdapter, document: Document, **more: Any) -> FaultKind:
    async def plan() -> None:
        planned(account, document, **more)

    fault = await refusal(plan())
    assert fault.certain
    return fault.kind


# Threads.


async def test_a_warning_counts_and_is_on_every_part(rig: Rig, account: MastodonAdapter) -> None:
    warning = "⚠️ long, with https://example.org/" + "a" * 60
    await send(account, draft(said("word " * 300, warning=warning), numbered=True))
    held = rig.held()
    assert len(held) > 3
    assert {message.extra["spoiler_text"] for message in held} == {warning}
    assert [message.text.split()[-1] for message in held] == [f"{n}/{len(held)}" for n in range(1, len(held) + 1)]
    assert all(message.extra["sensitive"] for message in held)
    assert sum(message.text.split().count("word") for message in held) == 300


async def test_a_private_thread_keeps_its_people_and_its_width(rig: Rig, account: MastodonAdapter) -> None:
    rig.face.say("ana", "post", "I am here")
    texts = ["first " * 80, "second " * 60, "third " * 70]
    document = said(
        "\n\n".join(texts), media=(media(rig, alt="of the second", at=1), media(rig, alt="of the third", at=2))
    )
    await send(account, draft(document, ToPerson(ANA, private=True)))
    held = rig.held()
    assert [[one["alt"] for one in message.media] for message in held] == [[], ["of the second"], ["of the third"]]
    assert {message.extra["visibility"] for message in held} == {"direct"}
    assert all(message.text.startswith("@ana ") for message in held)
    assert [message.in_reply_to for message in held] == [None, held[0].id, held[1].id]


# Media.


@pytest.mark.parametrize(("mime", "shown"), [("image/gif", "gifv"), ("video/mp4", "video"), ("audio/mpeg", "audio")])
async def test_every_kind_is_posted_with_its_description(
    rig: Rig, account: MastodonAdapter, mime: str, shown: str
) -> None:
    rig.face.media_turns = 2
    await send(account, draft(said(media=(media(rig, mime, alt="what it is"),), sensitive=True)))
    (held,) = rig.held()
    assert [(one["type"], one["mime"], one["alt"]) for one in held.media] == [(shown, mime, "what it is")]
    assert held.extra["sensitive"]
    assert held.extra["spoiler_text"] == ""


async def test_moving_pictures_stand_beside_others_films_alone(rig: Rig, account: MastodonAdapter) -> None:
    await send(account, draft(said(media=(media(rig), media(rig, "image/gif"), media(rig)))))
    assert [one["type"] for one in rig.held()[0].media] == ["image", "gifv", "image"]
    for beside in ("image/png", "video/mp4", "audio/mpeg"):
        mixed = said(media=(media(rig, "video/mp4"), media(rig, beside)))
        assert await refused_plan(account, mixed) is FaultKind.MEDIA


async def test_what_the_instance_states_holds(rig: Rig, account: MastodonAdapter) -> None:
    wide = structs.replace(media(rig), width_px=8_000, height_px=8_000)
    moving = structs.replace(media(rig, "image/gif"), width_px=1_000, height_px=1_000)
    film = structs.replace(media(rig, "video/mp4"), size_bytes=103_809_024)
    page = structs.replace(media(rig), mime="application/pdf")
    for one in (wide, moving, structs.replace(moving, animated=False), film, page):
        assert await refused_plan(account, said(media=(one,))) is FaultKind.MEDIA
    await account.check()
    video = account.profile.limits.of(MediaKind.VIDEO)
    assert video
    assert (video.size_bytes, video.pixels_max, video.count_max) == (103_809_023, 8_294_400, 1)
    assert account.profile.limits.of(MediaKind.FILE) is None


async def test_a_description_is_cut_at_a_word(rig: Rig, account: MastodonAdapter) -> None:
    await send(account, draft(said(media=(media(rig, alt="word " * 400),))))
    (one,) = rig.held()[0].media
    assert len(one["alt"]) <= 1_500
    assert one["alt"].endswith("word…")


async def test_a_film_that_takes_long_is_sent_once(rig: Rig) -> None:
    clock = ManualClock()
    account = await rig.open(clock)
    rig.face.media_turns = 12
    (part,) = planned(account, said(media=(media(rig, "video/mp4"),)))
    task = asyncio.create_task(refusal(account.send(part)))
    while not task.done():
        await until(lambda: clock.sleepers or task.done())
        await clock.advance(20)
    assert (task.result().kind, task.result().certain) == (FaultKind.MEDIA_PENDING, True)
    again = asyncio.create_task(account.send(part))
    while not again.done():
        await until(lambda: clock.sleepers or again.done())
        await clock.advance(20)
    (held,) = rig.held()
    assert len(rig.face._files._media) == 1
    assert again.result().ref.startswith(held.id)


@pytest.mark.parametrize("name", ["@ana", "@@ana", "Team @ana", "(@ana)", "@", "@ana@mastodon.sandbox"])
async def test_somebody_from_elsewhere_calls_nobody_whatever_the_name(
    rig: Rig, account: MastodonAdapter, name: str
) -> None:
    for person in ("ana", "bo"):
        rig.face.say(person, "mention", "hi")
    for target in (Timeline(), ToPerson(BO, private=True)):
        elsewhere = Document(((Text("thanks "), Mention("elsewhere", "1", "ana", name), Text("ana")),))
        await send(account, draft(elsewhere, target))
        called = [rig.face.network.members[one].handle for one in rig.held()[-1].extra["mentions"]]
        assert called == (["bo"] if isinstance(target, ToPerson) else [])


async def test_the_words_of_a_link_call_nobody_in_private(rig: Rig, account: MastodonAdapter) -> None:
    for person in ("ana", "bo"):
        rig.face.say(person, "mention", "hi")
    words = Document(((Link("https://e.org/a", "@ana"), Text(" @"), marked("ana", Mark.BOLD)),))
    await send(account, draft(words, ToPerson(BO, private=True)))
    assert [rig.face.network.members[one].handle for one in rig.held()[-1].extra["mentions"]] == ["bo"]


async def test_a_crash_after_the_upload_makes_no_second_post(rig: Rig, account: MastodonAdapter) -> None:
    (part,) = planned(account, said(media=(media(rig),), warning="w"))
    rig.strike(Trouble.DROP_AFTER, on="write", action="post", count=1)
    assert not (await refusal(account.send(part))).certain
    after = await rig.open()
    found = await after.reconcile(part, datetime.fromtimestamp(0, UTC))
    receipt = await after.send(part)
    assert found == structs.replace(receipt, lanes=())
    assert len(rig.held()) == 1


# Edits.


ANA_SPAN = Mention("mastodon", "ana@mastodon.sandbox", "ana", "Ana")


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (Document(((Text("Thanks "), ANA_SPAN),)), said("Thanks everybody"), "Thanks everybody"),
        (Document(((Text("Thanks "), ANA_SPAN),)), Document(((Text("Dear "), ANA_SPAN),)), "Dear @ana"),
        (said("hello @ana"), said("hi again @ana"), "hi again @ana"),
        (said("hello @ana@mastodon.sandbox"), said("hi again @Ana@Mastodon.Sandbox"), "hi again @Ana"),
        (said("@ana hello"), said("@ana hi again"), "@ana hi again"),
        (said("@ana hello"), said("hi again @ana!"), "hi again @ana!"),
        (said("hello @bob@x.y"), said("hi again @bob@x.y"), "hi again @bob@x.y"),
    ],
)
async def test_an_edit_calls_nobody_whom_only_the_words_called(
    rig: Rig, account: MastodonAdapter, before: Document, after: Document, text: str
) -> None:
    for person in ("ana", "bob@x.y"):
        rig.face.say(person, "post", "I am here")
    (receipt,) = await send(account, draft(before))
    (held,) = rig.held()
    assert held.extra["mentions"]
    await account.edit(receipt.ref, after)
    assert held.text == text


@pytest.mark.parametrize(
    "before",
    [
        said("hi"),
        Document(((Text("Hi "), ANA_SPAN),)),
        Document(((Mention("mastodon", BO.id, "bo"), Text(" and "), ANA_SPAN),)),
    ],
)
@pytest.mark.parametrize(("after", "text"), [("see", "@ana see"), ("@ana sees", "@ana sees"), ("ana", "@ana ana")])
async def test_an_edited_answer_still_calls_whom_it_answers(
    rig: Rig, account: MastodonAdapter, before: Document, after: str, text: str
) -> None:
    rig.face.say("bo", "post", "I am here")
    async with listening(account) as heard:
        rig.face.say("ana", "mention", "how?")
        event = await heard.message("how?")
    target = InConversation(event.conversation)
    (receipt,) = await send(account, draft(before, target, in_reply_to=event.ref, with_person=event.author))
    await account.edit(receipt.ref, said(after))
    await send(account, draft(said(after), target, in_reply_to=event.ref, with_person=event.author))
    assert [message.text for message in rig.held()] == [text, text]


@pytest.mark.parametrize("private", [False, True])
async def test_an_edit_keeps_whom_a_message_is_to(rig: Rig, account: MastodonAdapter, private: bool) -> None:
    rig.face.say("bo", "post", "I am here")
    rig.face.say("ana", "post", "I am here")
    (receipt,) = await send(account, draft(said("about @bo"), ToPerson(ANA, private=private)))
    await account.edit(receipt.ref, said("nothing"))
    assert [message.text for message in rig.held()] == ["@ana nothing"]


# Polls.


async def test_a_poll_is_one(rig: Rig, account: MastodonAdapter) -> None:
    poll = Poll(("yes, with é", " no "), 3_600.0, multiple=True)
    (receipt,) = await send(account, draft(said("Well?", poll=poll, warning="politics", language="de")))
    (held,) = rig.held()
    told = held.extra["poll"]
    assert (told["options"], told["open_for_s"], told["multiple"]) == (["yes, with é", "no"], 3_600, True)
    assert (held.text, held.extra["spoiler_text"], held.extra["language"]) == ("Well?", "politics", "de")
    assert held.key
    await account.edit(receipt.ref, said("Well, then?", poll=structs.replace(poll, options=("a", "b", "c"))))
    assert held.extra["poll"]["options"] == ["a", "b", "c"]
    assert held.extra["spoiler_text"] == ""
    await account.edit(receipt.ref, said("Never mind"))
    assert held.extra["poll"] is None


POLLS = [
    Poll(("one",)),
    Poll(("a", "b", "c", "d", "e")),
    Poll(("a" * 51, "b")),
    Poll(("same", "same ")),
    Poll(("a", " ")),
    Poll(("a", "b"), 299.0),
    Poll(("a", "b"), 2_629_747.0),
]


@pytest.mark.parametrize("poll", POLLS, ids=range(len(POLLS)))
async def test_a_poll_it_would_refuse_is_not_planned(rig: Rig, account: MastodonAdapter, poll: Poll) -> None:
    assert await refused_plan(account, said("Well?", poll=poll)) is FaultKind.INVALID
    (part,) = planned(account, said("Well?", poll=Poll(("a", "b"))))
    body = {"options": list(poll.options), "expires_in": int(poll.open_for_s), "multiple": False, "hide_totals": False}
    fault = await refusal(account.send(structs.replace(part, body={**part.body, "poll": body})))
    assert fault.kind is FaultKind.INVALID, "the instance refuses it too"
    assert rig.held() == []


async def test_a_poll_stands_alone_and_has_a_question(rig: Rig, account: MastodonAdapter) -> None:
    poll = Poll(("a", "b"))
    assert await refused_plan(account, said("Well?", poll=poll, media=(media(rig),))) is FaultKind.INVALID
    assert await refused_plan(account, Document(poll=poll)) is FaultKind.INVALID


# Who sees it, and what it shows.


@pytest.mark.parametrize(
    ("own", "wanted", "held"),
    [
        ("public", Visibility.USUAL, "public"),
        ("public", Visibility.UNLISTED, "unlisted"),
        ("public", Visibility.FOLLOWERS, "private"),
        ("unlisted", Visibility.PUBLIC, "unlisted"),
        ("unlisted", Visibility.FOLLOWERS, "private"),
        ("private", Visibility.UNLISTED, "private"),
    ],
)
async def test_nothing_is_wider_than_the_account_wants(rig: Rig, own: str, wanted: Visibility, held: str) -> None:
    account = await rig.open(visibility=own)
    await send(account, draft(said("word " * 150), visibility=wanted))
    assert {message.extra["visibility"] for message in rig.held()} == {held}
    assert len(rig.held()) == 2


async def heard_ref(rig: Rig, account: MastodonAdapter) -> tuple[Message, MessageRef]:
    async with listening(account) as heard:
        theirs = rig.face.say("ana", "mention", "quote me")
        event = await heard.message("quote me")
    return theirs, event.ref


async def test_a_quote_is_one_where_the_instance_has_them(rig: Rig, account: MastodonAdapter) -> None:
    theirs, ref = await heard_ref(rig, account)
    assert account.profile.support(Feature.QUOTE) is Support.PARTIAL
    quote = Quote("mastodon", ref, "https://mastodon.sandbox/@ana/1")
    await send(account, draft(said("see", quote=quote)))
    await send(account, draft(said("see", quote=quote, media=(media(rig),))))
    alone, beside = rig.held()
    assert (alone.extra["quoted"], alone.text) == (theirs.id, "see")
    assert (beside.extra["quoted"], beside.text) == (None, "see\n\nhttps://mastodon.sandbox/@ana/1")
    gone = structs.replace(quote, ref=MessageRef("7|public|ana@mastodon.sandbox"))
    fault = await refusal(send(account, draft(said("see", quote=gone))))
    assert (fault.kind, fault.certain) == (FaultKind.TARGET_GONE, True)


async def test_an_edit_keeps_a_quote_and_links_to_another(rig: Rig, account: MastodonAdapter) -> None:
    theirs, ref = await heard_ref(rig, account)
    quote = Quote("mastodon", ref, "https://mastodon.sandbox/@ana/1")
    (quoting,) = await send(account, draft(said("see", quote=quote)))
    (plain,) = await send(account, draft(said("look")))
    for receipt in (quoting, plain):
        await account.edit(receipt.ref, said("seen", quote=quote))
    assert [(message.text, message.extra["quoted"]) for message in rig.held()] == [
        ("seen", theirs.id),
        ("seen\n\nhttps://mastodon.sandbox/@ana/1", None),
    ]
    fault = await refusal(account.edit(plain.ref, said("seen", quote=structs.replace(quote, url=""))))
    assert (fault.kind, fault.certain) == (FaultKind.INVALID, True)


async def test_an_older_instance_has_none(rig: Rig) -> None:
    rig.face.quotes = False
    account = await rig.open()
    await account.check()
    assert account.profile.support(Feature.QUOTE) is Support.FALLBACK


async def test_a_repost_is_one_however_often(rig: Rig, account: MastodonAdapter) -> None:
    theirs, ref = await heard_ref(rig, account)
    for _ in range(2):
        await account.repost(ref)
    assert theirs.extra["reblogs"] == [rig.face.network.member("agent").id]  # type: ignore[union-attr]  # it is there
    private = rig.face.say("ana", "direct", "psst")
    fault = await refusal(account.repost(MessageRef(f"{private.id}|direct|ana@mastodon.sandbox")))
    assert (fault.kind, fault.certain) == (FaultKind.TARGET_REFUSED, True)


async def test_what_others_do_with_ours_is_heard(rig: Rig, account: MastodonAdapter) -> None:
    (receipt,) = await send(account, draft("ours"))
    (own,) = rig.held()
    async with listening(account) as heard:
        rig.face.person_reacts("ana", own.id)
        rig.face.person_reposts("ana", own.id)
        rig.face.say("bo", "post", "@nobody listen", quote=own.id)
        quoting = await heard.message("listen")
        rig.face.say("bo", "post", "@agent come here", quote=own.id)
        calling = await heard.message("come here")
    assert (quoting.addressed, calling.addressed) == (False, True)
    (liked,) = [event for event in heard.events if isinstance(event, Reacted)]
    (shown,) = [event for event in heard.events if isinstance(event, Reposted)]
    assert (liked.reaction, liked.ref, shown.ref) == ("❤️", receipt.ref, receipt.ref)
    assert shown.author == ANA
    assert quoting.document.quote
    assert (quoting.document.quote.ref, quoting.document.quote.text) == (receipt.ref, "ours")


async def test_what_others_write_comes_whole(rig: Rig, account: MastodonAdapter) -> None:
    poll = {"options": ["a", "b"], "expires_in": 600, "multiple": "1"}
    async with listening(account) as heard:
        root = rig.face.say("ana", "mention", "the question", spoiler_text="spiders", language="de", poll=poll)
        first = await heard.message("the question")
        rig.face.say("bo", "reply", "an answer", to=root.id, image=True, sensitive=True)
        answer = await heard.message("an answer")
    document = first.document
    assert (document.warning, document.language, document.sensitive) == ("spiders", "de", True)
    assert document.poll
    assert (document.poll.options, document.poll.multiple) == (("a", "b"), True)
    assert abs(document.poll.open_for_s - 600) < 5
    assert (first.thread_root, answer.thread_root, answer.in_reply_to) == (None, first.ref, first.ref)
    assert answer.attachments[0].sensitive


# Previews.


async def test_a_preview_says_how_it_will_look(rig: Rig, account: MastodonAdapter) -> None:
    link = "https://example.org/" + "a" * 100
    document = said(
        f"é {link}", media=(media(rig, alt="a dot"), media(rig)), warning="w", sensitive=True, language="de"
    )
    (part,) = planned(account, document, visibility=Visibility.FOLLOWERS)
    size = len(PIXEL)
    assert account.preview(part) == Shown(
        text=f"é {link}",
        length=26,
        limit=500,
        unit=account.profile.limits.unit,
        media=(f"image: image/png, {size} bytes, a dot", f"image: image/png, {size} bytes, no description"),
        extras=("content warning: w", "media are hidden", "language: de", "for followers alone"),
    )
    (part,) = planned(account, said("Well?", poll=Poll(("a", "b"), 600.0)))
    assert account.preview(part).extras == ("poll, open for 10 min: a / b",)


# What others attached.


async def fetched(account: MastodonAdapter, url: str) -> bytes:
    return b"".join([piece async for piece in account.fetch(Attachment(url))])


async def test_files_come_from_the_own_server_but_from_no_other_inside() -> None:
    async def redirect(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async def file(request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        return web.Response(body=b"bytes")

    app = web.Application()
    app.add_routes([web.get("/file", file), web.get("/redirect", redirect)])
    async with TestServer(app) as own, TestServer(app) as other:
        account = await opened(f"http://127.0.0.1:{own.port}", Bench(ACCOUNT, SystemClock()))
        mine, theirs = (f"http://127.0.0.1:{server.port}" for server in (own, other))
        assert await fetched(account, f"{mine}/file") == b"bytes"
        assert await fetched(account, f"{mine}/redirect?to=/file") == b"bytes"
        for url in (f"{theirs}/file", f"http://localhost:{other.port}/file", f"{mine}/redirect?to={theirs}/file"):
            fault = await refusal(fetched(account, url))
            assert (fault.kind, fault.certain) == (FaultKind.TARGET_REFUSED, True)
        for url, kind in ((f"{mine}/none", FaultKind.TARGET_GONE), (f"{mine}/redirect?to=/redirect", FaultKind.SERVER)):
            assert (await refusal(fetched(account, url))).kind is kind
        for url in ("file:///etc/passwd", "gopher://a/b", "https://", "http://a:b/", "114"):
            assert (await refusal(fetched(account, url))).kind is FaultKind.INVALID
        await account.aclose()
