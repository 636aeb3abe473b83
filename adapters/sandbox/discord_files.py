"""Discord's file server: what is attached, under addresses that are signed and end."""

from __future__ import annotations

import hashlib
import hmac
import json
import mimetypes
import secrets
import time
from typing import Any

from aiohttp import web

from adapters.sandbox import discord_bodies as bodies

LIFETIME_S = 86_400.0
GONE = "This content is no longer available."
PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 60
"""What people attach who attach nothing in particular."""


class Files:
    """The bytes by the ids of their attachments, which are snowflakes."""

    def __init__(self, ids: bodies.Snowflakes) -> None:
        self._ids = ids
        self._bytes: dict[str, bytes] = {}
        self._key = secrets.token_bytes(16)

    def keep(self, channel: str, name: str, data: bytes, *, mime: str = "", alt: str = "") -> dict[str, Any]:
        """An attachment object, but for its address."""
        attachment = self._ids.next()
        self._bytes[attachment] = data
        return {
            "id": attachment,
            "filename": name,
            "size": len(data),
            "content_type": mimetypes.guess_type(name)[0] or mime,  # Discord goes by the name, too
            "path": f"/attachments/{channel}/{attachment}/{name}",
        } | ({"description": alt} if alt else {})

    def shown(self, kept: dict[str, Any], server: str) -> dict[str, Any]:
        """The attachment with an address that is good for a day: each payload has a new one (reference: signed
        attachment CDN URLs).
        """
        now = int(time.time())
        dates = f"ex={now + int(LIFETIME_S):x}&is={now:x}"
        url = f"{server}{kept['path']}?{dates}&hm={self._signature(kept['path'], dates)}&"
        return {name: value for name, value in kept.items() if name != "path"} | {"url": url, "proxy_url": url}

    def _signature(self, path: str, dates: str) -> str:
        return hmac.new(self._key, f"{path}?{dates}".encode(), hashlib.sha256).hexdigest()

    def expire(self) -> None:
        """A day goes by: no address that was given is good any more."""
        self._key = secrets.token_bytes(16)

    def forget(self, before: str) -> None:
        """Drop the bytes of attachments with smaller ids."""
        self._bytes = {attachment: data for attachment, data in self._bytes.items() if int(attachment) >= int(before)}

    async def serve(self, request: web.Request) -> web.Response:
        data = self._bytes.get(request.match_info["id"])
        query = request.query
        dates = f"ex={query.get('ex', '')}&is={query.get('is', '')}"
        signed = hmac.compare_digest(query.get("hm", ""), self._signature(request.path, dates))
        if data is None or not signed:
            return web.Response(status=404, text=GONE)
        kind = mimetypes.guess_type(request.match_info["name"])[0] or "application/octet-stream"
        return web.Response(body=data, content_type=kind)


async def read(request: web.Request) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A message's JSON and its files, from either content type."""
    if not request.content_type.startswith("multipart/"):
        payload = await request.json()
        return (payload if isinstance(payload, dict) else {}), []
    form = await request.post()
    payload = json.loads(str(form["payload_json"]))
    described = {str(item.get("id")): item for item in payload.get("attachments", [])}
    files = []
    for key, field in form.items():
        if isinstance(field, web.FileField):
            index = key.removeprefix("files[").removesuffix("]")
            alt = str(described.get(index, {}).get("description") or "")
            files.append({"name": field.filename, "mime": field.content_type, "alt": alt, "data": field.file.read()})
    return payload, files
