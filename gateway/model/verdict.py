"""What a policy decides. Each verdict carries a reason code that people can read."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from gateway.model.content import Document
from gateway.model.delivery import Target
from gateway.model.ids import AccountId, MessageRef


class Allow(Struct, frozen=True, tag="allow"):
    reason: str = "allowed"


class Rewrite(Struct, frozen=True, tag="rewrite"):
    """Goes on with other words."""

    document: Document
    reason: str


class Delay(Struct, frozen=True, tag="delay"):
    until: datetime
    reason: str


class Divert(Struct, frozen=True, tag="divert"):
    """Takes another road. ``preface`` is said once, before the text."""

    account: AccountId
    target: Target
    reason: str
    preface: str = ""
    in_reply_to: MessageRef | None = None


class Hold(Struct, frozen=True, tag="hold"):
    """Waits for the account to come back, until ``expires_at`` where there is one."""

    reason: str
    expires_at: datetime | None = None


class Refuse(Struct, frozen=True, tag="refuse"):
    reason: str


Verdict = Allow | Rewrite | Delay | Divert | Hold | Refuse
