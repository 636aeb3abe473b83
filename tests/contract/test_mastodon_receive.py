"""Mastodon's receiving half, and the library's traps: streams, threads, hostile answers."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import json
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote_plus

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from mastodon import Mastodon

from adapters.mastodon.adapter import MastodonAdapter, open_account
from adapters.mastodon.profile import Settings
from adapters.mastodon.receive import Bell, Listener
from adapters.mastodon.session import Streamed
from adapters.sandbox.faults import Trouble
from adapters.sandbox.mastodon_media import PIXEL
from gateway.clock import SystemClock
from gateway.model.delivery import FaultError, FaultKind, Receipt, ToPerson
from gateway.model.events import Kind, MessageDeleted, MessageEdited, Reacted
from gateway.model.identity import Identity
from gateway.model.secret import Secret
from gateway.testing.kit import Bench, ManualClock
from gateway.text.plain import from_text
from tests.contract.mastodon_rig import (
    ACCOUNT,
    ME,
    STATUS,
    TOKEN,
    Rig,
    Stub,
    draft,
    listening,
    mastodon_account,  # noqa: F401 - a fixture
    mastodon_rig,  # noqa: F401 - a fixture
    opened,
    refusal,
    reply,
    send,
    stub_server,
    stubbed,
    until,
)

STREAM = "GET /api/v1/streaming/user"
POST = "POST /api/v1/statuses"
DEEP = 100_000


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(ACCOUNT)]


# The stream is a bell; what is read is the notifications. (poll_s is 60 s here: only the bell can be in time.)


async def test_the_stream_wakes_the_reader(rig: Rig, account: MastodonAdapter) -> None:
    async with listening(account) as heard:
        rig.face.say("ana", "mention", "hello")
        assert (await heard.message("hello")).kind is Kind.MENTION


async def test_without_a_stream_the_clock_does(rig: Rig) -> None:
    rig.strike(Trouble.REFUSE, on="stream", code="gone")
    account = await rig.open(poll_s=0.01)
    async with listening(account) as heard:
        rig.face.say("ana", "direct", "psst")
        assert (await heard.message("psst")).kind is Kind.DIRECT


async def test_a_strangers_first_direct_message_is_heard_though_nothing_rings(rig: Rig) -> None:
    clock = ManualClock()
    account = await rig.open(clock)
    async with listening(account) as heard:
        await until(lambda: len(rig.face.streams) == 1)
        rig.face.say("ana", "direct", "psst")
        await clock.advance(60)
        assert (await heard.message("psst")).kind is Kind.DIRECT
        cursor = heard.cursor
    rig.face.say("ben", "direct", "while you were away")
    rig.face.say("ana", "mention", "and later in public")
    async with listening(await rig.open(), cursor) as heard:
        await heard.message("in public")
        assert len(heard.messages()) == 2


async def test_an_answer_to_our_direct_message_rings(rig: Rig, account: MastodonAdapter) -> None:
    rig.face.say("ana", "post", "I am here")
    async with listening(account) as heard:
        await until(lambda: len(rig.face.streams) == 1)
        await send(account, draft("psst", ToPerson(Identity("mastodon", "ana@mastodon.sandbox"), private=True)))
        rig.face.say("ana", "direct", "what is it?", to=rig.held()[0].id)
        assert (await heard.message("what is it?")).private


async def test_a_gap_of_many_pages_is_read_in_order(rig: Rig, account: MastodonAdapter) -> None:
    async with listening(account) as heard:
        cursor = heard.cursor
    for number in range(190):
        rig.face.say("ana", "mention", f"missed {number}.")
    async with listening(await rig.open(), cursor) as heard:
        await heard.message("missed 189.")
        assert [m.text for m in heard.messages()] == [f"missed {number}." for number in range(190)]


async def test_after_a_cut_the_gap_is_read_at_once_and_on_return(rig: Rig) -> None:
    clock = ManualClock()
    account = await rig.open(clock)
    async with listening(account) as heard:
        rig.face.cut_streams()
        await until(lambda: len(rig.face.streams) == 0 and clock.sleepers >= 2)
        rig.face.say("ana", "mention", "while it was cut")
        assert heard.messages() == []
        await clock.advance(10)
        await heard.message("while it was cut")
        await until(lambda: len(rig.face.streams) == 1)
        rig.face.say("ana", "mention", "live again")
        await heard.message("live again")


async def test_a_stream_that_ends_at_once_is_not_stormed() -> None:
    clock = ManualClock()
    async with stubbed(clock) as (stub, account):
        stub.answers[STREAM] = reply(b"", Connection="close")
        async with listening(account):
            await until(lambda: clock.sleepers >= 2)
            assert stub.asked.count(STREAM) == 1
            for expected in (2, 3, 4):
                await clock.advance(2.0**expected)
                await until(lambda expected=expected: stub.asked.count(STREAM) == expected and clock.sleepers >= 2)


async def test_closing_cuts_a_silent_stream(rig: Rig) -> None:
    silence = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n:)\n")
        await writer.drain()
        silence.set()
        await asyncio.Event().wait()

    async with stub_server() as stub:
        stub.answers[STREAM] = hang
        account = await opened(stub.url, Bench(ACCOUNT, SystemClock()))
        async with listening(account):
            await silence.wait()
            assert [name for name in threads() if "stream" in name]
        assert not [name for name in threads() if "stream" in name]
        await account.aclose()
        assert threads() == []


@pytest.mark.parametrize("on", ["stream", "read"])
async def test_a_malformed_event_is_passed_over(rig: Rig, account: MastodonAdapter, on: str) -> None:
    async with listening(account) as heard:
        for number in range(3):
            rig.strike(Trouble.MALFORMED_EVENT, on=on, count=1)
            rig.face.say("ana", "mention", f"after it {number}")
            await heard.message(f"after it {number}")
        assert len(heard.messages()) == 3
        assert len(rig.face.streams) == 1


HOSTILE = [
    b"data: " + b"x" * (3 << 20) + b"\n\n",
    b"event: delete\n\nevent: delete\ndata: \xff\xfe\n\n",
    b"event: status.update\ndata: " + b"[" * DEEP + b"\n\n",
    b'event: status.update\ndata: {"id": 1}\n\n',
    b"\xff\xff\n:::\nevent\ndata\n\n\n\n",
    b'event: status.update\ndata: {"id":"\xff"}\n\n',
]


@pytest.mark.parametrize("said", HOSTILE)
async def test_a_hostile_stream_says_nothing_and_breaks_nothing(said: bytes) -> None:
    notes = [
        {"id": "5", "type": "mention", "created_at": "2026-11-22T12:00:00Z", "account": ANA, "status": said_by_ana()}
    ]

    async def talk(writer: asyncio.StreamWriter) -> None:
        stub.answers["GET /api/v1/notifications"] = reply(notes)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + said)
        writer.write(b"event: notification\ndata: {}\n\n")
        await writer.drain()
        await gone.wait()

    gone = asyncio.Event()
    async with stubbed() as (stub, account):
        stub.answers[STREAM] = talk
        async with listening(account, '{"min_id":"4"}') as heard:
            await heard.message("hello")
        gone.set()


class Bytes(io.BytesIO):
    """What a stream says, as if it came from a server."""

    status, reason = 200, "OK"


@pytest.mark.parametrize("said", HOSTILE)
async def test_a_hostile_stream_is_read_to_its_end(said: bytes) -> None:
    bell = Bell(asyncio.get_running_loop())
    Listener(bell).handle_stream(Streamed(cast("Any", Bytes(said + b"event: delete\ndata: 7\n\n"))))
    assert list(bell.news)[-1] == "7"


ANA = {"id": "2", "acct": "ana", "display_name": "Ana", "url": "https://stub.example/@ana"}


def said_by_ana(**more: Any) -> dict[str, Any]:
    mention = {"id": "1", "acct": "agent", "url": "https://stub.example/@agent"}
    return {**STATUS, "id": "7", "account": ANA, "mentions": [mention], **more}


def note(**status: Any) -> dict[str, Any]:
    at = "2026-11-22T12:00:00Z"
    return {"id": "6", "type": "mention", "created_at": at, "account": ANA, "status": said_by_ana(**status)}


BROKEN: list[Any] = [
    None,
    note(id="7|public|eve"),
    note(id="../../oauth/revoke"),
    note(id="7" * 100),
    note(id="7\n"),
    note(in_reply_to_id="7?x="),
    note(mentions=[{"id": "1"}]),
    7,
    {},
    {"id": 6},
    {"id": "6"},
    {"id": "6", "type": "mention", "created_at": "yesterday", "account": ANA, "status": said_by_ana()},
    {"id": "6", "type": "mention", "created_at": "2026-11-22T12:00:00Z", "account": ANA, "status": None},
    {
        "id": "6",
        "type": "mention",
        "created_at": "2026-11-22T12:00:00Z",
        "account": ANA,
        "status": said_by_ana(account={"id": "2", "acct": "a b|c"}),
    },
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
async def test_a_broken_notification_is_passed_over_once(broken: Any) -> None:
    """The server even ignores min_id: the same page again and again is neither repeated nor a busy loop."""
    good = {"id": "5", "type": "mention", "created_at": "2026-11-22T12:00:00Z", "account": ANA, "status": said_by_ana()}
    clock = ManualClock()
    async with stubbed(clock) as (stub, account):
        stub.answers["GET /api/v1/notifications"] = reply([broken, good])
        async with listening(account, '{"min_id":"4"}') as heard:
            await heard.message("hello")
            await until(lambda: clock.sleepers >= 2)
            asked = len(stub.asked)
            await clock.advance(130)
            await until(lambda: len(stub.asked) > asked and clock.sleepers >= 2)
            assert len(heard.messages()) == 1
            assert len(stub.asked) < asked + 20


async def test_notifications_that_are_no_text_are_passed_over() -> None:
    good = json.dumps({**note(), "id": "7"}).encode()
    page = b'[{"id":"\xff"},' + json.dumps(note()).encode().replace(b"hello", b"h\xff") + b"," + good + b"]"
    async with stubbed() as (stub, account):
        stub.answers["GET /api/v1/notifications"] = reply(page)
        async with listening(account, '{"min_id":"4"}') as heard:
            await heard.message("hello")
            assert heard.fault is None


# What a message is.


async def test_a_thread_is_one_conversation_also_after_a_restart(rig: Rig, account: MastodonAdapter) -> None:
    async with listening(account) as heard:
        root = rig.face.say("ana", "mention", "the beginning")
        first = await heard.message("the beginning")
        rig.face.say("bo", "reply", "the middle", to=root.id)
        middle = await heard.message("the middle")
        cursor = heard.cursor
    (receipt,) = await send(account, draft("ours", in_reply_to=middle.ref, target=_in(middle)))
    rig.face.say("ana", "reply", "the end", to=rig.held()[0].id)
    async with listening(await rig.open(), cursor) as heard:
        last = await heard.message("the end")
    assert {first.conversation, middle.conversation, last.conversation} == {f"open|{root.id}"}
    assert (first.kind, middle.kind, last.kind) == (Kind.MENTION, Kind.MENTION, Kind.REPLY)
    assert last.in_reply_to == receipt.ref
    assert middle.in_reply_to == first.ref


def _in(event: Any) -> Any:
    from gateway.model.delivery import InConversation

    return InConversation(event.conversation, event.private)


async def test_a_thread_that_can_not_be_looked_at_loses_no_message(rig: Rig, account: MastodonAdapter) -> None:
    post = rig.face.say("ana", "post", "far away")
    rig.strike(Trouble.FAIL_BEFORE, on="read", action="context")
    async with listening(account) as heard:
        rig.face.say("bo", "reply", "look at this", to=post.id)
        event = await heard.message("look at this")
    assert event.conversation == f"open|{post.id}"
    assert event.in_reply_to is None


def said_by(acct: str, number: str, **more: Any) -> dict[str, Any]:
    return said_by_ana(id=number, account={**ANA, "id": f"2{number}", "acct": acct}, **more)


@pytest.mark.parametrize("acct", ["a" * 300, "a|b", "", "ana@भारत|.example", f"ana@{'भ' * 300}.example"])
async def test_a_name_that_can_be_none_above_loses_no_message(acct: str) -> None:
    above = [said_by("bo", "5"), said_by(acct, "6", in_reply_to_id="5")]
    async with stubbed() as (stub, account):
        stub.answers["GET /api/v1/statuses/7/context"] = reply({"ancestors": above})
        stub.answers["GET /api/v1/notifications"] = reply([note(in_reply_to_id="6")])
        async with listening(account, '{"min_id":"4"}') as heard:
            event = await heard.message("hello")
    assert (event.conversation, event.in_reply_to) == ("open|5", None)
    assert event.thread_root == "5|public|bo@stub.example"


REAL_NAMES = {
    "ana@भारत.example": "ana@xn--h2brj9c.example",
    "ana@தமிழ்.com": "ana@xn--rlcus7b3d.com",
    "ana@💩.la": "ana@xn--ls8h.la",
    "ana@bücher.example": "ana@bücher.example",  # as it was known before
    f"{'long.' * 20}example@bsky.brid.gy": f"{'long.' * 20}example@bsky.brid.gy",
}


@pytest.mark.parametrize("acct", REAL_NAMES)
async def test_whoever_is_named_in_any_script_is_heard_and_answered(acct: str) -> None:
    """Mastodon shows domains in Unicode; bridges take whole domains for names."""
    name = REAL_NAMES[acct]
    called = [{"id": "1", "acct": "agent"}, {"id": "27", "acct": acct, "url": "https://far.example/@ana"}]
    said = note(account={**ANA, "acct": acct}, mentions=called, visibility="direct")
    async with stubbed() as (stub, account):
        stub.answers["GET /api/v1/notifications"] = reply([{**said, "account": {**ANA, "acct": acct}}])
        async with listening(account, '{"min_id":"4"}') as heard:
            event = await heard.message("hello")
        assert (event.author.id, event.conversation) == (name, f"direct|{name}")
        for person in (event.author, Identity("mastodon", acct)):
            await send(account, draft("psst", ToPerson(person, private=True)))
            assert unquote_plus(stub.bodies[-1].decode()).startswith(f"status=@{name} psst")


async def test_an_instance_that_tells_its_domain_in_any_script_has_people_that_can_be_named() -> None:
    async with stubbed() as (stub, account):
        stub.answers["GET /api/v2/instance/"] = reply({"domain": "भारत.example"})
        stub.answers["GET /api/v1/notifications"] = reply([note()])
        async with listening(account, '{"min_id":"4"}') as heard:
            assert (await heard.message("hello")).author.id == "ana@xn--h2brj9c.example"


async def test_between_many_long_names_a_direct_message_is_its_authors() -> None:
    """A conversation's name stands in an index, whose rows have an end."""
    called = [{"id": f"3{number}", "acct": f"{number}{'b' * 200}@{'c' * 60}.example"} for number in range(9)]
    async with stubbed() as (stub, account):
        stub.answers["GET /api/v1/notifications"] = reply([note(mentions=called, visibility="direct")])
        async with listening(account, '{"min_id":"4"}') as heard:
            assert (await heard.message("hello")).conversation == "direct|ana@stub.example"


