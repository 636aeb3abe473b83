"""The line to a Bluesky server: tokens and their renewal, clients, and everything that can happen on the wire."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from base64 import urlsafe_b64encode
from itertools import pairwise
from typing import Any

import httpx
import pytest
from atproto_client.exceptions import InvokeTimeoutError
from atproto_client.request import AsyncRequest
from bluesky_rig import (
    CREATE,
    REFRESH,
    Rig,
    bluesky_rig,  # noqa: F401 - a fixture
    fault_of,
    listening,
    one_part,
    raw_server,
)
from msgspec import structs

from adapters.bluesky import transport, wire
from adapters.bluesky.pages import Page
from adapters.bluesky.profile import Settings
from adapters.bluesky.session import Answer, Session, Tokens
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.secret import Secret
from gateway.testing.kit import Bench, ManualClock, MemoryVault
from gateway.vault import VaultError

K = FaultKind


# Sessions.


async def test_signing_in_asks_for_no_profile(rig: Rig) -> None:
    adapter = await rig.open(public_server="")
    await adapter.send(one_part(adapter, "hello"))
    assert rig.face.calls == [CREATE, "com.atproto.repo.putRecord"]


async def test_opening_says_nothing_to_anybody(rig: Rig) -> None:
    await rig.open()
    assert rig.face.calls == []


async def test_a_restart_takes_up_the_session(rig: Rig) -> None:
    first = await rig.open()
    await first.check()
    await first.aclose()
    second = await rig.open()
    await second.send(one_part(second, "hello again"))
    assert rig.called(CREATE) == 1
    assert rig.called(REFRESH) == 0


async def test_another_accounts_session_is_not_taken_up(rig: Rig) -> None:
    first = await rig.open()
    await first.check()
    second = await rig.open(identifier=rig.member.id)
    await second.check()
    assert rig.called(CREATE) == 2


async def test_a_kept_session_that_cant_be_read_is_no_obstacle(rig: Rig) -> None:
    rig.bench.vault.secrets["session"] = Secret("{broken")
    adapter = await rig.open()
    assert (await adapter.check()).fault is None


async def test_a_token_that_ends_is_renewed_once_for_all(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.check()
    rig.face.sessions.expire(rig.member)
    parts = [one_part(adapter, f"number {n}") for n in range(20)]
    receipts = await asyncio.gather(*(adapter.send(part) for part in parts))
    assert len({receipt.ref for receipt in receipts}) == len(rig.held()) == 20
    assert (rig.called(REFRESH), rig.called(CREATE)) == (1, 1)


async def test_a_renewed_session_is_kept(rig: Rig) -> None:
    first = await rig.open()
    await first.check()
    rig.face.sessions.expire(rig.member)
    await first.check()
    second = await rig.open()
    await second.check()
    assert (rig.called(REFRESH), rig.called(CREATE)) == (1, 1)


class FullVault(MemoryVault):
    """A disk that is full ``times`` times."""

    def __init__(self, times: int, error: type[Exception]) -> None:
        super().__init__()
        self.left, self.error = times, error

    async def put(self, name: str, secret: Secret) -> None:
        self.left -= 1
        if self.left >= 0:
            raise self.error("no space left on device", secret.reveal())
        await super().put(name, secret)


@pytest.mark.parametrize("error", [OSError, VaultError])
@pytest.mark.parametrize("begun", [True, False])
async def test_a_session_that_cant_be_kept_is_used_and_kept_later(
    rig: Rig, error: type[Exception], begun: bool, caplog: pytest.LogCaptureFixture
) -> None:
    vault = FullVault(0, error)
    rig.bench.context = structs.replace(rig.bench.context, vault=vault)
    adapter = await rig.open()
    if begun:
        await adapter.check()
        rig.face.sessions.expire(rig.member)
    before = dict(vault.secrets)
    vault.left = 2
    await adapter.send(one_part(adapter, "first"))
    assert vault.secrets == before
    for text in ("second", "third"):
        await adapter.send(one_part(adapter, text))
    kept = json.loads(vault.secrets["session"].reveal())
    assert (kept["access"], len(rig.held())) == (adapter._session._tokens.access, 3)  # type: ignore[union-attr]  # it is there
    assert (rig.called(REFRESH), rig.called(CREATE)) == (int(begun), 1)
    assert [one.levelname for one in caplog.records if "can't be kept" in one.message] == ["ERROR"]
    assert kept["refresh"] not in caplog.text


async def test_at_the_end_a_session_is_kept_that_could_not_be_before(rig: Rig) -> None:
    vault = FullVault(1, VaultError)
    rig.bench.context = structs.replace(rig.bench.context, vault=vault)
    adapter = await rig.open()
    await adapter.check()
    assert vault.secrets == {}
    await adapter.aclose()
    assert list(vault.secrets) == ["session"]


async def test_a_cancelled_caller_doesnt_lose_the_new_tokens(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.check()
    rig.face.sessions.expire(rig.member)
    rig.strike("delay", action="refresh", count=1, delay_s=0.1)
    task = asyncio.create_task(adapter.send(one_part(adapter, "cancelled")))
    async with asyncio.timeout(30):
        while rig.called(REFRESH) == 0:
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await adapter.send(one_part(adapter, "goes on"))
    assert (rig.called(REFRESH), rig.called(CREATE)) == (1, 1)
    assert [message.text for message in rig.held()] == ["goes on"]


async def test_revoked_tokens_lead_back_to_the_password(rig: Rig) -> None:
    """As after a take-down that was lifted: the refresh tokens are gone for good."""
    adapter = await rig.open()
    await adapter.check()
    rig.face.sessions.expire(rig.member)
    rig.face.sessions.revoke(rig.member)
    await adapter.send(one_part(adapter, "back again"))
    assert rig.called(CREATE) == 2


async def test_a_wrong_password_is_not_tried_again_at_once(rig: Rig) -> None:
    adapter = await rig.open(password=Secret("wrong"))
    for _ in range(5):
        fault = await fault_of(adapter.send(one_part(adapter, "hello")))
        assert (fault.kind, fault.certain) == (K.SIGNED_OUT, True)
    assert rig.called(CREATE) == 1


async def test_the_rest_between_sign_ins_grows_and_ends() -> None:
    clock = ManualClock()
    line = _Line(fails=True)
    session = Session(_settings(), Bench("bluesky/main", clock).context, line)
    tries = []
    for _ in range(4000):
        before = len(line.signed_in)
        await fault_of(session.query("any.method"))
        tries += [clock.monotonic()] * (len(line.signed_in) - before)
        await clock.advance(1)
    assert tries[:4] == [0, 2, 6, 14]
    assert max(b - a for a, b in pairwise(tries)) <= 301
    assert len([at for at in tries if at < 300]) < 30


async def test_revocation_ends_everything(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.check()
    rig.strike("revoke")
    assert (await fault_of(adapter.send(one_part(adapter, "hello")))).kind is K.SIGNED_OUT
    async with listening(adapter, "{}") as ear:
        assert (await fault_of(ear.step())).kind is K.SIGNED_OUT


async def test_a_session_stays_with_the_server_that_was_configured(rig: Rig) -> None:
    rig.face.endpoint = "https://pds.elsewhere.invalid"
    adapter = await rig.open()
    await adapter.send(one_part(adapter, "hello"))
    assert len(rig.held()) == 1


def _jwt(lifetime_s: int) -> str:
    claims = urlsafe_b64encode(json.dumps({"iat": 1_000, "exp": 1_000 + lifetime_s}).encode()).decode().rstrip("=")
    return f"head.{claims}.sign"


class _Line:
    """Stands for the wire under a session."""

    def __init__(self, *, fails: bool = False, endpoint: str = "https://morel.us-east.host.bsky.network") -> None:
        self.fails = fails
        self.used: list[Tokens] = []
        self.signed_in: list[str] = []
        self.asked: list[tuple[Any, ...]] = []
        self._endpoint = endpoint

    async def use(self, tokens: Tokens) -> None:
        self.used.append(tokens)

    async def query(self, nsid: str, params: dict[str, Any], headers: dict[str, str]) -> Answer:
        self.asked.append((nsid, params, headers))
        return Answer({})

    async def page(self, nsid: str, params: dict[str, Any], headers: dict[str, str]) -> Page:
        self.asked.append((nsid, params, headers))
        return Page()

    async def procedure(self, nsid: str, content: bytes, headers: dict[str, str]) -> Answer:
        self.asked.append((nsid, content, headers))
        self.signed_in.append(nsid)
        if self.fails:
            raise FaultError(Fault(K.SIGNED_OUT, True, "401 AuthenticationRequired"))
        services = [{"id": "#atproto_pds", "serviceEndpoint": self._endpoint}]
        tokens = {"accessJwt": _jwt(7200), "refreshJwt": _jwt(90 * 86_400)}
        return Answer({**tokens, "did": "did:plc:abc", "handle": "a.test", "didDoc": {"service": services}})


def _settings(**changes: Any) -> Settings:
    return Settings(**{"identifier": "a.test", "password": Secret("p"), **changes})


@pytest.mark.parametrize(
    ("server", "told", "used"),
    [
        ("https://bsky.social/", "https://morel.host.bsky.network", "https://morel.host.bsky.network"),
        ("https://bsky.social", "http://plain.example", "https://bsky.social"),
        ("https://pds.example", "https://morel.host.bsky.network", "https://pds.example"),
    ],
)
async def test_only_the_default_network_sends_on_to_the_accounts_host(server: str, told: str, used: str) -> None:
    line = _Line(endpoint=told)
    session = Session(_settings(server=server), Bench("bluesky/main", ManualClock()).context, line)
    await session.query("any.method")
    assert line.used[-1].endpoint == used


async def test_tokens_are_renewed_a_quarter_of_an_hour_early_whatever_the_clock_says() -> None:
    """The machine's clock is years off; the token's own lifetime counts."""
    clock, line = ManualClock(), _Line()
    session = Session(_settings(), Bench("bluesky/main", clock).context, line)
    await session.query("any.method")
    await clock.advance(7200 - 901)
    await session.query("any.method")
    assert line.signed_in == [CREATE]
    await clock.advance(2)
    await session.query("any.method")
    assert line.signed_in == [CREATE, REFRESH]


# The wire.


async def test_nobody_there_is_certain(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.check()
    await rig.sandbox.stop()
    fault = await fault_of(adapter.send(one_part(adapter, "hello")))
    assert (fault.kind, fault.certain) == (K.NETWORK, True)


@pytest.mark.parametrize("trouble", ["drop_before", "drop_after"])
async def test_a_dropped_connection_is_uncertain(rig: Rig, trouble: str) -> None:
    """Whatever became of the request."""
    adapter = await rig.open()
    await adapter.check()
    rig.strike(trouble, on="write")
    fault = await fault_of(adapter.send(one_part(adapter, "hello")))
    assert (fault.kind, fault.certain) == (K.NETWORK, False)


async def test_an_error_page_is_the_servers_fault(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.check()
    rig.strike("outage", status=502)
    fault = await fault_of(adapter.send(one_part(adapter, "hello")))
    assert (fault.kind, fault.certain) == (K.SERVER, False)
    assert "<html" not in fault.evidence


async def _line_to(url: str) -> wire.Wire:
    return wire.Wire(url, ManualClock())


async def test_a_silent_server_is_given_up_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "WAIT_S", 0.05)
    async with raw_server(None) as (url, asked):
        line = await _line_to(url)
        fault = await fault_of(line.procedure("a.b", b"{}", {}))
        await line.aclose()
    assert (fault.kind, fault.certain) == (K.NETWORK, False)
    assert len(asked) == 1


async def test_a_whole_call_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CALL_S", 0.05)
    async with raw_server(None) as (url, _):
        line = await _line_to(url)
        fault = await fault_of(line.procedure("a.b", b"{}", {}))
        await line.aclose()
    assert (fault.kind, fault.certain) == (K.NETWORK, False)


async def test_an_answer_is_waited_for_longer_than_the_library_would(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives up after 5 s; here after a tenth of one, so that nobody has to wait."""
    monkeypatch.setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, "read", 0.1)
    async with raw_server(None) as (url, _):
        library = AsyncRequest()
        with pytest.raises(InvokeTimeoutError):
            await library.get(url)
        await library.close()
    adapter = await rig.open()
    await adapter.check()
    rig.strike("delay", on="write", delay_s=0.5, count=1)
    assert (await adapter.send(one_part(adapter, "hello"))).ref
    assert transport.WAIT_S == 30.0
    assert wire.CALL_S >= 30.0


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary Redirect", b"308 Permanent Redirect"])
async def test_nothing_is_sent_elsewhere(status: bytes) -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (elsewhere, stolen):
        answer = b"HTTP/1.1 " + status + b"\r\nLocation: " + elsewhere.encode() + b"/\r\nContent-Length: 0\r\n\r\n"
        async with raw_server(answer) as (url, asked):
            line = await _line_to(url)
            fault = await fault_of(line.procedure("a.b", b"{}", {}))
            await fault_of(line.query("a.b", {}, {}))
            await line.aclose()
    assert (fault.kind, fault.certain) == (K.SERVER, True)
    assert (len(asked), stolen) == (2, [])


