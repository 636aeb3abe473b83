"""Opaque names. Each is a string on the wire and in the database, a type of its own in the code."""

from __future__ import annotations

from typing import NewType

WorkspaceId = NewType("WorkspaceId", str)
AccountId = NewType("AccountId", str)
"""``platform/name``, as the operator writes it in the configuration."""
ConversationId = NewType("ConversationId", str)
"""Opaque outside the adapter that made it; unique within one account."""
MessageRef = NewType("MessageRef", str)
"""Names one sent or received message; opaque outside the adapter that made it."""
PersonId = NewType("PersonId", str)
DraftId = NewType("DraftId", str)
DeliveryId = NewType("DeliveryId", str)
AnnouncementId = NewType("AnnouncementId", str)

DEFAULT_WORKSPACE = WorkspaceId("default")


def platform_of(account: AccountId) -> str:
    """The part of an account's id before the slash."""
    return account.partition("/")[0]
