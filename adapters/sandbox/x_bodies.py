"""X's refusals, word for word: problem bodies as the API sends them, and the older v1 shape inside them.

Beside each stands where it was seen: a page of docs.x.com, a thread on GitHub, or "reported", by people who use the API
(2026). What says "unsourced" is refused by a written rule, but nobody shows in which words.
"""

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
    """abraham/twitteroauth#1222, tweepy/tweepy#2016."""
    words = "One or more parameters to your request was invalid."
    errors = [{"message": "Your media IDs are invalid.", "parameters": {"media.media_ids": ["?"]}}]
    return problem(400, "Invalid Request", words, "invalid-request", errors=errors)


def invalid(message: str) -> web.Response:
    """The shape is sferik/x-ruby#62's; the messages of single fields are unsourced."""
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
    """How a lookup of something that isn't there looks: 200 with errors and no data (response-codes-and-errors.mdx)."""
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
NO_UPLOAD = "BadRequest: Not found"
"""xdevplatform/xurl#18: of an upload that there is not."""
AUTOMATED = (
    "This request looks like it might be automated. To protect our users from spam and other malicious activity, "
    "we can't complete this action right now."
)

REFUSALS: dict[str, tuple[Any, ...]] = {
    "suspended": (forbidden, SUSPENDED, "user-suspended"),  # akrherz/iembot#156
    "app_suspended": (forbidden, "This app has been suspended.", "app-suspended"),  # reported; the words are unsourced
    "locked": (forbidden, LOCKED),  # reported: a live log
    "revoked": (problem, 401, "Unauthorized", "Unauthorized"),  # reported
    "not_summoned": (forbidden, NOT_SUMMONED),  # reported
    "only_if_mentioned": (  # reported
        forbidden,
        "You can only reply to or quote posts where you are mentioned or are the author.",
    ),
    # reported
    "author_limited": (legacy, 403, 433, "The original Tweet author restricted who can reply to this Tweet."),
    "target_gone": (forbidden, GONE),  # reported
    "duplicate": (forbidden, "You are not allowed to create a Tweet with duplicate content."),  # akrherz/iembot#163
    "too_long": (problem, 400, "Invalid Request", "Your Tweet text is too long.", "invalid-request"),  # reported
    "too_long_403": (forbidden, "Your Tweet text is too long."),  # reported
    "too_long_186": (legacy, 403, 186, "Tweet needs to be a bit shorter."),  # mahrtayyab/tweety#199
    "cashtags": (forbidden, "A post has one cashtag at most."),  # manage-tweets/integrate.mdx; the words are unsourced
    "media_invalid": (media_invalid,),
    "video_too_long": (  # media/quickstart/best-practices.mdx, "Posting errors"
        forbidden,
        "This user is not allowed to post a video longer than 20 minutes.",
    ),
    "quote_refused": (  # reported, its beginning; the rest is unsourced
        forbidden,
        "Quoting this post is not allowed because you have not been mentioned by its author.",
    ),
    "retweeted": (legacy, 403, 327, "You have already retweeted this Tweet."),  # marco97pa/Blackpink-Data#24
    "liked": (legacy, 403, 139, "You have already favorited this status."),  # v1 response codes; v2 is unsourced
    "dm_refused": (forbidden, NO_DIRECT),  # reported
    "dm_not_permitted": (forbidden, "This operation is not permitted."),  # reported
    "write_block": (forbidden, "You are not permitted to perform this action."),  # reported
    "feature_block": (forbidden, "Your account is not permitted to access this feature."),  # reported
    "no_scope": (forbidden, "Forbidden"),  # PLhery/node-twitter-api-v2#434: a token without the scope
    "app_permissions": (forbidden, OAUTH1, "oauth1-permissions"),  # reported
    "client_forbidden": (forbidden, NOT_ENROLLED, "client-forbidden"),  # reported
    "authentication": (  # PLhery/node-twitter-api-v2#340
        problem,
        403,
        "Unsupported Authentication",
        "Authenticating with OAuth 2.0 Application-Only is forbidden for this endpoint.",
        "unsupported-authentication",
    ),
    "credits": (problem, 402, "CreditsDepleted", CREDITS, "credits"),  # reported
    "credits_new": (  # reported
        problem,
        402,
        "Payment Required",
        "credits depleted",
        "https://api.x.com/2/problems/credits-depleted",
    ),
    "spend_cap": (problem, 403, "SpendCapReached", SPEND_CAP, "credits"),  # reported; the status is unsourced
    "usage_capped": (  # response-codes-and-errors.mdx; the words are unsourced
        problem,
        429,
        "UsageCapExceeded",
        "Usage cap exceeded: Monthly product cap",
        "usage-capped",
    ),
    "unlisted": (problem, 418, "Teapot", "Something no table knows."),  # made up, so that none does
    # The older shape: v1 codes, reported.
    "v1_suspended": (legacy, 403, 64, "Your account is suspended and is not permitted to access this feature."),
    "v1_locked": (
        legacy,
        403,
        326,
        "To protect our users from spam and other malicious activity, this account is temporarily locked.",
    ),
    "v1_token": (legacy, 401, 89, "Invalid or expired token."),
    "v1_auth": (legacy, 401, 32, "Could not authenticate you."),
    "v1_rate": (legacy, 429, 88, "Rate limit exceeded"),  # also rate-limits.mdx
    "v1_duplicate": (legacy, 403, 187, "Status is a duplicate."),
    "v1_target_gone": (legacy, 403, 385, GONE),  # IBBoard/cawbird#8
    "v1_automation": (legacy, 403, 226, AUTOMATED),
}


def refusal(code: str) -> web.Response:
    """A fresh answer for one of :data:`REFUSALS`; ``html_403`` is the edge's own page."""
    if code == "html_403":
        return web.Response(status=403, content_type="text/html", text="<html><title>Access denied</title></html>")
    make, *words = REFUSALS[code]
    response: web.Response = make(*words)
    return response
