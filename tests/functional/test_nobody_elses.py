"""Every page of the customers' door that has an id in its address, asked for by somebody whose id it is not."""

from __future__ import annotations

import datetime as dt
import itertools

from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from app.journey.receipts.models import Receipt
from app.web.customers.pages import PUBLIC
from connectors.money import Money
from tests.functional.test_answers import say
from tests.functional.test_corrections import bill, corrections, credit
from tests.functional.test_corrections_said import settled
from tests.functional.test_plans import planned, today
from tests.support import factories
from tests.support.journey import Browser, Journey
from tests.support.own_bills import begin
from tests.support.pictures import epc_text

#: parts of an address that are no id of one customer's
OF_EVERYBODY = {"bank", "code", "name", "number", "secret", "token", "kind", "word"}
#: a company is everybody's: its page says what there is between the two, which may be nothing
OF_A_COMPANY = "biller"
#: these answer before they look whose it is, alike to everybody: no order was sent, or words lead on to a page
BEFORE_THEY_LOOK = {"pay_ceremony": 422, "find_bank": 303}


def everything(journey: Journey) -> dict[str, str]:
    """Of each part of an address something that is this customer's."""
    paid = bill(journey)
    payment_id = settled(journey, paid)
    credit(journey, "30.00")
    answered = bill(journey, "2026-2")
    plan = bill(journey, "2026-3")
    dispute = say(journey, answered, "disputed", reason="not_received")
    plan_id = planned(journey, plan, today(journey) + dt.timedelta(days=2)).id
    with journey.services.unit_of_work() as uow:
        consent = factories.agree_standing(uow, customer_id=journey.customer.id, biller_id=journey.biller.id)
        uow.commit()
    with journey.services.reading() as uow:
        receipt_id = uow.session.scalars(select(Receipt.id)).one()
    return {
        "inv": paid,
        "pay": payment_id,
        "rcp": receipt_id,
        "cor": corrections(journey)[0].id,
        "ans": dispute,
        "pln": plan_id,
        "con": consent.consent_id,
        "own": begin(journey.browser, epc_text()).rpartition("/")[2],
        "rfd": "rfd_" + "0" * 32,
        "pdy": "pdy_" + "0" * 32,
        "brg": "brg_" + "0" * 32,
        "paper": "bill_" + "0" * 32,
    }


def asked(rule: Rule, ids: dict[str, str]) -> str | None:
    """The address with these ids; None: there is nothing of one customer in it."""
    names = set(rule.arguments)
    if not names & ids.keys() or names - ids.keys() - OF_EVERYBODY:
        return None
    path = rule.rule
    for name in names:
        path = path.replace(f"<{name}>", ids.get(name, "declined" if name == "kind" else "arrived"))
    return path


def test_nobody_is_told_anything_of_what_is_somebody_elses(app: Flask, journey: Journey) -> None:
    ids = everything(journey)
    other = Browser.of(app)
    other.sign_up(name="Jonas", email="jonas@example.org")
    token, knocked = other.token("/bills"), []
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("customers.")]
    unknown = {name for rule in rules for name in rule.arguments} - ids.keys() - OF_EVERYBODY - {OF_A_COMPANY}
    assert not unknown, "say above what that is"
    for rule, method in itertools.product(rules, ("GET", "POST")):
        path = asked(rule, ids)
        if path is None or method not in (rule.methods or set()):
            continue
        form = {"word": "yes", "to": "up", "iban": "FR7630006000011234567890189", "reason": "not_owed"}
        answer = other.get(path) if method == "GET" else other.post(path, token=token, form=form)
        expected = BEFORE_THEY_LOOK.get(rule.endpoint.removeprefix("customers."), 404) if method == "POST" else 404
        assert answer.status_code == expected, (method, path, answer.status_code, answer.headers.get("Location"))
        assert journey.biller.name not in answer.get_data(as_text=True), path
        knocked.append(rule.endpoint.removeprefix("customers."))
    assert {"bill", "payment", "receipt", "consent", "say_of_payment", "say_of_dispute"} <= set(knocked) | PUBLIC
    assert len(knocked) > 40
    assert Money(7000, "EUR") == journey.invoice(ids["inv"]).asked  # and nothing was done
