"""One Discord face on loopback and accounts that talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from adapters.discord.adapter import DiscordAccount, open_account
from adapters.discord.profile import Settings
from adapters.sandbox.control import Sandbox, build
from adapters.sandbox.discord import DiscordFace
from adapters.sandbox.world import Message
from gateway.clock import SystemClock
from gateway.model.content import Document
from gateway.model.delivery import Draft, FaultError, InConversation, Part, Receipt, Target, Timeline
from gateway.model.events import MessageReceived, PlatformEvent
from gateway.model.ids import AccountId, ConversationId, DraftId, MessageRef, WorkspaceId
from gateway.model.secret import Secret
from gateway.ports import Arrival, Clock
from gateway.testing.kit import Bench
from gateway.text.plain import from_text

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Restless(SystemClock):
    """A clock that jumps over sleep; what was slept is kept."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._jumped_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._jumped_s)

    async def sleep(self, delay_s: float) -> None:
        self.slept.append(delay_s)
        self._jumped_s += max(0.0, delay_s)
        await asyncio.sleep(0)


class Rig:
    """The face, and the ways to talk and listen through real accounts."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        face = sandbox.faces["discord"]
        assert isinstance(face, DiscordFace)
        self.face = face
        self.benches: dict[str, Bench] = {}
        self._accounts: list[DiscordAccount] = []

    def settings(self, handle: str = "agent", **changes: Any) -> Settings:
        given = self.face.account(handle)
        keys = {key: value for key, value in given["settings"].items() if key not in ("id", "token")}
        token = given["environment"][given["settings"]["token"]["env"]]
        return msgspec.structs.replace(Settings(token=Secret(token), **keys), **changes)

    async def open(self, handle: str = "agent", clock: Clock | None = None, **changes: Any) -> DiscordAccount:
        name = "discord/main" if handle == "agent" else f"discord/{handle}"
        bench = self.benches[handle] = Bench(name, clock or SystemClock())
        account = await open_account(self.settings(handle, **changes), bench.context)
        self._accounts.append(account)
        return account

    async def aclose(self) -> None:
        for account in self._accounts:
            await account.aclose()
        await self.sandbox.stop()

    def held(self, handle: str = "agent") -> list[Message]:
        return self.face.network.held_by(handle)


@asynccontextmanager
async def discord_rig() -> AsyncIterator[Rig]:
    sandbox = build(["discord"])
    await sandbox.start()
    rig = Rig(sandbox)
    try:
        yield rig
    finally:
        await rig.aclose()


def draft(
    said: str | Document, target: Target | None = None, *, to: MessageRef | None = None, draft_id: str = "d1"
) -> Draft:
    document = from_text(said) if isinstance(said, str) else said
    return Draft(
        DraftId(draft_id),
        WorkspaceId("default"),
        AccountId("discord/main"),
        target or Timeline(),
        document,
        AT,
        f"key-{draft_id}",
        in_reply_to=to,
    )


def channel(channel_id: str, *, private: bool = False) -> InConversation:
    return InConversation(ConversationId(channel_id), private)


async def send_all(account: DiscordAccount, one: Draft) -> list[Receipt]:
    """A draft's parts in order, each told what it follows, as the outbox does it."""
    receipts: list[Receipt] = []
    for part in account.plan(one, AT):
        told: Part = part
        if receipts:
            told = msgspec.structs.replace(part, previous=receipts[-1].ref, first=receipts[0].ref)
        receipts.append(await account.send(told))
    return receipts


async def refused(account: DiscordAccount, said: str | Document = "hello", **where: Any) -> FaultError:
    """How sending fails."""
    with pytest.raises(FaultError) as caught:
        await send_all(account, draft(said, **where))
    return caught.value


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the other side of the wire does."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.002)


class Listener:
    """A consumer of ``events()`` that keeps everything, as the runtime would."""

    def __init__(self, account: DiscordAccount, cursor: str | None = None) -> None:
        self.events: list[PlatformEvent] = []
        self.cursor = cursor
        self.arrivals = 0
        self.fault: FaultError | None = None
        self._account = account
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        stream: AsyncIterator[Arrival] = self._account.events(self.cursor)
        try:
            async for events, cursor in stream:
                self.events.extend(events)
                self.cursor = cursor
                self.arrivals += 1
        except FaultError as error:
            self.fault = error
        finally:
            await stream.aclose()  # type: ignore[attr-defined]  # an async generator, as the port says

    async def heard(self, count: int) -> list[PlatformEvent]:
        await until(lambda: len(self.events) >= count or self.fault)
        assert self.fault is None, self.fault
        return self.events

    async def failed(self) -> FaultError:
        await until(lambda: self.fault)
        await self._task
        assert self.fault is not None
        return self.fault

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def texts(events: Sequence[PlatformEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, MessageReceived)]


async def forgotten(rig: Rig) -> None:
    """Minutes pass: no session is left to resume."""
    await until(lambda: rig.face.gateway.open_sockets() == 0)
    rig.face.gateway.forget()


@asynccontextmanager
async def listening(rig: Rig, account: DiscordAccount, cursor: str | None = None) -> Any:
    """A listener that is connected: what is said from here on it hears live."""
    before = rig.face.gateway.entered
    listener = Listener(account, cursor)
    try:
        await until(lambda: listener.fault or (rig.face.gateway.entered > before and listener.cursor is not None))
        yield listener
    finally:
        await listener.stop()
