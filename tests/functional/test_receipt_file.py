"""The receipt as a file: what stands on it, the proof inside, and the check of the sheet by whoever holds it."""

from __future__ import annotations

import dataclasses
import io
import json
from urllib.parse import urlsplit

import pikepdf
import pytest
from sqlalchemy import select, update

from app.audit.checking import check
from app.audit.kinds import Kind
from app.audit.models import LogEntry
from app.audit.sequencer import number_waiting
from app.factory import create_app
from app.journey.payments.access import locked
from app.journey.payments.states import Source
from app.journey.payments.step import correct
from app.journey.receipts.models import Receipt
from app.people.models import Customer
from connectors.contract import Fact
from tests.support.journey import Browser, Journey
from tests.support.sheets import code_on, text_of

PDFA = "{http://www.aiim.org/pdfa/ns/id/}"


def paid(journey: Journey, **bill: str) -> Receipt:
    journey.pay(journey.bill(**{"number": "R-1", "amount": "84.20", **bill}))
    journey.wait(5)
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Receipt)).one()


def file_of(journey: Journey, receipt: Receipt) -> bytes:
    answer = journey.browser.get(f"/receipts/{receipt.id}/pdf")
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert answer.headers["Content-Disposition"] == f"attachment; filename={receipt.number}.pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.get_data()


def look_up(journey: Journey, path: str, *, demo: bool = False) -> tuple[int, str]:
    """As somebody who has the sheet and no account here."""
    settings = dataclasses.replace(journey.services.settings, demo=demo)
    answer = Browser.of(create_app(dataclasses.replace(journey.services, settings=settings))).get(path)
    return answer.status_code, " ".join(answer.get_data(as_text=True).split())


@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_says_what_the_page_says_and_has_the_proof_inside(journey: Journey, language: str) -> None:
    receipt = paid(journey)
    number_waiting(journey.services)
    journey.browser.get(f"/language/{language}")
    content = file_of(journey, receipt)
    page = journey.browser.page(f"/receipts/{receipt.id}")
    said = text_of(content).replace(" ", "").replace("\u2060", "")
    for each in page.select(".sheet h1, .sheet .lede, .sheet th, .sheet td, .sheet dd, .sheet h2, .ground p"):
        words = "".join(each.get_text("").split())
        if "unseen" not in " ".join(str(parent.get("class") or "") for parent in [each, *each.parents]):
            assert words.replace("\u2060", "") in said, each
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert str(pdf.Root.Lang) == {"en": "en-GB", "fr": "fr-FR"}[language]
        [name] = pdf.attachments
        assert name == f"{receipt.number}.proof.json"
        proof = json.loads(pdf.attachments[name].get_file().read_bytes())
    whole = json.loads(journey.browser.get(f"/receipts/{receipt.id}/proof").get_data())
    assert "document" in whole
    assert "document" not in proof  # the file is handed on, and a bill says more of its customer
    assert all(fact in whole["facts"] for fact in proof["facts"])
    assert journey.services.settings.base_url not in json.dumps(proof)
    assert {"receipt.issued", "payment.step"} <= {json.loads(each["entry"])["kind"] for each in proof["facts"]}


def test_it_is_made_to_last(journey: Journey) -> None:
    """What ISO 19005-3 asks for and can be seen from outside. There is no judge of PDF/A here: veraPDF is for Java."""
    receipt = paid(journey)
    number_waiting(journey.services)
    with pikepdf.open(io.BytesIO(file_of(journey, receipt))) as pdf:
        with pdf.open_metadata() as metadata:
            assert (metadata[f"{PDFA}part"], metadata[f"{PDFA}conformance"]) == ("3", "B")
        [intent] = pdf.Root.OutputIntents
        assert intent.S == "/GTS_PDFA1"
        assert len(intent.DestOutputProfile.read_bytes()) > 100
        assert not pdf.is_encrypted
        assert pdf.trailer.ID is not None
        [attached] = pdf.Root.AF
        assert attached.AFRelationship == "/Data"
        assert attached.EF.F.Subtype == "/application/json"
        assert "/JavaScript" not in pdf.Root.get("/Names", {})
        for page in pdf.pages:
            assert "/Annots" not in page  # no link: the address is to be typed or scanned
            for font in page.Resources.Font.values():
                [inner] = font.DescendantFonts
                assert "/FontFile2" in inner.FontDescriptor
                assert "/ToUnicode" in font


