"""What a Mastodon server shows of its truth: the JSON entities, the HTML of a status, the length of a text."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from adapters.sandbox import mastodon_media as media
from adapters.sandbox.world import Member, Message, Network

DOMAIN = "mastodon.sandbox"
TEXT_MAX = 500
URL_LENGTH = 23
FILES_MAX = 4
QUOTING_API = 7
POLL_OPTIONS = 4
OPTION_MAX = 50
OPEN_SHORTEST_S = 300
OPEN_LONGEST_S = 2_629_746

_URL = re.compile(
    r"(?<![a-z0-9@$#\uff20\uff04\uff03])https?://[\w.-]+\.(?:[a-z]{2,}|[^\W\d_]{2,})(?![0-9a-z@])(?::\d+)?"
    r"(?:/(?:(?:[^\s<>()?]|\([^\s<>()?]*\))*(?:[^\s<>()?\"'.,;:!*=$%\[\]~&|@「」]|\([^\s<>()?]*\)))?)?"
    r"(?:\?[^ <>\"{}`\\\n\t]*[a-z0-9_&=#/\u00a0-\U0010ffff-])?",
    re.IGNORECASE,
)
"""masto twitter_regex.rb: it is none right behind a letter, nor where its domain goes on; a path takes letters and
signs of all scripts, a query even white space beyond ASCII.
"""
MENTION = re.compile(r"(?<![=/\w])@([a-z0-9_]+(?:[a-z0-9_.-]+[a-z0-9_]+)?)(?:@([\w.-]+\w+))?", re.IGNORECASE)
_TAG = re.compile(r"(?<![\w&/])#(\w*[^\W\d]\w*)")
_TOKEN = re.compile(f"(?P<url>{_URL.pattern})|(?P<mention>{MENTION.pattern})|(?P<tag>{_TAG.pattern})", re.IGNORECASE)


def stamp(at: datetime) -> str:
    """A time as the API writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def rate_headers(remaining: int, reset_in_s: float, limit: int = 300) -> dict[str, str]:
    """The rate headers, with the ISO 8601 time of the reset in microseconds."""
    reset = datetime.now(UTC) + timedelta(seconds=reset_in_s)
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": reset.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def length(text: str, spoiler: str = "") -> int:
    """What counts of a status: graphemes of its warning and its text, of which a web address counts 23, and a mention
    without its domain.
    """
    short = _URL.sub("x" * URL_LENGTH, text)
    return graphemes(spoiler + MENTION.sub(lambda found: "@" + found[1], short))


def graphemes(text: str) -> int:
    """Near enough to UAX #29 for a sandbox: marks, joined emoji, skin tones and flags cling to what is before."""
    count, joined, flag = 0, False, False
    for character in text:
        code = ord(character)
        clings = unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Mc")
        clings = clings or 0x1F3FB <= code <= 0x1F3FF or code in (0xFE0F, 0x200D)
        regional = 0x1F1E6 <= code <= 0x1F1FF
        count += not (clings or joined or (regional and flag))
        flag = regional and not flag
        joined = code == 0x200D
    return count


