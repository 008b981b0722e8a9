"""What the documents name exists, and nothing that is committed names a machine."""

from __future__ import annotations

import itertools
import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from config.settings import ROOT, Settings

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("connectors/**/*.md")])
each = pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])

#: what a word between back-ticks must begin with to be a path of ours
TOPS = ("app/", "config/", "connectors/", "consent/", "docs/", "tests/", ".ci/")
#: text with a place for something else in it: ``connectors/<standard>/``, ``app/journey/…``
OPEN_ENDED = re.compile(r"[<>…]")


def paths_in(text: str) -> set[str]:
    """Words between back-ticks that are paths, with ``{a,b}`` written out."""
    words = (word.split(":")[0] for word in re.findall(r"`([^`\s]+)`", text))
    return {path for word in words if word.startswith(TOPS) and not OPEN_ENDED.search(word) for path in spread(word)}


def spread(word: str) -> list[str]:
    pieces = [piece.split(",") for piece in re.split(r"[{}]", word)]
    return ["".join(parts) for parts in itertools.product(*pieces)]


def exists(path: str) -> bool:
    return any(ROOT.glob(path.rstrip("/")))


@each
def test_every_path_exists(document: Path) -> None:
    gone = sorted(path for path in paths_in(document.read_text("utf-8")) if not exists(path))
    assert not gone, f"{document.name} names {', '.join(gone)}: mend the document or make the file."


@each
def test_every_link_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8"))
    for target in targets:
        if not re.match(r"[a-z]+:|#", target):
            place = (document.parent / target.partition("#")[0]).resolve()
            assert place.exists(), f"{document.name} links to {target}, which is not there."


@each
def test_every_make_command_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for name in re.findall(r"`make ([a-z-]+)", document.read_text("utf-8")):
        assert name in targets, f"{document.name} says `make {name}`, which the Makefile does not know."


@each
def test_every_setting_exists(document: Path) -> None:
    known = {f"QUITTANCE_{field.name.upper()}" for field in fields(Settings)}
    for name in set(re.findall(r"\bQUITTANCE_[A-Z_]*[A-Z]\b", document.read_text("utf-8"))):
        ours = name in known or name.startswith("QUITTANCE_TEST_")
        assert ours, f"{document.name} names the setting {name}, which config/settings.py does not know."


REGISTRY = re.compile(
    r"\b(pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|proxy\.golang\.org|crates\.io/api|static\.crates\.io)\b"
    r"|\b(?:artifactory|nexus|devpi)\.[a-z0-9-]+\.[a-z]|--(?:extra-)?index-url\b"
)
MACHINE = re.compile(r"(?<![\w.<>-])/(?:work|root|home|Users)/[\w.-]")
#: a path inside the bare tree that the acceptance run makes for itself
OWN_TREE = {".ci/acceptance"}


def committed() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize(
    ("words", "why", "but_in"),
    [
        (REGISTRY, "names a package registry; packages come from wherever pip is told", set()),
        (MACHINE, "names a folder of one machine; take it from ROOT or tmp_path", OWN_TREE),
    ],
    ids=["registry", "machine"],
)
def test_nothing_that_is_committed_names(words: re.Pattern[str], why: str, but_in: set[str]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    for path in committed():
        if path.relative_to(ROOT).as_posix() in but_in:
            continue
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            assert not words.search(line), f"{path.relative_to(ROOT)}:{number} {why}."


def test_the_two_patterns_bite() -> None:
    for host in ("pypi" + ".org", "files.python" + "hosted.org", "registry.npm" + "js.org", "--index" + "-url"):
        assert REGISTRY.search(f"from https://{host}/simple")
    for folder in ("work", "root", "home"):
        assert MACHINE.search(f'open("/{folder}/someone/file")')
