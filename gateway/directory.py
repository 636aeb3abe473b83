"""Identities and people: who somebody is, and which identities are one person."""

from __future__ import annotations

from gateway.model.facts import LinkFacts
from gateway.model.identity import SPELLED, Identity, Link, Person
from gateway.model.verdict import Refuse
from gateway.services import Services


class DirectoryError(Exception):
    """One line for people: what is wrong with a name or a link, and the cure."""


class Directory:
    """Resolves, links and unlinks."""

    def __init__(self, services: Services) -> None:
        self._store = services.store
        self._clock = services.clock
        self._policies = services.policies

    async def link(self, first: str, second: str, *, evidence: str = "operator") -> Person:
        """Take two identities, as people spell them, for one person from now on."""
        one, two = await self._known(first), await self._known(second)
        now = self._clock.now()
        verdict = self._policies.linking(LinkFacts(one, two, evidence, now))
        if isinstance(verdict, Refuse):
            raise DirectoryError(f"{first} and {second} can't be linked: {verdict.reason}")
        try:
            return await self._store.link(Link(one, two, evidence, now))
        except ValueError as error:
            raise DirectoryError(f"{first} and {second} can't be linked: {error}") from error

    async def unlink(self, first: str, second: str) -> None:
        if not await self._store.unlink(await self._known(first), await self._known(second)):
            raise DirectoryError(f"{first} and {second} are not linked; `multihome link` shows what is")

    async def links(self) -> tuple[Link, ...]:
        return await self._store.links()

    async def _known(self, spelled: str) -> Identity:
        """The stored identity for a spelling, or a new one by its handle."""
        identity = parse_identity(spelled)
        person = await self._store.person(identity)
        for known in person.identities if person is not None else ():
            same = identity.id in ("", known.id) and identity.handle in ("", known.handle)
            if known.platform == identity.platform and same:
                return known
        return identity


def parse_identity(spelled: str) -> Identity:
    """``platform:@handle``, ``platform:handle`` or ``platform:id=…``."""
    found = SPELLED.match(spelled.strip())
    if found is None:
        cure = "write platform:@handle, or platform:id=… as `multihome link` lists it"
        raise DirectoryError(f"{spelled[:100]!r} is no identity: {cure}")
    return Identity(found["platform"], found["id"] or "", found["handle"] or found["bare"] or "")
