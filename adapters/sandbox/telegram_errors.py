"""What the Bot API answers when it says no: real statuses and words, as the server writes them.

Sources: live = what api.telegram.org answered to the tests of atahanyorganci/effect-telegram-api; tba, td = the
servers' source (tdlib), at the places that KnightNiwrem/tg-bot-api-emulator names, or in telegram-bot-api@01a3679 and
td@022d602; reported = what people who run bots were told.
"""

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
UNENDED = "Can't find end of the entity starting at byte offset 0"
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"  # tba

REFUSALS: dict[str, tuple[int, str]] = {
    "unauthorized": (401, "Unauthorized"),  # live: any method
    "invalid_token": (401, "Unauthorized: invalid token specified"),  # tba: Client.cpp:16277
    "not_found": (404, "Not Found"),  # tba: Client.cpp:16277, a malformed token
    "logged_out": (400, "Logged out"),  # tba: Client.cpp:16277
    "frozen": (400, "Bad Request: FROZEN_METHOD_INVALID"),  # tba: Client.cpp:181
    "blocked": (403, "Forbidden: bot was blocked by the user"),  # tba: USER_IS_BLOCKED
    "deactivated": (403, "Forbidden: user is deactivated"),  # tba: INPUT_USER_DEACTIVATED
    "not_started": (403, "Forbidden: bot can't initiate conversation with a user"),  # td: MessagesManager.cpp
    "to_bot": (403, "Forbidden: the bot can't send messages to the bot"),  # seen by many who sent to a bot's own id
    "kicked": (403, "Forbidden: bot was kicked from the supergroup chat"),  # tba: Client.cpp:8158
    "not_member": (403, "Forbidden: bot is not a member of the supergroup chat"),  # tba: Client.cpp:8158
    "group_deleted": (403, "Forbidden: the group chat was deleted"),  # tba: Client.cpp:8158
    "forbidden": (403, "Forbidden: something new"),  # made up: what nobody has seen yet
    "no_write_access": (400, "Bad Request: have no write access to the chat"),  # td
    "no_rights": (400, "Bad Request: not enough rights to send text messages to the chat"),  # td
    "chat_gone": (400, "Bad Request: chat not found"),  # live: sendMessage
    "reply_gone": (400, "Bad Request: message to be replied not found"),  # live: sendMessage
    "thread_gone": (400, "Bad Request: message thread not found"),  # live: sendMessage
    "migrated": (400, "Bad Request: group chat was upgraded to a supergroup chat"),  # reported
    "too_long": (400, "Bad Request: message is too long"),  # live: sendMessage
    "caption_too_long": (400, "Bad Request: message caption is too long"),  # td
    "blank": (400, "Bad Request: text must be non-empty"),  # live: sendMessage
    "user_gone": (400, "Bad Request: user not found"),  # live: sendMessage, a text_mention
    "empty": (400, "Bad Request: message text is empty"),  # live: sendMessage
    "bad_markup": (400, f"Bad Request: can't parse entities: {UNENDED}"),  # live: sendMessage
    "not_modified": (400, NOT_MODIFIED),  # tba: MESSAGE_NOT_MODIFIED
    "edit_gone": (400, "Bad Request: message to edit not found"),  # live: editMessageText
    "cant_edit": (400, "Bad Request: message can't be edited"),  # td can_edit_message
    "no_text": (400, "Bad Request: there is no text in the message to edit"),  # td
    "no_caption": (400, "Bad Request: there is no caption in the message to edit"),  # td
    "cant_edit_media": (400, "Bad Request: message media can't be edited"),  # td can_edit_message_media
    "delete_gone": (400, "Bad Request: message to delete not found"),  # live: deleteMessage
    "cant_delete": (400, "Bad Request: message can't be deleted"),  # tba: MESSAGE_DELETE_FORBIDDEN
    "cant_delete_for_everyone": (400, "Bad Request: message can't be deleted for everyone"),  # seen by many: > 48 hours
    "react_gone": (400, "Bad Request: message to react not found"),  # live: setMessageReaction
    "bad_reaction": (400, "Bad Request: REACTION_INVALID"),  # core.telegram.org/method/messages.sendReaction
    "too_many_reactions": (400, "Bad Request: REACTIONS_TOO_MANY"),  # the same
    "bad_file_id": (400, "Bad Request: invalid file_id"),  # live: getFile
    "wrong_file": (400, "Bad Request: wrong file identifier/HTTP URL specified"),  # reported
    "url_failed": (400, "Bad Request: failed to get HTTP URL content"),  # tba: WEBPAGE_CURL_FAILED
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
