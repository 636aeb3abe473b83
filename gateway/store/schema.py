"""The tables. Every row carries its workspace; times are whole microseconds UTC; structs are JSON made by msgspec.

Change them together with a new script in ``migrations/versions`` and :data:`HEAD`; a test proves that a migrated
database and a fresh one are the same.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

HEAD = "0003"
"""The revision that this module describes."""

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
)

SEQ = BigInteger().with_variant(Integer, "sqlite")
MICROS = BigInteger()

OPEN = "state IN ('waiting', 'queued', 'sending', 'uncertain', 'held')"
"""Rows that may still take part in their order. Final ones leave the indexes that the outbox works with."""

version = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True, nullable=False))

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("workspace", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("home", Text, nullable=False),
    Column("order_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", MICROS),
    Column("created_at", MICROS, nullable=False),
    Column("changed_at", MICROS, nullable=False),
    Column("expires_at", MICROS),
    Column("attempts", Integer, nullable=False),
    Column("sent_n", Integer, nullable=False),
    Column("announcement", Text),
    Column("conversation", Text),
    Column("reason", Text, nullable=False),
    Column("draft", LargeBinary, nullable=False),
    Column("parts", LargeBinary),
    Column("sent", Text),
    UniqueConstraint("workspace", "id"),
    UniqueConstraint("workspace", "key"),
    sqlite_autoincrement=True,
)
_d = deliveries.c
Index("ix_deliveries_state", _d.workspace, _d.account, _d.state, _d.seq)


def _partial(name: str, *columns: Column[object], where: str) -> None:
    from sqlalchemy import text

    Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


_partial("ix_deliveries_order", _d.workspace, _d.order_key, _d.state, _d.seq, where=OPEN)
_partial("ix_deliveries_due", _d.workspace, _d.account, _d.due_at, _d.seq, where="state IN ('queued', 'uncertain')")
_partial(
    "ix_deliveries_expires",
    _d.workspace,
    _d.expires_at,
    where="expires_at IS NOT NULL AND state IN ('waiting', 'queued', 'held')",
)
_partial("ix_deliveries_done", _d.workspace, _d.changed_at, where="state IN ('delivered', 'refused', 'expired')")
_partial("ix_deliveries_announcement", _d.workspace, _d.announcement, where="announcement IS NOT NULL")
_partial(
    "ix_deliveries_conversation",
    _d.workspace,
    _d.account,
    _d.conversation,
    _d.seq,
    where="conversation IS NOT NULL AND state = 'delivered'",
)

sent_parts = Table(
    "sent_parts",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("workspace", Text, nullable=False),
    Column("delivery", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("part", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("url", Text),
    Column("at", MICROS, nullable=False),
    ForeignKeyConstraint(["workspace", "delivery"], ["deliveries.workspace", "deliveries.id"], ondelete="CASCADE"),
)
Index("ix_sent_parts_delivery", sent_parts.c.workspace, sent_parts.c.delivery)
Index("ix_sent_parts_at", sent_parts.c.workspace, sent_parts.c.account, sent_parts.c.at)

media = Table(
    "media",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("mime", Text, nullable=False),
    Column("put_at", MICROS, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workspace", "sha256"),
)

media_uses = Table(
    "media_uses",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("delivery", Text, nullable=False),
    PrimaryKeyConstraint("workspace", "sha256", "delivery"),
    ForeignKeyConstraint(["workspace", "delivery"], ["deliveries.workspace", "deliveries.id"], ondelete="CASCADE"),
)
Index("ix_media_uses_delivery", media_uses.c.workspace, media_uses.c.delivery)

events = Table(
    "events",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("workspace", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("ref", Text),
    Column("author_platform", Text),
    Column("author_id", Text),
    Column("at", MICROS, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", MICROS, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("handled_at", MICROS),
    Column("event", LargeBinary, nullable=False),
    UniqueConstraint("workspace", "account", "id"),
    sqlite_autoincrement=True,
)
_e = events.c
Index("ix_events_conversation", _e.workspace, _e.account, _e.conversation, _e.kind, _e.seq)
_partial("ix_events_pending", _e.workspace, _e.seq, where="state = 'pending'")
_partial("ix_events_parked", _e.workspace, _e.seq, where="state = 'parked'")
_partial("ix_events_handled", _e.workspace, _e.handled_at, where="handled_at IS NOT NULL")

cursors = Table(
    "cursors",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("cursor", Text, nullable=False),
    Column("at", MICROS, nullable=False),
    PrimaryKeyConstraint("workspace", "account"),
)

identities = Table(
    "identities",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("workspace", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("handle", Text, nullable=False),
    Column("handle_folded", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("changed_at", MICROS, nullable=False),
    UniqueConstraint("workspace", "platform", "id"),
)
Index("ix_identities_handle", identities.c.workspace, identities.c.platform, identities.c.handle_folded)
Index("ix_identities_person", identities.c.workspace, identities.c.person)

links = Table(
    "links",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("workspace", Text, nullable=False),
    Column("first", SEQ, nullable=False),
    Column("second", SEQ, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("at", MICROS, nullable=False),
    UniqueConstraint("workspace", "first", "second"),
    ForeignKeyConstraint(["first"], ["identities.seq"]),
    ForeignKeyConstraint(["second"], ["identities.seq"]),
)
Index("ix_links_second", links.c.workspace, links.c.second)

conversations = Table(
    "conversations",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("private", Integer, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("at", MICROS, nullable=False),
    PrimaryKeyConstraint("workspace", "account", "platform", "author", "private"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workspace", "account"),
)

standings = Table(
    "standings",
    metadata,
    Column("seq", SEQ, primary_key=True, autoincrement=True),
    Column("workspace", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("since", MICROS, nullable=False),
    Column("evidence", Text, nullable=False),
)
Index("ix_standings_account", standings.c.workspace, standings.c.account, standings.c.seq)

onces = Table(
    "onces",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("at", MICROS, nullable=False),
    PrimaryKeyConstraint("workspace", "key"),
)

members = Table(
    "members",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("until", MICROS, nullable=False),
    PrimaryKeyConstraint("workspace", "id"),
)

leases = Table(
    "leases",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("owner", Text),
    Column("epoch", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace", "name"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("workspace", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("workspace", "account", "name"),
)
