"""The sandbox's control over real HTTP, ruling a network small enough to see through."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import aiohttp
import pytest
from aiohttp import web

from adapters.sandbox.control import FACES, Sandbox, serve
from adapters.sandbox.face import Face
from adapters.sandbox.faults import Faults, Rule, Trouble
from adapters.sandbox.world import Member, Message, Network, utc_now


class TinyFace(Face):
    """A platform with one door: POST /posts with the account's name as its token."""

    name: ClassVar[str] = "tiny"

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network, faults)
        self.cuts: list[str | None] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.post("/posts", self._post), web.get("/posts", self._read)])
        return app

    def account(self, handle: str = "agent") -> dict[str, Any]:
        if self.network.member(handle) is None:
            self.network.join(Member(f"id-{handle}", handle, handle, is_bot=True))
        return {"settings": {"id": f"tiny/{handle}", "server": self.url}, "environment": {}}

    def say(self, person: str, kind: str, text: str, **options: Any) -> Message:
        if kind not in ("mention", "reply"):
            raise ValueError(f"nobody says {kind} here")
        to = self.network.messages[options["to"]].id if kind == "reply" else None
        return self.network.add(
            Message(
                str(len(self.network.messages)), person, text, utc_now(), kind, in_reply_to=to, extra={"x": object()}
            )
        )

    def body(self, trouble: Trouble, rule: Rule, member: Member | None) -> web.Response:
        return web.json_response({"trouble": trouble, "member": member and member.handle}, status=rule.status or 403)

    def cut_streams(self, account: str | None = None) -> None:
        self.cuts.append(account)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        member, text = self.network.member(request.headers["X-Token"]), await request.text()
        if refused := await self.admit(request, member, "post", text=text):
            return refused
        assert member is not None
        message = self.network.add(Message(str(len(self.network.messages)), member.id, text, utc_now()))
        return await self.answer(request, member, "post", web.json_response({"id": message.id}), message)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        member = self.network.member(request.headers["X-Token"])
        return await self.admit(request, member, "read", on="read") or web.json_response({})


class Control:
    """The control and the tiny face, as a client meets them."""

    def __init__(self, sandbox: Sandbox, face: TinyFace, http: aiohttp.ClientSession) -> None:
        self.sandbox, self.face, self.http = sandbox, face, http

    async def __call__(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None) -> tuple[int, Any]:
        data = io.BytesIO(raw) if raw is not None else None if body is None else json.dumps(body)
        async with self.http.request(method, self.sandbox.url + path, data=data) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.status == 200 else text

    async def post(self, text: str, account: str = "agent") -> int:
        """Write as a bot does; 0 when the connection drops."""
        try:
            async with self.http.post(f"{self.face.url}/posts", data=text, headers={"X-Token": account}) as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0


@pytest.fixture
async def control() -> AsyncIterator[Control]:
    face = TinyFace(Network("tiny"), Faults())
    sandbox = Sandbox({"tiny": face})
    await sandbox.start()
    face.account()
    async with aiohttp.ClientSession() as http:
        yield Control(sandbox, face, http)
    await sandbox.stop()


async def test_the_index_tells_where_everything_is(control: Control) -> None:
    status, index = await control("GET", "/")
    assert status == 200
    assert index == {
        "tiny": {
            "url": control.face.url,
            "settings": {"id": "tiny/agent", "server": control.face.url},
            "environment": {},
        }
    }


async def test_accounts_are_made_when_asked_for(control: Control) -> None:
    assert (await control("POST", "/tiny/accounts", {"handle": "second"}))[1]["settings"]["id"] == "tiny/second"
    assert (await control("POST", "/tiny/accounts"))[1]["settings"]["id"] == "tiny/agent"
    assert await control.post("Hi", "second") == 200


async def test_people_speak_and_the_network_shows_it(control: Control) -> None:
    _, said = await control("POST", "/tiny/say", {"person": "ana", "kind": "mention", "text": "Hällo\n\nyou"})
    _, reply = await control("POST", "/tiny/say", {"person": "ben", "kind": "reply", "text": "Hi", "to": said["id"]})
    assert (said["text"], said["author"]) == ("Hällo\n\nyou", "ana")
    assert reply["in_reply_to"] == said["id"]
    assert (await control("GET", "/tiny/messages"))[1] == [said, reply]


