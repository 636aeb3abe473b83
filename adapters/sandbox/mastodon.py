"""Mastodon on the wire: the REST API and server-sent events of one instance, as Mastodon.py meets them."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from aiohttp import web

from adapters.sandbox.face import Face
from adapters.sandbox.faults import Faults, Rule, Trouble
from adapters.sandbox.mastodon_bodies import body, missing, refused_for
from adapters.sandbox.mastodon_entities import QUOTING_API, TEXT_MAX, Entities, rate_headers, stamp
from adapters.sandbox.mastodon_media import LARGE_BYTES, PIXEL, Files, attachment, refused_file
from adapters.sandbox.mastodon_reads import Reads
from adapters.sandbox.mastodon_rules import Written, begun, form_of, refused_media, refused_words, written
from adapters.sandbox.mastodon_stream import Streams
from adapters.sandbox.world import Member, Message, Network, utc_now

Handler = Callable[[web.Request, Member], Awaitable[web.StreamResponse]]


class MastodonFace(Face):
    """One instance. Refusals by ``rule.code``: scope, not_allowed, localised, invalid_token, no_user, gone,
    in_reply_not_found, quoted_status_not_found, moved, file_size, too_long, blank, file_type, media_pending,
    too_many_files, race. LOCK by pending, unconfirmed, two_factor.

    ``media_turns`` is how often an upload is asked about before it is ready; ``quotes`` says whether it is a Mastodon
    that has quoted posts. A bot's stream shows the edits and deletions of what mentions it.
    """

    name: ClassVar[str] = "mastodon"

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network, faults)
        self.media_turns = 1
        self.streams = Streams(faults)
        self._entities = Entities(network)
        self._ids = itertools.count(114_000_000_000_000_001)
        self._keys: dict[tuple[str, str], str] = {}
        self._files = Files(self._id)
        self._notes: dict[str, list[dict[str, Any]]] = {}
        self._reads = Reads(network, faults, self._entities, self._notes)

    def forget(self, before: datetime) -> int:
        gone = {message.id for message in self.network.forget(before)}
        for member, notes in self._notes.items():
            self._notes[member] = [note for note in notes if note["status"] not in gone]
        self._keys = {key: status for key, status in self._keys.items() if status not in gone}
        self._files.forget(gone)
        return len(gone)

    # How the world is set up and how people speak.

    def account(self, handle: str = "agent") -> dict[str, Any]:
        self._bot(handle)
        name = f"MASTODON_{handle.upper()}_TOKEN"
        account = "main" if handle == "agent" else handle
        return {
            "settings": {
                "id": f"mastodon/{account}",
                "server": self.url,
                "access_token": {"env": name},
                "poll_s": 0.25,
            },
            "environment": {name: _token(handle)},
        }

    def say(self, person: str, kind: str, text: str, **options: Any) -> Message:
        bot = self._bot(options.get("account", "agent"))
        if kind not in ("mention", "reply", "direct", "post"):
            raise ValueError(f"nobody says {kind} on Mastodon: there are mention, reply, direct and post")
        if kind != "post" and bot not in self._entities.mentioned(text):
            text = f"@{bot.handle} {text}"
        media = [self._files.add(PIXEL, "image/png", "a pixel")] if options.get("image") else []
        visibility = "direct" if kind == "direct" else options.get("visibility", "public")
        form = {"status": text, "visibility": visibility, "in_reply_to_id": options.get("to")}
        form |= {name: options.get(name) for name in ("spoiler_text", "sensitive", "language", "poll")}
        form["quoted_status_id"] = options.get("quote")
        return self._publish(self._person(person), written(form), kind=kind, media=media)

    def person_edits(self, message_id: str, text: str) -> None:
        self._change(self.network.messages[message_id], text)

    def person_deletes(self, message_id: str) -> None:
        self._remove(self.network.messages[message_id])

    def person_reacts(self, person: str, message_id: str, reaction: str = "favourite") -> None:
        message, member = self.network.messages[message_id], self._person(person)
        self.network.react(message, member, reaction)
        self._notify(self.network.members[message.author], "favourite", member, message)

    def person_reposts(self, person: str, message_id: str) -> None:
        message, member = self.network.messages[message_id], self._person(person)
        message.extra.setdefault("reblogs", []).append(member.id)
        self._notify(self.network.members[message.author], "reblog", member, message)

    @property
    def quotes(self) -> bool:
        return self._entities.api_version >= QUOTING_API

    @quotes.setter
    def quotes(self, has_them: bool) -> None:
        self._entities.api_version = QUOTING_API if has_them else QUOTING_API - 1

    def cut_streams(self, account: str | None = None) -> None:
        self.streams.cut(account)

    def _bot(self, handle: str) -> Member:
        found = self.network.member(handle)
        return found or self.network.join(Member(self._id(), handle, handle.capitalize(), is_bot=True))

    def _person(self, handle: str) -> Member:
        found = self.network.member(handle)
        return found or self.network.join(Member(self._id(), handle, handle.partition("@")[0].capitalize()))

    def _id(self) -> str:
        return str(next(self._ids))

    # What the instance does with a status.

    def _publish(
        self,
        author: Member,
        said: Written,
        *,
        kind: str,
        key: str | None = None,
        media: Sequence[dict[str, Any]] = (),
    ) -> Message:
        mentioned = self._entities.mentioned(said.text)
        message = Message(
            self._id(),
            author.id,
            said.text,
            utc_now(),
            kind=kind,
            conversation=self._root(said.parent),
            private=said.visibility in ("direct", "private"),
            in_reply_to=said.parent,
            key=key,
            media=list(media),
            extra={"visibility": said.visibility, "mentions": [m.id for m in mentioned], "language": said.language},
        )
        self._set(message, said)
        message.extra["quoted"] = said.quoted if self.quotes else None
        message.conversation = message.conversation or message.id
        author.extra["statuses"] = author.extra.get("statuses", 0) + 1
        self.network.add(message)
        self._spread(author, mentioned, message)
        return message

    def _set(self, message: Message, said: Written) -> None:
        """What an edit may change besides the words."""
        message.extra |= {"spoiler_text": said.spoiler, "sensitive": said.sensitive, "poll": begun(said.poll)}
        for file in message.media:
            file["status"] = message.id

    def _root(self, parent: str | None) -> str:
        found = self.network.messages.get(parent or "")
        if found is None:
            return ""
        found.extra["replies"] = found.extra.get("replies", 0) + 1
        return found.conversation

    def _spread(self, author: Member, mentioned: list[Member], message: Message) -> None:
        if author.is_bot:
            self.streams.push(author, "update", self._entities.status(message, author))
        for member in mentioned:
            if member.id != author.id:
                self._notify(member, "mention", author, message)
        quoted = self.network.messages.get(message.extra["quoted"] or "")
        if quoted and quoted.author != author.id:
            self._notify(self.network.members[quoted.author], "quote", author, message)

    def _notify(self, member: Member, kind: str, who: Member, message: Message) -> None:
        if not member.is_bot:
            return
        note = {"id": self._id(), "type": kind, "from": who.id, "status": message.id, "at": utc_now()}
        self._notes.setdefault(member.id, []).append(note)
        self.streams.push(member, "notification", self._entities.notification(note, member))

    def _concerned(self, message: Message) -> list[Member]:
        ids = {message.author, *message.extra["mentions"]}
        return [member for member in self.network.members.values() if member.id in ids and member.is_bot]

    def _change(self, message: Message, text: str) -> None:
        self.network.edit(message, text)
        message.extra["edited_at"] = stamp(utc_now())
        for member in self._concerned(message):
            self.streams.push(member, "status.update", self._entities.status(message, member))

    def _remove(self, message: Message) -> None:
        self.network.delete(message)
        for member in self._concerned(message):
            self.streams.push(member, "delete", message.id)

    # The wire.

    def app(self) -> web.Application:
        app = web.Application(client_max_size=LARGE_BYTES + (1 << 20))
        app.on_response_prepare.append(_give_rate)
        for version, entity in (("v1", "instance_v1"), ("v2", "instance_v2")):
            for slash in ("", "/"):
                app.router.add_get(f"/api/{version}/instance{slash}", self._instance(entity))
        read, write, reads = self._reading, self._writing, self._reads
        routes = [
            web.get("/api/v1/accounts/verify_credentials", read("verify", reads.verify)),
            web.get("/api/v1/accounts/lookup", read("account", reads.lookup)),
            web.get("/api/v1/accounts/search", read("account", reads.search)),
            web.get("/api/v1/accounts/{id}", read("account", reads.account)),
            web.get("/api/v1/accounts/{id}/statuses", read("statuses", reads.account_statuses)),
            web.get("/api/v1/notifications", read("notifications", reads.notifications)),
            web.get("/api/v1/conversations", read("conversations", reads.conversations)),
            web.post("/api/v1/statuses", write(self._create)),
            web.get("/api/v1/statuses/{id}", read("status", reads.status)),
            web.put("/api/v1/statuses/{id}", write(self._edit)),
            web.delete("/api/v1/statuses/{id}", write(self._delete)),
            web.get("/api/v1/statuses/{id}/context", read("context", reads.context)),
            web.get("/api/v1/statuses/{id}/source", read("source", reads.source)),
            web.post("/api/v1/statuses/{id}/favourite", write(self._favourite)),
            web.post("/api/v1/statuses/{id}/reblog", write(self._reblog)),
            web.post("/api/v2/media", write(self._upload)),
            web.get("/api/v1/media/{id}", read("media", self._get_media)),
            web.get("/api/v1/streaming/user", read("stream", self._stream, on="stream")),
            web.get("/api/v1/streaming/user/notification", read("stream", self._stream, on="stream")),
            web.get("/system/{id}", self._files.serve),
        ]
        app.add_routes(routes)
        return app

    def _instance(self, entity: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            ignored = frozenset({Trouble.SUSPEND, Trouble.LOCK, Trouble.REVOKE})
            refused = await self.admit(request, None, "instance", on="read", ignore=ignored)
            self._entities.url = self.url
            return refused or web.json_response(getattr(self._entities, entity)())

        return handle

    def _writing(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._entities.url = self.url
            member = self._member(request)
            return await handler(request, member) if member else refused_for("invalid_token")

        return handle

    def _reading(
        self, action: str, handler: Handler, *, on: str = "read"
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request, member: Member) -> web.StreamResponse:
            lock = self.faults.find(Trouble.LOCK, member.handle, on=on, action=action)
            if lock:  # an account that is not functional reads nothing here, unlike elsewhere
                return self.body(Trouble.LOCK, lock, member)
            return await self.admit(request, member, action, on=on) or await handler(request, member)

        return self._writing(handle)

    def _member(self, request: web.Request) -> Member | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return next((m for m in self.network.members.values() if m.is_bot and _token(m.handle) == token), None)

    def body(self, trouble: Trouble, rule: Rule, member: Member | None) -> web.Response:  # noqa: ARG002 -- every face's
        return body(trouble, rule)

    async def _stream(self, request: web.Request, member: Member) -> web.StreamResponse:
        return await self.streams.serve(request, member, only_notifications=request.path.endswith("/notification"))

    # Writes.

    async def _create(self, request: web.Request, member: Member) -> web.StreamResponse:
        said = written(await form_of(request))
        action = "direct" if said.visibility == "direct" else "reply" if said.parent else "post"
        if refused := await self.admit(request, member, action, text=said.text):
            return refused
        key = request.headers.get("Idempotency-Key")
        old = self.network.messages.get(self._keys.get((member.id, key or ""), ""))
        if old is not None and key:
            answer = web.json_response(self._entities.status(old, member))
            return await self.answer(request, member, action, answer, old, repeated=True)
        files = [self._files.get(one) for one in said.media_ids]
        if refusal := self._missing(said, member) or refused_media(said, files) or refused_words(said, TEXT_MAX):
            self.network.attempted(member.handle, action, "refused", text=said.text, detail=refusal)
            return refused_for(refusal)
        message = self._publish(member, said, kind=action, key=key, media=[file for file in files if file])
        if key:
            self._keys[(member.id, key)] = message.id
        answer = web.json_response(self._entities.status(message, member))
        return await self.answer(request, member, action, answer, message)

    def _missing(self, said: Written, member: Member) -> str | None:
        """Why what it answers or quotes can't be."""
        if said.parent and self._reads.visible(said.parent, member) is None:
            return "in_reply_not_found"
        if not said.quoted or not self.quotes:
            return None
        quoted = self._reads.visible(said.quoted, member)
        if quoted is None or (quoted.private and quoted.author != member.id):
            return "quoted_status_not_found"
        return None

    async def _edit(self, request: web.Request, member: Member) -> web.StreamResponse:
        said = written(await form_of(request))
        if refused := await self.admit(request, member, "edit", text=said.text):
            return refused
        message = self._own(request, member)
        if message is None:
            return missing()
        files = [self._files.get(one) for one in said.media_ids]
        if refusal := refused_media(said, files, message.id) or refused_words(said, TEXT_MAX):
            return refused_for(refusal)
        # An edit that names no media takes them off: the server sees the list as emptied. So with the poll.
        for file in message.media:
            file["status"] = None
        message.media = [file for file in files if file]
        message.extra["mentions"] = [m.id for m in self._entities.mentioned(said.text)]
        self._set(message, said)
        self._change(message, said.text)
        answer = web.json_response(self._entities.status(message, member))
        return await self.answer(request, member, "edit", answer, message)

    async def _delete(self, request: web.Request, member: Member) -> web.StreamResponse:
        if refused := await self.admit(request, member, "delete"):
            return refused
        message = self._own(request, member)
        if message is None:
            return missing()
        self._remove(message)
        answer = web.json_response({**self._entities.status(message, member), "text": message.text})
        return await self.answer(request, member, "delete", answer, message)

    def _own(self, request: web.Request, member: Member) -> Message | None:
        message = self._reads.visible(request.match_info["id"], member)
        return message if message and message.author == member.id else None

    async def _favourite(self, request: web.Request, member: Member) -> web.StreamResponse:
        if refused := await self.admit(request, member, "react"):
            return refused
        message = self._reads.visible(request.match_info["id"], member)
        if message is None:
            return missing()
        if all(reaction["member"] != member.id for reaction in message.reactions):
            self.network.react(message, member, "favourite")
        answer = web.json_response(self._entities.status(message, member))
        return await self.answer(request, member, "react", answer, message)

    async def _reblog(self, request: web.Request, member: Member) -> web.StreamResponse:
        if refused := await self.admit(request, member, "repost"):
            return refused
        message = self._reads.visible(request.match_info["id"], member)
        if message is None:
            return missing()
        if message.private:
            return refused_for("not_allowed")
        reblogs = message.extra.setdefault("reblogs", [])
        if member.id not in reblogs:
            reblogs.append(member.id)
        shown = self._entities.status(message, member)
        answer = web.json_response({**shown, "id": self._id(), "content": "", "reblog": shown})
        return await self.answer(request, member, "repost", answer, message)

    async def _upload(self, request: web.Request, member: Member) -> web.StreamResponse:
        if refused := await self.admit(request, member, "media"):
            return refused
        form = await request.post()
        file, alt = form.get("file"), str(form.get("description", ""))
        if not isinstance(file, web.FileField):
            return refused_for("file_type")
        data = file.file.read()
        if refusal := refused_file(file.content_type, data, alt):
            return refused_for(refusal)
        media = self._files.add(data, file.content_type, alt, self.media_turns)
        return web.json_response(attachment(media, self.url), status=202 if media["pending"] else 200)

    async def _get_media(self, request: web.Request, _: Member) -> web.StreamResponse:
        media = self._files.look(request.match_info["id"])
        if media is None:
            return missing()
        return web.json_response(attachment(media, self.url), status=206 if media["pending"] else 200)


def _token(handle: str) -> str:
    return f"mastodon-token-of-{handle}"


async def _give_rate(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer tells its window: three hours for posting, five minutes for the rest. A 429 tells its own."""
    if response.status != 429:
        posting = request.method in ("POST", "PUT") and "/statuses" in request.path
        response.headers.update(rate_headers(299, 10_800 if posting else 300))
