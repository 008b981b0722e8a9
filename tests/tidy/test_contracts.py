"""The contracts of import-linter hold, and each of them bites: every one is broken once, in a copy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from config.settings import ROOT
from tests.tidy.conftest import PACKAGES

CONFIGURATION: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
CONTRACTS: dict[str, dict[str, Any]] = {one["id"]: one for one in CONFIGURATION["contracts"]}

#: contract → (the file that breaks it, what it says, what the report must name)
OFFENCES = {
    "arrow": ("connectors/offence_arrow.py", "import consent.models", "connectors.offence_arrow -> consent.models"),
    "floors": ("app/db/offence_floors.py", "import app.people.models", "app.db.offence_floors -> app.people.models"),
    "journey": (
        "app/journey/intake/offence_journey.py",
        "import app.journey.payments.models",
        "app.journey.intake.offence_journey -> app.journey.payments.models",
    ),
    "doors": (
        "app/web/customers/offence_doors.py",
        "import app.web.billers.auth",
        "app.web.customers.offence_doors -> app.web.billers.auth",
    ),
    "flask": ("app/journey/invoices/offence_flask.py", "import flask", "app.journey.invoices.offence_flask -> flask"),
    "no-database-in-connectors": (
        "connectors/offence_database.py",
        "import sqlalchemy",
        "connectors.offence_database -> sqlalchemy",
    ),
    "http-out": ("app/people/offence_http.py", "import requests", "app.people.offence_http -> requests"),
    "mail-out": ("app/people/offence_mail.py", "import smtplib", "app.people.offence_mail -> smtplib"),
    "sandbox-bank": (
        "connectors/offence_bank.py",
        "import connectors.sandbox_bank.app",
        "connectors.offence_bank -> connectors.sandbox_bank.app",
    ),
    "settings": (
        "app/journey/offence_settings.py",
        "import config.settings",
        "app.journey.offence_settings -> config.settings",
    ),
    "demo": ("app/web/offence_demo.py", "import app.demo.bills", "app.web.offence_demo -> app.demo.bills"),
}
#: an unlisted room, and an unlisted floor: the lists are exhaustive
UNLISTED = {"floors": ("app/helpers.py", "app.helpers"), "journey": ("app/journey/loyalty.py", "app.journey.loyalty")}


def lint(folder: Path) -> tuple[bool, dict[str, str]]:
    """Whether all contracts hold in ``folder``, and what the report says of each broken one, by its name."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    report = done.stdout + done.stderr
    names = [one["name"] for one in CONTRACTS.values()]
    heading = re.compile(rf"^({'|'.join(map(re.escape, names))})\n-+$", re.MULTILINE)
    parts = heading.split(report.partition("Broken contracts")[2])
    broken = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert done.returncode == 0 or broken, f"lint-imports did not get that far:\n{report}"
    return done.returncode == 0, broken


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages as they are."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            folder / package,
            ignore=lambda _, names: [name for name in names if "." in name and not name.endswith(".py")],
        )
    return folder


@pytest.fixture(scope="module")
def broken(copy: Path) -> dict[str, str]:
    """The report on a copy in which every contract is broken."""
    whole, faults = lint(copy)
    assert whole, "\n".join(f"{name}\n{text}" for name, text in faults.items())
    for path, text, _ in OFFENCES.values():
        (copy / path).write_text(text + "\n", "utf-8")
    for path, _ in UNLISTED.values():
        (copy / path).write_text("", "utf-8")
    return lint(copy)[1]


def test_every_contract_is_broken_once_here() -> None:
    assert OFFENCES.keys() == CONTRACTS.keys(), "A contract that nobody saw bite: add an offence against it here."


@pytest.mark.parametrize("contract", OFFENCES)
def test_a_contract_bites(broken: dict[str, str], contract: str) -> None:
    said = broken.get(CONTRACTS[contract]["name"], "")
    assert OFFENCES[contract][2] in said, f"The contract {contract} lets {OFFENCES[contract][2]} pass."


@pytest.mark.parametrize("contract", UNLISTED)
def test_what_is_on_no_list_is_refused(broken: dict[str, str], contract: str) -> None:
    said = broken.get(CONTRACTS[contract]["name"], "")
    assert UNLISTED[contract][1] in said, (
        f"{UNLISTED[contract][1]} is on no list, and the contract {contract} is silent."
    )


def test_the_list_of_the_journey_is_the_journey() -> None:
    listed = {room for layer in CONTRACTS["journey"]["layers"] for room in re.split(r"\s*[|:]\s*", layer)}
    rooms = {
        path.stem
        for path in (ROOT / "app" / "journey").iterdir()
        if (path / "__init__.py").exists() or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert listed == rooms, "The list of the journey in pyproject.toml is the journey: add the room, or drop it."


def test_every_external_module_of_a_contract_is_one_that_we_have() -> None:
    """A forbidden module that is spelled wrong forbids nothing."""
    for contract in CONTRACTS.values():
        for name in contract.get("forbidden_modules", []):
            module = name.split(".")[0]
            found = any(
                (Path(place) / file).exists() for place in [str(ROOT), *sys.path] for file in (module, f"{module}.py")
            )
            assert found, f"{contract['id']} forbids {name}, which is not installed: is it spelled right?"
