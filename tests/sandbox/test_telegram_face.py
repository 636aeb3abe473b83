"""Telegram's face, spoken to in raw HTTP: what a Bot API server answers."""

from __future__ import annotations

import asyncio
import io
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from adapters.sandbox.control import serve
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.telegram import TelegramFace
from adapters.sandbox.telegram_errors import REFUSALS


class Wire:
    """One bot of the face, over HTTP."""

    def __init__(self, face: TelegramFace, session: aiohttp.ClientSession, handle: str = "agent") -> None:
        self.face = face
        self._session = session
        made = face.account(handle)
        self.settings = made["settings"]
        (self.token,) = made["environment"].values()

    async def ask(self, method: str, *, token: str = "", **parameters: Any) -> tuple[int, Any]:
        url = f"{self.face.url}/bot{token or self.token}/{method}"
        async with self._session.post(url, json=parameters) as response:
            return response.status, await response.json()

    async def get(self, method: str, **parameters: Any) -> Any:
        status, body = await self.ask(method, **parameters)
        assert (status, body["ok"]) == (200, True), body
        return body["result"]

    async def refused(self, method: str, **parameters: Any) -> tuple[int, str]:
        status, body = await self.ask(method, **parameters)
        assert body["ok"] is False
        assert body["error_code"] == status
        return status, body["description"]


def png(width: int, height: int) -> bytes:
    """As much of a picture as the server looks at."""
    return (b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)).ljust(33, b"\0")


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    sandbox = await serve(names=["telegram"])
    face = sandbox.faces["telegram"]
    assert isinstance(face, TelegramFace)
    async with aiohttp.ClientSession() as session:
        yield Wire(face, session)
    await sandbox.stop()


async def test_an_account_is_all_a_configuration_needs(wire: Wire) -> None:
    assert wire.settings["id"] == "telegram/main"
    assert wire.settings["server"] == wire.face.url
    assert wire.settings["announce_to"] == "@announcements"
    assert wire.face.account()["environment"] == {wire.settings["token"]["env"]: wire.token}
    assert wire.face.account("second")["settings"]["id"] == "telegram/second"


async def test_get_me_says_who_the_bot_is(wire: Wire) -> None:
    me = await wire.get("getMe")
    assert me["is_bot"]
    assert me["username"] == "agent_bot"
    assert me["can_read_all_group_messages"]
    assert str(me["id"]) == wire.token.partition(":")[0]


async def test_methods_are_found_in_any_case_by_get_form_or_json(wire: Wire) -> None:
    base = f"{wire.face.url}/bot{wire.token}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/GETCHAT", params={"chat_id": "@announcements"}) as response:
            assert (await response.json())["result"]["type"] == "channel"
        async with session.post(f"{base}/getchat", data={"chat_id": "@announcements"}) as response:
            assert (await response.json())["result"]["username"] == "announcements"
    assert await wire.refused("getNothing") == (404, "Not Found: method not found")


@pytest.mark.parametrize(
    ("token", "answer"),
    [("nonsense", (404, "Not Found")), ("123:" + "a" * 35, (401, "Unauthorized"))],
)
async def test_a_wrong_token_is_401_and_a_malformed_one_404(wire: Wire, token: str, answer: tuple[int, str]) -> None:
    assert await wire.refused("getMe", token=token) == answer


async def test_sending_gives_the_message_and_the_network_holds_it(wire: Wire) -> None:
    sent = await wire.get("sendMessage", chat_id="@announcements", text="  Hello, see https://example.org/x.  ")
    assert sent["text"] == "Hello, see https://example.org/x."
    assert sent["entities"] == [{"type": "url", "offset": 11, "length": 21}]
    assert sent["chat"] == {
        "id": wire.face.channel.id,
        "type": "channel",
        "title": "announcements",
        "username": "announcements",
    }
    (held,) = wire.face.network.held_by("agent")
    assert (held.text, held.kind, held.private) == (sent["text"], "post", False)
    assert held.id == f"{sent['chat']['id']}/{sent['message_id']}"
    (attempt,) = wire.face.network.attempts
    assert (attempt.action, attempt.outcome, attempt.message) == ("post", "accepted", held.id)


