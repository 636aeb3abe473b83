"""gateway/model/standing.py: explicit evidence acts at once, weather never by itself, and only proof brings back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.model.delivery import Fault, FaultKind
from gateway.model.ids import AccountId
from gateway.model.standing import (
    EXPLICIT,
    GONE,
    MEANING,
    OFFLINE_AFTER,
    RELAPSE,
    SUSPICIOUS,
    WEATHER,
    Record,
    Signal,
    Source,
    Standing,
    asks_probe,
    probe_pause,
    step,
)

ACCOUNT = AccountId("net/main")
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
AMBIGUOUS = sorted(set(FaultKind) - set(EXPLICIT))

sources = st.sampled_from(Source)
passive = st.sampled_from([Source.SEND, Source.RECEIVE])
booleans = st.booleans()


def record(standing, failures=0):
    return Record(ACCOUNT, standing, START, "before", failures)


records = st.builds(record, st.sampled_from(Standing), st.integers(0, OFFLINE_AFTER + 2))


def fault(kind, certain=True):
    return Fault(kind, certain, f"what the platform said of {kind}")


def signal(source, kind=None):
    return Signal(source, START + timedelta(seconds=5), "" if kind else "all is well", fault(kind) if kind else None)


signals = st.builds(signal, sources, st.none() | st.sampled_from(FaultKind))


def play(start, played, *, probe_sees_lock=True):
    for observed in played:
        start = step(start, observed, probe_sees_lock=probe_sees_lock)
    return start


# What must never take an account down.


@given(records, st.lists(st.builds(signal, passive, st.sampled_from(AMBIGUOUS)), max_size=30), booleans)
def test_ambiguous_faults_move_nothing_however_many(before, played, sees):
    assert play(before, played, probe_sees_lock=sees) is before


@pytest.mark.parametrize("kind", [FaultKind.SERVER, FaultKind.FORBIDDEN, FaultKind.NETWORK, FaultKind.UNKNOWN])
def test_one_bad_answer_to_a_send_only_asks_the_probe(kind):
    bad = signal(Source.SEND, kind)
    healthy = record(Standing.HEALTHY)
    assert step(healthy, bad, probe_sees_lock=True) is healthy
    assert asks_probe(bad)


@given(st.sampled_from(FaultKind), sources)
def test_the_probe_is_asked_about_suspicion_that_is_not_its_own(kind, source):
    can_ask = source not in (Source.PROBE, Source.OPEN)  # what can't be opened has no probe
    assert asks_probe(signal(source, kind)) == (kind in SUSPICIOUS and can_ask)
    assert not asks_probe(signal(source))


@given(st.lists(st.builds(signal, st.just(Source.PROBE), st.sampled_from(sorted(SUSPICIOUS))), max_size=30))
def test_failed_probes_alone_never_claim_a_suspension(played):
    assert play(record(Standing.HEALTHY), played).standing not in GONE


@given(st.lists(st.builds(signal, st.just(Source.PROBE), st.sampled_from(sorted(SUSPICIOUS - WEATHER))), max_size=30))
def test_an_ambiguous_refusal_never_counts_as_an_outage(played):
    assert play(record(Standing.HEALTHY), played).standing is not Standing.OFFLINE


@given(st.integers(0, OFFLINE_AFTER + 2), st.sampled_from(sorted(WEATHER)))
def test_offline_takes_a_row_of_failed_probes(count, kind):
    after = play(record(Standing.HEALTHY), [signal(Source.PROBE, kind)] * count)
    assert (after.standing is Standing.OFFLINE) == (count >= OFFLINE_AFTER)
    assert MEANING[after.standing].can_send == (count < OFFLINE_AFTER)


@given(st.integers(0, OFFLINE_AFTER + 2), st.sampled_from(sorted(SUSPICIOUS)))
def test_what_cannot_be_opened_in_a_row_of_tries_is_offline_whatever_the_cause(count, kind):
    after = play(record(Standing.CONNECTING), [signal(Source.OPEN, kind)] * count)
    assert after.standing is (Standing.OFFLINE if count >= OFFLINE_AFTER else Standing.CONNECTING)


@given(st.lists(st.sampled_from([*WEATHER, None]), max_size=40))
def test_a_probe_that_works_starts_the_count_anew(outcomes):
    in_a_row = 0
    state = record(Standing.HEALTHY)
    for kind in outcomes:
        state = step(state, signal(Source.PROBE, kind), probe_sees_lock=True)
        in_a_row = in_a_row + 1 if kind else 0
        assert (state.standing is Standing.OFFLINE) == (in_a_row >= OFFLINE_AFTER)


# What must act at once.


@given(records, sources, st.sampled_from(sorted(EXPLICIT)), booleans)
def test_explicit_evidence_acts_at_once_whoever_saw_it(before, source, kind, sees):
    after = step(before, signal(source, kind), probe_sees_lock=sees)
    assert after.standing is EXPLICIT[kind]
    assert not after.can_send


@given(st.sampled_from(sorted(GONE)), st.lists(st.builds(signal, sources, st.sampled_from(AMBIGUOUS)), max_size=20))
def test_weather_never_hides_why_an_account_was_lost(standing, played):
    assert play(record(standing), played).standing is standing


# What brings back.


@given(records, st.lists(st.builds(signal, passive, st.none() | st.sampled_from(AMBIGUOUS)), max_size=20), booleans)
def test_no_send_or_receive_makes_an_account_healthy(before, played, sees):
    after = play(before, played, probe_sees_lock=sees)
    assert after.standing is before.standing


@given(records, st.sampled_from([Source.PROBE, Source.OPERATOR]))
def test_a_probe_or_the_operator_brings_back(before, source):
    after = step(before, signal(source), probe_sees_lock=True)
    assert (after.standing, after.failures) == (Standing.HEALTHY, 0)


@given(
    st.lists(st.builds(signal, st.just(Source.PROBE) | passive, st.none() | st.sampled_from(AMBIGUOUS)), max_size=20)
)
def test_a_lock_that_the_probe_cannot_see_is_lifted_by_the_operator_alone(played):
    locked = play(record(Standing.LOCKED), played, probe_sees_lock=False)
    assert locked.standing is Standing.LOCKED
    assert step(locked, signal(Source.OPERATOR), probe_sees_lock=False).standing is Standing.HEALTHY


# What is one loss.


@given(
    st.sampled_from(sorted(GONE)),
    st.lists(st.builds(signal, sources, st.sampled_from([*EXPLICIT, *AMBIGUOUS])), max_size=20),
    booleans,
)
def test_until_it_can_send_again_a_lost_account_has_one_loss(standing, played, sees):
    after = play(record(standing), played, probe_sees_lock=sees)
    assert not after.can_send
    assert after.lost_since == START


@pytest.mark.parametrize(("away", "is_same"), [(RELAPSE, True), (RELAPSE + timedelta(microseconds=1), False)])
@pytest.mark.parametrize("between", [(), (FaultKind.SERVER,) * OFFLINE_AFTER, (FaultKind.SERVER, None)])
def test_an_account_lost_again_soon_after_it_was_back_has_the_same_loss(away, is_same, between):
    lost = signal(Source.SEND, FaultKind.LOCKED)
    again = structs.replace(signal(Source.SEND, FaultKind.SUSPENDED), at=lost.at + away)
    back = [structs.replace(signal(Source.OPERATOR), at=lost.at)]
    meanwhile = [structs.replace(signal(Source.PROBE, kind), at=again.at) for kind in between]
    after = play(record(Standing.HEALTHY), [lost, *back, *meanwhile, again])
    assert after.since == again.at
    assert after.lost_since == (lost.at if is_same else again.at)


# How it is told.


@given(records, st.lists(signals, max_size=20), booleans)
def test_every_change_says_when_and_by_what_evidence(before, played, sees):
    for observed in played:
        after = step(before, observed, probe_sees_lock=sees)
        if after.standing is not before.standing:
            said = observed.evidence or observed.fault.evidence
            assert after.evidence == f"{observed.source}: {said}"
            assert after.since == observed.at
        else:
            assert (after.since, after.evidence) == (before.since, before.evidence)
        assert after.account == before.account
        before = after


@given(records, signals, booleans)
def test_what_was_said_already_changes_nothing_more(before, observed, sees):
    after = step(before, observed, probe_sees_lock=sees)
    counted = observed.source in (Source.PROBE, Source.OPEN)
    counts_failures = counted and observed.fault and observed.fault.kind in SUSPICIOUS
    if not counts_failures:
        assert step(after, observed, probe_sees_lock=sees) is after


def test_a_later_word_on_when_to_come_back_is_kept():
    def limited(minutes):
        told = Fault(FaultKind.QUOTA, True, "spent", retry_at=START + timedelta(minutes=minutes))
        return Signal(Source.SEND, START, "", told)

    first = step(record(Standing.HEALTHY), limited(5), probe_sees_lock=True)
    assert first.retry_at == START + timedelta(minutes=5)
    assert step(first, limited(9), probe_sees_lock=True).retry_at == START + timedelta(minutes=9)


def test_every_standing_has_a_meaning_and_what_cannot_send_names_a_cure():
    assert MEANING.keys() == set(Standing)
    assert all(meaning.cure for meaning in MEANING.values())
    assert not any(MEANING[standing].can_send for standing in GONE)


@given(st.integers(0, 1000), st.floats(0.001, 100), st.floats(100, 10_000))
def test_probes_pause_longer_and_longer_up_to_a_limit(failed, first_s, longest_s):
    pause, later = (probe_pause(count, first_s=first_s, longest_s=longest_s) for count in (failed, failed + 1))
    assert timedelta(0) < pause <= later <= timedelta(seconds=longest_s)
    assert probe_pause(0, first_s=first_s, longest_s=longest_s) == timedelta(seconds=first_s)
