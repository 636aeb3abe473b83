"""What a Mastodon instance lets an account read: statuses, notifications, conversations, accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from adapters.sandbox.faults import Faults, Trouble
from adapters.sandbox.mastodon_bodies import missing
from adapters.sandbox.mastodon_entities import Entities
from adapters.sandbox.world import Member, Message, Network

MALFORMED: dict[str, Any] = {"id": None, "type": "mention", "account": 7, "status": {"id": {}, "mentions": "none"}}


class Reads:
    """Read handlers over the face's truth. ``notes`` are the notifications of each account, oldest first."""

    def __init__(
        self, network: Network, faults: Faults, entities: Entities, notes: dict[str, list[dict[str, Any]]]
    ) -> None:
        self._network = network
        self._faults = faults
        self._entities = entities
        self._notes = notes

    def visible(self, status: str | None, member: Member) -> Message | None:
        """The status if it is there for this account."""
        message = self._network.messages.get(status or "")
        if message is None or message.deleted:
            return None
        concerned = member.id in (message.author, *message.extra["mentions"])
        return message if concerned or message.extra["visibility"] != "direct" else None

    async def verify(self, _: web.Request, member: Member) -> web.StreamResponse:
        return web.json_response(self._entities.credentials(member))

    async def account(self, request: web.Request, _: Member) -> web.StreamResponse:
        found = self._network.members.get(request.match_info["id"])
        return web.json_response(self._entities.account(found)) if found else missing()

    async def lookup(self, request: web.Request, _: Member) -> web.StreamResponse:
        name, _at, domain = request.query.get("acct", "").lstrip("@").partition("@")
        found = self._entities.resolve(name, domain or None)
        return web.json_response(self._entities.account(found)) if found else missing()

    async def search(self, request: web.Request, _: Member) -> web.StreamResponse:
        wanted = request.query.get("q", "").lstrip("@").casefold()
        found = [m for m in self._network.members.values() if wanted in m.handle.casefold()]
        return web.json_response([self._entities.account(member) for member in found[:40]])

    async def account_statuses(self, request: web.Request, member: Member) -> web.StreamResponse:
        author = request.match_info["id"]
        theirs = [m for m in self._network.messages.values() if m.author == author and self.visible(m.id, member)]
        chosen = page(request, theirs, lambda message: message.id, usual=20)
        return web.json_response([self._entities.status(message, member) for message in chosen])

    async def status(self, request: web.Request, member: Member) -> web.StreamResponse:
        message = self.visible(request.match_info["id"], member)
        return web.json_response(self._entities.status(message, member)) if message else missing()

    async def source(self, request: web.Request, member: Member) -> web.StreamResponse:
        message = self.visible(request.match_info["id"], member)
        if message is None or message.author != member.id:
            return missing()
        return web.json_response(
            {"id": message.id, "text": message.text, "spoiler_text": message.extra.get("spoiler_text", "")}
        )

    async def context(self, request: web.Request, member: Member) -> web.StreamResponse:
        message = self.visible(request.match_info["id"], member)
        if message is None:
            return missing()
        above: list[Message] = []
        parent = self.visible(message.in_reply_to, member)
        while parent is not None:
            above.insert(0, parent)
            parent = self.visible(parent.in_reply_to, member)
        below = [
            m
            for m in self._network.messages.values()
            if m.conversation == message.conversation and int(m.id) > int(message.id) and self.visible(m.id, member)
        ]
        show = self._entities.status
        return web.json_response(
            {"ancestors": [show(m, member) for m in above], "descendants": [show(m, member) for m in below]}
        )

    async def notifications(self, request: web.Request, member: Member) -> web.StreamResponse:
        wanted = request.query.getall("types[]", [])
        unwanted = request.query.getall("exclude_types[]", [])
        with_filtered = request.query.get("include_filtered") == "true"
        notes = [
            note
            for note in self._notes.get(member.id, [])
            if (not wanted or note["type"] in wanted)
            and note["type"] not in unwanted
            and (with_filtered or not note["filtered"])
            and not self._network.messages[note["status"]].deleted
        ]
        chosen = page(request, notes, lambda note: note["id"], usual=40)
        shown = [self._entities.notification(note, member) for note in chosen]
        if shown and self._faults.find(Trouble.MALFORMED_EVENT, member.handle, on="read"):
            shown.insert(0, MALFORMED)
        return web.json_response(shown)

    async def conversations(self, request: web.Request, member: Member) -> web.StreamResponse:
        last: dict[str, Message] = {}
        for message in self._network.messages.values():
            if message.extra["visibility"] == "direct" and self.visible(message.id, member):
                last[message.conversation] = message
        chosen = page(request, list(last.values()), lambda message: message.id, usual=20)
        return web.json_response([self._conversation(message, member) for message in chosen])

    def _conversation(self, last: Message, member: Member) -> dict[str, Any]:
        ids = {last.author, *last.extra["mentions"]} - {member.id}
        accounts = [self._entities.account(self._network.members[i]) for i in sorted(ids)]
        return {
            "id": last.conversation,
            "unread": last.author != member.id,
            "accounts": accounts,
            "last_status": self._entities.status(last, member),
        }


def page(request: web.Request, items: Sequence[Any], id_of: Any, *, usual: int) -> list[Any]:
    """One page, newest first. ``min_id`` pages from the cursor up, ``since_id`` gives the newest above it."""
    query = request.query
    limit = min(int(query.get("limit", usual)), usual * 2)
    floor = int(query.get("min_id") or query.get("since_id") or 0)
    below = int(query["max_id"]) if "max_id" in query else None
    chosen = [item for item in items if int(id_of(item)) > floor and (below is None or int(id_of(item)) < below)]
    chosen.sort(key=lambda item: int(id_of(item)))
    chosen = chosen[:limit] if query.get("min_id") else chosen[-limit:]
    return chosen[::-1]
