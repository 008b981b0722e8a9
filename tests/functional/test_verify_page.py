"""The page that checks proofs, saved to a disk and opened with the network off, in a real browser."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from app.audit.sequencer import number_waiting
from app.journey.invoices.models import Invoice
from app.people.sealing_keys import revoke_key
from tests.support.journey import Journey
from tests.support.provenance import deliver_sealed, register_key
from tests.support.sealing import SealingKeyMade

Proof = dict[str, Any]

pytestmark = pytest.mark.browser


@pytest.fixture
def saved(journey: Journey, tmp_path: Path) -> Path:
    """The page as its link saves it."""
    answer = journey.browser.get("/verify?save=yes")
    assert answer.headers["Content-Disposition"] == "attachment; filename=quittance-verify.html"
    path = tmp_path / "quittance-verify.html"
    path.write_bytes(answer.data)
    return path


@pytest.fixture
def offline(chromium: Browser, saved: Path) -> Iterator[Page]:
    """That page in a browser without a network, which complains of nothing and asks nobody."""
    context = chromium.new_context(offline=True)
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda asked: troubles.append(asked.url) if not asked.url.startswith("file:") else None)
    page.goto(saved.as_uri())
    yield page
    context.close()
    # the stylesheet names its fonts; the page's own policy keeps the browser from looking for them
    assert [each for each in troubles if "font" not in each] == []


def verdict(page: Page, tmp_path: Path, proof: Proof | bytes) -> str:
    file = tmp_path / f"{uuid.uuid4().hex}.proof.json"
    file.write_bytes(proof if isinstance(proof, bytes) else json.dumps(proof).encode())
    page.evaluate("document.getElementById('verdict').hidden = true")
    page.set_input_files("#proof", str(file))
    page.wait_for_selector("#verdict:not([hidden])")
    return page.inner_text("#verdict")


def proof_of_bill(journey: Journey, key: SealingKeyMade) -> Proof:
    invoice_id = deliver_sealed(journey, key)
    answer: Proof = json.loads(journey.browser.get(f"/bills/{invoice_id}/proof").data)
    return answer


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_a_sealed_bill_is_genuine(journey: Journey, offline: Page, tmp_path: Path, alg: str) -> None:
    key = register_key(journey, alg)
    said = verdict(offline, tmp_path, proof_of_bill(journey, key))
    assert "Genuine" in said
    for each in (journey.biller.name, journey.biller.vat_id, "€84.20", key.kid, "unaltered"):
        assert each in said, (each, said)


def test_a_receipt_is_genuine(journey: Journey, offline: Page, tmp_path: Path) -> None:
    journey.pay(deliver_sealed(journey, register_key(journey)))
    journey.wait(60)
    number_waiting(journey.services)
    link = journey.browser.page("/receipts").select_one("a[href^='/receipts/rcp_']")
    assert link is not None
    said = verdict(offline, tmp_path, journey.browser.get(f"{link['href']}/proof").data)
    assert "Genuine" in said
    assert "paid" in said


def altered(proof: Proof, change: Callable[[Proof], object]) -> Proof:
    copy: Proof = json.loads(json.dumps(proof))
    change(copy)
    return copy


def test_what_was_altered_is_not_proven(journey: Journey, offline: Page, tmp_path: Path) -> None:
    key = register_key(journey)
    proof = proof_of_bill(journey, key)
    document = base64.b64decode(proof["document"])
    flipped = base64.b64encode(bytes([document[0] ^ 1]) + document[1:]).decode()
    delivery = next(i for i, fact in enumerate(proof["facts"]) if '"bill.delivered"' in fact["entry"])
    of_delivery = proof["facts"][delivery]
    for change, sentence in (
        (lambda each: each.update(document=flipped), "The file in it is not the one that was delivered"),
        (lambda each: each["facts"][delivery].update(says=of_delivery["says"].replace("8420", "8421")), "was altered"),
        (lambda each: each["facts"][delivery].update(number=of_delivery["number"] - 1), "does not stand in the log"),
        (lambda each: each.update(checkpoint=proof["checkpoint"].replace("\n", "\n1", 1)), "signature is not right"),
        (lambda each: each.update(log=proof["log"].replace("quittance", "another")), "of another installation"),
        (lambda each: each.update(facts=[]), "not a proof from Quittance"),
    ):
        said = verdict(offline, tmp_path, altered(proof, change))
        assert "Not proven" in said
        assert sentence in said, (sentence, said)
    assert "not a proof" in verdict(offline, tmp_path, b"%PDF-1.7")
    assert "Genuine" in verdict(offline, tmp_path, proof)


def test_a_key_that_was_taken_back_proves_nothing(journey: Journey, offline: Page, tmp_path: Path) -> None:
    key = register_key(journey)
    invoice_id = deliver_sealed(journey, key)
    with journey.services.unit_of_work() as uow:
        delivered_at = uow.session.scalars(select(Invoice.received_at).where(Invoice.id == invoice_id)).one()
        revoke_key(uow, key_id=key.id, because="it was stolen", since=delivered_at)
        uow.commit()
    number_waiting(journey.services)
    said = verdict(offline, tmp_path, journey.browser.get(f"/bills/{invoice_id}/proof").data)
    assert "Unaltered, but its seal does not count" in said
    assert "with a key that the company took back" in said