async def test_the_limit_counts_code_points_and_offsets_count_utf16(wire: Wire) -> None:
    family = "\U0001f9d1"
    sent = await wire.get(
        "sendMessage",
        chat_id=wire.face.general.id,
        text=family * 4090 + "@agent",
        entities=[{"type": "text_link", "offset": 0, "length": 4, "url": "https://example.org"}],
    )
    found = [(e["type"], e["offset"], e["length"]) for e in sent["entities"]]
    assert found == [("text_link", 0, 4), ("mention", 2 * 4090, 6)]
    assert await wire.refused("sendMessage", chat_id=wire.face.general.id, text=family * 4097) == (
        400,
        "Bad Request: message is too long",
    )
    plain = await wire.get("sendMessage", chat_id=wire.face.general.id, text=f"{family} @agent")
    assert plain["entities"] == [{"type": "mention", "offset": 3, "length": 6}]


async def test_entities_are_kept_up_to_a_hundred(wire: Wire) -> None:
    many = [{"type": "bold", "offset": n, "length": 1} for n in range(150)]
    sent = await wire.get("sendMessage", chat_id=wire.face.general.id, text="a" * 200, entities=many)
    assert len(sent["entities"]) == 100


NOWHERE = "entity URL '{}' is invalid: {}"


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        ({"type": "x"}, "can't parse MessageEntity: Unsupported type specified"),
        ({"offset": -1}, "receive an entity with incorrect offset -1"),
        ({"offset": 100, "length": 1}, "entity begins after the end of the text at UTF-16 offset 100"),
        ({"length": 100}, "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 100"),
        ({"type": "text_link"}, "can't parse MessageEntity: Can't find field \"url\""),
        ({"type": "text_mention"}, "can't parse MessageEntity: Can't find field \"user\""),
        ({"type": "text_mention", "user": {"id": 0, "is_bot": False, "first_name": "X"}}, "user not found"),
        ({"type": "text_link", "url": "not-a-url"}, NOWHERE.format("not-a-url", "Wrong HTTP URL")),
        ({"type": "text_link", "url": ""}, NOWHERE.format("", "URL host is empty")),
        ({"type": "text_link", "url": "ftp://e.org"}, NOWHERE.format("ftp://e.org", "Unsupported URL protocol")),
        ({"type": "text_link", "url": "http://localhost/a"}, NOWHERE.format("http://localhost/a", "Wrong HTTP URL")),
        (
            {"type": "text_link", "url": "http://e.org:0/"},
            NOWHERE.format("http://e.org:0/", "Wrong port number specified in the URL"),
        ),
    ],
)
async def test_an_entity_that_makes_no_sense_refuses_the_message(
    wire: Wire, entity: dict[str, Any], words: str
) -> None:
    bold = {"type": "bold", "offset": 0, "length": 5}
    told = await wire.refused("sendMessage", chat_id="@announcements", text="hello", entities=[bold | entity])
    assert told == (400, f"Bad Request: {words}")
    assert wire.face.network.held_by("agent") == []


async def test_parse_modes_are_not_spoken(wire: Wire) -> None:
    answer = await wire.refused("sendMessage", chat_id=wire.face.general.id, text="*a*", parse_mode="MarkdownV2")
    assert answer == (400, "Bad Request: unsupported parse_mode")


async def test_a_private_chat_exists_once_its_person_wrote(wire: Wire) -> None:
    ana = wire.face.person("ana")
    assert await wire.refused("sendMessage", chat_id=ana.id, text="Hello") == (
        403,
        "Forbidden: bot can't initiate conversation with a user",
    )
    wire.face.say("ana", "direct", "Hello")
    sent = await wire.get("sendMessage", chat_id=ana.id, text="Hello yourself")
    assert sent["chat"]["type"] == "private"
    assert wire.face.network.held_by("agent")[-1].private
    second = Wire(wire.face, wire._session, "second")
    assert (await second.refused("sendMessage", chat_id=ana.id, text="Hello"))[0] == 403
    assert await wire.refused("sendMessage", chat_id="99", text="Hello") == (400, "Bad Request: chat not found")
    bot = second.token.partition(":")[0]
    assert (await wire.refused("sendMessage", chat_id=bot, text="Hello"))[0] == 403


