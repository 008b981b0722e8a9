"""The command line: one sentence and the right exit status."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import select

from app.cli import machinery, main
from app.db.engine import make_engine
from app.demo.processes import free_ports
from app.journey.connections import invitations, leaks, rules
from app.journey.connections.service import present
from app.people.models import ApiClient
from app.schedule import Schedule
from app.worker import Worker
from tests.support import factories
from tests.support.demo import PORT_NAMES, environment_for

pytestmark = pytest.mark.slow  # an installation for each


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty installation."""
    for name, value in environment_for(tmp_path / "var", free_ports(len(PORT_NAMES))).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("QUITTANCE_BASE_URL", "https://bills.example")
    monkeypatch.setenv("QUITTANCE_DEMO", "false")
    return tmp_path


@pytest.fixture
def migrated(here: Path, sqlite_template: Path) -> Path:
    """The same with its tables."""
    (here / "var").mkdir()
    shutil.copy(sqlite_template, here / "var" / "quittance.sqlite3")
    return here


APPROVED = ("--approved-by", "ada", "--approved-by", "grace")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-word"],
        ["biller"],
        ["biller", "add", "Name"],
        ["demo", "--walk", "--times", "0"],
        ["demo", "--times", "2"],
        ["demo", "--recurring"],
        ["demo", "--walk", "--recurring", "--all-banks", "--bank", "albion"],
        ["sandbox-bank", "--standard", "polish_api"],
        ["sandbox-bank", "--standard", "stet", "--profile", "fapi2_dpop"],
        ["sandbox-bank", "--standard", "nextgen", "--profile", "fapi2_dpop"],
        ["sandbox-bank", "--port", "8003"],
        ["sandbox-bank", "--standard", "openbanking_uk", "--port", "0"],
        ["sandbox-bank", "--standard", "openbanking_uk", "--profile", "fapi3"],
    ],
)
def test_a_wrong_command_line_is_2(arguments: list[str], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = int(str(ended.code))
    assert status == 2
    assert "quittance" in capsys.readouterr().err


def test_a_wrong_setting_is_one_sentence(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUITTANCE_PROT", "8000")
    assert main(["migrate"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("quittance: unknown setting QUITTANCE_PROT")
    assert said.count("\n") == 1


@pytest.mark.parametrize("word", ["worker", "serve"])
def test_missing_keys_are_one_sentence(here: Path, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended = subprocess.run([sys.executable, "-P", "-m", "app.cli", word], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.endswith("make the keys with `quittance keys init`\n")
    assert "Traceback" not in ended.stderr


def test_a_demo_that_others_could_reach_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 1
    assert "it may only be served on localhost" in capsys.readouterr().err


def test_an_operator_sets_up_a_biller(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "init"]) == 0
    assert main(["migrate"]) == 0
    assert main(["migrate"]) == 0
    capsys.readouterr()
    account = "FR1420041010050500013M02606"
    assert (
        main(
            [
                "biller",
                "add",
                "Eaux du Lac SA",
                "--country",
                "FR",
                "--vat",
                "FR64904172681",
                "--iban",
                account,
                *APPROVED,
            ]
        )
        == 0
    )
    biller_id = capsys.readouterr().out.splitlines()[0]
    keys = here / "jwks.json"
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    keys.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    assert main(["biller", "client", biller_id, "--jwks", str(keys), "--scope", "bills:write"]) == 0
    client_id = capsys.readouterr().out.strip()
    assert main(["biller", "scope", client_id, "bills:write connections:read connections:write"]) == 0
    assert main(["biller", "scope", client_id, "payments:start"]) == 1
    assert main(["biller", "scope", "cli_nobody", "bills:write"]) == 1
    capsys.readouterr()
    assert main(["biller", "webhook", biller_id, "https://example.org/hook"]) == 0
    assert "whsec_" in capsys.readouterr().out
    engine = make_engine(f"sqlite:///{here / 'var' / 'quittance.sqlite3'}")
    with engine.connect() as connection:
        found = connection.execute(select(ApiClient.client_id, ApiClient.biller_id, ApiClient.scope)).all()
    engine.dispose()
    assert [tuple(row) for row in found] == [(client_id, biller_id, "bills:write connections:read connections:write")]


@pytest.mark.usefixtures("migrated")
def test_an_operator_sees_who_is_missed_and_where_addresses_went(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "init"]) == 0
    services = machinery.services()
    who = factories.make_customer(services)
    given, other = factories.make_biller(services, name="Lumen"), factories.make_biller(services, name="Other")
    address = factories.connect(services, customer_id=who.id, biller_id=given.id)
    with services.unit_of_work() as uow:
        for name in ("Eaux du Lac", "Régie du Val"):
            invitations.invite(uow, customer_id=who.id, name=name, reference=None)
        leaks.stray(uow, biller_id=other.id, addresses=[address])
        uow.commit()
    leaks.trace_strays(services)
    capsys.readouterr()
    account = "FR1420041010050500013M02606"
    assert (
        main(
            [
                "biller",
                "add",
                "Régie du Val",
                "--country",
                "FR",
                "--id",
                "siren:904172681",
                "--iban",
                account,
                *APPROVED,
            ]
        )
        == 0
    )
    assert "1 had invited it" in capsys.readouterr().out
    Worker(services, Schedule(services)).run_until_idle()
    assert main(["invitation", "list"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["1", "sent", "0", "accepted", "Eaux", "du", "Lac"],
        ["1", "sent", "1", "accepted", "Régie", "du", "Val"],
    ]
    assert main(["connection", "leaks"]) == 0
    assert "given to Lumen, used by Other once" in capsys.readouterr().out
    nobodys = rules.new_code()
    present(services, biller_id=other.id, code=nobodys, address=None, reference=None)
    capsys.readouterr()
    assert main(["connection", "redemptions"]) == 0
    assert capsys.readouterr().out.split() == ["1", "not", "accepted", "0", "accepted", other.id, "Other"]
    assert main(["connection", "count"]) == 0
    assert capsys.readouterr().out.split() == ["active", "1"]
    services.engine.dispose()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "is not JSON"),
        ("[]", "is not a JWK Set"),
        ('{"keys": []}', "JWK Set with 1 to"),
        (None, "No such file"),
    ],
)
def test_wrong_keys_are_one_sentence(
    migrated: Path, content: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["keys", "init"])
    main(
        [
            "biller",
            "add",
            "Eaux du Lac SA",
            "--country",
            "FR",
            "--id",
            "siren:904172681",
            "--iban",
            "FR1420041010050500013M02606",
            *APPROVED,
        ]
    )
    biller_id = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("blr_"))
    if content is not None:
        (migrated / "jwks.json").write_text(content)
    assert main(["biller", "client", biller_id, "--jwks", str(migrated / "jwks.json")]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
