"""What an operation works with: the writing connection within one transaction, and what the writer remembers.

The engines differ here and where they are opened; the operations and their SQL are the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Dialect

from gateway.books import Topic
from gateway.model.ids import PersonId, WorkspaceId

KNOWN_MAX = 20_000
"""Identities remembered: about 5 MB."""

Known = tuple[str, str, PersonId]
"""An identity's handle and name as they are stored, and its person."""

ALL = "\0"
PEOPLE = "\0people"
"""What may be locked besides the keys of orders: everything at once, and who is who."""

Statements = Iterable[tuple[str, Sequence[Any]]]
"""SQL in the engine's own words, and what it binds."""


class Transaction(ABC):
    """One at a time, on the writer's thread: ``with transaction:`` commits, or rolls back and raises.

    ``change`` and ``fetch`` go around SQLAlchemy, for the statements where its share of the time would be the larger
    one (see :mod:`gateway.store.hot`). The methods that are written out here are for a writer that is alone.
    """

    dialect: Dialect
    alone = True
    tries = 1
    """How often a batch may be begun."""

    def __init__(self, workspace: WorkspaceId) -> None:
        self.workspace = workspace
        self._known: dict[tuple[str, str], Known] = {}

    @property
    @abstractmethod
    def connection(self) -> Connection: ...

    @abstractmethod
    def take(self, table: str, n: int) -> Sequence[int]:
        """``n`` growing numbers for new rows. Those of a transaction that fails are not used again."""

    @abstractmethod
    def change(self, statements: Statements) -> int:
        """How many rows were changed by all of them."""

    @abstractmethod
    def fetch(self, statements: Statements) -> list[Any]:
        """The rows of all of them."""

    @abstractmethod
    def __enter__(self) -> None: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    # Among others on the same database.

    def lock(self, names: Iterable[str]) -> None:  # noqa: B027 - who is alone has nothing to do
        """Before anything is looked at: nobody else works on what is called so, until the end."""

    def need(self, names: Iterable[str]) -> None:  # noqa: B027
        """Raises where one of these wasn't locked, so that the batch is begun anew."""

    def may_try_again(self, error: Exception) -> bool:  # noqa: ARG002 - for those who are not alone
        """Whether another try may do better. Nothing was written."""
        return False

    def lost(self, accounts: Iterable[str]) -> Collection[str]:  # noqa: ARG002
        """Those whose lease isn't held; till the end nobody can take one that is."""
        return ()

    def tell(self, topic: Topic, name: str) -> None:  # noqa: B027
        """The others hear it when this is written."""

    # Memory.

    def known(self, platform: str, name: str) -> Known | None:
        return self._known.get((platform, name))

    def remember(self, platform: str, name: str, known: Known) -> None:
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[platform, name] = known

    def forget(self) -> None:
        """After links changed, or when what was remembered may never have been written."""
        self._known.clear()
