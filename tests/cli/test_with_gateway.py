"""A gateway runs: the commands ask it, over an endpoint that only its owner can use."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cli_rig import NETWORKS, PNG, House, Process, Sandbox, told_of_the_encoding
from PIL import Image


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[tuple[House, Process]]:
    """One gateway for this module, on all networks."""
    house = House(tmp_path_factory.mktemp("up"), sandbox, NETWORKS)
    with house.gateway() as process:
        yield house, process


def test_every_account_is_said_to_be_ready_in_one_line(up: tuple[House, Process]) -> None:
    house, process = up
    lines = process.err.read_text().splitlines()
    for network in house.accounts:
        assert sum(f"{network}/main: connecting -> healthy" in line for line in lines) == 1
    assert process.out.read_bytes() == b""


def test_the_endpoints_file_is_for_its_owner_alone(up: tuple[House, Process]) -> None:
    house, process = up
    assert stat.S_IMODE(house.endpoint.stat().st_mode) == 0o600
    assert json.loads(house.endpoint.read_text())["pid"] == process.popen.pid


def test_commands_ask_the_gateway_and_need_no_secrets(up: tuple[House, Process]) -> None:
    house, _ = up
    status = house.told("status", secrets=False)
    assert status["running"]
    assert {row["account"] for row in status["accounts"]} == {f"{name}/main" for name in NETWORKS}
    assert len(house.told("accounts", secrets=False)) == len(NETWORKS)
    assert house.told("migrate", secrets=False)["running"]
    assert house.told("accounts", "resume", "x/main", secrets=False)["running"]


def test_an_announcement_stands_once_on_every_network(up: tuple[House, Process]) -> None:
    house, process = up
    first = house.told("announce", "-", "--key", "once", stdin="Grüße 🦣 from https://example.com".encode())
    again = house.told("announce", "-", "--key", "once", stdin=b"Something else")
    assert [one["id"] for one in first["deliveries"]] == [one["id"] for one in again["deliveries"]]
    process.until(lambda: all(any("Grüße 🦣" in text for text in house.texts(name)) for name in NETWORKS))
    shown = house.multihome("deliveries").stdout.splitlines()
    assert sum(line.split()[-2:] == ["delivered", "once"] for line in shown) == len(NETWORKS)
    assert all(line == line.rstrip() for line in shown)


def test_an_argument_that_is_no_text_is_told_and_a_files_name_loses_it(up: tuple[House, Process]) -> None:
    house, process = up
    told_of_the_encoding(house)
    process.until(lambda: "Hi" in house.texts("mastodon"))


def test_doctor_only_reads(up: tuple[House, Process]) -> None:
    house, _ = up
    before = house.attempts()
    findings = house.told("doctor")
    assert all(finding["ok"] for finding in findings)
    assert {finding["what"] for finding in findings} == {
        "python",
        "sqlite",
        "gateway",
        *(f"{n}/main" for n in NETWORKS),
    }
    assert house.attempts() == before


def test_a_second_gateway_is_turned_away(up: tuple[House, Process]) -> None:
    house, process = up
    assert f"another gateway (process {process.popen.pid}) uses" in house.refused("run")
    assert house.told("status")["running"]


def test_a_token_that_is_not_the_gateways_is_told(up: tuple[House, Process]) -> None:
    house, _ = up
    whole = house.endpoint.read_text()
    try:
        house.endpoint.write_text(json.dumps({**json.loads(whole), "token": "x"}))
        said = house.refused("status")
    finally:
        house.endpoint.write_text(whole)
    assert "another gateway" in said
    assert "doesn't hold the token" in said


def test_a_configuration_with_another_workspace_asks_nothing_of_it(up: tuple[House, Process]) -> None:
    house, _ = up
    config = house.folder / "staging.toml"
    config.write_text((house.folder / "multihome.toml").read_text().replace("[gateway]", "[gateway]\nworkspace = 'b'"))
    before = house.told("deliveries")
    said = house.refused("announce", "-", "--config", str(config), stdin=b"For staging alone")
    assert "another database or workspace" in said
    assert house.told("deliveries") == before


def test_the_file_of_another_gateway_is_left_to_it(house: Callable[..., House]) -> None:
    h = house("mastodon")
    with h.gateway() as process:
        other = json.dumps({**json.loads(h.endpoint.read_text()), "token": "anothers"})
        h.endpoint.write_text(other)
        assert process.end() == 0
    assert h.endpoint.read_text() == other


def test_a_gateway_that_hangs_is_told_with_its_process(
    up: tuple[House, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.commands import caller
    from gateway.config import place_of

    house, process = up
    monkeypatch.setattr(caller, "TIMEOUT_S", 0.2)
    process.popen.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(caller.CallError, match=rf"process {process.popen.pid}\) didn't answer within .* end it"):
            caller.call(
                place_of(house.folder / "multihome.toml"), lambda: pytest.fail("it holds the database"), "status"
            )
    finally:
        process.popen.send_signal(signal.SIGCONT)
    assert house.ask("status")


# The endpoint, asked by who knows nothing good.


def post(
    house: House, path: str, body: bytes, *, method: str = "POST", **headers: str
) -> tuple[int, dict[str, str], Any]:
    address = json.loads(house.endpoint.read_text())
    line = http.client.HTTPConnection("127.0.0.1", int(address["url"].rpartition(":")[2]), timeout=30)
    try:
        given = {"Authorization": f"Bearer {address['token']}", **headers}
        line.request(method, path, body, {name: value for name, value in given.items() if value})
        answer = line.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read() or b"null")
    finally:
        line.close()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/local/status", b"", 200),
        ("/local/status", b"{}", 200),
        ("/local/nothing", b"{}", 404),
        ("/local/__init__", b"{}", 404),
        ("/local/_account", b"{}", 404),
        ("/elsewhere", b"{}", 404),
        ("/local/status", b"{", 400),
        ("/local/status", b"[]", 400),
        ("/local/status", b"\xff\xfe", 400),
        ("/local/status", b'{"self": 1}', 400),
        ("/local/announce", b"{}", 400),
        ("/local/announce", b'{"text": 5}', 400),
        ("/local/announce", b'{"text": ""}', 400),
        ("/local/announce", b'{"text": "a", "accounts": "x/main"}', 400),
        ("/local/announce", b'{"text": "a", "accounts": [null]}', 400),
        ("/local/announce", b'{"text": "a", "accounts": ["y/main"]}', 400),
        ("/local/announce", b'{"text": "a", "image": "@@@@"}', 400),
        ("/local/announce", b'{"text": "a", "image": "' + "ü".encode() + b'"}', 400),
        ("/local/announce", b'{"text": "\\ud800"}', 400),
        ("/local/announce", b'{"text": "a", "shout": true}', 400),
        ("/local/announce", b'{"text": "a", "key": "' + b"k" * 1000 + b'"}', 400),
        ("/local/announce", b'{"text": ' + b"[" * 100_000 + b"}", 400),
        ("/local/announce", b'{"text": "' + b"a" * 200_000 + b'"}', 400),
        ("/local/deliveries", b'{"limit": ' + b"9" * 400 + b"}", 200),
        ("/local/deliveries", b'{"limit": -1}', 200),
        ("/local/deliveries", b'{"limit": true}', 400),
        ("/local/deliveries", b'{"state": "gone"}', 400),
        ("/local/link", b'{"first": "a", "second": "b"}', 400),
        ("/local/link", b'{"first": "x:@' + b"a" * 100_000 + b'", "second": "x:@b"}', 400),
        ("/local/resume", b'{"account": "y/main"}', 400),
        ("/local/announce", b'{"text": "a", "media": [{"sha256": 1}]}', 400),
        ("/local/announce", b'{"text": "a", "files": []}', 400),
        ("/local/media", PNG, 200),
        ("/local/media?name=a%0Ab", PNG, 200),
        ("/local/media", b"{}", 400),
        ("/local/media", b"", 400),
    ],
)  # fmt: skip
def test_whatever_is_sent_is_answered_in_one_line(
    up: tuple[House, Process], path: str, body: bytes, status: int
) -> None:
    house, _ = up
    got, _, answer = post(house, path, body)
    assert got == status, answer
    if status != 200:
        assert isinstance(answer["error"], str)
        assert "\n" not in answer["error"]
        assert 0 < len(answer["error"]) < 500


def test_pictures_go_with_their_words(up: tuple[House, Process]) -> None:
    """Those of the command line in their order, those that the text names where it names them."""
    house, process = up
    (house.folder / "sub").mkdir()
    for name in ("one.png", "two.png", "sub/my dot.png"):
        (house.folder / name).write_bytes(PNG)
    (house.folder / "news.md").write_text("Three of them\n\n![my dot](<sub/my dot.png>)")
    pictures = ("--image", "one.png", "--image", "two.png", "--alt", "the first", "--alt", "the second")
    house.told("announce", "news.md", *pictures, "-a", "mastodon/main", secrets=False)
    process.until(lambda: "Three of them" in house.texts("mastodon"))
    found = house.sandbox.control("GET", f"mastodon/messages?by={house.handle}")
    (media,) = [one["media"] for one in found if one["text"] == "Three of them"]
    assert [(one["mime"], one["alt"]) for one in media] == [
        ("image/png", "my dot"), ("image/png", "the first"), ("image/png", "the second"),
    ]  # fmt: skip


def test_a_photograph_comes_to_every_network_as_it_takes_it(up: tuple[House, Process]) -> None:
    """Too large for most of them, lying on its side, and with the place it was taken at."""
    house, process = up
    photo = Image.frombytes("RGB", (2400, 1600), Random(1).randbytes(2400 * 1600 * 3))  # noqa: S311 - no secret
    notes = Image.Exif()
    notes[0x0112] = 6
    notes.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0)})
    photo.save(house.folder / "photo.jpg", quality=97, exif=notes)
    assert (house.folder / "photo.jpg").stat().st_size > 5_000_000
    (house.folder / "photo.md").write_text("A photograph\n\n![of noise](photo.jpg)")
    house.told("announce", "photo.md", secrets=False)
    process.until(lambda: all("A photograph" in house.texts(name) for name in NETWORKS))
    most = {"x": 5_000_000, "discord": 10_485_760, "telegram": 10_000_000, "bluesky": 2_000_000, "mastodon": 16_777_216}
    for name in NETWORKS:
        found = house.sandbox.control("GET", f"{name}/messages?by={house.handle}")
        (media,) = [one["media"] for one in found if one["text"] == "A photograph"]
        assert [one["mime"] for one in media] == ["image/jpeg"]
        assert media[0]["size_bytes"] <= most[name]
        assert media[0]["alt"] == ("" if name == "telegram" else "of noise")


def test_a_film_is_larger_than_other_requests_may_be(up: tuple[House, Process]) -> None:
    house, _ = up
    film = b"\0\0\0\x18ftypisom" + bytes(12) + (30_000_000).to_bytes(4) + b"mdat" + bytes(30_000_000 - 8)
    status, _, answer = post(house, "/local/media?name=film.mp4", film)
    assert (status, answer["mime"], answer["size_bytes"]) == (200, "video/mp4", len(film))
    status, _, answer = post(house, "/local/media", film * 4)
    assert (status, answer["error"]) == (413, "the file has more than 100000000 bytes; so many are the most")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD", "TRACE"])
def test_only_post_is_served(up: tuple[House, Process], method: str) -> None:
    assert post(up[0], "/local/status", b"", method=method)[0] == 405


def test_a_body_without_end_is_refused(up: tuple[House, Process]) -> None:
    house, _ = up
    status, _, answer = post(house, "/local/announce", b'{"text": "' + b"a" * (25 * 2**20) + b'"}')
    assert (status, answer["error"]) == (413, "the request is larger than 24 MiB")


@pytest.mark.parametrize("scheme", ["", "Bearer", "Bearer ", "Basic {}", "bearer{}", "{}", "Bearer {}x", "Bearer \xff"])
def test_without_the_token_nothing_is_told(up: tuple[House, Process], scheme: str) -> None:
    house, _ = up
    token = json.loads(house.endpoint.read_text())["token"]
    status, _, answer = post(house, "/local/status", b"{}", Authorization=scheme.format(token))
    assert status == 401
    assert set(answer) == {"error"}


def test_the_tokens_case_matters(up: tuple[House, Process]) -> None:
    house, _ = up
    token = json.loads(house.endpoint.read_text())["token"]
    assert post(house, "/local/status", b"{}", Authorization=f"Bearer {token.swapcase()}")[0] == 401


def test_a_web_page_gets_nothing(up: tuple[House, Process]) -> None:
    """Neither by a name that was pointed here (DNS rebinding), nor with a browser's permission (CORS)."""
    house, _ = up
    assert post(house, "/local/status", b"{}", Host="evil.example")[0] == 421
    assert post(house, "/local/status", b"{}", Host="evil.example:80", Origin="http://evil.example")[0] == 421
    status, headers, _ = post(
        house, "/local/status", b"", method="OPTIONS", Authorization="",
        Origin="https://evil.example", **{"Access-Control-Request-Method": "POST"},
    )  # fmt: skip
    assert status in (401, 405)
    assert not any(name.lower().startswith("access-control") for name in headers)


