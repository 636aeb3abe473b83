"""python-telegram-bot itself, driven into every row of Telegram's failure table and every trap that was found."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import traceback
from datetime import timedelta
from typing import Any

import pytest
from conformance_rig import SandboxRig
from msgspec import structs
from telegram import Bot
from telegram.error import TimedOut
from telegram.request import HTTPXRequest
from telegram_rig import PART, SENT, TOKEN, Answer, adapter_at, face_of, http, opened, stub, telegram_rig

from adapters.border import judge
from adapters.telegram import adapter as adapter_module
from adapters.telegram import request as request_module
from adapters.telegram import session
from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.profile import FAULTS
from gateway.model.content import Document, Link, Mention, Text
from gateway.model.delivery import Fault, FaultError, FaultKind, InConversation, ToPerson
from gateway.model.events import Kind, MessageEdited, MessageReceived, Reacted
from gateway.model.identity import Identity
from gateway.model.ids import ConversationId
from gateway.model.secret import Secret
from gateway.testing.conformance.rig import (
    Listener,
    answer_to,
    draft,
    hear,
    now,
    picture,
    publish,
    refused,
    send_all,
    stream,
    text_of,
)
from gateway.text.plain import from_text

__all__ = ["telegram_rig"]  # the fixture "rig"


async def fault_of(rig: SandboxRig, adapter: TelegramAdapter) -> Fault:
    (part,) = adapter.plan(draft(rig, "Hello"), now())
    async with refused() as faults:
        await adapter.send(part)
    return faults[0]


# The table, with its sources in adapters/sandbox/telegram_errors.py. What answers 4xx was certainly not sent.

ROWS = [
    ("unauthorized", FaultKind.SIGNED_OUT),
    ("invalid_token", FaultKind.SIGNED_OUT),
    ("not_found", FaultKind.SIGNED_OUT),
    ("logged_out", FaultKind.SIGNED_OUT),
    ("frozen", FaultKind.LOCKED),
    ("blocked", FaultKind.TARGET_REFUSED),
    ("deactivated", FaultKind.TARGET_GONE),
    ("not_started", FaultKind.TARGET_REFUSED),
    ("to_bot", FaultKind.TARGET_REFUSED),
    ("kicked", FaultKind.TARGET_REFUSED),
    ("not_member", FaultKind.TARGET_REFUSED),
    ("group_deleted", FaultKind.TARGET_GONE),
    ("forbidden", FaultKind.FORBIDDEN),
    ("no_write_access", FaultKind.TARGET_REFUSED),
    ("no_rights", FaultKind.TARGET_REFUSED),
    ("chat_gone", FaultKind.TARGET_GONE),
    ("reply_gone", FaultKind.TARGET_GONE),
    ("thread_gone", FaultKind.TARGET_GONE),
    ("migrated", FaultKind.MOVED),
    ("too_long", FaultKind.TOO_LONG),
    ("caption_too_long", FaultKind.TOO_LONG),
    ("empty", FaultKind.INVALID),
    ("bad_markup", FaultKind.INVALID),
    ("edit_gone", FaultKind.TARGET_GONE),
    ("cant_edit", FaultKind.TARGET_REFUSED),
    ("cant_edit_media", FaultKind.TARGET_REFUSED),
    ("blank", FaultKind.INVALID),
    ("user_gone", FaultKind.INVALID),
    ("cant_delete", FaultKind.TARGET_REFUSED),
    ("react_gone", FaultKind.TARGET_GONE),
    ("bad_reaction", FaultKind.INVALID),
    ("too_many_reactions", FaultKind.INVALID),
    ("bad_file_id", FaultKind.MEDIA),
    ("wrong_file", FaultKind.MEDIA),
    ("url_failed", FaultKind.MEDIA),
    ("too_large", FaultKind.MEDIA),
    ("conflict", FaultKind.CONFLICT),
    ("webhook", FaultKind.CONFLICT),
]


@pytest.mark.parametrize(("code", "kind"), ROWS)
async def test_a_refusal_is_certain_and_named(rig: SandboxRig, code: str, kind: FaultKind) -> None:
    adapter = await opened(rig)
    rig.strike("refuse", code=code, on="write", extra={"to": "-1009"})
    fault = await fault_of(rig, adapter)
    assert (fault.kind, fault.certain) == (kind, True), fault
    assert rig.held() == []
    if kind is FaultKind.MOVED:
        assert fault.moved_to == "-1009"


@pytest.mark.parametrize("status", [None, 500, 502, 503, 504])
async def test_a_server_error_is_never_certain(rig: SandboxRig, status: int | None) -> None:
    adapter = await opened(rig)
    for trouble, accepted in (("fail_before", 0), ("fail_after", 1)):
        rig.strike(trouble, count=1, on="write", status=status)
        fault = await fault_of(rig, adapter)
        assert (fault.kind, fault.certain) == (FaultKind.SERVER, False), fault
        assert len(rig.held()) == accepted


async def test_a_dropped_connection_is_never_certain(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    for trouble, accepted in (("drop_before", 0), ("drop_after", 1)):
        rig.strike(trouble, count=1, on="write")
        fault = await fault_of(rig, adapter)
        assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False), fault
        assert len(rig.held()) == accepted


async def test_flood_control_says_when(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    rig.strike("rate_limit", count=1, on="write", retry_after_s=7)
    fault = await fault_of(rig, adapter)
    assert (fault.kind, fault.certain) == (FaultKind.RATE_LIMITED, True)
    assert fault.retry_at is not None
    assert timedelta(seconds=5) < fault.retry_at - now() <= timedelta(seconds=7)


async def test_a_private_chat_nobody_opened_is_refused_by_the_server(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    rig.say("ana", Kind.GROUP, "Never wrote to the bot")
    ana = face_of(rig).person("ana")
    (part,) = adapter.plan(draft(rig, "Hi", ToPerson(Identity("telegram", ana.id, "ana"), private=True)), now())
    async with refused() as faults:
        await adapter.send(part)
    assert faults[0].kind is FaultKind.TARGET_REFUSED
    assert "can't initiate conversation" in faults[0].evidence


async def test_a_group_that_moved_says_where_and_takes_it_there(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    event = await hear(rig, adapter, "ana", Kind.GROUP, "Before the move")
    face_of(rig).migrate(face_of(rig).general)
    (part,) = adapter.plan(answer_to(rig, event, "After it"), now())
    async with refused() as faults:
        await adapter.send(part)
    moved_to = faults[0].moved_to
    assert faults[0].kind is FaultKind.MOVED
    assert moved_to is not None
    await send_all(adapter, adapter.plan(draft(rig, "After it", InConversation(moved_to)), now()))
    assert rig.held()[-1].conversation == moved_to


# Answers that aren't the Bot API's.


def always(answer: bytes | None) -> Answer:
    return lambda _: answer


async def failure(answer: Answer, **settings: Any) -> Fault:
    async with stub(answer) as server, adapter_at(server.url, **settings) as adapter:
        async with refused() as faults:
            await adapter.send(PART)
        return faults[0]


PAGE = b"<html><body>The requested URL /bot" + TOKEN.encode() + b"/sendMessage was not found</body></html>"


@pytest.mark.parametrize(
    "status", ["403 Forbidden", "404 Not Found", "401 Unauthorized", "502 Bad Gateway", "302 Found"]
)
async def test_an_edge_page_takes_no_account_down(status: str) -> None:
    """Only the Bot API's own JSON may say that the token is refused."""
    fault = await failure(always(http(PAGE, status, kind="text/html")))
    assert (fault.kind, fault.certain) == (FaultKind.SERVER, False)
    assert fault.evidence.startswith(status[:3])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'{"ok":true}',
        b'{"ok":true,"result":{}}',
        b'{"ok":true,"result":[1]}',
        b'{"ok":true,"result":{"message_id":5,"date":99999999999999999,"chat":{"id":1}}}',
        b"[" * 100_000,
    ],
)
async def test_an_accepted_send_with_a_strange_answer_is_not_certain(body: bytes) -> None:
    fault = await failure(always(http(body)))
    assert (fault.kind, fault.certain) == (FaultKind.SERVER, False)


