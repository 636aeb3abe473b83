"""The real atproto library against the Bluesky face: every failure row of its facts, and what the network holds."""

from __future__ import annotations

import asyncio
import re
import zlib
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from bluesky_rig import (
    Rig,
    bluesky_rig,  # noqa: F401 - a fixture
    draft,
    fault_of,
    listening,
    one_part,
    send_all,
)
from msgspec import structs

from adapters.bluesky.adapter import BlueskyAdapter
from adapters.bluesky.translate import place_of
from adapters.sandbox.bluesky_lexicon import POSTS
from adapters.sandbox.bluesky_repo import did_of
from gateway.model.content import Document, Media, Text
from gateway.model.delivery import FaultKind, InConversation, Receipt, ToPerson
from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import Identity
from gateway.ports import Unsure
from gateway.testing.conformance.rig import taken_by
from gateway.text.plain import from_text

K = FaultKind

POST_ROWS = [
    ("InternalServerError", K.SERVER, False),
    ("NotEnoughResources", K.SERVER, False),
    ("UpstreamTimeout", K.SERVER, False),
    ("UpstreamFailure", K.SERVER, False),  # the library's NetworkError, with a response
    ("MethodNotImplemented", K.CONFIG, True),
    ("TokenRevoked", K.SIGNED_OUT, True),
    ("InvalidToken", K.SIGNED_OUT, True),
    ("AuthMissing", K.SIGNED_OUT, True),
    ("AccountNotFound", K.SIGNED_OUT, True),
    ("AccountTakedown", K.SUSPENDED, True),
    ("AccountDeactivated", K.LOCKED, True),
    ("InvalidRequest", K.INVALID, True),
    ("InvalidMimeType", K.MEDIA, True),
    ("InvalidSize", K.MEDIA, True),
    ("PayloadTooLarge", K.MEDIA, True),  # 413 is the library's NetworkError too, and permanent
    ("BlockedByActor", K.TARGET_REFUSED, True),
]
DIRECT_ROWS = [
    ("RecipientFollowsOnly", K.TARGET_REFUSED, True),
    ("RecipientDisabled", K.TARGET_REFUSED, True),
    ("MessagesDisabled", K.TARGET_REFUSED, True),
    ("BlockedActor", K.TARGET_REFUSED, True),
    ("ConvoLocked", K.TARGET_REFUSED, True),
    ("InvalidConvo", K.TARGET_GONE, True),
    ("BadTokenMethod", K.CONFIG, True),
    ("BadTokenScope", K.CONFIG, True),
]
LOGIN_ROWS = [
    ("AuthenticationRequired", K.SIGNED_OUT, True),
    ("AuthFactorTokenRequired", K.SIGNED_OUT, True),
    ("AccountTakedown", K.SUSPENDED, True),
]


@pytest.mark.parametrize(("code", "kind", "certain"), POST_ROWS)
async def test_a_refused_post(rig: Rig, code: str, kind: FaultKind, *, certain: bool) -> None:
    adapter = await rig.open()
    rig.strike("refuse", code=code, action="post")
    fault = await fault_of(adapter.send(one_part(adapter, "hello")))
    assert (fault.kind, fault.certain) == (kind, certain)
    assert rig.held() == []


@pytest.mark.parametrize(("code", "kind", "certain"), DIRECT_ROWS)
async def test_a_refused_direct_message(rig: Rig, code: str, kind: FaultKind, *, certain: bool) -> None:
    adapter = await rig.open()
    rig.face.say("ana", "post", "I am here")
    rig.strike("refuse", code=code, action="direct")
    part = one_part(adapter, "hello", ToPerson(Identity("bluesky", did_of("ana")), private=True))
    fault = await fault_of(adapter.send(part))
    assert (fault.kind, fault.certain) == (kind, certain)


@pytest.mark.parametrize(("code", "kind", "certain"), LOGIN_ROWS)
async def test_a_refused_sign_in(rig: Rig, code: str, kind: FaultKind, *, certain: bool) -> None:
    adapter = await rig.open()
    rig.strike("refuse", code=code, action="login")
    fault = await fault_of(adapter.send(one_part(adapter, "hello")))
    assert (fault.kind, fault.certain) == (kind, certain)


