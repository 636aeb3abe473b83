"""What a signed-in account can call: records, notifications, profiles, chat. For adapters/sandbox/bluesky.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from adapters.sandbox.bluesky_bodies import READS, WRITES, answer, error, profile, refusal, wire_handle
from adapters.sandbox.bluesky_chat import Convo
from adapters.sandbox.bluesky_lexicon import (
    GATES,
    LIKES,
    POSTS,
    REPOSTS,
    RefusedError,
    blobs_in,
    check_key,
    check_message,
    check_record,
)
from adapters.sandbox.bluesky_repo import UPLOAD_MAX_BYTES, next_tid, record_cid
from adapters.sandbox.faults import Trouble
from adapters.sandbox.world import Member, Message

if TYPE_CHECKING:
    from adapters.sandbox.bluesky import BlueskyFace

_Reply = web.StreamResponse
_ANYBODY = frozenset({Trouble.REVOKE, Trouble.SUSPEND, Trouble.LOCK})
_ACTIONS = {POSTS: "post", LIKES: "like", REPOSTS: "repost", GATES: "gate"}
_POSTS_MAX = 25
FETCHES_MAX = 10
"""Of the index, for a page of notifications."""
_DELETION = "com.atproto.repo.applyWrites#delete"

_Method = Callable[["BlueskyFace", web.Request], Awaitable[_Reply]]


def _signed_in(action: str, *, on: str = "read") -> Callable[..., _Method]:
    """A method of a signed-in account, asked once nothing stands in its way."""

    def around(method: Callable[[BlueskyFace, web.Request, Member], Awaitable[_Reply]]) -> _Method:
        async def call(face: BlueskyFace, request: web.Request) -> _Reply:
            member = face.who(request)
            refused = await face.admit(request, member, action, on=on)
            return await method(face, request, member) if refused is None else refused

        return call

    return around


# Records.


async def put_record(face: BlueskyFace, request: web.Request) -> _Reply:
    return await _write(face, request, create=False)


async def create_record(face: BlueskyFace, request: web.Request) -> _Reply:
    return await _write(face, request, create=True)


async def _write(face: BlueskyFace, request: web.Request, *, create: bool) -> _Reply:
    member = face.who(request)
    given = await request.json()
    collection, value = str(given.get("collection")), given.get("record")
    key = str(given.get("rkey") or (next_tid() if create else ""))
    text = value.get("text", "") if isinstance(value, dict) else ""
    action = _ACTIONS.get(collection, "record")
    refused = await face.admit(request, member, action, text=str(text))
    if refused is not None:
        return refused
    try:
        repeated = _check_write(face, member, given, collection, key, create=create)
    except RefusedError as told:
        face.network.attempted(member.handle, action, "refused", text=str(text), detail=told.message)
        raise
    if repeated is None:
        face.network.attempted(member.handle, action, "refused", text=str(text), detail="key taken")
        return refusal("InternalServerError")
    uri = f"at://{member.id}/{collection}/{key}"
    body: dict[str, Any] = {"uri": uri, "cid": record_cid(value), "validationStatus": "valid"}
    message = face.network.messages.get(uri)
    if not repeated:
        message = face.repos.write(member, collection, key, value)
        face.tell_author(member, uri, body["cid"], value)
        body["commit"] = _commit()
    return await face.answer(request, member, action, answer(body, WRITES), message, repeated=repeated)


def _check_write(
    face: BlueskyFace, member: Member, given: dict[str, Any], collection: str, key: str, *, create: bool
) -> bool | None:
    """True when exactly this is there already, ``None`` when a create meets a record."""
    if given.get("repo") not in (member.id, wire_handle(member)):
        raise RefusedError("InvalidRequest", f"Could not find repo: {given.get('repo')}")
    check_key(collection, key)
    check_record(collection, given.get("record"), face.repos.blobs.get(member.id, {}))
    current = face.repos.find(member.id, collection, key)
    if create:
        return None if current else False
    if current is not None and current.cid == record_cid(given["record"]):
        return True  # before swapRecord is looked at, as on the real one
    if "swapRecord" in given and given["swapRecord"] != (current.cid if current else None):
        raise RefusedError("InvalidSwap", f"Record was at {current.cid if current else 'null'}")
    return False


@_signed_in("delete", on="write")
async def delete_record(face: BlueskyFace, request: web.Request, member: Member) -> _Reply:
    given = await request.json()
    message = face.repos.remove(member, str(given.get("collection")), str(given.get("rkey")))
    body = {"commit": _commit()} if message else {}
    return await face.answer(request, member, "delete", answer(body, WRITES), message)


@_signed_in("delete", on="write")
async def apply_writes(face: BlueskyFace, request: web.Request, member: Member) -> _Reply:
    """Several deletions in one commit: all, or none where one has nothing to delete."""
    given = await request.json()
    writes = given.get("writes", [])
    others = [write.get("$type") for write in writes if write.get("$type") != _DELETION]
    if others:
        raise RefusedError("InvalidRequest", f"Action not supported: {others[0]}")
    places = [(write["collection"], write["rkey"]) for write in writes]
    if not all(face.repos.find(member.id, *place) for place in places):
        return refusal("InternalServerError")
    messages = [face.repos.remove(member, *place) for place in places]
    body = {"commit": _commit(), "results": [{"$type": f"{_DELETION}Result"} for _ in writes]}
    return await face.answer(request, member, "delete", answer(body, WRITES), next(filter(None, messages), None))


def _commit() -> dict[str, str]:
    return {"cid": record_cid({"commit": next_tid()}), "rev": next_tid()}


async def get_record(face: BlueskyFace, request: web.Request) -> _Reply:
    repo, collection, key = (request.query.get(name, "") for name in ("repo", "collection", "rkey"))
    member = _find(face, repo)
    refused = await face.admit(request, member, "record", on="read", ignore=_ANYBODY)
    if refused is not None:
        return refused
    uri = f"at://{repo}/{collection}/{key}"
    record = face.repos.find(member.id, collection, key) if member else None
    if record is None:
        return error(400, "RecordNotFound", f"Could not locate record: {uri}")
    return answer({"uri": uri, "cid": record.cid, "value": record.value}, READS)


async def list_records(face: BlueskyFace, request: web.Request) -> _Reply:
    repo, collection = request.query.get("repo", ""), request.query.get("collection", "")
    limit, cursor = int(request.query.get("limit", 50)), request.query.get("cursor")
    member = _find(face, repo)
    refused = await face.admit(request, member, "records", on="read", ignore=_ANYBODY)
    if refused is not None:
        return refused
    if member is None:
        return error(400, "InvalidRequest", f"Could not find repo: {repo}")
    keys = [key for key in face.repos.keys(member.id, collection) if not cursor or key < cursor][:limit]
    found = [(key, face.repos.find(member.id, collection, key)) for key in keys]
    base = f"at://{member.id}/{collection}"
    records = [{"uri": f"{base}/{key}", "cid": r.cid, "value": r.value} for key, r in found if r]
    return answer({"records": records, "cursor": keys[-1]} if keys else {"records": []}, READS)


@_signed_in("media", on="write")
async def upload_blob(face: BlueskyFace, request: web.Request, member: Member) -> _Reply:
    if (request.content_length or 0) > UPLOAD_MAX_BYTES:
        return refusal("PayloadTooLarge")
    blob = face.repos.store(member, await request.read(), request.content_type)
    return await face.answer(request, member, "media", answer({"blob": blob}, READS))


async def get_blob(face: BlueskyFace, request: web.Request) -> _Reply:
    """The bytes of a blob that one of its owner's records names, for anybody."""
    did, cid = request.query.get("did", ""), request.query.get("cid", "")
    member = face.network.members.get(did)
    refused = await face.admit(request, member, "blob", on="read", ignore=_ANYBODY)
    if refused is not None:
        return refused
    if member is None:
        return error(400, "RepoNotFound", f"Could not find repo for DID: {did}")
    if (did, cid) not in face.repos.data or not any(cid in _named(r) for r in face.repos.values(did, POSTS)):
        return error(400, "InvalidRequest", "Blob not found")
    mime = face.repos.blobs[did][cid]["mimeType"]
    return web.Response(body=face.repos.data[did, cid], content_type=mime)


