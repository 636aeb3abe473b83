"""What the Bot API answers when it says no: real statuses and words, as the server writes them."""

from __future__ import annotations

import math
from typing import Any

from aiohttp import web


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error of the sandbox
    """An answer with ``ok: false``."""

    def __init__(self, status: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters or {}

    def response(self) -> web.Response:
        body: dict[str, Any] = {"ok": False, "error_code": self.status, "description": self.description}
        headers = {}
        if self.parameters:
            body["parameters"] = self.parameters
        if "retry_after" in self.parameters:
            headers["Retry-After"] = str(self.parameters["retry_after"])
        return web.json_response(body, status=self.status, headers=headers)


NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same"
    " as a current content and reply markup of the message"
)
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"  # tba

REFUSALS: dict[str, tuple[int, str]] = {
    "unauthorized": (401, "Unauthorized"),
    "invalid_token": (401, "Unauthorized: invalid token specified"),
    "not_found": (404, "Not Found"),
    "logged_out": (400, "Logged out"),
    "frozen": (400, "Bad Request: FROZEN_METHOD_INVALID"),
    "blocked": (403, "Forbidden: bot was blocked by the user"),
    "deactivated": (403, "Forbidden: user is deactivated"),
    "not_started": (403, "Forbidden: bot can't initiate conversation with a user"),
    "to_bot": (403, "Forbidden: bot can't send messages to the bot"),
    "kicked": (403, "Forbidden: bot was kicked from the supergroup chat"),
    "not_member": (403, "Forbidden: bot is not a member of the supergroup chat"),
    "group_deleted": (403, "Forbidden: the group chat was deleted"),
    "forbidden": (403, "Forbidden: something new"),
    "no_write_access": (400, "Bad Request: have no write access to the chat"),
    "no_rights": (400, "Bad Request: not enough rights to send text messages to the chat"),
    "chat_gone": (400, "Bad Request: chat not found"),
    "reply_gone": (400, "Bad Request: message to be replied not found"),
    "thread_gone": (400, "Bad Request: message thread not found"),
    "migrated": (400, "Bad Request: group chat was upgraded to a supergroup chat"),
    "too_long": (400, "Bad Request: message is too long"),
    "caption_too_long": (400, "Bad Request: message caption is too long"),
    "empty": (400, "Bad Request: message text is empty"),
    "bad_markup": (400, "Bad Request: can't parse entities: Can't find end of the entity starting at byte offset 0"),
    "not_modified": (400, NOT_MODIFIED),
    "edit_gone": (400, "Bad Request: message to edit not found"),
    "cant_edit": (400, "Bad Request: message can't be edited"),
    "no_text": (400, "Bad Request: there is no text in the message to edit"),
    "no_caption": (400, "Bad Request: there is no caption in the message to edit"),
    "delete_gone": (400, "Bad Request: message to delete not found"),
    "cant_delete": (400, "Bad Request: message can't be deleted"),
    "cant_delete_for_everyone": (400, "Bad Request: message can't be deleted for everyone"),
    "react_gone": (400, "Bad Request: message to react not found"),
    "bad_reaction": (400, "Bad Request: REACTION_INVALID"),
    "wrong_file": (400, "Bad Request: wrong file identifier/HTTP URL specified"),
    "url_failed": (400, "Bad Request: failed to get HTTP URL content"),
    "too_large": (413, "Request Entity Too Large"),
    "conflict": (409, CONFLICT),
    "webhook": (
        409,
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
    ),
}


def refusal(code: str, **parameters: Any) -> Refusal:
    """One of the table's rows."""
    status, description = REFUSALS[code]
    return Refusal(status, description, parameters)


def too_many(retry_after_s: float | None) -> Refusal:
    """Flood control: whole seconds, at least one."""
    if retry_after_s is None:
        return Refusal(429, "Too Many Requests")
    seconds = max(1, math.ceil(retry_after_s))
    return Refusal(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})
