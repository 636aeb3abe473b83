"""What Mastodon says becomes events. Pure."""

from __future__ import annotations

from datetime import datetime
from zlib import crc32

from msgspec import Struct, json

from adapters.mastodon.content import attachments, aware, document, web_address
from adapters.mastodon.entities import Notification, Status
from adapters.mastodon.places import Here, conversation_of, is_private, parse_ref, ref_of, width
from gateway.model.events import RAW_MAX, Kind, MessageDeleted, MessageEdited, MessageReceived, Reacted, Reposted
from gateway.model.ids import AccountId, ConversationId, MessageRef

FAVOURITE = "❤️"


class Thread(Struct, frozen=True):
    """Where a status hangs: the id of its thread's root, and the refs of that and of what it answers where known."""

    root: str
    parent: MessageRef | None = None
    first: MessageRef | None = None


def calls(status: Status, here: Here) -> bool:
    """Whether it mentions or answers us."""
    return status.in_reply_to_account_id == here.id or any(m.id == here.id for m in status.mentions or ())


def message(
    status: Status, here: Here, account: AccountId, thread: Thread, raw: bytes = b"", *, addressed: bool = True
) -> MessageReceived:
    """Somebody mentioned or quoted us. ValueError when a name in it can't be one."""
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
        addressed=addressed,
        in_reply_to=thread.parent,
        thread_root=thread.first if thread.root != status.id else None,
        attachments=attachments(status),
        url=web_address(status.url),
        raw=kept(raw),
    )


def kept(raw: bytes) -> str:
    """A payload for the operator, unless it is longer than is kept."""
    return raw.decode("utf-8", "replace") if len(raw) <= RAW_MAX else ""


def marked(note: Notification, here: Here, account: AccountId, root: str) -> Reacted | Reposted:
    """Somebody favourited a status of ours, or showed it to their own readers."""
    place = ref_of(note.status, here), conversation_of(note.status, here, root)
    author, at = here.identity(note.account), aware(note.created_at)
    if note.type == "favourite":
        return Reacted(account, f"favourite:{note.id}", *place, author, FAVOURITE, at)
    return Reposted(account, f"reblog:{note.id}", *place, author, at)


def edited(
    status: Status, here: Here, account: AccountId, conversation: ConversationId, raw: bytes = b""
) -> MessageEdited:
    """A status was changed. Two edits may fall into one millisecond: what it says is part of what tells them apart."""
    at = aware(status.edited_at or status.created_at)
    said, files = document(status, here), attachments(status)
    words = crc32((status.content or "").encode()) ^ crc32(json.encode((said.warning, said.poll, files)))
    return MessageEdited(
        account=account,
        id=f"{status.id}:{at.isoformat()}:{words:08x}",
        ref=ref_of(status, here),
        conversation=conversation,
        author=here.identity(status.account),
        document=said,
        at=at,
        private=is_private(status.visibility),
        attachments=files,
        raw=kept(raw),
    )


def deleted(ref: MessageRef, account: AccountId, conversation: ConversationId, at: datetime) -> MessageDeleted:
    return MessageDeleted(account, f"{parse_ref(ref).id}:deleted", ref, conversation, at)


def order(status_id: str) -> tuple[int, str]:
    """The order of ids. They are numbers, or text of one length that sorts."""
    return (len(status_id), status_id)
