"""Who somebody is: one account somewhere, and the person behind several of them."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct

from gateway.model.ids import PersonId

SPELLED = re.compile(
    r"^(?P<platform>[a-z0-9_]{1,64}):"
    r"(?:@(?P<handle>[^\s@]\S{0,319})|id=(?P<id>[^\s@]\S{0,319})|(?P<bare>(?!id=)[^\s@]\S{0,319}))$"
)
"""How people write an identity: ``platform:@handle``, ``platform:handle`` or ``platform:id=…``."""


PERSON = "person"
"""Instead of a platform, where an id is that of a person: ``person:id=…``."""


class Identity(Struct, frozen=True):
    """One account on one platform. ``id`` is stable, ``handle`` may change."""

    platform: str
    id: str
    handle: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.platform}:@{self.handle}" if self.handle else f"{self.platform}:id={self.id}"


class Person(Struct, frozen=True):
    """Identities taken to be one human. Every identity belongs to exactly one person from its first event."""

    id: PersonId
    identities: tuple[Identity, ...]


class Link(Struct, frozen=True):
    """Why two identities are one person. ``evidence`` is ``operator`` when a human of the gateway said so."""

    first: Identity
    second: Identity
    evidence: str
    at: datetime