class Entities:
    """The JSON a face answers with. ``url`` is where the face is reached."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.url = ""
        self.api_version = QUOTING_API

    @property
    def quotes(self) -> bool:
        return self.api_version >= QUOTING_API

    def resolve(self, name: str, domain: str | None) -> Member | None:
        """The member a written mention names; local names go with and without the server's own domain."""
        local = domain is None or domain.casefold() == DOMAIN
        wanted = (name if local else f"{name}@{domain}").casefold()
        return next((m for m in self._network.members.values() if m.handle.casefold() == wanted), None)

    def mentioned(self, text: str) -> list[Member]:
        found = (self.resolve(hit[1], hit[2]) for hit in MENTION.finditer(text))
        return list({member.id: member for member in found if member}.values())

    def account(self, member: Member) -> dict[str, Any]:
        page = self._page(member)
        return {
            "id": member.id,
            "username": member.handle.partition("@")[0],
            "acct": member.handle,
            "display_name": member.name,
            "locked": False,
            "bot": member.is_bot,
            "discoverable": True,
            "group": False,
            "created_at": "2026-01-01T00:00:00.000Z",
            "note": "<p>of the sandbox</p>",
            "url": page,
            "uri": page,
            "avatar": f"{self.url}/avatars/missing.png",
            "avatar_static": f"{self.url}/avatars/missing.png",
            "header": f"{self.url}/headers/missing.png",
            "header_static": f"{self.url}/headers/missing.png",
            "followers_count": 1,
            "following_count": 1,
            "statuses_count": member.extra.get("statuses", 0),
            "last_status_at": None,
            "emojis": [],
            "fields": [],
        }

    def credentials(self, member: Member) -> dict[str, Any]:
        """The account as its owner sees it."""
        source = {"privacy": "public", "sensitive": False, "language": None, "note": "", "fields": []}
        role = {"id": "-99", "name": "", "permissions": "0", "color": "", "highlighted": False}
        return {**self.account(member), "source": source, "role": role}

    def status(self, message: Message, viewer: Member | None = None) -> dict[str, Any]:
        author = self._network.members[message.author]
        parent = self._network.messages.get(message.in_reply_to or "")
        mentions = [self._network.members[i] for i in message.extra["mentions"]]
        link = f"{self._page(author)}/{message.id}"
        reblogs, poll = message.extra.get("reblogs", []), message.extra.get("poll")
        return {
            "id": message.id,
            "created_at": stamp(message.at),
            "edited_at": message.extra.get("edited_at"),
            "in_reply_to_id": message.in_reply_to,
            "in_reply_to_account_id": parent.author if parent else None,
            "sensitive": message.extra.get("sensitive", False),
            "spoiler_text": message.extra.get("spoiler_text", ""),
            "visibility": message.extra["visibility"],
            "language": message.extra.get("language") or "en",
            "uri": link,
            "url": link,
            "replies_count": message.extra.get("replies", 0),
            "reblogs_count": len(reblogs),
            "favourites_count": len(message.reactions),
            "favourited": any(viewer and r["member"] == viewer.id for r in message.reactions),
            "reblogged": bool(viewer and viewer.id in reblogs),
            "muted": False,
            "bookmarked": False,
            "content": self.fallback(message) + self.html(message.text),
            "filtered": [],
            "reblog": None,
            "application": {"name": "multihome", "website": None} if author.is_bot else None,
            "account": self.account(author),
            "media_attachments": [media.attachment(file, self.url) for file in message.media],
            "mentions": [
                {"id": m.id, "username": m.handle.partition("@")[0], "acct": m.handle, "url": self._page(m)}
                for m in mentions
            ],
            "tags": [],
            "emojis": [],
            "card": None,
            "poll": _poll(poll, message.id) if poll else None,
            "quote": self._quote(message),
        }

    def _quote(self, message: Message) -> dict[str, Any] | None:
        """The quoted status; of one that quotes itself only the id, so that none goes on for ever."""
        quoted = self._network.messages.get(message.extra.get("quoted") or "")
        if quoted is None:
            return None
        if quoted.deleted:
            return {"state": "deleted", "quoted_status": None}
        shown = {**self.status(_unquoting(quoted)), "quote": _shallow(quoted.extra.get("quoted"))}
        return {"state": "accepted", "quoted_status": shown}

    def notification(self, note: dict[str, Any], viewer: Member) -> dict[str, Any]:
        message = self._network.messages[note["status"]]
        return {
            "id": note["id"],
            "type": note["type"],
            "created_at": stamp(note["at"]),
            "group_key": f"ungrouped-{note['id']}",
            "account": self.account(self._network.members[note["from"]]),
            "status": self.status(message, viewer),
            **({"filtered": True} if note["filtered"] else {}),
        }

    def fallback(self, message: Message) -> str:
        """The line for readers without quoted posts, where the words don't hold the address already."""
        quoted = self._network.messages.get(message.extra.get("quoted") or "")
        if quoted is None:
            return ""
        url = f"{self._page(self._network.members[quoted.author])}/{quoted.id}"
        return "" if url in message.text else f'<p class="quote-inline">RE: {_link(url)}</p>'

    def html(self, text: str) -> str:
        """The status as Mastodon's formatter writes it: paragraphs, breaks, and links in their spans."""
        paragraphs = re.split(r"\n{2,}", text.strip("\n"))
        lines = ("<br />".join(self._line(line) for line in paragraph.split("\n")) for paragraph in paragraphs)
        return "".join(f"<p>{line}</p>" for line in lines)

    def _line(self, line: str) -> str:
        parts, end = [], 0
        for hit in _TOKEN.finditer(line):
            parts += [html.escape(line[end : hit.start()]), self._entity(hit)]
            end = hit.end()
        return "".join([*parts, html.escape(line[end:])])

    def _entity(self, hit: re.Match[str]) -> str:
        if hit["url"]:
            return _link(hit["url"])
        if hit["tag"]:
            tag = html.escape(hit["tag"][1:])
            page = f"{self.url}/tags/{tag.casefold()}"
            return f'<a href="{page}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'
        name, _, domain = hit["mention"][1:].partition("@")
        member = self.resolve(name, domain or None)
        if member is None:
            return html.escape(hit["mention"])
        anchor = f'<a href="{self._page(member)}" class="u-url mention">@<span>{html.escape(name)}</span></a>'
        return f'<span class="h-card" translate="no">{anchor}</span>'

    def _page(self, member: Member) -> str:
        name, _, domain = member.handle.partition("@")
        return f"https://{domain}/@{name}" if domain else f"{self.url}/@{name}"

    def _version(self) -> str:
        return "4.5.0" if self.quotes else "4.4.0"

    def instance_v2(self) -> dict[str, Any]:
        host = urlsplit(self.url).netloc
        return {
            "domain": DOMAIN,
            "title": "Sandbox",
            "version": self._version(),
            "source_url": "https://github.com/mastodon/mastodon",
            "description": "",
            "languages": ["en"],
            "configuration": {**_configuration(), "urls": {"streaming": f"ws://{host}"}, "vapid": {"public_key": ""}},
            "registrations": {"enabled": False, "approval_required": False, "message": None},
            "api_versions": {"mastodon": self.api_version},
            "rules": [],
        }

    def instance_v1(self) -> dict[str, Any]:
        host = urlsplit(self.url).netloc
        return {
            "uri": DOMAIN,
            "title": "Sandbox",
            "version": self._version(),
            "urls": {"streaming_api": f"ws://{host}"},
            "stats": {"user_count": len(self._network.members), "status_count": 0, "domain_count": 0},
            "languages": ["en"],
            "configuration": _configuration(),
            "rules": [],
        }