@pytest.mark.parametrize("network", FACES)
async def test_a_code_that_no_answer_has_is_refused(network: str) -> None:
    sandbox = await serve(names=[network])
    async with aiohttp.ClientSession(sandbox.url) as http:
        for kind in ("refuse", "delay"):
            for on in ("any", "stream"):
                body = {"kind": kind, "on": on, "code": "nonsense"}
                async with http.post(f"/{network}/faults", json=body) as answer:
                    assert (answer.status, (await answer.text())[:5]) == (400, "code:")
        async with http.get(f"/{network}/faults") as answer:
            assert await answer.json() == []
    await sandbox.stop()


async def test_a_bug_in_a_face_is_told(
    control: Control, broken_faces: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control.face, "admit", None)
    assert await control.post("A post") == 500
    assert [type(error) for error in broken_faces] == [TypeError]
    broken_faces.clear()


async def test_what_is_old_is_forgotten_and_so_are_the_attempts(control: Control) -> None:
    await control.post("A post")
    assert (await control("POST", "/tiny/forget", {"older_than_s": 60}))[1] == {"forgotten": 0}
    assert (await control("POST", "/tiny/forget", {"older_than_s": 0}))[1] == {"forgotten": 1}
    assert (await control("GET", "/tiny/messages"))[1] == (await control("GET", "/tiny/attempts"))[1] == []


@pytest.mark.parametrize("age_s", [None, -1, "1", True, 1e12])
async def test_an_age_that_is_none_is_refused(control: Control, age_s: object) -> None:
    status, told = await control("POST", "/tiny/forget", {"older_than_s": age_s})
    assert status == 400
    assert told.startswith("older_than_s: a number")


async def test_what_a_bot_holds_is_told_apart(control: Control) -> None:
    await control("POST", "/tiny/say", {"person": "ana", "kind": "mention", "text": "Hello"})
    await control.post("An answer")
    _, held = await control("GET", "/tiny/messages?by=agent")
    assert [message["text"] for message in held] == ["An answer"]
    assert (await control("GET", "/tiny/messages?by=nobody"))[1] == []


async def test_attempts_tell_every_write(control: Control) -> None:
    await control.post("First")
    await control("POST", "/tiny/faults", {"kind": "suspend"})
    await control.post("Second")
    _, attempts = await control("GET", "/tiny/attempts")
    assert [(a["account"], a["action"], a["outcome"], a["text"]) for a in attempts] == [
        ("agent", "post", "accepted", "First"),
        ("agent", "post", "refused", "Second"),
    ]
    assert attempts[0]["message"] == "0"
    assert attempts[0]["at_unix_s"] <= attempts[1]["at_unix_s"]


async def test_a_fault_stands_until_it_is_lifted(control: Control) -> None:
    _, rule = await control("POST", "/tiny/faults", {"kind": "suspend"})
    assert [await control.post("A"), await control.post("B")] == [403, 403]
    assert (await control("GET", "/tiny/faults"))[1] == [rule]
    assert await control("DELETE", f"/tiny/faults/{rule['id']}") == (200, {"lifted": 1})
    assert await control.post("C") == 200
    assert (await control("DELETE", f"/tiny/faults/{rule['id']}"))[0] == 404


async def test_a_counted_fault_is_used_up(control: Control) -> None:
    await control("POST", "/tiny/faults", {"kind": "fail_before", "count": 2, "status": 500})
    assert [await control.post(text) for text in "ABC"] == [500, 500, 200]
    assert (await control("GET", "/tiny/faults"))[1] == []


async def test_faults_are_lifted_by_kind(control: Control) -> None:
    for kind in ("suspend", "suspend", "lock"):
        await control("POST", "/tiny/faults", {"kind": kind})
    assert (await control("DELETE", "/tiny/faults?kind=suspend"))[1] == {"lifted": 2}
    assert (await control("DELETE", "/tiny/faults"))[1] == {"lifted": 1}


