"""A bill at which somebody must look: kept, shown as not verified, payable by nobody, until somebody has looked."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from app.cli import machinery, main
from app.db.work import WorkRow
from app.errors import Conflict, Invalid, NotFound
from app.journey.intake import conformance, holding, rules, taking
from app.journey.intake.models import DeliveredBill, HeldBill
from app.journey.intake.service import deliver
from app.journey.intake.taking import ClientIdentity
from app.journey.invoices.models import Invoice
from app.services import Services
from consent.base import new_id
from tests.support.bills import ubl_bill
from tests.support.factories import open_account
from tests.support.journey import Journey

OTHER_IBAN = "GB33BUKB20201555555555"


def register(services: Services, biller_id: str, iban: str) -> None:
    with services.unit_of_work() as uow:
        open_account(uow, biller_id=biller_id, iban=iban, holder="Lumen")
        uow.commit()


def counted(services: Services) -> tuple[int, int, int]:
    """Held and not ended, delivered, invoices."""
    with services.reading() as uow:
        held = select(func.count()).select_from(HeldBill).where(HeldBill.ended_as.is_(None))
        delivered = select(func.count()).select_from(DeliveredBill)
        invoices = select(func.count()).select_from(Invoice)
        return tuple(uow.session.scalar(each) or 0 for each in (held, delivered, invoices))  # type: ignore[return-value]


def inbox(journey: Journey) -> str:
    return " ".join(journey.browser.page("/bills").get_text(" ").split())


def swapped(journey: Journey, number: str = "swap-1") -> str:
    """Deliver a bill with an account that is not the biller's. Returns the held bill's id."""
    acknowledged = journey.deliver(number=number, payee={"name": "Lumen", "iban": OTHER_IBAN})
    assert [doubt.code for doubt in acknowledged.held] == ["account-not-registered"]
    return acknowledged.bill_id


def test_a_swapped_account_is_held_shown_as_not_verified_and_cannot_be_paid(journey: Journey) -> None:
    journey.deliver(number="honest")
    held_id = swapped(journey)
    journey.worker.run_until_idle()
    assert counted(journey.services) == (1, 1, 1)
    page = journey.browser.page("/bills")
    card = page.select_one("section[aria-labelledby=held] li.card")
    assert card is not None
    said = " ".join(card.get_text(" ").split())
    assert "Not verified" in said
    assert "The account in it is not one that we know as the company’s." in said
    assert "Bill swap-1" in said
    assert card.select("a, button, form") == []  # nothing leads from it to a payment
    assert "to pay, on 1 bill" in inbox(journey)  # it is not in the sum
    assert journey.browser.get(f"/bills/{held_id}").status_code == 404


def test_the_same_bytes_again_are_the_same_held_bill(journey: Journey) -> None:
    assert swapped(journey) == swapped(journey)
    assert counted(journey.services) == (1, 0, 0)


def test_once_the_account_is_registered_the_same_bytes_are_delivered(journey: Journey) -> None:
    swapped(journey)
    register(journey.services, journey.biller.id, OTHER_IBAN)
    acknowledged = journey.deliver(number="swap-1", payee={"name": "Lumen", "iban": OTHER_IBAN})
    assert (acknowledged.created, acknowledged.held) == (True, ())
    journey.worker.run_until_idle()
    assert counted(journey.services) == (0, 1, 1)
    assert "Not verified" not in inbox(journey)


def test_an_operator_releases_what_is_right_and_nothing_else(journey: Journey) -> None:
    journey.deliver(number="A-1")
    acknowledged = journey.deliver(number="a\u20101")  # another hyphen and a small letter
    assert [doubt.code for doubt in acknowledged.held] == ["number-alike"]
    bill_id = holding.release(journey.services, held_id=acknowledged.bill_id)
    journey.worker.run_until_idle()
    assert counted(journey.services) == (0, 2, 2)
    with journey.services.reading() as uow:
        assert uow.session.get_one(DeliveredBill, bill_id).number == "a\u20101"
    with pytest.raises(Conflict, match="released already"):
        holding.release(journey.services, held_id=acknowledged.bill_id)
    with pytest.raises(Invalid, match="not registered"):
        holding.release(journey.services, held_id=swapped(journey))
    with pytest.raises(NotFound):
        holding.release(journey.services, held_id="hld_none")
    assert counted(journey.services) == (1, 2, 2)


def test_what_is_released_is_held_against_the_official_rules_like_any_other(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conformance, "is_installed", lambda: True)
    biller, services = journey.biller, journey.services
    content = ubl_bill(to=journey.address, iban=OTHER_IBAN, seller_name=biller.name, seller_vat=biller.vat_id)
    client = ClientIdentity(client_id=biller.client_id, biller_id=biller.id)
    held = deliver(services, client=client, content=content, media_type="application/xml", to=None)
    assert held.held
    register(services, biller.id, OTHER_IBAN)
    bill_id = holding.release(services, held_id=held.bill_id)
    with services.reading() as uow:
        asked = uow.session.scalars(select(WorkRow.payload).where(WorkRow.handler == conformance.CHECK)).all()
    assert asked == [{"bill_id": bill_id}]


def test_a_number_that_was_delivered_meanwhile_stays_the_first_one_s(journey: Journey) -> None:
    held_id = swapped(journey)
    journey.deliver(number="swap-1")
    register(journey.services, journey.biller.id, OTHER_IBAN)
    with pytest.raises(Conflict, match="delivered meanwhile"):
        holding.release(journey.services, held_id=held_id)


def test_what_is_discarded_is_gone_and_never_comes_back(journey: Journey) -> None:
    holding.discard(journey.services, held_id=swapped(journey))
    assert "Not verified" not in inbox(journey)
    register(journey.services, journey.biller.id, OTHER_IBAN)
    with pytest.raises(Conflict, match="not taken"):
        journey.deliver(number="swap-1", payee={"name": "Lumen", "iban": OTHER_IBAN})
    assert counted(journey.services) == (0, 0, 0)


def test_the_same_bytes_for_another_customer_are_not_taken_for_the_first_ones(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_id = swapped(journey)
    other = new_id("cus")
    monkeypatch.setattr(taking, "customers_behind", lambda *_, addresses, **__: dict.fromkeys(addresses, other))
    with pytest.raises(Conflict, match="to another customer"):
        swapped(journey)
    register(journey.services, journey.biller.id, OTHER_IBAN)
    with pytest.raises(Conflict, match="to another customer"):
        journey.deliver(number="swap-1", payee={"name": "Lumen", "iban": OTHER_IBAN})
    with journey.services.reading() as uow:
        assert uow.session.get_one(HeldBill, held_id).ended_as is None


@pytest.mark.each_database
@pytest.mark.parametrize(("module", "name"), [(taking, "customers_behind"), (rules, "doubts")])
def test_a_discard_and_the_same_bytes_at_the_same_moment(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    """Whoever is first: never both."""
    held_id = swapped(journey)
    register(journey.services, journey.biller.id, OTHER_IBAN)
    known = getattr(module, name)
    discarding: list[threading.Thread] = []

    def discard() -> None:
        with contextlib.suppress(Conflict):  # it was delivered
            holding.discard(journey.services, held_id=held_id)

    def meanwhile(*args: Any, **named: Any) -> Any:
        if not discarding:
            discarding.append(threading.Thread(target=discard))
            discarding[0].start()
            discarding[0].join(0.5)  # where one writer is all there is, it waits for us
        return known(*args, **named)

    monkeypatch.setattr(module, name, meanwhile)
    with contextlib.suppress(Conflict):
        journey.deliver(number="swap-1", payee={"name": "Lumen", "iban": OTHER_IBAN})
    discarding[0].join()
    with journey.services.reading() as uow:
        ended_as = uow.session.get_one(HeldBill, held_id).ended_as
    assert counted(journey.services)[1:] == {"released": (1, 0), "discarded": (0, 0)}[ended_as or ""]


def test_nobody_sees_what_is_held_for_somebody_else(journey: Journey) -> None:
    swapped(journey)
    with journey.services.reading() as uow:
        assert holding.held_bills(uow.session, now=uow.now, customer_id="cus_other") == []
        assert [each.number for each in holding.held_bills(uow.session, now=uow.now)] == ["swap-1"]


def test_the_command_line_lists_releases_and_discards(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machinery, "services", lambda: journey.services)
    first, second = swapped(journey, "swap-1"), swapped(journey, "swap-2")
    assert main(["bill", "held"]) == 0
    said = capsys.readouterr().out
    assert f"{first}  2026-11-23  {journey.biller.name}: account-not-registered" in said
    assert "swap-1" not in said  # what stands in it is read by who says why
    assert main(["bill", "show", first, "--by", "ada", "--because", "its company called"]) == 0
    said = capsys.readouterr().out
    assert f"{first}  2026-11-23  {journey.biller.name}: swap-1, 84.20 EUR" in said
    assert "The account in the bill is not registered as yours" in said
    assert main(["bill", "discard", second]) == 0
    assert main(["bill", "release", first]) == 1
    assert "quittance biller account list" in capsys.readouterr().err
    register(journey.services, journey.biller.id, OTHER_IBAN)
    assert main(["bill", "release", first]) == 0
    assert f"{first} is delivered as bill_" in capsys.readouterr().out
    assert counted(journey.services) == (0, 1, 0)  # the worker makes the invoice