def _named(record: dict[str, Any]) -> set[str]:
    return {blob["ref"]["$link"] for blob in blobs_in(record.get("embed"))}


def _find(face: BlueskyFace, name: str) -> Member | None:
    return next((m for m in face.network.members.values() if name in (m.id, wire_handle(m))), None)


# What the AppView tells.


@_signed_in("notifications")
async def list_notifications(face: BlueskyFace, request: web.Request, member: Member) -> _Reply:
    """Newest first; the cursor goes back."""
    reasons, cursor = request.query.getall("reasons", []), request.query.get("cursor")
    limit = min(100, int(request.query.get("limit", 50)))
    told = reversed(member.extra["heard"])
    heard = [n for n in told if not ((said := face.network.messages.get(n["uri"])) and said.deleted)]
    page, end = _filled(heard, reasons, int(cursor or 0), limit)
    body: dict[str, Any] = {"seenAt": "1970-01-01T00:00:00.000Z"}
    if end < len(heard):
        body["cursor"] = str(end)
    if face.faults.find(Trouble.MALFORMED_EVENT, member.handle, on="read", action="notifications"):
        page = [{"uri": 5, "reason": ["mention"], "record": None}, *page]
    return answer({**body, "notifications": page}, READS)


def _filled(heard: list[Any], reasons: list[str], start: int, limit: int) -> tuple[list[Any], int]:
    """Other reasons are left out of what was cut already, and less than half a page is filled up, but not for ever: a
    page may be empty and not the last (@atproto/bsky 0.0.280: listNotifications.js, fillPage of api/util.js).
    """
    page: list[Any] = []
    for _ in range(FETCHES_MAX):
        cut = heard[start : start + limit - len(page)]
        page += [note for note in cut if not reasons or note["reason"] in reasons]
        start += len(cut)
        if not cut or 2 * len(page) >= limit:
            break
    return page, start


