"""Each failure row of Discord as a Fault: discord.py is driven into it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from msgspec import structs

from adapters.discord import wire
from adapters.discord.adapter import DiscordAccount
from adapters.sandbox.faults import Rule, Trouble
from gateway.model.delivery import FaultError, FaultKind, Receipt
from gateway.model.ids import MessageRef
from gateway.ports import Unsure
from tests.contract.discord.discord_rig import AT, Rig, channel, draft, listening, refused, send_all, until

ROWS = {
    "10014": (FaultKind.INVALID, True),
    "30010": (FaultKind.TARGET_REFUSED, True),
    "30015": (FaultKind.MEDIA, True),
    "40006": (FaultKind.SERVER, True),
    "40058": (FaultKind.TARGET_REFUSED, True),
    "50008": (FaultKind.TARGET_REFUSED, True),
    "50021": (FaultKind.TARGET_REFUSED, True),
    "50024": (FaultKind.TARGET_REFUSED, True),
    "50046": (FaultKind.MEDIA, True),
    "90001": (FaultKind.TARGET_REFUSED, True),
    "160002": (FaultKind.TARGET_REFUSED, True),
    "520002": (FaultKind.TARGET_REFUSED, True),
    "520003": (FaultKind.TARGET_REFUSED, True),
    "20009": (FaultKind.INVALID, True),
    "20016": (FaultKind.RATE_LIMITED, True),
    "20022": (FaultKind.RATE_LIMITED, True),
    "20026": (FaultKind.TARGET_REFUSED, True),
    "20028": (FaultKind.RATE_LIMITED, True),
    "20029": (FaultKind.RATE_LIMITED, True),
    "30046": (FaultKind.RATE_LIMITED, True),
    "10003": (FaultKind.TARGET_GONE, True),
    "10004": (FaultKind.TARGET_GONE, True),
    "10008": (FaultKind.TARGET_GONE, True),
    "10013": (FaultKind.TARGET_GONE, True),
    "40001": (FaultKind.SIGNED_OUT, True),
    "40002": (FaultKind.LOCKED, True),
    "40003": (FaultKind.RATE_LIMITED, True),
    "40004": (FaultKind.SERVER, True),
    "40005": (FaultKind.MEDIA, True),
    "40333": (FaultKind.NETWORK, True),
    "50001": (FaultKind.TARGET_REFUSED, True),
    "50005": (FaultKind.TARGET_REFUSED, True),
    "50006": (FaultKind.INVALID, True),
    "50007": (FaultKind.TARGET_REFUSED, True),
    "50009": (FaultKind.TARGET_REFUSED, True),
    "50013": (FaultKind.TARGET_REFUSED, True),
    "50014": (FaultKind.SIGNED_OUT, True),
    "50035": (FaultKind.INVALID, True),
    "50045": (FaultKind.MEDIA, True),
    "50083": (FaultKind.TARGET_REFUSED, True),
    "50278": (FaultKind.TARGET_REFUSED, True),
    "130000": (FaultKind.SERVER, False),
    "160005": (FaultKind.TARGET_REFUSED, True),
    "200000": (FaultKind.INVALID, True),
    "240000": (FaultKind.INVALID, True),
    "400001": (FaultKind.MEDIA, True),
    "nonce": (FaultKind.INVALID, True),
    "poll": (FaultKind.INVALID, True),
    "reference": (FaultKind.TARGET_GONE, True),
    "too_long": (FaultKind.TOO_LONG, True),
}


@pytest.mark.parametrize("code", ROWS)
async def test_every_refusal_has_its_fault(rig: Rig, account: DiscordAccount, code: str) -> None:
    rig.face.faults.add(Rule(Trouble.REFUSE, code=code, on="write"))
    fault = (await refused(account)).fault
    assert (fault.kind, fault.certain) == ROWS[code]
    assert rig.held() == []


async def test_the_table_of_rows_is_the_faces(rig: Rig) -> None:
    from adapters.sandbox.discord_bodies import FORM_ERRORS, REFUSALS

    assert set(ROWS) == set(REFUSALS) | set(FORM_ERRORS)


async def test_what_the_face_refuses_by_itself(rig: Rig, account: DiscordAccount) -> None:
    gone = await refused(account, to=MessageRef("1/2"), target=channel("1"))
    assert gone.fault.kind is FaultKind.TARGET_GONE
    general = rig.face.general
    unknown = await refused(account, to=MessageRef(f"{general}/2"), target=channel(general))
    assert unknown.fault.kind is FaultKind.TARGET_GONE
    other = rig.face.say("ana", "direct", "for another", account="other")
    foreign = await refused(account, target=channel(other.conversation, private=True))
    assert foreign.fault.kind is FaultKind.TARGET_REFUSED


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Trouble.SUSPEND, FaultKind.SIGNED_OUT),
        (Trouble.REVOKE, FaultKind.SIGNED_OUT),
        (Trouble.LOCK, FaultKind.LOCKED),
    ],
)
async def test_the_account_is_lost(rig: Rig, account: DiscordAccount, trouble: Trouble, kind: FaultKind) -> None:
    await send_all(account, draft("before"))
    rig.face.faults.add(Rule(trouble))
    fault = (await refused(account)).fault
    assert (fault.kind, fault.certain) == (kind, True)
    probed = (await account.check()).fault
    assert (probed.kind if probed else None) == (None if trouble is Trouble.LOCK else kind)
    rig.face.faults.lift_all()
    assert (await account.check()).fault is None
    await send_all(account, draft("after", draft_id="d2"))
    assert [message.text for message in rig.held()] == ["before", "after"]


async def test_a_bad_token_opens_and_shows_in_check(rig: Rig) -> None:
    rig.face.faults.add(Rule(Trouble.REVOKE))
    account = await rig.open()
    for signal in (await account.check(), await account.check()):
        assert signal.fault is not None
        assert signal.fault.kind is FaultKind.SIGNED_OUT
    fault = (await refused(account)).fault
    assert (fault.kind, fault.certain) == (FaultKind.SIGNED_OUT, True)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 524])
async def test_a_server_error_comes_back_at_once(rig: Rig, account: DiscordAccount, status: int) -> None:
    rig.face.faults.add(Rule(Trouble.FAIL_BEFORE, on="write", status=status))
    fault = (await refused(account)).fault
    assert (fault.kind, fault.certain) == (FaultKind.SERVER, False)
    assert len(rig.face.network.attempts) == 1


@pytest.mark.parametrize("trouble", [Trouble.FAIL_AFTER, Trouble.DROP_AFTER])
async def test_an_unknown_send_is_settled(rig: Rig, account: DiscordAccount, trouble: Trouble) -> None:
    rig.face.faults.add(Rule(trouble, count=1))
    [part] = account.plan(draft("maybe"), AT)
    with pytest.raises(FaultError) as caught:
        await account.send(part)
    assert not caught.value.fault.certain
    assert caught.value.fault.kind in (FaultKind.SERVER, FaultKind.NETWORK)
    [message] = rig.held()
    found = await account.reconcile(part, datetime.now(UTC))
    assert isinstance(found, Receipt)
    assert found.ref == (await account.send(part)).ref == f"{message.conversation}/{message.id}"
    assert len(rig.held()) == 1


async def test_what_was_never_sent_is_proved(rig: Rig, account: DiscordAccount) -> None:
    rig.face.faults.add(Rule(Trouble.DROP_BEFORE, on="write", count=1))
    [part] = account.plan(draft("never"), AT)
    with pytest.raises(FaultError) as caught:
        await account.send(part)
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.NETWORK, False)
    # The same words of another delivery, and those of somebody else, are not this part.
    await send_all(account, draft("never", draft_id="d2"))
    rig.face.say("ana", "group", "never", channel=rig.face.announcements)
    assert await account.reconcile(part, datetime.now(UTC)) is Unsure.NOT_SENT


async def test_a_part_is_found_whose_one_before_is_gone(rig: Rig, account: DiscordAccount) -> None:
    """The message doesn't say what it follows, then."""
    since = datetime.now(UTC)
    first, second, *_ = account.plan(draft("One word after the other. " * 100), AT)
    receipt = await account.send(first)
    rig.face.network.delete(rig.held()[0])
    rig.face.faults.add(Rule(Trouble.DROP_AFTER, on="write", count=1))
    second = structs.replace(second, previous=receipt.ref, first=receipt.ref)
    with pytest.raises(FaultError):
        await account.send(second)
    (there,) = rig.held()
    assert there.in_reply_to is None
    fresh = await rig.open()
    there.key = None  # history may leave it out
    found = await fresh.reconcile(second, since)
    assert isinstance(found, Receipt)
    assert found.ref.endswith(there.id)


