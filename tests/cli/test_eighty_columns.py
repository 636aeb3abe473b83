"""On a terminal of 80 columns no line is wider, whatever people and platforms call themselves; but for addresses."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import unicodedata
from collections.abc import Iterator

import pytest
from cli_rig import NETWORKS, SCRIPT, House, Process, Sandbox

COLUMNS = 80
NEWS = """+++
warning = "números, 数字 e mais palavras do que cabem numa linha, porque ninguém as contou antes de escrever"
[poll]
options = ["dois", "três"]
+++
今日は新しい版が出ました。今日は新しい版が出ました。今日は新しい版が出ました。 Details stand at
https://example.org/releases/2026/november/the-longest-address-that-anybody-has-ever-written/and-then-some-more.

    indented code, and a_word_that_has_no_end_and_goes_on_and_on_until_no_terminal_is_wide_enough_for_it_any_more
"""
LONG = "the-announcements-of-the-whole-house"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[tuple[House, Process]]:
    """On all networks, the accounts with long names."""
    house = House(tmp_path_factory.mktemp("eighty"), sandbox, NETWORKS)
    for network, keys in house.keys.items():
        keys["id"] = f"{network}/{LONG}"
    house.write()
    (house.folder / "news.md").write_text(NEWS)
    with house.gateway() as process:
        yield house, process


def on_a_terminal(house: House, *arguments: str) -> list[str]:
    """What a command shows there. The doctor looks for the secrets as well."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    environment = {**house.environment(secrets=arguments == ("doctor",)), "TERM": "xterm"}
    with subprocess.Popen([SCRIPT, *arguments], cwd=house.folder, env=environment, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b"".join(_until_the_end(ours))
    os.close(ours)
    return shown.decode().replace("\r\n", "\n").splitlines()


def _until_the_end(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 65_536)
        except OSError:  # Linux's word for the end of a terminal
            return
        if not data:
            return
        yield data


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in line)


def too_wide(lines: list[str]) -> list[str]:
    """An address is never cut, but stands alone."""
    return [line for line in lines if columns(line) > COLUMNS and not _is_address(line)]


def _is_address(line: str) -> bool:
    return "://" in line and len(line.strip(" |").split()) == 1


def test_of_what_is_announced_and_changed(up: tuple[House, Process]) -> None:
    house, process = up
    preview = on_a_terminal(house, "preview", "news.md")
    assert too_wide(preview) == []
    assert any("今日は" in line for line in preview)
    announced = on_a_terminal(house, "announce", "news.md", "--key", "k" * 60)
    assert too_wide(announced) == []
    process.until(lambda: all(row["state"] == "delivered" for row in house.ask("deliveries")))
    deliveries = on_a_terminal(house, "deliveries")
    assert too_wide(deliveries) == []
    urls = [url for row in house.ask("deliveries") for url in row["urls"][:1]]
    assert [line.strip() for line in deliveries if "://" in line] == urls
    (house.folder / "news.md").write_text(NEWS.partition("+++\n今日")[2])
    edited = on_a_terminal(house, "edit", "k" * 60, "news.md")
    assert too_wide(edited) == []
    assert any("refused" in line for line in edited)
    deleted = on_a_terminal(house, "delete", "k" * 60)
    assert too_wide(deleted) == []
    assert not any("://" in line for line in deleted)


def test_of_what_nobody_can_say(up: tuple[House, Process]) -> None:
    house, process = up
    telegram = f"telegram/{LONG}"
    with house.trouble("telegram", "drop_after", on="write", match="未知", count=1):
        (made,) = house.ask("announce", text="未知" * 50, accounts=[telegram])["deliveries"]
        process.until(lambda: house.ask("doubts") != [])
    shown = on_a_terminal(house, "deliveries", "--uncertain")
    assert too_wide(shown) == []
    assert any("says: 未知" in line and line.endswith("…") for line in shown)
    assert too_wide(on_a_terminal(house, "deliveries", "settle", made["id"], "--drop")) == []


PEOPLE = ("mastodon:@somebody.with.a.long.name@an.instance.with.a.long.name.example", "bluesky:ana." + "a" * 60)


@pytest.mark.parametrize(
    "command",
    [("status",), ("accounts",), ("accounts", "resume", f"x/{LONG}"), ("doctor",), ("link", *PEOPLE), ("link",),
     ("unlink", *PEOPLE), ("migrate",), ("backup", "copy.db")],
    ids=" ".join,
)  # fmt: skip
def test_of_accounts_and_people(up: tuple[House, Process], command: tuple[str, ...]) -> None:
    house, _ = up
    if command in (("link",), ("unlink", *PEOPLE)):
        house.ask("link", first=PEOPLE[0], second=PEOPLE[1])
    shown = on_a_terminal(house, *command)
    assert shown
    assert too_wide(shown) == []


def test_of_an_account_that_is_lost(up: tuple[House, Process]) -> None:
    house, process = up
    with house.trouble("mastodon", "suspend"):
        house.ask("announce", text="Lost", accounts=[f"mastodon/{LONG}"])
        process.until(lambda: any(row["standing"] == "suspended" for row in house.ask("accounts")))
        for command in ("status", "doctor", "deliveries"):
            shown = on_a_terminal(house, command)
            assert too_wide(shown) == [], command
        assert any("appeal" in line for line in on_a_terminal(house, "accounts"))


def test_of_help() -> None:
    from typer.main import get_command

    from gateway.cli import app

    for command in ("", *get_command(app).commands):  # type: ignore[attr-defined]  # it is a group
        done = subprocess.run(
            [SCRIPT, *command.split(), "--help"],
            env={"PATH": os.environ["PATH"], "COLUMNS": "80"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert too_wide(done.stdout.splitlines()) == []


def test_elsewhere_it_is_as_wide(up: tuple[House, Process]) -> None:
    house, _ = up
    shown = house.multihome("accounts", secrets=False).stdout
    assert shown.splitlines() == on_a_terminal(house, "accounts")
