"""Gateways on one PostgreSQL, each with a folder of its own: what the commands say beside each, and where none runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_rig import House, Process, Sandbox
from postgres_rig import Postgres

NETWORKS = ("bluesky", "mastodon", "telegram")
ACCOUNTS = {f"{name}/main" for name in NETWORKS}
NOT_HERE = "No gateway runs here"


class Shared(House):
    """Its gateway's own files stand beside its configuration."""

    @property
    def endpoint(self) -> Path:
        return self.folder / "multihome.endpoint"

    def neighbour(self, name: str) -> Shared:
        """The same accounts and configuration, in another folder."""
        other = object.__new__(Shared)
        other.__dict__.update(self.__dict__)
        other.folder = self.folder / name
        other.folder.mkdir()
        for file in ("house_agent.py", "multihome.toml"):
            shutil.copy(self.folder / file, other.folder / file)
        return other


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox, postgres: Postgres
) -> Iterator[tuple[Shared, Shared, Shared, Process]]:
    """Two gateways that have shared the accounts out, and a folder where none runs."""
    one = Shared(tmp_path_factory.mktemp("shared"), sandbox, NETWORKS)
    one.gateway_keys |= {"database": postgres.new_database(), "vault_key": {"env": "VAULT_KEY"}}
    one.secrets["VAULT_KEY"] = "a key of more than thirty-two characters"
    one.write()
    two, none = one.neighbour("two"), one.neighbour("none")
    with one.gateway() as process, two.gateway():
        process.until(lambda: len({row["gateway"] for row in one.ask("accounts")} - {""}) == 2)
        process.until(lambda: all(row["standing"] == "healthy" for row in one.ask("accounts")))
        yield one, two, none, process


Open = tuple[Shared, Shared, Shared, Process]


def standings(house: Shared) -> dict[str, tuple[str, str]]:
    return {row["account"]: (row["standing"], row["since"]) for row in house.ask("accounts")}


def findings(house: Shared, code: int = 0) -> dict[str, dict[str, Any]]:
    done = house.multihome("doctor", "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return {one["what"]: one for one in json.loads(done.stdout) if "/" in one["what"]}


def test_each_gateways_doctor_finds_the_others_accounts_well(town: Open) -> None:
    one, two, _, _ = town
    holders = {row["account"]: row["gateway"] for row in one.ask("accounts")}
    told_elsewhere = set()
    for house in (one, two):
        found = findings(house)
        assert found.keys() == ACCOUNTS
        elsewhere = {name for name, finding in found.items() if f"at {holders[name]}, which has it" in finding["found"]}
        assert 0 < len(elsewhere) < len(ACCOUNTS)
        told_elsewhere |= elsewhere
    assert told_elsewhere == ACCOUNTS


def test_a_loss_at_another_gateway_is_found_with_its_cure(town: Open) -> None:
    one, two, _, process = town
    with one.trouble("telegram", "revoke"):
        one.told("announce", "-", "-a", "telegram/main", stdin=b"Lost")
        for house in (one, two):
            process.until(lambda at=house: standings(at)["telegram/main"][0] == "signed_out")
            found = findings(house, 1)
            assert [name for name, finding in found.items() if not finding["ok"]] == ["telegram/main"]
            assert "new credential" in found["telegram/main"]["cure"]
    process.until(lambda: all(standing == "healthy" for standing, _ in standings(one).values()))


def test_each_shows_what_would_be_posted_everywhere(town: Open) -> None:
    one, two, none, _ = town
    shown = [house.told("preview", "-", stdin=b"Hello", secrets=False) for house in (one, two, none)]
    assert {row["account"] for row in shown[0]} == ACCOUNTS
    assert shown[1] == shown[2] == shown[0]


def test_a_look_from_outside_changes_no_gateways_mind(town: Open) -> None:
    """With neither the secrets nor the key that seals what is kept."""
    one, _, none, process = town
    before = standings(one)
    none.told("preview", "-", stdin=b"Hello", secrets=False)
    stranger = none.neighbour("stranger")
    stranger.secrets = {**none.secrets, "VAULT_KEY": "another key of more than thirty-two characters"}
    assert not findings(stranger, 1)["bluesky/main"]["ok"]
    one.told("announce", "-", "-a", "mastodon/main", stdin=b"Goes on")
    process.until(lambda: "Goes on" in one.texts("mastodon"))
    assert standings(one) == before


def test_where_none_runs_the_others_do_what_was_asked_for(town: Open) -> None:
    one, _, none, process = town
    assert none.told("status")["running"] is False
    assert none.multihome("accounts").stderr == f"{NOT_HERE}: this is what the database knows.\n"
    done = none.multihome("announce", "-", "--key", "here", "-a", "mastodon/main", stdin=b"First words")
    assert f"{NOT_HERE}: another one sends it." in done.stdout, done.stderr
    process.until(lambda: "First words" in one.texts("mastodon"))
    said = none.multihome("edit", "here", "-", stdin=b"Second words").stdout
    assert f"{NOT_HERE}: what has left is changed by another one." in said
    process.until(lambda: "Second words" in one.texts("mastodon"))
    said = none.multihome("accounts", "resume", "mastodon/main").stdout
    assert said == f"{NOT_HERE}: mastodon/main is tried by the one that has it.\n"
    assert "not running here, but elsewhere" in none.multihome("doctor").stdout
