"""/domestic-payment-consents and /domestic-payments: one payment, at once."""

from __future__ import annotations

from typing import Any

from flask import Response

from connectors.sandbox_bank.openbanking_uk import answers, api, bodies, fields, payments
from connectors.sandbox_bank.openbanking_uk.api import Here
from connectors.sandbox_bank.openbanking_uk.payments import IMMEDIATE, Consent
from connectors.sandbox_bank.openbanking_uk.store import Connection


class Immediate:
    """The Orders that are paid at once."""

    kind = IMMEDIATE

    def check_consent(self, body: dict[str, Any], here: Here) -> int:
        return fields.consent(body, here.brand)

    def check_payment(self, body: dict[str, Any], consent: Consent, here: Here) -> int:  # noqa: ARG002
        api.repeated(body, consent)
        return consent.amount_minor

    def execute(
        self, connection: Connection, consent: Consent, body: dict[str, Any], amount_minor: int, here: Here
    ) -> str:
        api.check_authorised(consent, here.now_ms)
        due = api.timetable(connection, here, consent, amount_minor)
        payments.change_consent(connection, consent, "COND", now_ms=here.now_ms)
        return payments.submit(connection, consent, body, amount_minor, due, now_ms=here.now_ms)


blueprint = api.orders("domestic", Immediate())


@blueprint.get(f"/{IMMEDIATE.consents}/<consent_id>/funds-confirmation")
def confirm_funds(consent_id: str) -> Response:
    """With the customer's token, while the consent is authorised."""
    here = api.here(customer=True)
    consent = api.own_consent(here, IMMEDIATE, consent_id)
    api.check_authorised(consent, here.now_ms)
    with here.bank.store.read() as connection:
        enough = api.has_funds(connection, consent, consent.amount_minor)
    body = bodies.of_funds(enough=enough, now_ms=here.now_ms)
    return answers.answer(here.brand, body, link=f"{api.link_of(here, consent)}/funds-confirmation")
