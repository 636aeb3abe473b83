"""tweepy against X's face: what goes out and comes in, and what every refusal of X's table becomes."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from x_rig import AT, XRig, answer, draft, fault_of, following, sent

from adapters.sandbox import x_lists
from adapters.sandbox.control import serve
from adapters.sandbox.faults import Trouble
from adapters.sandbox.world import Message
from adapters.x import recognize, translate
from adapters.x.adapter import XAdapter
from gateway.clock import SystemClock
from gateway.model.content import Media
from gateway.model.delivery import FaultError, FaultKind, InConversation, Part, Receipt, ToPerson
from gateway.model.events import Kind, MessageEdited, MessageReceived, PlatformEvent
from gateway.model.identity import Identity
from gateway.model.ids import ConversationId
from gateway.model.secret import Secret
from gateway.model.standing import Source
from gateway.ports import Deletes, Edits, Reacts, Reconciles, ShowsTyping, Unsure
from gateway.testing.conformance.rig import taken_by
from gateway.testing.kit import ManualClock, settle

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE = Media("aa", "image/png", len(PNG), "a dot")


@pytest.fixture
async def rig() -> AsyncIterator[XRig]:
    sandbox = await serve(names=["x"])
    made = XRig(sandbox.faces["x"])  # type: ignore[arg-type]  # it is the X face
    made.bench.pictures["aa"] = PNG
    yield made
    await made.close()
    await sandbox.stop()
    gc.collect()


async def first_events(adapter: XAdapter, cursor: str | None, count: int) -> tuple[list[PlatformEvent], str]:
    """Listen until so many events came."""
    events: list[PlatformEvent] = []
    async with asyncio.timeout(30), aclosing(adapter.events(cursor)) as arrivals:  # type: ignore[type-var]  # a generator
        async for arrived, place in arrivals:
            events += arrived
            if len(events) >= count:
                return events, place
    raise AssertionError("the iterator ended")


async def beginning(adapter: XAdapter) -> str:
    """The cursor of now."""
    return (await first_events(adapter, None, 0))[1]


# Every row of the platform's table: (REFUSE code or trouble, kind, certain).

REFUSALS = [
    ("suspended", FaultKind.SUSPENDED, True),
    ("app_suspended", FaultKind.SUSPENDED, True),
    ("v1_suspended", FaultKind.SUSPENDED, True),
    ("locked", FaultKind.LOCKED, True),
    ("v1_locked", FaultKind.LOCKED, True),
    ("v1_token", FaultKind.SIGNED_OUT, True),
    ("v1_auth", FaultKind.SIGNED_OUT, True),
    ("v1_rate", FaultKind.RATE_LIMITED, True),
    ("v1_automation", FaultKind.RATE_LIMITED, True),
    ("credits", FaultKind.QUOTA, True),
    ("credits_new", FaultKind.QUOTA, True),
    ("spend_cap", FaultKind.QUOTA, True),
    ("usage_capped", FaultKind.QUOTA, True),
    ("write_block", FaultKind.FORBIDDEN, True),
    ("feature_block", FaultKind.FORBIDDEN, True),
    ("html_403", FaultKind.FORBIDDEN, True),
    ("app_permissions", FaultKind.CONFIG, True),
    ("client_forbidden", FaultKind.CONFIG, True),
    ("not_summoned", FaultKind.TARGET_REFUSED, True),
    ("only_if_mentioned", FaultKind.TARGET_REFUSED, True),
    ("author_limited", FaultKind.TARGET_REFUSED, True),
    ("target_gone", FaultKind.TARGET_GONE, True),
    ("v1_target_gone", FaultKind.TARGET_GONE, True),
    ("duplicate", FaultKind.DUPLICATE, False),
    ("v1_duplicate", FaultKind.DUPLICATE, False),
    ("too_long", FaultKind.TOO_LONG, True),
    ("too_long_403", FaultKind.TOO_LONG, True),
    ("too_long_186", FaultKind.TOO_LONG, True),
    ("cashtags", FaultKind.FORBIDDEN, True),
    ("no_scope", FaultKind.FORBIDDEN, True),
    ("authentication", FaultKind.CONFIG, True),
    ("media_invalid", FaultKind.MEDIA, True),
    ("video_too_long", FaultKind.MEDIA, True),
    ("dm_refused", FaultKind.TARGET_REFUSED, True),
    ("dm_not_permitted", FaultKind.TARGET_REFUSED, True),
    ("unlisted", FaultKind.UNKNOWN, False),
]


@pytest.mark.parametrize(("code", "kind", "certain"), REFUSALS, ids=[row[0] for row in REFUSALS])
async def test_every_refusal_has_its_meaning(rig: XRig, code: str, kind: FaultKind, certain: bool) -> None:
    adapter = await rig.open(without=("refresh_token",))
    rig.strike(Trouble.REFUSE, code=code, on="write", count=1)
    fault = await fault_of(sent(adapter, draft("refused")))
    assert (fault.kind, fault.certain) == (kind, certain)
    assert rig.held() == []


TROUBLES = [
    (Trouble.SUSPEND, {}, FaultKind.SUSPENDED, True),
    (Trouble.LOCK, {}, FaultKind.LOCKED, True),
    (Trouble.REVOKE, {}, FaultKind.SIGNED_OUT, True),
    (Trouble.RATE_LIMIT, {}, FaultKind.RATE_LIMITED, True),
    (Trouble.RATE_LIMIT, {"retry_after_s": None}, FaultKind.RATE_LIMITED, True),
    *((Trouble.FAIL_BEFORE, {"status": status}, FaultKind.SERVER, False) for status in (500, 502, 503, 504)),
    (Trouble.FAIL_BEFORE, {"code": "html"}, FaultKind.SERVER, False),
    (Trouble.FAIL_AFTER, {}, FaultKind.SERVER, False),
    (Trouble.FAIL_AFTER, {"code": "html"}, FaultKind.SERVER, False),
    (Trouble.DROP_BEFORE, {}, FaultKind.NETWORK, False),
    (Trouble.DROP_AFTER, {}, FaultKind.NETWORK, False),
    (Trouble.OUTAGE, {}, FaultKind.NETWORK, False),
    (Trouble.OUTAGE, {"status": 502}, FaultKind.SERVER, False),
]


@pytest.mark.parametrize(("trouble", "options", "kind", "certain"), TROUBLES)
async def test_every_trouble_has_its_meaning(
    rig: XRig, trouble: Trouble, options: dict[str, Any], kind: FaultKind, certain: bool
) -> None:
    adapter = await rig.open()
    rig.strike(trouble, **options)
    fault = await fault_of(sent(adapter, draft("troubled")))
    assert (fault.kind, fault.certain) == (kind, certain)
    accepted = trouble in (Trouble.FAIL_AFTER, Trouble.DROP_AFTER)
    assert [message.text for message in rig.held()] == (["troubled"] if accepted else [])


async def test_a_refused_connection_is_certain(rig: XRig, unused_tcp_port: int) -> None:
    adapter = await rig.open(server=f"http://127.0.0.1:{unused_tcp_port}")
    fault = await fault_of(sent(adapter, draft("nobody there")))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, True)


async def test_a_timeout_is_never_certain(rig: XRig) -> None:
    adapter = await rig.open(timeout_s=0.2)
    rig.strike(Trouble.DELAY, delay_s=1.0, on="write", count=1)
    fault = await fault_of(sent(adapter, draft("slow")))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False)


async def test_a_closed_account_sends_nothing_for_certain(rig: XRig) -> None:
    adapter = await rig.open()
    await adapter.aclose()
    fault = await fault_of(sent(adapter, draft("too late")))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, True)


async def test_a_rate_limit_says_when_and_how_much(rig: XRig) -> None:
    adapter = await rig.open()
    rig.strike(Trouble.RATE_LIMIT, retry_after_s=90.0, on="write", count=1)
    before = SystemClock().now()
    fault = await fault_of(sent(adapter, draft("too fast")))
    assert fault.retry_at is not None
    assert timedelta(seconds=89) < fault.retry_at - before < timedelta(seconds=93)
    assert [(lane.lane, lane.remaining) for lane in fault.lanes] == [("posts", 0)]


async def test_a_used_up_day_rests_until_the_day_ends(rig: XRig) -> None:
    adapter = await rig.open()
    now = SystemClock().now()
    tomorrow = int((now + timedelta(hours=20)).timestamp())
    day = {"x-user-limit-24hour-remaining": "0", "x-user-limit-24hour-reset": str(tomorrow)}
    rig.strike(Trouble.RATE_LIMIT, retry_after_s=1.0, on="write", count=1, extra=day)
    fault = await fault_of(sent(adapter, draft("too much")))
    assert fault.retry_at is not None
    assert int(fault.retry_at.timestamp()) == tomorrow
    assert {lane.lane for lane in fault.lanes} == {"posts", "posts_day"}


@pytest.mark.parametrize("reset", ["soon", "-1e9", "9" * 30, "99999999999"])
async def test_a_nonsense_reset_is_none(rig: XRig, reset: str) -> None:
    adapter = await rig.open()
    rig.strike(Trouble.RATE_LIMIT, retry_after_s=None, on="write", count=1, extra={"x-app-limit-24hour-reset": reset})
    fault = await fault_of(sent(adapter, draft("too fast")))
    assert (fault.kind, fault.retry_at) == (FaultKind.RATE_LIMITED, None)


async def test_automation_rests_for_hours(rig: XRig) -> None:
    adapter = await rig.open()
    rig.strike(Trouble.REFUSE, code="v1_automation", on="write", count=1)
    fault = await fault_of(sent(adapter, draft("beep")))
    assert fault.retry_at is not None
    assert fault.retry_at - SystemClock().now() > timedelta(hours=2)


async def test_a_receipt_tells_the_windows(rig: XRig) -> None:
    adapter = await rig.open()
    (receipt,) = await sent(adapter, draft("counted"))
    assert [lane.lane for lane in receipt.lanes] == ["posts"]
    assert receipt.lanes[0].remaining > 1000
    message = rig.face.say("ana", "direct", "hello")
    (receipt,) = await sent(adapter, answer(message, "counted apart"))
    assert [lane.lane for lane in receipt.lanes] == ["directs"]


# Where X itself refuses.


async def test_a_reply_that_was_not_asked_for_is_refused(rig: XRig) -> None:
    adapter = await rig.open()
    stranger = rig.face.say("zoe", "post", "talking to myself")
    fault = await fault_of(sent(adapter, answer(stranger, "hello there")))
    assert (fault.kind, fault.certain) == (FaultKind.TARGET_REFUSED, True)


async def test_a_direct_message_to_who_never_wrote_is_refused(rig: XRig) -> None:
    adapter = await rig.open()
    zoe = rig.face.person("zoe")
    target = ToPerson(Identity("x", zoe.id, zoe.handle), private=True)
    fault = await fault_of(sent(adapter, draft("hello there", target)))
    assert (fault.kind, fault.certain) == (FaultKind.TARGET_REFUSED, True)


async def test_a_reply_to_what_is_gone_says_so(rig: XRig) -> None:
    adapter = await rig.open()
    message = rig.face.say("ana", "mention", "hello")
    rig.face.person_deletes(message.id)
    assert (await fault_of(sent(adapter, answer(message, "hi")))).kind is FaultKind.TARGET_GONE


async def test_a_mention_of_a_stranger_goes_out_as_a_post(rig: XRig) -> None:
    adapter = await rig.open()
    zoe = rig.face.person("zoe")
    await sent(adapter, draft("are you there?", ToPerson(Identity("x", zoe.id, zoe.handle))))
    assert [message.text for message in rig.held()] == ["@zoe are you there?"]


async def test_a_group_is_answered_in_private(rig: XRig) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    asked = rig.face.say("ana", "group", "hello all")
    (event,), _ = await first_events(adapter, cursor, 1)
    assert isinstance(event, MessageReceived)
    assert (event.kind, event.private, event.addressed) == (Kind.GROUP, True, False)
    await sent(adapter, draft("hello ana", InConversation(event.conversation, private=True)))
    assert [(m.conversation, m.private) for m in rig.held()] == [(asked.conversation, True)]


# Reading back.


async def part_of(adapter: XAdapter, said: Any) -> Part:
    (part,) = adapter.plan(said, AT)
    return part


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "a link https://example.org/a/b?c=1&d=2 and <tags> & more",
        "bare example.com and https://example.org",
        "https://a.example.net/x https://b.example.net/y",
        "two\nlines\n\nand a paragraph",
    ],
)
@pytest.mark.parametrize("trouble", [Trouble.DROP_AFTER, Trouble.FAIL_AFTER])
async def test_a_post_is_found_again(rig: XRig, text: str, trouble: Trouble) -> None:
    adapter = await rig.open()
    part = await part_of(adapter, draft(text))
    since = SystemClock().now()
    rig.strike(trouble, on="write", count=1)
    assert not (await fault_of(adapter.send(part))).certain
    found = await adapter.reconcile(part, since)
    assert isinstance(found, Receipt)
    assert found.ref == rig.held()[0].id


async def test_the_duplicate_of_an_unknown_send_is_found(rig: XRig) -> None:
    """The 403 that follows a lost answer: the post is there, and it is ours."""
    adapter = await rig.open()
    part = await part_of(adapter, draft("once, https://example.org/x"))
    since = SystemClock().now()
    rig.strike(Trouble.DROP_AFTER, on="write", count=1)
    await fault_of(adapter.send(part))
    again = await fault_of(adapter.send(part))
    assert (again.kind, again.certain) == (FaultKind.DUPLICATE, False)
    found = await adapter.reconcile(part, since)
    assert isinstance(found, Receipt)
    assert [message.id for message in rig.held()] == [found.ref]


async def test_a_reply_is_found_under_what_it_answers(rig: XRig) -> None:
    adapter = await rig.open()
    since = SystemClock().now()
    first, second = (rig.face.say(name, "mention", "hello") for name in ("ana", "ben"))
    await sent(adapter, answer(first, "the same words"))
    part = await part_of(adapter, answer(second, "the same words"))
    assert await adapter.reconcile(part, since) is Unsure.NOT_SENT
    rig.strike(Trouble.DROP_AFTER, on="write", count=1)
    await fault_of(adapter.send(part))
    found = await adapter.reconcile(part, since)
    assert isinstance(found, Receipt)
    assert rig.face.network.messages[found.ref].in_reply_to == second.id


async def test_a_direct_message_is_found_and_not_taken_for_its_twin(rig: XRig) -> None:
    adapter = await rig.open()
    message = rig.face.say("ana", "direct", "hello")
    since = SystemClock().now()
    (twin,) = await sent(adapter, answer(message, "ok https://example.org/"))
    part = await part_of(adapter, answer(message, "ok https://example.org/"))
    assert await adapter.reconcile(part, since, taken_by(twin)) is Unsure.UNKNOWN  # one look proves nothing
    rig.strike(Trouble.DROP_AFTER, on="write", count=1)
    await fault_of(adapter.send(part))
    found = await adapter.reconcile(part, since, taken_by(twin))
    assert isinstance(found, Receipt)
    assert found.ref != twin.ref
    assert found.ref == f"dm/{rig.held()[-1].id}"


async def test_a_picture_is_found_with_its_post(rig: XRig) -> None:
    adapter = await rig.open()
    part = await part_of(adapter, draft("look", media=(PICTURE,)))
    since = SystemClock().now()
    rig.strike(Trouble.DROP_AFTER, on="write", action="post", count=1)
    assert not (await fault_of(adapter.send(part))).certain
    assert isinstance(await adapter.reconcile(part, since), Receipt)


async def test_a_post_with_a_picture_is_not_the_one_without(rig: XRig) -> None:
    adapter = await rig.open()
    since = SystemClock().now()
    await sent(adapter, draft("look", media=(PICTURE,)))
    plain = await part_of(adapter, draft("look"))
    assert await adapter.reconcile(plain, since) is Unsure.NOT_SENT


@pytest.mark.parametrize("words", ["look", "look https://example.org/a", ""])
def test_the_address_that_x_adds_for_a_picture_is_not_asked_for(words: str) -> None:
    """A direct message's picture is an address like any other, told by where it leads."""
    urls = [
        translate.Address("https://t.co/one", "https://example.org/a"),
        translate.Address("https://t.co/two", "https://twitter.com/messages/media/17"),
    ]
    told = f"{words} https://t.co/two".replace("https://example.org/a", "https://t.co/one")
    event = translate.DirectEvent("1", "2", "2-3", AT, told, translate.Entities(urls))
    assert recognize.says(event, words, reply=False)
    assert recognize.says(event, f"{words} https://twitter.com/messages/media/17", reply=False)
    assert not recognize.says(event, f"{words} https://example.org/b", reply=False)