@pytest.mark.parametrize(("text", "words"), [("", "message text is empty"), (" \n ", "text must be non-empty")])
async def test_an_empty_text_is_refused_and_noted(wire: Wire, text: str, words: str) -> None:
    told = await wire.refused("sendMessage", chat_id="@announcements", text=text)
    assert told == (400, f"Bad Request: {words}")
    (attempt,) = wire.face.network.attempts
    assert (attempt.outcome, attempt.detail) == ("refused", told[1])


async def test_answers_point_to_their_message_or_are_refused(wire: Wire) -> None:
    asked = wire.face.say("ana", "group", "Anybody?")
    number = asked.extra["json"]["message_id"]
    chat = wire.face.general.id
    sent = await wire.get("sendMessage", chat_id=chat, text="Yes", reply_parameters={"message_id": number})
    assert sent["reply_to_message"]["message_id"] == number
    assert wire.face.network.held_by("agent")[-1].in_reply_to == asked.id
    gone = await wire.refused("sendMessage", chat_id=chat, text="Yes", reply_parameters={"message_id": 999})
    assert gone == (400, "Bad Request: message to be replied not found")
    anyway = {"message_id": 999, "allow_sending_without_reply": True}
    assert "reply_to_message" not in await wire.get("sendMessage", chat_id=chat, text="Yes", reply_parameters=anyway)


async def test_topics_exist_or_are_refused(wire: Wire) -> None:
    chat = wire.face.general
    assert await wire.refused("sendMessage", chat_id=chat.id, text="Yes", message_thread_id=5) == (
        400,
        "Bad Request: message thread not found",
    )
    chat.threads.add(5)
    sent = await wire.get("sendMessage", chat_id=chat.id, text="Yes", message_thread_id=5)
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (5, True)


async def test_edits_change_once_and_say_what_is_wrong(wire: Wire) -> None:
    sent = await wire.get("sendMessage", chat_id="@announcements", text="Frist")
    where = {"chat_id": sent["chat"]["id"], "message_id": sent["message_id"]}
    edited = await wire.get("editMessageText", **where, text="First")
    assert edited["text"] == "First"
    assert edited["edit_date"]
    (held,) = wire.face.network.held_by("agent")
    assert (held.text, held.edits) == ("First", ["Frist"])
    status, words = await wire.refused("editMessageText", **where, text="First")
    assert (status, words.startswith("Bad Request: message is not modified")) == (400, True)
    missing = where | {"message_id": 999}
    assert (await wire.refused("editMessageText", **missing, text="x"))[1] == "Bad Request: message to edit not found"
    theirs = wire.face.say("ana", "group", "Mine").extra["json"]
    other = {"chat_id": theirs["chat"]["id"], "message_id": theirs["message_id"]}
    assert (await wire.refused("editMessageText", **other, text="x"))[1] == "Bad Request: message can't be edited"
    assert (await wire.refused("editMessageCaption", **where, caption="x"))[1].endswith(
        "no caption in the message to edit"
    )


async def test_deletes_take_away_once(wire: Wire) -> None:
    sent = await wire.get("sendMessage", chat_id="@announcements", text="Gone soon")
    where = {"chat_id": sent["chat"]["id"], "message_id": sent["message_id"]}
    assert await wire.get("deleteMessage", **where) is True
    assert wire.face.network.held_by("agent") == []
    assert (await wire.refused("deleteMessage", **where))[1] == "Bad Request: message to delete not found"


async def test_reactions_are_one_of_a_list(wire: Wire) -> None:
    said = wire.face.say("ana", "group", "Good news")
    where = {"chat_id": wire.face.general.id, "message_id": said.extra["json"]["message_id"]}
    for _ in range(2):
        assert await wire.get("setMessageReaction", **where, reaction=[{"type": "emoji", "emoji": "❤"}]) is True
    assert [r["reaction"] for r in said.reactions] == ["❤"]
    wrong = [{"type": "emoji", "emoji": "🥔"}]
    assert (await wire.refused("setMessageReaction", **where, reaction=wrong))[1] == "Bad Request: REACTION_INVALID"
    two = [{"type": "emoji", "emoji": emoji} for emoji in "❤👍"]
    assert (await wire.refused("setMessageReaction", **where, reaction=two))[1] == "Bad Request: REACTIONS_TOO_MANY"