async def test_nobody_to_write_to(rig: Rig) -> None:
    adapter = await rig.open()
    part = one_part(adapter, "hello", ToPerson(Identity("bluesky", "did:plc:nobody"), private=True))
    assert (await fault_of(adapter.send(part))).kind is K.TARGET_GONE


# Posts, and what makes repeating them harmless.


async def test_a_post_again_is_the_same_post(rig: Rig) -> None:
    adapter = await rig.open()
    part = one_part(adapter, "once")
    first = await adapter.send(part)
    assert (await adapter.send(part)).ref == first.ref
    assert [attempt.outcome for attempt in rig.face.network.attempts] == ["accepted", "repeated"]
    assert len(rig.held()) == 1


async def test_another_record_at_the_key_is_never_overwritten(rig: Rig) -> None:
    adapter = await rig.open()
    part = one_part(adapter, "mine")
    theirs = {**part.body["record"], "text": "theirs"}
    rig.face.repos.write(rig.member, POSTS, part.key, theirs)
    fault = await fault_of(adapter.send(part))
    assert (fault.kind, fault.certain) == (K.INVALID, True)
    assert [message.text for message in rig.held()] == ["theirs"]
    assert await adapter.reconcile(part, datetime.now(UTC)) is Unsure.NOT_SENT


@pytest.mark.parametrize("trouble", ["drop_after", "fail_after"])
async def test_an_unknown_post_is_found_by_its_key(rig: Rig, trouble: str) -> None:
    adapter = await rig.open()
    part = one_part(adapter, "did it arrive?")
    assert await adapter.reconcile(part, datetime.now(UTC)) is Unsure.NOT_SENT
    rig.strike(trouble, count=1, on="write")
    assert not (await fault_of(adapter.send(part))).certain
    found = await adapter.reconcile(part, datetime.now(UTC))
    assert isinstance(found, Receipt)
    assert (await adapter.send(part)).ref == found.ref
    assert len(rig.held()) == 1


async def test_a_thread_names_its_root_and_its_parent(rig: Rig) -> None:
    adapter = await rig.open()
    receipts = await send_all(adapter, draft(" ".join(f"word{n}" for n in range(150))))
    assert len(receipts) >= 3
    records = [message.extra["record"] for message in rig.held()]
    posts = [place_of(receipt.ref) for receipt in receipts]
    assert "reply" not in records[0]
    for before, record in zip(posts, records[1:], strict=False):
        assert before is not None
        assert record["reply"]["root"]["uri"] == posts[0].uri
        assert record["reply"]["parent"] == {"uri": before.uri, "cid": before.cid}