async def test_it_is_looked_for_through_all_pages_back_to_its_hour(rig: XRig) -> None:
    adapter = await rig.open()
    part = await part_of(adapter, draft("long ago"))
    missing = await part_of(adapter, draft("never"))
    since = SystemClock().now()
    rig.strike(Trouble.DROP_AFTER, on="write", count=1)
    await fault_of(adapter.send(part))
    (first,) = rig.held()
    for number in range(620):
        later = str(int(first.id) + number + 1)
        rig.face.network.add(Message(later, first.author, f"later {number}", first.at, conversation=later))
    found = await adapter.reconcile(part, since)
    assert isinstance(found, Receipt)
    assert found.ref == first.id
    assert await adapter.reconcile(missing, since) is Unsure.NOT_SENT


async def test_a_later_part_is_found_behind_the_one_before(rig: XRig) -> None:
    adapter = await rig.open()
    first, second, *_ = adapter.plan(draft("One word after the other. " * 30), AT)
    receipt = await adapter.send(first)
    second = following(second, [receipt])
    rig.strike(Trouble.DROP_AFTER, on="write", count=1)
    await fault_of(adapter.send(second))
    found = await adapter.reconcile(second, receipt.at)
    assert isinstance(found, Receipt)
    assert rig.face.network.messages[found.ref].in_reply_to == receipt.ref


