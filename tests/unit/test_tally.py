"""The demonstration's count can fail: each kind of harm is seen."""

from __future__ import annotations

from gateway.demo.play import succeeded
from gateway.demo.tally import Expected, Found, Loss, Tried, found_in, tally, tried_on

LOSS = Loss("x", "suspended", 100.0, 200.0)
EXPECTED = [
    Expected("a1", "x", 10.0),
    Expected("a1", "bluesky", 10.0),
    Expected("p1", "x", 20.0),
    Expected("p2", "x", 120.0),
    Expected("a2", "x", 130.0),
    Expected("a2", "bluesky", 130.0),
    Expected("r1", "bluesky", 140.0),
]
FOUND = [
    Found("a1", "x", 11.0),
    Found("a1", "bluesky", 11.0),
    Found("p1", "x", 21.0),
    Found("p2", "bluesky", 121.5),
    Found("a2", "bluesky", 131.0),
    Found("r1", "bluesky", 141.0),
    Found("a2", "x", 201.0),
]
TRIED = [Tried("p2", "x", "refused", 121.0), Tried("p2", "bluesky", "accepted", 121.5)]


def count(found: list[Found] | None = None, tried: list[Tried] | None = None, parked: int = 0) -> dict[str, object]:
    return tally(EXPECTED, FOUND if found is None else found, TRIED if tried is None else tried, LOSS, parked)


def test_all_is_well() -> None:
    result = count()
    assert succeeded(result)
    assert (result["accepted"], result["delivered"], result["diverted"], result["held"]) == (7, 6, 1, 1)
    assert result["failover_seconds"] == 0.5
    assert result["per_platform"]["x"] == {  # type: ignore[index]
        "accepted": 4, "delivered": 3, "diverted": 1, "held": 1, "doubled": 0, "lost": 0,
    }  # fmt: skip


def test_a_missing_post_is_lost_unless_the_gateway_shows_it_waiting() -> None:
    without = [one for one in FOUND if one.mark != "p2"]
    assert count(without)["lost"] == 1
    assert not succeeded(count(without))
    assert (count(without, parked=1)["lost"], count(without, parked=1)["waiting"]) == (0, 1)


def test_an_announcement_on_another_network_does_not_stand_for_a_lost_copy() -> None:
    assert count([one for one in FOUND if (one.mark, one.network) != ("a2", "x")])["lost"] == 1


def test_a_second_copy_is_doubled_at_home_or_abroad() -> None:
    assert count([*FOUND, Found("a1", "x", 12.0)])["doubled"] == 1
    assert count([*FOUND, Found("p2", "x", 202.0)])["doubled"] == 1


def test_an_overtaken_post_is_out_of_order() -> None:
    early = [FOUND[2], FOUND[0], *FOUND[1:2], *FOUND[3:]]
    assert count(early)["out_of_order"] == 1


def test_answers_have_an_order_in_their_own_conversation_only() -> None:
    asked = [
        Expected("r1", "x", 10.0, "thread"),
        Expected("r2", "x", 11.0, "thread"),
        Expected("r3", "x", 12.0, "other"),
    ]
    found = [Found(mark, "bluesky", 13.0) for mark in ("r3", "r2", "r1")]
    assert tally(asked, found, [], LOSS, 0)["out_of_order"] == 1
    assert tally(asked, [found[0], found[2], found[1]], [], LOSS, 0)["out_of_order"] == 0


def test_a_missing_answer_is_a_failure() -> None:
    result = count([one for one in FOUND if one.mark != "r1"], parked=1)
    assert result["lost"] == 0
    assert not succeeded(result)


def test_a_send_long_after_the_first_refusal_is_seen() -> None:
    assert count(tried=[*TRIED, Tried("a2", "x", "refused", 121.5)])["sent_while_suspended"] == 0
    assert count(tried=[*TRIED, Tried("a2", "x", "refused", 123.0)])["sent_while_suspended"] == 1


def test_in_an_outage_only_what_was_accepted_counts() -> None:
    outage = Loss("x", "outage", 100.0, 200.0)
    tried = [Tried("p2", "x", "failed", 121.0), Tried("a2", "x", "accepted", 150.0)]
    result = tally(EXPECTED, FOUND, tried, outage, 0)
    assert (result["sent_while_suspended"], result["failover_seconds"]) == (1, None)


def test_marks_are_read_from_what_the_control_tells() -> None:
    at = "2026-11-22T12:00:00+00:00"
    assert [f.mark for f in found_in("x", [{"text": "hi #a12", "conversation": "", "at": at}])] == ["a12"]
    assert found_in("x", [{"text": "a notice", "conversation": "", "at": at}]) == []
    assert [t.outcome for t in tried_on("x", [{"text": "#p3", "outcome": "refused", "at_unix_s": 1.0}])] == ["refused"]