async def test_pictures_come_as_multipart(wire: Wire) -> None:
    form = aiohttp.FormData({"chat_id": "@announcements", "caption": "A picture"})
    form.add_field("photo", png(90, 60), filename="a.png", content_type="image/png")
    url = f"{wire.face.url}/bot{wire.token}/sendPhoto"
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as response:
        sent = (await response.json())["result"]
    assert sent["caption"] == "A picture"
    assert (sent["photo"][0]["width"], sent["photo"][0]["height"], sent["photo"][0]["file_size"]) == (90, 60, 33)
    (held,) = wire.face.network.held_by("agent")
    assert held.media == [{"mime": "image/png", "size_bytes": 33, "alt": "", "type": "photo"}]
    where = {"chat_id": sent["chat"]["id"], "message_id": sent["message_id"]}
    assert (await wire.refused("editMessageText", **where, text="x"))[1].endswith("no text in the message to edit")
    assert (await wire.get("editMessageCaption", **where, caption="Better"))["caption"] == "Better"
    refused = await wire.refused("sendPhoto", chat_id="@announcements", photo="https://example.org/a.png")
    assert refused == (400, "Bad Request: wrong file identifier/HTTP URL specified")
    photo = sent["photo"][0]["file_id"]
    caption = await wire.refused("sendPhoto", chat_id="@announcements", photo=photo, caption="a" * 1025)
    assert caption == (400, "Bad Request: message caption is too long")


async def test_drafts_and_typing_are_no_messages(wire: Wire) -> None:
    ana = wire.face.say("ana", "direct", "Hello").author
    assert await wire.get("sendMessageDraft", chat_id=ana, draft_id=1, text="Thin") is True
    assert await wire.get("sendChatAction", chat_id=ana, action="typing") is True
    assert wire.face.network.held_by("agent") == []
    group = await wire.refused("sendMessageDraft", chat_id=wire.face.general.id, draft_id=1, text="Thin")
    assert group[0] == 400
    assert (await wire.refused("sendMessageDraft", chat_id=ana, draft_id=0, text="Thin"))[0] == 400


async def test_updates_stay_until_a_higher_offset_confirms_them(wire: Wire) -> None:
    for text in ("one", "two", "three"):
        wire.face.say("ana", "direct", text)
    first = await wire.get("getUpdates")
    assert [update["message"]["text"] for update in first] == ["one", "two", "three"]
    assert await wire.get("getUpdates") == first
    ids = [update["update_id"] for update in first]
    assert ids == list(range(ids[0], ids[0] + 3))
    assert [u["message"]["text"] for u in await wire.get("getUpdates", offset=ids[1], limit=1)] == ["two"]
    assert [u["message"]["text"] for u in await wire.get("getUpdates")] == ["two", "three"]
    assert [u["message"]["text"] for u in await wire.get("getUpdates", offset=-1)] == ["three"]
    assert await wire.get("getUpdates", offset=ids[-1] + 1) == []


async def test_a_long_poll_waits_for_somebody_to_speak(wire: Wire) -> None:
    poll = asyncio.create_task(wire.get("getUpdates", timeout=30))
    await _polling(wire)
    wire.face.say("ana", "mention", "Hello")
    (update,) = await poll
    assert update["message"]["text"] == "@agent_bot Hello"
    assert update["message"]["entities"][0] == {"type": "mention", "offset": 0, "length": 10}


async def test_a_second_poller_ends_the_first(wire: Wire) -> None:
    first = asyncio.create_task(wire.ask("getUpdates", timeout=30))
    await _polling(wire)
    second = asyncio.create_task(wire.get("getUpdates", timeout=30))
    status, body = await first
    assert (status, body["description"]) == REFUSALS["conflict"]
    wire.face.say("ana", "direct", "Hello")
    assert len(await second) == 1


