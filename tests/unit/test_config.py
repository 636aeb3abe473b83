"""gateway/config.py: what is written becomes typed, and what is wrong is told all at once, with the cure."""

import re
import tomllib
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from gateway.config import SECTIONS, ConfigError, load
from gateway.model.capabilities import Idempotency, Limits, Profile
from gateway.model.secret import Secret
from gateway.model.standing import Standing
from gateway.ports import Platform

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
PROFILE = Profile({}, Limits(100, "codepoints", 100, 1, 1, (), 1), (), Idempotency.NONE)


class AlphaSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    server: str = "https://alpha.example"
    password: Secret
    spare: Secret | None = None
    channels: tuple[str, ...] = ()
    poll_s: float = 1.0

    def __post_init__(self):
        if not self.server.startswith("http"):
            raise ValueError("server is an address that starts with http:// or https://")


class BetaSettings(Struct, frozen=True, forbid_unknown_fields=True):
    pause: timedelta = timedelta(seconds=5)


PLATFORMS = {
    "alpha": Platform("alpha", AlphaSettings, PROFILE, "nowhere:open"),
    "beta": Platform("beta", BetaSettings, PROFILE, "nowhere:open"),
}
ENVIRON = {"PASSWORD": "hunter2", "BLANK": " ", "TWO_LINES": "a\nb"}
MINIMAL = """
[[accounts]]
id = "alpha/main"
password = { env = "PASSWORD" }
"""


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "multihome.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(path, PLATFORMS, ENVIRON)

    return read


@pytest.fixture
def problems(read):
    def problems(text):
        with pytest.raises(ConfigError) as caught:
            read(text)
        assert all(len(line.splitlines()) == 1 for line in caught.value.problems)
        assert "hunter2" not in str(caught.value)
        return [line.partition("multihome.toml: ")[2] for line in caught.value.problems]

    return problems


@pytest.fixture
def problem(problems):
    def problem(text):
        (only,) = problems(text)
        return only

    return problem


# What is right.


def test_the_least_that_works_has_sensible_defaults(read, tmp_path):
    config = read(MINIMAL)
    assert config.gateway.database == f"sqlite:///{tmp_path}/multihome.db"
    assert config.folder == tmp_path
    assert config.accounts[0].platform == "alpha"
    assert config.accounts[0].on_uncertain == "hold"
    assert config.accounts[0].settings == AlphaSettings(password=Secret("hunter2"))
    assert (config.routes, config.agent, config.announce.accounts) == ((), None, ())


def test_everything_that_can_be_said(read):
    config = read("""
        [gateway]
        database = "sqlite:////var/lib/multihome.db"
        workspace = "team-1"
        agent_concurrency = 2
        probe_first_s = 1
        ramp_s = 0
        api_port = 8080
        [[accounts]]
        id = "alpha/main"
        password = { env = "PASSWORD" }
        channels = ["a", "b"]
        on_uncertain = "resend"
        [[accounts]]
        id = "beta/second.bot-1_x"
        pause = "45s"
        [[routes]]
        from = "alpha/main"
        when = ["suspended", "offline"]
        divert_to = ["beta/second.bot-1_x"]
        conversations = "person"
        announce = true
        notice = "We moved."
        hold_at_most = "12h"
        [[routes]]
        from = "beta/second.bot-1_x"
        [agent]
        handler = "my_agent.core:reply"
        timeout_s = 3
        text = "plain"
        [announce]
        accounts = ["alpha/main"]
    """)
    assert config.gateway.database == "sqlite:////var/lib/multihome.db"
    assert (config.gateway.agent_concurrency, config.gateway.probe_first_s, config.gateway.api_port) == (2, 1.0, 8080)
    first, second = config.accounts
    assert (first.on_uncertain, first.settings.channels) == ("resend", ("a", "b"))
    assert second.settings.pause == timedelta(seconds=45)
    route, bare = config.routes
    assert (route.source, route.divert_to) == ("alpha/main", ("beta/second.bot-1_x",))
    assert route.when == {Standing.SUSPENDED, Standing.OFFLINE}
    assert (route.conversations, route.announce, route.notice) == ("person", True, "We moved.")
    assert route.hold_at_most == timedelta(hours=12)
    assert bare.when == {Standing.SUSPENDED, Standing.LOCKED, Standing.SIGNED_OUT}
    assert (bare.conversations, bare.announce, bare.hold_at_most) == ("hold", False, timedelta(days=7))
    assert config.agent.handler == "my_agent.core:reply"
    assert (config.agent.max_attempts, config.agent.timeout_s, config.agent.text) == (5, 3.0, "plain")
    assert config.announce.accounts == ("alpha/main",)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("7d", timedelta(days=7)), ("12h", timedelta(hours=12)), ("30m", timedelta(minutes=30)), ("0s", timedelta())],
)
def test_durations(read, written, meant):
    config = read(f'[[accounts]]\nid = "beta/main"\npause = "{written}"')
    assert config.accounts[0].settings.pause == meant


