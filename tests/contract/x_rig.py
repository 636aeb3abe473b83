"""One X in the sandbox and an account there, ready to be driven by the real tweepy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.world import Message
from adapters.sandbox.x import XFace
from adapters.x.adapter import XAdapter, open_account
from adapters.x.profile import Settings
from gateway.clock import SystemClock
from gateway.model.content import Document, Media
from gateway.model.delivery import Draft, Fault, FaultError, InConversation, Part, Receipt, Target, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, MessageRef
from gateway.model.secret import Secret
from gateway.ports import Clock
from gateway.testing.kit import Bench
from gateway.text.plain import from_text

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEVER_S = 1e6


class XRig:
    def __init__(self, face: XFace) -> None:
        self.face = face
        self.bench = Bench("x/main", SystemClock())
        self.opened: list[XAdapter] = []

    async def open(self, *, clock: Clock | None = None, without: tuple[str, ...] = (), **changes: Any) -> XAdapter:
        """The account; ``without`` leaves settings out, ``changes`` puts others in."""
        made = self.face.account()
        settings = {key: value for key, value in made["settings"].items() if key != "id" and key not in without}

        def reveal(_: type, value: Any) -> Any:
            return value if isinstance(value, Secret) else Secret(made["environment"][value["env"]])

        typed = msgspec.convert(settings | {"poll_s": 0.01, "poll_direct_s": 0.01} | changes, Settings, dec_hook=reveal)
        if clock is not None:
            self.bench.context = msgspec.structs.replace(self.bench.context, clock=clock)
        adapter = await open_account(typed, self.bench.context)
        self.opened.append(adapter)
        return adapter

    async def close(self) -> None:
        for adapter in self.opened:
            await adapter.aclose()

    def strike(self, trouble: Trouble, **options: Any) -> Rule:
        return self.face.faults.add(Rule(trouble, **options))

    def held(self) -> list[Message]:
        return self.face.network.held_by("agent")


def draft(text: str, target: Target | None = None, *, media: tuple[Media, ...] = (), reply: str | None = None) -> Draft:
    document = msgspec.structs.replace(from_text(text), media=media)
    return drafted(document, target, reply=reply)


def drafted(document: Document, target: Target | None = None, *, reply: str | None = None) -> Draft:
    return Draft(
        DraftId("d1"),
        DEFAULT_WORKSPACE,
        AccountId("x/main"),
        target or Timeline(),
        document,
        AT,
        "k",
        in_reply_to=MessageRef(reply) if reply else None,
    )


def answer(message: Message, text: str) -> Draft:
    """An answer to what somebody wrote."""
    if message.private:
        return draft(text, InConversation(ConversationId(f"dm/{message.conversation}"), private=True))
    return draft(text, InConversation(ConversationId(message.conversation)), reply=message.id)


async def sent(adapter: XAdapter, said: Draft) -> list[Receipt]:
    """Send every part the way the outbox does."""
    receipts: list[Receipt] = []
    for part in adapter.plan(said, AT):
        receipts.append(await adapter.send(following(part, receipts)))
    return receipts


def following(part: Part, receipts: list[Receipt]) -> Part:
    if not receipts:
        return part
    return msgspec.structs.replace(part, previous=receipts[-1].ref, first=receipts[0].ref)


async def fault_of(work: Any) -> Fault:
    """The fault that something ends with."""
    try:
        await work
    except FaultError as error:
        return error.fault
    raise AssertionError("no fault")


def asked_for_directs(rig: XRig) -> int:
    return sum(times for (_, action), times in rig.face._spent.items() if action == "dm_events")
