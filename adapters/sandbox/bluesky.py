"""Bluesky on the wire: a PDS with its XRPC methods, the AppView's notifications and profile, and the chat service."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from aiohttp import web

from adapters.sandbox.bluesky_bodies import (
    READS,
    REFUSALS,
    answer,
    error,
    profile,
    refusal,
    sort_at,
    stamp,
    too_many,
    wire_handle,
)
from adapters.sandbox.bluesky_chat import Chat
from adapters.sandbox.bluesky_lexicon import LIKES, POSTS, REPOSTS, RefusedError
from adapters.sandbox.bluesky_methods import METHODS
from adapters.sandbox.bluesky_repo import UPLOAD_MAX_BYTES, Repos, did_of, next_tid, record_cid
from adapters.sandbox.bluesky_sessions import Sessions, TokenError
from adapters.sandbox.face import Face
from adapters.sandbox.faults import Faults, Rule, Trouble
from adapters.sandbox.world import Member, Message, Network, utc_now

_PUBLIC_KEY = "zQ9yrwRpxazHMKmNxy6dTrnXRrXmRvtSkgSipE579WvZ5PMiZbvDHFuenvL1aNWuhYNAV9yKHfqPmLgMnTQ45yJPF"


class BlueskyFace(Face):
    """``refuse`` codes are the keys of :data:`adapters.sandbox.bluesky_bodies.REFUSALS`.

    ``endpoint`` is where a session's didDoc says the account lives (the face itself when empty).
    """

    name: ClassVar[str] = "bluesky"

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network, faults)
        self.sessions = Sessions()
        self.repos = Repos(network)
        self.chat = Chat(network)
        self.endpoint = ""
        self.calls: list[str] = []
        """Every method that was called, in order."""

    def app(self) -> web.Application:
        app = web.Application(client_max_size=UPLOAD_MAX_BYTES)
        app.router.add_route("*", "/xrpc/{nsid}", self._dispatch)
        return app

    # People and accounts.

    def account(self, handle: str = "agent") -> dict[str, Any]:
        member = self._join(handle, is_bot=True)
        name = f"SANDBOX_BLUESKY_{handle.upper()}_PASSWORD"
        settings = {
            "id": "bluesky/main" if handle == "agent" else f"bluesky/{handle}",
            "server": self.url,
            "public_server": self.url,
            "identifier": wire_handle(member),
            "password": {"env": name},
            "poll_s": 0.05,
            "poll_direct_s": 0.05,
        }
        return {"settings": settings, "environment": {name: member.extra["password"]}}

    def _join(self, handle: str, *, is_bot: bool = False) -> Member:
        member = self.network.member(handle)
        if member is None:
            member = self.network.join(Member(did_of(handle), handle, handle.title()))
            member.extra["heard"] = []
        if is_bot and not member.is_bot:
            member.is_bot = True
            member.extra["password"] = f"pass-of-{handle}"
        return member

    def say(self, person: str, kind: str, text: str, **options: Any) -> Message:
        author = self._join(person)
        account = self._join(options.get("account", "agent"), is_bot=True)
        match kind:
            case "direct":
                return self.chat.say(author, self.chat.between(author, account), text)
            case "mention":
                return self._person_posts(author, account, text, mention=True, **options)
            case "reply":
                to = options.get("to") or self.network.held_by(account.handle)[-1].id
                return self._person_posts(author, account, text, **{**options, "to": to})
            case "quote":
                quoted = self.network.messages[options["of"]]
                ref = {"uri": quoted.id, "cid": quoted.extra["cid"]}
                record = {"embed": {"$type": "app.bsky.embed.record", "record": ref}, **options.get("record", {})}
                return self._person_posts(author, account, text, **{**options, "record": record}, reason="quote")
            case "post":
                return self._person_posts(author, None, text, **options)
        raise ValueError(f"nobody can say {kind!r} on Bluesky: mention, reply, quote, direct or post")

    def _person_posts(
        self,
        author: Member,
        heard_by: Member | None,
        text: str,
        *,
        mention: bool = False,
        reason: str = "reply",
        **options: Any,
    ) -> Message:
        """``record`` among the options is what else the record has, as hostile as one likes: its ``createdAt`` says
        where the index puts it.
        """
        record: dict[str, Any] = {"$type": POSTS, "createdAt": stamp(utc_now()), "text": text}
        if mention and heard_by:
            called = f"@{wire_handle(heard_by)}"
            record["text"] = text if called in text else f"{called} {text}"
            begin = len(record["text"].partition(called)[0].encode())
            feature = {"$type": "app.bsky.richtext.facet#mention", "did": heard_by.id}
            index = {"byteStart": begin, "byteEnd": begin + len(called.encode())}
            record["facets"] = [{"index": index, "features": [feature]}]
        if options.get("to"):
            parent = self.network.messages[options["to"]]
            ref = {"uri": parent.id, "cid": parent.extra["cid"]}
            record["reply"] = {"root": parent.extra["record"].get("reply", {}).get("root", ref), "parent": ref}
        if options.get("image"):
            record["embed"] = self._picture(author)
        record |= options.get("record", {})
        key = next_tid()
        self.repos.write(author, POSTS, key, record, kind="mention" if mention else None)
        message = self.network.messages[f"at://{author.id}/{POSTS}/{key}"]
        if heard_by:
            self._notify(heard_by, author, message.id, message.extra, "mention" if mention else reason)
        return message

    def person_reacts(self, person: str, message_id: str, reaction: str = "❤️") -> None:
        """A like, whatever the reaction; in a direct message the emoji itself."""
        if (message := self.network.messages[message_id]).kind == "direct":
            self.chat.react(self._join(person), message, reaction)
        else:
            self._marks(person, LIKES, message_id)

    def person_reposts(self, person: str, message_id: str) -> None:
        self._marks(person, REPOSTS, message_id)

    def _marks(self, person: str, collection: str, message_id: str) -> None:
        author, post, key = self._join(person), self.network.messages[message_id], next_tid()
        subject = {"uri": post.id, "cid": post.extra["cid"]}
        record = {"$type": collection, "subject": subject, "createdAt": stamp(utc_now())}
        self.repos.write(author, collection, key, record)
        self.tell_author(author, f"at://{author.id}/{collection}/{key}", record_cid(record), record)

    def tell_author(self, member: Member, uri: str, cid: str, record: dict[str, Any]) -> None:
        """A post's author hears who likes it and who shows it to others."""
        reason = {LIKES: "like", REPOSTS: "repost"}.get(str(record.get("$type")))
        post = self.network.messages.get(str(record.get("subject", {}).get("uri"))) if reason else None
        if reason and post and post.author != member.id:
            author = self.network.members[post.author]
            self._notify(author, member, uri, {"cid": cid, "record": record}, reason, post.id)

    def _picture(self, author: Member) -> dict[str, Any]:
        blob = self.repos.store(author, b"\x89PNG\r\n\x1a\nsandbox", "image/png")
        return {"$type": "app.bsky.embed.images", "images": [{"image": blob, "alt": "a picture"}]}

    def _notify(
        self, member: Member, author: Member, uri: str, said: dict[str, Any], reason: str, subject: str = ""
    ) -> None:
        notification = {
            "uri": uri,
            "cid": said["cid"],
            "author": profile(author),
            "reason": reason,
            "record": said["record"],
            "isRead": False,
            "indexedAt": sort_at(said["record"], utc_now()),
            "labels": [],
        }
        heard = member.extra["heard"]
        after = sum(str(note["indexedAt"]) > notification["indexedAt"] for note in heard)
        heard.insert(len(heard) - after, notification | ({"reasonSubject": subject} if subject else {}))

    def forget(self, before: datetime) -> int:
        gone = {message.id for message in self.network.forget(before)}
        self.repos.forget(gone)
        self.chat.forget(gone)
        for member in self.network.members.values():
            member.extra["heard"] = [
                note for note in member.extra["heard"] if gone.isdisjoint((note["uri"], note.get("reasonSubject")))
            ]
        self.calls.clear()
        return len(gone)

    def cut_streams(self, account: str | None = None) -> None:
        """Nothing here stays open: everything is asked for again and again."""

    # Bodies.

    def body(self, trouble: Trouble, rule: Rule, member: Member | None) -> web.Response:  # noqa: ARG002 - same for all
        match trouble:
            case Trouble.SUSPEND:
                return refusal("AccountTakedown")
            case Trouble.LOCK:
                return refusal("AccountDeactivated")
            case Trouble.REVOKE:
                return refusal("TokenRevoked")
            case Trouble.RATE_LIMIT:
                return too_many(rule)
            case Trouble.REFUSE:
                return refusal(rule.code or "InvalidRequest")
        failures = {500: "InternalServerError", 502: "UpstreamFailure", 503: "NotEnoughResources"}
        return refusal(failures.get(rule.status or 500, "UpstreamTimeout"))

    def codes(self, rule: Rule) -> Collection[str]:
        return REFUSALS if rule.kind is Trouble.REFUSE else ()

    # The wire.

    async def _dispatch(self, request: web.Request) -> web.StreamResponse:
        nsid = request.match_info["nsid"]
        self.calls.append(nsid)
        handler = _SESSIONS.get((request.method, nsid)) or METHODS.get((request.method, nsid))
        if handler is None or (nsid.startswith("chat.") and "atproto-proxy" not in request.headers):
            return refusal("MethodNotImplemented")
        try:
            return await handler(self, request)
        except TokenError as refused:
            return error(refused.status, refused.error, refused.message)
        except RefusedError as refused:
            return error(400, refused.error, refused.message)

    def who(self, request: web.Request) -> Member:
        return self.sessions.who(request.headers.get("Authorization", ""))

    async def create_session(self, request: web.Request) -> web.StreamResponse:
        given = await request.json()
        member = next(
            (m for m in self.network.members.values() if given.get("identifier") in (wire_handle(m), m.id)), None
        )
        if member is None or given.get("password") != member.extra.get("password"):
            return refusal("AuthenticationRequired")
        refused = await self.admit(request, member, "login", on="read", ignore=frozenset({Trouble.REVOKE}))
        if refused is not None:
            return refused
        if self.faults.active(Trouble.REVOKE, member.handle):
            return refusal("AuthenticationRequired")  # the app password was deleted
        return self._session_body(member, self.sessions.open(member))

    async def refresh_session(self, request: web.Request) -> web.StreamResponse:
        authorization = request.headers.get("Authorization", "")
        member = self.sessions.who(authorization, refresh=True)
        refused = await self.admit(request, member, "refresh", on="read")
        return refused or self._session_body(member, self.sessions.rotate(authorization.partition(" ")[2]))

    async def get_session(self, request: web.Request) -> web.StreamResponse:
        member = self.who(request)
        refused = await self.admit(request, member, "session", on="read", ignore=frozenset({Trouble.SUSPEND}))
        if refused is not None:
            return refused
        if self.faults.active(Trouble.SUSPEND, member.handle):
            return error(400, "InvalidRequest", f"Could not find user info for account: {member.id}")
        return self._session_body(member, {})

    def _session_body(self, member: Member, tokens: dict[str, str]) -> web.Response:
        locked = self.faults.active(Trouble.LOCK, member.handle)
        service = {
            "id": "#atproto_pds",
            "type": "AtprotoPersonalDataServer",
            "serviceEndpoint": self.endpoint or self.url,
        }
        key = {
            "id": f"{member.id}#atproto",
            "type": "Multikey",
            "controller": member.id,
            "publicKeyMultibase": _PUBLIC_KEY,
        }
        body: dict[str, Any] = {**tokens, "did": member.id, "handle": wire_handle(member), "active": not locked}
        names = [f"at://{wire_handle(member)}"]
        body["didDoc"] = {"id": member.id, "alsoKnownAs": names, "verificationMethod": [key], "service": [service]}
        return answer({**body, "status": "deactivated"} if locked else body, READS)


_SESSIONS = {
    ("POST", "com.atproto.server.createSession"): BlueskyFace.create_session,
    ("POST", "com.atproto.server.refreshSession"): BlueskyFace.refresh_session,
    ("GET", "com.atproto.server.getSession"): BlueskyFace.get_session,
}
