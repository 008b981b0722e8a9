"""How a bill could be paid, on the pages: what covers it, what does not and why, and what to do then."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from bs4 import BeautifulSoup, Tag
from sqlalchemy import func, select

from app.journey.consents.models import CustomerBank
from app.journey.intake.service import ClientIdentity, deliver
from app.journey.invoices.models import Invoice
from app.journey.matching.models import PayFirst
from app.services import Services
from connectors.registry import Registry
from consent.models import Standing
from consent.rules import Frame
from consent.states import StandingStep
from tests.support import factories
from tests.support.bills import json_bill
from tests.support.factories import FRAME, agree_standing
from tests.support.journey import Journey
from tests.support.logged import log_all

GB = "GB33BUKB20201555555555"


@dataclass
class Trams:
    """A company with an account in the UK, whose bills are in pounds; and banks of the UK."""

    journey: Journey
    biller: factories.BillerMade
    address: str

    @property
    def frame(self) -> Frame:
        return replace(FRAME, payee_name=self.biller.name, payee_iban=GB)

    def bill(self, number: str, amount: str = "40.00", *, currency: str = "GBP") -> str:
        payee = {"name": self.biller.name, "iban": GB}
        content = json_bill(to=self.address, payee=payee, number=number, amount=amount, currency=currency)
        client = ClientIdentity(client_id=self.biller.client_id, biller_id=self.biller.id)
        bill_id = deliver(
            self.journey.services, client=client, content=content, media_type="application/json", to=None
        ).bill_id
        self.journey.worker.run_until_idle()
        with self.journey.services.reading() as uow:
            return uow.session.scalars(select(Invoice.id).where(Invoice.bill_id == bill_id)).one()

    def agree(
        self,
        bank_id: str = "albion",
        *,
        steps: tuple[StandingStep, ...] = (StandingStep.STAGE, StandingStep.AUTHORISE),
        biller_id: str | None = None,
        frame: Frame | None = None,
        mask: str | None = None,
    ) -> str:
        with self.journey.services.unit_of_work() as uow:
            made: Standing = agree_standing(
                uow,
                customer_id=self.journey.customer.id,
                biller_id=biller_id or self.biller.id,
                bank_id=bank_id,
                frame=frame or self.frame,
                steps=steps,
            )
            made.payer_mask = mask
            log_all(uow)
            uow.commit()
            return made.consent_id

    def page(self, path: str) -> BeautifulSoup:
        return self.journey.browser.page(path)

    def text(self, path: str) -> str:
        return words(self.page(path))


def words(of: Tag) -> str:
    return " ".join(of.get_text(" ").split())


def links(of: Tag) -> list[str]:
    return [str(link["href"]) for link in of.select("a[href]")]


@pytest.fixture
def trams(journey: Journey) -> Trams:
    services: Services = journey.services
    banks = Registry.from_folder(
        services.settings.banks,
        sandbox_bank_url=services.settings.sandbox_bank_url,
        sandbox_bank_uk_url=services.settings.sandbox_bank_uk_url,
        client_key=services.keys.bank_client,
        allow_http=True,
    )
    banks._unusable.clear()  # as if our keys for them were here: nobody is called
    object.__setattr__(services, "banks", banks)
    biller = factories.make_biller(services, iban=GB)
    address = factories.connect(services, customer_id=journey.customer.id, biller_id=biller.id)
    return Trams(journey, biller, address)


def test_who_has_allowed_nothing_sees_no_more_than_before(trams: Trams) -> None:
    invoice_id = trams.bill("w1")
    page = trams.page(f"/bills/{invoice_id}/bank")
    assert words(page.select("h1")[0]) == "Which bank do you pay from?"
    assert page.select("#allowed, .way-card, .best-way") == []
    assert trams.page(f"/bills/{invoice_id}").select(".best-way") == []
    inbox = trams.page("/bills")
    assert inbox.select("#your-banks") == []
    assert "Covered by" not in words(inbox)


def test_pounds_are_paid_at_banks_that_take_them_and_can_be_allowed_where_that_is_offered(trams: Trams) -> None:
    invoice_id = trams.bill("w2")
    page = trams.page(f"/bills/{invoice_id}/bank")
    offered = {href.partition("bank=")[2] for href in links(page) if "/consent?bank=" in href}
    paid_from = {href.partition("bank=")[2] for href in links(page.select("#banks")[0])}
    banks = {bank.id: bank for bank in trams.journey.services.banks.all_banks()}
    assert paid_from == {each for each, bank in banks.items() if "GBP" in bank.currencies}
    assert offered == {each for each, bank in banks.items() if bank.recurring}
    assert f"/companies/{trams.biller.id}/consent?bank=albion" in links(page)
    euros = trams.journey.bill(number="w2-eur")
    page = trams.page(f"/bills/{euros}/bank")
    assert not [href for href in links(page) if "/consent?bank=" in href]
    assert {href.partition("bank=")[2] for href in links(page.select("#banks")[0])} == {
        each for each, bank in banks.items() if "EUR" in bank.currencies
    }


def test_a_covered_bill_says_so_and_leads_to_one_signature(trams: Trams) -> None:
    invoice_id, consent_id = trams.bill("w3"), trams.agree(mask="····4417")
    pay = f"/bills/{invoice_id}/pay?consent={consent_id}"
    page = trams.page(f"/bills/{invoice_id}")
    line = page.select(".best-way")[0]
    said = "Covered by your consent at Albion Bank: one signature, and no visit to the bank. Other ways to pay"
    assert words(line) == said
    assert links(line) == [f"/bills/{invoice_id}/bank"]
    assert links(page.select(".choices")[0])[0] == pay
    page = trams.page(f"/bills/{invoice_id}/bank")
    assert words(page.select("h1")[0]) == "How do you want to pay?"
    card = page.select(".way-card")[0]
    assert "Albion Bank ····4417 Covers this bill: one signature, and no visit to the bank." in words(card)
    assert links(card) == [pay, f"/consents/{consent_id}"]
    assert not [href for href in links(page) if "/consent?bank=" in href]  # nobody needs a second one
    inbox = trams.page("/bills")
    assert "Covered by your consent at Albion Bank: one signature" in words(inbox.select(".card")[0])
    assert pay in links(inbox)
    panel = words(inbox.select("section:has(#your-banks)")[0])
    assert (
        panel
        == f"Your banks Albion Bank ····4417 Consent for {trams.biller.name}, until you stop it See what you allow"
    )


def test_a_bill_that_is_over_the_limit_says_by_how_much_and_what_can_be_done(trams: Trams) -> None:
    invoice_id, consent_id = trams.bill("w4", "62.40"), trams.agree()
    line = words(trams.page(f"/bills/{invoice_id}").select(".best-way")[0])
    assert line == ("Not covered by your consent at Albion Bank. £12.40 over the limit per payment, £50.00.")
    card = trams.page(f"/bills/{invoice_id}/bank").select(".way-card")[0]
    assert links(card) == [
        f"/bills/{invoice_id}/bank#banks-title",
        f"/companies/{trams.biller.id}/consent?bank=albion",
        f"/consents/{consent_id}",
    ]
    assert "Covered by" not in trams.text("/bills")


@pytest.mark.parametrize(
    ("steps", "sentence", "path"),
    [
        ((), "You have not approved this at your bank yet.", "/consents/{}"),
        ((StandingStep.STAGE,), "You have not approved this at your bank yet.", "/consents/{}"),
        (
            (StandingStep.STAGE, StandingStep.AUTHORISE, StandingStep.LOSE_ACCESS),
            "Your bank lets nothing be paid under it at the moment.",
            "/consents/{}/renew",
        ),
    ],
)
def test_one_that_is_one_step_away_leads_to_that_step(
    trams: Trams, steps: tuple[StandingStep, ...], sentence: str, path: str
) -> None:
    invoice_id, consent_id = trams.bill("w5"), trams.agree(steps=steps)
    card = trams.page(f"/bills/{invoice_id}/bank").select(".way-card")[0]
    assert sentence in words(card)
    assert path.format(consent_id) in links(card)
    assert not [href for href in links(card) if "consent=" in href]


def test_what_is_for_another_company_is_folded_away(trams: Trams) -> None:
    invoice_id = trams.journey.bill(number="w6", currency="EUR")
    trams.agree()
    page = trams.page(f"/bills/{invoice_id}/bank")
    assert page.select(".way-card") == []
    folded = words(page.select("section.allowed details")[0])
    assert "1 other thing that you allowed does not fit this bill" in folded
    assert folded.endswith(f"Albion Bank for {trams.biller.name}")
    assert trams.page(f"/bills/{invoice_id}").select(".best-way") == []


def test_a_removed_bank_is_not_offered_and_found_with_the_reason(trams: Trams) -> None:
    invoice_id = trams.bill("w7")
    with trams.journey.services.unit_of_work() as uow:
        whose = {"customer_id": trams.journey.customer.id, "bank_id": "albion", "rank": 1}
        uow.session.add(CustomerBank(**whose, added_at=uow.now, removed_at=uow.now))
        uow.commit()
    everything = trams.page(f"/bills/{invoice_id}/bank")
    assert not [href for href in links(everything) if "albion" in href]
    found = trams.page(f"/bills/{invoice_id}/bank?find=albion")
    assert "You have removed this bank." in words(found.select(".banks-not")[0])


def test_after_a_stop_nothing_is_offered_but_to_lift_it(trams: Trams) -> None:
    invoice_id, consent_id = trams.bill("w8"), trams.agree()
    with trams.journey.services.unit_of_work() as uow:
        factories.stop_everything(uow, customer_id=trams.journey.customer.id)
        uow.commit()
    page = trams.page(f"/bills/{invoice_id}/bank")
    assert "/stop" in links(page)
    assert not [href for href in links(page) if "/pay?" in href or "/consent?" in href]
    assert page.select("#banks") == []
    assert f"consent={consent_id}" not in str(trams.page("/bills"))


def test_the_first_choice_is_set_and_cleared_by_a_plain_form(trams: Trams) -> None:
    invoice_id = trams.bill("w9")
    trams.agree("albion")
    second = trams.agree("avon")
    path = f"/bills/{invoice_id}/bank"

    def first() -> str:
        return words(trams.page(path).select(".way-card h3")[0])

    def press(number: int) -> None:
        form = trams.page(path).select(".way-card form")[number]
        assert [field.get("type") for field in form.select("input")] in (["hidden"], ["hidden", "hidden"])
        sent = {str(field["name"]): str(field["value"]) for field in form.select("input")}
        answer = trams.journey.browser.post(str(form["action"]), token=sent.pop("csrf_token"), form=sent)
        assert (answer.status_code, answer.headers["Location"]) == (303, path)

    assert first() == "Albion Bank"
    press(1)
    assert first() != "Albion Bank"
    assert "Your first choice for" in words(trams.page(path).select(".way-card")[0])
    assert f"consent={second}" in str(trams.page("/bills"))
    press(0)
    assert first() == "Albion Bank"
    with trams.journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(PayFirst)) == 0


def test_nobody_sets_a_first_choice_for_a_bill_of_somebody_else(trams: Trams) -> None:
    invoice_id, consent_id = trams.bill("w10"), trams.agree()
    stranger = trams.journey.browser.of(trams.journey.app)
    stranger.sign_up(name="Nele Neumann", email="nele@example.org")
    token = stranger.token("/bills")
    answer = stranger.post(f"/bills/{invoice_id}/first", token=token, form={"consent": consent_id})
    assert answer.status_code == 404