async def test_older_posts_prove_nothing(rig: XRig) -> None:
    adapter = await rig.open()
    await sent(adapter, draft("said before"))
    fresh = await rig.open()  # it doesn't know what was sent
    part = await part_of(fresh, draft("said before"))
    assert await fresh.reconcile(part, SystemClock().now() + timedelta(minutes=1)) is Unsure.NOT_SENT
    assert isinstance(await fresh.reconcile(part, SystemClock().now() - timedelta(minutes=1)), Receipt)


# Pictures.


async def test_a_slow_picture_is_waited_for(rig: XRig) -> None:
    clock = ManualClock()
    adapter = await rig.open(clock=clock)
    rig.face.uploads.slow_polls = 2
    task = asyncio.create_task(sent(adapter, draft("look", media=(PICTURE,))))
    async with asyncio.timeout(30):
        while not task.done():
            await clock.advance(1.0)
            await settle()
    await task
    assert rig.held()[0].media == [{"mime": "image/png", "size_bytes": len(PNG), "alt": "a dot"}]


async def test_a_picture_that_stays_in_the_works_is_pending(rig: XRig) -> None:
    clock = ManualClock()
    adapter = await rig.open(clock=clock)
    rig.face.uploads.slow_polls = 1000
    task = asyncio.create_task(fault_of(sent(adapter, draft("look", media=(PICTURE,)))))
    async with asyncio.timeout(30):
        while not task.done():
            await clock.advance(1.0)
            await settle()
    assert ((await task).kind, (await task).certain) == (FaultKind.MEDIA_PENDING, True)