def test_a_byte_order_mark_is_no_trouble(read):
    assert read(b"\xef\xbb\xbf" + MINIMAL.encode()).accounts


def test_a_home_folder_is_understood(read, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ana")
    assert read('[gateway]\ndatabase="sqlite:///~/m.db"\n' + MINIMAL).gateway.database == "sqlite:////home/ana/m.db"


# Secrets.


def test_a_secret_from_a_file_beside_the_configuration(read, tmp_path):
    (tmp_path / "password").write_text("s3cret\r\n")
    config = read('[[accounts]]\nid = "alpha/main"\npassword = { file = "password" }')
    assert config.accounts[0].settings.password.reveal() == "s3cret"


def test_secrets_do_not_show_in_the_configuration(read):
    assert "hunter2" not in f"{read(MINIMAL)!r} {read(MINIMAL)}"


def test_a_secret_in_the_file_itself_is_refused_without_being_repeated(problem):
    line = problem('[[accounts]]\nid = "alpha/main"\npassword = "hunter2"')
    assert line.startswith("[[accounts]] alpha/main password: a secret never stands in this file, which gets copied")
    assert line.endswith('write { env = "NAME" } or { file = "path" }')


def test_an_optional_secret_is_guarded_as_well(problem):
    assert "never stands" in problem(MINIMAL + 'spare = "hunter2"')


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ('{ env = "NOT_THERE" }', "environment variable NOT_THERE is not set; set it"),
        ('{ env = "BLANK" }', "environment variable BLANK is empty"),
        ('{ env = "TWO_LINES" }', "environment variable TWO_LINES holds line breaks"),
        ('{ file = "missing" }', "missing does not exist; write the secret into it"),
        ('{ file = "empty" }', "empty is empty"),
        ('{ file = "huge" }', "huge is larger than 65536 bytes"),
        ('{ file = "binary" }', "binary is not UTF-8"),
        ('{ file = "." }', "can't be read: Is a directory"),
        ('{ file = "~no-such-user/x" }', "does not exist"),
        ('{ file = "a\\u0000b" }', "null byte"),
        ('{ env = "PASSWORD", file = "empty" }', "is kept elsewhere; write"),
        ('{ keyring = "x" }', "is kept elsewhere; write"),
        ("{}", "is kept elsewhere; write"),
        ("7", "is kept elsewhere; write"),
        ('["hunter2"]', "is kept elsewhere; write"),
    ],
)
def test_a_secret_that_is_not_where_it_should_be(problem, tmp_path, reference, said):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "huge").write_text("hunter2" * 10_000)
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    line = problem(f'[[accounts]]\nid = "alpha/main"\npassword = {reference}')
    assert line.startswith("[[accounts]] alpha/main password: ")
    assert said in line


