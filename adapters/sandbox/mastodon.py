"""Mastodon on the wire: the REST API and server-sent events of one instance, as Mastodon.py meets them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any, ClassVar

from aiohttp import web

from adapters.sandbox.face import Face
from adapters.sandbox.faults import Faults, Rule, Trouble
from adapters.sandbox.mastodon_bodies import CODES, body, missing, refused_for
from adapters.sandbox.mastodon_entities import QUOTING_API, TEXT_MAX, Entities, rate_headers
from adapters.sandbox.mastodon_media import LARGE_BYTES, PIXEL, Files, attachment, refused_file
from adapters.sandbox.mastodon_reads import Reads
from adapters.sandbox.mastodon_rules import Written, form_of, refused_media, refused_words, written
from adapters.sandbox.mastodon_statuses import Statuses
from adapters.sandbox.mastodon_stream import Streams
from adapters.sandbox.world import Member, Message, Network

Handler = Callable[[web.Request, Member], Awaitable[web.StreamResponse]]


class MastodonFace(Face):
    """One instance. Refusals by ``rule.code``: scope, not_allowed, localised, invalid_token, no_user, gone,
    in_reply_not_found, quoted_status_not_found, quoted_not_mentioned, moved, file_size, too_long, blank, file_type,
    file_unverified, file_unprocessed, media_pending, too_many_files, race. LOCK by pending, unconfirmed, two_factor.

    ``media_turns`` is how often an upload is asked about before it is ready, ``upload_window`` how many an account may
    begin in how many seconds (30 in 1800, masto rack_attack.rb); ``quotes`` says whether it is a Mastodon
    that has quoted posts; ``reads_english`` whether the owners of its accounts do. A bot's stream shows the edits and
    deletions of what mentions it.
    """

    name: ClassVar[str] = "mastodon"

    def __init__(self, network: Network, faults: Faults) -> None:
        super().__init__(network, faults)
        self.media_turns = 1
        self.upload_window: tuple[int, float] = (100_000, 1800.0)
        self.reads_english = True
        self.streams = Streams(faults)
        self._entities = Entities(network)
        self._ids = itertools.count(114_000_000_000_000_001)
        self._keys: dict[tuple[str, str], str] = {}
        self._begun: dict[str, tuple[float, int]] = {}
        self._files = Files(self._id)
        self._notes: dict[str, list[dict[str, Any]]] = {}
        self._reads = Reads(network, faults, self._entities, self._notes)
        self._statuses = Statuses(network, self._entities, self.streams, self._notes, self._id)

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
        return self._statuses.publish(self._person(person), written(form), kind=kind, media=media)

    def person_edits(self, message_id: str, text: str) -> None:
        self._statuses.change(self.network.messages[message_id], text)

    def person_deletes(self, message_id: str) -> None:
        self._statuses.remove(self.network.messages[message_id])

    def person_reacts(self, person: str, message_id: str, reaction: str = "favourite") -> None:
        message, member = self.network.messages[message_id], self._person(person)
        self.network.react(message, member, reaction)
        self._statuses.notify(self.network.members[message.author], "favourite", member, message)

    def person_reposts(self, person: str, message_id: str) -> None:
        message, member = self.network.messages[message_id], self._person(person)
        message.extra.setdefault("reblogs", []).append(member.id)
        self._statuses.notify(self.network.members[message.author], "reblog", member, message)

    @property
    def quotes(self) -> bool:
        return self._entities.quotes

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

    # The wire.

    def app(self) -> web.Application:
        app = web.Application(client_max_size=LARGE_BYTES + (1 << 20), middlewares=[self._in_their_language])
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

    @web.middleware
    async def _in_their_language(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """What isn't valid is told in the language that the account's owner reads, or that is asked for: masto
        localized.rb.
        """
        response = await handler(request)
        if response.status == 422 and not self.reads_english and request.query.get("lang") != "en":
            return refused_for("invalid_german")
        return response

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

    def codes(self, rule: Rule) -> Collection[str]:
        return CODES.get(rule.kind, ())

    async def _stream(self, request: web.Request, member: Member) -> web.StreamResponse:
        return await self.streams.serve(request, member, only_notifications=request.path.endswith("/notification"))

    # Writes.

    async def _create(self, request: web.Request, member: Member) -> web.StreamResponse:
        said = written(await form_of(request))
        action = "direct" if said.visibility == "direct" else "reply" if said.parent else "post"
        if refused := await self.admit(request, member, action, text=said.text):
            return refused
        if refusal := self._missing(said, member):  # looked at before the key is: masto statuses_controller.rb
            return self._refuse(member, action, said, refusal)
        key = request.headers.get("Idempotency-Key")
        if key and (member.id, key) in self._keys:
            old = self._reads.visible(self._keys[(member.id, key)], member)
            answer = web.json_response(self._entities.status(old, member)) if old else missing()
            return await self.answer(request, member, action, answer, old, repeated=True)
        files = [self._files.get(one, member.id) for one in said.media_ids]
        if refusal := refused_media(said, files) or self._uncalled(said, member) or refused_words(said, TEXT_MAX):
            return self._refuse(member, action, said, refusal)
        message = self._statuses.publish(member, said, kind=action, key=key, media=[file for file in files if file])
        if key:
            self._keys[(member.id, key)] = message.id
        answer = web.json_response(self._entities.status(message, member))
        return await self.answer(request, member, action, answer, message)

    def _refuse(self, member: Member, action: str, said: Written, refusal: str) -> web.Response:
        self.network.attempted(member.handle, action, "refused", text=said.text, detail=refusal)
        return refused_for(refusal)

    def _missing(self, said: Written, member: Member) -> str | None:
        """Why what it answers or quotes can't be: masto interaction_policy_concern.rb says who quotes what."""
        if said.parent and self._reads.visible(said.parent, member) is None:
            return "in_reply_not_found"
        if not said.quoted or not self.quotes:
            return None
        quoted = self._reads.visible(said.quoted, member)
        if quoted is None or quoted.extra["visibility"] == "direct" or (quoted.private and quoted.author != member.id):
            return "quoted_status_not_found"
        return None

    def _uncalled(self, said: Written, member: Member) -> str | None:
        """In private nobody is quoted who isn't called."""
        quoted = self.network.messages.get(said.quoted or "") if self.quotes else None
        if quoted is None or said.visibility != "direct" or quoted.author == member.id:
            return None
        called = [one.id for one in self._entities.mentioned(said.text)]
        return None if quoted.author in called else "quoted_not_mentioned"

    async def _edit(self, request: web.Request, member: Member) -> web.StreamResponse:
        said = written(await form_of(request))
        if refused := await self.admit(request, member, "edit", text=said.text):
            return refused
        message = self._own(request, member)
        if message is None:
            return missing()
        said = said._replace(visibility=message.extra["visibility"], quoted=message.extra["quoted"])
        files = [self._files.get(one, member.id) for one in said.media_ids]
        if refusal := refused_media(said, files, message.id) or refused_words(said, TEXT_MAX):
            return refused_for(refusal)
        self._statuses.become(message, said, [file for file in files if file])
        answer = web.json_response(self._entities.status(message, member))
        return await self.answer(request, member, "edit", answer, message)

    async def _delete(self, request: web.Request, member: Member) -> web.StreamResponse:
        if refused := await self.admit(request, member, "delete"):
            return refused
        message = self._own(request, member)
        if message is None:
            return missing()
        self._statuses.remove(message)
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
        if message.extra["visibility"] == "direct" or (message.private and message.author != member.id):
            return refused_for("not_allowed")  # masto status_policy.rb
        reblogs = message.extra.setdefault("reblogs", [])
        if member.id not in reblogs:
            reblogs.append(member.id)
        shown = self._entities.status(message, member)
        answer = web.json_response({**shown, "id": self._id(), "content": "", "reblog": shown})
        return await self.answer(request, member, "repost", answer, message)

    async def _upload(self, request: web.Request, member: Member) -> web.StreamResponse:
        if refused := await self.admit(request, member, "media") or self._full(member):
            return refused
        form = await request.post()
        file, alt = form.get("file"), str(form.get("description", ""))
        if not isinstance(file, web.FileField):
            return refused_for("Validation failed: File can't be blank")
        data = file.file.read()
        if refusal := refused_file(file.content_type, data, alt):
            return refused_for(refusal)
        media = self._files.add(data, file.content_type, alt, self.media_turns, owner=member.id)
        return web.json_response(attachment(media, self.url), status=202 if media["pending"] else 200)

    def _full(self, member: Member) -> web.Response | None:
        """One more in the window of uploads, or a 429 when it has no room."""
        until_s, used = self._begun.get(member.id, (0.0, 0))
        most, per_s = self.upload_window
        now_s = time.monotonic()
        if now_s >= until_s:
            until_s, used = now_s + per_s, 0
        if used >= most:
            self.network.attempted(member.handle, "media", "refused", detail="rate_limit")
            return body(Trouble.RATE_LIMIT, Rule(Trouble.RATE_LIMIT, retry_after_s=until_s - now_s))
        self._begun[member.id] = until_s, used + 1
        return None

    async def _get_media(self, request: web.Request, member: Member) -> web.StreamResponse:
        media = self._files.look(request.match_info["id"], member.id)
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
