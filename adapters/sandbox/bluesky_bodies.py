"""Answers as Bluesky's servers write them. For adapters/sandbox/bluesky.py."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from aiohttp import web

from adapters.sandbox.faults import Rule
from adapters.sandbox.world import Member

WRITES, READS = (5000, 3600), (3000, 300)

REFUSALS: dict[str, tuple[int, str, str]] = {
    "InternalServerError": (500, "InternalServerError", "Internal Server Error"),
    "MethodNotImplemented": (501, "MethodNotImplemented", "Method Not Implemented"),
    "UpstreamFailure": (502, "UpstreamFailure", "Upstream service unreachable"),
    "NotEnoughResources": (503, "NotEnoughResources", "Not Enough Resources"),
    "UpstreamTimeout": (504, "UpstreamTimeout", "Upstream timeout"),
    "TokenExpired": (400, "ExpiredToken", "Token has expired"),
    "TokenRevoked": (400, "ExpiredToken", "Token has been revoked"),
    "InvalidToken": (400, "InvalidToken", "Token could not be verified"),
    "BadTokenMethod": (400, "InvalidToken", "Bad token method"),
    "BadTokenScope": (400, "InvalidToken", "Bad token scope"),
    "AuthMissing": (401, "AuthMissing", "Authentication Required"),
    "AuthenticationRequired": (401, "AuthenticationRequired", "Invalid identifier or password"),
    "AuthFactorTokenRequired": (401, "AuthFactorTokenRequired", "A sign in code has been sent to your email address"),
    "AccountTakedown": (401, "AccountTakedown", "Account has been taken down"),
    "AccountDeactivated": (401, "AccountDeactivated", "Account is deactivated"),
    "AccountNotFound": (403, "AccountNotFound", "Account not found"),
    "InvalidRequest": (400, "InvalidRequest", 'Invalid app.bsky.feed.post record: Missing required key "text"'),
    "InvalidSwap": (400, "InvalidSwap", "Record was at bafyreiag65rebr5yxevsmwkbzc6ut6ifkgnu4k3le6h6hvvge7l5aymtwm"),
    "InvalidMimeType": (400, "InvalidMimeType", "Referenced Mimetype does not match stored blob."),
    "InvalidSize": (400, "InvalidSize", "Referenced Size does not match stored blob."),
    "PayloadTooLarge": (413, "PayloadTooLarge", "request entity too large"),
    "RecipientFollowsOnly": (
        400,
        "InvalidRequest",
        "recipient requires incoming messages to come from someone they follow",
    ),
    "RecipientDisabled": (400, "InvalidRequest", "recipient has disabled incoming messages"),
    "ConvoLocked": (400, "ConvoLocked", "Convo is locked"),
    "InvalidConvo": (400, "InvalidConvo", "Convo not found"),
    "BlockedActor": (400, "BlockedActor", "Requester has blocked actor"),
    "BlockedByActor": (400, "BlockedByActor", "Requester is blocked by actor"),
    "MessagesDisabled": (400, "MessagesDisabled", "recipient has disabled incoming messages"),
}


def error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": code, "message": message}, status=status)


def refusal(code: str) -> web.Response:
    return error(*REFUSALS[code])


def answer(body: dict[str, Any], policy: tuple[int, int] | None = None) -> web.Response:
    """200 with its rate window's headers, which are always generous."""
    response = web.json_response(body)
    if policy:
        n, window_s = policy
        response.headers.update(_window(n, n - 2, time.time() + window_s, window_s))
    return response


def too_many(rule: Rule) -> web.Response:
    """429; ``retry_after_s`` None leaves the headers out."""
    response = error(429, "RateLimitExceeded", "Rate Limit Exceeded")
    if rule.retry_after_s is not None:
        response.headers.update(_window(WRITES[0], 0, time.time() + rule.retry_after_s, WRITES[1]))
        response.headers["Retry-After"] = str(-int(-rule.retry_after_s // 1))
    return response


def _window(limit: int, remaining: int, reset_unix_s: float, window_s: int) -> dict[str, str]:
    return {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(remaining),
        "RateLimit-Reset": str(int(reset_unix_s)),
        "RateLimit-Policy": f"{limit};w={window_s}",
    }


def stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sort_at(record: dict[str, Any], now: datetime) -> str:
    """Where the index puts a record, and shows as ``indexedAt``: the earlier of what the record says and when it came
    (atproto bsky data-plane server/indexing/plugins/post.ts, routes/notifs.ts).
    """
    try:
        return stamp(min(datetime.fromisoformat(record["createdAt"]), now))
    except (KeyError, TypeError, ValueError):
        return stamp(now)


def wire_handle(member: Member) -> str:
    return member.handle if "." in member.handle else f"{member.handle}.test"


def profile(member: Member) -> dict[str, Any]:
    return {"did": member.id, "handle": wire_handle(member), "displayName": member.name, "labels": []}
