"""A company that owes its customer something of a bill, and what both say of giving it back, through the doors."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.journey.refunds.models import Refund, RefundAccount, RefundHistory
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms
from tests.support.journey import Journey

BILLS, REFUNDS = "/api/v1/bills", "/api/v1/refunds"
DAY = dt.timedelta(days=1)
IBAN = "FR7630006000011234567890189"


@dataclass
class Owing:
    """One bill of 100.00, of which 30.00 is owed to its customer."""

    journey: Journey
    program: Program
    invoice_id: str

    @property
    def bill_id(self) -> str:
        return self.journey.invoice(self.invoice_id).delivery.bill_id

    @property
    def today(self) -> dt.date:
        now: dt.datetime = self.journey.clock()
        return now.date()

    def later(self, days: float) -> None:
        """Days go by, and the customer signs in again."""
        self.journey.wait(days * DAY.total_seconds())
        assert self.journey.browser.sign_in().status_code == 200

    # --- the company's program

    def post(self, path: str, body: Any, **more: Any) -> TestResponse:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.program.deliver(content, path=path, scope=more.get("scope", "refunds:read refunds:write"))
        conforms(self.journey.app, answer)
        return answer

    def promising(self, amount: str = "30.00", *, days: int = 10, **more: Any) -> TestResponse:
        day = (self.today + days * DAY).isoformat()
        body = {"bill_id": self.bill_id, "amount": amount, "currency": "EUR", "promised_by": day}
        return self.post(REFUNDS, body | more)

    def promise(self, amount: str = "30.00", *, days: int = 10) -> str:
        answer = self.promising(amount, days=days)
        assert answer.status_code == 201, answer.text
        self.journey.worker.run_until_idle()
        return str(answer.get_json()["id"])

    def sending(self, refund_id: str, **said: Any) -> TestResponse:
        return self.post(f"{REFUNDS}/{refund_id}/sent", {"sent_on": self.today.isoformat()} | said)

    def send(self, refund_id: str, **said: Any) -> None:
        answer = self.sending(refund_id, **said)
        assert answer.status_code == 200, answer.text
        self.journey.worker.run_until_idle()

    def withdrawing(self, refund_id: str, words: str = "It is set off.") -> TestResponse:
        return self.post(f"{REFUNDS}/{refund_id}/withdraw", {"words": words})

    def seen(self, path: str) -> dict[str, Any]:
        """What its program is shown there."""
        answer = self.program.get(path)
        conforms(self.journey.app, answer)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def refund(self, refund_id: str) -> dict[str, Any]:
        return self.seen(f"{REFUNDS}/{refund_id}")

    def listen(self) -> None:
        with self.journey.services.unit_of_work() as uow:
            add_endpoint(self.journey.services, uow, biller_id=self.program.biller_id, url="http://127.0.0.1:9/hook")
            uow.commit()

    def told(self) -> list[dict[str, Any]]:
        """The webhooks about refunds, in the order of what they tell."""
        self.journey.worker.run_until_idle()
        with self.journey.services.reading() as uow:
            bodies = uow.session.scalars(
                select(WebhookMessage.body)
                .where(WebhookMessage.type.startswith("refund."))
                .order_by(WebhookMessage.created_at, WebhookMessage.id)
            ).all()
        return [json.loads(body) for body in bodies]

    # --- its customer

    def saying(self, refund_id: str, word: str) -> TestResponse:
        path = f"/bills/{self.invoice_id}"
        token = self.journey.browser.token("/bills")
        return self.journey.browser.post(f"{path}/refunds/{refund_id}/{word}", token=token, form={})

    def say(self, refund_id: str, word: str) -> None:
        answer = self.saying(refund_id, word)
        assert answer.status_code == 303, words(answer)
        assert answer.headers["Location"] == f"/bills/{self.invoice_id}#refund"

    def buttons(self) -> list[str]:
        """What the page of the bill offers about refunds."""
        found = self.journey.browser.page(f"/bills/{self.invoice_id}").select(
            ".refund .actions button, .refund .actions a"
        )
        return [each.get_text(strip=True) for each in found]

    def page(self) -> str:
        """What the page of the bill says of refunds."""
        part = self.journey.browser.page(f"/bills/{self.invoice_id}").select_one("section[aria-labelledby=refund]")
        return words(part) if part is not None else ""

    def account_path(self, refund_id: str) -> str:
        return f"/bills/{self.invoice_id}/refunds/{refund_id}/account"

    def type_in(self, refund_id: str, iban: str = IBAN) -> TestResponse:
        token = self.journey.browser.token("/bills")
        return self.journey.browser.post(self.account_path(refund_id), token=token, form={"iban": iban})

    def ceremony(self, refund_id: str) -> TestResponse:
        """Over the account that the page shows."""
        return self.start(refund_id, self.shown(refund_id))

    def shown(self, refund_id: str) -> str:
        """The id of the account on the page of the release; empty: it shows none."""
        page = self.journey.browser.get(self.account_path(refund_id))
        found = re.search(r'data-of="(rfa_[0-9a-f]+)"', page.text)
        return found[1] if found else ""

    def start(self, refund_id: str, shown: str) -> TestResponse:
        token, path = self.journey.browser.token("/bills"), f"{self.account_path(refund_id)}/release/ceremony"
        return self.journey.browser.post(path, token=token, data={"passkey": shown})

    def sign(self, refund_id: str, started: dict[str, Any]) -> TestResponse:
        token = self.journey.browser.token("/bills")
        credential = json.dumps(self.journey.browser.device.sign(started["publicKey"]))
        form = {"ceremony": started["ceremony"], "credential": credential}
        return self.journey.browser.post(f"{self.account_path(refund_id)}/release", token=token, form=form)

    def release(self, refund_id: str, iban: str = IBAN) -> None:
        answer = self.type_in(refund_id, iban)
        assert answer.status_code == 303, words(answer)
        started = self.ceremony(refund_id)
        assert started.status_code == 200, started.text
        answer = self.sign(refund_id, started.get_json())
        assert answer.status_code == 303, words(answer)
        self.journey.worker.run_until_idle()

    # --- the books

    def rows(self) -> tuple[list[Refund], list[RefundHistory], list[RefundAccount]]:
        with self.journey.services.reading() as uow:
            return (
                list(uow.session.scalars(select(Refund).order_by(Refund.number))),
                list(uow.session.scalars(select(RefundHistory).order_by(RefundHistory.at, RefundHistory.sequence))),
                list(uow.session.scalars(select(RefundAccount).order_by(RefundAccount.id))),
            )


def words(found: Any) -> str:
    page = BeautifulSoup(found.data, "html.parser") if isinstance(found, TestResponse) else found
    main = page.select_one("main") or page
    return " ".join(main.get_text(" ", strip=True).replace("\xa0", " ").split())