async def get_profile(face: BlueskyFace, request: web.Request) -> _Reply:
    """As anybody sees it: the AppView hides who was taken down or left."""
    member = _find(face, request.query.get("actor", ""))
    refused = await face.admit(request, member, "profile", on="read", ignore=_ANYBODY)
    if refused is not None:
        return refused
    if member is None:
        return error(400, "InvalidRequest", "Profile not found")
    if any(face.faults.active(kind, member.handle) for kind in (Trouble.SUSPEND, Trouble.SILENT_SUSPEND)):
        return error(400, "AccountTakedown", "Account has been suspended")
    if face.faults.active(Trouble.LOCK, member.handle):
        return error(400, "AccountDeactivated", "Account is deactivated")
    posts = len(face.repos.keys(member.id, POSTS))
    return answer({**profile(member), "followersCount": 0, "followsCount": 0, "postsCount": posts}, READS)


@_signed_in("posts")
async def get_posts(face: BlueskyFace, request: web.Request, _: Member) -> _Reply:
    """Those that are there, in the order asked."""
    uris = request.query.getall("uris", [])
    if len(uris) > _POSTS_MAX:
        told = f"array too big (maximum {_POSTS_MAX}, got {len(uris)})"
        return error(400, "InvalidRequest", f"Invalid app.bsky.feed.getPosts params: {told} at $.uris")
    found = [face.network.messages.get(uri) for uri in uris]
    return answer({"posts": [_post(face, m) for m in found if m and not m.deleted]}, READS)


def _post(face: BlueskyFace, message: Message) -> dict[str, Any]:
    view = {"uri": message.id, "cid": message.extra["cid"], "record": message.extra["record"], "labels": []}
    author = profile(face.network.members[message.author])
    return {**view, "author": author, "indexedAt": message.extra["record"]["createdAt"]}


# Chat.


@_signed_in("log")
async def get_log(face: BlueskyFace, request: web.Request, member: Member) -> _Reply:
    body = face.chat.log(member, request.query.get("cursor"))
    if face.faults.find(Trouble.MALFORMED_EVENT, member.handle, on="read", action="log"):
        broken = {"$type": "chat.bsky.convo.defs#logCreateMessage", "convoId": 7, "message": "?"}
        body["logs"] = [broken, *body["logs"]]
    return answer(body)


@_signed_in("convos")
async def list_convos(face: BlueskyFace, _: web.Request, member: Member) -> _Reply:
    return answer({"convos": [_convo(convo) for convo in face.chat.of(member)]})