# What is wrong, one thing at a time.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gatway]", "there is no section `gatway`; did you mean `gateway`?"),
        ("[gateway]\ndatabse = 1", "[gateway]: unknown key `databse`; did you mean `database`?"),
        ("[gateway]\napi_port = '80'", "[gateway] api_port: Expected `int`, got `str`"),
        ("[gateway]\napi_port = 70000", "[gateway] api_port: Expected `int` <= 65535"),
        ("[gateway]\nagent_concurrency = 0", "[gateway] agent_concurrency: Expected `int` >= 1"),
        ("[gateway]\nprobe_first_s = nan", "[gateway] probe_first_s: Expected `float` "),
        ("[gateway]\nhealth_check_s = inf", "[gateway] health_check_s: Expected `float` <= "),
        ("[gateway]\nprobe_longest_s = 1", "[gateway] probe_longest_s: is shorter than probe_first_s"),
        ("[gateway]\nworkspace = 'a b'", "[gateway] workspace: is a name of letters"),
        ("gateway = 1", "[gateway]: is a table"),
        ("routes = 1", "[routes]: is a list of tables; write [[routes]] above each"),
        ("[agent]", "[agent]: `handler` is missing; add it"),
        ("[agent]\nhandler = 'my_agent'", '[agent] handler: is "module:function"'),
        (
            "[agent]\nhandler = 'a:b'\nmax_atempts = 1",
            "[agent]: unknown key `max_atempts`; did you mean `max_attempts`?",
        ),
        (
            "[announce]\naccounts = ['alpha/mian']",
            "[announce] accounts: there is no account `alpha/mian`; did you mean",
        ),
        ("[[routes]]", "[[routes]] number 1: `from` is missing; add it"),
        ("[[routes]]\nfrom='alpha/mian'", "[[routes]] alpha/mian from: there is no account `alpha/mian`; did you mean"),
        ("[[routes]]\nfrom='alpha/main'\ndivert_to=['zzz']", "there is no account `zzz`; there are: alpha/main"),
        (
            "[[routes]]\nfrom='alpha/main'\ndivert_to=['alpha/main']",
            "divert_to: names the account itself; leave it out",
        ),
        ("[[routes]]\nfrom='alpha/main'\n[[routes]]\nfrom='alpha/main'", "[[routes]] from alpha/main: there are two"),
        (
            "[[routes]]\nfrom='alpha/main'\nwhen=['suspend']",
            "`suspend` is no standing to route for; did you mean `susp",
        ),
        (
            "[[routes]]\nfrom='alpha/main'\nwhen=['healthy']",
            "`healthy` is no standing to route for; there are: limited,",
        ),
        ("[[routes]]\nfrom='alpha/main'\nwhen=[]", "when: is empty; choose from limited, signed_out, locked"),
        (
            "[[routes]]\nfrom='alpha/main'\nhold_at_most=7",
            'hold_at_most: a duration is a whole number and a unit: "7d"',
        ),
        ("[[routes]]\nfrom='alpha/main'\nhold_at_most='999999999d'", "hold_at_most: is longer than 3650 days"),
        ("[[routes]]\nfrom='alpha/main'\nhold_at_most='0s'", "hold_at_most: is nothing"),
        ("[[routes]]\nfrom='alpha/main'\nconversations='persn'", "conversations: Invalid enum value 'persn'"),
        ("[[routes]]\nfrom='alpha/main'\ndivert_to=[1]", "divert_to: Expected `str`, got `int` at `[0]`"),
        ('"new\\nline" = 1', "there is no section `new?line`"),
    ],
)
def test_one_thing_wrong_gives_one_line_with_the_cure(problem, text, said):
    # Bare keys come before the first table.
    whole = text + MINIMAL if not text.startswith("[") else MINIMAL + text
    assert said in problem(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "[[accounts]]: there is none; add one for each account, see config.example.toml"),
        ("[accounts]\nid = 'beta/main'", "[accounts]: is a list of tables; write [[accounts]] above each"),
        ("[[accounts]]\nid = 'Alpha/Main'", "[[accounts]] Alpha/Main: id is `platform/name` in small letters"),
        ("[[accounts]]\nid = 'alpha'", "id is `platform/name`"),
        ("[[accounts]]\nid = 'alpha/a b'", "id is `platform/name`"),
        ("[[accounts]]\nid = 'beta/main\\n'", "id is `platform/name`"),
        ("[[accounts]]\nid = 7", "[[accounts]] number 1: id is `platform/name`"),
        ("[[accounts]]\nid = 'alhpa/main'", "there is no platform `alhpa`; did you mean `alpha`?"),
        ("[[accounts]]\nid = 'zz/main'", "there is no platform `zz`; there are: alpha, beta"),
        ("[[accounts]]\nid = 'alpha/main'", "[[accounts]] alpha/main: `password` is missing; add it"),
        ("[[accounts]]\nid = 'beta/main'\npuase = '5s'", "unknown key `puase`; did you mean `pause`?"),
        ("[[accounts]]\nid = 'beta/main'\non_uncertian = 'hold'", "did you mean `on_uncertain`?"),
        ("[[accounts]]\nid = 'beta/main'\non_uncertain = 'retry'", "on_uncertain: Invalid enum value 'retry'"),
        ("[[accounts]]\nid='beta/a'\n[[accounts]]\nid='beta/a'", "[[accounts]] beta/a: this id stands twice"),
        (MINIMAL + "[announce]\naccounts = ['alpha/main', 'alpha/main']", "accounts: `alpha/main` stands twice"),
        (MINIMAL + "server = 'alpha.example'", "alpha/main: server is an address that starts with http"),
        (MINIMAL + "channels = 'a'", "channels: Expected `array`, got `str`"),
    ],
)
def test_a_wrong_account(problem, text, said):
    assert said in problem(text)


def test_all_that_is_wrong_comes_in_one_go(problems):
    lines = problems("""
        [gateway]
        api_port = "x"
        keep_days = 0
        [[accounts]]
        id = "alpha/main"
        password = "hunter2"
        pol_s = 1
        [[accounts]]
        id = "gamma/main"
        [[routes]]
        from = "alpha/man"
        when = ["gone"]
        [agent]
        [announce]
        accounts = ["beta/main"]
    """)
    assert len(lines) == 9


def test_a_bad_account_is_not_reported_again_by_its_routes(problem):
    line = problem('[[accounts]]\nid = "alpha/main"\n[[routes]]\nfrom = "alpha/main"')
    assert "`password` is missing" in line


