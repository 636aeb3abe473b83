"""Discord's connection: broken, resumed, refused, and how it ends."""

from __future__ import annotations

import asyncio

import pytest

from adapters.discord import wire
from adapters.discord.position import load
from adapters.sandbox.faults import Rule, Trouble
from gateway.model.delivery import FaultError, FaultKind
from tests.contract.discord.discord_rig import (
    Listener,
    Restless,
    Rig,
    draft,
    forgotten,
    listening,
    send_all,
    texts,
    until,
)


@pytest.mark.parametrize("how", ["cut", "reconnect", "invalid", "4000", "4007", "4009"])
async def test_a_broken_connection_is_resumed(rig: Rig, how: str) -> None:
    account = await rig.open()
    gateway = rig.face.gateway
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "before")
        await listener.heard(1)
        if how == "cut":
            rig.face.cut_streams("agent")
        elif how == "reconnect":
            gateway.reconnect("agent")
        elif how == "invalid":
            gateway.invalidate("agent", resumable=True)
        else:
            gateway.close(int(how), "agent")
        rig.face.say("ana", "group", "meanwhile")
        await until(lambda: gateway.resumed)
        rig.face.say("ana", "group", "after")
        assert texts(await listener.heard(3)) == ["before", "meanwhile", "after"]
    assert gateway.identified == ["agent"]


