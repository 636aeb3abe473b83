"""Two pure halves: what Mastodon says becomes events, a draft becomes statuses.

A :data:`~gateway.model.ids.MessageRef` here is ``id|visibility|people``: what a reply needs (whom to mention, how wide
it may be). A :data:`~gateway.model.ids.ConversationId` is ``open|root`` or ``private|root`` for a thread, and
``direct|people`` for direct messages, which are visible to exactly those they mention. People are full names,
``ana@example.social``: unique across instances, and what a mention is written with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, NamedTuple
from zlib import crc32

from msgspec import Meta, Struct, field, structs

from adapters.mastodon.markup import paragraphs
from adapters.mastodon.profile import NAME
from gateway.model.capabilities import Limits
from gateway.model.content import Block, Document, Link, Mention, Paragraph, Text, spans
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.events import Kind, MessageDeleted, MessageEdited, MessageReceived, Reacted
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef

PEOPLE_MAX = 10
"""A direct message to more people than this is answered to its author alone."""

URL_MAX = 2_000
LANGUAGE_MAX = 35

_NAME = re.compile(r"[\w.-]{1,64}(?:@[\w.:-]{1,253})?")
_WIDTHS = ("public", "unlisted", "private", "direct")


Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
"""Numbers on Mastodon, other words elsewhere; they go into paths and references, so nothing else may be in them."""


class Account(Struct, frozen=True):
    """An account as the API shows it. ``acct`` has no domain where the account is the instance's own."""

    id: Id
    acct: str
    display_name: str | None = None


class Mentioned(Struct, frozen=True):
    id: Id
    acct: str
    url: str | None = None


class Attachment(Struct, frozen=True):
    id: Id
    type: str | None = None
    url: str | None = None
    description: str | None = None


class Status(Struct, frozen=True):
    """The fields of a status that mean something here; the API shows some forty more.

    What is not needed may be null: servers besides Mastodon are not of one mind about it.
    """

    id: Id
    created_at: datetime
    account: Account
    visibility: str
    content: str | None = None
    spoiler_text: str | None = None
    url: str | None = None
    language: str | None = None
    edited_at: datetime | None = None
    in_reply_to_id: Id | None = None
    in_reply_to_account_id: Id | None = None
    mentions: list[Mentioned] | None = None
    media_attachments: list[Attachment] | None = None


class Notification(Struct, frozen=True):
    id: Id
    type: str
    account: Account
    status: Status
    created_at: datetime


class Numbered(Struct, frozen=True):
    """What every entity has, for going on past one that is otherwise broken."""

    id: Id


class Above(Struct, frozen=True):
    """The thread above a status."""

    ancestors: list[Status] = field(default_factory=list)


class Source(Struct, frozen=True):
    """A status of ours as it was written."""

    text: str


class Statuses(Struct, frozen=True):
    max_characters: int | None = None
    max_media_attachments: int | None = None
    characters_reserved_per_url: int | None = None


class Files(Struct, frozen=True):
    supported_mime_types: list[str] = field(default_factory=list)
    description_limit: int | None = None
    image_size_limit: int | None = None


class Urls(Struct, frozen=True):
    streaming: str | None = None


class Configuration(Struct, frozen=True):
    statuses: Statuses = Statuses()
    media_attachments: Files = Files()
    urls: Urls = Urls()


class Instance(Struct, frozen=True):
    """An instance as its v2 (``domain``) or v1 (``uri``) description shows it."""

    domain: str = ""
    uri: str = ""
    configuration: Configuration = Configuration()


class Here(Struct, frozen=True):
    """Who we are and where: our id on the instance, our full name, and the instance's domain."""

    id: str
    name: str
    domain: str

    def full(self, acct: str) -> str:
        """The name that means the same on every instance. ValueError when it can't be one."""
        if not _NAME.fullmatch(acct):
            raise ValueError("not an account's name")
        return acct if "@" in acct else f"{acct}@{self.domain}"

    def identity(self, account: Account) -> Identity:
        """Its id is the full name; its handle is the name as it is written on this instance."""
        return Identity(NAME, self.full(account.acct).casefold(), account.acct, (account.display_name or "")[:200])

    def local(self, text: str) -> str:
        """The text with the instance's own people named as it names them; not every server knows them otherwise."""
        domain = re.escape(self.domain)
        return re.sub(rf"(?<![=/\w])(@[\w.-]+)@{domain}(?![\w:@-]|\.\w)", r"\1", text, flags=re.IGNORECASE)


