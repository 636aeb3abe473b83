"""Houses whose platforms can change what was said, or can't, and what is done about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core_rig import House, World, ended
from msgspec import structs

from gateway.model.capabilities import Feature, Idempotency
from gateway.model.delivery import Delivery, State
from gateway.model.manner import USUAL, Correction, Manner
from gateway.outbox.settle import Rules
from gateway.revisions import Outcome, Revisions
from gateway.testing.scripted import FEATURES, RevisingAdapter, scripted_profile

Worlds = Callable[..., World]
ALL = (*FEATURES, Feature.EDIT, Feature.DELETE, Feature.REACT, Feature.REPOST)
STIFF = (*FEATURES, Feature.DELETE)


def revising(world: World, *features: Feature, correction: Correction = Correction.LEAVE, **more: Any) -> House:
    idempotency, lanes = more.pop("idempotency", Idempotency.READ_BACK), more.pop("lanes", ())
    profile = scripted_profile(idempotency, features=features or ALL, lanes=lanes)
    limits = structs.replace(profile.limits, edit_window_s=more.pop("edit_window_s", None))
    profile = structs.replace(profile, limits=limits)
    house = world.house(kind=RevisingAdapter, profiles=dict.fromkeys(world.platforms, profile), **more)
    manner = structs.replace(USUAL, correction=correction)
    house.members = [structs.replace(one, rules=with_manner(one.rules, manner)) for one in house.members]
    house.runtime._members = house.members
    return house


def with_manner(rules: Rules, manner: Manner) -> Rules:
    return structs.replace(rules, manner=manner)


def changing(house: House) -> Revisions:
    return Revisions(house.services, house.intake, house.outbox)


async def finished(house: House, outcomes: tuple[Outcome, ...]) -> list[tuple[State, str]]:
    await ended(house, *(one.delivery for one in outcomes))
    found = [await house.now(one.delivery) for one in outcomes]
    return [(one.state, one.reason) for one in found]


DONE = [(State.DELIVERED, "")]


async def said(house: House, text: str, **more: Any) -> Delivery:
    delivery = await house.say(text, **more)
    await ended(house, delivery)
    return delivery