@_signed_in("convo")
async def get_convo(face: BlueskyFace, request: web.Request, member: Member) -> _Reply:
    return answer({"convo": _convo(face.chat.find(member, request.query.get("convoId")))})


@_signed_in("convo")
async def get_convo_for_members(face: BlueskyFace, request: web.Request, member: Member) -> _Reply:
    others = [face.network.members.get(did) for did in request.query.getall("members", [])]
    if not others or None in others:
        return error(400, "RecipientNotFound", "Recipient not found")
    return answer({"convo": _convo(face.chat.between(member, *(m for m in others if m)))})


@_signed_in("messages")
async def get_messages(face: BlueskyFace, request: web.Request, member: Member) -> _Reply:
    convo = face.chat.find(member, request.query.get("convoId"))
    return answer(face.chat.history(convo, request.query.get("cursor"), int(request.query.get("limit", 50))))


async def send_message(face: BlueskyFace, request: web.Request) -> _Reply:
    member = face.who(request)
    given = await request.json()
    words = given.get("message", {}).get("text")
    refused = await face.admit(request, member, "direct", text=str(words))
    if refused is not None:
        return refused
    try:
        convo = face.chat.find(member, given.get("convoId"))
        check_message(given.get("message"))
    except RefusedError as told:
        face.network.attempted(member.handle, "direct", "refused", text=str(words), detail=told.message)
        raise
    message = face.chat.say(member, convo, words, given["message"].get("facets"), _quoted(face, given["message"]))
    return await face.answer(request, member, "direct", answer(face.chat.view(message)), message)


@_signed_in("reaction", on="write")
async def add_reaction(face: BlueskyFace, request: web.Request, member: Member) -> _Reply:
    given = await request.json()
    convo = face.chat.find(member, given.get("convoId"))
    message = next((m for m in convo.messages if m.id == given.get("messageId")), None)
    if message is None:
        raise RefusedError("ReactionMessageDeleted", "Message not found")
    face.chat.react(member, message, str(given.get("value")))
    return await face.answer(request, member, "reaction", answer({"message": face.chat.view(message)}), message)


def _quoted(face: BlueskyFace, message: dict[str, Any]) -> dict[str, Any] | None:
    """The view of a post that a message shows."""
    match message.get("embed"):
        case {"$type": "app.bsky.embed.record", "record": {"uri": str(uri)}} if uri in face.network.messages:
            post = _post(face, face.network.messages[uri])
            view = {"$type": "app.bsky.embed.record#viewRecord", **post, "value": post["record"]}
            return {"$type": "app.bsky.embed.record#view", "record": view}
    return None


def _convo(convo: Convo) -> dict[str, Any]:
    members = [profile(member) for member in convo.members]
    rev = convo.messages[-1].id if convo.messages else "2222222222222"
    return {"id": convo.id, "rev": rev, "members": members, "muted": False, "unreadCount": 0, "status": "accepted"}


METHODS: dict[tuple[str, str], _Method] = {
    ("POST", "com.atproto.repo.putRecord"): put_record,
    ("POST", "com.atproto.repo.createRecord"): create_record,
    ("POST", "com.atproto.repo.deleteRecord"): delete_record,
    ("POST", "com.atproto.repo.applyWrites"): apply_writes,
    ("GET", "com.atproto.repo.getRecord"): get_record,
    ("GET", "com.atproto.repo.listRecords"): list_records,
    ("POST", "com.atproto.repo.uploadBlob"): upload_blob,
    ("GET", "com.atproto.sync.getBlob"): get_blob,
    ("GET", "app.bsky.notification.listNotifications"): list_notifications,
    ("GET", "app.bsky.actor.getProfile"): get_profile,
    ("GET", "app.bsky.feed.getPosts"): get_posts,
    ("GET", "chat.bsky.convo.getLog"): get_log,
    ("GET", "chat.bsky.convo.listConvos"): list_convos,
    ("GET", "chat.bsky.convo.getConvo"): get_convo,
    ("GET", "chat.bsky.convo.getConvoForMembers"): get_convo_for_members,
    ("GET", "chat.bsky.convo.getMessages"): get_messages,
    ("POST", "chat.bsky.convo.sendMessage"): send_message,
    ("POST", "chat.bsky.convo.addReaction"): add_reaction,
}
