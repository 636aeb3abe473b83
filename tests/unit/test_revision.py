"""gateway/outbox/revision.py: what is there after a delivery and its changes."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from gateway.books import SentPart
from gateway.model.capabilities import Feature, Idempotency, Limits, Profile, Support
from gateway.model.delivery import Change, Delivery, Draft, Part, Receipt, Revises, State, Timeline
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DeliveryId, DraftId, MessageRef
from gateway.model.manner import USUAL
from gateway.outbox.revision import Here, no_limits, planned, there
from gateway.text.plain import from_text

NOW = datetime(2026, 11, 26, tzinfo=UTC)
RED = AccountId("red/main")
HELLO, CALLING, BYE = map(from_text, ("hello", "hello @bob@x.y", "bye @bob@x.y"))


def said(*steps):
    """A delivery, or a change of it: its parts, each with the name that the platform gave the message."""
    parts = tuple(part for part, _ in steps)
    refs = [MessageRef(ref) for _, ref in steps]
    draft = Draft(DraftId("d"), DEFAULT_WORKSPACE, RED, Timeline(), parts[0].rest or from_text(""), NOW, "k")
    delivery = Delivery(
        1, DeliveryId("d"), DEFAULT_WORKSPACE, RED, RED, "o", State.DELIVERED, None, draft, NOW,
        parts=parts, sent=tuple(Receipt(ref, NOW) for ref in refs),
    )  # fmt: skip
    return delivery, [SentPart(delivery.id, RED, n, parts[n].kind, "", ref, NOW) for n, ref in enumerate(refs)]


def post(ref, document):
    return Part(0, "post", "", {}, rest=document), ref


def edit(before, after, document):
    return Part(0, Change.EDIT, "", {"ref": before}, rest=document), after


def delete(ref):
    return Part(0, Change.DELETE, "", {"ref": ref}), ref


RENAMED = [said(post("R0", HELLO), post("S0", HELLO)), said(edit("R0", "R1", CALLING))]
"""Who is called is part of a message's name on some platforms."""


def shown(*changes):
    return [(one.ref, one.document) for one in there(RED, [*RENAMED, *changes])]


def test_an_edit_may_give_a_message_another_name():
    assert shown() == [("R1", CALLING), ("S0", HELLO)]
    assert shown(said(edit("R1", "R1", BYE))) == [("R1", BYE), ("S0", HELLO)]
    assert shown(said(edit("R1", "R2", BYE)), said(edit("R2", "R0", HELLO))) == [("R0", HELLO), ("S0", HELLO)]


@pytest.mark.parametrize("name", ["R1", "R2"])
def test_and_by_that_it_is_deleted(name):
    renamed = said(edit("R1", name, BYE))
    assert shown(renamed, said(delete(name))) == [("S0", HELLO)]
    assert shown(renamed, said(delete("S0"), delete(name))) == []


def test_an_edit_back_is_none_to_what_it_says_already():
    messages = there(RED, [said(post("R0", HELLO)), RENAMED[1], said(edit("R1", "R1", BYE))])
    profile = Profile({Feature.EDIT: Support.FULL}, Limits(500, "characters", 500, 0, 0, (), 0), (), Idempotency.NONE)
    here = Here(profile, USUAL, NOW, no_limits)
    draft = structs.replace(RENAMED[0][0].draft, document=CALLING, revises=Revises(Change.EDIT, DeliveryId("d"), 2))
    (part,) = planned(draft, messages, here, lambda asked: (Part(0, "post", "", {}, rest=asked.document),))
    assert (part.kind, part.body["ref"], part.rest) == (Change.EDIT, "R1", CALLING)
