"""adapters/border.py: whatever a library throws leaves as a fault, and what nobody knows is loud and uncertain."""

import asyncio
import logging
from datetime import UTC, datetime

import pytest

from adapters.border import EVIDENCE_MAX, Rule, Told, crossing, judge
from gateway.model.capabilities import LaneState
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.ids import ConversationId

RULES = (
    Rule(FaultKind.SUSPENDED, status=403, code="user-suspended"),
    Rule(FaultKind.LOCKED, status=403, text="temporarily LOCKED"),
    Rule(FaultKind.DUPLICATE, text="duplicate", certain=False),
    Rule(FaultKind.RATE_LIMITED, status=429),
)


class LibraryError(Exception):
    pass


def kind_and_certainty(told, rules=RULES):
    fault = judge(told, rules)
    return fault.kind, fault.certain


# The table.


@pytest.mark.parametrize(
    ("told", "kind", "certain"),
    [
        (Told("no", 403, ("user-suspended",)), FaultKind.SUSPENDED, True),
        (Told("Your account is Temporarily locked.", 403), FaultKind.LOCKED, True),
        (Told("Duplicate content", 400), FaultKind.DUPLICATE, False),
        (Told("slow down", 429), FaultKind.RATE_LIMITED, True),
    ],
)
def test_a_rule_holds_when_all_of_its_conditions_do(told, kind, certain):
    assert kind_and_certainty(told) == (kind, certain)


@pytest.mark.parametrize("kind", FaultKind)
def test_a_rule_that_says_nothing_is_certain_only_where_its_kind_can_be(kind):
    unclear = {FaultKind.NETWORK, FaultKind.SERVER, FaultKind.UNKNOWN}
    assert judge(Told("bad gateway", 502), (Rule(kind, status=502),)).certain is (kind not in unclear)
    for certain in (True, False):
        assert judge(Told("bad gateway", 502), (Rule(kind, status=502, certain=certain),)).certain is certain


def test_the_first_rule_wins():
    told = Told("temporarily locked, duplicate", 403, ("user-suspended",))
    assert kind_and_certainty(told)[0] is FaultKind.SUSPENDED
    assert kind_and_certainty(told, RULES[::-1])[0] is FaultKind.DUPLICATE


@pytest.mark.parametrize(
    ("told", "kind", "certain"),
    [
        (Told("refused", reached=False), FaultKind.NETWORK, True),
        (Told("reset"), FaultKind.UNKNOWN, False),
        (Told("bad gateway", 502), FaultKind.SERVER, False),
        (Told("user-suspended", 500, ("user-suspended",)), FaultKind.SERVER, False),
        (Told("forbidden", 403), FaultKind.FORBIDDEN, True),
        (Told("unauthorized", 401), FaultKind.FORBIDDEN, True),
        (Told("teapot", 418), FaultKind.UNKNOWN, False),
        (Told("odd", 200), FaultKind.UNKNOWN, False),
    ],
)
def test_without_a_rule_only_what_is_provable_is_certain(told, kind, certain):
    assert kind_and_certainty(told) == (kind, certain)


def test_a_bare_refusal_never_claims_that_the_account_is_lost():
    for status in (400, 401, 403, 404, 500, 503):
        assert kind_and_certainty(Told("no", status), ())[0] not in {
            FaultKind.SUSPENDED,
            FaultKind.LOCKED,
            FaultKind.SIGNED_OUT,
        }


def test_everything_that_was_told_comes_along():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    lanes = (LaneState("posts", 0, at.timestamp()),)
    fault = judge(Told("x", 429, ("a", "b"), retry_at=at, moved_to=ConversationId("c"), lanes=lanes), RULES)
    assert fault == Fault(FaultKind.RATE_LIMITED, True, "429 a b: x", at, ConversationId("c"), lanes)


@pytest.mark.parametrize(
    ("told", "evidence"),
    [
        (Told("  many\n\n lines\tof text "), "many lines of text"),
        (Told("", 500), "500: no text"),
        (Told("", None), "no text"),
    ],
)
def test_evidence_is_one_line(told, evidence):
    assert judge(told, ()).evidence == evidence


def test_evidence_is_bounded():
    fault = judge(Told("x" * 100_000, 500, ("y" * 100_000,)), ())
    assert len(fault.evidence) <= EVIDENCE_MAX


# The crossing.


async def cross(error, described=None):
    def describe(caught):
        assert caught is error
        return described

    async with crossing(describe, RULES, doing="send"):
        raise error


async def fault_of(error, described=None):
    with pytest.raises(FaultError) as caught:
        await cross(error, described)
    if error is not caught.value:
        assert caught.value.__cause__ is error
    return caught.value.fault


async def test_a_known_exception_is_judged_by_the_table_without_noise(caplog):
    fault = await fault_of(LibraryError(), Told("no", 403, ("user-suspended",)))
    assert (fault.kind, fault.certain) == (FaultKind.SUSPENDED, True)
    assert not caplog.records


async def test_a_time_out_is_uncertain():
    assert await fault_of(TimeoutError()) == Fault(FaultKind.NETWORK, False, "send: timed out")


async def test_a_time_out_that_the_adapter_knows_better_is_judged():
    fault = await fault_of(TimeoutError(), Told("no slot in the pool", reached=False))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, True)


async def test_an_exception_nobody_knows_is_uncertain_and_loud_but_tells_no_secret(caplog):
    fault = await fault_of(LibraryError("https://net.example/bot123:TOKEN/send"))
    assert fault == Fault(FaultKind.UNKNOWN, False, "send: LibraryError")
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "an exception no rule knows (LibraryError)" in caplog.text
    assert "in cross" in caplog.text
    assert "TOKEN" not in caplog.text


async def test_an_answer_nobody_knows_is_loud(caplog):
    fault = await fault_of(LibraryError(), Told("new in this version", 418))
    assert (fault.kind, fault.certain) == (FaultKind.UNKNOWN, False)
    assert "send: no rule for: 418: new in this version" in caplog.text


async def test_faults_and_cancellation_go_through_as_they_are():
    inner = FaultError(Fault(FaultKind.TOO_LONG, True, "x"))
    assert await fault_of(inner) is inner.fault
    with pytest.raises(asyncio.CancelledError):
        await cross(asyncio.CancelledError())


async def test_an_adapters_own_mistake_in_describing_is_loud_and_uncertain_as_well(caplog):
    def describe(error):
        raise KeyError(str(error))

    error = LibraryError("TOKEN")
    with pytest.raises(FaultError) as caught:
        async with crossing(describe, RULES, doing="send"):
            raise error
    assert caught.value.fault == Fault(FaultKind.UNKNOWN, False, "send: LibraryError")
    assert "a mistake in the adapter (KeyError)" in caplog.text
    assert "in describe" in caplog.text
    assert "TOKEN" not in caplog.text


async def test_what_works_crosses_untouched():
    async with crossing(lambda _: None, RULES, doing="send"):
        pass
