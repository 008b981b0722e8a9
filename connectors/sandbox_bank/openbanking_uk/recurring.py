"""/domestic-vrp-consents and /domestic-vrps: a standing consent, and payments within its control parameters."""

from __future__ import annotations

from typing import Any

from flask import Response

from connectors.sandbox_bank.openbanking_uk import (
    answers,
    api,
    bodies,
    events,
    fields,
    limits,
    payments,
    people,
    rules,
    tokens,
    values,
)
from connectors.sandbox_bank.openbanking_uk.answers import ApiError
from connectors.sandbox_bank.openbanking_uk.api import Here
from connectors.sandbox_bank.openbanking_uk.limits import Asked
from connectors.sandbox_bank.openbanking_uk.payments import VRP, Consent
from connectors.sandbox_bank.openbanking_uk.store import Connection

_MORE = frozenset({"Instruction", "PSUAuthenticationMethod", "PSUInteractionType", "VRPType"})


class Recurring:
    """The Orders under a standing consent."""

    kind = VRP

    def check_consent(self, body: dict[str, Any], here: Here) -> int:
        return fields.vrp_consent(body, here.brand, today=payments.day_of(here.now_ms, here.brand.zone))

    def check_payment(self, body: dict[str, Any], consent: Consent, here: Here) -> int:
        """Payee and remittance information of the consent are repeated in the Instruction too."""
        api.repeated(body, consent, more=_MORE)
        data = body["Data"]
        values.one_of(data, "VRPType", limits.vrp_types(here.brand.version), "Data.")
        values.one_of(data, "PSUAuthenticationMethod", limits.AUTHENTICATION_METHODS, "Data.")
        if "PSUInteractionType" in data:
            values.one_of(data, "PSUInteractionType", limits.INTERACTION_TYPES, "Data.")
        amount_minor = fields.instruction(data, here.brand)
        for name in ("CreditorAccount", "RemittanceInformation"):
            if name in consent.initiation and data["Instruction"].get(name) != consent.initiation[name]:
                path = f"Data.Instruction.{name}"
                raise ApiError("U008", f"{name} of Instruction is not that of the consent", path=path)
        return amount_minor

    def execute(
        self, connection: Connection, consent: Consent, body: dict[str, Any], amount_minor: int, here: Here
    ) -> str:
        """Two payments at the same time cannot both fit into what is left: the file belongs to one of them."""
        api.check_authorised(consent, here.now_ms)
        data, now_ms = body["Data"], here.now_ms
        asked = Asked(
            amount_minor=amount_minor,
            vrp_type=data["VRPType"],
            authentication_method=data["PSUAuthenticationMethod"],
            interaction_type=data.get("PSUInteractionType", limits.INTERACTION_TYPE),
        )
        paid = [
            (consent.day_of(each.created_ms), each.amount_minor)
            for each in payments.payments_under(connection, consent)
            if each.status_at(now_ms)[0] != "RJCT"
        ]
        breach = limits.first_breach(consent.parameters, asked, today=consent.day_of(now_ms), paid=paid)
        if breach is not None:
            path = f"Data.ControlParameters.{breach}"
            raise ApiError("U014", f"the payment breaches {breach} of its consent", path=path)
        due = api.timetable(connection, here, consent, amount_minor)
        return payments.submit(connection, consent, body, amount_minor, due, now_ms=now_ms)


blueprint = api.orders("recurring", Recurring())


@blueprint.delete(f"/{VRP.consents}/<consent_id>")
def delete(consent_id: str) -> Response:
    """The TPP gives its customer's consent back: as if it had never been, but for what was paid."""
    here = api.here(customer=False)
    consent = api.own_consent(here, VRP, consent_id)
    with here.bank.store.write() as connection:
        payments.delete_consent(connection, consent)
        tokens.revoke(connection, consent_id)
    return Response(status=204)


@blueprint.post(f"/{VRP.consents}/<consent_id>/funds-confirmation")
def confirm_funds(consent_id: str) -> Response:
    """With the customer's token, while the consent is authorised. It makes nothing, so it has no idempotency key."""
    here = api.here(customer=True)
    rules.check_no_key()
    asked = rules.posted(here.bank, here.brand, here.grant.tpp)
    values.only(asked.body, {"Data"}, "")
    data = values.object_of(asked.body, "Data", {"ConsentId", "Reference", "InstructedAmount"})
    if data.get("ConsentId") != consent_id:
        raise ApiError("U008", "ConsentId is not that of the address", path="Data.ConsentId")
    if "Reference" in data:
        values.text_of(data, "Reference", 35, "Data.")
    amount_minor = values.amount_of(data, "InstructedAmount", "Data.")
    consent = api.own_consent(here, VRP, consent_id)
    api.check_authorised(consent, here.now_ms)
    with here.bank.store.read() as connection:
        enough = api.has_funds(connection, consent, amount_minor)
    body = bodies.of_vrp_funds(data, enough=enough, now_ms=here.now_ms)
    return answers.answer(here.brand, body, link=f"{api.link_of(here, consent)}/funds-confirmation", status=201)


def cancel(connection: Connection, consent: Consent, *, now_ms: int) -> bool:
    """By the customer, at the bank: its token ends, a new approval brings it back. False where it does not stand."""
    if consent.status_at(now_ms) != "AUTH":
        return False
    payments.change_consent(connection, consent, "CANC", now_ms=now_ms)
    tokens.revoke(connection, consent.consent_id)
    events.of_cancelled_consent(connection, consent, now_ms=now_ms)
    return True


def move(connection: Connection, consent: Consent, account_id: str, *, now_ms: int) -> bool:
    """Its customer closed the account that it pays from, and has another of theirs pay. False where that cannot be."""
    others = people.accounts_of(connection, people.account_of(connection, consent.account_id or "").customer_id)
    if consent.status_at(now_ms) != "AUTH" or account_id not in {each.account_id for each in others}:
        return False
    payments.move_consent(connection, consent, account_id)
    events.of_moved_consent(connection, consent, now_ms=now_ms)
    return True
