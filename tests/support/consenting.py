"""A customer who sets up a standing consent through our pages, at a UK sandbox bank in the same process."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from bs4 import BeautifulSoup
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.db import work
from app.journey.consents.step import work_key
from consent.models import Consent, ConsentHistory, Sealed, Standing
from tests.support.uk_bank import inside
from tests.support.uk_installation import UkJourney

TERMS = {"each": "150.00", "limit_month": "300.00", "until": "day", "ends_on": "2027-12-23"}
LEAVE = re.compile(r"/consents/(con_[0-9a-f]{32})/leave")


@dataclass
class Consenting(UkJourney):
    """At a bank whose answer comes back in the query, and that calls a consent authorised which was stopped there."""

    # ---------------------------------------------------------------------------------------------------- setting up

    @property
    def form(self) -> str:
        return f"/companies/{self.biller.id}/consent"

    def check(self, **changes: str) -> TestResponse:
        """The page on which everything stands that would be signed; or the form again."""
        token = self.browser.token(f"{self.form}?bank={self.bank_id}")
        return self.browser.post(self.form, token=token, form={"bank": self.bank_id, **TERMS, **changes})

    def start(self, page: BeautifulSoup) -> tuple[str, dict[str, str], TestResponse]:
        """Ask for the challenge over what the page shows, as its script does."""
        form = page.select_one("form[data-passkey=agree]")
        assert form is not None, page.get_text(" ", strip=True)
        terms = {str(each["name"]): str(each["value"]) for each in form.select("[data-terms]")}
        token = page.select_one('meta[name="csrf-token"]')
        assert token is not None
        sent = {**terms, "shown": form["data-shown"], "language": form["data-language"]}
        held = str(token["content"])
        return held, terms, self.browser.post(f"{self.form}/ceremony", token=held, data=sent)

    def sign(self, **changes: str) -> TestResponse:
        """Check the terms and sign them."""
        answer = self.check(**changes)
        assert answer.status_code == 200, BeautifulSoup(answer.data, "html.parser").get_text(" ", strip=True)
        token, terms, started = self.start(BeautifulSoup(answer.data, "html.parser"))
        assert started.status_code == 200, started.get_json()
        return self.finish(token, terms, started.get_json())

    def finish(self, token: str, terms: dict[str, str], started: dict[str, Any]) -> TestResponse:
        credential = json.dumps(self.browser.device.sign(started["publicKey"]))
        form = {**terms, "ceremony": started["ceremony"], "credential": credential}
        return self.browser.post(f"{self.form}/signed", token=token, form=form)

    def agree(self, **changes: str) -> str:
        """Sign, and have it given to the bank. Returns the consent's id."""
        answer = self.sign(**changes)
        assert answer.status_code == 303, BeautifulSoup(answer.data, "html.parser").get_text(" ", strip=True)
        found = LEAVE.fullmatch(answer.headers["Location"])
        assert found is not None, answer.headers["Location"]
        return found[1]

    def leave(self, consent_id: str) -> str:
        """The bank's address that the browser is sent to."""
        self.wake()
        answer = self.browser.get(f"/consents/{consent_id}/bank")
        assert answer.status_code == 303, BeautifulSoup(answer.data, "html.parser").get_text(" ", strip=True)
        return str(answer.headers["Location"])

    def approve(self, consent_id: str, **how: str) -> TestResponse:
        """Go to the bank, decide there, and come back."""
        return self.browser.come_back(self.at_bank(self.leave(consent_id), **how))

    def set_up(self, **changes: str) -> str:
        """All of it. Returns the consent's id."""
        consent_id = self.agree(**changes)
        answer = self.approve(consent_id)
        assert answer.headers["Location"] == f"/consents/{consent_id}?back=1"
        return consent_id

    def only_consent(self) -> str:
        """Of whom nobody was told."""
        with self.services.reading() as uow:
            return uow.session.scalars(select(Standing.consent_id)).one()

    # ---------------------------------------------------------------------------------------------------- afterwards

    def wake(self) -> None:
        """Whoever has done nothing for a while signs in again."""
        if self.browser.get("/consents").status_code == 303:
            self.browser.sign_in()

    def press(self, path: str, page: str) -> TestResponse:
        """A form of ours without fields."""
        self.wake()
        return self.browser.post(path, token=self.browser.token(page), form={})

    def stop(self, consent_id: str) -> TestResponse:
        return self.press(f"/consents/{consent_id}/stop", f"/consents/{consent_id}")

    def said(self, consent_id: str) -> str:
        """What its page says, in one line."""
        self.wake()
        return self.browser.page(f"/consents/{consent_id}").get_text(" ", strip=True)

    def consent(self, consent_id: str) -> Consent:
        with self.services.reading() as uow:
            return uow.session.get_one(Consent, consent_id)

    def standing(self, consent_id: str) -> Standing:
        with self.services.reading() as uow:
            return uow.session.get_one(Standing, consent_id)

    def state(self, consent_id: str) -> str:
        return self.consent(consent_id).state

    def history(self, consent_id: str) -> list[str]:
        with self.services.reading() as uow:
            mine = select(ConsentHistory.step).where(ConsentHistory.consent_id == consent_id)
            return list(uow.session.scalars(mine.order_by(ConsentHistory.sequence)))

    def boxes(self, consent_id: str) -> set[str]:
        """What is sealed for it."""
        with self.services.reading() as uow:
            found = uow.session.scalars(select(Sealed.id).where(Sealed.id.startswith(f"consent:{consent_id}:")))
            return {each.rpartition(":")[2] for each in found}

    def look(self, consent_id: str) -> None:
        """Its work is due now, whenever it was to be."""
        with self.services.unit_of_work() as uow:
            work.bring_forward(uow.session, key=work_key(consent_id), run_at=uow.now)
            uow.commit()
        self.worker.run_until_idle()

    # ---------------------------------------------------------------------------------------------------- at the bank

    def at_the_bank(self) -> list[dict[str, Any]]:
        """All its consents, as its own file has them, the oldest first."""
        with inside(self.bank).store.read() as connection:
            rows = connection.execute("SELECT * FROM consent ORDER BY created_ms")
            return [dict(row) for row in rows]

    def change_at_bank(self, sql: str, *values: Any) -> None:
        """As nobody else may."""
        with inside(self.bank).store.write() as connection:
            connection.execute(sql, list(values))

    def calls(self, method: str) -> int:
        """How often the bank was called so about standing consents."""
        return sum(
            1 for one in self.bank_wire.sent if one.method == method and "/domestic-vrp-consents" in str(one.url)
        )
