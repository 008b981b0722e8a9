"""Several bills under standing consents that are signed at once, without the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from app.db.events import EventRow
from app.demo.authenticator import Authenticator
from app.errors import AppError
from app.journey.decisions import together
from app.journey.decisions.models import Decision
from app.journey.decisions.orders import Wanted
from app.journey.decisions.service import ToPay
from app.journey.invoices.models import Invoice
from consent.models import LimitClaim
from tests.unit.app.journey.decisions.test_decision_service import PARTY, PSU
from tests.unit.app.journey.house import PROFILE, VAULT
from tests.unit.app.journey.standing_house import StandingHouse


def ways_of(house: StandingHouse, bills: Sequence[str], consents: Mapping[str, str] | None = None) -> together.Ways:
    """Each bill under the consent of the house, or under its own of ``consents``."""
    of = consents or {}
    return {
        each: [ToPay(invoice_id=each, bank=PROFILE, wanted=Wanted(consent_id=of.get(each, house.consent_id)))]
        for each in bills
    }


@dataclass
class Bundle:
    """Signed, and about to be sent."""

    house: StandingHouse
    bills: Sequence[str]
    ceremony: str
    credential: dict[str, Any]
    told: str | None = None  #: why it was not taken
    about: str | None = None  #: and because of which bill

    @classmethod
    def signed(
        cls,
        house: StandingHouse,
        device: Authenticator,
        *bills: str,
        consents: Mapping[str, str] | None = None,
    ) -> Bundle:
        ways = ways_of(house, bills, consents)
        with house.begin() as uow:
            shown = together.sort_out(uow, customer=house.customer, vault=VAULT, ways=ways).shown
            started = together.start_paying(
                uow, signed_in=house.signed_in, party=PARTY, vault=VAULT, ways=ways, shown=shown
            )
            uow.commit()
        return cls(house, bills, started.ceremony, device.sign(started.public_key))

    def send(self, *_: object) -> None:
        try:
            with self.house.begin() as uow:
                together.decide(
                    uow,
                    signed_in=self.house.signed_in,
                    party=PARTY,
                    vault=VAULT,
                    ceremony=self.ceremony,
                    credential=self.credential,
                    banks={"horizon": PROFILE},
                    psu=PSU,
                )
                uow.commit()
        except AppError as error:
            self.told, self.about = error.code, error.about

    def is_whole(self) -> bool:
        """Whether all of it was taken. Anything between all and nothing fails."""
        with self.house.services.reading() as uow:
            decided = list(uow.session.scalars(select(Decision).where(Decision.invoice_id.in_(self.bills))))
        mine = [each for each in decided if each.evidence.get("client_data_json") == self._client_data()]
        assert len(mine) in (0, len(self.bills))
        assert (self.told is None) == bool(mine)
        return bool(mine)

    def _client_data(self) -> object:
        return self.credential["response"]["clientDataJSON"]


def agree(house: StandingHouse) -> None:
    """Of each decision there is one event, one claim of its limit and an invoice that is taken; and of nothing else."""
    with house.services.reading() as uow:
        decided = {each.payment_id: each for each in uow.session.scalars(select(Decision))}
        told = uow.session.scalars(select(EventRow.payload).where(EventRow.kind == "PaymentDecided")).all()
        assert sorted(each["payment_id"] for each in told) == sorted(decided)
        claims = select(LimitClaim.payment_id, LimitClaim.minor).where(LimitClaim.released_at.is_(None))
        claimed = {row.payment_id: row.minor for row in uow.session.execute(claims)}
        assert claimed == {each.payment_id: each.amount_minor for each in decided.values()}
        taken = uow.session.scalars(select(Invoice.id).where(Invoice.state == "in_payment")).all()
        assert sorted(taken) == sorted(each.invoice_id for each in decided.values())


def decisions(house: StandingHouse) -> int:
    with house.services.reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(Decision)) or 0
