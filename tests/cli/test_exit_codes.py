"""What a command's end says to who started it: the codes of docs/operations.md that no other file here tries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from cli_rig import House

Open = Callable[..., House]
BROKEN = """
from gateway import cli

def app():
    raise KeyError("hush-hush")

cli.app = app
cli.main()
"""


@pytest.mark.parametrize("all_of_it", [False, True])
def test_a_bug_is_told_as_one(all_of_it: bool) -> None:
    environment = {**os.environ, "MULTIHOME_TRACEBACK": "1" if all_of_it else ""}
    done = subprocess.run(
        [sys.executable, "-c", BROKEN], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    if all_of_it:
        assert "KeyError: 'hush-hush'" in done.stderr
        return
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr == ("multihome: this is a bug: KeyError at <string>:5; MULTIHOME_TRACEBACK=1 shows all of it\n")


def test_what_is_stored_is_done_although_an_account_will_refuse_it(house: Open) -> None:
    h = house("bluesky", "mastodon")
    h.more = "\n[posting]\nparts_max = 1\n"
    h.write()
    words = b"Words that fill a post of Bluesky, not of Mastodon. " * 8
    assert h.multihome("preview", "-", stdin=words).returncode == 1
    assert h.multihome("announce", "-", "--key", "k", stdin=words).returncode == 0
    with h.gateway() as gateway:
        gateway.until(lambda: {row["state"] for row in h.ask("deliveries")} == {"delivered", "refused"})
    assert h.multihome("announce", "-", "--key", "k", stdin=words).returncode == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_gateway_that_isnt_up_yet(house: Open, number: int, code: int) -> None:
    h = house("mastodon")
    config = h.folder / "multihome.toml"
    config.unlink()
    os.mkfifo(config)
    gateway = h.start("run")
    with config.open("wb"):  # it is open once the gateway reads it, which then waits for its end
        assert gateway.end(number) == code
    assert "Traceback" not in gateway.err.read_text()
    assert not h.database.exists()