async def test_a_picture_comes_as_an_attachment_that_can_be_fetched(rig: Rig, account: MastodonAdapter) -> None:
    async with listening(account) as heard:
        rig.face.say("ana", "mention", "look", image=True)
        event = await heard.message("look")
    assert event.text == "look"
    (file,) = event.attachments
    assert (file.kind, file.mime, file.alt, file.width_px, file.height_px) == ("image", "image/png", "a pixel", 1, 1)
    assert b"".join([piece async for piece in account.fetch(file)]) == PIXEL
    assert event.url.startswith(rig.face.url)
    assert json.loads(event.raw)["status"]["id"] == event.id


async def test_changes_come_while_the_stream_is_there(rig: Rig, account: MastodonAdapter) -> None:
    async with listening(account) as heard:
        said = rig.face.say("ana", "mention", "@agent frist")
        event = await heard.message("frist")
        rig.face.person_edits(said.id, "@agent first")
        rig.face.person_reacts("ana", (await _published(rig, account)), "favourite")
        rig.face.person_deletes(said.id)
        await heard.until(lambda: any(isinstance(e, MessageDeleted) for e in heard.events))
        await heard.until(lambda: any(isinstance(e, Reacted) for e in heard.events))
    (edit,) = [e for e in heard.events if isinstance(e, MessageEdited)]
    (gone,) = [e for e in heard.events if isinstance(e, MessageDeleted)]
    assert (edit.ref, edit.conversation) == (gone.ref, gone.conversation) == (event.ref, event.conversation)
    assert len({event.id, edit.id, gone.id}) == 3


