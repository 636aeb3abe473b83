"""The adapter against a server nobody here wrote: PyPI's mastodon_mock. Asserted on what that server holds.

Skipped, saying why, where it can't be installed; ``MULTIHOME_REAL=require`` makes that a failure.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import itertools
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from mastodon_mock_server import UnavailableError, running, token_of
from msgspec import structs

from adapters.mastodon.adapter import MastodonAdapter, open_account
from adapters.mastodon.profile import Settings
from gateway.clock import SystemClock
from gateway.model.content import Media, Poll
from gateway.model.delivery import (
    Draft,
    FaultError,
    FaultKind,
    InConversation,
    Receipt,
    Target,
    Timeline,
    ToPerson,
    Visibility,
)
from gateway.model.events import Kind, MessageReceived, Reacted, Reposted
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DraftId
from gateway.model.secret import Secret
from gateway.ports import Unsure
from gateway.testing.kit import Bench
from gateway.text.plain import from_text

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]  # the first run installs the server

ACCOUNT = AccountId("mastodon/main")
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    try:
        with running() as url:
            yield url
    except UnavailableError as why:
        if os.environ.get("MULTIHOME_REAL") == "require":
            raise
        pytest.skip(f"no mastodon_mock here: {why}")


class World:
    """The server, people who speak to it by raw HTTP, and our account on it."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.bench = Bench(ACCOUNT, SystemClock())
        self._http = http
        self._opened: list[MastodonAdapter] = []

    async def open(self, person: str = "agent") -> MastodonAdapter:
        made = Settings(server=self.url, access_token=Secret(token_of(person)), poll_s=60.0)
        adapter = await open_account(made, self.bench.context)
        self._opened.append(adapter)
        return adapter

    async def close(self) -> None:
        for adapter in self._opened:
            await adapter.aclose()

    async def ask(self, person: str, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {token_of(person)}"}
        async with self._http.request(method, f"{self.url}/api/v1/{path}", headers=headers, **options) as answer:
            return await answer.json()

    async def say(self, person: str, text: str, **form: str) -> Any:
        return await self.ask(person, "POST", "statuses", data={"status": text, **form})

    async def held(self, words: str) -> list[Any]:
        """Our statuses with these words, oldest first, as their author sees them."""
        me = await self.ask("agent", "GET", "accounts/verify_credentials")
        statuses = await self.ask("agent", "GET", f"accounts/{me['id']}/statuses", params={"limit": 40})
        return [status for status in reversed(statuses) if words in status["content"]]

    async def strike(self, path: str, methods: list[str], **effect: Any) -> None:
        rule = {"match": {"methods": methods, "path": path}, "effect": effect, "count": 1}
        await self.ask("agent", "POST", "_mock/faults", json=rule)


@pytest.fixture
async def world(server: str) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        one = World(server, http)
        yield one
        await one.close()
    gc.collect()


def unique(words: str) -> str:
    return f"{words} {os.getpid()}-{next(_numbers)}"


def draft(text: str, target: Target | None = None, **more: Any) -> Draft:
    number = next(_numbers)
    carried = {name: more.pop(name) for name in ("media", "warning", "sensitive", "poll", "language") if name in more}
    return Draft(
        id=DraftId(f"real{os.getpid()}x{number}"[:20]),
        workspace=DEFAULT_WORKSPACE,
        account=ACCOUNT,
        target=target or Timeline(),
        document=structs.replace(from_text(text), **carried),
        created_at=datetime.now(UTC),
        key=f"key{number}",
        **more,
    )


async def send(adapter: MastodonAdapter, said: Draft) -> list[Receipt]:
    receipts: list[Receipt] = []
    for part in adapter.plan(said, datetime.now(UTC)):
        follows = {"previous": receipts[-1].ref, "first": receipts[0].ref} if receipts else {}
        receipts.append(await adapter.send(structs.replace(part, **follows)))
    return receipts


async def hear(
    adapter: MastodonAdapter,
    say: Callable[[], Awaitable[Any]],
    wanted: Callable[[Any], bool],
    cursor: str | None = None,
) -> tuple[Any, str]:
    """Listen, let somebody speak, and wait for the event."""
    async with asyncio.timeout(30), aclosing(adapter.events(cursor)) as arrivals:  # type: ignore[type-var]  # a generator
        started = False
        async for events, position in arrivals:
            if not started:
                started = True
                await say()
            for event in events:
                if wanted(event):
                    return event, position
    raise AssertionError("events() ended")


def message_with(text: str) -> Callable[[Any], bool]:
    return lambda event: isinstance(event, MessageReceived) and text in event.text


async def nothing() -> None:
    """Nobody speaks."""


async def test_the_account_is_known_and_its_instance_read(world: World) -> None:
    adapter = await world.open()
    signal = await adapter.check()
    assert signal.fault is None
    assert "agent" in signal.evidence
    assert adapter.profile.limits.text_max == 500


async def test_a_wrong_token_is_signed_out(world: World) -> None:
    adapter = await world.open("nobody")
    fault = (await adapter.check()).fault
    assert fault
    assert fault.kind is FaultKind.SIGNED_OUT
    with pytest.raises(FaultError) as caught:
        await send(adapter, draft("hello"))
    assert caught.value.fault.certain


async def test_a_post_is_there_once_however_often_it_is_sent(world: World) -> None:
    adapter = await world.open()
    text = unique("Once & <only>: https://example.org/a?b=1")
    (part,) = adapter.plan(draft(text), datetime.now(UTC))
    first = await adapter.send(part)
    assert (await adapter.send(part)).ref == first.ref
    (status,) = await world.held(text.rsplit(" ", 1)[1])
    assert (status["visibility"], status["url"]) == ("public", first.url)
    source = await world.ask("agent", "GET", f"statuses/{status['id']}/source")
    assert source["text"] == text


async def test_a_lost_answer_is_found_by_key_and_by_reading_back(world: World) -> None:
    adapter = await world.open()
    since = datetime.now(UTC)
    text = unique("Lost and found")
    (part,) = adapter.plan(draft(text), since)
    assert await adapter.reconcile(part, since) is Unsure.NOT_SENT
    await world.strike("/api/v1/statuses", ["POST"], type="status", status=503)
    with pytest.raises(FaultError) as caught:
        await adapter.send(part)
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.SERVER, False)
    receipt = await adapter.send(part)
    found = await adapter.reconcile(part, since)
    assert isinstance(found, Receipt)
    assert found.ref == receipt.ref
    assert len(await world.held(text)) == 1


