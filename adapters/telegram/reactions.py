"""Which of Telegram's reactions is nearest to an emoji. The list is the Bot API's (PTB ReactionEmoji, 2026-11-26)."""

# ruff: noqa: RUF001 - the signs that look like others are meant

from __future__ import annotations

TAKEN = frozenset(
    {"\u2764\u200d\U0001f525", "\U0001f468\u200d\U0001f4bb", "\U0001f937\u200d\u2642", "\U0001f937\u200d\u2640"}
    | set("👍👎❤🔥🥰👏😁🤔🤯😱🤬😢🎉🤩🤮💩🙏👌🕊🤡🥱🥴😍🐳🌚🌭💯🤣⚡🍌🏆💔🤨😐🍓🍾💋🖕😈😴😭🤓👻👀🎃🙈😇😨🤝✍🤗🫡🎅🎄")
    | set("☃💅🤪🗿🆒💘🙉🦄😘💊🙊😎👾🤷😡")
)
"""Without variation selectors, as the server takes them."""

_NEAR = {
    "❤": "♥💙💚💛🧡💜🖤🤍🤎🩷🩵🩶💕💖💗💓💞💝❣🫶",
    "👍": "✅☑✔➕🆗👊✊🤙🙆",
    "👎": "❌✖➖🚫🙅",
    "🤣": "😂😹😆😅",
    "😁": "😀😃😄🙂😊☺😉😺😸",
    "🤩": "⭐🌟✨💫",
    "😢": "😔😞🙁☹😟😥😿🥲😕",
    "😭": "😩😫",
    "😡": "😠👿💢",
    "🤯": "😲😮😯🙀",
    "😨": "😳😰😧😦",
    "🎉": "🎊🥳🎈🎂🪅",
    "🔥": "🚀💥🧨💪",
    "👏": "🙌",
    "🏆": "🥇🏅🎖🥂👑",
    "🤝": "🫱🫲🤲",
    "👀": "👁🧐🔍",
    "🤔": "❓❔💭",
    "🤗": "👋🫂",
    "😴": "💤😪🥱",
    "🤮": "🤢",
    "🤷": "😶🫤",
    "✍": "📝✏",
    "😎": "🕶",
    "⚡": "💡",
}
_NEAREST = {other: taken for taken, others in _NEAR.items() for other in others if other not in TAKEN}
_SHADES = dict.fromkeys([0xFE0E, 0xFE0F, *range(0x1F3FB, 0x1F400)])


def nearest(reaction: str) -> str:
    """The reaction itself where Telegram has it, whatever its shade; else what says the same; else as it is, for the
    server to judge.
    """
    plain = reaction.translate(_SHADES)
    return plain if plain in TAKEN else _NEAREST.get(plain, plain)