async def test_an_edit_of_what_was_heard_before_a_restart_is_one(rig: Rig, account: MastodonAdapter) -> None:
    async with listening(account) as heard:
        root = rig.face.say("ana", "mention", "@agent the question")
        said = rig.face.say("ana", "reply", "@agent frist", to=root.id)
        event = await heard.message("frist")
    again = await rig.open()
    async with listening(again) as heard:
        rig.face.person_edits(said.id, "@agent first")
        await heard.until(lambda: any(isinstance(e, MessageEdited) for e in heard.events))
        rig.face.person_edits(said.id, "nobody is called now")
        await heard.until(lambda: sum(isinstance(e, MessageEdited) for e in heard.events) > 1)
    edits = [e for e in heard.events if isinstance(e, MessageEdited)]
    assert {(edit.ref, edit.conversation) for edit in edits} == {(event.ref, event.conversation)}


async def _published(rig: Rig, account: MastodonAdapter) -> str:
    await send(account, draft("ours"))
    return rig.held()[-1].id


# The library's traps.


def plain(stub: Stub) -> Mastodon:
    """Mastodon.py as it comes, to show what is being kept away from it."""
    return Mastodon(access_token=TOKEN, api_base_url=stub.url, ratelimit_method="throw", request_timeout=15)


NESTED = b'{"error":' + b"[" * DEEP + b"]" * DEEP + b"}"
TRAPS: dict[str, tuple[bytes, FaultKind, bool]] = {
    "a deep refusal": (reply(NESTED, 403), FaultKind.FORBIDDEN, True),
    "a deep success": (reply(NESTED), FaultKind.SERVER, False),
    "a deep list": (reply(b"[" * DEEP), FaultKind.SERVER, False),
    "a refusal that is no text": (reply(b'{"error":"gr\xfc\xdfe"}', 403), FaultKind.FORBIDDEN, True),
    "a success that is no text": (reply(b'{"id":"\xff"}'), FaultKind.SERVER, False),
    "a success without a status": (reply({"ok": True}), FaultKind.SERVER, False),
    "a success without anything": (reply(b""), FaultKind.SERVER, False),
    "a page": (reply(b"<html>hello</html>"), FaultKind.SERVER, False),
    "a page that refuses": (reply(b"<html>no</html>", 403), FaultKind.FORBIDDEN, True),
    "a page that knows no such path": (reply(b"<html>no</html>", 404), FaultKind.SERVER, False),
    "a status of a strange account": (
        reply({**STATUS, "account": {"id": "9", "acct": "a|b"}}),
        FaultKind.SERVER,
        False,
    ),
    "an answer cut short": (reply(STATUS)[:-9], FaultKind.NETWORK, False),
    "an answer too large": (reply(b" " * (5 << 20)), FaultKind.NETWORK, False),
    "no HTTP": (b"SSH-2.0-hello\r\n\r\n", FaultKind.NETWORK, False),
    "headers without end": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000, FaultKind.NETWORK, False),
    "a redirect": (reply(b"", 301, Location="https://other.example/api/v1/statuses"), FaultKind.CONFIG, True),
    "a redirect to itself": (reply(b"", 307, Location="/api/v1/statuses"), FaultKind.CONFIG, True),
    "a limit that tells nothing": (reply({"error": "Too many requests"}, 429), FaultKind.RATE_LIMITED, True),
    "a limit that tells nonsense": (
        reply({"error": "Too many"}, 429, X_RateLimit_Reset="soon", X_RateLimit_Remaining="-"),
        FaultKind.RATE_LIMITED,
        True,
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
async def test_a_hostile_answer_is_a_fault(trap: str) -> None:
    answer, kind, certain = TRAPS[trap]
    async with stubbed() as (stub, account):

        async def say(writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            await writer.drain()
            writer.close()

        stub.answers[POST] = say
        fault = await refusal(send(account, draft("hello")))
        assert (fault.kind, fault.certain) == (kind, certain)
        assert TOKEN not in fault.evidence
        assert len(fault.evidence) <= 300
        stub.answers[POST] = reply(STATUS)
        await send(account, draft("the next one goes"))


VERIFY = "GET /api/v1/accounts/verify_credentials"
NO_SUCH_PAGE = reply(b"404 page not found\n", 404, Content_Type="text/plain; charset=utf-8")
"""What a proxy says for as long as the container behind it restarts."""


async def test_a_page_that_knows_no_path_of_a_known_instance_is_its_restart() -> None:
    async with stubbed() as (stub, account):
        (before,) = await send(account, draft("before"))
        (part,) = account.plan(draft("meanwhile"), datetime.now(UTC))
        well = dict(stub.answers)
        stub.answers |= dict.fromkeys([VERIFY, POST, "GET /api/v1/notifications"], NO_SUCH_PAGE)
        stub.answers |= {f"{verb} /api/v1/statuses/113": NO_SUCH_PAGE for verb in ("GET", "PUT", "DELETE")}
        probed = (await account.check()).fault
        assert probed is not None
        assert probed.kind is FaultKind.SERVER
        for doing in (account.send(part), account.delete(before.ref), account.edit(before.ref, from_text("else"))):
            fault = await refusal(doing)
            assert (fault.kind, fault.certain) == (FaultKind.SERVER, False)
        async with listening(account) as heard:
            assert heard.fault is not None
            assert heard.fault.kind is FaultKind.SERVER
        stub.answers = well
        assert (await account.check()).fault is None
        assert (await account.send(part)).ref == before.ref


async def test_a_page_that_knows_no_path_from_the_first_on_is_a_wrong_server() -> None:
    async with stubbed() as (stub, account):
        stub.answers[VERIFY] = NO_SUCH_PAGE
        for fault in ((await account.check()).fault, await refusal(send(account, draft("hello")))):
            assert fault is not None
            assert (fault.kind, fault.certain) == (FaultKind.CONFIG, True)


async def test_a_server_that_knows_no_sources_has_its_posts_read_back() -> None:
    async with stubbed() as (stub, account):
        since = datetime.now(UTC)
        (part,) = account.plan(draft("hello"), since)
        receipt = await account.send(part)
        stub.answers["GET /api/v1/statuses/113/source"] = NO_SUCH_PAGE
        stub.answers["GET /api/v1/accounts/1/statuses"] = reply([{**STATUS, "created_at": since.isoformat()}])
        found = await account.reconcile(part, since)
        assert isinstance(found, Receipt)
        assert found.ref == receipt.ref


def test_the_library_by_itself_recurses() -> None:
    """Why refusals are not decoded by it: one deep error body is a RecursionError instead of a MastodonAPIError."""

    async def ask() -> None:
        async with stub_server() as stub:
            stub.answers[POST] = reply(NESTED, 403)
            client = plain(stub)
            try:
                with pytest.raises(RecursionError):
                    await asyncio.to_thread(client.status_post, "hello")
            finally:
                client.session.close()

    asyncio.run(ask())


HEADERS = [
    {"X_RateLimit_Reset": "not a date", "X_RateLimit_Remaining": "x"},
    {"X_RateLimit_Reset": "9" * 400},
    {"X_RateLimit_Reset": "2026-11-22T15:00:00Z", "Date": "the other day"},
    {"Deprecation": "true"},
    {"Mastodon_Async_Refresh": "id"},
    {"Link": "<<<>,<>;rel"},
]


@pytest.mark.parametrize("headers", HEADERS)
async def test_a_strange_header_does_not_undo_a_post(headers: dict[str, str]) -> None:
    """Mastodon.py raises a rate limit, or warns, after the status was made: it would go out again."""
    async with stubbed() as (stub, account):
        stub.answers[POST] = reply(STATUS, **headers)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (receipt,) = await send(account, draft("hello"))
        assert receipt.ref.startswith("113|")


async def test_gotosocial_tells_the_reset_in_seconds() -> None:
    async with stubbed() as (stub, account):
        reset = str(int(time.time()) + 500)
        stub.answers[POST] = reply({"error": "slow down"}, 429, X_RateLimit_Reset=reset, X_RateLimit_Remaining="0")
        fault = await refusal(send(account, draft("hello")))
        assert fault.retry_at
        assert abs(fault.retry_at.timestamp() - int(reset)) < 2


async def test_the_servers_clock_does_not_matter() -> None:
    async with stubbed() as (stub, account):
        limit = {"X_RateLimit_Reset": "2020-01-01T00:10:00Z", "Date": "Wed, 01 Jan 2020 00:00:00 GMT"}
        stub.answers[POST] = reply({"error": "slow down"}, 429, **limit)
        fault = await refusal(send(account, draft("hello")))
        assert fault.retry_at
        assert abs(fault.retry_at.timestamp() - time.time() - 600) < 5


async def test_a_read_may_be_redirected_on_the_same_server() -> None:
    """GoToSocial's router takes the slash off that Mastodon.py puts on."""
    async with stubbed() as (stub, account):
        stub.answers["GET /api/v2/instance/"] = reply(b"", 301, Location="/api/v2/instance")
        stub.answers["GET /api/v2/instance"] = reply(
            {"domain": "gts.example", "configuration": {"statuses": {"max_characters": 5_000}}}
        )
        assert (await account.check()).fault is None
        assert account.profile.limits.text_max == 5_000


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:9/api/v1/x", "//other.example/x", "/api/v1/accounts/verify_credentials", ""]
)
async def test_a_token_follows_no_redirect_away(location: str) -> None:
    async with stubbed() as (stub, account):
        stub.answers["GET /api/v1/accounts/verify_credentials"] = reply(b"", 302, Location=location)
        fault = (await account.check()).fault
        assert fault
        assert fault.kind is FaultKind.CONFIG
        assert "redirect" in fault.evidence
        assert len(stub.asked) <= 4


async def test_an_old_instance_has_its_first_description_read() -> None:
    async with stubbed() as (stub, account):
        del stub.answers["GET /api/v2/instance/"]
        stub.answers["GET /api/v1/instance/"] = reply({"uri": "old.example", "max_toot_chars": 5})
        assert (await account.check()).fault is None
        assert account.profile.limits.text_max == 500


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.mastodon.calls.REQUEST_S", 0.05)

    async def hang(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)

    async with stubbed() as (stub, account):
        await account.check()
        stub.answers[POST] = hang
        fault = await refusal(send(account, draft("hello")))
        assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False)