async def test_a_fault_is_one_account_s_alone(control: Control) -> None:
    await control("POST", "/tiny/accounts", {"handle": "second"})
    await control("POST", "/tiny/faults", {"kind": "revoke", "account": "second"})
    assert [await control.post("A"), await control.post("B", "second")] == [200, 403]


async def test_a_fault_may_look_for_words_or_an_action(control: Control) -> None:
    await control("POST", "/tiny/faults", {"kind": "refuse", "match": "secret", "action": "post"})
    await control("POST", "/tiny/faults", {"kind": "refuse", "action": "delete"})
    assert [await control.post("a word"), await control.post("a secret word")] == [200, 403]


async def test_a_dropped_answer_is_a_message_all_the_same(control: Control) -> None:
    await control("POST", "/tiny/faults", {"kind": "drop_after", "count": 1})
    assert await control.post("Kept") == 0
    await control("POST", "/tiny/faults", {"kind": "drop_before", "count": 1})
    assert await control.post("Lost") == 0
    await control("POST", "/tiny/faults", {"kind": "fail_after", "count": 1, "status": 502})
    assert await control.post("Kept too") == 502
    assert [m["text"] for m in (await control("GET", "/tiny/messages"))[1]] == ["Kept", "Kept too"]
    assert [a["outcome"] for a in (await control("GET", "/tiny/attempts"))[1]] == ["accepted", "failed", "accepted"]


async def test_an_outage_is_silence_or_an_error_page(control: Control) -> None:
    await control("POST", "/tiny/faults", {"kind": "outage", "count": 1})
    await control("POST", "/tiny/faults", {"kind": "outage", "count": 1, "status": 502})
    assert [await control.post("A"), await control.post("B"), await control.post("C")] == [0, 502, 200]


async def test_a_lock_leaves_reading_open(control: Control) -> None:
    await control("POST", "/tiny/faults", {"kind": "lock"})
    async with control.http.get(f"{control.face.url}/posts", headers={"X-Token": "agent"}) as answer:
        assert answer.status == 200
    assert await control.post("A") == 403


async def test_a_delay_holds_the_answer_and_no_other(control: Control) -> None:
    await control("POST", "/tiny/faults", {"kind": "delay", "delay_s": 0.01, "count": 1})
    assert [await control.post("A"), await control.post("B")] == [200, 200]


async def test_streams_are_cut_for_one_or_for_all(control: Control) -> None:
    assert (await control("POST", "/tiny/cut", {"account": "agent"}))[0] == 200
    assert (await control("POST", "/tiny/cut"))[0] == 200
    assert control.face.cuts == ["agent", None]