class Thread(Struct, frozen=True):
    """Where a status hangs: the root of its thread, and the ref of what it answers where that is known."""

    root: str
    parent: MessageRef | None = None


class Ref(NamedTuple):
    """A message reference, taken apart."""

    id: str
    visibility: str
    people: tuple[str, ...]


def parse_ref(ref: MessageRef) -> Ref:
    """Raises FaultError for a reference that was not made here."""
    if ref.count("|") != 2:
        raise FaultError(Fault(FaultKind.TARGET_REFUSED, True, "the message is not one of this platform's"))
    status, visibility, people = ref.split("|")
    return Ref(status, visibility, tuple(people.split(",")) if people else ())


def ref_of(status: Status, here: Here) -> MessageRef:
    """The reference of a status. Of somebody's the author is to be mentioned, of ours those whom it mentions.

    ValueError when the author's name can't be one.
    """
    own = status.account.id == here.id
    people = _others(status, here) if own else [here.full(status.account.acct)]
    return MessageRef(f"{status.id}|{width(status.visibility)}|{','.join(people[:PEOPLE_MAX])}")


def conversation_of(status: Status, here: Here, root: str) -> ConversationId:
    """The thread, or for a direct message the people it is between. ValueError as for :func:`ref_of`."""
    visibility = width(status.visibility)
    if visibility != "direct":
        return ConversationId(f"{'private' if visibility == 'private' else 'open'}|{root}")
    author = [here.full(status.account.acct)] if status.account.id != here.id else []
    people = sorted({*author, *_others(status, here)})
    return ConversationId(f"direct|{','.join(people if len(people) <= PEOPLE_MAX else author)}")


def _others(status: Status, here: Here) -> list[str]:
    """Whom a status mentions besides us, where their names can be ones."""
    return [here.full(m.acct) for m in status.mentions or () if m.id != here.id and _NAME.fullmatch(m.acct)]


def width(visibility: str) -> str:
    """A visibility that Mastodon knows; what it doesn't (a fork's) is taken as the narrowest."""
    return visibility if visibility in _WIDTHS else "direct"


def narrowest(*visibilities: str) -> str:
    return max(visibilities, key=_WIDTHS.index)


def is_private(visibility: str) -> bool:
    return visibility not in ("public", "unlisted")


def message(status: Status, here: Here, account: AccountId, thread: Thread) -> MessageReceived:
    """Somebody mentioned us. ValueError when a name in it can't be one."""
    ours = status.in_reply_to_account_id == here.id
    kind = Kind.DIRECT if width(status.visibility) == "direct" else Kind.REPLY if ours else Kind.MENTION
    return MessageReceived(
        account=account,
        id=status.id,
        ref=ref_of(status, here),
        conversation=conversation_of(status, here, thread.root),
        kind=kind,
        author=here.identity(status.account),
        document=document(status, here),
        at=aware(status.created_at),
        private=is_private(status.visibility),
        in_reply_to=thread.parent,
    )


def reaction(note: Notification, here: Here, account: AccountId, root: str) -> Reacted:
    """Somebody favourited a status of ours."""
    return Reacted(
        account=account,
        id=f"favourite:{note.id}",
        ref=ref_of(note.status, here),
        conversation=conversation_of(note.status, here, root),
        author=here.identity(note.account),
        reaction="favourite",
        at=aware(note.created_at),
    )


def edited(status: Status, here: Here, account: AccountId, conversation: ConversationId) -> MessageEdited:
    """A status has new words. Two edits may fall into one millisecond: the words are part of what tells them apart."""
    at = aware(status.edited_at or status.created_at)
    words = crc32((status.content or "").encode())
    return MessageEdited(
        account=account,
        id=f"{status.id}:{at.isoformat()}:{words:08x}",
        ref=ref_of(status, here),
        conversation=conversation,
        author=here.identity(status.account),
        document=document(status, here),
        at=at,
        private=is_private(status.visibility),
    )


