"""Mastodon's sending half: Mastodon.py against the face; each failure row as a Fault."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from adapters.mastodon.adapter import MastodonAdapter
from adapters.mastodon.receive import Memory
from adapters.sandbox import mastodon as face_module
from adapters.sandbox import mastodon_entities
from adapters.sandbox.faults import Trouble
from gateway.model.content import Document, Media, Mention, Text
from gateway.model.delivery import FaultKind, InConversation, Receipt, ToPerson
from gateway.model.identity import Identity
from gateway.model.ids import ConversationId
from gateway.ports import Unsure
from gateway.testing.kit import ManualClock, settle
from gateway.text.plain import from_text
from tests.contract.mastodon_rig import (
    Rig,
    draft,
    listening,
    mastodon_account,  # noqa: F401 - a fixture
    mastodon_rig,  # noqa: F401 - a fixture
    refusal,
    send,
    until,
)

PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 60
ANA = Identity("mastodon", "ana@mastodon.sandbox", "ana", "Ana")


def picture(rig: Rig, **more: Any) -> Media:
    digest = hashlib.sha256(PICTURE).hexdigest()
    rig.bench.pictures[digest] = PICTURE
    return Media(digest, "image/png", len(PICTURE), **more)


def pictured(rig: Rig, text: str = "look", **more: Any) -> Document:
    return structs.replace(from_text(text), media=(picture(rig, **more),))


# Every row of the table.

REFUSALS = {
    "scope": (FaultKind.CONFIG, True),
    "not_allowed": (FaultKind.TARGET_REFUSED, True),
    "localised": (FaultKind.FORBIDDEN, True),
    "invalid_token": (FaultKind.SIGNED_OUT, True),
    "no_user": (FaultKind.SIGNED_OUT, True),
    "gone": (FaultKind.TARGET_GONE, True),
    "in_reply_not_found": (FaultKind.TARGET_GONE, True),
    "quoted_status_not_found": (FaultKind.TARGET_GONE, True),
    "moved": (FaultKind.SERVER, True),
    "file_size": (FaultKind.MEDIA, True),
    "too_long": (FaultKind.TOO_LONG, True),
    "blank": (FaultKind.INVALID, True),
    "quoted_not_mentioned": (FaultKind.INVALID, True),
    "file_type": (FaultKind.MEDIA, True),
    "file_unverified": (FaultKind.MEDIA, True),
    "file_unprocessed": (FaultKind.MEDIA, True),
    "media_pending": (FaultKind.MEDIA_PENDING, True),
    "too_many_files": (FaultKind.MEDIA, True),
    "race": (FaultKind.SERVER, False),
}


@pytest.mark.parametrize("code", REFUSALS)
async def test_a_refusal_is_what_the_table_says(rig: Rig, account: MastodonAdapter, code: str) -> None:
    await account.check()
    rig.strike(Trouble.REFUSE, on="write", code=code)
    fault = await refusal(send(account, draft("hello")))
    assert (fault.kind, fault.certain) == REFUSALS[code]
    assert rig.held() == []
    assert rig.outcomes() == ["refused"]


LOSSES = [
    (Trouble.SUSPEND, None, FaultKind.SUSPENDED),
    (Trouble.REVOKE, None, FaultKind.SIGNED_OUT),
    (Trouble.LOCK, "pending", FaultKind.LOCKED),
    (Trouble.LOCK, "unconfirmed", FaultKind.LOCKED),
    (Trouble.LOCK, "two_factor", FaultKind.LOCKED),
]


@pytest.mark.parametrize(("trouble", "code", "kind"), LOSSES)
async def test_a_lost_account_says_so_wherever_it_is_asked(
    rig: Rig, account: MastodonAdapter, trouble: Trouble, code: str | None, kind: FaultKind
) -> None:
    await account.check()
    rig.strike(trouble, code=code)
    fault = await refusal(send(account, draft("hello")))
    assert (fault.kind, fault.certain) == (kind, True)
    async with listening(account) as heard:
        assert heard.fault
        assert heard.fault.kind is kind
    told = (await account.check()).fault
    assert told
    assert told.kind is kind
    assert rig.held() == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("trouble", [Trouble.FAIL_BEFORE, Trouble.FAIL_AFTER])
async def test_a_server_error_is_never_certain(
    rig: Rig, account: MastodonAdapter, trouble: Trouble, status: int
) -> None:
    rig.strike(trouble, on="write", status=status, count=1)
    fault = await refusal(send(account, draft("hello")))
    assert (fault.kind, fault.certain) == (FaultKind.SERVER, False)
    assert len(rig.held()) == (trouble is Trouble.FAIL_AFTER)


@pytest.mark.parametrize("trouble", [Trouble.DROP_BEFORE, Trouble.DROP_AFTER, Trouble.OUTAGE])
async def test_a_broken_connection_is_never_certain(rig: Rig, account: MastodonAdapter, trouble: Trouble) -> None:
    await account.check()
    rig.strike(trouble, on="write", count=1)
    fault = await refusal(send(account, draft("hello")))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False)
    assert len(rig.held()) == (trouble is Trouble.DROP_AFTER)


async def test_a_refused_connection_is_certain(rig: Rig, account: MastodonAdapter) -> None:
    await account.check()
    await rig.sandbox.stop()
    fault = await refusal(send(account, draft("hello")))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, True)


async def test_a_rate_limit_tells_when_it_ends(rig: Rig, account: MastodonAdapter) -> None:
    await account.check()
    rig.strike(Trouble.RATE_LIMIT, on="write", count=1, retry_after_s=500.0)
    fault = await refusal(send(account, draft("hello")))
    assert (fault.kind, fault.certain) == (FaultKind.RATE_LIMITED, True)
    assert fault.retry_at
    assert abs((fault.retry_at - datetime.now(UTC)).total_seconds() - 500) < 30
    assert [(lane.lane, lane.remaining) for lane in fault.lanes] == [("statuses", 0)]


async def test_too_many_deletions_hold_up_no_post(rig: Rig, account: MastodonAdapter) -> None:
    (receipt,) = await send(account, draft("hello"))
    rig.strike(Trouble.RATE_LIMIT, on="write")
    for doing, lane in ((account.delete, "deletes"), (account.repost, "statuses")):
        assert [told.lane for told in (await refusal(doing(receipt.ref))).lanes] == [lane]
    assert (await refusal(account.react(receipt.ref, "⭐"))).lanes == ()


async def test_an_accepted_post_tells_what_is_left_of_the_window(account: MastodonAdapter) -> None:
    (receipt,) = await send(account, draft("hello"))
    (lane,) = receipt.lanes
    assert (lane.lane, lane.remaining) == ("statuses", 299)
    assert abs(lane.reset_at_unix_s - datetime.now(UTC).timestamp() - 10_800) < 60


# The probe tells the account's refusals from the action's.


async def test_a_localised_refusal_of_an_action_leaves_the_account_well(rig: Rig, account: MastodonAdapter) -> None:
    rig.strike(Trouble.REFUSE, on="write", code="localised")
    assert (await refusal(send(account, draft("hello")))).kind is FaultKind.FORBIDDEN
    assert (await account.check()).fault is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("localised", FaultKind.SUSPENDED),
        ("not_allowed", FaultKind.SUSPENDED),
        ("scope", FaultKind.CONFIG),
        ("invalid_token", FaultKind.SIGNED_OUT),
        ("moved", FaultKind.SERVER),
    ],
)
async def test_a_refused_probe_is_about_the_account(
    rig: Rig, account: MastodonAdapter, code: str, kind: FaultKind
) -> None:
    rig.strike(Trouble.REFUSE, on="read", action="verify", code=code)
    fault = (await account.check()).fault
    assert fault
    assert fault.kind is kind


async def test_a_page_in_front_of_the_probe_is_not_the_account(rig: Rig, account: MastodonAdapter) -> None:
    rig.strike(Trouble.OUTAGE, on="read", status=403)
    fault = (await account.check()).fault
    assert fault
    assert fault.kind is FaultKind.FORBIDDEN


# Where things go.


async def test_a_reply_mentions_whom_it_is_for_and_is_no_wider(rig: Rig, account: MastodonAdapter) -> None:
    async with listening(account) as heard:
        rig.face.say("ana", "mention", "quietly?", visibility="unlisted")
        event = await heard.message("quietly?")
    said = draft("yes", InConversation(event.conversation), in_reply_to=event.ref, with_person=event.author)
    await send(account, said)
    (held,) = rig.held()
    assert held.text == "@ana yes"
    assert held.extra["visibility"] == "unlisted"
    assert held.in_reply_to == event.id
    assert held.extra["mentions"] == [rig.face.network.member("ana").id]


async def test_words_for_followers_stay_with_followers(rig: Rig, account: MastodonAdapter) -> None:
    async with listening(account) as heard:
        rig.face.say("ana", "mention", "among us?", visibility="private")
        event = await heard.message("among us?")
    assert event.private
    for ref in (event.ref, None):
        await send(account, draft("yes", InConversation(event.conversation, private=True), in_reply_to=ref))
    assert [held.extra["visibility"] for held in rig.held()] == ["private", "private"]


async def test_a_direct_message_names_everybody_it_is_between(rig: Rig) -> None:
    rig.face.say("bo", "post", "I am here")
    account = await rig.open(poll_s=0.01)
    async with listening(account) as heard:
        rig.face.say("ana", "direct", "@agent @bo lunch?")
        event = await heard.message("lunch?")
    assert event.private
    said = draft(" ".join(["word"] * 250), InConversation(event.conversation, private=True), with_person=event.author)
    await send(account, said)
    held = rig.held()
    assert len(held) > 1
    people = {rig.face.network.member(name).id for name in ("ana", "bo")}
    assert [(message.private, set(message.extra["mentions"])) for message in held] == [(True, people)] * len(held)


async def test_a_direct_message_that_calls_nobody_was_not_sent_and_does_not_stay(
    rig: Rig, account: MastodonAdapter
) -> None:
    since = datetime.now(UTC)
    (part,) = account.plan(draft("psst", ToPerson(ANA, private=True)), since)
    for _ in range(2):  # under its key, too
        fault = await refusal(account.send(part))
        assert (fault.kind, fault.certain) == (FaultKind.TARGET_GONE, True)
        assert rig.held() == []


async def test_one_that_calls_nobody_and_stays_is_not_taken_for_a_message(rig: Rig, account: MastodonAdapter) -> None:
    since = datetime.now(UTC)
    (part,) = account.plan(draft("psst", ToPerson(ANA, private=True)), since)
    rig.strike(Trouble.REFUSE, action="delete", code="not_allowed")
    for _ in range(2):
        fault = await refusal(account.send(part))
        assert (fault.kind, fault.certain) == (FaultKind.TARGET_GONE, True)
        assert len(rig.held()) == 1
    assert await account.reconcile(part, since) is Unsure.NOT_SENT


async def test_words_in_private_call_nobody_else(rig: Rig, account: MastodonAdapter) -> None:
    for name in ("ana", "eve"):
        rig.face.say(name, "post", "I am here")
    await send(account, draft("don't tell @eve or @eve@mastodon.sandbox", ToPerson(ANA, private=True)))
    await send(account, draft("nor @eve", ToPerson(ANA, private=True)))
    eve = rig.face.network.member("eve").id
    assert all(eve not in message.extra["mentions"] for message in rig.held())


async def test_a_name_from_elsewhere_calls_nobody_here(rig: Rig, account: MastodonAdapter) -> None:
    rig.face.say("eve", "post", "I am here")
    said = Document(
        ((Text("as "), Mention("x", "9", "eve"), Text(" and "), Mention("mastodon", "eve@mastodon.sandbox", "eve")),)
    )
    await send(account, draft(said))
    assert rig.held()[0].text == "as eve and @eve"
    assert rig.held()[0].extra["mentions"] == [rig.face.network.member("eve").id]


@pytest.mark.parametrize(
    ("target", "private"),
    [
        (InConversation(ConversationId("open|1"), private=True), True),
        (InConversation(ConversationId("direct|"), private=True), True),
        (ToPerson(Identity("x", "1", "ana"), private=True), True),
        (ToPerson(Identity("mastodon", "1", "ana eve"), private=True), True),
    ],
)
async def test_what_can_not_stay_private_is_not_planned(account: MastodonAdapter, target: Any, private: bool) -> None:
    async def plan() -> None:
        account.plan(draft("psst", target), datetime.now(UTC))

    fault = await refusal(plan())
    assert (fault.kind, fault.certain) == (FaultKind.TARGET_REFUSED, private)


async def test_the_limit_is_the_instances_own_once_it_is_known(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (mastodon_entities, face_module):
        monkeypatch.setattr(module, "TEXT_MAX", 2_000)
    account = await rig.open()
    assert len(account.plan(draft("word " * 300), datetime.now(UTC))) > 1
    await account.check()
    assert account.profile.limits.text_max == 2_000
    await send(account, draft("word " * 300))
    assert len(rig.held()) == 1


async def test_length_is_counted_as_the_instance_counts(rig: Rig, account: MastodonAdapter) -> None:
    link = "https://example.org/" + "a" * 300
    text = "é" * 100 + "👩‍👩‍👧" * 100 + f" {link} " + "x" * (500 - 200 - 25)
    await send(account, draft(text))
    assert [message.text for message in rig.held()] == [text]


# One effect.


async def test_a_lost_answer_is_found_again_by_its_key(rig: Rig, account: MastodonAdapter) -> None:
    (part,) = account.plan(draft("once"), datetime.now(UTC))
    rig.strike(Trouble.DROP_AFTER, on="write", count=1)
    assert not (await refusal(account.send(part))).certain
    receipt = await account.send(part)
    assert rig.outcomes() == ["accepted", "repeated"]
    assert [receipt.ref.split("|")[0]] == [message.id for message in rig.held()]


async def test_after_the_key_it_is_read_back(rig: Rig, account: MastodonAdapter) -> None:
    since = datetime.now(UTC)
    same = "The same words: https://example.org/?a=1 & <b>@ana</b>"
    rig.face.say("ana", "post", "I am here")
    parts = [account.plan(draft(text), since)[0] for text in (same, same + "!", same + "?")]
    first = await account.send(parts[0])
    for number in range(60):
        await send(account, draft(f"between {number}"))
    third = await account.send(parts[2])
    assert await account.reconcile(parts[0], since) == structs.replace(first, lanes=())
    assert await account.reconcile(parts[1], since) is Unsure.NOT_SENT
    assert await account.reconcile(parts[2], since) == structs.replace(third, lanes=())
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert await account.reconcile(parts[0], later) is Unsure.NOT_SENT


async def test_reading_back_looks_at_the_place_too(rig: Rig, account: MastodonAdapter) -> None:
    since = datetime.now(UTC)
    one, other = (rig.face.say("ana", "mention", text) for text in ("one", "other"))
    plans = [
        account.plan(draft("ok", InConversation(ConversationId(f"open|{m.id}")), with_person=ANA), since)[0]
        for m in (one, other)
    ]
    await account.send(plans[0])
    assert isinstance(await account.reconcile(plans[0], since), Receipt)
    assert await account.reconcile(plans[1], since) is Unsure.NOT_SENT
    open_, private = (account.plan(draft("ok", ToPerson(ANA, private=private)), since)[0] for private in (False, True))
    await account.send(private)
    assert isinstance(await account.reconcile(private, since), Receipt)
    assert await account.reconcile(open_, since) is Unsure.NOT_SENT


async def test_an_answer_is_found_whose_question_is_gone(rig: Rig, account: MastodonAdapter) -> None:
    since = datetime.now(UTC)
    question = rig.face.say("ana", "mention", "one")
    place = InConversation(ConversationId(f"open|{question.id}"))
    (part,) = account.plan(draft("ok", place, with_person=ANA), since)
    receipt = await account.send(part)
    rig.held()[-1].in_reply_to = None
    found = await account.reconcile(part, since)
    assert isinstance(found, Receipt)
    assert found.ref == receipt.ref


# Pictures.


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_a_picture_is_waited_for(rig: Rig, account: MastodonAdapter, turns: int) -> None:
    rig.face.media_turns = turns
    await send(account, draft(pictured(rig, alt="a square")))
    (held,) = rig.held()
    assert [(m["mime"], m["size_bytes"], m["alt"]) for m in held.media] == [("image/png", len(PICTURE), "a square")]


async def test_a_picture_that_never_gets_ready_is_certain(rig: Rig) -> None:
    clock = ManualClock()
    account = await rig.open(clock)
    rig.face.media_turns = 1_000
    task = asyncio.create_task(refusal(send(account, draft(pictured(rig)))))
    while not task.done():
        await until(lambda: clock.sleepers or task.done())
        await clock.advance(20)
    fault = task.result()
    assert (fault.kind, fault.certain) == (FaultKind.MEDIA_PENDING, True)
    assert rig.held() == []


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Trouble.FAIL_BEFORE, FaultKind.SERVER),
        (Trouble.DROP_BEFORE, FaultKind.NETWORK),
        (Trouble.RATE_LIMIT, FaultKind.RATE_LIMITED),
    ],
)
async def test_an_upload_that_fails_has_posted_nothing(
    rig: Rig, account: MastodonAdapter, trouble: Trouble, kind: FaultKind
) -> None:
    rig.strike(trouble, action="media")
    fault = await refusal(send(account, draft(pictured(rig))))
    assert (fault.kind, fault.certain) == (kind, True)
    assert rig.held() == []


async def test_a_full_window_of_uploads_is_not_tried_until_it_opens(rig: Rig) -> None:
    rig.face.media_turns, rig.face.upload_window = 0, (2, 1800.0)
    clock = ManualClock()
    account = await rig.open(clock)
    await send(account, draft(pictured(rig)))
    (part,) = account.plan(draft(structs.replace(from_text("two"), media=(picture(rig), picture(rig)))), clock.now())
    for _ in range(3):
        fault = await refusal(account.send(part))
        assert (fault.kind, fault.certain) == (FaultKind.RATE_LIMITED, True)
        assert fault.retry_at is not None
        assert timedelta(seconds=1700) < fault.retry_at - clock.now() < timedelta(seconds=1802)
    assert [a.outcome for a in rig.face.network.attempts if a.action == "media"] == ["refused"]
    await send(account, draft("words alone"))
    rig.face.upload_window = (3, 1800.0)
    await clock.advance(1802)
    await account.send(part)
    assert [len(message.media) for message in rig.held()] == [1, 0, 2]  # and the one that had room was kept


def lose_uploads(rig: Rig) -> set[str]:
    """As the instance does once a day with what no post has. Returns what there was."""
    lost = set(rig.face._files._media)
    rig.face._files._media.clear()
    return lost


async def test_an_upload_is_kept_no_longer_than_the_instance_keeps_it(rig: Rig) -> None:
    rig.face.media_turns = 0
    clock = ManualClock()
    account = await rig.open(clock)
    (part,) = account.plan(draft(pictured(rig)), clock.now())
    rig.strike(Trouble.FAIL_BEFORE, action="post", count=1)
    assert (await refusal(account.send(part))).kind is FaultKind.SERVER
    lost = lose_uploads(rig)
    assert len(lost) == 1
    await clock.advance(25 * 3600)
    await account.send(part)
    (held,) = rig.held()
    assert [file["id"] in lost for file in held.media] == [False]


async def test_an_upload_that_was_lost_meanwhile_is_handed_in_anew_once(rig: Rig, account: MastodonAdapter) -> None:
    rig.face.media_turns = 0
    (part,) = account.plan(draft(pictured(rig)), datetime.now(UTC))
    for expected in (FaultKind.MEDIA_PENDING, FaultKind.MEDIA):
        rig.strike(Trouble.RATE_LIMIT, action="post", count=1)
        assert (await refusal(account.send(part))).kind is FaultKind.RATE_LIMITED
        assert len(lose_uploads(rig)) == 1
        fault = await refusal(account.send(part))
        assert (fault.kind, fault.certain) == (expected, True)
    await account.send(part)
    assert [len(held.media) for held in rig.held()] == [1]


async def test_an_upload_that_may_be_posted_already_is_not_handed_in_anew(rig: Rig, account: MastodonAdapter) -> None:
    """Its post was made, and its key lost: the refusal has the gateway look for it."""
    rig.face.media_turns = 0
    since = datetime.now(UTC)
    (part,) = account.plan(draft(pictured(rig)), since)
    rig.strike(Trouble.FAIL_AFTER, action="post", count=1)
    assert not (await refusal(account.send(part))).certain
    rig.face._keys.clear()
    assert (await refusal(account.send(part))).kind is FaultKind.MEDIA
    assert isinstance(await account.reconcile(part, since), Receipt)
    assert len(rig.held()) == 1


async def test_an_upload_that_is_lost_before_it_is_ready_is_handed_in_anew(rig: Rig) -> None:
    clock = ManualClock()
    account = await rig.open(clock)
    rig.face.media_turns = 1_000
    (part,) = account.plan(draft(pictured(rig)), clock.now())
    task = asyncio.create_task(refusal(account.send(part)))
    while not task.done():
        await until(lambda: clock.sleepers or task.done())
        await clock.advance(20)
    lose_uploads(rig)
    rig.face.media_turns = 0
    again = asyncio.create_task(refusal(account.send(part)))
    await until(lambda: clock.sleepers)
    await clock.advance(20)
    assert [(fault.kind, fault.evidence[:3]) for fault in (await task, await again)] == [
        (FaultKind.MEDIA_PENDING, "the"),
        (FaultKind.MEDIA_PENDING, "404"),
    ]
    await account.send(part)
    assert [len(held.media) for held in rig.held()] == [1]


async def test_a_picture_that_the_instance_cant_read_is_given_up(rig: Rig, account: MastodonAdapter) -> None:
    data = b"\0\0\0\x1cftypheic"
    rig.bench.pictures["x"] = data
    rig.strike(Trouble.REFUSE, action="media", code="file_unprocessed", count=1)  # as newer servers do with HEIC
    for broken in (data, b"no picture at all"):
        rig.bench.pictures["x"] = broken
        document = Document(media=(structs.replace(picture(rig), sha256="x"),))
        fault = await refusal(send(account, draft(document)))
        assert (fault.kind, fault.certain) == (FaultKind.MEDIA, True)
    assert rig.held() == []


async def test_refusals_are_understood_whatever_the_owner_reads(rig: Rig, account: MastodonAdapter) -> None:
    rig.face.reads_english = False
    (part,) = account.plan(draft("x"), datetime.now(UTC))
    fault = await refusal(account.send(structs.replace(part, body={**part.body, "text": "x" * 501})))
    assert fault.kind is FaultKind.TOO_LONG


async def test_pictures_it_would_refuse_are_not_planned(rig: Rig, account: MastodonAdapter) -> None:
    many = Document(media=(picture(rig),) * 5)
    strange = Document(media=(structs.replace(picture(rig), mime="image/x-icon"),))
    huge = Document(media=(structs.replace(picture(rig), size_bytes=1 << 30),))
    for document in (many, strange, huge):
        fault = await refusal(send(account, draft(document)))
        assert (fault.kind, fault.certain) == (FaultKind.MEDIA, True)
    assert rig.outcomes() == []


# Afterwards.


async def test_an_edit_is_all_there_is_then_but_keeps_the_people(rig: Rig, account: MastodonAdapter) -> None:
    rig.face.say("ana", "post", "I am here")
    (receipt,) = await send(account, draft(pictured(rig, alt="one"), ToPerson(ANA, private=True)))
    changed = await account.edit(receipt.ref, pictured(rig, "look again", alt="two"))
    (held,) = rig.held()
    assert held.text == "@ana look again"
    assert [media["alt"] for media in held.media] == ["two"]
    assert held.extra["mentions"] == [rig.face.network.member("ana").id]
    assert changed.ref == receipt.ref
    await account.edit(receipt.ref, from_text("nothing to see"))
    assert rig.held()[0].media == []


async def test_an_edit_that_is_too_long_is_not_tried(rig: Rig, account: MastodonAdapter) -> None:
    (receipt,) = await send(account, draft("short"))
    fault = await refusal(account.edit(receipt.ref, from_text("long " * 200)))
    assert (fault.kind, fault.certain) == (FaultKind.TOO_LONG, True)
    assert rig.held()[0].text == "short"


async def test_only_what_a_favourite_can_say_is_a_reaction(rig: Rig, account: MastodonAdapter) -> None:
    async with listening(account) as heard:
        said = rig.face.say("ana", "mention", "good news")
        event = await heard.message("good news")
    assert (await refusal(account.react(event.ref, "👎"))).kind is FaultKind.INVALID
    assert said.reactions == []
    await account.react(event.ref, "❤️")
    assert [r["reaction"] for r in said.reactions] == ["favourite"]


async def test_deleting_is_refused_like_anything_else(rig: Rig, account: MastodonAdapter) -> None:
    (receipt,) = await send(account, draft("stays"))
    rig.strike(Trouble.REFUSE, on="write", code="scope")
    assert (await refusal(account.delete(receipt.ref))).kind is FaultKind.CONFIG
    assert len(rig.held()) == 1


# Threads and loops.


async def test_a_slow_send_holds_up_neither_the_loop_nor_the_reads(rig: Rig, account: MastodonAdapter) -> None:
    await account.check()
    rig.strike(Trouble.DELAY, on="write", delay_s=30.0)
    sends = [asyncio.create_task(send(account, draft(f"slow {i}"))) for i in range(8)]
    assert (await account.check()).fault is None
    await settle()
    assert not any(task.done() for task in sends)
    await account.aclose()  # cuts what is under way
    faults = [await refusal(task) for task in sends]
    assert {fault.kind for fault in faults} <= {FaultKind.NETWORK, FaultKind.CANCELLED}
    assert [fault.certain for fault in faults].count(False) <= 3, "only what a thread had begun is uncertain"


async def test_memory_is_bounded(account: MastodonAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.mastodon.receive.REMEMBERED", 3)
    for number in range(5):
        await send(account, draft(f"post {number}"))
    memory = account._memory
    assert isinstance(memory, Memory)
    assert len(memory._known) == 3
