"""What the books say was sent: read from the database itself, past the gateways."""

from __future__ import annotations

from chaos_count import Entry
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

SENT = text(
    "SELECT p.account, p.ref, p.delivery, d.reason FROM sent_parts p"
    " JOIN deliveries d ON d.workspace = p.workspace AND d.id = p.delivery"
)


def read(url: str) -> list[Entry]:
    """Every part that is there now."""
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            rows = connection.execute(SENT).all()
    finally:
        engine.dispose()
    return [Entry(account.partition("/")[0], ref, delivery, reason) for account, ref, delivery, reason in rows]