async def test_a_picture_x_can_not_read_is_refused(rig: XRig) -> None:
    adapter = await rig.open(clock=ManualClock())
    rig.face.uploads.fails = True
    task = asyncio.create_task(fault_of(sent(adapter, draft("look", media=(PICTURE,)))))
    clock = rig.bench.context.clock
    assert isinstance(clock, ManualClock)
    async with asyncio.timeout(30):
        while not task.done():
            await clock.advance(1.0)
            await settle()
    assert ((await task).kind, (await task).certain) == (FaultKind.MEDIA, True)


@pytest.mark.parametrize("trouble", [Trouble.DROP_BEFORE, Trouble.FAIL_BEFORE])
async def test_whatever_fails_before_the_post_is_certain(rig: XRig, trouble: Trouble) -> None:
    adapter = await rig.open()
    rig.strike(trouble, on="write", action="media", count=1)
    assert (await fault_of(sent(adapter, draft("look", media=(PICTURE,))))).certain
    assert rig.held() == []


async def test_a_big_picture_goes_in_pieces(rig: XRig) -> None:
    adapter = await rig.open()
    rig.bench.pictures["bb"] = bytes(2_500_000)
    await sent(adapter, draft("big", media=(Media("bb", "image/png", 2_500_000),)))
    assert rig.held()[0].media[0]["size_bytes"] == 2_500_000