async def test_reactions_and_edits_come_to_who_asked(wire: Wire) -> None:
    said = wire.face.say("ana", "direct", "Frist")
    wire.face.person_reacts("ana", said.id, "👍")
    wire.face.person_edits(said.id, "First")
    kinds = [next(key for key in update if key != "update_id") for update in await wire.get("getUpdates")]
    assert kinds == ["message", "edited_message"]
    await wire.get("getUpdates", allowed_updates=["message_reaction"])
    wire.face.person_reacts("ana", said.id, "🔥")
    wire.face.say("ana", "direct", "Not asked for")
    change = (await wire.get("getUpdates"))[-1]["message_reaction"]
    assert [r["emoji"] for r in change["new_reaction"]] == ["👍", "🔥"]
    assert [r["emoji"] for r in change["old_reaction"]] == ["👍"]


async def test_privacy_mode_lets_through_what_concerns_the_bot(wire: Wire) -> None:
    wire.face.privacy("agent")
    ours = await wire.get("sendMessage", chat_id=wire.face.general.id, text="Hello all")
    wire.face.say("ana", "group", "Among us")
    wire.face.say("ana", "mention", "you there")
    wire.face.say("ana", "reply", "an answer", to=f"{ours['chat']['id']}/{ours['message_id']}")
    wire.face.say("ana", "group", "/start")
    texts = [update["message"]["text"] for update in await wire.get("getUpdates")]
    assert texts == ["@agent_bot you there", "an answer", "/start"]
    assert not (await wire.get("getMe"))["can_read_all_group_messages"]


async def test_a_comment_answers_the_copy_in_the_discussion_group(wire: Wire) -> None:
    post = await wire.get("sendMessage", chat_id="@announcements", text="News")
    wire.face.say("ana", "reply", "Great", to=wire.face.network.held_by("agent")[0].id)
    (update,) = await wire.get("getUpdates")
    copy = update["message"]["reply_to_message"]
    assert update["message"]["chat"]["id"] == copy["chat"]["id"] == wire.face.general.id
    assert copy["is_automatic_forward"]
    assert copy["forward_origin"]["message_id"] == post["message_id"]
    assert copy["sender_chat"]["username"] == "announcements"


async def test_own_messages_and_posts_of_others_are_no_updates(wire: Wire) -> None:
    await wire.get("sendMessage", chat_id=wire.face.general.id, text="Ours")
    wire.face.say("ana", "post", "In my channel")
    assert await wire.get("getUpdates") == []


@pytest.mark.parametrize("trouble", ["suspend", "revoke"])
async def test_a_lost_account_loses_its_poll_too(wire: Wire, trouble: str) -> None:
    poll = asyncio.create_task(wire.ask("getUpdates", timeout=30))
    await _polling(wire)
    rule = wire.face.faults.add(Rule(Trouble(trouble)))
    status, body = await poll
    assert (status, body["description"]) == (401, "Unauthorized")
    assert (await wire.refused("getMe"))[0] == 401
    wire.face.faults.lift(rule.id)
    assert await wire.get("getMe")


async def test_a_frozen_account_reads_and_does_not_write(wire: Wire) -> None:
    wire.face.faults.add(Rule(Trouble.LOCK))
    assert await wire.get("getMe")
    assert (await wire.refused("sendMessage", chat_id="@announcements", text="x"))[1].endswith("FROZEN_METHOD_INVALID")


async def test_too_many_requests_say_when_in_whole_seconds(wire: Wire) -> None:
    wire.face.faults.add(Rule(Trouble.RATE_LIMIT, count=1, retry_after_s=4.2))
    status, body = await wire.ask("sendMessage", chat_id="@announcements", text="x")
    assert (status, body["description"]) == (429, "Too Many Requests: retry after 5")
    assert body["parameters"] == {"retry_after": 5}
    wire.face.faults.add(Rule(Trouble.RATE_LIMIT, count=1, retry_after_s=None))
    assert "parameters" not in (await wire.ask("sendMessage", chat_id="@announcements", text="x"))[1]