async def test_a_thread_under_a_reply_keeps_the_first_root(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.send(one_part(adapter, "the root"))
    async with listening(adapter) as ear:
        rig.face.say("ana", "reply", "tell me more")
        (event,) = await ear.until(1)
    long = draft(" ".join(f"word{n}" for n in range(150)), InConversation(event.conversation), to=event.ref)
    await send_all(adapter, long)
    root = rig.held()[0].id
    assert [m.extra["record"]["reply"]["root"]["uri"] for m in rig.held()[1:]] == [root] * (len(rig.held()) - 1)
    assert rig.held()[1].in_reply_to == event.id
    assert rig.held()[2].in_reply_to == rig.held()[1].id


async def test_a_part_that_follows_nothing_is_refused(rig: Rig) -> None:
    adapter = await rig.open()
    second = adapter.plan(draft("word " * 200), datetime.now(UTC))[1]
    assert (await fault_of(adapter.send(second))).certain


def _png() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + zlib.compress(b"picture")


async def test_a_picture_with_its_words_and_shape(rig: Rig) -> None:
    adapter = await rig.open()
    digest = sha256(_png()).hexdigest()
    rig.bench.pictures[digest] = _png()
    media = Media(digest, "image/png", len(_png()), "a blue square", 30, 20)
    part = one_part(adapter, structs.replace(from_text("look"), media=(media,)))
    first = await adapter.send(part)
    (image,) = rig.held()[0].extra["record"]["embed"]["images"]
    assert image["alt"] == "a blue square"
    assert image["aspectRatio"] == {"width": 30, "height": 20}
    assert image["image"] == part.body["record"]["embed"]["images"][0]["image"]  # known before the upload
    assert (await adapter.send(part)).ref == first.ref
    assert len(rig.held()) == 1


async def test_the_server_knows_a_picture_better_than_its_name(rig: Rig) -> None:
    adapter = await rig.open()
    digest = sha256(_png()).hexdigest()
    rig.bench.pictures[digest] = _png()
    media = Media(digest, "image/jpeg", len(_png()), "said to be a JPEG")
    await adapter.send(one_part(adapter, structs.replace(from_text("look"), media=(media,))))
    assert rig.held()[0].media[0]["mime"] == "image/png"


async def test_live_windows_are_told(rig: Rig) -> None:
    adapter = await rig.open()
    receipt = await adapter.send(one_part(adapter, "hello"))
    (lane,) = receipt.lanes
    assert (lane.lane, lane.remaining) == ("points_hour", 4998)


async def test_a_rate_limit_says_when(rig: Rig) -> None:
    adapter = await rig.open()
    rig.strike("rate_limit", count=1, on="write", retry_after_s=30)
    fault = await fault_of(adapter.send(one_part(adapter, "hello")))
    assert (fault.kind, fault.certain) == (K.RATE_LIMITED, True)
    assert fault.retry_at is not None
    assert timedelta(seconds=25) < fault.retry_at - datetime.now(UTC) <= timedelta(seconds=31)
    assert [(lane.lane, lane.remaining) for lane in fault.lanes] == [("points_hour", 0)]


async def test_a_delete_takes_only_our_own(rig: Rig) -> None:
    adapter = await rig.open()
    receipt = await adapter.send(one_part(adapter, "gone soon"))
    await adapter.delete(receipt.ref)
    await adapter.delete(receipt.ref)
    assert rig.held() == []
    theirs = rig.face.say("ana", "post", "mine")
    fault = await fault_of(adapter.delete(f"{theirs.id} {theirs.extra['cid']}"))  # type: ignore[arg-type]  # a ref
    assert (fault.kind, fault.certain) == (K.TARGET_REFUSED, True)


async def test_two_likes_are_one(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        said = rig.face.say("ana", "mention", "like this")
        (event,) = await ear.until(1)
    await adapter.react(event.ref, "❤️")
    await adapter.react(event.ref, "👍")
    assert said.reactions == [{"member": rig.member.id, "reaction": "like"}]


# Direct messages: no keys.


async def _direct(rig: Rig, adapter: BlueskyAdapter) -> MessageReceived:
    async with listening(adapter) as ear:
        rig.face.say("ana", "direct", "hello")
        (event,) = await ear.until(1)
    return event


async def test_a_direct_answer_goes_back_in_private(rig: Rig) -> None:
    adapter = await rig.open()
    event = await _direct(rig, adapter)
    assert (event.kind, event.private, event.author.handle) == (Kind.DIRECT, True, "ana.test")
    receipt = await adapter.send(one_part(adapter, "hello Ana", InConversation(event.conversation, private=True)))
    (held,) = rig.held()
    assert (held.text, held.private) == ("hello Ana", True)
    await adapter.react(event.ref, "👋")
    assert (await fault_of(adapter.delete(receipt.ref))).kind is K.TARGET_REFUSED


async def test_an_unknown_direct_message_is_read_back(rig: Rig) -> None:
    adapter = await rig.open()
    event = await _direct(rig, adapter)
    whither = InConversation(event.conversation, private=True)
    twin = await adapter.send(one_part(adapter, "the same words", whither))
    since = datetime.now(UTC)
    part = one_part(adapter, "the same words", whither)
    rig.strike("drop_before", count=1, on="write")
    await fault_of(adapter.send(part))
    assert await adapter.reconcile(part, since, taken_by(twin)) is Unsure.NOT_SENT
    rig.strike("drop_after", count=1, on="write")
    fault = await fault_of(adapter.send(part))
    assert (fault.kind, fault.certain) == (K.NETWORK, False)
    found = await adapter.reconcile(part, since, taken_by(twin))
    assert isinstance(found, Receipt)
    assert found.ref.endswith(rig.held()[-1].id)
    assert len(rig.held()) == 2


async def test_words_from_before_prove_nothing(rig: Rig) -> None:
    """Another process said the same: the server's clock can't tell which of the two it was."""
    adapter = await rig.open()
    event = await _direct(rig, adapter)
    whither = InConversation(event.conversation, private=True)
    await adapter.send(one_part(adapter, "again", whither))
    rig.held()[-1].at -= timedelta(minutes=2)
    later = await rig.open()
    part = one_part(later, "again", whither)
    assert await later.reconcile(part, datetime.now(UTC)) is Unsure.UNKNOWN


# Receiving.


async def test_everything_missed_comes_oldest_first(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        rig.face.say("ana", "mention", "before")
        await ear.until(1)
        cursor = ear.cursor
    for number in range(250):
        rig.face.say("ana", "mention", f"missed {number}")
    for number in range(130):
        rig.face.say("ben", "direct", f"whispered {number}")
    async with listening(adapter, cursor) as ear:
        heard = await ear.until(380)
    public = [event.text for event in heard if not event.private]
    assert public == [f"@agent.test missed {n}" for n in range(250)]
    assert [event.text for event in heard if event.private] == [f"whispered {n}" for n in range(130)]


async def test_a_cursor_in_the_middle_repeats_nothing_after_it(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        start = ear.cursor
    for number in range(120):
        rig.face.say("ana", "mention", f"number {number}")
    async with listening(adapter, start) as ear:
        await ear.step()
        first, middle = len(ear.heard), ear.cursor
    async with listening(adapter, middle) as ear:
        heard = await ear.until(120 - first)
    assert [event.text for event in heard] == [f"@agent.test number {n}" for n in range(first, 120)]


async def test_what_the_index_tells_late_is_heard(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        rig.face.say("ana", "mention", "first")
        await ear.until(1)
        rig.face.say("ana", "mention", "late")
        late = rig.member.extra["heard"][-1]
        at = datetime.fromisoformat(late["indexedAt"]) - timedelta(seconds=20)
        late["indexedAt"] = at.isoformat()
        rig.member.extra["heard"].sort(key=lambda item: datetime.fromisoformat(item["indexedAt"]))
        heard = await ear.until(2)
    assert heard[1].text.endswith("late")


@pytest.mark.parametrize("action", ["notifications", "log"])
async def test_a_broken_event_is_left_out(rig: Rig, action: str, caplog: pytest.LogCaptureFixture) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        rig.strike("malformed_event", action=action)
        rig.face.say("ana", "mention", "in public")
        rig.face.say("ana", "direct", "in private")
        heard = await ear.until(2)
        rig.face.say("ana", "direct", "and on")
        heard = await ear.until(3)
    assert sorted(event.text for event in heard) == ["@agent.test in public", "and on", "in private"]
    assert sum("left out" in record.message for record in caplog.records) == 1


async def test_hostile_notifications_do_no_harm(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        for poison in ("9999-12-31T23:59:59Z", "not a time", None, 17):
            said = rig.face.say("mallory", "mention", "x")
            (note,) = (note for note in rig.member.extra["heard"] if note["uri"] == said.id)
            note["indexedAt"] = poison
        rig.face.say("ana", "mention", "still here")
        heard = await ear.until(2)
        rig.face.say("ana", "mention", "and again")
        heard = await ear.until(3)
    assert [event.text for event in heard if event.author.handle == "ana.test"] == [
        "@agent.test still here",
        "@agent.test and again",
    ]


async def test_own_words_are_not_heard(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        rig.face.say("agent", "mention", "talking to myself")
        rig.face.say("agent", "direct", "muttering")
        event = await _said_to(rig, ear)
    assert [heard.id for heard in ear.heard] == [event.id]


async def _said_to(rig: Rig, ear: object) -> MessageReceived:
    rig.face.say("ana", "mention", "hello")
    return (await ear.until(1))[0]  # type: ignore[attr-defined]  # the rig's Ear


@pytest.mark.parametrize("code", ["BadTokenMethod", "UpstreamFailure", "MethodNotImplemented"])
async def test_public_life_goes_on_without_chat(rig: Rig, code: str) -> None:
    adapter = await rig.open()
    rig.strike("refuse", code=code, action="log")
    async with listening(adapter) as ear:
        event = await _said_to(rig, ear)
    assert event.kind is Kind.MENTION
    assert rig.called("chat.bsky.convo.getLog") == 1


async def test_a_quote_is_heard_but_doesnt_address(rig: Rig) -> None:
    adapter = await rig.open()
    async with listening(adapter) as ear:
        rig.face.say("ana", "mention", "look at this")
        notification = rig.member.extra["heard"][-1]
        record = {key: value for key, value in notification["record"].items() if key != "facets"}
        notification |= {"reason": "quote", "record": record}
        (event,) = await ear.until(1)
    assert not event.addressed


# Standing.


async def test_a_silent_suspension_is_seen_from_outside(rig: Rig) -> None:
    adapter = await rig.open()
    assert (await adapter.check()).fault is None
    rig.strike("silent_suspend")
    await adapter.send(one_part(adapter, "nobody reads this"))
    signal = await adapter.check()
    assert signal.fault is not None
    assert signal.fault.kind is K.SUSPENDED
    rig.strike("outage", action="profile")
    rig.face.faults.lift_all(kind=rig.face.faults.rules()[0].kind)
    again = (await adapter.check()).fault
    assert again is not None
    assert again.kind is K.SUSPENDED  # until the public server says otherwise
    rig.face.faults.lift_all()
    assert (await adapter.check()).fault is None


async def test_an_unreachable_public_server_takes_nobody_down(rig: Rig) -> None:
    adapter = await rig.open()
    rig.strike("outage", action="profile")
    fault = (await adapter.check()).fault
    assert fault is not None
    assert fault.kind is K.NETWORK  # never seen yet
    rig.face.faults.lift_all()
    assert (await adapter.check()).fault is None
    rig.strike("outage", action="profile")
    assert (await adapter.check()).fault is None


async def test_without_a_public_server_nobody_is_asked(rig: Rig) -> None:
    adapter = await rig.open(public_server="")
    assert (await adapter.check()).fault is None
    assert rig.called("app.bsky.actor.getProfile") == 0


async def test_a_taken_down_account_is_known_without_writing(rig: Rig) -> None:
    """GetSession only says that there is nobody: the renewal tells why."""
    adapter = await rig.open()
    await adapter.check()
    rig.strike("suspend")
    signal = await adapter.check()
    assert signal.fault is not None
    assert signal.fault.kind is K.SUSPENDED
    assert re.search("AccountTakedown", signal.evidence)
    assert rig.face.network.attempts == []


async def test_many_callers_are_each_accepted_once(rig: Rig) -> None:
    adapter = await rig.open()
    parts = [one_part(adapter, f"number {n}") for n in range(64)]
    receipts = await asyncio.gather(*(adapter.send(part) for part in parts))
    assert len({receipt.ref for receipt in receipts}) == 64
    assert sorted(m.text for m in rig.held()) == sorted(f"number {n}" for n in range(64))


async def test_a_direct_message_tells_its_picture_in_words(rig: Rig) -> None:
    adapter = await rig.open()
    event = await _direct(rig, adapter)
    media = Media("0" * 64, "image/png", 3, "a blue square")
    pictured = Document(((Text("look"),),), (media,))
    await adapter.send(one_part(adapter, pictured, InConversation(event.conversation, private=True)))
    assert rig.held()[0].text == "look\n\n[image: a blue square]"
