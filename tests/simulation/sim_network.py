"""The networks: what is true, whoever asks. They count for themselves what was said, when, and by which request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sim_time import Universe

from gateway.model.delivery import Fault, FaultKind, Part
from gateway.model.events import PlatformEvent
from gateway.model.standing import EXPLICIT

PREFACE = "(Going on here:"

Unit = tuple[str, str]
"""One thing to be said once: a draft's key, and the paragraph."""


@dataclass(eq=False)
class Post:
    """What a network holds."""

    number: int
    account: str
    place: str
    private: bool
    draft: str
    words: tuple[str, ...]
    key: str
    at: float
    ref: str
    told: bool = False
    """Whether any answer about it reached a gateway: a receipt, or what was read back."""

    @property
    def units(self) -> list[Unit]:
        return [(self.draft, line) for line in self.words if not line.startswith(PREFACE)]


@dataclass
class Account:
    """One account as its network sees it."""

    name: str
    lost: Fault | None = None
    """While set, whatever is written is refused with it."""
    probe_sees: bool = True
    locks_unseen: bool = False
    """Its probe answers although the account is locked."""
    silent: bool = False
    """Suspended without a word: it may post, and nobody sees it."""
    outage: bool = False
    storm: bool = False
    flaky: float = 0.0
    """The share of requests that meet something bad."""
    keys: dict[str, Post] = field(default_factory=dict)
    log: list[PlatformEvent] = field(default_factory=list)
    happened_at: dict[str, float] = field(default_factory=dict)
    expected_from: int | None = None
    """Events from here on are the gateway's to answer: it has been told the position before."""
    said: dict[str, FaultKind | None] = field(default_factory=dict)
    """Every evidence that this network gave, and of what: of a fault's kind, or that all is well."""
    told: tuple[FaultKind, float] | None = None
    """A loss that the running gateway was told of, and when; until the network, or the operator, said otherwise."""
    asked_in_vain: defaultdict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    """By draft and part: how often this network couldn't say whether it has it."""
    hung_probes: int = 0
    broken_probes: int = 0
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def is_told(self, kind: FaultKind | None, now_s: float) -> None:
        """The gateway hears this: of a loss, or that it works. Not every network's word says that a lock is gone."""
        if kind in EXPLICIT:
            self.told = (kind, now_s)
        elif kind is None and not (self.told and self.told[0] is FaultKind.LOCKED and self.locks_unseen):
            self.told = None

    @property
    def is_well(self) -> bool:
        return self.lost is None and not self.outage and not self.silent


class Networks:
    """All accounts' networks, and what they hold."""

    def __init__(self, universe: Universe, names: list[str], locks_unseen: Callable[[str], bool]) -> None:
        self.universe = universe
        self.accounts = {name: Account(name, locks_unseen=locks_unseen(name)) for name in names}
        self.posts: list[Post] = []
        self.by_unit: defaultdict[Unit, list[Post]] = defaultdict(list)
        self.by_ref: dict[str, Post] = {}
        self.by_words: defaultdict[tuple[str, str, tuple[str, ...]], list[Post]] = defaultdict(list)
        self.unclear: defaultdict[Unit, list[float]] = defaultdict(list)
        """When a request of this unit ended without a clear answer."""
        self.on_post: Callable[[Post], None] = lambda _: None

    def accept(self, account: str, part: Part, *, protects: Callable[[Post], bool]) -> Post:
        """Post it, or give what is there under its key where keys count."""
        there = self.accounts[account]
        known = there.keys.get(part.key)
        if known is not None and protects(known):
            return known
        body: dict[str, Any] = part.body
        number = len(self.posts)
        post = Post(
            number, account, body["place"], body["private"], body["draft"], tuple(body["words"]), part.key,
            self.universe.now, f"{account}:{number}",
        )  # fmt: skip
        self.posts.append(post)
        self.by_ref[post.ref] = post
        self.by_words[account, post.place, post.words].append(post)
        there.keys[part.key] = post
        for unit in post.units:
            self.by_unit[unit].append(post)
        self.on_post(post)
        return post

    def find(self, account: str, part: Part, before: float) -> Post | None:
        """By its key, as far as the network shows it by then."""
        post = self.accounts[account].keys.get(part.key)
        return post if post is not None and post.at <= before else None

    def alike(self, account: str, part: Part, before: float) -> list[Post]:
        """With these words in this place, the oldest first: whose they are doesn't show."""
        place, words = part.body["place"], tuple(part.body["words"])
        found = self.by_words[account, place, words]
        return [post for post in found if post.at <= before]

    def left_open(self, part: Part) -> None:
        """A request of this part got no clear answer."""
        for line in part.body["words"]:
            self.unclear[part.body["draft"], line].append(self.universe.now)

    def happened(self, account: str, event: PlatformEvent) -> None:
        """Somebody did something that the account can see."""
        there = self.accounts[account]
        there.log.append(event)
        there.happened_at[event.id] = self.universe.now
        for wake in there.listeners:
            wake()