async def test_a_group_that_moved_tells_where_to(wire: Wire) -> None:
    old = wire.face.general
    new = wire.face.migrate(old)
    status, body = await wire.ask("sendMessage", chat_id=old.id, text="x")
    assert (status, body["parameters"]) == (400, {"migrate_to_chat_id": new.id})


@pytest.mark.parametrize("code", sorted(REFUSALS))
async def test_every_refusal_can_be_asked_for(wire: Wire, code: str) -> None:
    wire.face.faults.add(Rule(Trouble.REFUSE, code=code, count=1, extra={"to": "-1009"}))
    assert await wire.refused("sendMessage", chat_id="@announcements", text="x") == REFUSALS[code]
    assert [attempt.detail for attempt in wire.face.network.attempts] == [code]
    assert wire.face.network.held_by("agent") == []


async def test_a_chat_has_a_window_of_its_own(wire: Wire) -> None:
    wire.face.window = (2, 60.0)
    first = await wire.get("sendMessage", chat_id="@announcements", text="one")
    await wire.get("editMessageText", chat_id="@announcements", message_id=first["message_id"], text="two")
    status, body = await wire.ask("sendMessage", chat_id="@announcements", text="three")
    assert (status, body["parameters"]) == (429, {"retry_after": 60})
    await wire.get("sendMessage", chat_id=wire.face.general.id, text="elsewhere")
    assert [attempt.outcome for attempt in wire.face.network.attempts] == [*["accepted"] * 2, "refused", "accepted"]


async def test_failing_after_acceptance_keeps_the_message(wire: Wire) -> None:
    wire.face.faults.add(Rule(Trouble.FAIL_AFTER, count=1))
    assert await wire.refused("sendMessage", chat_id="@announcements", text="In") == (
        500,
        "Internal Server Error: restart",
    )
    wire.face.faults.add(Rule(Trouble.DROP_AFTER, count=1))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await wire.ask("sendMessage", chat_id="@announcements", text="In too")
    assert [message.text for message in wire.face.network.held_by("agent")] == ["In", "In too"]


@pytest.mark.parametrize("code", [None, "nameless"])
async def test_a_broken_update_comes_first_and_is_confirmed_away(wire: Wire, code: str | None) -> None:
    wire.face.say("ana", "direct", "Whole")
    wire.face.faults.add(Rule(Trouble.MALFORMED_EVENT, count=1, code=code))
    broken, whole = await wire.get("getUpdates")
    assert whole["message"]["text"] == "Whole"
    assert json.dumps(broken) != json.dumps(whole)
    assert await wire.get("getUpdates", offset=whole["update_id"] + 1) == []