async def test_a_thread_hangs_together(world: World) -> None:
    adapter = await world.open()
    mark = unique("mark").replace(" ", "")
    await send(adapter, draft(" ".join(f"{mark} word{i}" for i in range(90))))
    held = await world.held(mark)
    assert len(held) > 2
    assert [status["in_reply_to_id"] for status in held] == [None, *(status["id"] for status in held[:-1])]


async def test_a_mention_is_heard_and_answered(world: World) -> None:
    adapter = await world.open()
    text, answer = unique("A question"), unique("An answer")
    event, _ = await hear(adapter, lambda: world.say("ana", f"@agent {text}"), message_with(text))
    assert (event.kind, event.author.name, event.private) == (Kind.MENTION, "Ana", False)
    target = InConversation(event.conversation, event.private)
    await send(adapter, draft(answer, target, in_reply_to=event.ref, with_person=event.author))
    (status,) = await world.held(answer)
    assert status["in_reply_to_id"] == event.id
    assert [m["username"] for m in status["mentions"]] == ["ana"]
    notes = await world.ask("ana", "GET", "notifications")
    assert notes[0]["status"]["id"] == status["id"]


async def test_a_reply_names_what_it_answers_also_after_a_restart(world: World) -> None:
    (receipt,) = await send(await world.open(), draft(unique("What do you think?")))
    parent = receipt.ref.partition("|")[0]
    text = unique("I like it")
    event, _ = await hear(
        await world.open(), lambda: world.say("ana", f"@agent {text}", in_reply_to_id=parent), message_with(text)
    )
    assert (event.kind, event.in_reply_to, event.conversation) == (Kind.REPLY, receipt.ref, f"open|{parent}")