def _poll(poll: dict[str, Any], number: str) -> dict[str, Any]:
    return {
        "id": number,
        "expires_at": poll["expires_at"],
        "expired": False,
        "multiple": poll["multiple"],
        "votes_count": 0,
        "voters_count": 0,
        "options": [{"title": option, "votes_count": 0} for option in poll["options"]],
        "emojis": [],
        "voted": True,
        "own_votes": [],
    }


def _unquoting(message: Message) -> Message:
    return replace(message, extra={**message.extra, "quoted": None})


def _shallow(quoted: str | None) -> dict[str, Any] | None:
    return {"state": "accepted", "quoted_status_id": quoted} if quoted else None


def _link(url: str) -> str:
    """A web address in the three spans that shorten it to 30 characters for the eye."""
    scheme = re.match(r"https?://(?:www\.)?", url, re.IGNORECASE)
    head = scheme[0] if scheme else ""
    shown, rest = url[len(head) : len(head) + 30], url[len(head) + 30 :]
    cut = "ellipsis" if rest else ""
    spans = (("invisible", head), (cut, shown), ("invisible", rest))
    body = "".join(f'<span class="{name}">{html.escape(text)}</span>' for name, text in spans)
    return f'<a href="{html.escape(url)}" target="_blank" rel="nofollow noopener" translate="no">{body}</a>'


def _configuration() -> dict[str, Any]:
    return {
        "accounts": {"max_featured_tags": 10, "max_pinned_statuses": 5},
        "statuses": {
            "max_characters": TEXT_MAX,
            "max_media_attachments": FILES_MAX,
            "characters_reserved_per_url": URL_LENGTH,
        },
        "media_attachments": {
            "supported_mime_types": list(media.MIMES),
            "description_limit": media.ALT_MAX,
            "image_size_limit": media.IMAGE_BYTES,
            "image_matrix_limit": media.IMAGE_PIXELS,
            "video_size_limit": media.LARGE_BYTES,
            "video_frame_rate_limit": 120,
            "video_matrix_limit": media.VIDEO_PIXELS,
        },
        "polls": {
            "max_options": POLL_OPTIONS,
            "max_characters_per_option": OPTION_MAX,
            "min_expiration": OPEN_SHORTEST_S,
            "max_expiration": OPEN_LONGEST_S,
        },
    }
