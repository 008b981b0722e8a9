"""In whose name a bank is asked about a payment: ours; or its customer's, where that signed in there before."""

from __future__ import annotations

from typing import cast

from app.services import Services
from connectors.capabilities import SignsIn
from connectors.contract import Connector


def speaker(services: Services, bank_id: str, *, customer_token: str | None) -> Connector:
    """The bank's connector. ``customer_token``: of the sign-in that the payment was begun with, while it lives. Raises
    UnknownBank."""
    connector = services.banks.connector(bank_id)
    if customer_token is None or not services.banks.profile(bank_id).sign_in_first:
        return connector
    # only files of standards that have it may say sign_in_first
    return cast("SignsIn", connector).as_customer(customer_token)
