"""Sealed bills, the log, and proofs that a stranger checks: through the doors, and by who has nothing but a file."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from sqlalchemy import func, select, text

from app.audit.checking import Checked, check
from app.audit.kinds import Kind
from app.audit.sequencer import number_waiting
from app.errors import AppError
from app.journey.intake import uploads
from app.journey.intake.formats.bulk import split
from app.journey.intake.models import DeliveredBill
from app.journey.intake.service import ClientIdentity
from app.journey.invoices.models import Invoice
from app.people.sealing_keys import revoke_key
from app.services import Services
from tests.support.journey import Journey
from tests.support.provenance import bill_of, opened, put, register_key
from tests.support.sealing import SealingKeyMade, compact, new_sealing_key, seal


@pytest.fixture
def key(journey: Journey) -> SealingKeyMade:
    return register_key(journey)


def checked(services: Services, proof: bytes) -> Checked:
    return check(proof, services.keys.log.verifier)


@pytest.mark.parametrize("alg", ["ES256", "PS256", "Ed25519"])
def test_a_sealed_bill_is_proven_to_a_stranger(journey: Journey, alg: str) -> None:
    key = register_key(journey, alg)
    content = bill_of(journey)
    invoice_id = opened(journey, put(journey, content, seal=seal(key, content)))
    answer = journey.browser.get(f"/bills/{invoice_id}/proof")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f"attachment; filename=bill-{invoice_id[-8:]}.proof.json"
    found = checked(journey.services, answer.data)
    assert found.document == content
    assert found.sealed_by is not None
    assert found.sealed_by.says["kid"] == key.kid
    (biller,) = found.of(Kind.BILLER_REGISTERED)
    assert biller.says["name"] == journey.biller.name


def test_a_receipt_is_proven_from_the_decision_to_the_bank(journey: Journey, key: SealingKeyMade) -> None:
    content = bill_of(journey)
    invoice_id = opened(journey, put(journey, content, seal=seal(key, content)))
    payment_id = journey.pay(invoice_id)
    journey.wait(60)
    number_waiting(journey.services)
    receipt = journey.browser.page("/receipts").select_one("a[href^='/receipts/rcp_']")
    assert receipt is not None
    found = checked(journey.services, journey.browser.get(f"{receipt['href']}/proof").data)
    (decided,) = found.of(Kind.PAYMENT_DECIDED)
    assert (decided.says["payment_id"], decided.says["payee_iban"]) == (payment_id, journey.biller.iban)
    assert [step.says["after"] for step in found.of(Kind.PAYMENT_STEP)][-1] == "settled"
    assert {call.says["verb"] for call in found.of(Kind.BANK_CALL)} >= {"initiate"}
    assert found.document == content
    # nobody who is told of one bill learns anything of another
    assert {fact.says.get("payment_id", payment_id) for fact in found.facts} == {payment_id}


def test_a_seal_that_is_not_over_these_bytes_writes_nothing(journey: Journey, key: SealingKeyMade) -> None:
    content = bill_of(journey)
    for said, sealed, code in (
        (content.replace(b"84.20", b"94.20"), seal(key, content), "seal-wrong"),
        (content, seal(new_sealing_key(), content), "seal-key-unknown"),
        (content, seal(new_sealing_key(kid=key.kid), content), "seal-wrong"),
        (content, seal(key, content)[:-4] + "AAAA", "seal-wrong"),
        (content, seal(key, content, b64=True, crit=["b64"]), "seal-key-unknown"),
        (content, "..", "seal-key-unknown"),
    ):
        with pytest.raises(AppError) as refused:
            put(journey, said, seal=sealed)
        assert refused.value.code == code
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(DeliveredBill)) == 0


def test_who_seals_its_bills_seals_all_of_them(journey: Journey, key: SealingKeyMade) -> None:
    """Who only got into a biller's access has not got its key."""
    content = bill_of(journey)
    held = put(journey, content)
    assert [doubt.code for doubt in held.held] == ["seal-missing"]
    taken = put(journey, content, seal=seal(key, content))
    assert (taken.held, taken.created) == ((), True)


