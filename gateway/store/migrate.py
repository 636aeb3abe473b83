"""Bringing an older database up to date, in one transaction. Imported only then: alembic takes 0.2 s."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

SCRIPTS = Path(__file__).parent / "migrations"


def config(connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def run(connection: Connection) -> None:
    """To the newest schema, within the transaction that is open."""
    command.upgrade(config(connection), "head")


def upgrade(connection: Connection) -> None:
    """As :func:`run`, on SQLite. Foreign keys rest meanwhile: a rebuilt table is dropped in between."""
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        run(connection)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    finally:
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