async def test_an_upload_over_the_limit_is_413(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.sandbox.telegram.UPLOAD_BYTES", 100_000)
    sandbox = await serve(names=["telegram"])
    face = sandbox.faces["telegram"]
    (token,) = face.account()["environment"].values()
    form = aiohttp.FormData({"chat_id": "@announcements"})
    form.add_field("photo", b"0" * 200_000, filename="a.png", content_type="image/png")
    async with aiohttp.ClientSession() as session, session.post(f"{face.url}/bot{token}/sendPhoto", data=form) as got:
        assert (got.status, (await got.json())["description"]) == REFUSALS["too_large"]
    await sandbox.stop()


async def test_people_are_moved_and_looked_at_over_http() -> None:
    sandbox = await serve(names=["telegram"])
    async with aiohttp.ClientSession() as session:
        said = {"person": "ana", "kind": "direct", "text": "Hello"}
        async with session.post(f"{sandbox.url}/telegram/say", json=said) as response:
            told = await response.json()
        async with session.get(f"{sandbox.url}/telegram/messages") as response:
            assert await response.json() == [told]
    assert (told["text"], told["private"], told["conversation"]) == ("Hello", True, told["author"])
    await sandbox.stop()


async def _polling(wire: Wire) -> None:
    """Until a getUpdates is open."""
    bot = wire.face.bot_of(wire.token)
    async with asyncio.timeout(30):
        while bot.extra["mailbox"].poll is None:
            await asyncio.sleep(0.002)


# Files, albums, polls.


async def posted(wire: Wire, method: str, files: dict[str, bytes], **fields: Any) -> tuple[int, Any]:
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value if isinstance(value, str) else json.dumps(value))
    for name, data in files.items():
        form.add_field(name, io.BytesIO(data), filename=f"{name}.bin", content_type="application/octet-stream")
    url = f"{wire.face.url}/bot{wire.token}/{method}"
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as response:
        body = await response.json()
        return response.status, body.get("result") or body.get("description")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "file must be non-empty"),
        (b"GIF89a", "IMAGE_PROCESS_FAILED"),
        (b"\x89PNG\r\n\x1a\n", "IMAGE_PROCESS_FAILED"),
        (b"\xff\xd8\xff\xe0", "IMAGE_PROCESS_FAILED"),
        (png(0, 5), "IMAGE_PROCESS_FAILED"),
        (png(9000, 1001), "PHOTO_INVALID_DIMENSIONS"),
        (png(2100, 100), "PHOTO_INVALID_DIMENSIONS"),
        (png(10, 10).ljust(10_485_761, b"\0"), "is too big for a photo; the maximum size is 10485760 bytes"),
    ],
)
async def test_photos_are_looked_at(wire: Wire, data: bytes, words: str) -> None:
    status, told = await posted(wire, "sendPhoto", {"photo": data}, chat_id="@announcements")
    assert status == 400
    assert words in told
    assert wire.face.network.held_by("agent") == []


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 60, 90)
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + (89).to_bytes(3, "little") + (59).to_bytes(3, "little")


@pytest.mark.parametrize("data", [png(90, 60), JPEG, WEBP])
async def test_a_photos_sides_are_read_from_it(wire: Wire, data: bytes) -> None:
    _, sent = await posted(wire, "sendPhoto", {"photo": data}, chat_id="@announcements", has_spoiler="true")
    assert (sent["photo"][0]["width"], sent["photo"][0]["height"]) == (90, 60)
    assert sent["has_media_spoiler"]


@pytest.mark.parametrize("kind", ["video", "animation", "audio", "document"])
async def test_other_files_are_taken_as_they_are_and_can_be_fetched(wire: Wire, kind: str) -> None:
    form = {"chat_id": "@announcements", "caption": "See", "width": "640", "height": "360", "duration": "3"}
    _, sent = await posted(wire, f"send{kind}", {kind: b"bytes"}, **form)
    assert (sent["caption"], sent[kind]["file_size"]) == ("See", 5)
    (held,) = wire.face.network.held_by("agent")
    assert held.media[0]["type"] == kind
    found = await wire.get("getFile", file_id=sent[kind]["file_id"])
    async with aiohttp.ClientSession() as session:
        base = f"{wire.face.url}/file/bot{wire.token}"
        async with session.get(f"{base}/{found['file_path']}") as response:
            assert await response.read() == b"bytes"
        async with session.get(f"{base}/documents/nothing") as response:
            assert response.status == 404
        async with session.get(f"{base.replace(wire.token, '1:' + 'a' * 35)}/{found['file_path']}") as response:
            assert response.status == 401
    again = await wire.get(f"send{kind}", chat_id="@announcements", **{kind: sent[kind]["file_id"]})
    assert again[kind]["file_id"] == sent[kind]["file_id"]


def item(kind: str, number: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "media": f"attach://f{number}", **more}


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ([], "there are no messages to send"),
        (["photo"] * 11, "too many messages to send as an album"),
        (["photo", "document"], "document can't be mixed with other media types"),
        (["audio", "video"], "audio can't be mixed with other media types"),
        (["photo", "animation"], 'type "animation" can\'t be used in sendMediaGroup'),
        (["photo", "nonsense"], "can't parse InputMedia"),
    ],
)
async def test_albums_are_of_ten_that_go_together(wire: Wire, kinds: list[str], words: str) -> None:
    media = [item(kind, n) for n, kind in enumerate(kinds)]
    files = {f"f{n}": png(9, 9) for n in range(len(kinds))}
    status, told = await posted(wire, "sendMediaGroup", files, chat_id="@announcements", media=media)
    assert status == 400
    assert words in told
    assert wire.face.network.held_by("agent") == []