def test_what_is_no_http_harms_nobody(up: tuple[House, Process]) -> None:
    house, _ = up
    port = int(json.loads(house.endpoint.read_text())["url"].rpartition(":")[2])
    for rubbish in (b"\x16\x03\x01" * 100, b"POST /local/status HTTP/9.9\r\n\r\n", b"A" * 70_000 + b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
            line.sendall(rubbish)
            line.shutdown(socket.SHUT_WR)
            assert b" 500 " not in line.recv(4096)
    assert house.ask("status")


def test_the_endpoint_left_no_trouble_in_the_log(up: tuple[House, Process]) -> None:
    """The last one here: nothing above was a surprise to the gateway."""
    assert "Traceback" not in up[1].err.read_text()


# The gateway's own keys.


def test_the_port_is_the_configured_one_and_a_taken_one_is_told(tmp_path: Path, sandbox: Sandbox) -> None:
    house = House(tmp_path, sandbox, ("mastodon",))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        house.gateway_keys["api_port"] = taken.getsockname()[1]
        house.write()
        process = house.start("run")
        assert process.popen.wait(30) == 1
        why = f"api_port {taken.getsockname()[1]} can't be used (Address already in use)"
        cure = "choose another in [gateway], or 0 for any free one"
        assert process.err.read_text().splitlines()[-1] == f"multihome: {why}: {cure}"
    assert not house.endpoint.exists()
    with house.gateway(healthy=False):
        assert json.loads(house.endpoint.read_text())["url"].endswith(f":{house.gateway_keys['api_port']}")
    assert not house.endpoint.exists()


def test_the_command_line_finds_the_gateway_from_anywhere(up: tuple[House, Process], tmp_path: Path) -> None:
    house, _ = up
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert house.told("status", "--config", str(house.folder / "multihome.toml"))["running"]
    finally:
        os.chdir(before)
