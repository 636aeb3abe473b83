"""Identities as people spell them, and the ids that the house makes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.directory import DirectoryError, parse_identity
from gateway.ids import id_source
from gateway.model.identity import PERSON, Identity
from gateway.testing.kit import ManualClock

CHANCE = random.Random(1)  # noqa: S311 - the test owns chance


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("x:@ana", Identity("x", "", "ana")),
        ("  x:@ana ", Identity("x", "", "ana")),
        ("bluesky:ana.example", Identity("bluesky", "", "ana.example")),
        ("mastodon:@ana@mastodon.example", Identity("mastodon", "", "ana@mastodon.example")),
        ("mastodon:ana@mastodon.example", Identity("mastodon", "", "ana@mastodon.example")),
        ("bluesky:id=did:plc:abc", Identity("bluesky", "did:plc:abc", "")),
        ("telegram:id=123", Identity("telegram", "123", "")),
    ],
)
def test_an_identity_is_spelled_with_its_platform(spelled: str, meant: Identity) -> None:
    assert parse_identity(spelled) == meant


@pytest.mark.parametrize(
    "spelled", ["", "ana", "@ana", "x:", "x:@", "x:@@ana", "x:id=", ":@ana", "X:@ana", "x:@a na", "x:@" + "a" * 400]
)
def test_what_names_nobody_is_told(spelled: str) -> None:
    with pytest.raises(DirectoryError, match="write platform:@handle, or platform:id=…") as told:
        parse_identity(spelled)
    assert len(str(told.value)) < 250


@pytest.mark.parametrize(
    "identity",
    [Identity("x", "", "ana"), Identity("x", "12345"), Identity("bluesky", "did:plc:abc"), Identity(PERSON, "p1")],
)
def test_what_is_shown_of_somebody_names_them_again(identity: Identity) -> None:
    assert parse_identity(str(identity)) == identity


@given(st.text(max_size=60))
def test_no_spelling_is_a_surprise(spelled: str) -> None:
    try:
        found = parse_identity(spelled)
    except DirectoryError:
        return
    assert found.platform
    assert bool(found.id) != bool(found.handle)


async def test_ids_are_unique_and_sort_by_time() -> None:
    clock = ManualClock()
    new_id = id_source(clock, CHANCE)
    made = []
    for _ in range(200):
        made.append(new_id())
        await clock.advance(0.001)
    assert made == sorted(made)
    assert len({new_id() for _ in range(1000)}) == 1000
    assert all(len(one) == 20 and one.isalnum() and one == one.lower() for one in made)


def test_an_id_keeps_its_length_for_centuries() -> None:
    for years in (0, 300, 2000):
        clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=365 * years))
        assert len(id_source(clock, CHANCE)()) == 20