async def test_a_connection_that_falls_mute_is_resumed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays open and takes heartbeats, but acknowledges none and tells nothing."""
    monkeypatch.setattr(wire, "MUTE_S", 0.3)
    gateway = rig.face.gateway
    gateway.heartbeat_ms = 50
    account = await rig.open()
    async with listening(rig, account) as listener:
        await asyncio.sleep(0.6)  # as long as it is acknowledged, a quiet connection is none that fell mute
        assert gateway.resumed == []
        gateway.mute("agent")
        rig.face.say("ana", "group", "meanwhile")
        await until(lambda: gateway.resumed)
        rig.face.say("ana", "group", "after")
        assert texts(await listener.heard(2)) == ["meanwhile", "after"]
    assert gateway.identified == ["agent"]


async def test_a_lost_session_is_filled_from_history(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "before")
        await listener.heard(1)
        rig.face.gateway.invalidate("agent")
        rig.face.say("ana", "group", "meanwhile")
        assert texts(await listener.heard(2)) == ["before", "meanwhile"]
    assert rig.face.gateway.identified == ["agent", "agent"]
    assert load(listener.cursor, rig.benches["agent"].context.clock.now()).streak == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("4004", FaultKind.SIGNED_OUT),
        ("4010", FaultKind.CONFIG),
        ("4011", FaultKind.CONFIG),
        ("4012", FaultKind.CONFIG),
        ("4013", FaultKind.CONFIG),
        ("4014", FaultKind.CONFIG),
    ],
)
async def test_a_fatal_close_is_a_fault_and_leaves_rest_alone(rig: Rig, code: str, kind: FaultKind) -> None:
    rig.face.faults.add(Rule(Trouble.REFUSE, code=code, on="stream"))
    account = await rig.open()
    listener = Listener(account)
    assert (await listener.failed()).fault.kind is kind
    await send_all(account, draft("still sending"))
    assert [message.text for message in rig.held()] == ["still sending"]


async def test_missing_intents_name_the_cure(rig: Rig) -> None:
    rig.face.gateway.portal_intents = 0
    fault = (await Listener(await rig.open()).failed()).fault
    assert fault.kind is FaultKind.CONFIG
    assert "Message Content" in fault.evidence


@pytest.mark.parametrize("trouble", [Trouble.SUSPEND, Trouble.REVOKE])
async def test_a_suspension_is_heard_and_so_is_the_return(rig: Rig, trouble: Trouble) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.say("ana", "group", "before")
        await listener.heard(1)
        rig.face.faults.add(Rule(trouble))
        assert (await listener.failed()).fault.kind is FaultKind.SIGNED_OUT
    logins = len(rig.face.gateway.identified)
    again = Listener(account, listener.cursor)
    assert (await again.failed()).fault.kind is FaultKind.SIGNED_OUT
    assert len(rig.face.gateway.identified) == logins  # no login is spent on a token that is refused
    rig.face.say("ana", "group", "meanwhile")
    rig.face.faults.lift_all()
    async with listening(rig, account, again.cursor) as listener:
        assert texts(await listener.heard(1)) == ["meanwhile"]


@pytest.mark.parametrize("status", [None, 502])
async def test_an_outage_is_a_fault_and_not_waited_out(rig: Rig, status: int | None) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.faults.add(Rule(Trouble.OUTAGE, status=status))
        assert (await listener.failed()).fault.kind in (FaultKind.NETWORK, FaultKind.SERVER)
    again = Listener(account, listener.cursor)
    assert (await again.failed()).fault.kind in (FaultKind.NETWORK, FaultKind.SERVER)
    signal = await account.check()
    assert signal.fault is not None
    assert signal.fault.kind in (FaultKind.NETWORK, FaultKind.SERVER)
    rig.face.faults.lift_all()
    async with listening(rig, account, again.cursor) as listener:
        rig.face.say("ana", "group", "back")
        assert texts(await listener.heard(1)) == ["back"]


async def test_sending_goes_on_while_the_gateway_is_down(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        rig.face.faults.add(Rule(Trouble.REFUSE, code="4004", on="stream"))
        rig.face.gateway.invalidate("agent")
        await listener.failed()
        await send_all(account, draft("over REST"))
    assert [message.text for message in rig.held()] == ["over REST"]


async def test_a_connection_that_keeps_breaking_is_a_fault(rig: Rig) -> None:
    account = await rig.open()
    async with listening(rig, account) as listener:
        for count in range(20):
            rig.face.cut_streams()
            await until(lambda count=count: len(rig.face.gateway.resumed) > count or listener.fault)
        assert (await listener.failed()).fault.kind is FaultKind.NETWORK


async def test_a_gateway_that_lets_nobody_stay_is_a_fault(rig: Rig) -> None:
    rig.face.faults.add(Rule(Trouble.REFUSE, code="4000", on="stream"))
    account = await rig.open(clock=Restless())
    assert (await Listener(account).failed()).fault.kind is FaultKind.NETWORK


async def test_a_crash_loop_slows_its_logins_down(rig: Rig) -> None:
    clock = Restless()
    cursor = None
    pauses = []
    for _ in range(7):
        account = await rig.open(clock=clock, identify_pause_s=5.0)
        clock.slept.clear()
        async with listening(rig, account, cursor) as listener:
            pauses.append(round(sum(clock.slept)))
        cursor = listener.cursor
        await forgotten(rig)
    assert pauses == [0, 0, 0, 5, 10, 20, 40]


async def test_a_loop_of_first_connections_slows_down_too(rig: Rig) -> None:
    rig.face.gateway.portal_intents = 0
    clock = Restless()
    cursor = None
    for _ in range(5):
        listener = Listener(await rig.open(clock=clock, identify_pause_s=5.0), cursor)
        await listener.failed()
        cursor = listener.cursor
    assert [round(pause) for pause in clock.slept if pause] == [5, 10]


async def test_leaving_releases_the_connection(rig: Rig) -> None:
    account = await rig.open()
    for _ in range(2):
        async with listening(rig, account):
            assert rig.face.gateway.open_sockets() == 1
        await until(lambda: rig.face.gateway.open_sockets() == 0)


async def test_a_reader_that_lags_behind_starts_over_from_history(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await rig.open()
    stream = account.events(None)
    await anext(stream)
    monkeypatch.setattr(wire, "QUEUE_MAX", 5)
    for index in range(20):
        rig.face.say("ana", "group", f"m{index}")
    seen: list[str] = []
    with pytest.raises(FaultError) as caught:  # noqa: PT012 - whichever step it is
        while True:
            events, cursor = await anext(stream)
            seen += texts(list(events))
    assert caught.value.fault.kind is FaultKind.NETWORK
    monkeypatch.setattr(wire, "QUEUE_MAX", 10_000)
    async with listening(rig, account, cursor) as listener:
        rig.face.say("ana", "group", "end")
        await until(lambda: "end" in texts(listener.events))
        assert seen + texts(listener.events) == [*(f"m{index}" for index in range(20)), "end"]
