"""`quittance new-standard` in a copy of the sources: what it lays fails for what is missing, and for nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import main
from config.settings import ROOT
from tests.support.thorough import spread

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAME, BANK = "polish_api", "polish-api"
LAID = {
    "connectors/polish_api/__init__.py",
    "connectors/polish_api/connector.py",
    "connectors/polish_api/messages.py",
    "connectors/polish_api/status.py",
    "config/banks/polish-api.toml",
    "tests/conformance/test_polish_api.py",
}
CHANGED = {"connectors/registry.py", "connectors/profile_schema.py", "connectors/inspection/check.py"}
#: every file before, every file after, what was printed
Laid = tuple[dict[str, bytes], dict[str, bytes], str]
COPIED = ("app", "config", "connectors", "consent", "tests", "docs", "pyproject.toml", "README.md")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources. Names of a standard that was laid before are not in the way."""
    root = tmp_path_factory.mktemp("sources")
    left_out = shutil.ignore_patterns("__pycache__", "node_modules", "fonts", "*.mo")
    for name in COPIED:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, root / name, ignore=left_out)
        else:
            shutil.copy(place, root / name)
    return root


def run(sources: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program of this Python, which sees the copy alone."""
    command = [sys.executable, *arguments]
    return subprocess.run(
        command,
        cwd=sources,
        env={"PYTHONPATH": str(sources), "PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def lay(sources: Path, name: str) -> subprocess.CompletedProcess[str]:
    return run(sources, "-P", "-m", "app.cli", "new-standard", name)


def contents(sources: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(sources)): path.read_bytes()
        for path in sources.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".cache" not in path.parts
    }


@pytest.fixture(scope="module")
def laid(sources: Path) -> Laid:
    before = contents(sources)
    done = lay(sources, NAME)
    assert done.returncode == 0, done.stderr
    return before, contents(sources), done.stdout


def test_it_lays_its_files_and_names_them_in_the_tables(laid: Laid) -> None:
    before, after, said = laid
    assert after.keys() - before.keys() == LAID
    assert {name for name in before if after.get(name) != before[name]} == CHANGED
    for name in LAID | CHANGED:
        assert f"{name}\n" in said
    assert b'    "polish_api": PolishApiConnector,\n' in after["connectors/registry.py"]
    assert b'    "polish_api": "payments",\n' in after["connectors/inspection/check.py"]
    assert b'    "polish_api": _PolishApiSchema,\n' in after["connectors/profile_schema.py"]


def test_what_it_lays_is_as_clean_as_the_rest(laid: object, sources: Path) -> None:
    for check in (["format", "--check"], ["check"]):
        done = run(sources, "-m", "ruff", *check, "--no-cache", *sorted(name for name in LAID if name.endswith(".py")))
        assert done.returncode == 0, done.stdout
    done = run(sources, "-m", "ruff", "check", "--no-cache", *CHANGED)
    assert done.returncode == 0, done.stdout


def test_the_bank_is_listed_like_any_other(laid: object, sources: Path) -> None:
    listed = run(sources, "-c", LISTED)
    assert listed.stdout.split() == [BANK, NAME, "PolishApiConnector"], listed.stderr


LISTED = """
from pathlib import Path
from connectors.registry import Registry
from tests.support.sandbox_tpp import new_key
from tests.support.thorough import spread
banks = Registry.from_folder(
    Path("config/banks"),
    sandbox_bank_url="http://127.0.0.1:9",
    client_key=new_key().as_dict(private=True),
    allow_http=True,
)
print("polish-api", banks.profile("polish-api").standard, type(banks.connector("polish-api")).__name__)
"""


def test_its_tests_are_collected_and_fail_for_what_is_missing(laid: Laid, sources: Path) -> None:
    """By the very command that is printed."""
    printed = re.search(r"python -m pytest (\S+) (\S+) -k '(.+)'", laid[2])
    assert printed is not None
    files = ["-q", printed[1], printed[2], "-k", printed[3]]
    done = run(sources, "-m", "pytest", *files, "--tb=line", "-rA")
    assert done.returncode == 1, done.stdout + done.stderr
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    assert {outcome for outcome, _ in outcomes} == {"PASSED", "FAILED"}, done.stdout
    failed = [name for outcome, name in outcomes if outcome == "FAILED"]
    suite = [name for name in failed if f"[{BANK}" in name]
    own = [name for name in failed if "test_polish_api.py" in name]
    assert len(suite) >= 30
    assert len(own) == 2
    # and the reason is the file that is to be written on
    told = [line for line in done.stdout.splitlines() if "NotImplementedError: connectors/polish_api/" in line]
    assert len(told) >= 30
    for wrong in ("ImportError", "ModuleNotFoundError", "SyntaxError", "AttributeError", "TypeError", "NameError"):
        assert wrong not in done.stdout


@pytest.mark.parametrize("name", ["Polish", "polish-api", "9lives", "../x", "polish__api", "_x", "class", "x" * 31, ""])
def test_a_bad_name_is_refused_and_nothing_is_written(
    laid: object, sources: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(sources)
    with pytest.raises(SystemExit) as ended:
        main(["new-standard", name])
    assert ended.value.code == 2
    assert "as polish_api" in capsys.readouterr().err
    assert not (ROOT / "connectors" / (name or "nothing")).exists()
    assert contents(sources) == before


@pytest.mark.parametrize(
    ("name", "there"),
    spread(
        [
            (NAME, "connectors/polish_api"),
            ("stet", "connectors/stet"),
            ("security", "connectors/security"),
            ("money", "connectors/money.py"),
            ("horizon", "config/banks/horizon.toml"),
            ("connector", "tests/conformance/test_connector.py"),
        ],
        every=4,
    ),
)
def test_what_is_there_is_never_written_over(laid: object, sources: Path, name: str, there: str) -> None:
    before = contents(sources)
    done = lay(sources, name)
    assert (done.returncode, done.stderr) == (1, f"quittance: {there} is there already; nothing was written\n")
    assert contents(sources) == before


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("bank", "_BankSchema is in connectors/profile_schema.py"),
        ("polish_2", "Polish2Connector is in connectors/registry.py"),
    ],
)
def test_two_names_are_never_one_class(laid: object, sources: Path, name: str, there: str) -> None:
    registry = sources / "connectors" / "registry.py"
    as_it_was = registry.read_text("utf-8")
    registry.write_text(f"{as_it_was}\n# as after new-standard polish2: Polish2Connector\n", "utf-8")
    before = contents(sources)
    done = lay(sources, name)
    assert (done.returncode, done.stderr) == (1, f"quittance: {there} already; nothing was written\n")
    assert contents(sources) == before
    registry.write_text(as_it_was, "utf-8")
