"""The official rules of EN 16931: a report to the biller, which never keeps a bill from its customer."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from lxml import etree
from sqlalchemy import func, select

from app.journey.intake import conformance
from app.journey.intake.formats import schemas
from app.journey.invoices.models import Invoice
from app.services import Services
from app.worker import Worker
from tests.functional.billers.test_billers_api import refused
from tests.support import bills
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms
from tests.support.billers_world import World, json_bill, ubl_bill

UBL = "application/vnd.oasis.ubl+xml"


def place_of(program: Program, content: bytes, media_type: str) -> str:
    answer = program.deliver(content, media_type=media_type)
    assert answer.status_code == 201, answer.text
    return f"{answer.headers['Location']}/conformance"


def test_without_rules_nothing_is_said(
    app: Flask, worker: Worker, world: World, aquarelle: Program, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance, "is_installed", lambda: False)
    place = place_of(aquarelle, ubl_bill(aquarelle, address), UBL)
    worker.run_until_idle()
    answer = aquarelle.get(place)
    conforms(app, answer)
    said = answer.get_json()
    assert said == {
        "bill_id": place.split("/")[-2],
        "status": "not-checked",
        "rules": None,
        "checked_at": None,
        "findings": [],
    }
    refused(app, world.program().get(place), 404, "not-found")
    refused(app, aquarelle.get(f"/api/v1/bills/bill_{32 * '0'}/conformance"), 404, "not-found")


def test_each_profile_has_its_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = schemas.folder()
    found = {}
    for profile in ("minimum", "basicwl", "basic", "en16931", "extended"):
        name = {"en16931": "urn:cen.eu:en16931:2017"}.get(profile, f"urn:factur-x.eu:1p0:{profile}")
        root = etree.fromstring(bills.cii_bill().replace(b"urn:cen.eu:en16931:2017", name.encode()))
        found[profile] = conformance.rules_for(root)
    assert len(set(found.values())) == 5
    for rules in (*found.values(), conformance.rules_for(etree.fromstring(bills.ubl_bill()))):
        assert (folder / rules).is_file(), rules


def test_what_a_bill_does_not_keep_is_told_and_the_bill_stands(
    app: Flask, services: Services, worker: Worker, aquarelle: Program, address: str
) -> None:
    place = place_of(aquarelle, ubl_bill(aquarelle, address), UBL)
    assert aquarelle.get(place).get_json()["status"] == "not-checked"
    worker.run_until_idle()
    answer = aquarelle.get(place)
    conforms(app, answer)
    said = answer.get_json()
    assert (said["status"], said["rules"]) == ("findings", "EN16931-UBL-validation")
    by_rule = {each["rule"]: each for each in said["findings"]}
    assert by_rule["BR-10"] == {
        "rule": "BR-10",
        "severity": "fatal",
        "location": "/Invoice[1]",
        "detail": "An Invoice shall contain the Buyer postal address (BG-8).",
    }
    with services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Invoice)) == 1


def test_a_pdf_is_held_against_the_rules_of_what_is_inside(worker: Worker, aquarelle: Program, address: str) -> None:
    root = conformance.document_of(bills.pdf_bill(("factur-x.xml", bills.cii_bill())), "application/pdf")
    assert root is not None
    findings = conformance._checker.findings(conformance.rules_for(root), root)
    assert "BR-12" in rules_of(findings)


def test_our_json_is_not_checked(worker: Worker, aquarelle: Program, address: str) -> None:
    place = place_of(aquarelle, json_bill(aquarelle, address), "application/json")
    worker.run_until_idle()
    assert aquarelle.get(place).get_json()["status"] == "not-checked"


# ------------------------------------------------------------------------------ the child, whatever becomes of it


ANSWERS = """
import json, sys
FOUND = ["BR-1", "warning", "/*:Invoice[namespace-uri()='urn:x'][1]", "[BR-1]-Text"]
for line in sys.stdin:
    stops = json.loads(line)["rules"].endswith("stops")
    print(json.dumps({"stopped": "a type error"} if stops else {"found": [FOUND]}), flush=True)
"""


def rules_of(findings: list[conformance.Finding] | None) -> list[str]:
    return [each.rule for each in findings or []]


def put(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> conformance._Checker:
    child = folder / "child.py"
    child.write_text(program, "utf-8")
    monkeypatch.setattr(conformance, "_CHILD", child)
    monkeypatch.setattr(conformance, "ANSWER_S", 2.0)
    return conformance._Checker()


#: ends at the first bill, and answers as the next one
ENDS_ONCE = """
import os, sys
if not os.path.exists(__file__ + ".ended"):
    open(__file__ + ".ended", "w").close()
    sys.exit(1)
"""


@pytest.mark.parametrize(
    "program",
    ["", "import sys; sys.stdin.readline(); print('{', end='', flush=True)"],
    ids=["ends", "breaks off"],
)
def test_a_child_that_ends_without_an_answer_says_nothing_about_the_bill(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    checker = put(monkeypatch, tmp_path, program)
    assert checker.findings("rules", etree.fromstring(bills.ubl_bill())) is None
    assert checker._child is None


def test_a_child_that_ends_is_started_anew_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checker = put(monkeypatch, tmp_path, ENDS_ONCE + ANSWERS)
    assert rules_of(checker.findings("rules", etree.fromstring(bills.ubl_bill()))) == ["BR-1"]
    checker.end()


def test_a_bill_whose_child_ends_again_and_again_stays_unchecked(
    worker: Worker, aquarelle: Program, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(conformance, "is_installed", lambda: True)
    monkeypatch.setattr(conformance, "_checker", put(monkeypatch, tmp_path, ""))
    place = place_of(aquarelle, ubl_bill(aquarelle, address), UBL)
    worker.run_until_idle()
    assert aquarelle.get(place).get_json()["status"] == "not-checked"


def test_a_child_that_does_not_answer_in_time_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checker = put(monkeypatch, tmp_path, "import time; time.sleep(60)")
    root = etree.fromstring(bills.ubl_bill())
    [finding] = checker.findings("rules", root) or []
    assert (finding.rule, finding.severity) == ("", "fatal")
    assert checker._child is None


def test_rules_that_stop_are_a_finding_and_the_child_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    checker = put(monkeypatch, tmp_path, ANSWERS)
    root = etree.fromstring(bills.ubl_bill())
    [stopped] = checker.findings("stops", root) or []
    assert stopped.detail == "The rules cannot be applied to this bill: a type error"
    first = checker._child
    [found] = checker.findings("goes", root) or []
    assert (found.rule, found.severity, found.location, found.detail) == ("BR-1", "warning", "/Invoice[1]", "Text")
    assert checker._child is first
    checker._left = 0  # it has done enough
    checker.findings("goes", root)
    assert checker._child is not first
    checker.end()
