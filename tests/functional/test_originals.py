"""The file of a bill: to the customer byte for byte, sealed where it lies, and never a way out of our pages."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import select, update

from app.cli import machinery, main
from app.errors import AppError
from app.journey.intake import originals
from app.journey.intake.models import DeliveredBill, HeldBill, Original
from app.journey.intake.service import Acknowledgement, ClientIdentity, deliver
from app.journey.invoices.models import Invoice
from app.services import Services
from consent.vault import VaultError
from tests.support import factories
from tests.support.bills import SELLER_VAT, cii_bill, json_bill, pdf_bill, ubl_bill
from tests.support.journey import Journey

EVIL = "https://evil.example/pay"


def put(journey: Journey, content: bytes, media_type: str) -> Acknowledgement:
    client = ClientIdentity(client_id=journey.biller.client_id, biller_id=journey.biller.id)
    return deliver(journey.services, client=client, content=content, media_type=media_type, to=journey.address)


def invoice_of(journey: Journey, acknowledged: Acknowledgement) -> str:
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Invoice.id).where(Invoice.bill_id == acknowledged.bill_id)).one()


def files(journey: Journey) -> dict[str, tuple[bytes, str, str]]:
    """A bill of each format, odd on purpose, with its media type and the ending of its download."""
    payee = {"name": journey.biller.name, "iban": journey.biller.iban}
    ours = json_bill(to=journey.address, number="j", payee=payee).replace(b",", b" ,\r\n\t", 1) + b"\n\n"
    ubl = ubl_bill(to=journey.address, number="u", iban=journey.biller.iban, seller_vat=None)
    cii = cii_bill(number="c", to=journey.address, iban=journey.biller.iban)
    cii = cii.replace(SELLER_VAT.encode(), journey.biller.vat_id.encode())
    pdf = pdf_bill(("factur-x.xml", cii.replace(b">c<", b">p<")), page="84,20 EUR")
    return {
        "json": (ours, "application/json", "json"),
        "ubl": (b"\xef\xbb\xbf" + ubl + b"<!-- \xc3\xa9 -->\r\n", "text/xml", "xml"),
        "pdf": (pdf, "application/pdf", "pdf"),
    }


@pytest.mark.parametrize("kind", ["json", "ubl", "pdf"])
def test_the_customer_gets_the_very_bytes_and_a_browser_runs_nothing_of_them(journey: Journey, kind: str) -> None:
    content, media_type, ending = files(journey)[kind]
    invoice_id = invoice_of(journey, put(journey, content, media_type))
    answer = journey.browser.get(f"/bills/{invoice_id}/original")
    assert answer.status_code == 200
    assert answer.data == content
    assert hashlib.sha256(answer.data).hexdigest() == hashlib.sha256(content).hexdigest()
    assert answer.headers["Content-Disposition"] == f"attachment; filename=bill-{invoice_id[-8:]}.{ending}"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].split("; ")[:2] == ["sandbox", "default-src 'none'"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_it_is_sealed_where_it_lies_and_kept_once(journey: Journey) -> None:
    content = files(journey)["json"][0]
    for _ in range(2):
        put(journey, content, "application/json")
    with journey.services.reading() as uow:
        [kept] = uow.session.scalars(select(Original)).all()
        [bill] = uow.session.scalars(select(DeliveredBill)).all()
    assert bill.sha256 == hashlib.sha256(content).hexdigest()
    assert kept.name == originals.name_of(bill.customer_id, bill.sha256)
    assert bill.content is None
    assert journey.address.encode() not in kept.box
    assert b"payee" not in kept.box


def test_a_held_bill_is_sealed_too_and_becomes_the_bill(journey: Journey) -> None:
    acknowledged = journey.deliver(number="h", payee={"name": "Lumen", "iban": "GB33BUKB20201555555555"})
    with journey.services.reading() as uow:
        held = uow.session.get_one(HeldBill, acknowledged.bill_id)
        content = originals.content_of(journey.services.vault, uow.session, held)
    assert (held.content, b"GB33BUKB20201555555555" in content) == (None, True)


@pytest.mark.tampers
def test_what_was_altered_or_swapped_is_not_shown_as_the_original(journey: Journey) -> None:
    first, second = (put(journey, files(journey)[kind][0], files(journey)[kind][1]) for kind in ("json", "ubl"))
    with journey.services.unit_of_work() as uow:
        boxes = {row.name: row.box for row in uow.session.execute(select(Original.name, Original.box))}
        [one, other] = [originals.name_of(journey.customer.id, each.sha256) for each in (first, second)]
        uow.session.execute(update(Original).where(Original.name == one).values(box=boxes[other]))
        uow.commit()
    with journey.services.reading() as uow:
        bill = uow.session.get_one(DeliveredBill, first.bill_id)
        with pytest.raises(VaultError):
            originals.content_of(journey.services.vault, uow.session, bill)


def test_what_an_older_release_kept_in_clear_is_read_and_sealed(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, media_type, _ = files(journey)["json"]
    acknowledged = put(journey, content, media_type)
    with journey.services.unit_of_work() as uow:
        uow.session.execute(Original.__table__.delete())  # type: ignore[attr-defined]
        uow.session.execute(update(DeliveredBill).values(content=content))
        uow.commit()
    invoice_id = invoice_of(journey, acknowledged)
    assert journey.browser.get(f"/bills/{invoice_id}/original").data == content
    monkeypatch.setattr(machinery, "services", lambda: journey.services)
    for said in ("1 sealed\n", "0 sealed\n"):
        assert main(["bill", "seal"]) == 0
        assert capsys.readouterr().out == said
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(DeliveredBill.content)).all() == [None]
    assert journey.browser.get(f"/bills/{invoice_id}/original").data == content


def test_bills_are_sealed_in_small_numbers_of_bytes(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {}
    for number in ("a", "b", "c"):
        payee = {"name": journey.biller.name, "iban": journey.biller.iban}
        content = json_bill(to=journey.address, number=number, payee=payee)
        contents[put(journey, content, "application/json").bill_id] = content
    with journey.services.unit_of_work() as uow:
        for bill_id, content in contents.items():
            uow.session.execute(update(DeliveredBill).where(DeliveredBill.id == bill_id).values(content=content))
        uow.session.execute(Original.__table__.delete())  # type: ignore[attr-defined]
        uow.commit()
    size = len(content)
    for most, sealed in ((1, 1), (2 * size + 1, 2), (size, 0)):
        monkeypatch.setattr(originals, "SEALED_BYTES_AT_ONCE", most)
        assert originals._seal_some(journey.services) == sealed
    with journey.services.reading() as uow:
        bills = uow.session.scalars(select(DeliveredBill)).all()
        kept = originals.contents_of(journey.services.vault, uow.session, bills)
        assert {bill.id: kept[bill.sha256] for bill in bills} == contents
        assert [bill.content for bill in bills] == [None, None, None]


def test_no_address_in_a_bill_is_fetched_or_made_a_link(journey: Journey, services: Services) -> None:
    """That nothing is fetched, tests/conftest.py sees to: who reaches for another host fails its test."""
    lines = [{"description": f"<a href='{EVIL}'>pay here</a> {EVIL}", "amount": "84.20"}]
    note = f"{EVIL} [pay]({EVIL}) javascript:alert(1)"
    invoice_id = journey.bill(
        number="https://evil.example/n", note=note, lines=lines, reference="https://evil.example/r"
    )
    ubl = files(journey)["ubl"][0].replace(
        b"<cac:AccountingSupplierParty>",
        b"<cac:AdditionalDocumentReference><cbc:ID>A</cbc:ID><cac:Attachment><cac:ExternalReference><cbc:URI>"
        + EVIL.encode()
        + b"</cbc:URI></cac:ExternalReference></cac:Attachment></cac:AdditionalDocumentReference>"
        b"<cac:AccountingSupplierParty>",
        1,
    )
    second = invoice_of(journey, put(journey, ubl, "application/xml"))
    for path in ("/bills", f"/bills/{invoice_id}", f"/bills/{invoice_id}/pay", f"/bills/{second}"):
        page = journey.browser.page(path)
        for tag in page.find_all(True):
            for name, value in tag.attrs.items():
                if name in ("href", "src", "action", "formaction", "srcset", "style", "data-href"):
                    assert "evil" not in str(value), (path, tag)
                    assert not str(value).startswith(("javascript", "//")), (path, tag)
    assert EVIL in journey.browser.page(f"/bills/{invoice_id}").get_text()  # it is shown, as text


def test_a_bill_whose_file_is_gone_is_a_fault_of_ours_and_says_so(journey: Journey) -> None:
    with journey.services.reading() as uow, pytest.raises((VaultError, AppError)):
        originals.content_of(journey.services.vault, uow.session, DeliveredBill(sha256="0" * 64, content=None))


def test_bytes_of_an_older_release_stay_for_whoever_else_has_them_delivered_or_held(journey: Journey) -> None:
    content = files(journey)["json"][0]
    put(journey, content, "application/json")
    other = factories.make_customer(journey.services)
    with journey.services.unit_of_work() as uow:
        [bill] = uow.session.scalars(select(DeliveredBill)).all()
        box = journey.services.vault.seal(f"original:{bill.sha256}", content)
        uow.session.add(Original(name=bill.sha256, box=box, kept_at=uow.now))
        same = ("biller_id", "client_id", "number", "currency", "amount_minor", "media_type", "sha256")
        held = {name: getattr(bill, name) for name in same}
        uow.session.add(HeldBill(**held, id="hld_x", customer_id=other.id, reasons=[], held_at=uow.now))
        uow.session.flush()
        originals.drop_of(uow.session, journey.customer.id)
        assert uow.session.scalars(select(Original.name)).all() == [bill.sha256]
        originals.drop_of(uow.session, other.id)
        assert uow.session.scalars(select(Original.name)).all() == [bill.sha256]
