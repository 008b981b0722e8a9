"""Is this real? Through the door: a customer asks, and gets one of three answers; nothing is written, nobody else's
bills are compared."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from PIL import Image
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from app.journey.intake.service import ClientIdentity, deliver
from app.people import accounts
from app.people.models import PayeeAccount
from app.tables import metadata
from app.web.customers import limits
from tests.support import factories
from tests.support.bills import SELLER_VAT, cii_bill, pdf_bill
from tests.support.journey import ORIGIN, Browser, Journey
from tests.support.pictures import as_file, epc_text, page
from tests.support.shown import STRANGE, Paper, pdf_of

NUMBER = "LU-2026-08120"
REFERENCE = "RF18539007547034"


def ask(browser: Browser, content: bytes | str, *, field: str = "file") -> TestResponse:
    token = browser.token("/real")
    told = content if isinstance(content, str) else FileStorage(io.BytesIO(content), filename="bill")
    boundary, body = encode_multipart({"csrf_token": token, "text" if isinstance(content, str) else field: told})
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}
    kind = f'multipart/form-data; boundary="{boundary}"'
    return browser.client.post("/real", base_url=ORIGIN, headers=headers, data=body, content_type=kind)


def said(answer: TestResponse) -> str:
    main = BeautifulSoup(answer.data, "html.parser").select_one("main")
    assert main is not None
    return " ".join(main.get_text(" ", strip=True).split())


def verdict(browser: Browser, content: bytes | str) -> str:
    """``real``, ``in_space``, ``do_not_pay`` or ``unknown``, by the shape of the answer; ``account`` where no more than
    one was asked about."""
    answer = ask(browser, content)
    assert answer.status_code == 200, said(answer)
    drawn = BeautifulSoup(answer.data, "html.parser")
    found = drawn.select_one(".truth")
    assert found is not None
    in_space = ("in_space", "This bill is in your space")
    names = {
        "truth-done": ("real", "Real"),
        "truth-accepted": ("real", "Real"),
        "truth-in-space": ("account", "An account of") if "An account of" in said(answer) else in_space,
        "truth-stop": ("do_not_pay", "Do not pay this"),
        "truth-not-known": ("unknown", "Unknown to us"),
    }
    [(shape, heading)] = [names[each] for each in found["class"] if each in names]
    headings = (heading, "Be careful: do not follow this message") if shape == "unknown" else heading
    assert str(drawn.select_one("h1") and drawn.h1 and drawn.h1.get_text()).startswith(headings)
    return shape


def letter(journey: Journey, **changes: str) -> str:
    told = {
        "payee": journey.biller.name,
        "number": NUMBER,
        "amount": "84,20 €",
        "iban": journey.biller.iban,
        "reference": REFERENCE,
        "more": "",
    } | changes
    return (
        "{payee}\n\nBonjour, votre facture n° {number} est prête.\nMontant à payer : {amount}\nIBAN : {iban}\n"
        "Référence : {reference}\n{more}\n\nCordialement\n{payee}"
    ).format(**told)


@pytest.fixture
def bill(journey: Journey) -> str:
    return journey.bill(number=NUMBER, amount="84.20", reference=REFERENCE)


def code(journey: Journey, **changes: str) -> str:
    told = {"payee": journey.biller.name, "iban": journey.biller.iban, "amount": "EUR84.20", "reference": REFERENCE}
    return epc_text(**(told | changes))


def test_a_bill_in_the_space_is_found_however_it_is_shown(journey: Journey, bill: str) -> None:
    picture = as_file(page(code(journey), size=(700, 600)))
    for content, heading in (
        (letter(journey), "This bill is in your space"),
        (code(journey), "Real: it is in your space"),
        (picture, "Real: it is in your space"),
    ):
        answer = ask(journey.browser, content)
        assert heading in said(answer)
        assert NUMBER in said(answer)
        drawn = BeautifulSoup(answer.data, "html.parser")
        assert drawn.select_one(f'main a[href="/bills/{bill}"]') is not None


def test_an_account_alone_is_told_to_be_of_a_company_of_theirs(journey: Journey) -> None:
    spelled = " ".join(journey.biller.iban[at : at + 4] for at in range(0, 34, 4))
    answer = said(ask(journey.browser, f"IBAN {spelled}"))
    assert f"An account of {journey.biller.name}, as far as we know" in answer
    assert "That does not make a letter or a message genuine." in answer
    assert "Real: an account" not in answer
    assert "Nothing but the account was compared" in answer


def test_another_account_is_shown_beside_theirs_and_never_as_a_link(journey: Journey, bill: str) -> None:
    answer = ask(journey.browser, letter(journey, iban=STRANGE[0]))
    assert "Do not pay this" in said(answer)
    drawn = BeautifulSoup(answer.data, "html.parser")
    sides = [
        each.get_text("", strip=True).replace(" ", "").replace("\u00a0", "")
        for each in drawn.select("main .accounts dd")
    ]
    assert sides == [journey.biller.iban, STRANGE[0]]
    assert not drawn.select("main .accounts a")


def test_another_amount_is_shown_beside_theirs(journey: Journey, bill: str) -> None:
    answer = said(ask(journey.browser, code(journey, amount="EUR94.20")))
    assert "asks for another amount" in answer
    assert "€84.20" in answer
    assert "€94.20" in answer
    assert verdict(journey.browser, code(journey, amount="EUR44.20")) == "unknown"


@pytest.mark.parametrize(
    "more",
    [
        "Payez ici : https://pay.example/x",
        "Nouveau RIB",
        "06 12 34 56 78",
        "Frais : 9,90 €",
        "BIC : BUKBGB22",
        "12345 kWh 67890 kWh",
        "Please pay to the account of our service",
        "À payer avant le 2 janvier 2020",
    ],
)
def test_what_says_more_than_the_bill_is_unknown(journey: Journey, bill: str, more: str) -> None:
    answer = ask(journey.browser, letter(journey, more=more))
    # a link, or a new account, is not to be followed, whoever wrote it; the others stand in honest letters
    is_dangerous = more.startswith(("Payez ici", "Nouveau RIB"))
    assert ("Be careful: do not follow this message" if is_dangerous else "Unknown to us") in said(answer)
    assert ("Call the company on a number" in said(answer)) == is_dangerous
    assert "Your space has a bill with this number." in said(answer)
    assert not BeautifulSoup(answer.data, "html.parser").select('main a[href^="http"]')


def test_the_day_of_the_bill_is_known_and_another_one_is_said(journey: Journey, bill: str) -> None:
    due_on = journey.invoice(bill).due_on
    assert due_on is not None
    assert verdict(journey.browser, letter(journey, more=f"À payer avant le {due_on:%d/%m/%Y}")) == "in_space"
    later = f"À payer avant le {due_on + dt.timedelta(days=1):%d/%m/%Y}"
    assert "It says a day, or a month" in said(ask(journey.browser, letter(journey, more=later)))


def test_what_was_paid_is_never_led_to_a_second_payment(journey: Journey, bill: str) -> None:
    journey.pay(bill)
    journey.wait(60)
    assert journey.invoice(bill).state == "paid"
    answer = said(ask(journey.browser, letter(journey)))
    assert "In your space, and not to be paid again" in answer
    assert "You have paid it already." in answer
    assert "Real, and not to be paid again" in said(ask(journey.browser, code(journey)))


def test_a_frozen_account_is_never_real(journey: Journey, bill: str) -> None:
    with journey.services.unit_of_work() as uow:
        account = uow.session.scalars(select(PayeeAccount).where(PayeeAccount.iban == journey.biller.iban)).one()
        accounts.freeze(uow, account_id=account.id, by="ada", note="the company called")
        uow.commit()
    assert "Nothing is paid to its account at this moment" in said(ask(journey.browser, letter(journey)))
    assert verdict(journey.browser, journey.biller.iban) == "unknown"
    with journey.services.unit_of_work() as uow:
        accounts.close(uow, account_id=account.id, by="ada", note="given up")
        uow.commit()
    assert verdict(journey.browser, letter(journey)) == "unknown"
    assert verdict(journey.browser, journey.biller.iban) == "unknown"


def test_a_held_bill_is_said_to_be_held(journey: Journey) -> None:
    journey.deliver(number=NUMBER, amount="84.20", payee={"name": journey.biller.name, "iban": STRANGE[1]})
    assert "is held back in your space" in said(ask(journey.browser, letter(journey)))
    assert verdict(journey.browser, letter(journey, iban=STRANGE[1])) == "do_not_pay"


def test_nobody_learns_of_anybody_else_s_bills(journey: Journey, bill: str, app: Flask) -> None:
    other = Browser.of(app)
    other.sign_up(name="Nele Neumann", email="nele@example.org")
    strange = factories.make_biller(journey.services, name="Stadtwerke Brandt", iban=STRANGE[3])
    assert strange.iban == STRANGE[3]
    nothing = said(ask(other, "DE02120300000000202051"))
    for content in (
        letter(journey),
        code(journey),
        journey.biller.iban,
        letter(journey, iban=STRANGE[0]),
        strange.iban,
    ):
        answer = said(ask(other, content))
        assert "Unknown to us" in answer
        assert journey.biller.name not in answer
        assert "Nothing in your space is like it." in answer
        assert answer == nothing


def test_of_a_company_that_was_left_the_account_alone_says_nothing(journey: Journey, bill: str) -> None:
    token = journey.browser.token("/companies")
    journey.browser.post(f"/companies/{journey.biller.id}/leave", token=token)
    assert verdict(journey.browser, journey.biller.iban) == "unknown"
    assert verdict(journey.browser, letter(journey)) == "in_space"  # the bill is in the space still


def test_the_very_file_that_was_delivered_is_real_whatever_is_drawn_on_it(journey: Journey) -> None:
    """As those with pictures and fonts of their own, which no program can vouch for otherwise."""
    inner = cii_bill(number=NUMBER, to=journey.address, seller_name=journey.biller.name, iban=journey.biller.iban)
    inner = inner.replace(SELLER_VAT.encode(), journey.biller.vat_id.encode())
    again = pdf_of("Lumen", Paper(attached=inner, printed="A picture"))
    client = ClientIdentity(client_id=journey.biller.client_id, biller_id=journey.biller.id)
    deliver(journey.services, client=client, content=again, media_type="application/pdf", to=None)
    journey.worker.run_until_idle()
    assert "The file is the very one that was delivered" in said(ask(journey.browser, again))
    assert verdict(journey.browser, again + b"\n") == "unknown"


def test_nothing_is_written(journey: Journey, bill: str) -> None:
    def rows() -> dict[str, Any]:
        with journey.services.reading() as uow:
            return {
                table.name: sorted(map(repr, uow.session.execute(select(table)).all()))
                for table in metadata.sorted_tables
                if table.name != "customer_session"  # when it was last seen
            }

    before = rows()
    for content in (
        letter(journey),
        letter(journey, iban=STRANGE[0]),
        code(journey, amount="EUR94.20"),
        as_file(page(code(journey), size=(700, 600))),
        pdf_bill(page="nothing"),
        "Bonjour",
    ):
        ask(journey.browser, content)
    assert rows() == before


def test_what_cannot_be_read_is_unknown_and_says_why(journey: Journey) -> None:
    assert "there is no text and no payment code" in said(
        ask(journey.browser, as_file(Image.new("RGB", (300, 300), "white")))
    )
    beside = page(code(journey), size=(700, 900))
    beside.paste("black", (100, 700, 500, 720))
    assert "printed text in it that we cannot read" in said(ask(journey.browser, as_file(beside)))


def test_a_pdf_is_compared_with_all_that_is_on_its_page(journey: Journey, bill: str) -> None:
    words = letter(journey)
    assert verdict(journey.browser, pdf_of(words, Paper(code=code(journey)))) == "in_space"
    assert verdict(journey.browser, pdf_of(words, Paper(code=code(journey, iban=STRANGE[0])))) == "do_not_pay"
    assert verdict(journey.browser, pdf_of(letter(journey, iban=STRANGE[0]), Paper(hides_text=True))) == "do_not_pay"
    forged = Paper(printed=f"IBAN {STRANGE[0]}", hides_text=True)
    assert verdict(journey.browser, pdf_of(words, forged)) == "unknown"


def test_what_is_sent_has_bounds(journey: Journey) -> None:
    for content, words in (
        ("x" * 20_001, "The text is too long."),
        ("", "Choose a file, take a photo or paste a text."),
        (b"GIF89a", "The file is neither a PDF nor a picture"),
    ):
        answer = ask(journey.browser, content)
        assert answer.status_code == 422
        assert words in said(answer)
    assert ask(journey.browser, b"\xff\xd8\xff" + b"x" * limits.FILE_MOST).status_code == 413


def test_it_is_limited_for_each_customer(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.customers.limits.COMPARING_LIMIT", "2 per hour")
    codes = [ask(journey.browser, "Bonjour").status_code for _ in range(3)]
    assert codes == [200, 200, 429]


def test_only_a_customer_may_ask(journey: Journey, app: Flask) -> None:
    stranger = Browser.of(app)
    assert stranger.get("/real").status_code == 303
    assert stranger.post("/real", token=stranger.token("/"), form={"text": journey.biller.iban}).status_code == 401


def test_a_visit_of_the_demo_may_ask_and_still_changes_nothing(journey: Journey, bill: str) -> None:
    token = factories.sign_in(journey.services, journey.customer, read_only=True)
    visitor = Browser.of(journey.app)
    visitor.client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    assert verdict(visitor, letter(journey)) == "in_space"
    assert verdict(visitor, as_file(page(code(journey), size=(700, 600)))) == "real"
    assert visitor.post("/bills/add", token=visitor.token("/bills"), form={"text": "x"}).status_code == 403


def test_it_is_two_clicks_away(journey: Journey) -> None:
    for path in ("/bills", "/bills/add"):
        assert journey.browser.page(path).select_one('main a[href="/real"]') is not None
    assert journey.browser.page("/real").select_one('textarea[name="text"]') is not None