async def test_two_pictures_are_two_direct_messages(rig: XRig) -> None:
    adapter = await rig.open()
    message = rig.face.say("ana", "direct", "show me")
    pictured = draft(
        "here", InConversation(ConversationId(f"dm/{message.conversation}"), private=True), media=(PICTURE, PICTURE)
    )
    await sent(adapter, pictured)
    assert [(m.text, len(m.media)) for m in rig.held()] == [("here", 1), ("", 1)]


# Tokens.


async def test_an_expired_token_is_renewed_once_for_everybody(rig: XRig) -> None:
    adapter = await rig.open()
    rig.face.expire()
    await asyncio.gather(*(sent(adapter, draft(f"number {n}")) for n in range(8)))
    assert len(rig.held()) == 8
    assert rig.face.refreshes == ["accepted"]


async def test_a_renewed_token_is_on_disk_before_it_is_used(rig: XRig) -> None:
    adapter = await rig.open()
    order: list[str] = []
    put = rig.bench.vault.put

    async def noted(name: str, secret: Secret) -> None:
        order.append(f"kept with {len(rig.held())} sent")
        await put(name, secret)

    rig.bench.vault.put = noted  # type: ignore[method-assign]  # the bench's own vault, watched
    rig.face.expire()
    await sent(adapter, draft("after the renewal"))
    assert order == ["kept with 0 sent"]
    (kept,) = rig.bench.vault.secrets.values()
    assert rig.face.network.member("agent").extra["refresh"] in kept.reveal()  # type: ignore[union-attr]  # it is there


async def test_the_next_run_goes_on_with_the_kept_token(rig: XRig) -> None:
    account = rig.face.account()
    configured = {
        key: Secret(account["environment"][f"X_AGENT_{key.upper()}"]) for key in ("access_token", "refresh_token")
    }
    adapter = await rig.open(**configured)
    rig.face.expire()
    await sent(adapter, draft("in the first run"))
    await adapter.aclose()
    again = await rig.open(**configured)
    await sent(again, draft("in the second run"))
    assert rig.face.refreshes == ["accepted"]