@pytest.mark.parametrize(
    ("parameters", "kind", "certain"),
    [
        ('{"retry_after":1e300}', FaultKind.UNKNOWN, False),
        ('{"retry_after":-1}', FaultKind.RATE_LIMITED, True),
        ('{"migrate_to_chat_id":[]}', FaultKind.RATE_LIMITED, True),
        ("[1]", FaultKind.SERVER, False),
        ('"x"', FaultKind.SERVER, False),
        ("{}", FaultKind.RATE_LIMITED, True),
    ],
)
async def test_strange_parameters_are_a_fault_and_never_certain_of_too_much(
    parameters: str, kind: FaultKind, certain: bool
) -> None:
    body = f'{{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{parameters}}}'
    fault = await failure(always(http(body.encode(), "429 Too Many Requests")))
    assert (fault.kind, fault.certain) == (kind, certain)


async def test_a_pause_of_years_is_cut_to_a_day() -> None:
    body = b'{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":99999999}}'
    fault = await failure(always(http(body, "429 Too Many Requests")))
    assert fault.retry_at is not None
    assert fault.retry_at - now() <= timedelta(days=1)


async def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "ANSWER_MAX_BYTES", 10_000)
    fault = await failure(always(http(b" " * 20_000)))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False)
    assert "too large" in fault.evidence


