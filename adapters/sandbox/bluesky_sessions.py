"""A Bluesky server's tokens: JWTs that end, refresh tokens that rotate. For adapters/sandbox/bluesky.py."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.world import Member


class TokenError(Exception):
    """``status`` 400 or 401 with an error and a message."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message


@dataclass
class _Grant:
    member: Member
    exp_unix_s: float
    next: dict[str, str] | None = None
    """What a refresh token was exchanged for: within the grace period it gives the same again."""
    revoked: bool = False


class Sessions:
    def __init__(self) -> None:
        self.access_s = 7200.0
        self._key = secrets.token_bytes(16)
        self._access: dict[str, _Grant] = {}
        self._refresh: dict[str, _Grant] = {}

    def open(self, member: Member) -> dict[str, str]:
        """A pair of tokens."""
        now = time.time()
        access = self._jwt("at+jwt", "com.atproto.access", member, now, self.access_s)
        refresh = self._jwt("refresh+jwt", "com.atproto.refresh", member, now, 7_776_000)
        self._access[access] = _Grant(member, now + self.access_s)
        self._refresh[refresh] = _Grant(member, now + 7_776_000)
        return {"accessJwt": access, "refreshJwt": refresh}

    def rotate(self, token: str) -> dict[str, str]:
        grant = self._refresh[token]
        if grant.next is None:
            grant.next = self.open(grant.member)
        return grant.next

    def who(self, authorization: str, *, refresh: bool = False) -> Member:
        """The member of a bearer token; TokenError when it isn't good."""
        scheme, _, token = authorization.partition(" ")
        if scheme != "Bearer" or not token:
            raise TokenError(401, "AuthMissing", "Authentication Required")
        grant = (self._refresh if refresh else self._access).get(token)
        if grant is None:
            raise TokenError(400, "InvalidToken", "Token could not be verified")
        if grant.revoked:
            raise TokenError(400, "ExpiredToken", "Token has been revoked")
        if grant.exp_unix_s <= time.time():
            raise TokenError(400, "ExpiredToken", "Token has expired")
        return grant.member

    def expire(self, member: Member) -> None:
        """The access tokens end now; refresh tokens stay good."""
        for grant in self._access.values():
            if grant.member is member:
                grant.exp_unix_s = 0.0

    def revoke(self, member: Member) -> None:
        """As after a take-down: the refresh tokens are gone, access tokens last out."""
        for grant in self._refresh.values():
            if grant.member is member:
                grant.revoked = True

    def _jwt(self, kind: str, scope: str, member: Member, now: float, lifetime_s: float) -> str:
        claims: dict[str, Any] = {"scope": scope, "aud": "did:web:sandbox", "sub": member.id}
        claims |= {"jti": secrets.token_urlsafe(8), "iat": int(now), "exp": int(now + lifetime_s)}
        signed = f"{_b64({'typ': kind, 'alg': 'HS256'})}.{_b64(claims)}"
        digest = hmac.new(self._key, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{urlsafe_b64encode(digest).decode().rstrip('=')}"


def _b64(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