def test_before_the_log_has_numbered_it_there_is_a_file_all_the_same(journey: Journey) -> None:
    receipt = paid(journey)
    entry = update(LogEntry).where(LogEntry.subject == receipt.id)
    with journey.services.unit_of_work() as uow:
        number = uow.session.scalars(select(LogEntry.number).where(LogEntry.subject == receipt.id)).one()
        uow.session.execute(entry.values(number=None))
        uow.commit()
    with pikepdf.open(io.BytesIO(file_of(journey, receipt))) as pdf:
        assert list(pdf.attachments) == []
    with journey.services.unit_of_work() as uow:
        uow.session.execute(entry.values(number=number))
        uow.commit()


def test_whoever_has_the_sheet_can_look_it_up(journey: Journey) -> None:
    receipt = paid(journey)
    url = code_on(file_of(journey, receipt))
    assert url.startswith(f"{journey.services.settings.base_url}/verify/receipts/{receipt.number}/")
    path = urlsplit(url).path
    status, said = look_up(journey, path)
    assert status == 200
    shown = ("€84.20", receipt.number, journey.biller.iban[:4], "Horizon Bank", "Times are those of Europe/London")
    for words in ("This receipt is genuine", *shown):
        assert words in said
    with journey.services.unit_of_work() as uow:
        correct(
            uow, locked(uow.session, receipt.payment_id), Fact.REJECTED, source=Source.STATEMENT, evidence="camt:1/1"
        )
        uow.commit()
    status, said = look_up(journey, path)
    assert status == 200
    assert "genuine, and void" in said
    assert "no longer proves that the bill is paid" in said
    assert "Void receipt" in text_of(file_of(journey, receipt))


def test_nothing_is_told_without_the_whole_address(journey: Journey) -> None:
    receipt = paid(journey)
    number, secret = urlsplit(code_on(file_of(journey, receipt))).path.split("/")[-2:]
    swapped = secret.swapcase()
    for path in (
        f"/verify/receipts/{number}/{swapped}",
        f"/verify/receipts/{number}/{secret[:-1]}",
        f"/verify/receipts/{number}/{secret}A",
        f"/verify/receipts/{number}/é",
        f"/verify/receipts/Q-20200101-AAAAAAAA/{secret}",
    ):
        status, said = look_up(journey, path)
        assert status == 404, path
        assert "We know no such receipt" in said
        assert "84.20" not in said
    with journey.services.unit_of_work() as uow:  # its payer's data were erased: the log keeps no more than the leaf
        erased = update(LogEntry).where(LogEntry.subject == receipt.id).values(opening=None, salt=None)
        uow.session.execute(erased)
        uow.commit()
    assert look_up(journey, f"/verify/receipts/{number}/{secret}")[0] == 404


def test_another_customer_has_no_file_of_it(journey: Journey) -> None:
    receipt = paid(journey)
    stranger = Browser.of(journey.app)
    stranger.sign_up(name="Somebody Else", email="else@example.org")
    assert stranger.get(f"/receipts/{receipt.id}/pdf").status_code == 404


def test_nobody_takes_a_receipt_of_the_demonstration_for_one_of_money(journey: Journey) -> None:
    receipt = paid(journey)
    content = file_of(journey, receipt)  # the demo setting is on
    assert "no money moved." in text_of(content)
    path = urlsplit(code_on(content)).path
    status, said = look_up(journey, path, demo=True)
    assert (status, "genuine" in said, "no money moved." in said) == (200, False, True)
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, receipt.customer_id).demo = True
        uow.commit()
    assert look_up(journey, path)[0] == 404  # there are no such customers without it


def test_the_proof_inside_is_checked_as_any_other(journey: Journey) -> None:
    receipt = paid(journey)
    number_waiting(journey.services)
    with pikepdf.open(io.BytesIO(file_of(journey, receipt))) as pdf:
        [inside] = pdf.attachments.values()
        proof = inside.get_file().read_bytes()
    checked = check(proof, journey.services.keys.log.verifier)
    assert checked.document is None
    assert len(checked.of(Kind.RECEIPT_ISSUED)) == 1