async def test_a_compressed_answer_is_not_unpacked() -> None:
    fault = await failure(always(http(gzip.compress(SENT), head="Content-Encoding: gzip\r\n")))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False)


# Weather: the cause inside the library's exception tells what left.


async def test_a_refused_connection_is_certain() -> None:
    async with stub(always(None)) as server:
        gone = server.url
    async with adapter_at(gone) as adapter, refused() as faults:
        await adapter.send(PART)
    assert (faults[0].kind, faults[0].certain) == (FaultKind.NETWORK, True)


@pytest.mark.parametrize("server", ["ftp://a.example", "a.example", "http://a\x00b"])
async def test_a_server_that_is_no_address_is_for_the_operator(server: str) -> None:
    async with adapter_at(server) as adapter, refused() as faults:
        await adapter.send(PART)
    assert (faults[0].kind, faults[0].certain) == (FaultKind.CONFIG, True)
    assert "server" in faults[0].evidence


async def test_silence_is_not_certain() -> None:
    """The transport's own time-out, as PTB wraps it."""
    async with stub(always(None)) as server:
        client = session.Client(Secret(TOKEN), server.url, 1, 0.05)
        with pytest.raises(Exception, match="Timed out") as info:
            await client.call("sendMessage", {"chat_id": 1, "text": "x"})
        await client.close_connections()
    told = session.describe(info.value, now())
    assert told is not None
    fault = judge(told, FAULTS)
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False)
    assert "SocketTimeoutError" in fault.evidence


