"""X's refusals, word for word: problem bodies as the API sends them, and the older v1 shape inside them."""

from __future__ import annotations

import math
import time
from typing import Any

from aiohttp import web

PROBLEMS = "https://api.twitter.com/2/problems/"


def problem(status: int, title: str, detail: str, kind: str = "about:blank", **more: Any) -> web.Response:
    """An RFC 7807 answer. ``kind`` is a bare suffix or a whole address."""
    address = kind if ":" in kind else PROBLEMS + kind
    body = {"title": title, "detail": detail, "type": address, "status": status, **more}
    return web.json_response(body, status=status, content_type="application/problem+json")


def legacy(status: int, code: int, message: str) -> web.Response:
    """The v1 shape, which some layers of the API still answer with."""
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)


def forbidden(detail: str, kind: str = "about:blank", **more: Any) -> web.Response:
    return problem(403, "Forbidden", detail, kind, **more)


def media_invalid() -> web.Response:
    words = "One or more parameters to your request was invalid."
    errors = [{"message": "Your media IDs are invalid.", "parameters": {"media.media_ids": ["?"]}}]
    return problem(400, "Invalid Request", words, "invalid-request", errors=errors)


def invalid(message: str) -> web.Response:
    words = "One or more parameters to your request was invalid."
    return problem(400, "Invalid Request", words, "invalid-request", errors=[{"message": message}])


def rate_limited(retry_after_s: float | None, extra: dict[str, str]) -> web.Response:
    """429; ``None`` leaves the headers out, as X does at times. ``extra`` headers come on top."""
    response = problem(429, "Too Many Requests", "Too Many Requests")
    if retry_after_s is not None:
        reset = math.ceil(time.time() + retry_after_s)
        response.headers.update(
            {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0", "x-rate-limit-reset": str(reset)}
        )
    response.headers.update(extra)
    return response


def not_found(what: str, value: str) -> web.Response:
    """How a lookup of something that isn't there looks: 200 with errors and no data."""
    error = {
        "value": value,
        "detail": f"Could not find {what} with id: [{value}].",
        "title": "Not Found Error",
        "resource_type": what,
        "parameter": "id",
        "resource_id": value,
        "type": PROBLEMS + "resource-not-found",
    }
    return web.json_response({"errors": [error]})


NOT_SUMMONED = (
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged "
    "by the author of the post you are replying to."
)
GONE = "You attempted to reply to a Tweet that is deleted or not visible to you."
NO_DIRECT = "You do not have permission to DM one or more participants."
SUSPENDED = "The user used for authentication is suspended"
LOCKED = "Your account is temporarily locked. Please log in to https://x.com to unlock your account."
OAUTH1 = (
    "Your client app is not configured with the appropriate oauth1 app permissions for this endpoint. "
    "Please go to your app settings."
)
NOT_ENROLLED = (
    "When authenticating requests to the X API v2 endpoints, you must use keys and tokens from a developer App "
    "that is attached to a Project."
)
CREDITS = "Your enrolled account [17] does not have any credits to fulfill this request."
SPEND_CAP = "Your enrolled account [17] has reached its billing cycle spend cap."
AUTOMATED = (
    "This request looks like it might be automated. To protect our users from spam and other malicious activity, "
    "we can't complete this action right now."
)

REFUSALS: dict[str, tuple[Any, ...]] = {
    "suspended": (forbidden, SUSPENDED, "user-suspended"),
    "app_suspended": (forbidden, "This app has been suspended.", "app-suspended"),
    "locked": (forbidden, LOCKED),
    "revoked": (problem, 401, "Unauthorized", "Unauthorized"),
    "not_summoned": (forbidden, NOT_SUMMONED),
    "only_if_mentioned": (forbidden, "You can only reply to or quote posts where you are mentioned or are the author."),
    "author_limited": (legacy, 403, 433, "The original Tweet author restricted who can reply to this Tweet."),
    "target_gone": (forbidden, GONE),
    "duplicate": (forbidden, "You are not allowed to create a Tweet with duplicate content."),
    "too_long": (problem, 400, "Invalid Request", "Your Tweet text is too long.", "invalid-request"),
    "too_long_403": (forbidden, "Your Tweet text is too long."),
    "media_invalid": (media_invalid,),
    "video_too_long": (forbidden, "You are not allowed to post a video longer than 2 minutes."),
    "quote_refused": (forbidden, "Quoting this post is not allowed because you have not been mentioned by its author."),
    "retweeted": (forbidden, "You cannot retweet a Tweet that you have already retweeted."),
    "dm_refused": (forbidden, NO_DIRECT),
    "dm_not_permitted": (forbidden, "This operation is not permitted."),
    "write_block": (forbidden, "You are not permitted to perform this action."),
    "feature_block": (forbidden, "Your account is not permitted to access this feature."),
    "app_permissions": (forbidden, OAUTH1, "oauth1-permissions"),
    "client_forbidden": (forbidden, NOT_ENROLLED, "client-forbidden"),
    "credits": (problem, 402, "CreditsDepleted", CREDITS, "credits"),
    "credits_new": (
        problem,
        402,
        "Payment Required",
        "credits depleted",
        "https://api.x.com/2/problems/credits-depleted",
    ),
    "spend_cap": (problem, 403, "SpendCapReached", SPEND_CAP, "credits"),
    "usage_capped": (problem, 429, "UsageCapExceeded", "Usage cap exceeded: Monthly product cap", "usage-capped"),
    "unlisted": (problem, 418, "Teapot", "Something no table knows."),
    "v1_suspended": (legacy, 403, 64, "Your account is suspended and is not permitted to access this feature."),
    "v1_locked": (
        legacy,
        403,
        326,
        "To protect our users from spam and other malicious activity, this account is temporarily locked.",
    ),
    "v1_token": (legacy, 401, 89, "Invalid or expired token."),
    "v1_auth": (legacy, 401, 32, "Could not authenticate you."),
    "v1_rate": (legacy, 429, 88, "Rate limit exceeded"),
    "v1_duplicate": (legacy, 403, 187, "Status is a duplicate."),
    "v1_target_gone": (legacy, 403, 385, GONE),
    "v1_automation": (
        legacy,
        403,
        226,
        AUTOMATED,
    ),
}


def refusal(code: str) -> web.Response:
    """A fresh answer for one of :data:`REFUSALS`; ``html_403`` is the edge's own page."""
    if code == "html_403":
        return web.Response(status=403, content_type="text/html", text="<html><title>Access denied</title></html>")
    make, *words = REFUSALS[code]
    response: web.Response = make(*words)
    return response