async def test_a_direct_message_is_answered_in_private(world: World) -> None:
    adapter = await world.open()
    text, answer = unique("Psst"), unique("I tell nobody, not even @bo")
    event, _ = await hear(adapter, lambda: world.say("ana", f"@agent {text}", visibility="direct"), message_with(text))
    assert (event.kind, event.private) == (Kind.DIRECT, True)
    await send(adapter, draft(answer, InConversation(event.conversation, private=True), with_person=event.author))
    await send(adapter, draft(answer, ToPerson(event.author, private=True)))
    held = await world.held(answer.rsplit(" ", 1)[1])
    assert [(s["visibility"], [m["username"] for m in s["mentions"]]) for s in held] == [("direct", ["ana"])] * 2


async def test_what_was_missed_is_read_from_the_cursor_in_order(world: World) -> None:
    first = unique("Known")
    _, cursor = await hear(await world.open(), lambda: world.say("ana", f"@agent {first}"), message_with(first))
    missed = [unique("Missed") for _ in range(45)]  # more than one of its pages
    for text in missed:
        await world.say("bo", f"@agent {text}")
    heard: list[str] = []

    def last(event: Any) -> bool:
        heard.append(event.text)
        return message_with(missed[-1])(event)

    await hear(await world.open(), nothing, last, cursor)
    assert [text for line in heard for text in missed if line.endswith(text)] == missed


async def test_favourites_go_both_ways(world: World) -> None:
    adapter = await world.open()
    (receipt,) = await send(adapter, draft(unique("Good news")))
    own = receipt.ref.partition("|")[0]
    event, _ = await hear(
        adapter, lambda: world.ask("ana", "POST", f"statuses/{own}/favourite"), lambda e: isinstance(e, Reacted)
    )
    assert event.ref == receipt.ref
    text = unique("Nice one")
    said, _ = await hear(adapter, lambda: world.say("ana", f"@agent {text}"), message_with(text))
    await adapter.react(said.ref, "⭐")
    assert (await world.ask("ana", "GET", f"statuses/{said.id}"))["favourites_count"] == 1


async def test_a_picture_arrives_and_an_edit_changes_the_words(world: World) -> None:
    adapter = await world.open()
    data = b"\x89PNG\r\n\x1a\n" + b"\0" * 60
    digest = hashlib.sha256(data).hexdigest()
    world.bench.pictures[digest] = data
    text = unique("A picture")
    (receipt,) = await send(adapter, draft(text, media=(Media(digest, "image/png", len(data), "a square"),)))
    (status,) = await world.held(text)
    assert [(m["type"], m["description"]) for m in status["media_attachments"]] == [("image", "a square")]
    again = unique("A better picture")
    picture = Media(digest, "image/png", len(data), "a better square")
    await adapter.edit(receipt.ref, structs.replace(from_text(again), media=(picture,)))
    (status,) = await world.held(again)
    assert status["edited_at"]
    assert len(status["media_attachments"]) == 1  # this server keeps the files that an edit replaces


async def test_what_is_deleted_is_gone_and_stays_so(world: World) -> None:
    adapter = await world.open()
    text = unique("Gone soon")
    (receipt,) = await send(adapter, draft(text))
    await adapter.delete(receipt.ref)
    await adapter.delete(receipt.ref)
    assert await world.held(text) == []


async def test_its_rate_limit_is_understood(world: World) -> None:
    adapter = await world.open()
    await adapter.check()
    await world.strike("/api/v1/statuses", ["POST"], type="ratelimit")
    with pytest.raises(FaultError) as caught:
        await send(adapter, draft("hello"))
    fault = caught.value.fault
    assert (fault.kind, fault.certain) == (FaultKind.RATE_LIMITED, True)
    assert fault.retry_at is None or fault.retry_at < datetime.now(UTC) + timedelta(days=1)


async def test_it_takes_what_a_status_carries(world: World) -> None:
    adapter = await world.open()
    text, warning = unique("Look away"), "Spiders & <b>more</b>"
    said = draft(text, warning=warning, language="de-AT", visibility=Visibility.UNLISTED)
    (receipt,) = await send(adapter, said)
    (status,) = await world.held(text)
    shown = [status[name] for name in ("spoiler_text", "sensitive", "language", "visibility")]
    assert shown == [warning, True, "de", "unlisted"]
    since = datetime.now(UTC) - timedelta(minutes=1)
    found = await adapter.reconcile(adapter.plan(said, datetime.now(UTC))[0], since)
    assert isinstance(found, Receipt)
    assert found.ref == receipt.ref