def deleted(ref: MessageRef, account: AccountId, conversation: ConversationId, at: datetime) -> MessageDeleted:
    return MessageDeleted(account, f"{parse_ref(ref).id}:deleted", ref, conversation, at)


def document(status: Status, here: Here) -> Document:
    """What somebody says to us. The mention of us that it begins with is only the address, so it is left out."""
    said = _said(status, here)
    first = said.paragraphs[0] if said.paragraphs else ()
    if isinstance(first, Block) or not first or not isinstance(first[0], Mention) or first[0].id != here.name:
        return said
    rest = first[1:]
    if rest and isinstance(rest[0], Text):
        text = rest[0].text.lstrip()
        rest = (Text(text), *rest[1:]) if text else rest[1:]
    rests = (rest, *said.paragraphs[1:]) if rest else said.paragraphs[1:]
    return structs.replace(said, paragraphs=rests) if rests else said


def _said(status: Status, here: Here) -> Document:
    """A status as it stands: its warning, its text, and an address for each of its files."""
    pages = {m.url: m for m in status.mentions or ()}

    def mentioned(url: str) -> Mention | None:
        found = pages.get(url)
        if found is None or not _NAME.fullmatch(found.acct):
            return None
        return Mention(NAME, here.full(found.acct).casefold(), found.acct)

    warning: list[Paragraph] = [(Text(" ".join(status.spoiler_text.split())[:500]),)] if status.spoiler_text else []
    files = [
        (Link(file.url, f"{file.type or 'file'}: {file.description or 'no description'}"[:1_600]),)
        for file in (status.media_attachments or ())[:PEOPLE_MAX]
        if file.url and len(file.url) <= URL_MAX and file.url.startswith(("http://", "https://"))
    ]
    language = status.language if status.language and len(status.language) <= LANGUAGE_MAX else None
    return Document((*warning, *paragraphs(status.content or "", mentioned), *files), language=language)


def aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def domain_of(instance: Instance, host: str) -> str:
    """The instance's part of a full name: its own word for it, or the host it is reached at."""
    told = instance.domain or instance.uri.partition("://")[2] or instance.uri
    return told if _NAME.fullmatch(told) and "@" not in told else host


def limits_of(instance: Instance, usual: Limits) -> Limits:
    """The instance's own sizes. What it leaves out, or states absurdly, stays as usual."""
    statuses, files = instance.configuration.statuses, instance.configuration.media_attachments
    text_max = _sane(statuses.max_characters, usual.text_max, 50, 100_000)
    mimes = tuple(mime for mime in files.supported_mime_types if mime.startswith("image/"))
    return Limits(
        text_max=text_max,
        unit=usual.unit,
        direct_max=text_max,
        images_max=_sane(statuses.max_media_attachments, usual.images_max, 1, 50),
        image_size_bytes=_sane(files.image_size_limit, usual.image_size_bytes, 100_000, 1 << 30),
        image_mimes=mimes or usual.image_mimes,
        alt_max=_sane(files.description_limit, usual.alt_max, 1, 100_000),
        url_length=_sane(statuses.characters_reserved_per_url, usual.url_length or 23, 1, 100),
    )


def _sane(told: int | None, usual: int, least: int, most: int) -> int:
    return told if told is not None and least <= told <= most else usual


def same_words(status: Status, here: Here, text: str) -> bool:
    """Whether a status of ours may be this text: by letters and digits, whatever the server made of its marks."""
    own = structs.replace(status, spoiler_text="", media_attachments=[])
    shown = _joined(_said(own, here), lambda mention: f"@{mention.id}")
    return _letters(shown) == _letters(text)


def _joined(said: Document, spell: Callable[[Mention], str]) -> str:
    return "".join(
        spell(span) if isinstance(span, Mention) else span.text or span.url if isinstance(span, Link) else span.text
        for span in spans(said)
    )


_DOMAIN = re.compile(r"(?<![=/\w])(@[a-z0-9_.-]+)@[\w.:-]+", re.IGNORECASE)


def _letters(text: str) -> str:
    return "".join(character for character in _DOMAIN.sub(r"\1", text).casefold() if character.isalnum())


def order(status_id: str) -> tuple[int, str]:
    """The order of ids. They are numbers, or text of one length that sorts."""
    return (len(status_id), status_id)