SAY = {"person": "ana", "kind": "mention", "text": "Hi"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/tiny/say", {}),
        ("POST", "/tiny/say", {**SAY, "kind": "shout"}),
        ("POST", "/tiny/say", {**SAY, "text": ""}),
        ("POST", "/tiny/say", {**SAY, "text": 7}),
        ("POST", "/tiny/say", {**SAY, "text": "a" * 100_001}),
        ("POST", "/tiny/say", {**SAY, "text": "\ud800"}),
        ("POST", "/tiny/say", {**SAY, "person": "../etc"}),
        ("POST", "/tiny/say", {**SAY, "person": ["ana"]}),
        ("POST", "/tiny/say", {**SAY, "kind": "reply", "to": "nothing"}),
        ("POST", "/tiny/say", {**SAY, "kind": "reply", "to": {"a": 1}}),
        ("POST", "/tiny/say", {**SAY, "kind": "reply"}),
        ("POST", "/tiny/say", {**SAY, "self": "x"}),
        ("POST", "/tiny/say", {**SAY, "account": "a b"}),
        ("POST", "/tiny/say", []),
        ("POST", "/tiny/accounts", {"handle": ""}),
        ("POST", "/tiny/accounts", {"handle": {"a": 1}}),
        ("POST", "/tiny/faults", {}),
        ("POST", "/tiny/faults", {"kind": "flood"}),
        ("POST", "/tiny/faults", {"kind": ["suspend"]}),
        ("POST", "/tiny/faults", {"kind": "suspend", "count": 0}),
        ("POST", "/tiny/faults", {"kind": "suspend", "count": "3"}),
        ("POST", "/tiny/faults", {"kind": "suspend", "count": True}),
        ("POST", "/tiny/faults", {"kind": "suspend", "id": 7}),
        ("POST", "/tiny/faults", {"kind": "suspend", "acount": "agent"}),
        ("POST", "/tiny/faults", {"kind": "suspend", "on": "sunday"}),
        ("POST", "/tiny/faults", {"kind": "outage", "status": 200}),
        ("POST", "/tiny/faults", {"kind": "delay", "delay_s": None}),
        ("POST", "/tiny/faults", {"kind": "delay", "delay_s": -1}),
        ("POST", "/tiny/faults", {"kind": "delay", "delay_s": float("inf")}),
        ("POST", "/tiny/faults", {"kind": "delay", "delay_s": float("nan")}),
        ("POST", "/tiny/faults", {"kind": "refuse", "extra": {"a": 1}}),
        ("POST", "/tiny/faults", {"kind": "refuse", "match": "a" * 2000}),
        ("DELETE", "/tiny/faults?kind=flood", None),
        ("DELETE", "/tiny/faults/x", None),
        ("DELETE", f"/tiny/faults/{'9' * 40}", None),
        ("POST", "/tiny/cut", {"account": 5}),
        ("GET", "/nowhere/messages", None),
        ("PUT", "/tiny/say", None),
    ],
)
async def test_bad_input_is_told_in_one_line(control: Control, method: str, path: str, body: Any) -> None:
    status, text = await control(method, path, body)
    assert 400 <= status < 500
    assert 1 < len(text) <= 301
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert control.face.faults.rules() == []
    assert control.face.network.messages == {}


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"[" * 60_000, b'"hello"', b"x" * 2_000_000])
async def test_what_is_no_json_is_told_in_one_line(control: Control, raw: bytes) -> None:
    status, text = await control("POST", "/tiny/faults", raw=raw)
    assert 400 <= status < 500
    assert text.count("\n") == 1


async def test_a_fault_with_everything_is_given_back(control: Control) -> None:
    told = {
        "kind": "rate_limit",
        "account": "agent",
        "count": 3,
        "on": "write",
        "action": "post",
        "match": "a",
        "status": 429,
        "code": "88",
        "delay_s": 0.5,
        "retry_after_s": None,
        "extra": {"scope": "user"},
    }
    status, rule = await control("POST", "/tiny/faults", told)
    assert status == 200
    assert rule == {**told, "id": rule["id"]}


async def test_a_dead_host_refuses_until_it_is_back(control: Control) -> None:
    assert await control.post("A") == 200
    for _ in range(2):
        assert (await control("POST", "/tiny/down"))[0] == 200
        assert await control.post("B") == 0  # by a connection that is cut, or by none
        with pytest.raises(aiohttp.ClientConnectorError):
            await control.http.post(f"{control.face.url}/posts", data="B", headers={"X-Token": "agent"})
    for _ in range(2):
        assert (await control("POST", "/tiny/up"))[0] == 200
        assert await control.post("C") == 200
    assert [m["text"] for m in (await control("GET", "/tiny/messages"))[1]] == ["A", "C", "C"]


async def test_a_port_asked_for_is_the_first_of_a_row() -> None:
    faces = {name: TinyFace(Network(name), Faults()) for name in ("one", "two")}
    sandbox = Sandbox(dict(faces))
    port = await _start_somewhere(sandbox)
    urls = [sandbox.url, *(face.url for face in faces.values())]
    await sandbox.stop()
    await sandbox.stop()
    assert urls == [f"http://127.0.0.1:{port + number}" for number in range(3)]


async def _start_somewhere(sandbox: Sandbox) -> int:
    """At the first three ports in a row that are free."""
    for port in range(28_400, 28_700, 3):
        with contextlib.suppress(OSError):
            await sandbox.start(port=port)
            return port
    pytest.fail("no free ports")


async def test_a_taken_port_leaves_nothing_open() -> None:
    first = Sandbox({})
    await first.start()
    taken = int(first.url.rpartition(":")[2])
    second = Sandbox({"tiny": TinyFace(Network("tiny"), Faults())})
    with pytest.raises(OSError, match="address already in use"):
        await second.start(port=taken)
    await first.stop()
