"""What an attempt may lead to, for every kind of fault and platform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.model.capabilities import Idempotency, Limits, Profile
from gateway.model.content import Document, Text
from gateway.model.delivery import (
    FINAL,
    RESENT,
    TRANSITIONS,
    Delivery,
    Draft,
    Fault,
    FaultKind,
    Part,
    Receipt,
    State,
    Timeline,
)
from gateway.model.ids import AccountId, DeliveryId, DraftId, MessageRef, WorkspaceId
from gateway.outbox import settle
from gateway.outbox.settle import Rules
from gateway.ports import Unsure

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMITS = Limits(300, "graphemes", 300, 4, 1_000_000, ("image/png",), 1_000)


def profile(idempotency: Idempotency, lifetime_s: float | None = None) -> Profile:
    return Profile({}, LIMITS, (), idempotency, key_lifetime_s=lifetime_s)


def delivery(
    state: State = State.SENDING, *, attempts: int = 1, parts: int = 1, sent: int = 0, reason: str = ""
) -> Delivery:
    account = AccountId("x/main")
    draft = Draft(
        DraftId("d"),
        WorkspaceId("w"),
        account,
        Timeline(),
        Document(((Text("hi"),),)),
        NOW - timedelta(seconds=10),
        "k",
    )
    plan = tuple(Part(i, "post", f"k{i}", {}) for i in range(parts))
    receipts = tuple(Receipt(MessageRef(str(i)), NOW) for i in range(sent))
    return Delivery(
        1, DeliveryId("d"), draft.workspace, account, account, "o", state, NOW, draft, draft.created_at,
        plan, receipts, attempts, reason,
    )  # fmt: skip


faults = st.builds(
    Fault,
    st.sampled_from(FaultKind),
    st.booleans(),
    st.text(max_size=20),
    st.none() | st.integers(1, 900).map(lambda s: NOW + timedelta(seconds=s)),
)
all_rules = st.builds(Rules, st.sampled_from(Idempotency).map(profile), st.sampled_from(["hold", "resend"]))


@given(faults, all_rules, st.integers(1, 50))
def test_every_outcome_is_a_transition_of_the_table(fault: Fault, rules: Rules, attempts: int) -> None:
    settlement = settle.after_fault(delivery(attempts=attempts), fault, rules, NOW)
    assert settlement.state in TRANSITIONS[State.SENDING]
    assert settlement.reason


@given(faults, all_rules)
def test_what_may_have_been_sent_is_never_queued_unless_the_operator_chose_it(fault: Fault, rules: Rules) -> None:
    settlement = settle.after_fault(delivery(), fault, rules, NOW)
    if not fault.certain and settlement.state is State.QUEUED:
        assert rules.profile.idempotency is Idempotency.NONE
        assert rules.on_uncertain == "resend"
        assert "maybe sent" in settlement.reason


@given(faults, all_rules)
def test_nothing_uncertain_ends_by_a_fault(fault: Fault, rules: Rules) -> None:
    settlement = settle.after_fault(delivery(), fault, rules, NOW)
    if not fault.certain and fault.kind is not FaultKind.DUPLICATE:
        assert settlement.state not in FINAL


@given(st.sampled_from(sorted(settle.REROUTED)), all_rules)
def test_a_lost_account_leaves_its_delivery_for_the_rerouter(kind: FaultKind, rules: Rules) -> None:
    settlement = settle.after_fault(delivery(), Fault(kind, True, "e"), rules, NOW)
    assert settlement.state is State.QUEUED


@given(faults, all_rules, st.integers(1, 40))
def test_a_retry_is_never_before_the_platform_allows(fault: Fault, rules: Rules, attempts: int) -> None:
    settlement = settle.after_fault(delivery(attempts=attempts), fault, rules, NOW)
    if settlement.state is State.QUEUED and fault.kind in settle.RETRIED and fault.certain:
        assert settlement.due_at is not None
        assert settlement.due_at >= (fault.retry_at or NOW)


@pytest.mark.parametrize(
    ("parts", "sent", "state"), [(1, 0, State.DELIVERED), (3, 0, State.SENDING), (3, 2, State.DELIVERED)]
)
def test_a_receipt_leads_to_the_next_part_or_the_end(parts: int, sent: int, state: State) -> None:
    one = delivery(parts=parts, sent=sent)
    part = (one.parts or ())[sent]
    assert settle.after_receipt(one, part, Receipt(MessageRef("r"), NOW), NOW).state is state


def test_a_part_found_by_asking_leaves_the_others_queued() -> None:
    one = delivery(State.UNCERTAIN, parts=3, sent=1)
    found = settle.after_asking(
        one, (one.parts or ())[1], Receipt(MessageRef("r"), NOW), Rules(profile(Idempotency.READ_BACK)), NOW, asked=1
    )
    assert found.state is State.QUEUED
    assert found.receipt is not None


def test_proof_that_nothing_was_sent_sends_it_again() -> None:
    one = delivery(State.UNCERTAIN)
    rules = Rules(profile(Idempotency.READ_BACK))
    assert settle.after_asking(one, (one.parts or ())[0], Unsure.NOT_SENT, rules, NOW, asked=1).state is State.QUEUED


def test_a_duplicate_that_is_not_ours_is_refused() -> None:
    rules = Rules(profile(Idempotency.READ_BACK))
    fault = Fault(FaultKind.DUPLICATE, True, "duplicate content")
    asked = settle.after_fault(delivery(), fault, rules, NOW)
    assert asked.state is State.UNCERTAIN
    one = delivery(State.UNCERTAIN, reason=asked.reason)
    assert settle.after_asking(one, (one.parts or ())[0], Unsure.NOT_SENT, rules, NOW, asked=1).state is State.REFUSED


def test_asking_ends_with_the_operator() -> None:
    one, rules = delivery(State.UNCERTAIN, reason="network: reset"), Rules(profile(Idempotency.READ_BACK))
    part = (one.parts or ())[0]
    first = settle.after_asking(one, part, Unsure.UNKNOWN, rules, NOW, asked=1)
    last = settle.after_asking(one, part, Unsure.UNKNOWN, rules, NOW, asked=settle.ASK_TRIES)
    assert first.due_at is not None
    assert (last.state, last.due_at) == (State.UNCERTAIN, None)


def test_an_ambiguous_refusal_is_believed_only_after_some_tries() -> None:
    rules, fault = Rules(profile(Idempotency.KEYED)), Fault(FaultKind.FORBIDDEN, True, "403")
    assert settle.after_fault(delivery(attempts=1), fault, rules, NOW).state is State.QUEUED
    assert settle.after_fault(delivery(attempts=settle.FORBIDDEN_TRIES), fault, rules, NOW).state is State.REFUSED


@given(st.floats(1, 10_000), st.sampled_from(Idempotency))
def test_a_part_is_repeated_only_under_a_key_that_still_protects(lifetime_s: float, idempotency: Idempotency) -> None:
    one = delivery(State.UNCERTAIN)
    allowed = settle.may_repeat(one, profile(idempotency, lifetime_s), NOW)
    assert allowed == (idempotency is Idempotency.KEYED and lifetime_s > 10)


# What the operator says.

FOUND = Receipt(MessageRef("there"), NOW, "https://example.org/there")


@pytest.mark.parametrize(
    ("parts", "sent", "choice", "state", "receipt"),
    [
        (1, 0, "sent", State.DELIVERED, FOUND),
        (3, 0, "sent", State.QUEUED, FOUND),
        (3, 2, "sent", State.DELIVERED, FOUND),
        (1, 0, "resend", State.QUEUED, None),
        (3, 1, "drop", State.REFUSED, None),
    ],
)
def test_the_operator_settles_what_is_uncertain(
    parts: int, sent: int, choice: settle.Choice, state: State, receipt: Receipt | None
) -> None:
    settlement = settle.by_operator(delivery(State.UNCERTAIN, parts=parts, sent=sent), choice, FOUND, NOW)
    assert (settlement.state, settlement.receipt) == (state, receipt)
    assert settlement.state in TRANSITIONS[State.UNCERTAIN]
    assert (settlement.due_at is None) == (state is State.REFUSED)
    assert settlement.reason


@pytest.mark.parametrize("choice", ["sent", "resend", "drop"])
def test_what_may_be_there_twice_says_so_whatever_the_operator_makes_of_it(choice: settle.Choice) -> None:
    before = delivery(State.UNCERTAIN, reason=f"{RESENT}: maybe sent: network: no answer")
    assert settle.by_operator(before, choice, FOUND, NOW).reason.startswith(RESENT)


def test_a_part_that_the_operator_could_not_name_is_no_place_to_go_on_from() -> None:
    one = delivery(State.UNCERTAIN, parts=3, sent=1)
    nameless = structs.replace(one, sent=(*one.sent, Receipt(MessageRef(""), NOW)))
    assert settle.next_part(nameless).previous == one.sent[0].ref
