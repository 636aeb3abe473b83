"""No gateway runs: the commands open the database themselves, and say so."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_rig import PNG, SCRIPT, House, told_of_the_encoding

Open = Callable[..., House]


def test_everything_works_on_the_database_alone_and_without_the_secrets(house: Open) -> None:
    h = house("mastodon", "bluesky")
    assert h.told("migrate", secrets=False) == {"running": False, "made": True, "schema": "0003"}
    assert h.told("migrate", secrets=False) == {"running": False, "made": False, "schema": "0003"}
    status = h.told("status", secrets=False)
    assert not status["running"]
    assert {row["account"]: row["standing"] for row in status["accounts"]} == {
        "mastodon/main": "connecting",
        "bluesky/main": "connecting",
    }
    answer = h.told("announce", "-", "--key", "k1", "-a", "mastodon/main", stdin=b"\xef\xbb\xbfHello", secrets=False)
    assert [one["state"] for one in answer["deliveries"]] == ["queued"]
    assert [{**row, "known": False} for row in h.told("deliveries", secrets=False)] == answer["deliveries"]
    assert h.told("deliveries", "--state", "held", secrets=False) == []
    linked = h.told("link", "mastodon:@ana", "bluesky:ana.example", secrets=False)
    assert linked["identities"] == ["mastodon:@ana", "bluesky:@ana.example"]
    assert [(one["first"], one["second"], one["evidence"]) for one in h.told("link", secrets=False)] == [
        ("mastodon:@ana", "bluesky:@ana.example", "operator")
    ]
    h.told("unlink", "mastodon:@ana", "bluesky:@ana.example", secrets=False)
    assert h.told("link", secrets=False) == []
    assert h.texts("mastodon") == []


def test_what_was_accepted_goes_out_when_a_gateway_starts(house: Open) -> None:
    h = house("mastodon")
    said = h.multihome("announce", "-", stdin=b"Later")
    assert "No gateway runs: it goes out when one is started" in said.stdout
    with h.gateway() as gateway:
        gateway.until(lambda: h.texts("mastodon") == ["Later"])
    assert [one["state"] for one in h.told("deliveries")] == ["delivered"]


def test_a_known_key_says_that_nothing_new_is_posted(house: Open) -> None:
    h = house("mastodon")
    first = h.multihome("announce", "-", "--key", "k", stdin=b"First words")
    assert "Announced before" not in first.stdout
    again = h.multihome("announce", "-", "--key", "k", stdin=b"Other words")
    assert again.returncode == 0
    assert "Announced before under this key" in again.stdout
    assert h.told("announce", "-", "--key", "k", stdin=b"Other words")["deliveries"][0]["known"] is True
    h.told("delete", "k")
    withdrawn = h.multihome("announce", "-", "--key", "k", stdin=b"Other words")
    assert withdrawn.returncode == 1
    assert "it goes out" not in withdrawn.stdout


def test_the_database_is_for_its_owner_alone(house: Open) -> None:
    h = house("mastodon")
    with h.gateway():
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in h.folder.glob("multihome.db*")}
    private = {name: mode for name, mode in modes.items() if not name.endswith(".lock")}
    assert {"multihome.db", "multihome.db-wal"} <= private.keys()
    assert not any(mode & 0o077 for mode in private.values())


def test_people_are_told_whose_knowledge_it_is(house: Open) -> None:
    h = house("mastodon")
    h.multihome("migrate")
    assert "No gateway runs" in h.multihome("status").stdout
    for command in ("deliveries", "accounts", "link"):
        assert "No gateway runs" in h.multihome(command).stderr


def test_the_standing_of_the_last_run_stays_readable(house: Open) -> None:
    h = house("mastodon")
    with h.trouble("mastodon", "suspend"):
        with h.gateway(healthy=False) as gateway:
            gateway.until(lambda: h.ask("accounts")[0]["standing"] == "suspended")
        row = h.told("accounts")[0]
        assert (row["standing"], row["can_send"]) == ("suspended", False)
        assert "appeal" in row["cure"]
        assert h.told("accounts", "resume", "mastodon/main")["standing"] == "healthy"
        assert h.told("accounts")[0]["standing"] == "healthy"


def test_an_image_is_taken_with_its_words(house: Open) -> None:
    h = house("mastodon")
    (h.folder / "words.txt").write_text("Look")
    (h.folder / "dot.png").write_bytes(PNG)
    h.told("announce", "words.txt", "--image", "dot.png", "--alt", "a dot")
    with h.gateway() as gateway:
        gateway.until(lambda: h.texts("mastodon") == ["Look"])
    media = h.sandbox.control("GET", f"mastodon/messages?by={h.handle}")[0]["media"]
    assert [(one["mime"], one["alt"]) for one in media] == [("image/png", "a dot")]


@pytest.fixture
def one(house: Open) -> House:
    return house("mastodon")


def test_unknown_names_are_answered_with_those_there_are(one: House) -> None:
    assert "there are: mastodon/main" in one.refused("announce", "-", "-a", "mastodon/mian", stdin=b"Hello")
    assert "there are: mastodon/main" in one.refused("deliveries", "-a", "x/main")
    assert "there are: mastodon/main" in one.refused("accounts", "resume", "x/main")
    assert "there are: waiting, queued" in one.refused("deliveries", "--state", "lost")
    assert "there are: mastodon" in one.refused("link", "mastdon:@ana", "mastodon:@ben")
    assert "write platform:@handle" in one.refused("link", "ana", "ben")
    assert "one identity already" in one.refused("link", "mastodon:@ana", "mastodon:@ana")
    assert "one identity already" in one.refused("link", "mastodon:@Ana", "mastodon:@ana")
    assert "are not linked" in one.refused("unlink", "mastodon:@ana", "mastodon:@ben")
    assert "Name two" in one.refused("link", "mastodon:@ana", code=2)
    assert "Name two" in one.refused("link", "", code=2)


def test_a_handle_that_is_said_to_be_an_id_is_told_in_one_line(one: House) -> None:
    said = one.refused("link", "mastodon:id=@ana", "mastodon:@ana")
    assert said.startswith("multihome: 'mastodon:id=@ana' is no identity: write platform:@handle")


def test_who_has_no_handle_is_unlinked_by_the_name_that_the_list_shows(one: House) -> None:
    one.told("link", "mastodon:@ana", "mastodon:id=12345")
    (listed,) = one.told("link")
    assert listed["second"] == "mastodon:id=12345"
    one.told("unlink", listed["first"], listed["second"])
    assert one.told("link") == []


def test_a_name_that_is_empty_is_no_list(one: House) -> None:
    """A script whose variable is not set names somebody all the same."""
    for more in ([], ["--json"]):
        assert "'' is no identity: write platform:@handle" in one.refused("link", "", "mastodon:@ana", *more)
        assert "'' is no identity: write platform:@handle" in one.refused("link", "mastodon:@ana", "", *more)
        assert "'' is no identity: write platform:@handle" in one.refused("link", "", "", *more)


def test_what_can_not_be_announced_is_told_before_anything_is_opened(one: House) -> None:
    (one.folder / "latin.txt").write_bytes(b"caf\xe9")
    (one.folder / "empty.txt").write_bytes(b" \n")
    (one.folder / "words.txt").write_bytes(b"Hello")
    (one.folder / "large.txt").write_bytes(b"a" * 2**21)
    (one.folder / "large.png").write_bytes(PNG + bytes(2**25))
    assert "byte 3 is not UTF-8" in one.refused("announce", "latin.txt")
    assert "nothing to announce" in one.refused("announce", "empty.txt")
    assert "nothing to announce" in one.refused("announce", "-")
    assert "larger than 1 MiB" in one.refused("announce", "large.txt")
    assert "a picture has 33554432 at most" in one.refused("announce", "words.txt", "--image", "large.png")
    assert "No such file" in one.refused("announce", "nothing.txt")
    assert "No such file" in one.refused("announce", "words.txt", "--image", "nothing.png")
    assert "Is a directory" in one.refused("announce", ".")
    assert "it is none of JPG, PNG" in one.refused("announce", "words.txt", "--image", "words.txt")
    assert "one --alt for each --image" in one.refused("announce", "words.txt", "--alt", "a dot")
    (one.folder / "outside.md").write_bytes(b"![up](../secret.png) ![down](sub/x.png)")
    assert "not in the file's own folder" in one.refused("announce", "outside.md")
    (one.folder / "missing.md").write_bytes(b"![down](x.png)")
    assert "x.png can't be read: No such file" in one.refused("announce", "missing.md")
    for name in ("x" * 300, "%c3%a9" * 150, "x/" * 3000):
        (one.folder / "longer.md").write_text(f"![down]({name}.png)")
        assert ".png can't be read: File name too long" in one.refused("announce", "longer.md")
    (one.folder / "loop.png").symlink_to("loop.png")
    (one.folder / "loop.md").write_bytes(b"![down](loop.png)")
    assert "loop.png can't be read: Too many levels of symbolic links" in one.refused("announce", "loop.md")
    assert not one.database.exists()
    (one.folder / "long.txt").write_bytes(b"a" * 200_000)
    assert "100000 are the most" in one.refused("announce", "long.txt")
    assert one.told("deliveries") == []


def test_an_argument_that_is_no_text_is_told_and_a_files_name_loses_it(one: House) -> None:
    told_of_the_encoding(one)


def test_a_closed_standard_input_is_told(one: House) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{SCRIPT} announce - <&-"],
        cwd=one.folder, env=one.environment(), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "multihome: standard input is closed: pipe the text in, or name a file\n"


@pytest.mark.parametrize("command", [["status"], ["run"], ["doctor"], ["migrate"]])
def test_a_configuration_that_can_not_be_used(one: House, command: list[str]) -> None:
    config = one.folder / "multihome.toml"
    config.write_text("[gateway\n")
    assert "not valid TOML" in one.refused(*command, code=2)
    config.write_bytes(b"# \xff")
    assert "not UTF-8" in one.refused(*command, code=2)
    config.unlink()
    assert "copy config.example.toml" in one.refused(*command, code=2)
    config.mkdir()
    assert "can't be read" in one.refused(*command, code=2)


def test_missing_secrets_stop_only_what_needs_them(one: House) -> None:
    for command in ("run", "doctor"):
        assert "is not set" in one.refused(command, code=2, secrets=False)
    assert one.told("status", secrets=False)["running"] is False


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()


@pytest.mark.parametrize("command", [["status"], ["run"], ["migrate"], ["doctor"]])
def test_a_database_that_can_not_be_used_is_left_alone(one: House, command: list[str]) -> None:
    one.multihome("migrate")
    _newer(one.database)
    before = one.database.read_bytes()
    assert "newer Multihome" in one.refused(*command)
    assert one.database.read_bytes() == before
    one.database.write_bytes(b"Dear diary,\n" * 100)
    assert "is not a database" in one.refused(*command)
    one.database.unlink()
    one.database.mkdir()
    assert "is a folder" in one.refused(*command)
    one.gateway_keys["database"] = "sqlite:///nowhere/multihome.db"
    one.write()
    assert "doesn't exist: make it" in one.refused(*command)


@pytest.mark.parametrize("command", [["status"], ["run"], ["migrate"]])
def test_a_database_that_another_gateway_holds_is_left_alone(one: House, command: list[str]) -> None:
    with one.database.with_name("multihome.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        assert f"another gateway (process {os.getpid()}) uses" in one.refused(*command)
    assert not one.database.exists()


def _serve(answer: bytes) -> tuple[socket.socket, int]:
    """A program that isn't a gateway, on loopback."""
    import threading

    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                line.recv(65_536)
                line.sendall(answer)

    threading.Thread(target=talk, daemon=True).start()
    return listener, listener.getsockname()[1]


@pytest.mark.parametrize(
    "left",
    [b"", b"{", b"[]", b'"x"', b"{}", b'{"url": 5, "token": "x"}', b'{"url": "file:///etc/passwd", "token": "x"}',
     b'{"url": "http://127.0.0.1:99999", "token": "x"}', b'{"url": "http://127.0.0.1:1", "token": "a\\r\\nb: c"}',
     b"\xff" * 10, b"[" * 100_000],
)  # fmt: skip
def test_a_damaged_endpoint_file_stands_in_nobodys_way(one: House, left: bytes) -> None:
    one.endpoint.write_bytes(left)
    assert one.told("status")["running"] is False


def test_the_file_of_a_killed_gateway_stands_in_nobodys_way(one: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one.endpoint.write_text(json.dumps({"url": f"http://127.0.0.1:{port}", "token": "x", "pid": 1}))
    assert one.told("status")["running"] is False
    for answer in (b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
                   b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"):  # fmt: skip
        listener, port = _serve(answer)
        one.endpoint.write_text(json.dumps({"url": f"http://127.0.0.1:{port}", "token": "x", "pid": 1}))
        assert one.told("status")["running"] is False
        listener.close()
