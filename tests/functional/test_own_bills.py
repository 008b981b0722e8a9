"""A customer adds a bill of a company that is not here: it is read, checked, kept apart, and removed whole."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.db.events import EventRow
from app.errors import Conflict
from app.journey.intake import own_bills
from app.journey.intake.models import OwnBill
from app.journey.intake.own_bills import DRAFT_LIFE, DRAFTS_MOST, checked
from app.journey.invoices.access import payee_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.own import keep as keep_own
from app.journey.ledger.models import LedgerBalance, LedgerEntry
from app.journey.webhooks.models import WebhookMessage
from app.people.mailboxes import customers_with_address
from app.people.models import Customer
from app.schedule import Schedule
from app.web.customers import limits
from consent import sign_ins
from consent.models import SignIn, Trip
from tests.support import factories
from tests.support.bills import IBAN as OTHER_IBAN
from tests.support.bills import cii_bill, pdf_bill
from tests.support.journey import ORIGIN, Browser, Journey
from tests.support.own_bills import add, begin, form_of, keep, post_code, post_file, words
from tests.support.pictures import IBAN, REFERENCE, as_file, epc_text, page


def rows(journey: Journey, table: type) -> int:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(func.count()).select_from(table)).one()


def test_a_photo_is_read_checked_and_kept_as_not_verified(journey: Journey) -> None:
    photo = as_file(page(epc_text()))
    answer = post_file(journey.browser, photo, field="photo", name="../../IMG_0001.HEIC")
    path = answer.headers["Location"]
    assert form_of(journey.browser, path) == {
        "payee": "Dachdeckerei Brandt",
        "iban": "DE75 5121 0800 1245 1261 99",
        "amount": "184.50",
        "currency": "EUR",
        "due_on": "",
        "reference": REFERENCE,
        "number": "",
    }
    kept = keep(journey.browser, path, due_on="2026-12-15")
    assert kept.status_code == 303
    bill = journey.browser.page(kept.headers["Location"])
    said = " ".join(bill.get_text(" ", strip=True).split())
    assert "Not verified · added by you" in said
    assert "Dachdeckerei Brandt" in said
    assert "Tuesday, 15 December 2026" in said
    invoice = journey.invoice(kept.headers["Location"].rsplit("/", 1)[-1])
    assert (invoice.bill_id, invoice.biller_id, invoice.payee_iban) == (None, None, IBAN)
    assert (invoice.amount_minor, invoice.due_on, invoice.number) == (18450, dt.date(2026, 12, 15), REFERENCE)
    # the very bytes come back, as a download that no browser runs
    original = journey.browser.get(f"/bills/{invoice.id}/original")
    assert original.data == photo
    assert original.headers["Content-Disposition"].endswith(f"filename=bill-{invoice.id[-8:]}.jpg")
    assert original.headers["Content-Type"] == "application/octet-stream"
    assert "sandbox" in original.headers["Content-Security-Policy"]


def test_it_is_dressed_like_no_delivered_bill(journey: Journey) -> None:
    delivered, own = journey.bill(), add(journey.browser)
    for path in (f"/bills/{own}", "/bills"):
        drawn = journey.browser.page(path)
        for card in drawn.select(".card"):
            if card.select_one(f'a[href="/bills/{own}"]'):
                assert "own" in card["class"]
                assert not card.select(".badge, svg, .chip")
    drawn = journey.browser.page(f"/bills/{own}")
    assert not drawn.select("main .badge, main svg")
    assert not drawn.select('a[href^="/companies/"]')
    assert "verified access" not in words(journey.browser, f"/bills/{own}")
    assert "verified access" in words(journey.browser, f"/bills/{delivered}")


def test_it_is_never_in_one_sum_with_delivered_bills(journey: Journey) -> None:
    journey.bill(amount="84.20")
    add(journey.browser)
    said = words(journey.browser, "/bills")
    assert "€84.20 to pay, on 1 bill and €184.50 on 1 bill that you added yourself" in said
    assert "€268.70" not in said


def test_every_value_is_the_customer_s_until_it_is_kept(journey: Journey) -> None:
    path = begin(journey.browser)
    answer = keep(
        journey.browser,
        path,
        payee="Brandt Dächer",
        iban=OTHER_IBAN.lower(),
        amount="1 184,50",
        reference="Dach",
        number="7",
    )
    invoice = journey.invoice(answer.headers["Location"].rsplit("/", 1)[-1])
    assert (invoice.payee_name, invoice.payee_iban, invoice.amount_minor) == ("Brandt Dächer", OTHER_IBAN, 118450)
    assert (invoice.reference, invoice.number) == ("Dach", "7")
    # and from then on nobody's: the form leads to the bill, whoever sends it again
    again = keep_again(journey.browser, path)
    assert again.headers["Location"] == answer.headers["Location"]
    assert journey.invoice(invoice.id).payee_name == "Brandt Dächer"
    assert rows(journey, Invoice) == 1


def keep_again(browser: Browser, path: str) -> TestResponse:
    form = {"payee": "X", "iban": IBAN, "amount": "1", "currency": "EUR", "reference": "X"}
    return browser.post(path, token=browser.token("/bills/add"), form=form)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"payee": " "}, "payee"),
        ({"payee": "x" * 71}, "payee"),
        ({"payee": "Dach\u202eBrandt"}, "payee"),
        ({"payee": "EDF ✓ Verified"}, "payee"),  # and other marks that look like ours
        ({"payee": "☑ Came in through verified access"}, "payee"),
        ({"payee": "Εταιρεία Ύδρευσης"}, "payee"),  # no bank carries it
        ({"payee": "Lum\u0435n Énergie"}, "payee"),
        ({"payee": "ß" * 36}, "payee"),  # each is two letters at a bank
        ({"iban": "DE76512108001245126199"}, "iban"),
        ({"iban": ""}, "iban"),
        ({"iban": "https://example.org/pay"}, "iban"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "1.184"}, "amount"),  # a thousand, or one and some mills?
        ({"amount": "1e5"}, "amount"),
        ({"amount": "१२"}, "amount"),
        ({"amount": "9" * 16}, "amount"),
        ({"amount": "1000000000"}, "amount"),
        ({"currency": "XXX"}, "currency"),
        ({"due_on": "2026-02-30"}, "due_on"),
        ({"due_on": "1926-02-03"}, "due_on"),
        ({"reference": ""}, "reference"),
        ({"reference": "RF00539007547034"}, "reference"),
        ({"reference": "a\u200bb"}, "reference"),
        ({"reference": "Сч. 77"}, "reference"),
        ({"number": "x" * 101}, "number"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_kept(journey: Journey, changes: dict[str, str], field: str) -> None:
    path = begin(journey.browser, epc_text())
    answer = keep(journey.browser, path, **changes)
    assert answer.status_code == 422
    assert "Nothing was kept." in answer.text
    assert faults_of(answer.text) in ({field}, {field, "amount"})
    assert rows(journey, Invoice) == 0


def faults_of(html: str) -> set[str]:
    drawn = BeautifulSoup(html, "html.parser")
    return {str(each["name"]) for each in drawn.select("[aria-invalid=true]")}


@pytest.mark.parametrize(
    ("written", "minor"),
    [("184,5", 18450), ("1'184.50", 118450), ("1.184,50", 118450), ("1,184.50", 118450), ("1 184", 118400)],
)
def test_an_amount_may_be_written_in_every_country_s_way(journey: Journey, written: str, minor: int) -> None:
    assert journey.invoice(add(journey.browser, amount=written)).amount_minor == minor


def test_the_page_beside_the_form_was_drawn_by_us(journey: Journey) -> None:
    path = begin(journey.browser, pdf_bill(("factur-x.xml", cii_bill()), page="84,20 EUR"))
    image = journey.browser.page(path).select_one("img.page-picture")
    assert image is not None
    assert image["src"] == f"{path}/picture"
    picture = journey.browser.get(f"{path}/picture")
    assert (picture.mimetype, picture.data[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert "sandbox" in picture.headers["Content-Security-Policy"]
    code = begin(journey.browser, epc_text())
    assert not journey.browser.page(code).select("img")
    assert journey.browser.get(f"{code}/picture").status_code == 404


def test_what_differs_in_the_file_is_said_and_left_empty(journey: Journey) -> None:
    path = begin(journey.browser, as_file(page(epc_text(), epc_text(iban=OTHER_IBAN))))
    assert form_of(journey.browser, path)["iban"] == ""
    assert "stuck one code over another" in words(journey.browser, path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html><script>alert(1)</script>", "neither a PDF nor a picture"),
        (b"\xff\xd8\xff no picture", "cannot be read"),
        (pdf_bill(("factur-x.xml", cii_bill(type_code="381"))), "nothing to pay"),
        (b"", "neither a PDF nor a picture"),
    ],
)
def test_what_cannot_be_taken_says_why(journey: Journey, content: bytes, said: str) -> None:
    answer = post_file(journey.browser, content)
    assert answer.status_code == 422
    assert said in answer.text
    assert rows(journey, OwnBill) == 0


def test_nothing_and_no_code_are_told_apart(journey: Journey) -> None:
    assert "Choose a file, take a photo or paste a code." in post_code(journey.browser, " ").text
    answer = post_code(journey.browser, "BCD\nnonsense <script>")
    assert answer.status_code == 422
    assert "We cannot read this as a payment code" in answer.text
    assert "<script>" not in answer.text.split("</head>", 1)[1].replace("&lt;script&gt;", "")


def test_a_large_body_is_not_read_at_all(journey: Journey, journeys: Callable[[], Journey]) -> None:
    """Above the file's limit from whoever may add one; above that of forms from anybody else, and anywhere else."""
    answer = post_file(journey.browser, b"\xff\xd8\xff" + b"x" * limits.FILE_MOST)
    assert answer.status_code == 413
    assert "10 MB" in answer.text
    stranger = Browser.of(journey.app)
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}
    for browser, path in ((stranger, "/bills/add"), (journey.browser, "/companies/invite")):
        answer = browser.client.post(path, base_url=ORIGIN, headers=headers, data=b"x=" + b"y" * limits.BODY_MOST)
        assert answer.status_code in (403, 413)
    assert rows(journey, OwnBill) == 0