async def test_history_is_searched_through_all_its_pages(rig: Rig, account: DiscordAccount) -> None:
    since = datetime.now(UTC)
    for index in range(150):
        rig.face.say("ana", "group", f"talk {index}", channel=rig.face.announcements)
    [part] = account.plan(draft("deep"), AT)
    await account.send(part)
    fresh = await rig.open()
    found = await fresh.reconcile(part, since)
    assert isinstance(found, Receipt)


async def test_our_own_message_on_the_gateway_settles_without_asking(rig: Rig, account: DiscordAccount) -> None:
    [part] = account.plan(draft("seen"), AT)
    async with listening(rig, account):
        rig.face.faults.add(Rule(Trouble.FAIL_AFTER, count=1))
        try:
            receipt: Any = await account.send(part)
        except FaultError:
            rig.face.faults.add(Rule(Trouble.FAIL_BEFORE, on="read"))
            await until(lambda: part.key in account._memory.confirmed)
            receipt = await account.reconcile(part, AT)
    assert receipt.ref.endswith(rig.held()[0].id)


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_rate_limit_says_when_to_come_back(rig: Rig, account: DiscordAccount, everywhere: bool) -> None:
    rig.face.faults.add(Rule(Trouble.RATE_LIMIT, on="write", retry_after_s=7.0, code="global" if everywhere else None))
    before = datetime.now(UTC)
    fault = (await refused(account)).fault
    assert (fault.kind, fault.certain) == (FaultKind.RATE_LIMITED, True)
    assert fault.retry_at is not None
    assert fault.retry_at - before >= timedelta(seconds=7)
    [lane] = fault.lanes
    assert (lane.lane, lane.remaining) == ("global" if everywhere else "channel", 0)
    assert len(rig.face.network.attempts) == 1