async def test_a_token_that_another_one_renewed_is_taken_from_the_vault(rig: XRig) -> None:
    """A refresh token serves once: trading it again would sign the account out."""
    account = rig.face.account()
    configured = {
        key: Secret(account["environment"][f"X_AGENT_{key.upper()}"]) for key in ("access_token", "refresh_token")
    }
    one, two = await rig.open(**configured), await rig.open(**configured)
    rig.face.expire()
    await sent(one, draft("from one"))
    await sent(two, draft("from two"))
    assert rig.face.refreshes == ["accepted"]
    assert [message.text for message in rig.held()] == ["from one", "from two"]


async def test_a_vault_that_can_not_be_read_leaves_no_doubt_about_the_post(rig: XRig) -> None:
    adapter = await rig.open()
    get = rig.bench.vault.get

    async def failing(name: str) -> Secret | None:
        raise OSError("the disk is gone")

    rig.bench.vault.get = failing  # type: ignore[method-assign]  # the bench's own vault, with a fault
    rig.face.expire()
    fault = await fault_of(sent(adapter, draft("first try")))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, True)
    rig.bench.vault.get = get  # type: ignore[method-assign]  # and without it
    await sent(adapter, draft("second try"))
    assert [message.text for message in rig.held()] == ["second try"]


async def test_who_stops_waiting_does_not_stop_the_renewal(rig: XRig) -> None:
    adapter = await rig.open()
    rig.face.expire()
    rule = rig.strike(Trouble.DELAY, action="refresh", delay_s=0.2, count=1)
    task = asyncio.create_task(sent(adapter, draft("given up")))
    async with asyncio.timeout(30):
        while rule in rig.face.faults.rules():
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await sent(adapter, draft("the next one"))
    assert rig.face.refreshes == ["accepted"]
    assert [message.text for message in rig.held()] == ["the next one"]


async def test_a_refused_renewal_is_signed_out(rig: XRig) -> None:
    adapter = await rig.open(refresh_token=Secret("long gone"))
    rig.face.expire()
    fault = await fault_of(sent(adapter, draft("signed out")))
    assert (fault.kind, fault.certain) == (FaultKind.SIGNED_OUT, True)
    assert "invalid_request" in fault.evidence


@pytest.mark.parametrize("trouble", [Trouble.FAIL_BEFORE, Trouble.DROP_BEFORE])
async def test_weather_during_a_renewal_is_weather_and_certain(rig: XRig, trouble: Trouble) -> None:
    adapter = await rig.open()
    rig.face.expire()
    rig.strike(trouble, action="refresh", count=1)
    fault = await fault_of(sent(adapter, draft("in a storm")))
    assert fault.kind in (FaultKind.SERVER, FaultKind.NETWORK)
    assert fault.certain
    await sent(adapter, draft("after the storm"))


async def test_a_confidential_app_says_who_it_is(rig: XRig) -> None:
    adapter = await rig.open(client_secret=Secret("s3cret"))
    rig.face.expire()
    await sent(adapter, draft("renewed"))
    assert rig.face.refreshes == ["accepted"]


async def test_half_a_configuration_is_told_at_the_start(rig: XRig) -> None:
    assert (await fault_of(rig.open(without=("client_id",)))).kind is FaultKind.CONFIG
    assert (await fault_of(rig.open(server="api.x.com"))).kind is FaultKind.CONFIG


