"""What the operator does: announces, changes what hasn't left, links people, resumes accounts, and asks again where an
answer failed.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from invariants import Broken
from sim_books import lines_of
from sim_people import NAMES, paragraphs

from gateway.books import StoreError
from gateway.directory import DirectoryError
from gateway.model.content import Document
from gateway.model.ids import AccountId, DeliveryId, platform_of
from gateway.revisions import UNSENT, RevisionError, Revisions
from gateway.text.plain import from_text

if TYPE_CHECKING:
    from sim_books import Row
    from sim_process import Process
    from sim_world import World

GREETINGS = ("good morning", "we meet at seven")
AT_ONCE_S = 0.012
"""After a change of standing the gateway has looked at what waits there."""


class Operator:
    """Acts only on a gateway that is up."""

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.dice = world.chance("changes")
        self._announced = 0
        self._changed = 0

    def announces(self) -> None:
        process = self.world.running()
        if process is None:
            return
        rng, names = self.rng, list(self.world.networks.accounts)
        self._announced += 1
        key = f"a{self._announced}"
        words = rng.choice(GREETINGS) if rng.random() < 0.25 else paragraphs(key, rng.choice((1, 1, 2, 4)))
        some = [] if rng.random() < 0.4 else rng.sample(names, rng.randint(1, len(names)))
        self.world.story.tell(f"the operator announces {words.splitlines()[0]!r} on {', '.join(some) or 'all'}")
        process.errand(self._announce(process, key, words, some))
        if rng.random() < 0.2:
            process.errand(self._announce(process, key, words, some))
            self.world.story.happened["announced twice"] += 1

    async def _announce(self, process: Process, key: str, words: str, some: list[str]) -> None:
        assert process.gateway is not None
        accounts = [AccountId(one) for one in some]
        while True:
            try:
                _, made = await process.gateway.announcer.announce(from_text(words), accounts=accounts, key=key)
            except StoreError:
                self.world.story.happened["announcement not accepted"] += 1
                await asyncio.sleep(5)
                continue
            break
        for delivery in made:
            if delivery.draft.key not in self.world.books.accepted:
                self.world.watch.breaks(
                    Broken("nothing accepted is lost", f"{delivery.draft.key} was accepted, not stored")
                )

    def hears_of(self, account: str) -> None:
        """A standing changed: what waits there may say something else at once, while the gateway is at it, too."""
        if self.dice.random() < 0.5:
            for _ in range(4):
                self.world.universe.after(self.dice.uniform(0, AT_ONCE_S), lambda: self.changes(account))

    def changes(self, account: str = "") -> None:
        """Something that hasn't left yet shall say something else, or nothing."""
        process, books = self.world.running(), self.world.books
        begun = {delivery for delivery, _ in books.refs.values()}
        rows = [row for row in books.open.values() if row.draft.revises is None]
        unsent = [row for row in rows if row.state in UNSENT and row.id not in begun]
        unsent = [row for row in unsent if row.account == account] or unsent
        if process is None or not unsent:
            return
        row = self.dice.choice(sorted(unsent, key=lambda one: one.seq))
        self._changed += 1
        words = paragraphs(f"c{self._changed}", self.dice.choice((1, 1, 2, 4))) if self.dice.random() < 0.7 else ""
        self.world.story.tell(f"the operator changes {row}: {words.splitlines()[0] if words else 'withdrawn'!r}")
        process.errand(self._change(process, row, from_text(words) if words else None))

    async def _change(self, process: Process, row: Row, document: Document | None) -> None:
        assert process.gateway is not None
        gateway, happened = process.gateway, self.world.story.happened
        revisions = Revisions(gateway.services, gateway.intake, gateway.outbox)
        accepted = self.world.books.accepted[row.key]
        lines = lines_of(document) if document else []
        accepted.wanted.append(lines)
        try:
            if document is None:
                (outcome, *_) = await revisions.delete(DeliveryId(row.id))
            else:
                (outcome, *_) = await revisions.edit(DeliveryId(row.id), document)
        except (RevisionError, StoreError) as error:
            self.world.story.tell(f"not changed: {error}")
            happened["change not accepted"] += 1
            return
        happened[f"change: {outcome.word}"] += 1
        if outcome.word == "changed" and lines != accepted.lines and not accepted.dropped.issuperset(lines):
            self.world.watch.breaks(Broken("a change is what was asked for", f"{row} says {accepted.lines}"))

    def links(self) -> None:
        """Somebody's identities on two platforms are one person, or after all not."""
        process = self.world.running()
        platforms = sorted({platform_of(AccountId(name)) for name in self.world.networks.accounts})
        if process is None or len(platforms) < 2:
            return
        who = self.rng.choice(NAMES)
        one, two = self.rng.sample(platforms, 2)
        process.errand(self._link(process, f"{one}:id={who}.{one}", f"{two}:id={who}.{two}", self.rng.random() < 0.15))

    async def _link(self, process: Process, one: str, two: str, undo: bool) -> None:
        assert process.gateway is not None
        directory = process.gateway.directory
        try:
            await (directory.unlink(one, two) if undo else directory.link(one, two))
        except (DirectoryError, StoreError) as error:
            self.world.story.tell(f"not linked: {error}")
        else:
            self.world.story.tell(f"the operator {'unlinks' if undo else 'links'} {one} and {two}")

    def resumes(self, account: str) -> None:
        """The account works again, they believe."""
        process = self.world.running()
        if process is None:
            self.world.universe.after(30, lambda: self.resumes(account))
            return
        assert process.gateway is not None
        self.world.watch.resumed.add(account)
        self.world.story.tell(f"the operator resumes {account}")
        self.world.story.happened["resumed"] += 1
        self.world.networks.accounts[account].told = None
        process.gateway.monitor.resume(AccountId(account))
