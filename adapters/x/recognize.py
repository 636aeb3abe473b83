"""Whether what X shows is what was sent. Pure; apart from translate.py, which would be too long with it."""

from __future__ import annotations

import re
import unicodedata

from adapters.x.translate import ENTITIES_MAX, JOINER, DirectEvent, Entities, Post, points_to, ref, unescape
from gateway.model.delivery import Part, Receipt

_LEADING_CALLS = re.compile(r"^(?:@\w{1,15}\s+)+")
_OWN_PICTURE = re.compile(r"https?://(?:x|twitter)\.com/(?:messages/media/|\S+/(?:photo|video)/)\S+", re.IGNORECASE)


def is_part(item: Post | DirectEvent, part: Part, me: str) -> bool:
    """Whether it may be this part: by its place, its words and what it quotes, and by a picture where it shows one."""
    sent = part.body.get("text", "")
    if item.attachments.media_keys and not part.body.get("media"):
        return False
    if isinstance(item, DirectEvent):
        return item.sender_id == me and says(item, sent, reply=False)
    reply_to = part.previous if part.index else part.body.get("reply_to")
    if item.replied_to != reply_to or not _quotes(item.quoted, part.body.get("quote"), sent):
        return False
    return says(item, sent, reply=reply_to is not None)


def _quotes(quoted: str | None, wanted: str | None, sent: str) -> bool:
    """Whether that is the post to be quoted. Among the words, too, X takes a post's address for a quote."""
    return quoted == wanted or (wanted is None and f"/{quoted}" in sent)


def receipt(item: Post | DirectEvent) -> Receipt:
    url = None if isinstance(item, DirectEvent) else f"https://x.com/i/status/{item.id}"
    return Receipt(ref(item), item.created_at, url)


def says(found: Post | DirectEvent, sent: str, *, reply: bool) -> bool:
    """Whether a text that X tells is one that was sent: t.co, escapes, spaces and a reply's leading names aside."""
    told = found.note_tweet or found if isinstance(found, Post) else found
    wanted = _plain(sent, reply=reply)
    quoted = found.quoted if isinstance(found, Post) else None
    texts = (told.text, _bare(told.text, told.entities, quoted))
    return any(
        _pattern(variant, told.entities, reply=reply).fullmatch(wanted)
        for text in texts
        for variant in (text, unescape(text))
    )


def _bare(text: str, entities: Entities, quoted: str | None) -> str:
    """Without the address that X puts behind the words for a picture or a quoted post; it may say of no picture that it
    is one.
    """
    bare = text.rstrip()
    ends = [address.url for address in entities.urls[:ENTITIES_MAX] if _is_added(address.expanded_url, quoted)]
    return next((bare.removesuffix(url) for url in ends if url and bare.endswith(url)), text)


def _is_added(url: str, quoted: str | None) -> bool:
    return bool(_OWN_PICTURE.fullmatch(url)) or (quoted is not None and points_to(url, quoted))


def _plain(text: str, *, reply: bool) -> str:
    flat = " ".join(unicodedata.normalize("NFC", text.replace(JOINER, "")).split())
    return _LEADING_CALLS.sub("", flat) if reply else flat


def _pattern(text: str, entities: Entities, *, reply: bool) -> re.Pattern[str]:
    """What the sender may have typed, as a pattern: X adds a scheme or a slash to an address that had none."""
    typed: dict[str, str] = {}
    for address in entities.urls[:ENTITIES_MAX]:
        if address.media_key:
            text = text.replace(address.url, "")
        elif address.url:
            scheme, _, rest = address.expanded_url.rpartition("://")
            typed[address.url] = f"(?:{re.escape(scheme)}://)?{re.escape(rest.rstrip('/'))}/?"
    flat = _plain(text, reply=reply)
    if not typed:
        return re.compile(re.escape(flat))
    pieces = re.split(f"({'|'.join(map(re.escape, typed))})", flat)
    return re.compile("".join(typed[piece] if n % 2 else re.escape(piece) for n, piece in enumerate(pieces)))