async def test_it_takes_a_poll_and_tells_of_one(world: World) -> None:
    adapter = await world.open()
    await adapter.check()
    text = unique("Tea or coffee?")
    await send(adapter, draft(text, poll=Poll(("tea", "coffee & more"), 3_600.0, multiple=True)))
    (status,) = await world.held(text)
    poll = status["poll"]
    assert [option["title"] for option in poll["options"]] == ["tea", "coffee & more"]
    assert (poll["multiple"], poll["expired"]) == (True, False)
    expires = datetime.fromisoformat(poll["expires_at"])
    assert abs((expires - datetime.now(UTC)).total_seconds() - 3_600) < 60
    asked = unique("And you?")
    form = {"status": f"@agent {asked}", "poll": {"options": ["yes", "no"], "expires_in": 600}}
    event, _ = await hear(adapter, lambda: world.ask("ana", "POST", "statuses", json=form), message_with(asked))
    assert event.document.poll
    assert event.document.poll.options == ("yes", "no")


async def test_four_pictures_are_one_status_and_their_words_stay(world: World) -> None:
    adapter = await world.open()
    media = []
    for number in range(4):
        data = b"\x89PNG\r\n\x1a\n" + bytes([number]) * 60
        digest = hashlib.sha256(data).hexdigest()
        world.bench.pictures[digest] = data
        media.append(Media(digest, "image/png", len(data), f"square {number}"))
    text = unique("Four")
    await send(adapter, draft(text, media=tuple(media), sensitive=True))
    (status,) = await world.held(text)
    assert [m["description"] for m in status["media_attachments"]] == [f"square {n}" for n in range(4)]
    assert status["sensitive"] is True


async def test_a_repost_is_one_and_theirs_is_heard(world: World) -> None:
    adapter = await world.open()
    text = unique("Pass it on")
    said, _ = await hear(adapter, lambda: world.say("ana", f"@agent {text}"), message_with(text))
    for _again in range(2):
        await adapter.repost(said.ref)
    assert (await world.ask("ana", "GET", f"statuses/{said.id}"))["reblogs_count"] == 1
    (receipt,) = await send(adapter, draft(unique("Ours")))
    own = receipt.ref.partition("|")[0]
    event, _ = await hear(
        adapter, lambda: world.ask("ana", "POST", f"statuses/{own}/reblog"), lambda e: isinstance(e, Reposted)
    )
    assert event.ref == receipt.ref


async def test_what_somebody_attached_is_fetched(world: World) -> None:
    adapter = await world.open()
    data = b"\x89PNG\r\n\x1a\n" + b"\7" * 60
    form = aiohttp.FormData()
    form.add_field("file", data, filename="a.png", content_type="image/png")
    form.add_field("description", "theirs")
    upload = await world.ask("ana", "POST", "media", data=form)
    text = unique("See")

    async def say() -> None:
        await world.say("ana", f"@agent {text}", **{"media_ids[]": upload["id"], "spoiler_text": "w"})

    event, _ = await hear(adapter, say, message_with(text))
    (file,) = event.attachments
    assert (file.kind, file.alt, event.document.warning) == ("image", "theirs", "w")
    assert b"".join([piece async for piece in adapter.fetch(file)]) == data


async def test_a_numbered_thread_with_a_warning_fits(world: World) -> None:
    adapter = await world.open()
    mark = unique("mark").replace(" ", "")
    words = " ".join(f"{mark} é{i}" for i in range(90))
    await send(adapter, draft(words, warning="long " * 20, numbered=True))
    held = await world.held(mark)
    assert len(held) > 3
    numbers = [re.search(r"(\d+/\d+)</p>$", status["content"]) for status in held]
    assert [found and found[1] for found in numbers] == [f"{n}/{len(held)}" for n in range(1, len(held) + 1)]
    assert {status["spoiler_text"] for status in held} == {("long " * 20).strip()}