def test_keys_are_exchanged_and_taken_back(journey: Journey, key: SealingKeyMade) -> None:
    first = bill_of(journey, "2026-1")
    invoice_id = opened(journey, put(journey, first, seal=seal(key, first)))
    second_key = register_key(journey, "Ed25519")
    for number, with_key in (("2026-2", key), ("2026-3", second_key)):
        content = bill_of(journey, number)
        assert put(journey, content, seal=seal(with_key, content)).held == ()
    assert "genuine" in genuine(journey, invoice_id)
    with journey.services.unit_of_work() as uow:
        revoke_key(uow, key_id=key.id, because="its laptop was stolen", since=uow.now - dt.timedelta(days=2))
        uow.commit()
    number_waiting(journey.services)
    fourth = bill_of(journey, "2026-4")
    with pytest.raises(AppError) as refused:
        put(journey, fourth, seal=seal(key, fourth))
    assert refused.value.code == "seal-key-over"
    found = checked(journey.services, journey.browser.get(f"/bills/{invoice_id}/proof").data)
    assert found.sealed_by is None
    assert "took the key back" in (found.seal_over or "")
    assert "taken back" in genuine(journey, invoice_id)


def test_a_page_believes_no_row_that_says_that_it_is_sealed(journey: Journey) -> None:
    """Whoever may write into the database makes no bill genuine."""
    invoice_id = opened(journey, put(journey, bill_of(journey)))
    key = register_key(journey)
    content = bill_of(journey, "2026-2")
    other = opened(journey, put(journey, content, seal=seal(key, content)))
    assert "genuine" in genuine(journey, other)
    assert "did not seal the file" in genuine(journey, invoice_id)
    with journey.services.engine.begin() as connection:
        lie = {"seal": seal(key, content), "key": key.id, "number": "2026-1"}
        connection.execute(text("UPDATE delivered_bill SET seal = :seal, key_id = :key WHERE number = :number"), lie)
    assert "does not fit the file" in genuine(journey, invoice_id)
    said = journey.browser.page(f"/bills/{invoice_id}").get_text(" ", strip=True)
    assert "This bill cannot be paid here" in said
    assert "Check and pay" not in said
    confirm = journey.browser.get(f"/bills/{invoice_id}/pay")
    assert (confirm.status_code, confirm.headers["Location"]) == (303, f"/bills/{invoice_id}")
    assert journey.browser.get(f"/bills/{other}/pay").status_code == 200


def genuine(journey: Journey, invoice_id: str) -> str:
    """What the page says of where the bill comes from."""
    said = journey.browser.page(f"/bills/{invoice_id}").select_one("[data-origin]")
    assert said is not None
    return said.get_text(" ", strip=True)


def test_a_file_of_many_bills_has_sealed_lines(journey: Journey, key: SealingKeyMade) -> None:
    sealed = bill_of(journey, "2026-1")
    lines = [
        json.dumps(compact(key, sealed)).encode(),
        bill_of(journey, "2026-2"),
        json.dumps(compact(key, bill_of(journey, "2026-3"))[:-4] + "AAAA").encode(),
        b'"no.seal"',
    ]
    assert sent_together(journey, lines) == ["delivered", "held", "refused", "refused"]
    journey.worker.run_until_idle()
    number_waiting(journey.services)
    with journey.services.reading() as uow:
        row = uow.session.scalars(select(DeliveredBill)).one()
        invoice_id = uow.session.scalars(select(Invoice.id)).one()
    assert (row.number, row.key_id) == ("2026-1", key.id)
    found = checked(journey.services, journey.browser.get(f"/bills/{invoice_id}/proof").data)
    assert found.document == sealed
    assert found.sealed_by is not None


def sent_together(journey: Journey, lines: list[bytes]) -> list[str]:
    """One file with these lines. Returns what became of each."""
    client = ClientIdentity(client_id=journey.biller.client_id, biller_id=journey.biller.id)
    content = split(b"\n".join(lines))
    sent = uploads.receive(journey.services, client=client, media_type="application/x-ndjson", lines=content)
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        of_lines = uploads.lines_of(uow.session, upload_id=sent.id, biller_id=journey.biller.id, after=0, outcome=None)
    return [line.outcome for line in of_lines.lines]
