"""The first schema.

A database that doesn't exist yet is made from gateway/store/schema.py instead; this script is where the chain begins.
What is written here stays as it is, whatever becomes of the schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _outbox()
    _outbox_indexes()
    _media()
    _inbox()
    _people()
    _accounts()


def _outbox() -> None:
    op.create_table(
        "deliveries",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
        *_texts("workspace id key account home order_key state"),
        sa.Column("due_at", sa.BigInteger()),
        *_whens("created_at changed_at"),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_n", sa.Integer(), nullable=False),
        sa.Column("announcement", sa.Text()),
        sa.Column("conversation", sa.Text()),
        *_texts("reason"),
        sa.Column("draft", sa.LargeBinary(), nullable=False),
        sa.Column("parts", sa.LargeBinary()),
        sa.Column("sent", sa.Text()),
        sa.UniqueConstraint("workspace", "id", name="uq_deliveries_workspace_id"),
        sa.UniqueConstraint("workspace", "key", name="uq_deliveries_workspace_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sent_parts",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
        *_texts("workspace delivery account"),
        sa.Column("part", sa.Integer(), nullable=False),
        *_texts("kind conversation ref"),
        sa.Column("url", sa.Text()),
        *_whens("at"),
        _of_delivery(),
    )


def _outbox_indexes() -> None:
    _index("ix_deliveries_state", "deliveries", "workspace account state seq")
    open_ = "state IN ('waiting', 'queued', 'sending', 'uncertain', 'held')"
    _index("ix_deliveries_order", "deliveries", "workspace order_key state seq", open_)
    _index("ix_deliveries_due", "deliveries", "workspace account due_at seq", "state IN ('queued', 'uncertain')")
    unsent = "expires_at IS NOT NULL AND state IN ('waiting', 'queued', 'held')"
    _index("ix_deliveries_expires", "deliveries", "workspace expires_at", unsent)
    final = "state IN ('delivered', 'refused', 'expired')"
    _index("ix_deliveries_done", "deliveries", "workspace changed_at", final)
    _index("ix_deliveries_announcement", "deliveries", "workspace announcement", "announcement IS NOT NULL")
    said = "conversation IS NOT NULL AND state = 'delivered'"
    _index("ix_deliveries_conversation", "deliveries", "workspace account conversation seq", said)
    _index("ix_sent_parts_delivery", "sent_parts", "workspace delivery")
    _index("ix_sent_parts_at", "sent_parts", "workspace account at")


def _media() -> None:
    op.create_table(
        "media",
        *_texts("workspace sha256 mime"),
        *_whens("put_at"),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "sha256"),
    )
    op.create_table(
        "media_uses",
        *_texts("workspace sha256 delivery"),
        sa.PrimaryKeyConstraint("workspace", "sha256", "delivery"),
        _of_delivery(),
    )
    _index("ix_media_uses_delivery", "media_uses", "workspace delivery")


def _inbox() -> None:
    op.create_table(
        "events",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
        *_texts("workspace account id kind conversation"),
        sa.Column("ref", sa.Text()),
        sa.Column("author_platform", sa.Text()),
        sa.Column("author_id", sa.Text()),
        *_whens("at"),
        *_texts("state"),
        *_whens("due_at"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *_texts("error"),
        sa.Column("handled_at", sa.BigInteger()),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        sa.UniqueConstraint("workspace", "account", "id", name="uq_events_workspace_account_id"),
        sqlite_autoincrement=True,
    )
    _index("ix_events_conversation", "events", "workspace account conversation kind seq")
    _index("ix_events_pending", "events", "workspace seq", "state = 'pending'")
    _index("ix_events_handled", "events", "workspace handled_at", "handled_at IS NOT NULL")
    op.create_table(
        "cursors",
        *_texts("workspace account cursor"),
        *_whens("at"),
        sa.PrimaryKeyConstraint("workspace", "account"),
    )
    op.create_table(
        "conversations",
        *_texts("workspace account platform author"),
        sa.Column("private", sa.Integer(), nullable=False),
        *_texts("conversation ref"),
        *_whens("at"),
        sa.PrimaryKeyConstraint("workspace", "account", "platform", "author", "private"),
    )


def _people() -> None:
    op.create_table(
        "identities",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
        *_texts("workspace platform id handle handle_folded name person"),
        *_whens("changed_at"),
        sa.UniqueConstraint("workspace", "platform", "id", name="uq_identities_workspace_platform_id"),
    )
    _index("ix_identities_handle", "identities", "workspace platform handle_folded")
    _index("ix_identities_person", "identities", "workspace person")
    op.create_table(
        "links",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
        *_texts("workspace"),
        sa.Column("first", SEQ, nullable=False),
        sa.Column("second", SEQ, nullable=False),
        *_texts("evidence"),
        *_whens("at"),
        sa.UniqueConstraint("workspace", "first", "second", name="uq_links_workspace_first_second"),
        sa.ForeignKeyConstraint(["first"], ["identities.seq"]),
        sa.ForeignKeyConstraint(["second"], ["identities.seq"]),
    )
    _index("ix_links_second", "links", "workspace second")


def _accounts() -> None:
    op.create_table(
        "accounts",
        *_texts("workspace account standing"),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "account"),
    )
    op.create_table(
        "standings",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=True),
        *_texts("workspace account standing"),
        *_whens("since"),
        *_texts("evidence"),
    )
    _index("ix_standings_account", "standings", "workspace account seq")
    op.create_table(
        "onces",
        *_texts("workspace key"),
        *_whens("at"),
        sa.PrimaryKeyConstraint("workspace", "key"),
    )


def _texts(names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names.split()]


def _whens(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names.split()]


def _of_delivery() -> sa.ForeignKeyConstraint:
    there = ["deliveries.workspace", "deliveries.id"]
    return sa.ForeignKeyConstraint(["workspace", "delivery"], there, ondelete="CASCADE")


def _index(name: str, table: str, columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns.split(), sqlite_where=condition, postgresql_where=condition)
