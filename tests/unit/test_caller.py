"""How the command line finds out whom it talks to. Real sockets; who answers is made up here."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.commands import caller
from gateway.commands.caller import CallError, call
from gateway.commands.runs import Runs
from gateway.config import Config
from gateway.database_url import Place
from gateway.database_url import place as place_of


class OpenedError(Exception):
    """The database would be opened now."""


def load() -> Config:
    raise OpenedError


def here(folder: Path) -> Place:
    return place_of(f"sqlite:///{folder}/m.db", "default", folder)


def leave(folder: Path, listener: socket.socket, **more: str) -> None:
    """The file of a gateway that listens there."""
    whose = {"database": here(folder).database, "workspace": here(folder).workspace}
    address = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "token": "t0ken", "pid": 4321, **whose, **more}
    (folder / "m.db.endpoint").write_text(json.dumps(address))


@contextlib.contextmanager
def answering(folder: Path, answer: bytes, heard: list[bytes] | None = None) -> Iterator[Place]:
    """Somebody at the address in the endpoint file, who says this to everyone; gives the place."""
    listener = socket.create_server(("127.0.0.1", 0))
    leave(folder, listener)

    def serve() -> None:
        with contextlib.suppress(OSError):
            line, _ = listener.accept()
            with line:
                got = b""
                while not got.endswith(b"}"):
                    got += line.recv(65_536)
                if heard is not None:
                    heard.append(got)
                line.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield here(folder)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def http(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def test_an_answer_comes_from_the_running_gateway(tmp_path: Path) -> None:
    heard: list[bytes] = []
    with answering(tmp_path, http("200 OK", b'{"a": 1}'), heard) as place:
        assert call(place, load, "status", limit=5) == ({"a": 1}, Runs.HERE)
    assert b"POST /local/status HTTP/1.1" in heard[0]
    assert b"Authorization: Bearer t0ken" in heard[0]
    assert heard[0].endswith(b'{"limit":5}')


def test_its_refusal_is_passed_on(tmp_path: Path) -> None:
    with (
        answering(tmp_path, http("400 Bad Request", b'{"error": "no such account"}')) as place,
        pytest.raises(CallError, match=r"^no such account$"),
    ):
        call(place, load, "status")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        http("200 OK", b"<html>"),
        http("404 Not Found", b"{}"),
        http("302 Found", b""),
        http("401 Unauthorized", b'{"error": "the token is wrong"}'),
        http("421 Misdirected Request", b'{"error": "not here"}'),
        http("200 OK", b"[" * 100_000),
    ],
)
def test_a_stranger_at_the_address_is_passed_by(tmp_path: Path, answer: bytes) -> None:
    with answering(tmp_path, answer) as place, pytest.raises(OpenedError):
        call(place, load, "status")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
def test_a_gateway_that_dies_over_a_question_is_told(tmp_path: Path, answer: bytes) -> None:
    """It may have done what it was asked: nobody does it again."""
    with answering(tmp_path, answer) as place, pytest.raises(CallError, match="went away before it answered"):
        call(place, load, "announce", text="Hello")


def test_one_that_says_nothing_is_waited_for_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caller, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        leave(tmp_path, silent)
        with pytest.raises(CallError, match=r"process 4321\) didn't answer within"):
            call(here(tmp_path), load, "status")


@pytest.mark.parametrize(
    "left",
    [
        "",
        "{}",
        "[]",
        "5",
        '{"url": null, "token": null, "database": "d", "workspace": "w"}',
        '{"url": "http://127.0.0.1:5", "token": "a"}',
        '{"url": "http://127.0.0.1:5", "token": "a b", "database": "d", "workspace": "w"}',
        '{"url": "http://10.0.0.1:5", "token": "a", "database": "d", "workspace": "w"}',
        '{"url": "http://127.0.0.1:5@evil.example", "token": "a", "database": "d", "workspace": "w"}',
    ],
)
def test_a_damaged_file_leads_nowhere(tmp_path: Path, left: str) -> None:
    (tmp_path / "m.db.endpoint").write_text(left)
    with pytest.raises(OpenedError):
        call(here(tmp_path), load, "status")


def test_without_a_file_the_database_is_opened(tmp_path: Path) -> None:
    with pytest.raises(OpenedError):
        call(here(tmp_path), load, "status")


def test_what_the_database_says_comes_with_why_the_gateway_was_passed_by(tmp_path: Path) -> None:
    def refuse() -> Any:
        raise CallError("another gateway uses it")

    (tmp_path / "m.db.endpoint").write_text("{")
    with pytest.raises(CallError, match=r"^another gateway uses it \(.*m.db.endpoint is damaged.*\)$"):
        call(here(tmp_path), refuse, "status")


@pytest.mark.parametrize("other", [{"workspace": "staging"}, {"database": "postgresql://u@h/staging"}])
def test_a_gateway_with_another_home_is_asked_nothing(tmp_path: Path, other: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        leave(tmp_path, listener, **other)
        with pytest.raises(CallError, match=r"m.db.endpoint is of a gateway with another database or workspace"):
            call(here(tmp_path), load, "announce", text="Hello")
        with pytest.raises(BlockingIOError):
            listener.accept()