async def test_a_read_given_up_during_a_global_limit_holds_up_nothing_else(rig: Rig, account: DiscordAccount) -> None:
    await send_all(account, draft("before"))
    rule = rig.face.faults.add(Rule(Trouble.RATE_LIMIT, on="read", code="global", retry_after_s=25.0))
    probe = asyncio.create_task(account.check())
    await until(lambda: not account._rest._global_over.is_set())
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    rig.face.faults.lift(rule.id)
    async with asyncio.timeout(10):
        assert (await account.check()).fault is None
        await send_all(account, draft("after", draft_id="d2"))
    assert [message.text for message in rig.held()] == ["before", "after"]


async def test_cloudflares_ban_stops_everything(rig: Rig, account: DiscordAccount) -> None:
    rig.face.faults.add(Rule(Trouble.RATE_LIMIT, on="write", retry_after_s=None))
    fault = (await refused(account)).fault
    assert (fault.kind, fault.certain, fault.lanes[0].lane) == (FaultKind.RATE_LIMITED, True, "global")
    assert fault.retry_at is not None


async def test_an_exhausted_bucket_doesnt_hold_up_the_receipt(rig: Rig, account: DiscordAccount) -> None:
    rig.face.window = (1, 20.0)
    [receipt] = await send_all(account, draft("last one"))
    [lane] = receipt.lanes
    assert lane.remaining == 0
    assert datetime.now(UTC).timestamp() < lane.reset_at_unix_s - 10


