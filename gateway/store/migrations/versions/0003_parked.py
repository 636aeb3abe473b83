"""Messages that the agent failed on too often are found among millions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    parked = sa.text("state = 'parked'")
    op.create_index("ix_events_parked", "events", ["workspace", "seq"], sqlite_where=parked, postgresql_where=parked)
