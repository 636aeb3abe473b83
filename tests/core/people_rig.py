"""Ana, who writes to several accounts, and of whom an operator knows that she is one person."""

from __future__ import annotations

from core_rig import BLUE, RED, House, words

from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import Identity, Link
from gateway.model.ids import AccountId, ConversationId, MessageRef, platform_of


def ana(account: AccountId) -> Identity:
    return Identity(platform_of(account), f"ana-{platform_of(account)}", "ana")


async def meets(house: House, account: AccountId, place: str, *, private: bool = False) -> None:
    """Ana writes to the account."""
    message = MessageReceived(
        account, f"{place}-hello", MessageRef(f"in:{place}"), ConversationId(place),
        Kind.DIRECT if private else Kind.MENTION, ana(account), words("hello"), house.clock.now(), private,
    )  # fmt: skip
    await house.pipeline.receive(account, [message], "1")
    await house.quiet()


async def linked(house: House, first: AccountId, second: AccountId) -> None:
    await house.real_store.link(Link(ana(first), ana(second), "operator", house.clock.now()))


async def is_known_on_both(house: House, *, privately: bool = False) -> None:
    """Ana has written to both, in ``r1`` and ``b1``; ``privately``: what she wrote to the first."""
    await meets(house, RED, "r1", private=privately)
    await meets(house, BLUE, "b1")
    await linked(house, RED, BLUE)