async def test_the_next_send_waits_for_the_bucket(rig: Rig, account: DiscordAccount) -> None:
    rig.face.window = (1, 0.2)
    await asyncio.gather(*(send_all(account, draft(f"m{i}", draft_id=f"d{i}")) for i in range(3)))
    assert len(rig.held()) == 3
    assert {attempt.outcome for attempt in rig.face.network.attempts} == {"accepted"}


async def test_a_bucket_that_rests_too_long_refuses_unsent(rig: Rig, account: DiscordAccount) -> None:
    rig.face.window = (2, 100.0)
    await send_all(account, draft("first"))
    fault = (await refused(account)).fault
    assert (fault.kind, fault.certain) == (FaultKind.RATE_LIMITED, True)
    assert len(rig.face.network.attempts) == 1


async def test_a_cancelled_send_may_have_been_made(rig: Rig, account: DiscordAccount) -> None:
    await send_all(account, draft("warm"))
    rig.face.faults.add(Rule(Trouble.DELAY, delay_s=0.05, count=1))
    [part] = account.plan(draft("cancelled", draft_id="d2"), AT)
    task = asyncio.create_task(account.send(part))
    await until(lambda: not rig.face.faults.rules())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: len(rig.held()) == 2)
    await account.send(part)
    assert len(rig.held()) == 2


async def test_nobody_listens(rig: Rig) -> None:
    account = await rig.open(server="http://127.0.0.1:1")
    fault = (await refused(account)).fault
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, True)
    signal = await account.check()
    assert signal.fault is not None
    assert signal.fault.kind is FaultKind.NETWORK


async def test_a_closed_account_sends_nothing(rig: Rig, account: DiscordAccount) -> None:
    await send_all(account, draft("before"))
    await account.aclose()
    await account.aclose()
    fault = (await refused(account)).fault
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, True)


async def test_a_server_that_is_no_address_is_told(rig: Rig) -> None:
    with pytest.raises(FaultError) as caught:
        await rig.open(server="discord")
    assert caught.value.fault.kind is FaultKind.CONFIG


@asynccontextmanager
async def stub(answer: bytes | None) -> AsyncIterator[str]:
    """A server that knows us and then answers a send with these bytes, never, or (empty) with a reset."""
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await reader.readuntil(b"\r\n\r\n")).startswith(b"GET"):
            body = b'{"id": "1", "username": "agent"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        assert head.startswith(b"POST")
        if answer is None:
            await done.wait()
        elif answer:
            writer.write(answer)
        else:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        done.set()
        server.close()
        await server.wait_closed()


PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
FAR = b'{"message": "slow", "retry_after": 1e300, "global": false}'
LATER = b"HTTP/1.1 429 No\r\nVia: 1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(FAR), FAR)
ODD = b'{"message": [1], "code": {"a": 1}, "errors": [2]}'
STRANGE = b"HTTP/1.1 400 No\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(ODD), ODD)
MOVED = b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", FaultKind.NETWORK),
        (None, FaultKind.NETWORK),
        (PAGE, FaultKind.UNKNOWN),
        (MOVED, FaultKind.UNKNOWN),
        (STRANGE, FaultKind.UNKNOWN),
    ],
    ids=["reset", "silence", "a page", "a redirect", "odd types"],
)
async def test_a_broken_exchange_is_uncertain(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, answer: bytes | None, kind: FaultKind
) -> None:
    monkeypatch.setattr(wire, "TIMEOUT", aiohttp.ClientTimeout(total=0.3))
    async with stub(answer) as server:
        account = await rig.open(server=server)
        fault = (await refused(account)).fault
        await account.aclose()
    assert (fault.kind, fault.certain) == (kind, False)


async def test_a_time_beyond_reason_is_cut(rig: Rig) -> None:
    async with stub(LATER) as server:
        account = await rig.open(server=server)
        fault = (await refused(account)).fault
        await account.aclose()
    assert fault.kind is FaultKind.RATE_LIMITED
    assert fault.retry_at is not None
    assert fault.retry_at <= datetime.now(UTC) + timedelta(days=1)