async def test_an_album_is_there_whole_or_not_at_all(wire: Wire) -> None:
    media = [item("photo", 0, caption="Two"), item("video", 1, has_spoiler=True)]
    files = {"f0": png(9, 9), "f1": b"film"}
    _, sent = await posted(wire, "sendMediaGroup", files, chat_id="@announcements", media=media)
    assert [message.get("caption") for message in sent] == ["Two", None]
    assert len({message["media_group_id"] for message in sent}) == 1
    status, told = await posted(
        wire,
        "sendMediaGroup",
        {"f0": png(9, 9), "f1": b"no"},
        chat_id="@announcements",
        media=[media[0], item("photo", 1)],
    )
    assert (status, told) == (
        400,
        'Bad Request: failed to send message #2 with the error message "IMAGE_PROCESS_FAILED"',
    )
    missing = await wire.refused("sendMediaGroup", chat_id="@announcements", media=media)
    assert missing == (400, "Bad Request: can't parse InputMedia: media not found")
    assert len(wire.face.network.held_by("agent")) == 2
    ids = [message["message_id"] for message in sent]
    where = {"chat_id": sent[0]["chat"]["id"], "message_id": ids[0]}
    kept = await wire.refused("editMessageMedia", **where, media=item("document", 0))
    assert kept[0] == 400
    status, told = await posted(
        wire,
        "editMessageMedia",
        {"f0": b"x"},
        chat_id=str(where["chat_id"]),
        message_id=str(ids[0]),
        media=item("document", 0),
    )
    assert told == "Bad Request: can't change media type in the album"
    assert await wire.get("deleteMessages", chat_id=where["chat_id"], message_ids=[*ids, 999])
    assert wire.face.network.held_by("agent") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"question": " "}, "text must be non-empty"),
        ({"question": "q" * 301}, "poll question length must not exceed 300"),
        ({"options": []}, "poll must have at least one answer option"),
        ({"options": ["a"] * 13}, "poll can't have more than 12 options"),
        ({"options": ["a", "\n"]}, "text must be non-empty"),
        ({"options": ["a", "b" * 101]}, "poll options length must not exceed 100"),
        ({"options": [7]}, "can't parse InputPollOption"),
        ({"open_period": 4}, "open_period"),
    ],
)
async def test_polls_are_refused_as_the_server_does(wire: Wire, change: dict[str, Any], words: str) -> None:
    poll = {"question": "Which?", "options": [{"text": "a"}, "b"], "open_period": 60} | change
    status, told = await wire.refused("sendPoll", chat_id="@announcements", **poll)
    assert status == 400
    assert words in told


async def test_a_poll_is_shown_and_stays_as_it_is(wire: Wire) -> None:
    sent = await wire.get("sendPoll", chat_id="@announcements", question="Which?", options=["a", {"text": "b"}])
    assert (sent["poll"]["question"], "text" in sent) == ("Which?", False)
    where = {"chat_id": sent["chat"]["id"], "message_id": sent["message_id"]}
    assert (await wire.refused("editMessageText", **where, text="x"))[1].endswith("no text in the message to edit")
    assert (await wire.refused("editMessageCaption", **where, caption="x"))[1].endswith(
        "no caption in the message to edit"
    )
    status, told = await posted(
        wire,
        "editMessageMedia",
        {"f0": png(9, 9)},
        media=item("photo", 0),
        **{name: str(value) for name, value in where.items()},
    )
    assert (status, told) == (400, "Bad Request: message media can't be edited")


async def test_no_entity_cuts_a_character(wire: Wire) -> None:
    ends = "beginning at UTF-16 offset 0 ends"
    for mark, how in (({"offset": 1, "length": 1}, "begins"), ({"offset": 0, "length": 1}, ends)):
        told = await wire.refused(
            "sendMessage", chat_id="@announcements", text="\U0001f9d1 hi", entities=[{"type": "bold", **mark}]
        )
        assert told == (400, f"Bad Request: entity {how} in a middle of a UTF-16 symbol at byte offset 4")
