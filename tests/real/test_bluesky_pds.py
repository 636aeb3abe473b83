"""The adapter against a server nobody here wrote: the real Bluesky PDS, with its rate limits on.

Skipped, saying why, where it can't be installed; ``MULTIHOME_REAL=require`` makes that a failure.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import itertools
import os
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from bluesky_pds import Pds, UnavailableError, running
from bluesky_records import MP4, PNG, Put, Upload, what_differs, what_two_tell_otherwise
from msgspec import structs

from adapters.bluesky.adapter import BlueskyAdapter, open_account
from adapters.bluesky.profile import Settings
from adapters.bluesky.translate import Post, place_of
from adapters.sandbox.control import build
from gateway.clock import SystemClock
from gateway.model.content import Card, Document, Media, Mention, Quote, Text
from gateway.model.delivery import (
    Draft,
    Fault,
    FaultError,
    FaultKind,
    InConversation,
    Part,
    Receipt,
    Repliers,
    Target,
    Timeline,
)
from gateway.model.ids import AccountId, ConversationId, DraftId, MessageRef, WorkspaceId
from gateway.model.media import Attachment
from gateway.model.secret import Secret
from gateway.ports import Unsure
from gateway.testing.kit import Bench
from gateway.text.markdown import from_markdown
from gateway.text.plain import from_text

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]  # the first run installs the server

POSTS = "app.bsky.feed.post"
PASSWORD = "a good password"
_names = itertools.count(1)


@pytest.fixture(scope="module")
def pds() -> Iterator[Pds]:
    try:
        with running() as server:
            yield server
    except UnavailableError as why:
        if os.environ.get("MULTIHOME_REAL") == "require":
            raise
        pytest.skip(f"no real PDS here: {why}")


@dataclass
class World:
    """A PDS, and the accounts a test makes on it."""

    pds: Pds
    http: aiohttp.ClientSession
    opened: list[BlueskyAdapter] = field(default_factory=list)
    benches: dict[str, Bench] = field(default_factory=dict)

    async def call(self, method: str, nsid: str, token: str = "", **options: Any) -> Any:
        headers = {"Authorization": token} if token else {}
        async with self.http.request(method, f"{self.pds.url}/xrpc/{nsid}", headers=headers, **options) as response:
            body = await response.json() if response.content_type == "application/json" else {}
            assert response.status == 200, body
            return body

    async def join(self) -> Person:
        handle = f"person{next(_names)}x{os.getpid()}.test"
        given = {"handle": handle, "email": f"{handle}@mail.test", "password": PASSWORD}
        made = await self.call("POST", "com.atproto.server.createAccount", json=given)
        return Person(handle, made["did"], made["accessJwt"])

    async def open(self, person: Person, **changes: Any) -> BlueskyAdapter:
        settings = Settings(
            identifier=person.handle, password=Secret(PASSWORD), server=self.pds.url, public_server="", poll_direct_s=0
        )
        bench = self.benches.setdefault(person.did, Bench("bluesky/main", SystemClock()))
        adapter = await open_account(structs.replace(settings, **changes), bench.context)
        self.opened.append(adapter)
        return adapter

    async def take_down(self, person: Person, *, applied: bool) -> None:
        admin = base64.b64encode(f"admin:{self.pds.admin_password}".encode()).decode()
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": person.did}
        given = {"subject": subject, "takedown": {"applied": applied, "ref": "test"}}
        await self.call("POST", "com.atproto.admin.updateSubjectStatus", f"Basic {admin}", json=given)

    async def records(self, person: Person) -> list[dict[str, Any]]:
        """What the server holds, oldest first."""
        where = {"repo": person.did, "collection": POSTS, "reverse": "true", "limit": "100"}
        found: list[dict[str, Any]] = (await self.call("GET", "com.atproto.repo.listRecords", params=where))["records"]
        return found


@dataclass(frozen=True)
class Person:
    handle: str
    did: str
    token: str


@pytest.fixture
async def world(pds: Pds) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as http:
        made = World(pds, http)
        yield made
        for adapter in made.opened:
            await adapter.aclose()
    gc.collect()


def draft(said: str | Document, target: Target | None = None, to: MessageRef | None = None) -> Draft:
    document = from_text(said) if isinstance(said, str) else said
    return Draft(
        DraftId("d1"),
        WorkspaceId("default"),
        AccountId("bluesky/main"),
        target or Timeline(),
        document,
        datetime.now(UTC),
        "key",
        in_reply_to=to,
    )


def one_part(adapter: BlueskyAdapter, said: str | Document, target: Target | None = None, **more: Any) -> Part:
    (part,) = adapter.plan(draft(said, target, **more), datetime.now(UTC))
    return part


async def fault_of(awaitable: Any) -> Fault:
    with pytest.raises(FaultError) as caught:
        await awaitable
    return caught.value.fault


@asynccontextmanager
async def relay(url: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """The server by another address; while the event is set, its answers are lost on the way back."""
    losing, port = asyncio.Event(), urlsplit(url).port
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await reader.read(65_536):
                if answers and losing.is_set():
                    break
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        tasks.add(asyncio.create_task(pump(reader, far_writer, answers=False)))
        tasks.add(asyncio.create_task(pump(far_reader, writer, answers=True)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", losing
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def writing(http: aiohttp.ClientSession, url: str, did: str, token: str) -> tuple[Put, Upload]:
    """Write records and blobs as nobody's library."""

    async def post(nsid: str, **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        async with http.post(f"{url}/xrpc/{nsid}", headers=headers, **options) as response:
            return response.status, await response.json()

    async def put(collection: str, key: str, record: dict[str, Any]) -> tuple[int, Any]:
        body = {"repo": did, "collection": collection, "rkey": key, "record": record}
        return await post("com.atproto.repo.putRecord", json=body)

    async def upload(data: bytes, mime: str) -> tuple[int, Any]:
        return await post("com.atproto.repo.uploadBlob", data=io.BytesIO(data), headers={"Content-Type": mime})

    return put, upload


async def test_signing_in_and_being_well(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    signal = await adapter.check()
    assert signal.fault is None
    assert await world.records(person) == []
    wrong = await world.open(person, identifier=person.did, password=Secret("wrong"))
    fault = (await wrong.check()).fault
    assert fault is not None
    assert fault.kind is FaultKind.SIGNED_OUT


async def test_a_post_with_a_link(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    part = one_part(adapter, "Zoë says: 日本語 👩‍👩‍👧, see https://example.org/a?b=c now")
    receipt = await adapter.send(part)
    (record,) = await world.records(person)
    assert record["value"] == part.body["record"]
    assert receipt.ref == f"{record['uri']} {record['cid']}"
    facet = record["value"]["facets"][0]
    words = record["value"]["text"].encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]]
    assert words.decode() == "example.org/a?b=c"
    assert facet["features"][0]["uri"] == "https://example.org/a?b=c"
    assert receipt.lanes  # the server's own rate windows are understood


async def test_a_reply_to_somebody_else(world: World) -> None:
    ana, person = await world.join(), await world.join()
    theirs = await world.open(ana)
    asked = await theirs.send(one_part(theirs, "How do you do?"))
    adapter = await world.open(person)
    part = one_part(adapter, "Very well", InConversation(ConversationId(asked.ref)), to=asked.ref)
    receipt = await adapter.send(part)
    (record,) = await world.records(person)
    uri, cid = asked.ref.split(" ")
    assert record["value"]["reply"] == {"root": {"uri": uri, "cid": cid}, "parent": {"uri": uri, "cid": cid}}
    assert place_of(receipt.ref) == Post(record["uri"], record["cid"], uri, cid)


async def test_a_thread(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    text = " ".join(f"word{number}" for number in range(150))
    receipts: list[Receipt] = []
    for part in adapter.plan(draft(text), datetime.now(UTC)):
        told = structs.replace(part, previous=receipts[-1].ref, first=receipts[0].ref) if receipts else part
        receipts.append(await adapter.send(told))
    records = await world.records(person)
    assert len(records) == len(receipts) >= 3
    assert " ".join(record["value"]["text"] for record in records) == text
    for before, record in itertools.pairwise(records):
        assert record["value"]["reply"]["parent"] == {"uri": before["uri"], "cid": before["cid"]}
        assert record["value"]["reply"]["root"]["uri"] == records[0]["uri"]


async def test_an_answer_that_was_lost_is_found_and_repeating_is_harmless(world: World) -> None:
    person = await world.join()
    async with relay(world.pds.url) as (url, losing):
        adapter = await world.open(person, server=url)
        part = one_part(adapter, "Did it arrive?")
        assert (await adapter.check()).fault is None
        assert await adapter.reconcile(part, datetime.now(UTC)) is Unsure.NOT_SENT
        losing.set()
        fault = await fault_of(adapter.send(part))
        assert (fault.kind, fault.certain) == (FaultKind.NETWORK, False)
        losing.clear()
        found = await adapter.reconcile(part, datetime.now(UTC) - timedelta(minutes=1))
        assert isinstance(found, Receipt)
        assert (await adapter.send(part)).ref == found.ref
        await adapter.aclose()
    assert len(await world.records(person)) == 1


async def test_another_record_at_the_key_stays(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    part = one_part(adapter, "mine")
    theirs = {**part.body["record"], "text": "theirs"}
    await adapter.send(structs.replace(part, body={"record": theirs, "media": []}))
    fault = await fault_of(adapter.send(part))
    assert (fault.kind, fault.certain) == (FaultKind.INVALID, True)
    assert [record["value"]["text"] for record in await world.records(person)] == ["theirs"]
    assert await adapter.reconcile(part, datetime.now(UTC)) is Unsure.NOT_SENT


def _png() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + b"\x20\x80\xc0" * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mime", ["image/png", "image/jpeg"])  # the second is wrong: the server looks itself
async def test_a_picture(world: World, mime: str) -> None:
    person = await world.join()
    adapter = await world.open(person)
    digest = sha256(_png()).hexdigest()
    world.benches[person.did].pictures[digest] = _png()
    media = Media(digest, mime, len(_png()), "a blue line", 2, 1)
    part = one_part(adapter, structs.replace(from_text("look"), media=(media,)))
    first = await adapter.send(part)
    assert (await adapter.send(part)).ref == first.ref
    (record,) = await world.records(person)
    (image,) = record["value"]["embed"]["images"]
    assert (image["alt"], image["aspectRatio"]) == ("a blue line", {"width": 2, "height": 1})
    assert image["image"]["mimeType"] == "image/png"
    assert image["image"]["ref"] == part.body["record"]["embed"]["images"][0]["image"]["ref"]


def shown(world: World, person: Person, data: bytes, mime: str, **more: Any) -> Media:
    digest = sha256(data).hexdigest()
    world.benches[person.did].pictures[digest] = data
    return Media(digest, mime, len(data), **{"alt": "words", "width_px": 2, "height_px": 1, **more})


async def test_all_that_a_post_can_show(world: World) -> None:
    """Each is validated by the server's own lexicons, and what it then holds is what was planned."""
    person = await world.join()
    adapter = await world.open(person)
    picture, film = shown(world, person, PNG, "image/png"), shown(world, person, MP4, "video/mp4")
    first = await adapter.send(one_part(adapter, "to be quoted"))
    quote = Quote("bluesky", first.ref)
    card = Card("https://例え.jp/パス", "A page", "All about it", picture)
    said = from_markdown(
        "**Zoë** says: [日本語](https://例え.jp/パス) 👩‍👩‍👧 https://example.org/a/b?c=d&e=f. #tag $EUR"
    )
    documents = [
        structs.replace(said, media=(picture,) * 4, sensitive=True, language="pt-BR"),
        structs.replace(said, media=(film,), language="zh-Hant-TW"),
        structs.replace(said, card=card),
        structs.replace(said, card=structs.replace(card, picture=None, description="")),
        structs.replace(said, quote=quote),
        structs.replace(said, quote=quote, media=(picture,)),
        structs.replace(said, quote=quote, media=(film,), sensitive=True),
        structs.replace(said, quote=quote, card=card),
        Document(media=(picture,)),
        Document(((Mention("bluesky", person.did, person.handle), Text(" #hello")),)),
    ]
    for document in documents:
        part = one_part(adapter, document)
        receipt = await adapter.send(part)
        assert (await adapter.send(part)).ref == receipt.ref
        record = (await world.records(person))[-1]
        assert record["value"] == part.body["record"]
    assert len(await world.records(person)) == len(documents) + 1


async def test_who_may_reply_is_a_record_of_the_same_key(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    for repliers, rules in ((Repliers.NOBODY, 0), (Repliers.MENTIONED, 1), (Repliers.FOLLOWED, 2)):
        (part,) = adapter.plan(structs.replace(draft("quiet"), repliers=repliers), datetime.now(UTC))
        receipt = await adapter.send(part)
        assert (await adapter.send(part)).ref == receipt.ref
        where = {"repo": person.did, "collection": "app.bsky.feed.threadgate", "rkey": part.key}
        gate = (await world.call("GET", "com.atproto.repo.getRecord", params=where))["value"]
        assert gate["post"] == receipt.ref.split(" ")[0]
        assert len(gate["allow"]) == rules
        assert isinstance(await adapter.reconcile(part, datetime.now(UTC)), Receipt)
    assert len(await world.records(person)) == 3


async def test_a_deleted_post_takes_what_guards_it_along(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    guards = ("app.bsky.feed.threadgate", "app.bsky.feed.postgate")
    (part,) = adapter.plan(structs.replace(draft("quiet"), repliers=Repliers.NOBODY), datetime.now(UTC))
    receipt = await adapter.send(part)
    await adapter._put_once(
        guards[1],
        part.key,
        {"$type": guards[1], "post": receipt.ref.split(" ")[0], "createdAt": part.body["record"]["createdAt"]},
    )
    await adapter.delete(receipt.ref)
    await adapter.delete(receipt.ref)
    for collection in ("app.bsky.feed.post", *guards):
        where = {"repo": person.did, "collection": collection}
        assert (await world.call("GET", "com.atproto.repo.listRecords", params=where))["records"] == []


async def test_a_numbered_thread_in_many_scripts(world: World) -> None:
    """The server counts the graphemes by itself."""
    person = await world.join()
    adapter = await world.open(person)
    family, accented = "👨‍👩‍👧‍👦", "z\u0323\u0301"
    text = "\n\n".join(
        (family * 160, (accented * 9 + " ") * 60, "नमस्ते " * 80, "ភាសាខ្មែរ" * 70, "日本語。" * 120, "שלום " * 70)
    )
    parts = adapter.plan(structs.replace(draft(text), numbered=True), datetime.now(UTC))
    receipts: list[Receipt] = []
    for part in parts:
        told = structs.replace(part, previous=receipts[-1].ref, first=receipts[0].ref) if receipts else part
        receipts.append(await adapter.send(told))
    records = await world.records(person)
    assert len(records) == len(parts) > 5
    assert records[-1]["value"]["text"].endswith(f"{len(parts)}/{len(parts)}")


async def test_what_was_attached_is_fetched_from_the_server_of_its_author(world: World) -> None:
    person, ana = await world.join(), await world.join()
    theirs, adapter = await world.open(ana), await world.open(person)
    await theirs.send(one_part(theirs, Document(media=(shown(world, ana, PNG, "image/png"),))))
    record = (await world.records(ana))[0]["value"]
    link = record["embed"]["images"][0]["image"]["ref"]["$link"]
    async with aclosing(adapter.fetch(Attachment(f"{ana.did} {link}"))) as pieces:
        assert b"".join([piece async for piece in pieces]) == PNG
    with pytest.raises(FaultError) as caught:
        await anext(aiter(adapter.fetch(Attachment(f"{person.did} {link}"))))
    assert caught.value.fault.kind is FaultKind.TARGET_GONE


async def test_media_the_server_refuses_are_a_fault_of_media(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    await adapter.check()
    big = PNG + b"x" * 2_000_000
    for media in (
        shown(world, person, big, "image/png", width_px=None),
        shown(world, person, PNG + b"x" * 6_000_000, "image/png"),  # more than this server takes at all
        shown(world, person, PNG, "video/mp4"),
    ):
        told = structs.replace(media, size_bytes=1000)  # as if nobody had looked
        fault = await fault_of(adapter.send(one_part(adapter, Document(media=(told,)))))
        assert (fault.kind, fault.certain) == (FaultKind.MEDIA, True)
    assert await world.records(person) == []


async def test_deleting_liking_and_showing_to_others(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    receipt = await adapter.send(one_part(adapter, "gone soon"))
    for _ in range(2):
        await adapter.react(receipt.ref, "❤️")
        await adapter.repost(receipt.ref)
    for name in ("like", "repost"):
        where = {"repo": person.did, "collection": f"app.bsky.feed.{name}"}
        found = await world.call("GET", "com.atproto.repo.listRecords", params=where)
        assert len(found["records"]) == 1
    await adapter.delete(receipt.ref)
    await adapter.delete(receipt.ref)
    assert await world.records(person) == []


async def test_what_the_server_refuses(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    part = one_part(adapter, "x")
    for changed, kind in (({"text": "x" * 301}, FaultKind.TOO_LONG), ({"createdAt": "never"}, FaultKind.INVALID)):
        record = {**part.body["record"], **changed}
        fault = await fault_of(adapter.send(structs.replace(part, body={"record": record, "media": []})))
        assert (fault.kind, fault.certain) == (kind, True)


async def test_records_are_taken_and_refused_as_the_face_does(world: World) -> None:
    person = await world.join()
    assert await what_differs(*writing(world.http, world.pds.url, person.did, person.token)) == []


async def test_records_with_one_wrong_place_are_told_as_the_face_tells_them(world: World) -> None:
    person, sandbox = await world.join(), build(["bluesky"])
    await sandbox.start()
    try:
        face = sandbox.faces["bluesky"]
        given = face.account()
        (password,) = given["environment"].values()
        who = {"identifier": given["settings"]["identifier"], "password": password}
        async with world.http.post(f"{face.url}/xrpc/com.atproto.server.createSession", json=who) as response:
            made = await response.json()
        differing = await what_two_tell_otherwise(
            writing(world.http, world.pds.url, person.did, person.token),
            writing(world.http, face.url, made["did"], made["accessJwt"]),
            every=17,  # of six thousand
        )
    finally:
        await sandbox.stop()
    assert differing == []


async def test_a_restart_needs_no_password(world: World) -> None:
    person = await world.join()
    first = await world.open(person)
    await first.check()
    await first._session.renew()  # rotation, by the real rules
    await first.aclose()
    second = await world.open(person, password=Secret("forgotten"))
    await second._session.renew()
    await second.send(one_part(second, "back"))
    assert len(await world.records(person)) == 1


async def test_a_take_down_and_the_way_back(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    await adapter.send(one_part(adapter, "before"))
    await world.take_down(person, applied=True)
    held = one_part(adapter, "held")
    fault = await fault_of(adapter.send(held))
    assert (fault.kind, fault.certain) == (FaultKind.SUSPENDED, True)
    probed = (await adapter.check()).fault
    assert probed is not None
    assert probed.kind is FaultKind.SUSPENDED
    fresh = await world.open(person, identifier=person.did)
    signed_in = (await fresh.check()).fault
    assert signed_in is not None
    assert signed_in.kind is FaultKind.SUSPENDED
    await world.take_down(person, applied=False)
    assert (await adapter.check()).fault is None
    await adapter.send(held)
    await adapter._session.renew()  # the take-down revoked the refresh token: back by the password
    await adapter.send(one_part(adapter, "after"))
    assert [record["value"]["text"] for record in await world.records(person)] == ["before", "held", "after"]


async def test_a_deactivated_account_is_locked(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    await adapter.check()
    await world.call("POST", "com.atproto.server.deactivateAccount", f"Bearer {person.token}", json={})
    assert (await fault_of(adapter.send(one_part(adapter, "x")))).kind is FaultKind.LOCKED
    probed = (await adapter.check()).fault
    assert probed is not None
    assert probed.kind is FaultKind.LOCKED
    await world.call("POST", "com.atproto.server.activateAccount", f"Bearer {person.token}")
    assert (await adapter.check()).fault is None


async def test_listening_without_an_appview_is_weather(world: World) -> None:
    adapter = await world.open(await world.join())
    stream: Any = adapter.events("{}")
    assert (await fault_of(anext(stream))).kind is FaultKind.SERVER
    await stream.aclose()


async def test_many_at_once(world: World) -> None:
    person = await world.join()
    adapter = await world.open(person)
    parts = [one_part(adapter, f"number {number}") for number in range(40)]
    receipts = await asyncio.gather(*(adapter.send(part) for part in parts))
    assert len({receipt.ref for receipt in receipts}) == len(await world.records(person)) == 40
