"""The Discord face by raw HTTP and WebSocket against discord-api-docs of 2026-08, and by an unmodified discord.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import discord
import pytest
import yarl

from adapters.sandbox.control import Sandbox, build
from adapters.sandbox.discord import DiscordFace
from adapters.sandbox.discord_bodies import EPOCH_MS, REFUSALS
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.world import utc_now

EVERYTHING = 46_593


class Net:
    """The face and a bot's way to it."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        face = sandbox.faces["discord"]
        assert isinstance(face, DiscordFace)
        self.face = face
        self.http = http
        self.token = face.account()["environment"]["DISCORD_TOKEN_AGENT"]

    async def call(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, Any, dict[str, str]]:
        headers = {"Authorization": f"Bot {token or self.token}"}
        async with self.http.request(method, f"{self.face.url}/api/v10{path}", json=body, headers=headers) as answer:
            text = await answer.text()
            kind = answer.headers.get("Content-Type")
            return answer.status, json.loads(text) if kind == "application/json" else text, dict(answer.headers)

    async def post(self, content: str, **more: Any) -> tuple[int, Any, dict[str, str]]:
        return await self.call("POST", f"/channels/{self.face.general}/messages", {"content": content, **more})

    async def connect(self) -> Wire:
        return Wire(await self.http.ws_connect(f"{self.face.url}/gw?v=10&encoding=json"))


