"""Who and where: names, references to statuses, conversations, and how wide each may be heard.

A :data:`~gateway.model.ids.MessageRef` here is ``id|visibility|people``: what a reply needs (whom to mention, how wide
it may be). A :data:`~gateway.model.ids.ConversationId` is ``open|root`` or ``private|root`` for a thread, and
``direct|people`` for direct messages, which are visible to exactly those they mention. People are full names,
``ana@example.social``: unique across instances, and what a mention is written with.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import NamedTuple

from msgspec import Struct

from adapters.mastodon.entities import Account, Status
from adapters.mastodon.profile import NAME
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.identity import Identity
from gateway.model.ids import ConversationId, MessageRef

PEOPLE_MAX = 10
"""A direct message to more people than this is answered to its author alone."""

BETWEEN_MAX_BYTES = 1_500
"""So may one between people with longer names than this: a conversation's id stands in an index."""
DOMAIN_MAX = 253
NAMED = re.compile(rf"[\w.-]{{1,{DOMAIN_MAX}}}(?:@[\w.:-]{{1,{DOMAIN_MAX}}})?")
"""Bridges have whole domains for names (``ana.example.com@bsky.brid.gy``); Mastodon lets in even longer ones."""
_WIDTHS = ("public", "unlisted", "private", "direct")


def named(acct: str) -> str | None:
    """An account's name with a domain that can be written; None for what can be none.

    Mastodon shows domains in Unicode, and some have what no word has (marks, emoji): those are spelled as in the DNS.
    """
    if NAMED.fullmatch(acct):
        return acct
    user, _, domain = acct.partition("@")
    if len(domain) > DOMAIN_MAX:
        return None
    with suppress(UnicodeError):
        spelled = f"{user}@{domain.encode('idna').decode()}"
        return spelled if NAMED.fullmatch(spelled) else None
    return None


class Here(Struct, frozen=True):
    """Who we are and where: our id on the instance, our full name, the instance's domain, and whether it has quotes."""

    id: str
    name: str
    domain: str
    quotes: bool = False

    def full(self, acct: str) -> str:
        """The name that means the same on every instance. ValueError when it can't be one."""
        if (name := named(acct)) is None:
            raise ValueError("not an account's name")
        return name if "@" in name else f"{name}@{self.domain}"

    def identity(self, account: Account) -> Identity:
        """Its id is the full name; its handle is the name as it is written on this instance."""
        return Identity(NAME, self.full(account.acct).casefold(), account.acct, (account.display_name or "")[:200])

    def local(self, text: str) -> str:
        """The text with the instance's own people named as it names them; not every server knows them otherwise."""
        domain = re.escape(self.domain)
        return re.sub(rf"(?<![=/\w])(@[\w.-]+)@{domain}(?![\w:@-]|\.\w)", r"\1", text, flags=re.IGNORECASE)


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
    few = len(people) <= PEOPLE_MAX and len(",".join(people).encode()) <= BETWEEN_MAX_BYTES
    return ConversationId(f"direct|{','.join(people if few else author)}")


def _others(status: Status, here: Here) -> list[str]:
    """Whom a status mentions besides us, where their names can be ones."""
    return [here.full(m.acct) for m in status.mentions or () if m.id != here.id and named(m.acct)]


def width(visibility: str) -> str:
    """A visibility that Mastodon knows; what it doesn't (a fork's) is taken as the narrowest."""
    return visibility if visibility in _WIDTHS else "direct"


def narrowest(*visibilities: str) -> str:
    return max(visibilities, key=_WIDTHS.index)


def is_private(visibility: str) -> bool:
    return visibility not in ("public", "unlisted")
