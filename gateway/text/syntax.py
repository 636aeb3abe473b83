"""What markdown-it doesn't know by itself: bare addresses, spoilers, and the marks of chats."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, emphasis
from markdown_it.rules_inline.state_inline import Delimiter

from gateway.text.plain import address_at

_SPOILER = "|"


def extend(parser: MarkdownIt, *, lenient: bool) -> None:
    """Teach the parser. ``lenient``: a mark needs a letter beside it only on its inside."""
    inline = parser.inline
    inline.add_terminator_char(_SPOILER)
    inline.ruler.before("escape", "address", _address)
    inline.ruler.before("emphasis", "spoiler", _spoiler)
    inline.ruler2.before("emphasis", "spoiler", _pair_spoilers)
    inline.ruler.at("emphasis", _lenient_emphasis if lenient else _emphasis)


def _address(state: StateInline, silent: bool) -> bool:
    """A bare web address is a link; marks in it are its own."""
    if state.src[state.pos] != ":" or state.linkLevel > 0:
        return False
    before = state.src[max(0, state.pos - 5) : state.pos].lower()
    scheme = next((name for name in ("https", "http") if before.endswith(name)), "")
    begin = state.pos - len(scheme)
    url = address_at(state.src, begin, state.posMax) if scheme else ""
    if not url:
        return False
    if not silent:
        if not state.pending.endswith(state.src[begin : state.pos]):
            return False
        state.pending = state.pending[: -len(scheme)]
        state.push("link_open", "a", 1).attrs = {"href": url}
        state.push("text", "", 0).content = url
        state.push("link_close", "a", -1)
    state.pos = begin + len(url)
    return True


def _spoiler(state: StateInline, silent: bool) -> bool:
    if silent or not state.src.startswith("||", state.pos):
        return False
    scanned = state.scanDelims(state.pos, canSplitWord=True)
    if scanned.length != 2:
        return False
    state.push("text", "", 0).content = "||"
    place = len(state.tokens) - 1
    state.delimiters.append(Delimiter(ord(_SPOILER), 0, place, -1, *_flanks(state, state.pos, 2)))
    state.pos += 2
    return True


def _pair_spoilers(state: StateInline) -> None:
    inner = [meta["delimiters"] for meta in state.tokens_meta if meta and "delimiters" in meta]
    for delimiters in (state.delimiters, *inner):
        for opener in delimiters:
            if opener.marker == ord(_SPOILER) and opener.end >= 0:
                for place, kind, nesting in ((opener.token, "open", 1), (delimiters[opener.end].token, "close", -1)):
                    token = state.tokens[place]
                    token.type, token.content = f"spoiler_{kind}", ""
                    token.nesting = nesting


def _emphasis(state: StateInline, silent: bool) -> bool:
    """A single star between digits is a product, whatever CommonMark says: agents do sums."""
    before, here, after = (
        state.src[max(0, state.pos - 1) : state.pos],
        state.src[state.pos],
        state.src[state.pos + 1 :][:1],
    )
    if here != "*" or not (before.isdigit() and after.isdigit()):
        return emphasis.tokenize(state, silent)
    if not silent:
        state.pending += here
    state.pos += 1
    return True


def _lenient_emphasis(state: StateInline, silent: bool) -> bool:
    begin, known = state.pos, len(state.delimiters)
    if not emphasis.tokenize(state, silent):
        return False
    opens, closes = _flanks(state, begin, state.pos - begin)
    for delimiter in state.delimiters[known:]:
        delimiter.length = 0
        delimiter.open, delimiter.close = opens, closes
    return True


def _flanks(state: StateInline, begin: int, length: int) -> tuple[bool, bool]:
    """Whether marks here may open and close: not before and not after a space; ``_`` only at the edge of a word."""
    before = state.src[begin - 1] if begin else " "
    after = state.src[begin + length] if begin + length < state.posMax else " "
    inside = state.src[begin] == "_"
    opens = not after.isspace() and not (inside and before.isalnum())
    closes = not before.isspace() and not (inside and after.isalnum())
    return opens, closes
