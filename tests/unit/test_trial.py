"""The configuration that a sandbox writes: it loads, keeps its secrets apart, and spares what others wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from gateway import config, wiring
from gateway.commands import trial
from gateway.model.secret import Secret

NETWORKS = {
    "telegram": {
        "settings": {"id": "telegram/main", "server": "http://127.0.0.1:1", "token": {"env": "TOKEN"}},
        "environment": {"TOKEN": "1:hush-hush"},
    },
    "mastodon": {
        "settings": {"id": "mastodon/main", "server": "http://127.0.0.1:2", "access_token": {"env": "OTHER"}},
        "environment": {"OTHER": 'a "quoted" \\ one'},
    },
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_what_is_written_loads_with_its_secrets(tmp_path: Path) -> None:
    trial.write(tmp_path / "trial.toml", NETWORKS, "my_agent:reply")
    loaded = config.load(tmp_path / "trial.toml", wiring.platforms(), {})
    assert [account.id for account in loaded.accounts] == ["telegram/main", "mastodon/main"]
    first, second = (structs.asdict(account.settings) for account in loaded.accounts)
    assert first["token"] == Secret("1:hush-hush")
    assert second["access_token"] == Secret('a "quoted" \\ one')
    assert {route.source: route.divert_to for route in loaded.routes} == {
        "telegram/main": ("mastodon/main",),
        "mastodon/main": ("telegram/main",),
    }
    assert loaded.agent is not None
    assert loaded.agent.handler == "my_agent:reply"


def test_secrets_are_for_the_owner_alone_and_not_in_the_file(tmp_path: Path) -> None:
    trial.write(tmp_path / "trial.toml", NETWORKS)
    assert "hush-hush" not in (tmp_path / "trial.toml").read_text()
    (folder,) = tmp_path.glob("multihome-sandbox-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_the_next_sandbox_begins_with_an_empty_database(tmp_path: Path) -> None:
    databases = set()
    for _ in range(2):
        trial.write(tmp_path / "trial.toml", NETWORKS)
        databases.add(config.place_of(tmp_path / "trial.toml").database)
    assert len(databases) == 2


def test_what_somebody_wrote_by_hand_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "multihome.toml").write_text("# mine\n")
    with pytest.raises(trial.TrialError, match="left alone"):
        trial.write(tmp_path / "multihome.toml", NETWORKS)
    assert (tmp_path / "multihome.toml").read_text() == "# mine\n"


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(trial.TrialError, match="No such file or directory"):
        trial.write(tmp_path / "nowhere" / "trial.toml", NETWORKS)