async def test_an_answer_is_waited_for_longer_than_the_library_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gives up after 5 s; here after a tenth of one, so that nobody has to wait."""
    places, _, *others = HTTPXRequest.__init__.__defaults__ or ()
    monkeypatch.setattr(HTTPXRequest.__init__, "__defaults__", (places, 0.1, *others))
    async with stub(always(http(SENT))) as server, adapter_at(server.url) as adapter:
        server.hold.clear()
        library = Bot(TOKEN, base_url=f"{server.url}/bot")
        with pytest.raises(TimedOut):
            await library.send_message(1, "x")
        await library.request.shutdown()
        sending = asyncio.create_task(adapter.send(PART))
        while len(server.requests) < 2:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.3)
        server.hold.set()
        assert (await sending).ref


async def test_no_place_in_the_pool_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "READ_TIMEOUT_S", 0.05)  # the pool's too
    async with stub(always(None)) as server:
        client = session.Client(Secret(TOKEN), server.url, 1, 30.0)
        waiting = asyncio.create_task(client.call("sendMessage", {"chat_id": 1, "text": "x"}))
        while not server.requests:
            await asyncio.sleep(0.002)
        with pytest.raises(Exception, match="Pool timeout") as info:
            await client.call("sendMessage", {"chat_id": 1, "text": "y"})
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await client.close_connections()
    told = session.describe(info.value, now())
    assert told is not None
    fault = judge(told, FAULTS)
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, True)
    assert len(server.requests) == 1


async def test_an_answer_that_drips_for_ever_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transport's time-outs begin anew with every byte; ours doesn't."""
    monkeypatch.setattr(adapter_module, "CALL_TIMEOUT_S", 0.1)
    fault = await failure(always(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"))
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False)


async def test_closing_in_the_middle_of_a_send_is_not_certain() -> None:
    async with stub(always(None)) as server, adapter_at(server.url) as adapter:
        sending = asyncio.create_task(adapter.send(PART))
        while not server.requests:
            await asyncio.sleep(0.002)
        await adapter.aclose()
        server.cut()
        async with refused() as faults:
            await sending
        assert not faults[0].certain
        async with refused() as late:
            await adapter.send(PART)
        assert (late[0].kind, late[0].certain) == (FaultKind.CANCELLED, True)


# Secrets.


async def test_the_token_is_in_no_log_exception_or_evidence(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "aiohttp", "aiohttp.client", "asyncio", "telegram", "telegram.Bot", "telegram.request"):
        caplog.set_level(logging.DEBUG, name)
    seen: list[str] = []
    answers = [
        http(SENT),
        http(PAGE, "404 Not Found", kind="text/html"),
        http(PAGE),
        http(json.dumps({"ok": False, "description": f"bot{TOKEN}"}).encode(), "400 Bad Request"),
        http(b'{"ok":false,"error_code":401,"description":"Unauthorized"}', "401 Unauthorized"),
        b"nonsense\r\n\r\n",
    ]
    for answer in answers:
        async with stub(always(answer)) as server, adapter_at(server.url) as adapter:
            seen += [repr(adapter), str(await adapter.check())]
            seen += await _said_of(adapter)
    for server_setting in ("http://a\x00b", "ftp://a.example"):
        async with adapter_at(server_setting) as adapter:
            seen += await _said_of(adapter)
    logging.getLogger("telegram.Bot").warning("the library is heard")
    shown = "\n".join((caplog.text, *seen))
    assert "sendMessage" in shown
    assert "the library is heard" in caplog.text
    assert TOKEN not in shown
    assert TOKEN.partition(":")[2] not in shown


async def _said_of(adapter: TelegramAdapter) -> list[str]:
    """What a send left behind, the whole chain of exceptions included."""
    try:
        return [str(await adapter.send(PART))]
    except FaultError as error:
        return [str(error.fault), *traceback.format_exception(error), *_everything_in(error)]


def _everything_in(error: BaseException | None) -> list[str]:
    return [repr(error), str(error), *_everything_in(error.__cause__ or error.__context__)] if error else []


async def test_warnings_of_the_library_still_show(caplog: pytest.LogCaptureFixture) -> None:
    session.silence()
    logging.getLogger("telegram.Bot").warning("something is wrong")
    logging.getLogger("telegram.Bot").info("Set Bot API URL: https://a.example/bot1:x")
    assert "something is wrong" in caplog.text
    assert "Set Bot API URL" not in caplog.text


# Receiving.


async def test_an_update_is_confirmed_only_by_asking_for_the_next(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    box = face_of(rig).bot_of(next(iter(rig.secrets))).extra["mailbox"]
    arrivals = stream(adapter, None)
    await anext(arrivals)
    rig.say("ana", Kind.DIRECT, "First")
    events, _ = await anext(arrivals)
    assert [event.text for event in events if isinstance(event, MessageReceived)] == ["First"]
    assert len(box.page(10)) == 1, "the server must still have what the consumer hasn't stored"
    asking = asyncio.create_task(anext(arrivals))  # type: ignore[arg-type]  # an awaitable, in a task
    while box.page(10):
        await asyncio.sleep(0.002)
    rig.say("ana", Kind.DIRECT, "Second")
    events, _ = await asking
    assert len(events) == 1
    await arrivals.aclose()


async def test_a_second_poller_is_a_conflict_and_the_account_is_well(rig: SandboxRig) -> None:
    first, second = await opened(rig), await opened(rig)
    async with Listener(first) as losing:
        await losing.started()
        async with Listener(second) as winning:
            await winning.started()
            assert (await losing.failed()).kind is FaultKind.CONFLICT
            rig.say("ana", Kind.DIRECT, "Who hears?")
            await winning.message("Who hears?")
    assert (await second.check()).fault is None


async def test_edits_and_reactions_of_people_arrive(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    async with Listener(adapter) as listener:
        await listener.started()
        said = rig.say("ana", Kind.DIRECT, "Frist")
        original = await listener.message("Frist")
        face_of(rig).person_edits(said, "First")
        face_of(rig).person_edits(said, "First!")
        face_of(rig).person_reacts("ana", said, "👍")
        await listener.until(lambda: any(isinstance(event, Reacted) for event in listener.events))
    edits = [event for event in listener.events if isinstance(event, MessageEdited)]
    assert [edit.ref for edit in edits] == [original.ref] * 2
    assert len({edit.id for edit in edits}) == 2


async def test_a_topic_is_answered_in_the_topic(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    face_of(rig).general.threads.add(9)
    async with Listener(adapter) as listener:
        await listener.started()
        face_of(rig).say("ana", "mention", "In the topic", thread=9)
        event = await listener.message("In the topic")
    (receipt,) = await send_all(adapter, adapter.plan(answer_to(rig, event, "Here too"), now()))
    assert rig.held()[-1].extra["json"]["message_thread_id"] == 9
    assert receipt.ref.startswith(f"{event.conversation}/")
    await adapter.edit(receipt.ref, from_text("Here as well"))
    await adapter.show_typing(event.conversation)
    assert rig.held()[-1].text == "Here as well"


@pytest.mark.parametrize("code", [None, "nameless"])
async def test_broken_updates_without_end_neither_stop_nor_spin(rig: SandboxRig, code: str | None) -> None:
    adapter = await opened(rig)
    async with Listener(adapter) as listener:
        await listener.started()
        rig.strike("malformed_event", code=code)
        for text in ("One", "Two"):
            rig.say("ana", Kind.DIRECT, text)
            await listener.message(text)
    assert [event.text for event in listener.messages()] == ["One", "Two"]


async def test_a_server_that_answers_nothing_at_once_is_asked_slowly() -> None:
    """The same broken page for ever: one pause each, and the loop can be left."""
    page = http(b'{"ok":true,"result":[17,{"update_id":"x"},{"no":"id"},{"update_id":9999999999}]}')
    me = http(b'{"ok":true,"result":{"id":1,"username":"a_bot"}}')
    async with stub(lambda path: me if "getMe" in path else page) as server, adapter_at(server.url) as adapter:
        async with Listener(adapter, '{"offset":5,"at_unix_s":9e12}'):
            while len(server.requests) < 4:
                await asyncio.sleep(0.002)
            begun, before = asyncio.get_running_loop().time(), len(server.requests)
            while len(server.requests) < before + 4:
                await asyncio.sleep(0.002)
            assert asyncio.get_running_loop().time() - begun >= 3 * adapter_module.PAUSE_S
        assert all("offset=5" in request for request in server.requests if "getUpdates" in request)


async def test_an_offset_from_long_ago_is_not_used(rig: SandboxRig) -> None:
    """After a week of silence update ids start anew, maybe lower: such an offset would drop what is waiting."""
    adapter = await opened(rig)
    rig.say("ana", Kind.DIRECT, "After a long silence")
    async with Listener(adapter, '{"offset":2000000000,"at_unix_s":1.0}') as listener:
        await listener.message("After a long silence")


@pytest.mark.parametrize("cursor", ["", "nonsense", "[]", '{"offset":"x"}'])
async def test_a_cursor_nobody_can_read_loses_nothing(rig: SandboxRig, cursor: str) -> None:
    adapter = await opened(rig)
    rig.say("ana", Kind.DIRECT, "Still waiting")
    async with Listener(adapter, cursor) as listener:
        await listener.message("Still waiting")


# Sending, editing.


async def test_a_caption_is_edited_like_a_text(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    pictured = draft(rig, "A pitcure", media=(picture(rig, "A square"),))
    (receipt,) = await send_all(adapter, adapter.plan(pictured, now()))
    better = structs.replace(from_text("A picture"), media=pictured.document.media)
    for _ in range(2):
        assert (await adapter.edit(receipt.ref, better)).ref == receipt.ref
    assert rig.held()[-1].text == "A picture"
    async with refused() as faults:
        await adapter.edit(receipt.ref, from_text("No picture"))
    assert (faults[0].kind, faults[0].certain) == (FaultKind.TARGET_REFUSED, True)
    assert (rig.held()[-1].text, len(rig.held()[-1].media)) == ("A picture", 1)


async def test_an_edit_too_long_for_one_message_is_refused_here(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    ref, _ = await publish(rig, adapter, "Short")
    before = rig.attempts()
    async with refused() as faults:
        await adapter.edit(ref, from_text("a " * 3000))
    assert (faults[0].kind, rig.attempts()) == (FaultKind.TOO_LONG, before)


async def test_an_edit_over_a_captions_length_is_refused_in_words(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    one = picture(rig, "A square")
    (receipt,) = await send_all(adapter, adapter.plan(draft(rig, "Short", media=(one,)), now()))
    async with refused() as faults:
        await adapter.edit(receipt.ref, structs.replace(from_text("word " * 300), media=(one,)))
    assert (faults[0].kind, faults[0].certain) == (FaultKind.TOO_LONG, True)
    assert "the message holds 1024" in faults[0].evidence
    (held,) = rig.held()
    assert (held.text, held.edits) == ("Short", [])


async def test_a_bot_that_never_met_somebody_says_the_name(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    known = Mention("telegram", face_of(rig).person("ana").id, "", "Ana")
    said = Document(((Mention("telegram", "404", "", "Zoë"), Text(" and "), known, Text("!")),))
    (part,) = adapter.plan(structs.replace(draft(rig, ""), document=said), now())
    receipt = await adapter.send(part)
    (held,) = rig.held()
    assert (held.text, "entities" in held.extra["json"]) == ("Zoë and Ana!", False)
    called = Document(((Text("Dear "), known),))
    await adapter.edit(receipt.ref, called)
    assert [mark["type"] for mark in held.extra["json"]["entities"]] == ["text_mention"]


async def test_an_address_that_the_server_refuses_is_spelled_out(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    said = Document(((Link("http://localhost:8000/a", "here"), Text(" or "), Link("https://e.org/b", "there")),))
    (part,) = adapter.plan(structs.replace(draft(rig, ""), document=said), now())
    await adapter.send(part)
    (held,) = rig.held()
    assert held.text == "here (http://localhost:8000/a) or there"
    assert [mark.get("url") for mark in held.extra["json"]["entities"]][-1] == "https://e.org/b"


async def test_an_emoji_outside_the_list_is_invalid(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    event = await hear(rig, adapter, "ana", Kind.GROUP, "Potatoes")
    async with refused() as faults:
        await adapter.react(event.ref, "🥔")
    assert (faults[0].kind, faults[0].certain) == (FaultKind.INVALID, True)


async def test_parts_follow_each_other_in_groups_and_just_come_in_private(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    for kind, chained in ((Kind.GROUP, True), (Kind.DIRECT, False)):
        event = await hear(rig, adapter, "ana", kind, f"Tell me by {kind}")
        parts = adapter.plan(answer_to(rig, event, text_of(1200)), now())
        before = len(rig.held())
        await send_all(adapter, parts)
        first, *others = rig.held()[before:]
        assert first.in_reply_to == event.ref
        expected = [message.id for message in rig.held()[before:-1]] if chained else [None] * len(others)
        assert [message.in_reply_to for message in others] == expected


async def test_an_answer_to_a_deleted_message_is_sent_all_the_same(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    event = await hear(rig, adapter, "ana", Kind.GROUP, "I take that back")
    face_of(rig).person_deletes(event.ref)
    await send_all(adapter, adapter.plan(answer_to(rig, event, "What?"), now()))
    assert (rig.held()[-1].text, rig.held()[-1].in_reply_to) == ("What?", None)


async def test_a_post_can_be_linked_to(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    (receipt,) = await send_all(adapter, adapter.plan(draft(rig, "News"), now()))
    assert receipt.url == f"https://t.me/announcements/{receipt.ref.rpartition('/')[2]}"


async def test_many_callers_queue_outside_the_library() -> None:
    """At most sixteen requests at once, whatever the callers; a lone caller gets one connection."""
    async with stub(always(http(SENT))) as server, adapter_at(server.url) as adapter:
        for _ in range(5):
            await adapter.send(PART)
        assert server.connections == 1
        server.hold.clear()
        sends = [asyncio.create_task(adapter.send(PART)) for _ in range(64)]
        most = session.CONNECTIONS
        while server.busy < most:
            await asyncio.sleep(0.002)
        server.hold.set()
        assert len(await asyncio.gather(*sends)) == 64
        assert server.busiest == most
        assert len(server.requests) == 69


async def test_a_cancelled_caller_gives_its_place_back() -> None:
    async with stub(always(http(SENT))) as server, adapter_at(server.url) as adapter:
        server.hold.clear()
        for _ in range(3):
            sends = [asyncio.create_task(adapter.send(PART)) for _ in range(40)]
            while server.busy < 1:
                await asyncio.sleep(0.002)
            for send in sends:
                send.cancel()
            results = await asyncio.gather(*sends, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
        server.hold.set()
        assert len(await asyncio.gather(*(adapter.send(PART) for _ in range(40)))) == 40


async def test_typing_is_shown_where_it_is_meant(rig: SandboxRig) -> None:
    adapter = await opened(rig)
    event = await hear(rig, adapter, "ana", Kind.DIRECT, "Are you there?")
    await adapter.show_typing(ConversationId(event.conversation))
    bot = face_of(rig).bot_of(next(iter(rig.secrets)))
    assert bot.extra["typing"] == [(int(event.conversation), "typing")]
