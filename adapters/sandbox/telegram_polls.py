"""Polls at the Bot API.

Limits and words: td create_input_message_content and PollOption, at the places that KnightNiwrem/tg-bot-api-emulator
names (docs/features/polls.md); "at least one answer option" was seen live (atahanyorganci/effect-telegram-api).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from adapters.sandbox.telegram_errors import Refusal

if TYPE_CHECKING:
    from adapters.sandbox.telegram_call import Call

QUESTION_MAX = 300
OPTIONS_MAX = 12
OPTION_MAX = 100
OPEN_MIN_S = 5
OPEN_MAX_S = 2_628_000
"""PTB PollLimit. Unsourced: what the server says outside of these. The words are ours."""
_ids = itertools.count(5_000_000_000_000_000_001)


def asked(call: Call) -> dict[str, Any]:
    """The poll that a request makes, as a message shows it."""
    question = call.text("question").strip()
    options = [_option(option) for option in call.json("options", []) or []]
    _check(question, options)
    period = call.number("open_period", 0)
    if period and not OPEN_MIN_S <= period <= OPEN_MAX_S:
        raise Refusal(400, "Bad Request: invalid open_period specified")
    return {
        "id": str(next(_ids)),
        "question": question,
        "options": [{"text": option, "voter_count": 0} for option in options],
        "total_voter_count": 0,
        "is_closed": False,
        "is_anonymous": call.text("is_anonymous").casefold() != "false",
        "type": "regular",
        "allows_multiple_answers": call.text("allows_multiple_answers").casefold() == "true",
        **({"open_period": period} if period else {}),
    }


def _option(option: Any) -> str:
    text = option.get("text") if isinstance(option, dict) else option
    if not isinstance(text, str):
        raise Refusal(400, "Bad Request: can't parse InputPollOption: Expected InputPollOption to be an Object")
    return text.strip()


def _check(question: str, options: list[str]) -> None:
    if not question or not all(options):
        raise Refusal(400, "Bad Request: text must be non-empty")
    if len(question) > QUESTION_MAX:
        raise Refusal(400, f"Bad Request: poll question length must not exceed {QUESTION_MAX}")
    if not options:
        raise Refusal(400, "Bad Request: poll must have at least one answer option")
    if len(options) > OPTIONS_MAX:
        raise Refusal(400, f"Bad Request: poll can't have more than {OPTIONS_MAX} options")
    if max(map(len, options)) > OPTION_MAX:
        raise Refusal(400, f"Bad Request: poll options length must not exceed {OPTION_MAX}")
