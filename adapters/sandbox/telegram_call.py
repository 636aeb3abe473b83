"""One request to the Bot API, as the server reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from adapters.sandbox.telegram_errors import Refusal, refusal
from adapters.sandbox.world import Member


@dataclass
class Call:
    """One request, its parameters as the server reads them: from the query, a form, multipart or JSON."""

    request: web.Request
    bot: Member
    params: dict[str, Any]

    def of(self, said: dict[str, Any]) -> Call:
        """What is told of one thing among several, read in the same way."""
        return Call(self.request, self.bot, said)

    def text(self, name: str) -> str:
        value = self.params.get(name, "")
        return value if isinstance(value, str) else json.dumps(value)

    def number(self, name: str, default: int) -> int:
        try:
            return int(float(self.text(name) or default))
        except ValueError:
            return default

    def json(self, name: str, default: Any) -> Any:
        value = self.params.get(name, default)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise Refusal(400, f"Bad Request: can't parse {name.replace('_', ' ')} JSON object") from None


async def params(request: web.Request) -> dict[str, Any]:
    found: dict[str, Any] = dict(request.query)
    try:
        if request.content_type == "application/json":
            body = await request.json()
            found.update(body if isinstance(body, dict) else {})
        elif request.can_read_body:
            found.update(await request.post())
    except web.HTTPRequestEntityTooLarge:
        raise refusal("too_large") from None
    except ValueError:
        raise Refusal(400, "Bad Request: can't parse JSON object") from None
    return found


def ok(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})