async def test_no_log_shows_a_token(rig: XRig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    adapter = await rig.open()
    secrets = list(rig.face.account()["environment"].values())
    await sent(adapter, draft("hello"))
    rig.face.expire()
    await sent(adapter, draft("renewed"))
    secrets += list(rig.face.account()["environment"].values())
    rig.strike(Trouble.REVOKE)
    fault = await fault_of(sent(adapter, draft("revoked")))
    text = caplog.text + fault.evidence
    assert [secret for secret in secrets if secret in text] == []


# Listening.


async def test_what_was_missed_comes_first_and_in_order(rig: XRig) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    for number in range(230):
        rig.face.say("ana", "mention", f"number {number}")
    events, after = await first_events(adapter, cursor, 230)
    assert [e.text for e in events if isinstance(e, MessageReceived)] == [f"@agent number {n}" for n in range(230)]
    rig.face.say("ana", "mention", "the last")
    (last,), _ = await first_events(adapter, after, 1)
    assert isinstance(last, MessageReceived)
    assert last.text == "@agent the last"


async def test_direct_messages_of_several_pages_all_come(rig: XRig) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    for number in range(130):
        rig.face.say("ana", "direct", f"number {number}")
    events, _ = await first_events(adapter, cursor, 130)
    assert [e.text for e in events if isinstance(e, MessageReceived)] == [f"number {n}" for n in range(130)]


async def test_an_edit_is_told_as_one(rig: XRig) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    message = rig.face.say("ana", "mention", "frist")
    (heard,), cursor = await first_events(adapter, cursor, 1)
    rig.face.person_edits(message.id, "first")
    (edit,), _ = await first_events(adapter, cursor, 1)
    assert isinstance(heard, MessageReceived)
    assert isinstance(edit, MessageEdited)
    assert edit.ref == heard.ref
    assert edit.id != heard.id


async def test_an_edit_of_what_was_never_heard_is_a_message(rig: XRig) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    message = rig.face.say("ana", "mention", "frist")
    rig.face.person_edits(message.id, "first")
    (event,), _ = await first_events(adapter, cursor, 1)
    assert isinstance(event, MessageReceived)
    assert event.text == "@agent first"
    await sent(adapter, draft("hi", InConversation(event.conversation), reply=event.ref))
    assert rig.held()[0].in_reply_to == message.id


@pytest.mark.parametrize("kind", ["mention", "direct"])
async def test_a_broken_event_harms_no_other(rig: XRig, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    rig.strike(Trouble.MALFORMED_EVENT)
    rig.face.say("ana", kind, "still heard")
    (event,), _ = await first_events(adapter, cursor, 1)
    assert isinstance(event, MessageReceived)
    assert "still heard" in event.text
    assert "malformed event" in caplog.text


ERRORS = b'{"errors":[{"title":"Forbidden","detail":"User has been suspended: [1].","type":"about:blank"}]}'


def answering(monkeypatch: pytest.MonkeyPatch, body: bytes) -> list[bytes]:
    """The next list is this one; the returned list is empty once it was given."""
    whole, waiting = x_lists.Lists._answer, [body]

    def once(self: x_lists.Lists, *args: Any, **options: Any) -> web.StreamResponse:
        if waiting:
            return web.Response(body=waiting.pop(), content_type="application/json")
        return whole(self, *args, **options)

    monkeypatch.setattr(x_lists.Lists, "_answer", once)
    return waiting


@pytest.mark.parametrize("body", [b'{"data":[1,null,"x",{}]}', b"{}"])
async def test_a_page_of_nonsense_is_skipped(rig: XRig, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    waiting = answering(monkeypatch, body)
    rig.face.say("ana", "mention", "still heard")
    (event,), _ = await first_events(adapter, cursor, 1)
    assert isinstance(event, MessageReceived)
    assert waiting == []


@pytest.mark.parametrize("body", [b"<html>", b"[1,2]", b'{"data":"no list"}', b"[" * 5000, ERRORS])
@pytest.mark.parametrize("begun", [True, False])
async def test_what_is_no_page_ends_listening_and_loses_nothing(
    rig: XRig, body: bytes, begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = await rig.open()
    rig.face.say("ana", "mention", "long ago")
    cursor = await beginning(adapter) if begun else None
    answering(monkeypatch, body)
    assert (await fault_of(first_events(adapter, cursor, 1))).kind is FaultKind.UNKNOWN
    cursor = cursor or await beginning(adapter)
    rig.face.say("ana", "mention", "still heard")
    (event,), _ = await first_events(adapter, cursor, 1)
    assert isinstance(event, MessageReceived)
    assert event.text == "@agent still heard"


@pytest.mark.parametrize("body", [b"<html>", ERRORS])
async def test_a_timeline_that_is_none_proves_nothing(rig: XRig, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = await rig.open()
    part = await part_of(adapter, draft("maybe"))
    answering(monkeypatch, body)
    assert (await fault_of(adapter.reconcile(part, AT))).kind is FaultKind.UNKNOWN


async def test_trouble_with_direct_messages_does_not_silence_mentions(rig: XRig) -> None:
    adapter = await rig.open()
    rig.strike(Trouble.REFUSE, code="client_forbidden", on="read", action="dm_events")
    cursor = await beginning(adapter)
    rig.face.say("ana", "mention", "still heard")
    (event,), _ = await first_events(adapter, cursor, 1)
    assert isinstance(event, MessageReceived)
    (signal, *_) = rig.bench.reports
    assert signal.source is Source.RECEIVE
    assert signal.fault is not None
    assert signal.fault.kind is FaultKind.CONFIG


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Trouble.SUSPEND, FaultKind.SUSPENDED),
        (Trouble.REVOKE, FaultKind.SIGNED_OUT),
        (Trouble.OUTAGE, FaultKind.NETWORK),
        (Trouble.RATE_LIMIT, FaultKind.RATE_LIMITED),
    ],
)
async def test_listening_ends_with_the_reason(rig: XRig, trouble: Trouble, kind: FaultKind) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    rig.strike(trouble)
    assert (await fault_of(first_events(adapter, cursor, 1))).kind is kind


async def test_a_lock_leaves_ears_and_probe_open(rig: XRig) -> None:
    adapter = await rig.open()
    cursor = await beginning(adapter)
    rig.strike(Trouble.LOCK)
    rig.face.say("ana", "mention", "can you hear me?")
    (event,), _ = await first_events(adapter, cursor, 1)
    assert isinstance(event, MessageReceived)
    assert (await adapter.check()).fault is None
    assert not adapter.profile.probe_sees_lock
    assert (await fault_of(sent(adapter, draft("no")))).kind is FaultKind.LOCKED


async def test_a_cursor_nobody_can_read_begins_now(rig: XRig) -> None:
    adapter = await rig.open()
    rig.face.say("ana", "mention", "before")
    events, _ = await first_events(adapter, "not json", 0)
    assert events == []


# The rest.


async def test_what_is_claimed_is_there(rig: XRig) -> None:
    adapter = await rig.open()
    assert isinstance(adapter, Deletes)
    assert isinstance(adapter, Reconciles)
    assert not isinstance(adapter, Edits | Reacts | ShowsTyping)


async def test_a_direct_message_is_taken_back(rig: XRig) -> None:
    adapter = await rig.open()
    message = rig.face.say("ana", "direct", "hello")
    (receipt,) = await sent(adapter, answer(message, "oops"))
    await adapter.delete(receipt.ref)
    await adapter.delete(receipt.ref)
    assert rig.held() == []


async def test_a_strange_ref_is_refused(rig: XRig) -> None:
    adapter = await rig.open()
    fault = await fault_of(adapter.delete("../users/me"))  # type: ignore[arg-type]  # what a stranger might hand in
    assert (fault.kind, fault.certain) == (FaultKind.INVALID, True)


# What the face can't do: answers of other servers.


@pytest.fixture
async def stub() -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """A server that answers every request with what the test put into the dict."""
    told: dict[str, Any] = {}

    async def handle(_: web.Request) -> web.Response:
        return web.Response(**told)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}", told
    await runner.cleanup()


STRANGE = [
    ({"status": 201, "text": "<html>", "content_type": "text/html"}, FaultKind.UNKNOWN, False),
    (
        {"status": 201, "text": '{"data":{"id":"../../x"}}', "content_type": "application/json"},
        FaultKind.UNKNOWN,
        False,
    ),
    ({"status": 404, "text": "<html>", "content_type": "text/html"}, FaultKind.CONFIG, True),
    ({"status": 403, "text": "[]", "content_type": "application/json"}, FaultKind.FORBIDDEN, True),
    (
        {"status": 403, "text": '{"errors":[null,3,"x",[]]}', "content_type": "application/json"},
        FaultKind.FORBIDDEN,
        True,
    ),
    (
        {"status": 403, "text": '{"errors":7,"detail":{}}', "content_type": "application/json"},
        FaultKind.FORBIDDEN,
        True,
    ),
    ({"status": 503, "text": "", "content_type": "application/json"}, FaultKind.SERVER, False),
    ({"status": 500, "text": "[" * 100_000, "content_type": "application/json"}, FaultKind.SERVER, False),
    ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, FaultKind.UNKNOWN, False),
    ({"status": 429, "text": "slow down", "content_type": "text/plain"}, FaultKind.RATE_LIMITED, True),
    ({"status": 503, "body": b"x" * (9 * 2**20), "content_type": "text/html"}, FaultKind.NETWORK, False),
]


@pytest.mark.parametrize(("told", "kind", "certain"), STRANGE)
async def test_strange_answers_are_faults(
    rig: XRig, stub: tuple[str, dict[str, Any]], told: dict[str, Any], kind: FaultKind, certain: bool
) -> None:
    url, answers = stub
    answers.update(told)
    adapter = await rig.open(server=url, without=("refresh_token",))
    fault = await fault_of(sent(adapter, draft("hello")))
    assert (fault.kind, fault.certain) == (kind, certain)


async def test_a_send_that_is_cancelled_stays_cancelled(rig: XRig) -> None:
    adapter = await rig.open()
    rule = rig.strike(Trouble.DELAY, on="write", delay_s=0.2, count=1)
    task = asyncio.create_task(sent(adapter, draft("cancelled")))
    async with asyncio.timeout(30):
        while rule in rig.face.faults.rules():
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises((asyncio.CancelledError, FaultError)):
        await task