_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_HUGE = b"x" * (transport.ANSWER_MAX_BYTES + 1)


@pytest.mark.parametrize(
    "answer",
    [
        _JSON + b"Content-Length: 5\r\n\r\n{oops",
        _JSON + b"Content-Length: 2\r\n\r\n[]",
        _JSON + b"Content-Length: 100000\r\n\r\n" + b"[" * 100_000,
        _JSON + b"Content-Length: 999999999\r\n\r\n{",
        _JSON + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
        _JSON + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(_HUGE), _HUGE),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["broken", "list", "deep", "told too large", "packed", "too large", "text"],
)
async def test_an_unreadable_answer_is_uncertain(answer: bytes) -> None:
    async with raw_server(answer) as (url, _):
        line = await _line_to(url)
        fault = await fault_of(line.procedure("a.b", b"{}", {}))
        await line.aclose()
    assert (fault.kind, fault.certain) == (K.SERVER, False)


@pytest.mark.parametrize("server", ["nonsense", "ftp://example.org"])
async def test_an_address_that_cant_be_used(server: str) -> None:
    line = await _line_to(server)
    fault = await fault_of(line.query("a.b", {}, {}))
    await line.aclose()
    assert (fault.kind, fault.certain) == (K.CONFIG, True)


async def test_a_closed_line_says_so(rig: Rig) -> None:
    adapter = await rig.open()
    await adapter.check()
    await adapter.aclose()
    await adapter.aclose()
    fault = await fault_of(adapter.send(one_part(adapter, "hello")))
    assert (fault.kind, fault.certain) == (K.CANCELLED, True)