async def test_an_answer_that_drips_is_given_up() -> None:
    clock = ManualClock()
    dripping, more = asyncio.Event(), asyncio.Event()

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        dripping.set()
        await more.wait()
        writer.write(b" ")

    async with stubbed(clock) as (stub, account):
        await account.check()
        stub.answers[POST] = drip
        task = asyncio.create_task(refusal(send(account, draft("hello"))))
        await dripping.wait()
        await asyncio.sleep(0.05)
        await clock.advance(31)
        more.set()
        fault = await task
        assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False)
        assert "for ever" in fault.evidence


async def test_a_token_is_not_taken_for_a_file(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mastodon.py reads a file of that name, and takes its second line for the server."""
    monkeypatch.chdir(tmp_path)
    Path(TOKEN).write_text("another-token\n")
    account = await rig.open()
    assert (await account.check()).fault is None


@pytest.mark.parametrize("token", ["two\nlines", "a\x00zero", "größe☃"])
async def test_a_token_that_no_header_may_carry_is_a_fault_without_it(rig: Rig, token: str) -> None:
    settings = Settings(server=rig.face.url, access_token=Secret(token))
    account = await open_account(settings, rig.bench.context)
    try:
        fault = (await account.check()).fault
        assert fault
        assert (fault.kind, fault.certain) == (FaultKind.SIGNED_OUT, True)
        assert token not in fault.evidence
        assert repr(token)[1:-1] not in fault.evidence
    finally:
        await account.aclose()


@pytest.mark.parametrize(
    "server", ["", "ftp://example.org", "https://", "https://me:secret@example.org", "://", "https://a.example:port"]
)
async def test_a_server_that_is_none_is_said_at_once(rig: Rig, server: str) -> None:
    with pytest.raises(FaultError) as caught:
        await open_account(Settings(server=server, access_token=Secret("t")), rig.bench.context)
    assert caught.value.fault.kind is FaultKind.CONFIG
    assert "secret" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for loopback that nobody vouches for, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    signed = made.add_extension(here, critical=False).sign(key, hashes.SHA256())
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + signed.public_bytes(Encoding.PEM))
    return path


def _server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    async with stub_server(_server_side(certificate)) as stub:
        account = await opened(stub.url, Bench(ACCOUNT, SystemClock()))
        fault = (await account.check()).fault
        await account.aclose()
    assert fault
    assert (fault.kind, fault.certain) == (FaultKind.NETWORK, True)
    assert "CERTIFICATE_VERIFY_FAILED" in fault.evidence
    assert stub.asked == []


async def test_over_tls_connections_are_kept_and_streams_are_cut(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.mastodon.session._context", ssl.create_default_context(cafile=certificate))
    silence = asyncio.Event()

    async def hang(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:)\n")
        await writer.drain()
        silence.set()
        await asyncio.Event().wait()

    async with stub_server(_server_side(certificate)) as stub:
        stub.answers[STREAM] = hang
        account = await opened(stub.url, Bench(ACCOUNT, SystemClock()), workers=1)
        for number in range(5):
            await send(account, draft(f"hello {number}"))
        assert stub.connections == 2  # one to read with, one to send
        async with listening(account):
            await silence.wait()
        await account.aclose()
        assert threads() == []


async def test_each_thread_has_a_client_of_its_own(rig: Rig) -> None:
    account = await rig.open(workers=4)
    receipts = await asyncio.gather(*(send(account, draft(f"post {i}")) for i in range(64)))
    assert len({receipt.ref for (receipt,) in receipts}) == len(rig.held()) == 64
    assert len([name for name in threads() if "send" in name]) == 4
    await account.aclose()
    assert threads() == []


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    assert threads() == []


def test_the_stub_is_who_it_says() -> None:
    assert ME["id"] == STATUS["account"]["id"]
