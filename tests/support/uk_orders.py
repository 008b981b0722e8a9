"""Payment orders at the UK sandbox banks for tests: good bodies, and a TPP whose customer approves."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.sandbox_tpp import Answer
from tests.support.uk_tpp import UkTpp, consent_body
from tests.support.uk_wire import Transport, UkPerson

Body = dict[str, Any]

LEDGER = {"Authorization": "Bearer ledger"}
SWEEPING, OTHER = "UK.OBIE.VRPType.Sweeping", "UK.OBIE.VRPType.Other"


@dataclass(kw_only=True)
class Orders:
    """``tpp`` asks, ``person`` approves in a browser of their own."""

    tpp: UkTpp
    person: UkPerson

    def __post_init__(self) -> None:
        self.own_token = self.tpp.own_token()

    def post(self, path: str, token: str, body: Mapping[str, Any], **how: Any) -> Answer:
        how.setdefault("key", secrets.token_hex(16))
        return self.tpp.call("POST", path, token, body, **how)

    def get(self, path: str, **how: Any) -> Answer:
        return self.tpp.call("GET", path, how.pop("token", self.own_token), **how)

    def stage(self, path: str, body: Mapping[str, Any]) -> str:
        answer = self.post(path, self.own_token, body)
        assert answer.status == 201, answer.content
        return str(answer.json["Data"]["ConsentId"])

    def approve(self, consent_id: str) -> str:
        """The customer's token."""
        answered = self.tpp.answered(self.person.approve(self.tpp.authorize_url(consent_id)))
        exchanged = self.tpp.exchange(answered["code"])
        assert exchanged.status == 200, exchanged.content
        return str(exchanged.json["access_token"])

    def pay(self, amount: str = "123.50", **changes: Any) -> Answer:
        """An immediate payment from end to end."""
        body = consent_body(amount, version=self.tpp.version, **changes)
        consent_id = self.stage("/domestic-payment-consents", body)
        return self.post("/domestic-payments", self.approve(consent_id), payment_body(consent_id, body))


#: at a brand
OrdersAt = Callable[..., Orders]


def payment_body(consent_id: str, consent: Body) -> Body:
    return {
        "Data": {"ConsentId": consent_id, "Initiation": copy.deepcopy(consent["Data"]["Initiation"])},
        "Risk": copy.deepcopy(consent["Risk"]),
    }


def vrp_consent_body(*, version: str = "4.0", initiation: Body | None = None, **parameters: Any) -> Body:
    """£50 each, £100 in a calendar month. ``parameters``: changes of ControlParameters, None takes one away."""
    good = {
        "MaximumIndividualAmount": {"Amount": "50.00", "Currency": "GBP"},
        "PeriodicLimits": [periodic("Month", "Calendar", "100.00")],
        "VRPType": [OTHER],
        "PSUAuthenticationMethods": ["UK.OBIE.SCANotRequired"],
        "PSUInteractionTypes": ["OffSession"],
        **parameters,
    }
    fixed = {name: consent_body(version=version)["Data"]["Initiation"][name] for name in ("CreditorAccount",)}
    return {
        "Data": {
            "ControlParameters": {name: value for name, value in good.items() if value is not None},
            "Initiation": fixed if initiation is None else initiation,
        },
        "Risk": {},
    }


def periodic(period_type: str, alignment: str, amount: str) -> Body:
    return {"PeriodType": period_type, "PeriodAlignment": alignment, "Amount": amount, "Currency": "GBP"}


def vrp_body(consent_id: str, consent: Body, amount: str = "20.00", *, version: str = "4.0", **data: Any) -> Body:
    """``data``: changes of Data, None takes one away."""
    instruction = consent_body(amount, version=version)["Data"]["Initiation"]
    good = {
        "ConsentId": consent_id,
        "PSUAuthenticationMethod": "UK.OBIE.SCANotRequired",
        "PSUInteractionType": "OffSession",
        "VRPType": OTHER,
        "Initiation": copy.deepcopy(consent["Data"]["Initiation"]),
        "Instruction": instruction,
        **data,
    }
    return {
        "Data": {name: value for name, value in good.items() if value is not None},
        "Risk": copy.deepcopy(consent["Risk"]),
    }


def scheduled_consent_body(
    amount: str = "123.50", *, when: str = "2026-11-25T00:00:00+00:00", version: str = "4.0", **changes: Any
) -> Body:
    body = consent_body(amount, version=version, RequestedExecutionDateTime=when, **changes)
    return {"Data": {"Permission": "Create", **body["Data"]}, "Risk": body["Risk"]}


def code_of(answer: Answer) -> tuple[int, str]:
    """Status and ErrorCode."""
    return answer.status, answer.json["Errors"][0]["ErrorCode"]


def booked(
    transport: Transport, base_url: str, end_to_end_id: str = "Q-INV-1", *, consent_id: str | None = None
) -> list[dict[str, str]]:
    """The bank's ledger of one payment; with ``consent_id``, of all that was paid under this consent."""
    wanted = f"consent_id={consent_id}" if consent_id else f"end_to_end_id={end_to_end_id}"
    url = f"{base_url}/sandbox/ledger?{wanted}"
    answer = transport.send("GET", url, headers=LEDGER, data=b"", certificate=None)
    assert answer.status == 200, answer.content
    entries: list[dict[str, str]] = answer.json["entries"]
    return entries