def test_a_form_of_another_site_adds_nothing(journey: Journey) -> None:
    form = {"code": epc_text()}
    answer = journey.browser.client.post("/bills/add", base_url=ORIGIN, data=form)
    assert answer.status_code == 403
    answer = journey.browser.client.post(
        "/bills/add", base_url=ORIGIN, data=form, headers={"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}
    )
    assert answer.status_code == 403
    assert rows(journey, OwnBill) == 0


def test_adding_is_slowed_down(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADDING_LIMIT", "2 per hour")
    assert [post_code(journey.browser, epc_text()).status_code for _ in range(3)] == [303, 303, 429]


def test_drawing_is_slowed_down_and_what_cannot_be_drawn_counts(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DRAWING_LIMIT", "2 per hour")
    path = begin(journey.browser)
    assert journey.browser.get(f"{path}/picture").status_code == 200
    assert journey.browser.get("/bills/add/own_none/picture").status_code == 404
    assert journey.browser.get(f"{path}/picture").status_code == 429


def test_signing_up_is_slowed_down_by_address(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new customer has place for files of their own."""
    monkeypatch.setattr(limits, "SIGN_UP_LIMIT", "2 per hour")
    for number in range(2):
        Browser.of(journey.app).sign_up(name=f"Noa {number}", email=f"noa-{number}@example.org")
    assert begin_sign_up(journey.app) == 429
    with journey.services.reading() as uow:
        assert len([each for each in uow.session.scalars(select(Customer)) if each.email.startswith("noa")]) == 2


def test_whoever_begins_to_sign_up_and_does_not_shuts_nobody_out(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An office has one address, and so has a carrier's net; to begin keeps nothing, but has a bound too."""
    monkeypatch.setattr(limits, "SIGN_UP_LIMIT", "2 per hour")
    monkeypatch.setattr(limits, "BEGINNING_LIMIT", "6 per hour")
    assert [begin_sign_up(journey.app) for _ in range(5)] == [200] * 5
    stranger = Browser.of(journey.app)
    stray = {"ceremony": "none", "credential": {}}
    refused = [stranger.post("/passkeys/new/done", token=stranger.token("/"), data=stray) for _ in range(3)]
    assert 429 not in [answer.status_code for answer in refused]
    Browser.of(journey.app).sign_up(name="Noa", email="noa@example.org")
    assert begin_sign_up(journey.app) == 429


def test_no_more_are_finished_than_may_be_however_many_were_begun(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SIGN_UP_LIMIT", "1 per hour")
    late = Browser.of(journey.app)
    token = late.token("/")
    started = late.post("/passkeys/new", token=token, data={"name": "Noa", "email": "noa@example.org"}).get_json()
    done = {"ceremony": started["ceremony"], "credential": late.device.make(started["publicKey"])}
    Browser.of(journey.app).sign_up(name="Lou", email="lou@example.org")
    assert late.post("/passkeys/new/done", token=token, data=done).status_code == 429
    with journey.services.reading() as uow:
        assert customers_with_address(uow.session, "noa@example.org") == []


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 429),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", 200),
        ("192.0.2.1", "192.0.2.2", 200),
        ("192.0.2.1", "::ffff:192.0.2.1", 429),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", 200),
    ],
)
def test_who_has_64_bits_of_addresses_is_one(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, one: str, other: str, answer: int
) -> None:
    monkeypatch.setattr(limits, "BEGINNING_LIMIT", "1 per hour")
    assert begin_sign_up(journey.app, one) == 200
    assert begin_sign_up(journey.app, other) == answer


def begin_sign_up(app: Flask, address: str = "127.0.0.1") -> int:
    stranger = Browser.of(app)
    stranger.client.environ_base["REMOTE_ADDR"] = address
    wanted = {"name": "Noa Petit", "email": "noa@example.org"}
    return stranger.post("/passkeys/new", token=stranger.token("/"), data=wanted).status_code


def test_the_same_file_is_one_draft_and_drafts_have_a_bound(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    assert begin(journey.browser, epc_text()) == begin(journey.browser, epc_text())
    for number in range(1, DRAFTS_MOST):
        begin(journey.browser, epc_text(payee=f"Payee {number}"))
    answer = post_code(journey.browser, epc_text(payee="One more"))
    assert answer.status_code == 409
    assert "as many bills as we keep" in answer.text
    # thrown away is gone, and there is place again
    path = begin(journey.browser, epc_text())
    assert journey.browser.post(f"{path}/discard", token=journey.browser.token(path)).status_code == 303
    assert journey.browser.get(path).status_code == 404
    begin(journey.browser, epc_text(payee="One more"))


def test_what_is_not_checked_within_a_week_is_gone(journey: Journey) -> None:
    path, kept = begin(journey.browser), add(journey.browser)
    journey.clock.tick(days=DRAFT_LIFE.days - 1)
    Schedule(journey.services).run_due()
    with journey.services.reading() as uow:
        assert len(uow.session.scalars(select(OwnBill.id)).all()) == 2
    journey.clock.tick(days=1)
    Schedule(journey.services).run_due()
    with journey.services.reading() as uow:
        own_ids = uow.session.scalars(select(OwnBill.id)).all()
    assert own_ids == [journey.invoice(kept).own_bill_id]
    assert path.rsplit("/", 1)[-1] not in own_ids


def test_nobody_else_sees_or_changes_it(journey: Journey, journeys: Callable[[], Journey]) -> None:
    path, invoice_id = begin(journey.browser), add(journey.browser)
    other = Browser.of(journey.app)
    other.sign_up(name="Noa Petit", email="noa@example.org")
    token = other.token("/bills/add")
    for address in (path, f"{path}/picture", f"/bills/{invoice_id}", f"/bills/{invoice_id}/original"):
        assert other.get(address).status_code == 404
    form = {"payee": "X", "iban": IBAN, "amount": "1", "currency": "EUR", "reference": "X"}
    assert other.post(path, token=token, form=form).status_code == 404
    assert other.post(f"{path}/discard", token=token).status_code == 404
    assert other.post(f"/bills/{invoice_id}/remove", token=token).status_code == 404
    assert rows(journey, OwnBill) == 2


def test_a_removed_bill_leaves_nothing(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    delivered = journey.bill()
    remaining = rows(journey, LedgerEntry)
    token = journey.browser.token("/bills")
    assert journey.browser.post(f"/bills/{invoice_id}/remove", token=token).status_code == 303
    assert journey.browser.get(f"/bills/{invoice_id}").status_code == 404
    assert (rows(journey, OwnBill), rows(journey, Invoice)) == (0, 1)
    assert (rows(journey, LedgerEntry), rows(journey, LedgerBalance)) == (remaining - 2, 1)
    # what was delivered stays: only its biller takes it back
    assert journey.browser.post(f"/bills/{delivered}/remove", token=token).status_code == 404
    assert journey.browser.get(f"/bills/{delivered}").status_code == 200


def test_no_biller_is_told_and_no_biller_sees_it(journey: Journey) -> None:
    events, messages = rows(journey, EventRow), rows(journey, WebhookMessage)
    invoice_id = add(journey.browser)
    journey.clock.tick(days=30)
    journey.worker.run_until_idle()
    Schedule(journey.services).run_due()
    journey.worker.run_until_idle()
    assert (rows(journey, EventRow), rows(journey, WebhookMessage)) == (events, messages)
    assert journey.invoice(invoice_id).unseen_at is None


def test_a_likeness_of_a_company_with_another_account_is_said_loudly(journey: Journey) -> None:
    invoice_id = add(journey.browser, payee="Lumen Energie SA", iban=IBAN)
    page_of_it = journey.browser.page(f"/bills/{invoice_id}")
    loud = page_of_it.select_one(".notice.problem")
    assert loud is not None
    assert "Careful: Lumen Énergie has no such account." in loud.get_text(" ", strip=True)
    # the same with what is taken for its letters; not with the company's own account, nor for another name
    for forged in ("Lurnen Energie", "LUMEN ENERG1E", "Łumen Énergie"):
        assert "Careful" in words(journey.browser, f"/bills/{add(journey.browser, payee=forged, iban=IBAN)}")
    own_account = add(journey.browser, payee="Lumen Énergie", iban=journey.biller.iban)
    assert "Careful" not in words(journey.browser, f"/bills/{own_account}")
    other = add(journey.browser, payee="Dachdeckerei Brandt")
    assert "Careful" not in words(journey.browser, f"/bills/{other}")


def test_a_payee_that_is_called_like_this_service_is_said_loudly(journey: Journey) -> None:
    said = words(journey.browser, f"/bills/{add(journey.browser, payee='Quittance - verified biller')}")
    assert "Careful: Quittance has no such account." in said
    assert "nobody pays a bill to it" in said


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)  # SQLite lets one writer in at a time
def test_drafts_that_are_begun_at_once_keep_to_the_bound(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_bills, "DRAFTS_MOST", 2)
    line = threading.Barrier(8)

    def begin_one(number: int) -> bool:
        line.wait(10)
        try:
            written = epc_text(payee=f"Payee {number}")
            own_bills.add_code(journey.services, customer_id=journey.customer.id, written=written)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as at_once:
        assert sum(at_once.map(begin_one, range(8))) == 2
    assert rows(journey, OwnBill) == 2


def test_a_number_of_a_delivered_bill_with_another_account_is_said_loudly(journey: Journey) -> None:
    journey.bill(number="2026-00417")
    invoice_id = add(journey.browser, payee="Inkasso Nord", iban=IBAN, number="2026–00417")
    assert "has the number of a bill that Lumen Énergie delivered" in words(journey.browser, f"/bills/{invoice_id}")


def test_a_company_that_is_not_connected_is_nobody_s_likeness(journey: Journey) -> None:
    factories.make_biller(journey.services, name="Wasserwerk Süd")
    invoice_id = add(journey.browser, payee="Wasserwerk Süd", iban=IBAN)
    assert "Careful" not in words(journey.browser, f"/bills/{invoice_id}")


def test_what_may_be_the_same_bill_is_said(journey: Journey) -> None:
    delivered = journey.bill(number="A-1", amount="84.20")
    _, account = payee_of(journey.invoice(delivered))
    same = {"iban": account, "payee": "Lumen", "reference": "other"}
    first = add(journey.browser, amount="84,20", **same)
    assert "Lumen Énergie may have delivered this very bill. Pay that one." in words(journey.browser, f"/bills/{first}")
    second = add(journey.browser, amount="84,20", **same)
    assert "You may have added this bill twice." in words(journey.browser, f"/bills/{second}")
    another = add(journey.browser, amount="84,21", **{**same, "reference": "third"})
    assert "same" not in words(journey.browser, f"/bills/{another}")


def test_a_demo_visit_adds_nothing(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    visitor = Browser.of(journey.app)
    token = factories.sign_in(journey.services, journey.customer, read_only=True)
    visitor.client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    assert "Remove this bill" not in words(visitor, f"/bills/{invoice_id}")
    assert not visitor.page("/bills/add").select("input[type=file]")
    assert "This is a demo visit: it looks and changes nothing." in words(visitor, "/bills/add")
    assert post_code(visitor, epc_text()).status_code == 403
    assert visitor.post(f"/bills/{invoice_id}/remove", token=visitor.token("/bills")).status_code == 403


def test_two_who_keep_it_at_once_keep_one(journey: Journey) -> None:
    """The second one, in another tab, finds it kept."""
    own_bill_id = begin(journey.browser).rsplit("/", 1)[-1]
    form = {"payee": "X", "iban": IBAN, "amount": "1", "currency": "EUR", "reference": "X"}
    kept = set()
    for _ in range(2):
        with journey.services.unit_of_work() as uow:
            kept.add(
                keep_own(
                    uow,
                    own_bill_id=own_bill_id,
                    customer_id=journey.customer.id,
                    values=checked(form),
                    today=dt.date(2026, 11, 23),
                )
            )
            uow.commit()
    assert len(kept) == 1
    assert rows(journey, Invoice) == 1


def test_the_delivered_bill_says_that_its_customer_may_have_added_it_too(journey: Journey) -> None:
    delivered = journey.bill(number="A-1", amount="184.50")
    assert "added this very bill" not in words(journey.browser, f"/bills/{delivered}")
    add(journey.browser, number="A-1", reference="A 1")
    assert "You may have added this very bill yourself. Pay this one" in words(journey.browser, f"/bills/{delivered}")


def test_delivered_bills_of_the_same_amount_are_not_called_the_same(journey: Journey) -> None:
    first, second = (journey.bill(number=f"A-{number}", amount="84.20") for number in (1, 2))
    for invoice_id in (first, second):
        assert not journey.browser.page(f"/bills/{invoice_id}").select("main .notice")
        assert journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon").status_code == 200


def test_one_customer_s_files_have_a_bound(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_bills, "BYTES_MOST", 120)
    add(journey.browser)
    answer = post_code(journey.browser, epc_text(payee="One more"))
    assert answer.status_code == 409
    assert "as many bills as we keep" in answer.text


def test_a_list_of_drafts_does_not_load_their_files(journey: Journey) -> None:
    begin(journey.browser)
    with journey.services.reading() as uow:
        own = uow.session.scalars(select(OwnBill)).one()
        assert "box" not in own.__dict__


def test_a_bill_whose_bank_was_signed_in_to_can_be_removed(journey: Journey) -> None:
    """The page to which its customer would come back from the bank goes with it."""
    invoice_id = add(journey.browser)
    with journey.services.unit_of_work() as uow:
        sign_ins.plan(
            uow.session,
            journey.services.vault,
            customer_id=journey.customer.id,
            bank_id="horizon",
            invoice_id=invoice_id,
            return_url="http://localhost:8000/banks/horizon/return",
            state_in_path=True,
            now=uow.now,
        )
        uow.commit()
    token = journey.browser.token("/bills")
    assert journey.browser.post(f"/bills/{invoice_id}/remove", token=token).status_code == 303
    assert (rows(journey, SignIn), rows(journey, Trip)) == (0, 0)


def test_bills_with_one_reference_for_ever_are_no_twins_but_those_with_one_number_are(journey: Journey) -> None:
    """A customer number is on every bill of a company, a bill's number on one."""
    first = add(journey.browser, amount="10", reference="Customer 7", number="B-1")
    assert "added this bill twice" in words(
        journey.browser, f"/bills/{add(journey.browser, amount='11', reference='Customer 7', number='B-2')}"
    )
    journey.clock.tick(days=30)
    journey.browser.sign_in()
    later = add(journey.browser, amount="12", reference="Customer 7", number="B-3")
    assert "added this bill twice" not in words(journey.browser, f"/bills/{later}")
    reminded = add(journey.browser, amount="15", reference="Customer 7", number="b-1")
    assert f"/bills/{first}" in str(journey.browser.page(f"/bills/{reminded}").select(".notice a"))
