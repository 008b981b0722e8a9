"""Taking a bill: read it, check who may send what to whom, store it as it came, acknowledge."""

from __future__ import annotations

from app.journey.intake import taking
from app.journey.intake.bill import BillRefused
from app.journey.intake.taking import Acknowledgement, ClientIdentity
from app.services import Services

__all__ = ["Acknowledgement", "ClientIdentity", "deliver"]


def deliver(
    services: Services,
    *,
    client: ClientIdentity,
    content: bytes,
    media_type: str,
    to: str | None,
    seal: str | None = None,
) -> Acknowledgement:
    """Take one bill, or hold it where there is a doubt. The very same bytes again are acknowledged alike.

    ``to`` is an address given beside the bill; it must agree with the bill's own. ``seal`` is its biller's detached JWS
    over exactly these bytes. Raises Invalid (nothing of the bill
    is written) or Conflict (this number was delivered before with other content).
    """
    try:
        delivery = taking.read(content, media_type, to=to, seal=seal)
    except BillRefused as refused:
        raise taking.invalid(refused) from refused
    with services.unit_of_work() as uow:
        (outcome,) = taking.take(uow, [delivery], client=client)
        uow.commit()
    if not isinstance(outcome, Acknowledgement):
        raise outcome
    return outcome
