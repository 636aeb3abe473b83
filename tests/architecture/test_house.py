"""The rules of the house, and for each a counterexample that it must catch."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import house_rules as house
import pytest

from gateway import wiring

MODULE_LINES = 400
FUNCTION_LINES = 50
FUNCTION_MEDIAN = 10


def offences(paths: list[Path], rule: object) -> list[str]:
    return [f"{path}:{found}" for path in paths for found in rule(house.source(path))]  # type: ignore[operator]


def test_the_rules_are_for_every_platform_there_is() -> None:
    assert set(house.PLATFORMS) == set(wiring.platforms())


def test_only_adapters_name_platforms() -> None:
    paths = [path for folder in ("gateway", "policies") for path in house.tracked(f"{folder}/*")]
    assert offences(paths, house.names_a_platform) == []


@pytest.mark.parametrize(
    "line", ["import tweepy", "# as Discord does", "x = 'mastodon/main'", "url = atproto", "import atproto_core"]
)
def test_a_platform_name_is_seen(line: str) -> None:
    assert house.names_a_platform(f"pass\n{line}\n") == [f"2: {line}"]


def test_modules_are_short() -> None:
    long = {str(path): lines for path in house.product() if (lines := house.source(path).count("\n")) > MODULE_LINES}
    assert long == {}


def test_functions_are_short() -> None:
    lengths = [(f"{path}: {name}", n) for path in house.product() for name, n in house.functions(house.source(path))]
    assert [name for name, n in lengths if n > FUNCTION_LINES] == []
    assert statistics.median(n for _, n in lengths) <= FUNCTION_MEDIAN


def test_lengths_are_counted() -> None:
    text = "def f():\n" + "    a = 1\n" * 60 + "\nclass C:\n    async def g(self):\n        pass\n"
    assert dict(house.functions(text)) == {"f": 61, "g": 2}


def test_modules_are_named_for_what_they_do() -> None:
    assert [str(path) for path in house.product() if house.NO_NAMES & {*path.parts[:-1], path.stem}] == []


@pytest.mark.parametrize("platform", house.PLATFORMS)
def test_adapters_have_the_same_four_files(platform: str) -> None:
    there = {path.name for path in house.tracked(f"adapters/{platform}/*")}
    assert there >= house.FOUR_FILES


def test_nothing_is_left_unfinished() -> None:
    assert offences(house.product(), house.is_unfinished) == []


def test_an_unfinished_line_is_seen() -> None:
    assert house.is_unfinished("a = 1  # TO" + "DO later\nraise Not" + "ImplementedError\n") != []


def test_sources_can_be_looked_up() -> None:
    assert offences(house.tracked("*.py"), house.cites_notes) == []


@pytest.mark.parametrize(
    "line", ["A = 1  # facts", '_TOLD = "fa' + 'cts 4.3"', "see facts/" + "platforms.md", "the facts " + "page"]
)
def test_a_note_of_ours_is_seen(line: str) -> None:
    assert len(house.cites_notes(f"pass\n{line}\n")) == 1


def test_only_the_clock_reads_time() -> None:
    """The sandbox and the demonstration play in real time beside the gateway; the kit for tests makes time."""
    apart = {("adapters", "sandbox"), ("gateway", "demo"), ("gateway", "testing"), ("gateway", "clock.py")}
    paths = [path for path in house.product() if path.parts[:2] not in apart]
    assert offences(paths, house.reads_time) == []


def test_no_test_measures_seconds() -> None:
    """Figures belong in the bench; whether work grows too fast is told by its growth."""
    tests = [path for path in house.tracked("tests/*.py") if path.name.startswith("test_")]
    assert offences(tests, house.measures_seconds) == []


def test_a_measured_second_is_seen() -> None:
    assert len(house.measures_seconds("began = time.process_" + "time()\n")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "time.monotonic()",
        "await asyncio.sleep(1)",
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "from time import sleep",
        "from asyncio import sleep",
    ],
)
def test_a_look_at_the_clock_is_seen(line: str) -> None:
    assert len(house.reads_time(f"async def f():\n    {line}\n")) == 1


def test_what_is_handed_in_is_no_look_at_the_clock() -> None:
    assert house.reads_time("async def f(clock):\n    clock.now()\n    await clock.sleep(1)\n") == []


@pytest.mark.parametrize("platform", [*house.PLATFORMS, "sandbox"])
def test_adapters_import_only_their_own_library(platform: str) -> None:
    paths = house.tracked(f"adapters/{platform}/*.py")
    assert {
        str(path): found for path in paths if (found := house.foreign_libraries(platform, house.source(path)))
    } == {}


def test_a_foreign_library_is_seen() -> None:
    assert house.foreign_libraries("x", "def f():\n    from mastodon import Mastodon\n") == {"mastodon"}
    assert house.foreign_libraries("x", "import tweepy.asynchronous\n") == set()
    assert house.foreign_libraries("sandbox", "import tweepy\n") == {"tweepy"}


@pytest.mark.parametrize("platform", house.PLATFORMS)
def test_facts_and_translation_know_no_library(platform: str) -> None:
    paths = [Path("adapters", platform, name) for name in ("profile.py", "translate.py")]
    assert {str(path): found for path in paths if (found := _libraries(house.source(path)))} == {}


def _libraries(text: str) -> set[str]:
    return house.imported(text) & {*set().union(*house.LIBRARIES.values()), "aiohttp", "httpx", "requests"}


@pytest.mark.parametrize("platform", house.PLATFORMS)
def test_a_profile_loads_no_library(platform: str) -> None:
    """What it imports imports none either: seen in a fresh interpreter."""
    assert _loaded(f"import adapters.{platform}.profile") == []


def test_a_loaded_library_is_seen() -> None:
    assert "aiohttp" in _loaded("import aiohttp")


def _loaded(statement: str) -> list[str]:
    heavy = sorted({*set().union(*house.LIBRARIES.values()), "aiohttp", "httpx", "requests", "sqlalchemy"})
    code = f"import sys\n{statement}\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=house.ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_top_level_folders_are_the_agreed_ones() -> None:
    assert {path.parts[0] for path in house.tracked() if len(path.parts) > 1} <= house.FOLDERS


def test_no_file_names_this_machine_or_a_registry() -> None:
    assert offences(house.tracked(), house.names_this_machine) == []


@pytest.mark.parametrize(
    "line", ["cd /" + "work/main", "at '/" + "home/bot/x'", "https://py" + "pi.org/simple", "/" + "farm/x"]
)
def test_a_machine_or_a_registry_is_seen(line: str) -> None:
    assert house.names_this_machine(line) != []


@pytest.mark.parametrize("line", ["https://example.org/home", "a/work/b", "gateway/homework/", "the PyPI package"])
def test_an_innocent_line_is_let_through(line: str) -> None:
    assert house.names_this_machine(line) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_name_no_index(lock: str) -> None:
    assert house.names_an_index(house.source(Path(lock))) == []


@pytest.mark.parametrize("line", ["--index-url https://a.example/simple", "-f wheels", "a @ https://a.example/a.whl"])
def test_an_index_is_seen(line: str) -> None:
    assert house.names_an_index(f"a==1\n{line}\n") != []
