"""A world that runs for days forgets: what is old is gone everywhere, and what comes after it is heard and kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.sandbox.control import FACES, build
from adapters.sandbox.world import utc_now

KINDS = ("mention", "direct")


@pytest.mark.parametrize("name", FACES)
def test_a_network_forgets_what_is_old_and_goes_on(name: str) -> None:
    face = build([name]).faces[name]
    face.account()
    old = [face.say("ana", kind, f"old {kind}") for kind in KINDS]
    bot = next(member for member in face.network.members.values() if member.is_bot)
    face.network.attempted(bot.handle, "post", "accepted", message=old[0].id)
    assert face.forget(utc_now() - timedelta(hours=1)) == 0
    assert face.forget(utc_now()) == len(old)
    assert not face.network.messages
    assert not face.network.attempts
    new = face.say("ana", "mention", "new")
    assert list(face.network.messages.values()) == [new]