async def test_many_calls_go_at_once(rig: Rig) -> None:
    adapter = await rig.open()
    await asyncio.gather(*(adapter.send(one_part(adapter, f"number {n}")) for n in range(80)))
    assert len(rig.held()) == 80


# Secrets.


async def test_no_secret_is_told(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    adapter = await rig.open()
    await adapter.check()
    kept = rig.bench.vault.secrets["session"].reveal()
    tokens = json.loads(kept)
    secrets = [rig.settings().password.reveal(), tokens["access"], tokens["refresh"]]
    rig.strike("suspend")
    evidence = [(await adapter.check()).evidence, repr(adapter._session._tokens)]
    rig.face.faults.lift_all()
    rig.strike("refuse", code="InternalServerError")
    evidence.append((await fault_of(adapter.send(one_part(adapter, "x")))).evidence)
    shown = caplog.text + "".join(evidence) + repr(rig.settings())
    assert not [secret for secret in secrets if secret in shown]


async def test_a_token_in_the_servers_words_is_struck_out() -> None:
    token = f"eyJ0eXAi.eyJ{'a' * 20}.{'b' * 20}"
    body = json.dumps({"error": "InvalidRequest", "message": f"no such thing: {token}"}).encode()
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with raw_server(head + body) as (url, _):
        line = await _line_to(url)
        fault = await fault_of(line.procedure("a.b", b"{}", {}))
        await line.aclose()
    assert token not in fault.evidence
    assert "no such thing: ***" in fault.evidence


def test_nothing_of_the_library_is_loaded_before_an_account_opens() -> None:
    code = (
        "import sys, adapters.bluesky.adapter; print(sorted(m for m in sys.modules if m[:7] in ('atproto', 'httpx')))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
