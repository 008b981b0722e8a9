"""``python -m tests.bench.export``: how long it takes to take along the papers of ten years, and to check them.

Thirty companies send a bill a month each; nine in ten are paid, with all that the log says of that. What is measured is
the archive itself and its check, in this process, on SQLite; the documents are our JSON, about a kilobyte each: larger
ones come on top as they are. Writes build/bench.json, and judges nothing.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import datetime as dt
import logging
import resource
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import select

from app.audit import entries
from app.audit.kinds import Kind
from app.audit.sequencer import number_waiting
from app.db.migrate import upgrade
from app.journey.decisions.models import Decision
from app.journey.export import archive, verify
from app.journey.intake.service import ClientIdentity, deliver
from app.journey.invoices.models import Invoice
from app.journey.payments.models import BankAttempt, BankCall, Payment, PaymentHistory
from app.journey.receipts.models import Receipt
from app.journey.route import HANDLERS, ROUTE
from app.keys.installation import Keys
from app.people.models import Customer
from app.schedule import Schedule
from app.services import Services, build_services, open_banks, utc_now
from app.worker import Worker
from consent.base import Base, new_id
from consent.models import Consent, Trip
from tests.bench.read_bills import write
from tests.support import factories
from tests.support.bills import json_bill
from tests.support.installation import make_settings

YEARS, COMPANIES = 10, 30
STATES = ("prepared", "awaiting_customer", "authorised", "accepted", "settled")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.export", description=__doc__)
    parser.add_argument("--years", type=int, default=YEARS)
    years = parser.parse_args(arguments).years
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="quittance-bench-") as folder:
        settings = make_settings(Path(folder), database_url=f"sqlite:///{folder}/bench.sqlite3")
        Keys.init(settings.keys)
        banks = open_banks(settings, Keys.load(settings.keys), utc_now)
        services = build_services(settings, route=ROUTE, handlers=HANDLERS, clock=utc_now, banks=banks)
        upgrade(services.engine)
        customer = _fill(services, years)
        found = _measure(services, customer)
        services.engine.dispose()
    print(f"export: {years * 12 * COMPANIES:,} bills, nine in ten paid")
    for what, value in found.items():
        print(f"  {what:<28} {value:10,.1f}")
    write({"export": found})
    return 0


def _fill(services: Services, years: int) -> Customer:
    customer = factories.make_customer(services)
    worker = Worker(services, Schedule(services))
    for company in range(COMPANIES):
        biller = factories.make_biller(services, name=f"Company {company}")
        address = factories.connect(services, customer_id=customer.id, biller_id=biller.id)
        client = ClientIdentity(client_id=biller.client_id, biller_id=biller.id)
        for month in range(years * 12):
            payee = {"name": biller.name, "iban": biller.iban}
            content = json_bill(to=address, number=f"{company}-{month}", payee=payee, amount=f"{20 + month}.00")
            deliver(services, client=client, content=content, media_type="application/json", to=None)
        worker.run_until_idle()
    with services.reading() as uow:
        ids = uow.session.scalars(select(Invoice.id).order_by(Invoice.id)).all()
    for start in range(0, len(ids), 200):
        with services.unit_of_work() as uow:
            for place, invoice_id in enumerate(ids[start : start + 200]):
                if place % 10 != 9:
                    rows = _payment(uow.session.get_one(Invoice, invoice_id), uow.now)
                    for row in rows:
                        uow.session.add(row)
                        uow.session.flush()
                    for row in rows:
                        for kind in _KINDS.get(type(row), ()):
                            entries.write(uow, kind, row)
            uow.commit()
    number_waiting(services)
    return customer


_KINDS: dict[type[Base], tuple[Kind, ...]] = {
    Decision: (Kind.PAYMENT_DECIDED,),
    PaymentHistory: (Kind.PAYMENT_STEP,),
    BankCall: (Kind.BANK_CALL,),
    BankAttempt: (Kind.BANK_ATTEMPT, Kind.BANK_ANSWER),
    Receipt: (Kind.RECEIPT_ISSUED,),
}


def _payment(invoice: Invoice, at: dt.datetime) -> list[Base]:
    """The rows as the journey leaves them, so far as an archive has them."""
    payment_id, key = new_id("pay"), invoice.id[-20:]
    whose = {"customer_id": invoice.customer_id, "currency": "EUR", "amount_minor": invoice.amount_minor}
    of_bill = {**whose, "invoice_id": invoice.id, "bank_id": "horizon"}
    invoice.state, invoice.paid_minor = "paid", invoice.amount_minor
    consent = Consent(
        id=new_id("con"), customer_id=invoice.customer_id, kind="single", bank_id="horizon",
        bank_consent_id=key, state="consumed", sca={}, created_at=at, expires_at=at,
    )  # fmt: skip
    trip = Trip(
        id=new_id("trp"), customer_id=invoice.customer_id, bank_id="horizon", state_hash=f"{key:0>64}",
        redirect_uri="", consent_id=consent.id, created_at=at,
    )  # fmt: skip
    decision = Decision(
        **of_bill, id=new_id("dec"), verb="pay_now", discount_minor=0, pay_on=at.date(), payee_name="Company",
        payee_iban="FR1420041010050500013M02606", payment_id=payment_id, evidence={"signature": "x" * 600},
        psu={"ip_address": "192.0.2.7", "user_agent": "Firefox/140"}, decided_at=at,
    )  # fmt: skip
    payment = Payment(
        **of_bill, id=payment_id, decision_id=decision.id, biller_id=invoice.biller_id, consent_id=consent.id,
        trip_id=trip.id, bank_payment_id=key, end_to_end_id=f"QT{key}", state="settled", fact="debited",
        created_at=at, updated_at=at, settled_at=at,
    )  # fmt: skip
    history = [
        PaymentHistory(
            payment_id=payment_id, sequence=number, before=None, after=state, source="bank", evidence="bank:ACSC",
            answer=b'{"transactionStatus": "ACSC"}', at=at,
        )
        for number, state in enumerate(STATES, 1)
    ]  # fmt: skip
    calls = [
        BankCall(
            id=new_id("call"), payment_id=payment_id, verb=verb, request_id=new_id("r")[:40], method="POST",
            path="/v1/payments", headers={}, body=b"{}", made_at=at,
        )
        for verb in ("initiate", "complete")
    ]  # fmt: skip
    attempts = [
        BankAttempt(call_id=call.id, number=1, sent_at=at, answered_at=at, outcome="done", answer=b"{}" * 300)
        for call in calls
    ]
    receipt = Receipt(
        id=new_id("rcp"), payment_id=payment_id, customer_id=invoice.customer_id, number=f"Q-{key}", fact="debited",
        issued_at=at,
    )  # fmt: skip
    return [consent, trip, decision, payment, *history, *calls, *attempts, receipt]


def _measure(services: Services, customer: Customer) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryFile() as file:
        begun, cpu = time.perf_counter(), time.process_time()
        with services.reading() as uow:
            archive.of_one_moment(uow.session)
            made = archive.make(services, uow.session, customer, file=file, made_at="2026-01-01T00:00:00Z")
        took, cpu = time.perf_counter() - begun, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = file.tell()
        place = verify.Zipped(file)
        unpacked = place.unpacked
        begun = time.perf_counter()
        report = verify.check(place)
        checked = time.perf_counter() - begun
    assert report.holds, [fault.words("en") for fault in report.faults][:5]
    assert report.bills == made.bills
    return {
        "archive, MB": size / 1e6,
        "unpacked, MB": unpacked / 1e6,
        "files": len(report.manifest["files"]),
        "facts": report.facts,
        "made in, s": took,
        "of our CPU, s": cpu,
        "checked in, s": checked,
        "more memory at its peak, MB": (peak - before) / 1024,
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
