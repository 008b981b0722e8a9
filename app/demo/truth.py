"""Our own database, past all pages: what an operator would look up, and the one verb that has no page yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from app.db.unit_of_work import UnitOfWork
from app.demo.browser import LostError
from app.journey.connections.service import connect
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.journey.receipts.models import Receipt
from app.journey.route import HANDLERS, ROUTE
from app.people.mailboxes import customers_with_address
from app.people.models import Biller
from app.services import Services, build_services
from config.settings import Settings
from consent.models import Consent, Standing

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Truth:
    """Raises LostError while the database is away."""

    services: Services

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Truth:
        """Of the installation that has these settings, whatever this process was started with."""
        with _these_settings(environment):
            settings = Settings.from_environ()
        return cls(build_services(settings, route=ROUTE, handlers=HANDLERS))

    def close(self) -> None:
        self.services.engine.dispose()

    def connect(self, *, email: str, vat_id: str) -> str:
        """Let a biller deliver to a customer; the address, the same one every time."""
        return self._with(lambda: self._connect(email=email, vat_id=vat_id))

    def _connect(self, *, email: str, vat_id: str) -> str:
        with self.services.unit_of_work() as uow:
            [customer] = customers_with_address(uow.session, email)
            address = connect(
                uow,
                customer_id=customer.id,
                biller_id=uow.session.scalars(select(Biller.id).where(Biller.vat_id == vat_id)).one(),
                space_domain=self.services.settings.space_domain,
            )
            uow.commit()
            return address

    def of_bill(self, bill_id: str) -> dict[str, Any]:
        """What became of a delivered bill: its invoice's state, its payments, and how many decisions and receipts."""
        return self._with(lambda: self._of_bill(bill_id))

    def _of_bill(self, bill_id: str) -> dict[str, Any]:
        with self.services.reading() as uow:
            return _of_invoice(uow, uow.session.scalars(select(Invoice).where(Invoice.bill_id == bill_id)).one())

    def of_consent(self, consent_id: str) -> dict[str, Any]:
        """How a standing consent stands with us, its first and last day, and the bank's id of it."""
        return self._with(lambda: self._of_consent(consent_id))

    def _of_consent(self, consent_id: str) -> dict[str, Any]:
        with self.services.reading() as uow:
            consent, standing = uow.session.get_one(Consent, consent_id), uow.session.get_one(Standing, consent_id)
            return {
                "state": consent.state,
                "begins_on": standing.begins_on,
                "ends_on": standing.ends_on,
                "at_bank": consent.at_bank,
            }

    def _with(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except (DBAPIError, TimeoutError) as error:
            raise LostError(f"no answer from the database: {type(error).__name__}") from error


@contextmanager
def _these_settings(environment: Mapping[str, str]) -> Iterator[None]:
    before = {name: value for name, value in os.environ.items() if name.startswith("QUITTANCE_")}
    _replace_settings(environment)
    try:
        yield
    finally:
        _replace_settings(before)


def _replace_settings(environment: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("QUITTANCE_")]:
        del os.environ[name]
    os.environ.update(environment)


def _of_invoice(uow: UnitOfWork, invoice: Invoice) -> dict[str, Any]:
    payments = uow.session.execute(
        select(Payment.state, Payment.amount_minor).where(Payment.invoice_id == invoice.id).order_by(Payment.id)
    ).all()
    decisions = select(func.count()).select_from(Decision).where(Decision.invoice_id == invoice.id)
    receipts = (
        select(func.count())
        .select_from(Receipt)
        .join(Payment, Payment.id == Receipt.payment_id)
        .where(Payment.invoice_id == invoice.id)
    )
    return {
        "invoice": invoice.state,
        "payments": [tuple(payment) for payment in payments],
        "decisions": uow.session.scalar(decisions),
        "receipts": uow.session.scalar(receipts),
    }