# The file.


def test_no_file(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no such file; copy config\.example\.toml"):
        load(tmp_path / "none.toml", PLATFORMS, {})


def test_a_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        load(tmp_path, PLATFORMS, {})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[gateway]\nworkspace = '\xff'", "byte 23 is not UTF-8"),
        (b"[gateway\n", "not valid TOML: "),
        (b"[gateway]\napi_port = 1\napi_port = 2", "not valid TOML: Cannot overwrite a value"),
        (b"x = " + b"[" * 100_000, "not valid TOML: nested too deep"),
        (b"x = " + b"9" * 10_000, "not valid TOML: "),
        (b"\x00", "not valid TOML: "),
    ],
)
def test_what_is_not_toml_is_one_line(problem, content, said):
    assert said in problem(content)


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "sqlite:///a.db?mode=ro", "multihome.db", "mysql://a/b"]
)
def test_other_databases_are_refused_with_examples(problem, url):
    told = problem(f"[gateway]\ndatabase = '{url}'\n" + MINIMAL)
    assert told == (
        '[gateway] database: write "sqlite:///multihome.db" for a file, '
        'or "postgresql://user@host/multihome" for several gateways'
    )


@pytest.mark.parametrize(
    "url",
    ["postgresql://ana:hunter2@db/multihome", "postgresql://db/m?password=hunter2", "postgresql://ana:hunter2@:x/m"],
)
def test_a_password_in_the_address_is_refused_and_not_repeated(problem, tmp_path, url):
    (tmp_path / "key").write_text("k" * 32)
    told = problem(f"[gateway]\ndatabase = '{url}'\nvault_key = {{ file = 'key' }}\n" + MINIMAL)
    assert "PGPASSFILE" in told or "is no address" in told
    assert "hunter2" not in told


def test_a_shared_database_needs_a_key_for_the_secrets_in_it(problem, read, tmp_path):
    shared = "[gateway]\ndatabase = 'postgresql://ana@db:5433/multihome?sslmode=require'\n"
    key = "vault_key = { file = 'key' }\n"
    assert "[gateway] vault_key: is missing" in problem(shared + MINIMAL)
    (tmp_path / "key").write_text("k" * 31)
    assert "has less than 32 characters" in problem(shared + key + MINIMAL)
    (tmp_path / "key").write_text("k" * 32)
    config = read(shared + key + MINIMAL)
    assert config.gateway.database == "postgresql://ana@db:5433/multihome?sslmode=require"
    assert config.place.files == str(config.folder / "multihome")


# The example.


def real_platforms():
    """Every platform of the entry points."""
    return {entry.name: entry.load() for entry in entry_points(group="multihome.adapters")}


def written_or_commented(text):
    """The example with its commented keys switched on: a comment is a key when it looks like ``# key = value``."""
    return re.sub(r"^# ?(?=[a-z_]+ = )", "", text, flags=re.MULTILINE)


def test_the_example_loads_as_it_is_and_with_every_commented_key(tmp_path):
    platforms = real_platforms()
    text = EXAMPLE.read_text()
    for version in (text, written_or_commented(text)):
        names = re.findall(r'env = "([A-Z0-9_]+)"', version)
        for name in re.findall(r'\{ file = "([^"]+)" \}', version):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("secret")
        path = tmp_path / "multihome.toml"
        path.write_text(version)
        config = load(path, platforms, dict.fromkeys(names, "a secret of more than 32 characters"))
        assert {account.platform for account in config.accounts} == platforms.keys()


def example_tables():
    """Each table of the example with its commented keys switched on, and the fields it may have."""
    platforms = real_platforms()
    shown = tomllib.loads(written_or_commented(EXAMPLE.read_text()))
    for section, kind in SECTIONS.items():
        for table in shown[section] if isinstance(shown[section], list) else [shown[section]]:
            fields = msgspec.structs.fields(kind)
            if section == "accounts":
                fields += msgspec.structs.fields(platforms[table["id"].split("/")[0]].settings)
            yield f"[{section}] {table.get('id', '')}", table, {field.encode_name: field for field in fields}


def test_the_example_shows_every_key_of_every_section_and_platform():
    missing = [f"{where}: {key}" for where, table, fields in example_tables() for key in fields.keys() - table.keys()]
    assert not missing


def test_the_example_shows_the_real_defaults():
    written = EXAMPLE.read_text().splitlines()
    checked = 0
    for where, table, fields in example_tables():
        for key, value in table.items():
            default = fields[key].default
            commented = not any(line.startswith(f"{key} = ") for line in written)
            if commented and default not in (msgspec.NODEFAULT, None, ()):
                assert value == default, f"{where}: {key}"
                checked += 1
    assert checked > 20
