"""The refusals of a Mastodon instance, word for word."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web

from adapters.sandbox.face import html_error
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.mastodon_entities import TEXT_MAX, rate_headers

LOCKS: dict[str | None, str] = {
    None: "Your login is currently pending approval",
    "pending": "Your login is currently pending approval",
    "unconfirmed": "Your login is missing a confirmed e-mail address",
    "two_factor": "Your account requires two-factor authentication",
}
REFUSALS = {
    "scope": (403, "This action is outside the authorized scopes"),
    "not_allowed": (403, "This action is not allowed"),
    "localised": (403, "Diese Aktion ist nicht erlaubt"),
    "invalid_token": (401, "The access token is invalid"),
    "no_user": (401, "This method requires an authenticated user"),
    "gone": (404, "Record not found"),
    "in_reply_not_found": (404, "The post you are trying to reply to does not appear to exist."),
    "quoted_status_not_found": (404, "The post you are trying to quote does not appear to exist."),
    "moved": (410, "Gone"),
    "file_size": (413, "Request entity too large"),
    "too_long": (422, f"Validation failed: Text character limit of {TEXT_MAX} exceeded"),
    "blank": (422, "Validation failed: Text can't be blank"),
    "quoted_not_mentioned": (
        422,
        "Validation failed: Cannot quote a non-mentioned user in a Private Mention post.",
    ),
    "file_type": (422, "Validation failed: File content type is invalid, File is invalid"),
    "file_unverified": (422, "File type of uploaded media could not be verified"),
    "file_unprocessed": (500, "Error processing thumbnail for uploaded media"),
    "media_pending": (422, "Cannot attach files that have not finished processing. Try again in a moment!"),
    "too_many_files": (422, "Cannot attach more than 4 files"),
    "invalid_german": (422, "Gültigkeitsprüfung ist fehlgeschlagen"),
    "race": (503, "There was a temporary problem serving your request, please try again"),
}

CODES: dict[Trouble, Collection[str]] = {
    Trouble.LOCK: tuple(code for code in LOCKS if code),
    Trouble.REFUSE: REFUSALS,
}


def body(trouble: Trouble, rule: Rule) -> web.Response:
    """The real answer for a trouble; REFUSE and LOCK by ``rule.code``."""
    if trouble is Trouble.SUSPEND:
        return _refusal(403, "Your login is currently disabled")
    if trouble is Trouble.LOCK:
        return _refusal(403, LOCKS[rule.code])
    if trouble is Trouble.REVOKE:
        return _refusal(401, "The access token was revoked")
    if trouble is Trouble.RATE_LIMIT:
        told = rule.retry_after_s is not None
        return _refusal(429, "Too many requests", rate_headers(0, rule.retry_after_s or 0) if told else None)
    if trouble is Trouble.REFUSE:
        return refused_for(rule.code or "localised")
    return refused_for("race") if rule.status in (None, 503) else html_error(rule.status or 500)


def refused_for(code: str) -> web.Response:
    """A refusal by its code, or a 422 in these words."""
    return _refusal(*REFUSALS.get(code, (422, code)))


def missing() -> web.Response:
    return refused_for("gone")


def _refusal(status: int, words: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": words}, status=status, headers=headers)
