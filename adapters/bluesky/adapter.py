"""Talks to one Bluesky account. The client library is behind wire.py; what is heard comes from receive.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import convert, json, structs

from adapters.bluesky.directs import Message
from adapters.bluesky.embeds import blob_places
from adapters.bluesky.parts import GATES, POSTS, gate_of, mark_key, plan, preview, stamp
from adapters.bluesky.profile import DEFAULT_PUBLIC_SERVER, PROFILE, Settings
from adapters.bluesky.receive import Receiver
from adapters.bluesky.session import Session
from adapters.bluesky.translate import CHAT, DirectMessage, Post, aware, place_of, record_key
from gateway.model.capabilities import LaneState, Profile
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, Part, Receipt, Shown, refused
from gateway.model.identity import Identity
from gateway.model.ids import MessageRef
from gateway.model.media import Attachment
from gateway.model.standing import WEATHER, Signal, Source
from gateway.ports import Arrival, Context, Taken, Unsure, nobodys

if TYPE_CHECKING:
    from adapters.bluesky.wire import Wire

LIKES = "app.bsky.feed.like"
QUOTE_GATES = "app.bsky.feed.postgate"
DELETION = "com.atproto.repo.applyWrites#delete"
REPOSTS = "app.bsky.feed.repost"
PAGE, PAGES_MAX = 100, 10
SLACK, CLOCKS_APART = timedelta(seconds=5), timedelta(minutes=10)


async def open_account(settings: Settings, context: Context) -> BlueskyAdapter:
    """Load the library and take up the kept session. Nothing is asked of the server yet."""
    wire, public = await asyncio.to_thread(_wires, settings, context)
    adapter = BlueskyAdapter(settings, context, wire, public)
    await adapter.restore()
    return adapter


def _wires(settings: Settings, context: Context) -> tuple[Wire, Wire | None]:
    """Runs in a thread: the import takes 0.6 s."""
    from adapters.bluesky.wire import Wire

    public = Wire(settings.public_server, context.clock) if settings.public_server else None
    return Wire(settings.server, context.clock), public


class BlueskyAdapter:
    def __init__(self, settings: Settings, context: Context, wire: Wire, public: Wire | None) -> None:
        self._settings = settings
        self._context = context
        self._clock = context.clock
        self._wire = wire
        self._public = public
        self._session = Session(settings, context, wire)
        self._seen: Fault | None = _NEVER_SEEN
        self._convos: dict[str, str] = {}

    async def restore(self) -> None:
        await self._session.restore()

    @property
    def profile(self) -> Profile:
        return PROFILE

    def identity(self) -> Identity | None:
        return self._session.identity

    async def aclose(self) -> None:
        await self._session.aclose()
        await self._wire.aclose()
        if self._public is not None:
            await self._public.aclose()

    def events(self, cursor: str | None) -> AsyncIterator[Arrival]:
        return Receiver(self._session, self._settings, self._context).arrivals(cursor)

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:
        return plan(draft, at)

    def preview(self, part: Part) -> Shown:
        return preview(part)

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        from adapters.bluesky.blobs import Blobs

        public = self._settings.public_server == DEFAULT_PUBLIC_SERVER
        return Blobs(self._session.endpoint, public=public).fetch(attachment)

    # Sending.

    async def send(self, part: Part) -> Receipt:
        if part.kind == "direct":
            return await self._send_message(part)
        record = _complete(part)
        for (holder, name), sha256 in zip(blob_places(record.get("embed")), part.body["media"], strict=True):
            holder[name] = await self._upload(sha256, holder[name]["mimeType"])
        receipt = await self._put(part, record)
        try:
            lanes = await self._gate(part)
        except FaultError as error:  # the post is there
            raise FaultError(structs.replace(error.fault, certain=False)) from error
        return structs.replace(receipt, lanes=lanes or receipt.lanes)

    async def _put(self, part: Part, record: dict[str, Any]) -> Receipt:
        """Write where nothing is, or exactly this: seen on a real PDS, an identical put is a no-op before
        ``swapRecord`` is looked at, and ``null`` refuses to overwrite.
        """
        did = await self._session.did()
        body = {"repo": did, "collection": POSTS, "rkey": part.key, "record": record, "swapRecord": None}
        answer = await self._session.procedure("com.atproto.repo.putRecord", json.encode(body))
        return self._receipt(answer.body, record, answer.lanes)

    def _receipt(self, answer: dict[str, Any], record: dict[str, Any], lanes: tuple[LaneState, ...] = ()) -> Receipt:
        match answer:
            case {"uri": str(uri), "cid": str(cid)}:
                root = record["reply"]["root"] if "reply" in record else answer
                post = Post(uri, cid, root["uri"], root["cid"])
                return Receipt(post.ref, self._clock.now(), self._url(uri), lanes)
        raise FaultError(Fault(FaultKind.SERVER, False, "the answer names no record"))

    def _url(self, uri: str) -> str | None:
        """Where the world reads it; a network of one's own has no such place."""
        if self._settings.public_server != DEFAULT_PUBLIC_SERVER:
            return None
        did, _, key = uri.removeprefix("at://").split("/", 2)
        return f"https://bsky.app/profile/{did}/post/{key}"

    async def _gate(self, part: Part) -> tuple[LaneState, ...]:
        """Say who may reply, where the part does. After the post: the index marks a post it knows."""
        gate = gate_of(part, f"at://{await self._session.did()}/{POSTS}/{part.key}")
        return await self._put_once(GATES, part.key, gate) if gate else ()

    async def _put_once(self, collection: str, key: str, record: dict[str, Any]) -> tuple[LaneState, ...]:
        """Write where nothing is; what is there already stays."""
        body = {"repo": await self._session.did(), "collection": collection, "rkey": key, "record": record}
        try:
            answer = await self._session.procedure(
                "com.atproto.repo.putRecord", json.encode({**body, "swapRecord": None})
            )
        except FaultError as error:
            if not error.fault.evidence.startswith("400 InvalidSwap"):
                raise
            return error.fault.lanes
        return answer.lanes

    async def _upload(self, sha256: str, mime: str) -> dict[str, Any]:
        """Uploading the same bytes again gives the same blob. The server looks into the bytes and may know their type
        better; it refuses a record that says another.
        """
        data = await self._context.media(sha256)
        answer = await self._session.procedure("com.atproto.repo.uploadBlob", data, {"Content-Type": mime})
        blob = answer.body.get("blob")
        if not isinstance(blob, dict):
            raise FaultError(Fault(FaultKind.SERVER, True, "the answer to the upload names no blob"))
        return blob

    async def _send_message(self, part: Part) -> Receipt:
        convo = await self._convo_of(part)
        body = json.encode({"convoId": convo, "message": part.body["message"]})
        answer = await self._session.procedure("chat.bsky.convo.sendMessage", body, CHAT)
        try:
            sent = convert(answer.body, Message)
        except ValueError as error:
            raise FaultError(Fault(FaultKind.SERVER, False, f"the answer names no message: {error}")) from error
        return Receipt(DirectMessage(convo, sent.id).ref, aware(sent.sent_at))

    async def _convo_of(self, part: Part) -> str:
        match part.body:
            case {"convo": str(convo)}:
                return convo
        did = part.body["to"]
        if did not in self._convos:
            answer = await self._session.query("chat.bsky.convo.getConvoForMembers", {"members": [did]}, CHAT)
            match answer:
                case {"convo": {"id": str(convo)}}:
                    self._convos[did] = convo
                case _:
                    raise FaultError(Fault(FaultKind.SERVER, True, "the answer names no conversation"))
        return self._convos[did]

    # What may have been sent.

    async def reconcile(self, part: Part, since: datetime, taken: Taken = nobodys) -> Receipt | Unsure:
        if part.kind == "direct":
            return await self._reconcile_message(part, since, taken)
        try:
            answer = await self._record(POSTS, part.key)
        except FaultError:
            return Unsure.UNKNOWN
        planned, found = part.body["record"], answer.get("value")
        if not isinstance(found, dict) or any(found.get(name) != planned[name] for name in ("text", "createdAt")):
            return Unsure.NOT_SENT
        try:
            await self._gate(part)
        except FaultError:
            return Unsure.UNKNOWN
        return self._receipt(answer, found)

    async def _record(self, collection: str, key: str) -> dict[str, Any]:
        """A record of ours and its address; empty where there is none."""
        params = {"repo": await self._session.did(), "collection": collection, "rkey": key}
        try:
            return await self._session.query("com.atproto.repo.getRecord", params)
        except FaultError as error:
            if error.fault.kind is FaultKind.TARGET_GONE:
                return {}
            raise

    async def _reconcile_message(self, part: Part, since: datetime, taken: Taken) -> Receipt | Unsure:
        """Messages have no keys: one of ours, since then, with these words, and not known to be another's."""
        try:
            convo = await self._convo_of(part)
            return await self._find_message(convo, part.body["message"]["text"], since, taken)
        except FaultError:
            return Unsure.UNKNOWN

    async def _find_message(self, convo: str, text: str, since: datetime, taken: Taken) -> Receipt | Unsure:
        """The times are the server's: what lies a little before ``since`` proves neither yes nor no."""
        own = await self._session.did()
        params: dict[str, Any] = {"convoId": convo, "limit": PAGE}
        for _ in range(PAGES_MAX):
            answer = await self._session.query("chat.bsky.convo.getMessages", params, CHAT)
            page = answer.get("messages")
            if not isinstance(page, list):
                return Unsure.UNKNOWN
            for message in _readable(page):
                at = aware(message.sent_at)
                if at < since - CLOCKS_APART:
                    return Unsure.NOT_SENT
                ref = DirectMessage(convo, message.id).ref
                if message.sender.did == own and message.text.strip() == text.strip() and not await taken(ref):
                    return Receipt(ref, at) if at >= since - SLACK else Unsure.UNKNOWN
            if not page or not isinstance(answer.get("cursor"), str):
                return Unsure.NOT_SENT
            params["cursor"] = answer["cursor"]
        return Unsure.UNKNOWN

    # Deleting, liking and showing to others.

    async def delete(self, ref: MessageRef) -> None:
        """With what says who may answer and quote it, in one commit: nothing else would ever take that away."""
        post = place_of(ref)
        if not isinstance(post, Post):
            raise refused(FaultKind.TARGET_REFUSED, "a direct message can only be hidden from oneself")
        did = await self._session.did()
        if not post.uri.startswith(f"at://{did}/{POSTS}/"):
            raise refused(FaultKind.TARGET_REFUSED, "not a post of this account")
        key = record_key(post.uri)
        there = [name for name in (POSTS, GATES, QUOTE_GATES) if await self._record(name, key)]
        if there:  # a deletion of what isn't there fails, and with it all of them
            writes = [{"$type": DELETION, "collection": name, "rkey": key} for name in there]
            await self._session.procedure("com.atproto.repo.applyWrites", json.encode({"repo": did, "writes": writes}))

    async def react(self, ref: MessageRef, reaction: str) -> None:
        """A like, whatever the reaction; in a direct message the emoji itself."""
        match place_of(ref):
            case DirectMessage(convo, message) if message:
                body = {"convoId": convo, "messageId": message, "value": reaction}
                await self._session.procedure("chat.bsky.convo.addReaction", json.encode(body), CHAT)
            case Post() as post:
                await self._mark(LIKES, post)
            case _:
                raise refused(FaultKind.TARGET_REFUSED, "not a message of this network")

    async def repost(self, ref: MessageRef) -> None:
        post = place_of(ref)
        if not isinstance(post, Post):
            raise refused(FaultKind.TARGET_REFUSED, "not a post of this network")
        await self._mark(REPOSTS, post)

    async def _mark(self, collection: str, post: Post) -> None:
        """A like or a repost. Its key comes from the post: twice is once."""
        subject = {"uri": post.uri, "cid": post.cid}
        record = {"$type": collection, "subject": subject, "createdAt": stamp(self._clock.now())}
        await self._put_once(collection, mark_key(post.uri), record)

    # Standing.

    async def check(self) -> Signal:
        fault = None
        try:
            await self._look_inside()
            await self._look_outside()
        except FaultError as error:
            fault = error.fault
        return Signal(Source.PROBE, self._clock.now(), fault.evidence if fault else "signed in, seen in public", fault)

    async def _look_inside(self) -> None:
        try:
            answer = await self._session.query("com.atproto.server.getSession")
        except FaultError as error:
            if error.fault.kind is not FaultKind.INVALID:
                raise
            # Seen: getSession doesn't find a taken-down account; the renewal of its tokens says why.
            await self._session.renew()
            return
        if answer.get("active") is False:
            status = str(answer.get("status"))[:100]
            kind = FaultKind.SUSPENDED if status in ("takendown", "suspended") else FaultKind.LOCKED
            raise FaultError(Fault(kind, True, f"getSession: the account is not active: {status}"))

    async def _look_outside(self) -> None:
        """As anybody: an account that Bluesky suspended on a server of its own can still write.

        While the public server can't be reached, what it said last holds.
        """
        if self._public is None:
            return
        try:
            await self._public.query("app.bsky.actor.getProfile", {"actor": await self._session.did()}, {})
            self._seen = None
        except FaultError as error:
            if error.fault.kind in _SEEN_FROM_OUTSIDE:
                self._seen = error.fault
            elif error.fault.kind not in _NOT_SEEN:
                self._seen = None  # such as an account that never filled in a profile
            elif self._seen is _NEVER_SEEN:
                raise
        if self._seen is not None and self._seen is not _NEVER_SEEN:
            raise FaultError(self._seen)


_NEVER_SEEN = Fault(FaultKind.NETWORK, True, "the public server was never asked")
_SEEN_FROM_OUTSIDE = frozenset({FaultKind.SUSPENDED, FaultKind.LOCKED})
_NOT_SEEN = WEATHER | {FaultKind.RATE_LIMITED, FaultKind.CONFIG, FaultKind.UNKNOWN}


def _complete(part: Part) -> dict[str, Any]:
    """The planned record, to be written into; one that goes on with a thread gets its place there."""
    record: dict[str, Any] = deepcopy(part.body["record"])
    if part.index == 0:
        return record
    before = place_of(part.previous) if part.previous else None
    if not isinstance(before, Post):
        raise refused(FaultKind.INVALID, "the post before this one isn't known")
    return {**record, "reply": before.reply}


def _readable(page: list[Any]) -> list[Message]:
    messages = []
    for raw in page:
        try:
            messages.append(convert(raw, Message))
        except ValueError:  # deleted ones, and whatever comes later
            continue
    return messages
