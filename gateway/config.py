"""TOML -> typed configuration. Everything that is wrong is reported at once, each with where it is and the cure."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct, structs

from gateway import database_url, secret_source
from gateway.duration import duration
from gateway.model.fetching import Fetching
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, WorkspaceId, platform_of
from gateway.model.manner import USUAL, Manner
from gateway.model.route import Route
from gateway.model.secret import Secret
from gateway.model.standing import GONE, MEANING, Standing

VAULT_KEY_MIN = 32
_YEAR_S = 366 * 86400.0
_ACCOUNT = re.compile(r"[a-z0-9_]+/[a-z0-9_.-]+")
_HANDLER = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")
ROUTABLE = tuple(name for name in Standing if not MEANING[name].can_send and name is not Standing.CONNECTING)
"""The standings a route may be for: those in which an account can't send."""

Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=_YEAR_S)]


class ConfigError(Exception):
    """The configuration can't be used. ``problems`` are one-liners: what, where, and the cure; never a secret."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Configurable(Protocol):
    """What the configuration has to know of a platform; :class:`gateway.ports.Platform` is one."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> type[Any]: ...


class GatewaySection(Struct, frozen=True):
    """``[gateway]``. ``database`` names an absolute path once loaded; ``api_port`` 0 is any free one."""

    database: str = "sqlite:///multihome.db"
    workspace: WorkspaceId = DEFAULT_WORKSPACE
    agent_concurrency: Count = 64
    probe_first_s: Seconds = 30.0
    probe_longest_s: Seconds = 1800.0
    health_check_s: Seconds = 900.0
    ramp_s: Annotated[float, Meta(ge=0, le=3600)] = 2.0
    keep_days: Annotated[float, Meta(gt=0, le=36_500)] = 30.0
    api_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    vault_key: Secret | None = None


class AccountConfig(Struct, frozen=True):
    """``[[accounts]]``. ``settings`` is an instance of the platform's own settings struct."""

    id: AccountId
    platform: str
    on_uncertain: Literal["hold", "resend"]
    settings: Any
    rate_factor: float = 1.0
    manner: Manner = USUAL


class AgentSection(Struct, frozen=True):
    """``[agent]``: ``handler`` and ``events`` are ``module:function``."""

    handler: str
    events: str | None = None
    max_attempts: Count = 5
    timeout_s: Seconds = 120.0
    text: Literal["markdown", "plain"] = "markdown"


class AnnounceSection(Struct, frozen=True):
    """``[announce]``: where announcements go; no accounts means all of them."""

    accounts: tuple[AccountId, ...] = ()


class Config(Struct, frozen=True):
    """All of it, checked. Relative paths in it were meant from ``folder``, where the file lies."""

    gateway: GatewaySection
    accounts: tuple[AccountConfig, ...]
    routes: tuple[Route, ...]
    agent: AgentSection | None
    announce: AnnounceSection
    folder: Path
    media: Fetching = Fetching()

    @property
    def place(self) -> database_url.Place:
        return database_url.place(self.gateway.database, self.gateway.workspace, self.folder)


class RouteTable(Struct, frozen=True):
    """``[[routes]]`` as it is written."""

    source: AccountId = msgspec.field(name="from")
    when: tuple[str, ...] = tuple(sorted(GONE))
    divert_to: tuple[AccountId, ...] = ()
    conversations: Literal["person", "hold"] = "hold"
    announce: bool = False
    notice: str | None = None
    hold_at_most: timedelta = timedelta(days=7)


class AccountTable(Struct, frozen=True):
    """The keys of ``[[accounts]]`` that are the gateway's; all others are the platform's."""

    id: str
    on_uncertain: Literal["hold", "resend"] = "hold"
    rate_factor: Annotated[float, Meta(gt=0, le=10_000)] = 1.0
    posting: dict[str, Any] = {}
    """Keys of ``[posting]`` that are others for this account."""


SECTIONS: dict[str, type[Struct]] = {
    "gateway": GatewaySection,
    "accounts": AccountTable,
    "routes": RouteTable,
    "agent": AgentSection,
    "announce": AnnounceSection,
    "posting": Manner,
    "media": Fetching,
}


def load(path: Path, platforms: Mapping[str, Configurable], environ: Mapping[str, str] | None) -> Config:
    """Read and check a configuration file. ConfigError has every problem. ``environ`` None: secrets stay empty."""
    return _Reader(path, platforms, environ).config(_parsed(path))