class Wire:
    """A raw gateway connection."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def say(self, op: int, data: Any) -> None:
        await self.ws.send_json({"op": op, "d": data})

    async def hear(self, event: str | None = None) -> dict[str, Any]:
        while True:
            frame: dict[str, Any] = await self.ws.receive_json(timeout=30)
            if event is None or frame["t"] == event:
                return frame

    async def identify(self, token: str, intents: int = EVERYTHING) -> dict[str, Any]:
        assert (await self.hear())["op"] == 10
        await self.say(2, {"token": token, "intents": intents, "properties": {}})
        return (await self.hear("READY"))["d"]

    async def closed(self) -> int | None:
        while (await self.ws.receive(timeout=30)).type is aiohttp.WSMsgType.TEXT:
            pass
        return self.ws.close_code


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    sandbox = build(["discord"])
    await sandbox.start()
    async with aiohttp.ClientSession() as http:
        yield Net(sandbox, http)
    await sandbox.stop()


async def test_who_and_where(net: Net) -> None:
    status, me, headers = await net.call("GET", "/users/@me")
    assert (status, me["username"], me["bot"]) == (200, "agent", True)
    assert headers["Content-Type"] == "application/json"
    assert (await net.call("GET", "/oauth2/applications/@me"))[1]["id"] == me["id"]
    assert (await net.call("GET", "/gateway"))[1]["url"].startswith("ws://127.0.0.1:")
    assert (await net.call("GET", "/gateway/bot"))[1]["session_start_limit"]["total"] == 1000
    status, body, _ = await net.call("GET", "/users/@me", token="wrong")
    assert (status, body) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_settings_are_ready_for_a_configuration(net: Net) -> None:
    settings = net.face.account()["settings"]
    assert settings["id"] == "discord/main"
    assert settings["token"] == {"env": "DISCORD_TOKEN_AGENT"}
    assert settings["announce_to"] in net.face.channels
    assert net.face.account("second")["settings"]["id"] == "discord/second"


async def test_a_message_and_its_headers(net: Net) -> None:
    status, message, headers = await net.post("hello", nonce="n1", enforce_nonce=True)
    assert (status, message["content"], message["nonce"], message["type"]) == (200, "hello", "n1", 0)
    age_s = utc_now().timestamp() - ((int(message["id"]) >> 22) + EPOCH_MS) / 1000
    assert abs(age_s) < 60
    assert int(headers["X-RateLimit-Remaining"]) == int(headers["X-RateLimit-Limit"]) - 1
    assert {"X-RateLimit-Reset", "X-RateLimit-Reset-After", "X-RateLimit-Bucket"} <= set(headers)


async def test_a_nonce_makes_one_message_for_a_while(net: Net) -> None:
    first = (await net.post("hello", nonce="n1", enforce_nonce=True))[1]
    assert (await net.post("other", nonce="n1", enforce_nonce=True))[1]["id"] == first["id"]
    assert (await net.post("free", nonce="n1"))[1]["id"] != first["id"]
    net.face.nonce_window_s = 0.0
    assert (await net.post("late", nonce="n1", enforce_nonce=True))[1]["id"] != first["id"]
    assert [a.outcome for a in net.face.network.attempts] == ["accepted", "repeated", "accepted", "accepted"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"content": "x" * 2000}, 200, None),
        ({"content": "😀" * 2000}, 200, None),
        ({"content": "x" * 2001}, 400, 50035),
        ({"content": " "}, 400, 50006),
        ({"content": "x", "nonce": "n" * 26}, 400, 50035),
        ({"content": "x", "message_reference": {"message_id": "1"}}, 400, 50035),
        ({"content": "x", "message_reference": {"message_id": "1", "fail_if_not_exists": False}}, 200, None),
    ],
)
async def test_what_a_message_may_be(net: Net, body: dict[str, Any], status: int, code: int | None) -> None:
    got, answer, _ = await net.call("POST", f"/channels/{net.face.general}/messages", body)
    assert (got, answer.get("code")) == (status, code)
    assert len(net.face.network.held_by("agent")) == (status == 200)


async def test_too_long_is_told_in_discords_words(net: Net) -> None:
    body = (await net.post("x" * 2001))[1]
    assert body["errors"]["content"]["_errors"] == [
        {"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}
    ]


async def test_whom_a_message_pings(net: Net) -> None:
    ana = net.face.person("ana")
    await net.post(f"<@{ana.id}>")
    await net.post(f"<@{ana.id}>", allowed_mentions={"parse": []})
    await net.post(f"<@{ana.id}>", allowed_mentions={"parse": [], "users": [ana.id]})
    assert [m.extra["pings"] for m in net.face.network.held_by("agent")] == [[ana.id], [], [ana.id]]


async def test_a_file_comes_by_multipart(net: Net) -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", json.dumps({"content": "", "attachments": [{"id": 0, "description": "a cat"}]}))
    form.add_field("files[0]", b"12345", filename="cat.png", content_type="image/png")
    url = f"{net.face.url}/api/v10/channels/{net.face.general}/messages"
    async with net.http.post(url, data=form, headers={"Authorization": f"Bot {net.token}"}) as answer:
        assert answer.status == 200
    [message] = net.face.network.held_by("agent")
    assert message.media == [{"mime": "image/png", "size_bytes": 5, "alt": "a cat"}]


async def test_history_pages_from_the_past(net: Net) -> None:
    said = [net.face.say("ana", "group", f"m{i}").id for i in range(7)]
    path = f"/channels/{net.face.general}/messages"

    async def page(query: str) -> list[str]:
        return [message["content"] for message in (await net.call("GET", path + query))[1]]

    assert await page("?limit=2") == ["m6", "m5"]
    assert await page(f"?limit=2&after={said[1]}") == ["m3", "m2"]
    assert await page(f"?limit=2&before={said[4]}") == ["m3", "m2"]
    assert await page("?limit=100&after=0") == [f"m{i}" for i in reversed(range(7))]


async def test_a_dm_belongs_to_two(net: Net) -> None:
    ana = net.face.person("ana")
    channel = (await net.call("POST", "/users/@me/channels", {"recipient_id": ana.id}))[1]
    assert (await net.call("POST", "/users/@me/channels", {"recipient_id": ana.id}))[1]["id"] == channel["id"]
    assert channel["type"] == 1
    other = net.face.account("other")["environment"]["DISCORD_TOKEN_OTHER"]
    status, body, _ = await net.call("GET", f"/channels/{channel['id']}/messages", token=other)
    assert (status, body["code"]) == (403, 50001)
    assert (await net.call("POST", "/users/@me/channels", {"recipient_id": "1"}))[1]["code"] == 10013


async def test_edit_delete_react_and_type(net: Net) -> None:
    message = (await net.post("frist"))[1]
    path = f"/channels/{net.face.general}/messages/{message['id']}"
    edited = (await net.call("PATCH", path, {"content": "first"}))[1]
    assert (edited["content"], edited["edited_timestamp"] is not None) == ("first", True)
    assert (await net.call("PUT", path + "/reactions/%F0%9F%91%8D/@me"))[0] == 204
    assert net.face.network.messages[message["id"]].reactions[0]["reaction"] == "👍"
    assert (await net.call("DELETE", path + "/reactions/%F0%9F%91%8D/@me"))[0] == 204
    assert (await net.call("POST", f"/channels/{net.face.general}/typing"))[0] == 204
    assert (await net.call("DELETE", path))[0] == 204
    assert (await net.call("GET", path))[1]["code"] == 10008
    foreign = net.face.say("ana", "group", "hers").id
    path = f"/channels/{net.face.general}/messages/{foreign}"
    assert (await net.call("PATCH", path, {"content": "mine"}))[1]["code"] == 50005
    assert (await net.call("DELETE", path))[1]["code"] == 50013


@pytest.mark.parametrize("code", REFUSALS)
async def test_refusals_have_their_status_and_code(net: Net, code: str) -> None:
    net.face.faults.add(Rule(Trouble.REFUSE, code=code, count=1))
    status, body, headers = await net.post("hello")
    assert (status, body["message"], body["code"]) == (*REFUSALS[code], int(code))
    assert ("Via" in headers) == (status == 429)
    assert (await net.post("hello"))[0] == 200


async def test_rate_limits_of_discord_and_of_cloudflare(net: Net) -> None:
    net.face.faults.add(Rule(Trouble.RATE_LIMIT, retry_after_s=2.5, count=1))
    status, body, headers = await net.post("hello")
    assert (status, body["retry_after"], body["global"]) == (429, 2.5, False)
    assert (headers["Via"], headers["X-RateLimit-Reset-After"]) == ("1.1 google", "2.500")
    net.face.faults.add(Rule(Trouble.RATE_LIMIT, retry_after_s=2.5, code="global", count=1))
    status, body, headers = await net.post("hello")
    assert (body["global"], headers["X-RateLimit-Global"]) == (True, "true")
    net.face.faults.add(Rule(Trouble.RATE_LIMIT, retry_after_s=None, count=1))
    status, body, headers = await net.post("hello")
    assert (status, "Via" in headers, isinstance(body, str)) == (429, False, True)
    net.face.window = (1, 60.0)
    assert (await net.post("one"))[2]["X-RateLimit-Remaining"] == "0"
    assert (await net.post("two"))[0] == 429


@pytest.mark.parametrize(
    ("trouble", "status", "code"), [(Trouble.SUSPEND, 401, 0), (Trouble.REVOKE, 401, 0), (Trouble.LOCK, 403, 40002)]
)
async def test_a_lost_account(net: Net, trouble: Trouble, status: int, code: int) -> None:
    net.face.faults.add(Rule(trouble))
    got, body, _ = await net.post("hello")
    assert (got, body["code"]) == (status, code)
    assert (await net.call("GET", "/users/@me"))[0] == (200 if trouble is Trouble.LOCK else 401)


async def test_acceptance_survives_a_lost_answer(net: Net) -> None:
    net.face.faults.add(Rule(Trouble.FAIL_AFTER, status=502, count=1))
    assert (await net.post("one"))[0] == 502
    net.face.faults.add(Rule(Trouble.DROP_AFTER, count=1))
    with pytest.raises(aiohttp.ClientError):
        await net.post("two")
    net.face.faults.add(Rule(Trouble.FAIL_BEFORE, status=503, count=1))
    assert (await net.post("three"))[0] == 503
    assert [message.text for message in net.face.network.held_by("agent")] == ["one", "two"]


# The gateway.


async def test_the_gateway_greets_and_tells(net: Net) -> None:
    wire = await net.connect()
    ready = await wire.identify(net.token)
    assert ready["resume_gateway_url"].startswith("ws://127.0.0.1")
    guild = (await wire.hear("GUILD_CREATE"))["d"]
    assert ready["guilds"] == [{"id": guild["id"], "unavailable": True}]
    await wire.say(1, 2)
    assert (await wire.hear())["op"] == 11
    net.face.say("ana", "mention", "hello")
    event = (await wire.hear("MESSAGE_CREATE"))["d"]
    assert (event["guild_id"], event["author"]["username"]) == (guild["id"], "ana")
    assert event["mentions"][0]["username"] == "agent"
    net.face.say("ana", "direct", "psst")
    assert "guild_id" not in (await wire.hear("MESSAGE_CREATE"))["d"]
    await net.post("ours", nonce="n1", enforce_nonce=True)
    assert (await wire.hear("MESSAGE_CREATE"))["d"]["nonce"] == "n1"
    await wire.ws.close()


async def test_without_the_intent_words_are_blank_unless_meant_for_us(net: Net) -> None:
    wire = await net.connect()
    await wire.identify(net.token, EVERYTHING & ~(1 << 15))
    net.face.say("ana", "group", "secret")
    assert (await wire.hear("MESSAGE_CREATE"))["d"]["content"] == ""
    net.face.say("ana", "mention", "for you")
    assert (await wire.hear("MESSAGE_CREATE"))["d"]["content"].endswith("for you")
    net.face.say("ana", "direct", "for you too")
    assert (await wire.hear("MESSAGE_CREATE"))["d"]["content"] == "for you too"
    await wire.ws.close()


async def test_a_session_is_resumed_after_its_last_event(net: Net) -> None:
    wire = await net.connect()
    session = (await wire.identify(net.token))["session_id"]
    net.face.say("ana", "group", "one")
    seen = (await wire.hear("MESSAGE_CREATE"))["s"]
    net.face.cut_streams()
    await wire.closed()
    net.face.say("ana", "group", "two")
    again = await net.connect()
    await again.say(6, {"token": net.token, "session_id": session, "seq": seen})
    assert (await again.hear("MESSAGE_CREATE"))["d"]["content"] == "two"
    await again.hear("RESUMED")
    await again.ws.close(code=1000)
    await asyncio.sleep(0)
    third = await net.connect()
    await third.say(6, {"token": net.token, "session_id": "unknown", "seq": seen})
    await third.hear()
    assert (await third.hear())["op"] == 9
    await third.ws.close()


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Rule(Trouble.SUSPEND), 4004),
        (Rule(Trouble.REVOKE), 4004),
        (Rule(Trouble.REFUSE, code="4013", on="stream"), 4013),
    ],
)
async def test_who_may_not_come_in(net: Net, trouble: Rule, code: int) -> None:
    net.face.faults.add(trouble)
    wire = await net.connect()
    await wire.say(2, {"token": net.token, "intents": EVERYTHING})
    assert await wire.closed() == code


async def test_close_codes_of_the_gateway(net: Net) -> None:
    wire = await net.connect()
    await wire.say(2, {"token": "wrong", "intents": 0})
    assert await wire.closed() == 4004
    net.face.gateway.portal_intents = 0
    wire = await net.connect()
    await wire.say(2, {"token": net.token, "intents": EVERYTHING})
    assert await wire.closed() == 4014
    wire = await net.connect()
    await wire.ws.send_str("what?")
    assert await wire.closed() == 4002
    wire = await net.connect()
    await wire.say(99, None)
    assert await wire.closed() == 4001


async def test_a_suspension_closes_the_gateway(net: Net) -> None:
    wire = await net.connect()
    await wire.identify(net.token)
    net.face.faults.add(Rule(Trouble.SUSPEND, account="agent"))
    assert await wire.closed() == 4004


async def test_reconnect_and_invalid_session(net: Net) -> None:
    wire = await net.connect()
    await wire.identify(net.token)
    await wire.hear("GUILD_CREATE")
    net.face.gateway.reconnect()
    assert (await wire.hear())["op"] == 7
    net.face.gateway.invalidate(resumable=True)
    assert (await wire.hear())["d"] is True
    net.face.gateway.invalidate()
    assert (await wire.hear())["d"] is False
    assert net.face.gateway.sessions == {}
    await wire.ws.close()


async def test_an_unmodified_bot_lives_here(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """discord.py as everybody uses it: logs in, gets ready, hears a mention and answers it."""
    monkeypatch.setattr(discord.http.Route, "BASE", f"{net.face.url}/api/v10")
    gateway = yarl.URL(net.face.url.replace("http", "ws", 1) + "/gw")
    monkeypatch.setattr(discord.gateway.DiscordWebSocket, "DEFAULT_GATEWAY", gateway)
    intents = discord.Intents.default()
    intents.message_content = True
    client = discord.Client(intents=intents, guild_ready_timeout=0.01)
    ready, answered = asyncio.Event(), asyncio.Event()

    @client.event
    async def on_ready() -> None:
        ready.set()

    @client.event
    async def on_message(message: discord.Message) -> None:
        if message.author != client.user and message.guild is not None:
            await message.reply("hello back")
            answered.set()

    async with client, asyncio.timeout(30):
        task = asyncio.create_task(client.start(net.token))
        await ready.wait()
        assert [guild.name for guild in client.guilds] == ["Sandbox"]
        asked = net.face.say("ana", "mention", "hello")
        await answered.wait()
        await client.close()
        await task
    [message] = net.face.network.held_by("agent")
    assert (message.text, message.in_reply_to, message.kind) == ("hello back", asked.id, "reply")


async def test_nobody_says_what_makes_no_sense(net: Net) -> None:
    with pytest.raises(ValueError, match="shout"):
        net.face.say("ana", "shout", "hello")
    with pytest.raises(ValueError, match="to"):
        net.face.say("ana", "reply", "hello")