def place_of(path: Path) -> database_url.Place:
    """Only where it is: whoever asks a running gateway needs no secrets. Raises ConfigError."""
    section = (reader := _Reader(path, {}, None)).gateway(_parsed(path).get("gateway", {}))
    if section is None or reader.problems:
        raise ConfigError(reader.problems)
    return database_url.place(section.database, section.workspace, path.resolve().parent)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        cure = "copy config.example.toml there, or name another file with --config"
        raise ConfigError([f"{path}: there is no such file; {cure}"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8"]) from None
    except (ValueError, RecursionError) as error:  # tomllib lets some of int's own ValueErrors through
        reason = "nested too deep" if isinstance(error, RecursionError) else error
        raise ConfigError([f"{path}: not valid TOML: {reason}"]) from None


T = TypeVar("T", bound=Struct)


class _Reader:
    """Reads section by section and goes on after a problem, so that all of them come in one go."""

    def __init__(self, path: Path, platforms: Mapping[str, Configurable], environ: Mapping[str, str] | None) -> None:
        self._path = path
        self._folder = path.resolve().parent
        self._platforms = platforms
        self._environ = environ
        self.problems: list[str] = []
        self._posting: dict[str, Any] = {}

    def config(self, raw: dict[str, Any]) -> Config:
        for key in sorted(raw.keys() - SECTIONS.keys()):
            self._problem("", f"there is no section `{key}`{_nearest(key, SECTIONS)}")
        gateway = self.gateway(raw.get("gateway", {}))
        self._posting = self._posting_of(raw)
        accounts = self._accounts(raw)
        names = self._names(raw)
        routes = self._routes(raw, names)
        agent = self._agent(raw["agent"]) if "agent" in raw else None
        announce = self._struct(AnnounceSection, raw.get("announce", {}), "[announce]") or AnnounceSection()
        media = self._struct(Fetching, raw.get("media", {}), "[media]") or Fetching()
        for account, times in Counter(announce.accounts).items():
            self._known_account(account, names, "[announce] accounts")
            if times > 1:
                self._problem("[announce] accounts", f"`{account}` stands twice; name it once")
        if self.problems or gateway is None:
            raise ConfigError(self.problems)
        return Config(gateway, accounts, routes, agent, announce, self._folder, media)

    def _problem(self, where: str, what: str) -> None:
        line = ": ".join(part for part in (str(self._path), where, what) if part)
        self.problems.append("".join(char if char.isprintable() else "?" for char in line))

    def gateway(self, table: object) -> GatewaySection | None:
        section = self._struct(GatewaySection, table, "[gateway]")
        if section is None:
            return None
        if section.probe_longest_s < section.probe_first_s:
            self._problem("[gateway] probe_longest_s", "is shorter than probe_first_s; make it at least as long")
        if not re.fullmatch(r"[\w.-]{1,64}", section.workspace):
            self._problem("[gateway] workspace", "is a name of letters, digits, '_', '.', '-', 64 at most")
        self._vault_key(section)
        try:
            return structs.replace(section, database=database_url.checked(section.database, self._beside))
        except ValueError as error:
            self._problem("[gateway] database", str(error))
            return None

    def _vault_key(self, section: GatewaySection) -> None:
        where, key = "[gateway] vault_key", section.vault_key
        if key is None:
            if database_url.is_shared(section.database):
                self._problem(where, "is missing: gateways that share a database share sealed tokens; add one")
        elif self._environ is not None and len(key.reveal()) < VAULT_KEY_MIN:
            self._problem(where, f"has less than {VAULT_KEY_MIN} characters; make one with `openssl rand -base64 32`")

    def _accounts(self, raw: dict[str, Any]) -> tuple[AccountConfig, ...]:
        tables = self._tables(raw, "accounts")
        if not tables and not self.problems:
            self._problem("[[accounts]]", "there is none; add one for each account, see config.example.toml")
        found = [self._account(table, number) for number, table in enumerate(tables, 1)]
        return tuple(account for account in found if account is not None)

    def _account(self, table: dict[str, Any], number: int) -> AccountConfig | None:
        where = _label("accounts", table, "id", number)
        name = table.get("id")
        if not isinstance(name, str) or not _ACCOUNT.fullmatch(name):
            self._problem(where, 'id is `platform/name` in small letters, digits, "_", ".", "-", such as "x/main"')
            return None
        platform = self._platforms.get(platform_of(AccountId(name)))
        if platform is None:
            key = platform_of(AccountId(name))
            self._problem(where, f"there is no platform `{key}`{_nearest(key, self._platforms)}")
            return None
        ours = {key: value for key, value in table.items() if key in _keys(AccountTable)}
        theirs = {key: value for key, value in table.items() if key not in ours}
        head = self._struct(AccountTable, ours, where)
        settings = self._struct(platform.settings, theirs, where, also=_keys(AccountTable))
        if head is None or settings is None:
            return None
        manner = self._struct(Manner, {**self._posting, **head.posting}, f"{where} posting")
        if manner is None:
            return None
        return AccountConfig(AccountId(name), platform.name, head.on_uncertain, settings, head.rate_factor, manner)

    def _posting_of(self, raw: dict[str, Any]) -> dict[str, Any]:
        """What ``[posting]`` says, for each account to say otherwise; nothing where it can't be used."""
        table = raw.get("posting", {})
        return table if self._struct(Manner, table, "[posting]") is not None else {}

    def _names(self, raw: dict[str, Any]) -> frozenset[AccountId]:
        """Every account that is named, usable or not: a bad account is one problem, not one more in each route."""
        tables = raw.get("accounts")
        ids = [table.get("id") for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
        count = Counter(name for name in ids if isinstance(name, str))
        for name in (name for name, times in count.items() if times > 1):
            self._problem(f"[[accounts]] {name}", "this id stands twice; give each account its own")
        return frozenset(map(AccountId, count))

    def _routes(self, raw: dict[str, Any], names: frozenset[AccountId]) -> tuple[Route, ...]:
        tables = self._tables(raw, "routes")
        routes = [self._route(table, number, names) for number, table in enumerate(tables, 1)]
        count = Counter(route.source for route in routes if route is not None)
        for source in (source for source, times in count.items() if times > 1):
            self._problem(f"[[routes]] from {source}", "there are two; make them one")
        return tuple(route for route in routes if route is not None)

    def _route(self, table: dict[str, Any], number: int, names: frozenset[AccountId]) -> Route | None:
        where = _label("routes", table, "from", number)
        written = self._struct(RouteTable, table, where)
        if written is None:
            return None
        self._known_account(written.source, names, f"{where} from")
        for target in written.divert_to:
            self._known_account(target, names, f"{where} divert_to")
            if target == written.source:
                self._problem(f"{where} divert_to", "names the account itself; leave it out")
        if not written.when:
            self._problem(f"{where} when", f"is empty; choose from {', '.join(ROUTABLE)}")
        for word in written.when:
            if word not in ROUTABLE:
                self._problem(f"{where} when", f"`{word}` is no standing to route for{_nearest(word, ROUTABLE)}")
        if not written.hold_at_most:
            self._problem(f"{where} hold_at_most", 'is nothing; write "7d", "12h", "30m" or "45s"')
        when = frozenset(Standing(word) for word in written.when if word in ROUTABLE)
        return Route(**{**structs.asdict(written), "when": when})

    def _agent(self, table: object) -> AgentSection | None:
        section = self._struct(AgentSection, table, "[agent]")
        if section is not None and not _HANDLER.fullmatch(section.handler):
            self._problem("[agent] handler", 'is "module:function", such as "my_agent:reply"')
        return section

    def _known_account(self, account: AccountId, names: frozenset[AccountId], where: str) -> None:
        if account not in names:
            self._problem(where, f"there is no account `{account}`{_nearest(account, names)}")

    def _tables(self, raw: dict[str, Any], name: str) -> list[dict[str, Any]]:
        tables = raw.get(name, [])
        if isinstance(tables, list) and all(isinstance(table, dict) for table in tables):
            return tables
        self._problem(f"[{name}]", f"is a list of tables; write [[{name}]] above each")
        return []

    def _struct(self, kind: type[T], table: object, where: str, *, also: Collection[str] = ()) -> T | None:
        """A table as a struct, field by field; ``also`` are keys that the table may have besides, for hints."""
        if not isinstance(table, dict):
            self._problem(where, "is a table; write its keys below it, one on each line")
            return None
        before = len(self.problems)
        fields = {field.encode_name: field for field in structs.fields(kind)}
        for key in sorted(table.keys() - fields.keys()):
            self._problem(where, f"unknown key `{key}`{_nearest(key, [*fields, *also])}")
        values: dict[str, Any] = {}
        for key, field in fields.items():
            if key in table:
                values[field.name] = self._value(table[key], field.type, f"{where} {key}")
            elif field.required:
                self._problem(where, f"`{key}` is missing; add it")
        if len(self.problems) > before:
            return None
        try:
            return kind(**values)
        except (ValueError, TypeError) as error:
            self._problem(where, str(error))
            return None

    def _value(self, value: object, kind: Any, where: str) -> Any:
        try:
            if kind is timedelta or timedelta in get_args(kind):
                return duration(value)
            return msgspec.convert(value, kind, dec_hook=self._decode)
        except (msgspec.ValidationError, ValueError) as error:
            self._problem(where, str(error).replace(" - at `$", " at `"))
            return None

    def _decode(self, kind: type, value: object) -> object:
        if kind is Secret:
            return self._secret(value)
        raise ValueError(f"expected `{kind.__name__}`, got `{type(value).__name__}`")

    def _secret(self, value: object) -> Secret:
        if self._environ is None and isinstance(value, dict):
            return Secret("")
        match value:
            case {"env": str(name), **rest} if not rest:
                return secret_source.from_environment(name, self._environ or {})
            case {"file": str(name), **rest} if not rest:
                return secret_source.from_file(self._beside(name))
        written_out = "never stands in this file, which gets copied, shared and committed"
        why = written_out if isinstance(value, str) else "is kept elsewhere"
        raise ValueError(f'a secret {why}; write {{ env = "NAME" }} or {{ file = "path" }}')

    def _beside(self, name: str) -> Path:
        """A path as it was meant: from the configuration's folder, or from a home where it starts with ~."""
        try:
            return self._folder / Path(name).expanduser()
        except RuntimeError:  # no such user
            return self._folder / name


def _keys(kind: type[Struct]) -> list[str]:
    return [field.encode_name for field in structs.fields(kind)]


def _label(section: str, table: dict[str, Any], key: str, number: int) -> str:
    name = table.get(key)
    return f"[[{section}]] {name}" if isinstance(name, str) and len(name) <= 100 else f"[[{section}]] number {number}"


def _nearest(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; there are: {', '.join(names)}" if names else ""
