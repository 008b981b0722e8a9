"""What follows a standing consent, with a bank that says what a test tells it to.

Its token renewed by two at once, what happens while the bank thinks, answers that come late, and reminders."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Engine, select, text

from app.db import work
from app.db.events import EventRow
from app.db.unit_of_work import UnitOfWork
from app.db.work import WorkRow
from app.errors import Conflict
from app.journey.consents import rules, service
from app.journey.consents.access import locked, takeable
from app.journey.consents.exchange import exchange_consent_code
from app.journey.consents.follow import follow
from app.journey.consents.models import CustomerBank
from app.journey.consents.read import ConsentView, consent_view, consents_now
from app.journey.consents.renewing import fresh_token, other_token
from app.journey.consents.step import follow_from, lose_access, step, take_back, work_key
from app.journey.consents.stopping import taken_back
from app.journey.matching.read import _known
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.models import Notice
from app.journey.notices.service import is_still_so
from app.people.models import Customer, Stop
from app.services import Task
from connectors.capabilities import Event, EventKind, PayerAccount, ToldConsent
from connectors.contract import Authorised, ConsentStatus, ScaOAuth, Staged
from connectors.errors import AccessLost, BankRefused, BankSilent, BankUnavailable
from consent import tokens, vault
from consent.models import Consent, ConsentHistory, ConsentUsage, Sealed, Standing, Trip
from consent.rules import spans_at
from consent.states import ConsentSource, StandingStep
from tests.conftest import Clock
from tests.support.factories import FRAME, agree_standing, stop_everything
from tests.unit.app.journey.house import ISSUER, PSU, SCA, House, SubmittingBank

S = StandingStep
DAY = dt.timedelta(days=1)
PAYER = PayerAccount(scheme="UK.OBIE.SortCodeAccountNumber", identification="99999941726053", name="C Laurent")
AUTHORISED = ToldConsent(status=ConsentStatus.AUTHORISED, payer=PAYER, raw_response=b"{}")
STAGED = Staged(consent_id="vrp-late", transaction_status="AWAU", sca=SCA, raw_response=b"{}")


@dataclass(frozen=True)
class Recurring:
    bank: KeepingBank

    def initiate(self, request: Any, **_: Any) -> Any:
        return self.bank.say("initiate", body=request.body)

    def approval_now(self, sca: ScaOAuth, **_: Any) -> Any:
        return self.bank.say("approval_now", sca=sca)

    def told(self, consent_id: str, **_: Any) -> Any:
        return self.bank.say("told", consent_id=consent_id)

    def revoke(self, consent_id: str, **_: Any) -> Any:
        return self.bank.say("revoke", consent_id=consent_id)

    def renew(self, refresh_token: str, **_: Any) -> Any:
        return self.bank.say("renew", refresh_token=refresh_token)


class KeepingBank(SubmittingBank):
    """One that keeps standing consents. An answer may be called, with what was asked."""

    @property
    def recurring(self) -> Recurring:
        return Recurring(self)

    def say(self, verb: str, **asked: Any) -> Any:
        answer = self._answer(verb, **asked)
        return answer(**asked) if callable(answer) else answer


@dataclass
class Keeping(House):
    bank: KeepingBank = field(default_factory=KeepingBank)
    consent_id: str = ""

    def standing_at(self, *steps: StandingStep, **of_frame: Any) -> str:
        """One that went through these steps. Its bytes are still to be sent where it was not staged."""
        with self.begin() as uow:
            made = agree_standing(
                uow, customer_id=self.customer.id, biller_id="blr_1", bank_id="horizon", steps=steps, **of_frame
            )
            made.psu, made.sends = PSU, 0
            if S.AUTHORISE in steps:
                made.authorised_at = uow.now
            follow_from(uow, made, run_at=uow.now)
            uow.commit()
        self.consent_id = made.consent_id
        return made.consent_id

    def keep(self, *, access: str | None, refresh: str | None, life_s: int | None = None) -> None:
        with self.begin() as uow:
            given = Authorised(access_token=access, expires_in_s=life_s, refresh_token=refresh)
            until = uow.now + 400 * DAY
            tokens.keep_standing(uow.session, self.services.vault, self.consent_id, given, now=uow.now, until=until)
            uow.commit()

    def leave_to_approve(self) -> service.Leaving:
        """Its customer goes to the bank to approve it, for the first time or anew."""
        with self.begin() as uow:
            uow.session.get_one(Consent, self.consent_id).sca = asdict(SCA)
            uow.commit()
        self.bank.answers["approval_now"] = SCA
        return service.leave_to_approve(self.services, signed_in=self.signed_in, consent_id=self.consent_id)

    def come_back_approved(self, leaving: service.Leaving, *, life_s: int | None = None) -> None:
        """They approved it, and the code is exchanged for a token."""
        state = parse_qs(urlsplit(leaving.url).query)["state"][0]
        assert service.come_back(
            self.services,
            bank_id="horizon",
            state=state,
            browsers=[leaving.browser],
            customer_id=self.customer.id,
            answer={"code": "c0de", "iss": ISSUER},
        )
        self.bank.answers["complete"] = Authorised(access_token=f"of {leaving.trip_id}", expires_in_s=life_s)
        self.hurry("consents.exchange_consent_code")
        self.run("consents.exchange_consent_code")

    def approve(self, *, life_s: int | None = None) -> None:
        self.come_back_approved(self.leave_to_approve(), life_s=life_s)

    def hear(self, event: Event) -> None:
        with self.services.reading() as uow:
            resource_id = uow.session.get_one(Consent, self.consent_id).bank_consent_id or ""
        assert service.hear(self.services, bank_id="horizon", event=replace(event, resource_id=resource_id))

    def change(self, do: Callable[[UnitOfWork, Standing], object]) -> None:
        with self.begin() as uow:
            _, standing = locked(uow.session, self.consent_id)
            do(uow, standing)
            uow.commit()

    def go_on(self, **answers: object) -> None:
        """Its work is done now, whenever it was to be."""
        self.bank.answers.update(answers)
        with self.begin() as uow:
            work.bring_forward(uow.session, key=work_key(self.consent_id), run_at=uow.now)
            claim = work.claim_key(uow.session, key=work_key(self.consent_id), now=uow.now)
            uow.commit()
        assert claim is not None
        follow(Task(services=self.services, claim=claim))

    def fresh(self) -> str | None:
        return fresh_token(self.services, consent_id=self.consent_id, deadline_s=5)

    def token(self) -> str | None:
        with self.services.reading() as uow:
            consent = uow.session.get_one(Consent, self.consent_id)
            return tokens.access_token(uow.session, self.services.vault, consent, now=uow.now)

    def row(self) -> Standing:
        with self.services.reading() as uow:
            return uow.session.get_one(Standing, self.consent_id)

    def state(self) -> str:
        with self.services.reading() as uow:
            return uow.session.get_one(Consent, self.consent_id).state

    def due_at(self) -> dt.datetime | None:
        with self.services.reading() as uow:
            return uow.session.scalar(select(WorkRow.run_at).where(WorkRow.key == work_key(self.consent_id)))

    def story(self) -> list[ConsentHistory]:
        with self.services.reading() as uow:
            of_it = select(ConsentHistory).where(ConsentHistory.consent_id == self.consent_id)
            return list(uow.session.scalars(of_it.order_by(ConsentHistory.sequence)))

    def view(self) -> ConsentView:
        with self.services.reading() as uow:
            return consent_view(uow.session, consent_id=self.consent_id, customer_id=self.customer.id, now=uow.now)

    def facts(self, kind: str) -> int:
        with self.services.reading() as uow:
            return len(uow.session.scalars(select(EventRow.id).where(EventRow.kind == kind)).all())


@pytest.fixture
def house(engine: Engine, clock: Clock, customer: Customer) -> Keeping:
    return Keeping(engine, clock, customer)


STANDS = (S.STAGE, S.AUTHORISE)


def revoked(uow: UnitOfWork, standing: Standing) -> None:
    take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="stopped here")


# ------------------------------------------------------------------------------------------------- renewing its token


def rotating(first: str) -> Callable[..., Authorised]:
    """A bank whose refresh tokens are good once: a second use is a theft, and ends it."""
    good = [first]
    lock = threading.Lock()

    def renew(refresh_token: str) -> Authorised:
        with lock:
            if refresh_token != good[0]:
                raise AccessLost("used twice", code="invalid_grant", http_status=400)
            good[0] = f"{first}-{len(good[0])}"
            return Authorised(access_token=f"new of {good[0]}", expires_in_s=600, refresh_token=good[0])

    return renew


def test_two_workers_renew_one_token_once(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    house.bank.answers["renew"] = rotating("r-1")
    start = threading.Barrier(4)

    def one(_: int) -> str | None:
        start.wait()
        return house.fresh()

    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(one, range(4)))
    assert house.bank.verbs().count("renew") == 1
    assert {each for each in got if each} == {house.token()}
    assert house.state() == "authorised"
    assert house.fresh() == house.token()  # the next one asks nobody
    assert house.bank.verbs().count("renew") == 1


def test_whoever_was_frozen_while_another_one_renewed_it_does_not_stop_it(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    house.bank.answers["renew"] = AccessLost("used twice", code="invalid_grant", http_status=400)
    house.bank.meanwhile = lambda: house.keep(access="another's", refresh="r-2")
    assert house.fresh() == "another's"
    assert house.state() == "authorised"


def test_nor_where_the_customer_approved_anew_and_nothing_came_to_renew_that_with(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    house.bank.answers["renew"] = AccessLost("used twice", code="invalid_grant", http_status=400)
    house.bank.meanwhile = lambda: house.keep(access="approved anew", refresh=None)
    assert house.fresh() == "approved anew"
    assert (house.state(), house.token()) == ("authorised", "approved anew")


def other(house: Keeping, refused: str) -> str | None:
    return other_token(house.services, consent_id=house.consent_id, refused=refused, deadline_s=5)


def test_in_place_of_a_token_that_the_bank_does_not_take_one_is_renewed(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="dead", refresh="r-1")
    house.bank.answers["renew"] = Authorised(access_token="new", expires_in_s=600, refresh_token="r-2")
    assert (other(house, "dead"), house.token()) == ("new", "new")
    assert house.bank.verbs().count("renew") == 1


def test_nothing_is_renewed_where_another_one_has_come_since(house: Keeping) -> None:
    """What another worker has just renewed was not refused, and is not forgotten."""
    house.standing_at(*STANDS)
    house.keep(access="another's", refresh="r-2")
    assert (other(house, "dead"), house.token()) == ("another's", "another's")
    assert "renew" not in house.bank.verbs()


def test_what_nothing_can_be_renewed_with_is_kept(house: Keeping) -> None:
    """It may have been a gateway's bad hour: whoever pays with it finds that out."""
    house.standing_at(*STANDS)
    house.keep(access="dead", refresh=None)
    assert (other(house, "dead"), house.token(), house.state()) == (None, "dead", "authorised")


def test_a_bank_that_does_not_renew_it_just_now_ends_nothing(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="dead", refresh="r-1")
    house.bank.answers["renew"] = BankUnavailable("not now")
    assert (other(house, "dead"), house.state()) == (None, "authorised")
    house.bank.answers["renew"] = Authorised(access_token="new", expires_in_s=600, refresh_token="r-2")
    assert house.fresh() == "new"


def test_where_the_bank_takes_the_refresh_token_no_more_it_is_stopped(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    house.bank.answers["renew"] = AccessLost("no more", code="invalid_grant", http_status=400)
    assert house.fresh() is None
    assert (house.state(), house.token()) == ("stopped_at_bank", None)
    assert house.facts("ConsentChanged") == 1


@pytest.mark.parametrize(
    "error", [BankUnavailable("away"), BankRefused("not us", code="invalid_client", http_status=401)], ids=type
)
def test_a_bank_that_is_away_or_does_not_take_us_stops_nothing_and_is_asked_again(
    house: Keeping, error: Exception
) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    house.bank.answers["renew"] = error
    assert house.fresh() is None
    assert house.state() == "authorised"
    house.bank.answers["renew"] = rotating("r-1")
    assert house.fresh() is not None


def test_a_worker_that_vanished_while_it_renewed_is_waited_for_a_minute(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    house.bank.answers["renew"] = rotating("r-1")

    def taken(uow: UnitOfWork, standing: Standing) -> None:
        standing.renewing_until = uow.now + rules.RENEWING

    house.change(taken)
    assert (house.fresh(), house.bank.verbs()) == (None, [])
    house.clock.tick(seconds=rules.RENEWING.total_seconds())
    assert house.fresh() is not None


def test_a_mark_of_a_clock_that_was_ahead_is_not_waited_for(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    house.bank.answers["renew"] = rotating("r-1")

    def taken(uow: UnitOfWork, standing: Standing) -> None:
        standing.renewing_until = uow.now + DAY

    house.change(taken)
    assert house.fresh() is not None


def test_the_life_of_a_renewed_token_is_counted_from_when_it_was_asked_for(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    asked_at = house.clock.now
    house.bank.answers["renew"] = Authorised(access_token="new", expires_in_s=60, refresh_token="r-2")
    house.bank.meanwhile = lambda: house.clock.tick(seconds=18)
    assert house.fresh() == "new"
    house.clock.now = asked_at + dt.timedelta(seconds=60) - tokens.MARGIN
    assert house.token() is None


def test_a_token_that_is_over_and_cannot_be_renewed_is_said(house: Keeping) -> None:
    house.standing_at(*STANDS)
    assert house.fresh() is None
    assert house.state() == "stopped_at_bank"


def test_without_a_stated_life_the_token_lives_as_long_as_its_consent(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="t0ken", refresh=None)
    house.clock.tick(days=399)
    assert house.fresh() == "t0ken"


def test_what_was_taken_back_meanwhile_keeps_no_token(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    house.bank.answers["renew"] = rotating("r-1")
    house.bank.meanwhile = lambda: house.change(revoked)
    assert house.fresh() is None
    assert (house.state(), house.token()) == ("revoking", None)


# -------------------------------------------------------------------------------------------- while the bank thinks


def test_what_is_stopped_while_the_bank_is_looked_at_is_taken_back_at_once(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="t0ken", refresh=None)
    house.bank.meanwhile = lambda: house.change(revoked)
    house.go_on(told=AUTHORISED)
    assert house.due_at() == house.clock.now
    house.bank.meanwhile = lambda: None
    house.go_on(revoke=None)
    assert (house.state(), house.due_at()) == ("revoked", None)


def test_what_is_stopped_while_it_is_being_sent_is_taken_back_by_the_id_that_comes(house: Keeping) -> None:
    house.standing_at()
    house.bank.meanwhile = lambda: house.change(revoked)
    house.go_on(initiate=STAGED)
    assert house.state() == "revoking"
    house.bank.meanwhile = lambda: None
    house.go_on(revoke=None)
    assert house.state() == "revoked"
    assert house.bank.asked[-1] == ("revoke", {"consent_id": "vrp-late"})


def test_stopped_before_anything_left_nobody_is_called(house: Keeping) -> None:
    house.standing_at()
    house.change(revoked)
    house.go_on()
    assert (house.state(), house.bank.verbs(), house.due_at()) == ("revoked", [], None)


def test_an_answer_that_comes_after_it_was_given_up_is_kept_and_taken_back(house: Keeping) -> None:
    house.standing_at()

    def given_up(uow: UnitOfWork, standing: Standing) -> None:
        step(uow, standing, S.GIVE_UP, source=ConsentSource.WORKER, evidence="unanswered")

    house.bank.meanwhile = lambda: house.change(given_up)
    house.go_on(initiate=STAGED)
    assert house.state() == "rejected"
    house.bank.meanwhile = lambda: None
    house.go_on(revoke=None)
    assert (house.state(), house.due_at()) == ("rejected", None)
    assert house.row().gone_at is not None


def test_taking_back_goes_on_until_the_bank_has_confirmed_it(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.change(revoked)
    for _ in range(50):
        house.go_on(revoke=BankSilent("no answer"))
        assert house.state() == "revoking"
        due = house.due_at()
        assert due is not None
        assert dt.timedelta(seconds=10) <= due - house.clock.now <= DAY
        house.clock.now = due
    house.go_on(revoke=None)
    assert house.state() == "revoked"


def test_an_approval_of_the_last_moment_is_not_lost(house: Keeping) -> None:
    """Its time was over by our clock, and the customer came back a minute later: the bank says that it stands."""
    house.standing_at(S.STAGE)

    def over(uow: UnitOfWork, standing: Standing) -> None:
        step(uow, standing, S.EXPIRE, source=ConsentSource.WORKER, evidence="not approved in time")

    house.change(over)
    house.keep(access="t0ken", refresh=None)
    house.go_on(told=AUTHORISED)
    assert (house.state(), house.token()) == ("authorised", "t0ken")
    assert house.row().ended_at is None


def lapsed(uow: UnitOfWork, standing: Standing) -> None:
    step(uow, standing, S.EXPIRE, source=ConsentSource.WORKER, evidence="not approved in time")


def stopped(house: Keeping) -> None:
    with house.begin() as uow:
        stop_everything(uow, customer_id=house.customer.id)
        uow.commit()


def bank_removed(house: Keeping) -> None:
    row = {"customer_id": house.customer.id, "bank_id": "horizon", "rank": 1}
    house.add(CustomerBank(**row, added_at=house.clock.now, removed_at=house.clock.now))


@pytest.mark.parametrize("unwanted", [stopped, bank_removed])
def test_an_approval_of_the_last_moment_that_is_not_wanted_any_more_is_taken_back(
    house: Keeping, unwanted: Callable[[Keeping], None]
) -> None:
    """Its customer stopped everything, or removed the bank, while its code was being exchanged."""
    house.standing_at(S.STAGE)
    house.change(lapsed)
    house.keep(access="t0ken", refresh=None)
    unwanted(house)
    house.go_on(told=AUTHORISED)
    assert (house.state(), house.token()) == ("revoking", None)
    house.go_on(revoke=None)
    assert house.state() == "revoked"


def test_what_only_our_clock_has_ended_can_be_taken_back(house: Keeping) -> None:
    consent_id = house.standing_at(S.STAGE)
    house.change(lapsed)
    with house.services.reading() as uow:
        assert takeable(uow.session, customer_id=house.customer.id) == [consent_id]
        assert takeable(uow.session, customer_id=house.customer.id, bank_id="another") == []
    house.change(revoked)
    assert house.state() == "revoking"
    house.go_on(revoke=None)
    with house.services.reading() as uow:
        assert takeable(uow.session, customer_id=house.customer.id) == []


def test_what_expired_unapproved_is_taken_back_at_the_bank_once_nobody_can_come_back(house: Keeping) -> None:
    house.standing_at(S.STAGE)
    house.change(lambda uow, row: step(uow, row, S.EXPIRE, source=ConsentSource.WORKER, evidence="late"))
    house.go_on()
    assert house.bank.verbs() == []
    house.clock.tick(seconds=rules.RETURN_GRACE.total_seconds())
    house.go_on(revoke=None)
    assert (house.state(), house.bank.verbs()) == ("expired", ["revoke"])
    assert house.row().gone_at is not None


# ------------------------------------------------------------------------------------------------------ approving it

MOVED = replace(
    SCA,
    issuer="https://id.horizon.example",
    authorization_endpoint="https://id.horizon.example/authorize",
    token_endpoint="https://id.horizon.example/token",  # an address
)


def approvable(house: Keeping) -> None:
    """It was stopped at the bank, where it was first approved by SCA."""
    house.standing_at(*STANDS, S.LOSE_ACCESS)
    with house.begin() as uow:
        uow.session.get_one(Consent, house.consent_id).sca = asdict(SCA)
        uow.commit()
    house.bank.answers["approval_now"] = SCA


def leave(house: Keeping) -> service.Leaving:
    return service.leave_to_approve(house.services, signed_in=house.signed_in, consent_id=house.consent_id)


def come_back(house: Keeping, leaving: service.Leaving, *, issuer: str) -> bool:
    """With a code. Whether it is to be exchanged."""
    returned = service.come_back(
        house.services,
        bank_id="horizon",
        state=parse_qs(urlsplit(leaving.url).query)["state"][0],
        browsers=[leaving.browser],
        customer_id=house.customer.id,
        answer={"code": "c0de", "iss": issuer},
    )
    assert returned is not None
    with house.services.reading() as uow:
        return uow.session.get_one(Trip, leaving.trip_id).outcome == "code"


def exchanged(house: Keeping) -> list[Any]:
    """What became of the codes that are here: the addresses to which they were sent."""
    house.bank.answers["complete"] = Authorised(access_token="new", expires_in_s=None)
    with house.services.reading() as uow:
        keys = list(uow.session.scalars(select(WorkRow.key).where(WorkRow.handler == "consents.exchange_consent_code")))
    for key in keys:
        with house.begin() as uow:
            claim = work.claim_key(uow.session, key=key, now=uow.now)
            uow.commit()
        assert claim is not None
        exchange_consent_code(Task(services=house.services, claim=claim))
    return [asked["sca"] for verb, asked in house.bank.asked if verb == "complete"]


def test_a_consent_that_outlived_the_addresses_of_its_bank_is_approved_at_the_new_ones(house: Keeping) -> None:
    approvable(house)
    house.bank.answers["approval_now"] = MOVED
    leaving = leave(house)
    assert leaving.url.startswith(MOVED.authorization_endpoint)
    assert come_back(house, leaving, issuer=MOVED.issuer)
    assert exchanged(house) == [MOVED]
    assert house.token() == "new"


def test_an_answer_of_another_issuer_than_the_browser_went_to_is_not_believed(house: Keeping) -> None:
    approvable(house)
    house.bank.answers["approval_now"] = MOVED
    assert not come_back(house, leave(house), issuer=SCA.issuer)
    assert exchanged(house) == []


def test_a_code_of_the_old_addresses_is_not_sent_to_the_new_ones(house: Keeping) -> None:
    approvable(house)
    assert come_back(house, leave(house), issuer=SCA.issuer)
    house.bank.answers["approval_now"] = MOVED
    leave(house)
    assert exchanged(house) == []


@pytest.mark.parametrize("verb", ["approval_now", "authorise_url"])
def test_a_bank_that_cannot_be_reached_leaves_who_is_on_the_way_there_alone(house: Keeping, verb: str) -> None:
    approvable(house)
    first = leave(house)
    house.bank.answers[verb] = BankUnavailable("away")
    with pytest.raises(Conflict) as refused:
        leave(house)
    assert refused.value.code == "bank-away"
    assert come_back(house, first, issuer=SCA.issuer)
    assert exchanged(house) == [SCA]


def test_nor_does_one_whose_keys_of_ours_are_missing(house: Keeping) -> None:
    approvable(house)
    first = leave(house)
    house.bank.is_usable = False
    with pytest.raises(Conflict) as refused:
        leave(house)
    assert refused.value.code == "bank-away"
    house.bank.is_usable = True
    assert come_back(house, first, issuer=SCA.issuer)


def test_of_two_who_leave_the_last_one_counts(house: Keeping) -> None:
    approvable(house)
    first, second = leave(house), leave(house)
    assert not come_back(house, first, issuer=SCA.issuer)
    assert come_back(house, second, issuer=SCA.issuer)


# ------------------------------------------------------------------------------------------- an approval of no use


def said_of_it(status: ConsentStatus) -> ToldConsent:
    return ToldConsent(status=status, raw_response=b"{}")


ELSE = replace(AUTHORISED, differences=("PeriodicLimits",))
CLEAR_NO = [
    said_of_it(ConsentStatus.CANCELLED),
    said_of_it(ConsentStatus.REJECTED),
    said_of_it(ConsentStatus.EXPIRED),
    ELSE,
]


def come_back_late(house: Keeping) -> None:
    """Its time was over by our clock before its customer was back."""
    house.standing_at(S.STAGE)
    leaving = house.leave_to_approve()
    house.change(lapsed)
    house.come_back_approved(leaving)
    assert (house.state(), house.token()) == ("expired", f"of {leaving.trip_id}")


@pytest.mark.parametrize("told", CLEAR_NO, ids=lambda told: str(told.status))
def test_a_clear_no_to_a_late_approval_ends_it_and_it_is_taken_back_at_the_bank(
    house: Keeping, told: ToldConsent
) -> None:
    come_back_late(house)
    house.go_on(told=told)
    assert (house.state(), house.token(), house.bank.verbs().count("told")) == ("expired", None, 1)
    assert [line.source for line in house.story()][-1] == "bank"  # of which there is a line, though it changed nothing
    house.go_on()
    ended_at = house.row().ended_at
    assert ended_at is not None
    assert house.due_at() == ended_at + rules.RETURN_GRACE
    house.clock.now = ended_at + rules.RETURN_GRACE
    house.go_on(revoke=None)
    assert (house.bank.verbs().count("told"), house.bank.verbs()[-1], house.due_at()) == (1, "revoke", None)


@pytest.mark.parametrize("answer", [said_of_it(ConsentStatus.WAITING), BankSilent("no answer")], ids=type)
def test_a_late_approval_of_which_the_bank_says_nothing_is_asked_for_now_and_then_until_it_is_taken_back(
    house: Keeping, answer: object
) -> None:
    come_back_late(house)
    begun_at = house.clock.now
    while house.bank.verbs()[-1] != "revoke":
        house.go_on(told=answer, revoke=None)
        if (due := house.due_at()) is not None and house.bank.verbs()[-1] == "told":
            assert due >= house.clock.now + rules.WAITING_AGAIN
            house.clock.now = due
    assert house.clock.now - begun_at <= rules.RETURN_GRACE + 5 * dt.timedelta(minutes=1)
    assert house.bank.verbs().count("told") < 60


@pytest.mark.parametrize("told", CLEAR_NO[:1])
def test_what_was_approved_anew_and_is_stopped_at_the_bank_again_can_be_approved_once_more(
    house: Keeping, told: ToldConsent
) -> None:
    house.standing_at(*STANDS, S.LOSE_ACCESS)
    house.approve()
    assert house.view().waits_for_bank
    house.go_on(told=told)
    assert (house.state(), house.token(), house.view().waits_for_bank) == ("stopped_at_bank", None, False)
    assert lines(house)[-1] == "lose_access"
    due = house.due_at()
    assert due is not None
    assert due > house.clock.now + 5 * DAY
    house.approve()
    house.go_on(told=AUTHORISED)
    assert house.state() == "authorised"


def wait_a_day(house: Keeping, told: object) -> int:
    """Its work is done whenever it is due. Returns how often the bank was asked."""
    before, until = len(house.bank.asked), house.clock.now + DAY
    while (due := house.due_at()) is not None and due <= until:
        house.clock.now = max(due, house.clock.now)
        house.go_on(told=told)
    house.clock.now = until
    return len(house.bank.asked) - before


@pytest.mark.long_on_postgres  # of a day, and the database has no part in it
@pytest.mark.parametrize("steps", [(S.STAGE,), (*STANDS, S.LOSE_ACCESS)], ids=["first", "anew"])
@pytest.mark.parametrize("answer", [said_of_it(ConsentStatus.UNKNOWN), BankSilent("no answer")], ids=type)
def test_a_bank_that_does_not_say_what_was_approved_is_asked_ever_less_and_after_a_day_it_can_be_approved_again(
    house: Keeping, steps: tuple[StandingStep, ...], answer: object
) -> None:
    house.standing_at(*steps)
    house.approve()
    asked = wait_a_day(house, answer)
    assert 24 <= asked < 100
    house.go_on(told=answer)
    assert (house.state(), house.token(), house.view().waits_for_bank) == ("stopped_at_bank", None, False)
    last = house.story()[-1]
    assert (last.step, last.source) == ("lose_access", "worker")
    assert wait_a_day(house, answer) <= 24


# ------------------------------------------------------------------------------------------- another account, no token


def test_approved_anew_no_account_is_shown_until_the_bank_names_it(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.approve()
    house.go_on(told=AUTHORISED)
    assert house.view().payer_mask == "····6053"
    house.clock.tick(minutes=5)
    house.approve()
    assert (house.state(), house.view().payer_mask, house.view().payer_name) == ("authorised", None, None)
    house.go_on(told=BankSilent("no answer"))
    assert house.due_at() == house.clock.now + rules.WAITING_AGAIN
    other = replace(PAYER, identification="99999811111234")
    house.go_on(told=replace(AUTHORISED, payer=other))
    assert house.view().payer_mask == "····1234"
    last = house.story()[-1]
    assert (last.step, last.evidence) == ("account", "bank:authorised; from ····1234, before from ····6053")


def notice_kinds(house: Keeping) -> list[str]:
    """What its customer would be told of, by now."""
    with house.services.reading() as uow:
        facts = uow.session.scalars(select(EventRow).where(EventRow.kind == "ConsentChanged").order_by(EventRow.id))
        kinds = [kind for kind in NoticeKind if kind.startswith("consent_") and kind is not NoticeKind.CONSENT_ENDING]
        every = [
            (kind, Notice(kind=kind, customer_id=house.customer.id, event_id=each.id))
            for each in facts
            for kind in kinds
        ]
        told = [kind for kind, notice in every if is_still_so(uow.session, notice, now=uow.now)]
    return [str(kind) for kind in told]


def test_another_account_that_pays_is_told_of_once_and_the_same_one_is_not(house: Keeping) -> None:
    house.standing_at(S.STAGE)
    house.approve()
    house.go_on(told=AUTHORISED)
    assert notice_kinds(house) == ["consent_set_up"]
    house.clock.tick(minutes=5)
    house.approve()
    house.go_on(told=AUTHORISED)
    assert notice_kinds(house) == []
    other = replace(AUTHORISED, payer=replace(PAYER, identification="99999811111234"))
    house.go_on(told=other)
    house.go_on(told=other)
    assert notice_kinds(house) == ["consent_account"]


def test_what_a_bank_says_of_before_an_approval_is_asked_anew(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.approve()
    house.go_on(told=AUTHORISED)
    house.clock.tick(days=6)
    house.bank.meanwhile = lambda: None if house.bank.asked[-1][0] != "told" else house.approve()
    house.go_on(told=AUTHORISED)  # the account of before
    house.bank.meanwhile = lambda: None
    assert (house.due_at(), house.row().payer_mask) == (house.clock.now, None)
    house.go_on(told=replace(AUTHORISED, payer=replace(PAYER, identification="99999811111234")))
    assert house.row().payer_mask == "····1234"


def test_nor_does_a_no_of_before_it_end_the_approval(house: Keeping) -> None:
    house.standing_at(*STANDS, S.LOSE_ACCESS)
    house.bank.meanwhile = lambda: None if house.bank.asked[-1][0] != "told" else house.approve()
    house.go_on(told=CLEAR_NO[0])
    house.bank.meanwhile = lambda: None
    assert house.token() is not None
    house.go_on(told=AUTHORISED)
    assert house.state() == "authorised"


def test_a_bank_that_names_no_account_any_more_has_lost_none_once_it_is_approved_anew(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.approve()
    house.go_on(told=AUTHORISED)
    unnamed = replace(AUTHORISED, payer=None)
    house.go_on(told=unnamed)
    assert house.row().payer_lost_at is not None
    house.clock.tick(hours=1)
    house.approve()
    for _ in range(2):
        house.go_on(told=unnamed)
        assert (house.row().payer_lost_at, house.row().payer_mask) == (None, None)
    with house.services.reading() as uow:
        (held,) = _known(uow.session, customer_id=house.customer.id, now=uow.now).held
        assert held.knows_account
        assert uow.session.get(Sealed, f"consent:{house.consent_id}:payer") is None  # nobody knows whether it is it


def test_a_hint_that_comes_while_the_bank_thinks_is_followed(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.approve()
    house.bank.meanwhile = lambda: house.change(lambda uow, row: follow_from(uow, row, run_at=uow.now))
    house.go_on(told=AUTHORISED)
    house.bank.meanwhile = lambda: None
    assert house.due_at() == house.clock.now + rules.HINT_PAUSE
    house.go_on(told=AUTHORISED)
    due = house.due_at()
    assert due is not None
    assert due > house.clock.now + 5 * DAY


@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_token_that_is_over_ends_what_stands_at_its_end(house: Keeping, is_dropped: bool) -> None:
    house.standing_at(S.STAGE)
    house.approve(life_s=3600)
    house.go_on(told=AUTHORISED)
    assert house.state() == "authorised"
    due = house.due_at()
    assert due is not None
    assert house.clock.now + dt.timedelta(minutes=55) < due <= house.clock.now + dt.timedelta(hours=1)
    house.clock.tick(hours=1)
    if is_dropped:
        with house.begin() as uow:
            vault.drop_expired(uow.session, now=uow.now)
            uow.commit()
    house.go_on(told=BankSilent("no answer"))
    assert (house.state(), house.token()) == ("stopped_at_bank", None)
    assert (house.story()[-1].step, house.story()[-1].source) == ("lose_access", "worker")


def test_a_token_that_is_renewed_with_nothing_beside_it_is_looked_at_at_its_end(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="old", refresh="r-1", life_s=5)
    house.go_on(told=AUTHORISED)
    house.bank.answers["renew"] = Authorised(access_token="new", expires_in_s=3600)
    assert house.fresh() == "new"
    due = house.due_at()
    assert due is not None
    assert due <= house.clock.now + dt.timedelta(hours=1)


# ----------------------------------------------------------------------------------------- stopped at the bank: events


def stopped_there(house: Keeping, **changes: Any) -> Event:
    event = Event(
        event_id="evt-1",
        kind=EventKind.CONSENT_REVOKED,
        resource_type="domestic-vrp-consent",
        resource_id="",
        occurred_at=house.clock.now,
    )
    return replace(event, **changes)


@pytest.mark.parametrize("steps", [(S.STAGE,), (*STANDS, S.LOSE_ACCESS)], ids=["first", "anew"])
def test_what_is_stopped_at_the_bank_before_it_said_what_it_holds_is_not_called_in_force(
    house: Keeping, steps: tuple[StandingStep, ...]
) -> None:
    house.standing_at(*steps)
    house.approve()
    house.go_on(told=BankSilent("no answer"))
    house.clock.tick(hours=1)
    house.hear(stopped_there(house))
    assert (house.state(), house.token()) == ("stopped_at_bank", None)
    house.go_on(told=AUTHORISED)  # by the standard it says so all the same
    assert house.state() == "stopped_at_bank"
    last = [line for line in house.story() if line.evidence == "event:evt-1"]
    assert [line.step for line in last] == ["lose_access"]


def test_a_late_approval_that_was_stopped_at_the_bank_is_not_taken_up(house: Keeping) -> None:
    come_back_late(house)
    house.hear(stopped_there(house))
    assert (house.state(), house.token()) == ("expired", None)


@pytest.mark.parametrize(
    ("after_s", "state"),
    [(0, "stopped_at_bank"), (-1, "stopped_at_bank"), (-59, "stopped_at_bank"), (-61, "authorised")],
)
def test_an_event_counts_from_a_moment_before_its_code_was_exchanged(house: Keeping, after_s: int, state: str) -> None:
    """The bank may take a while until it says that it stands, its clock may be behind, and it may count in seconds."""
    house.standing_at(S.STAGE)
    exchanged_at = house.clock.now
    house.approve()
    house.clock.tick(minutes=3)
    house.go_on(told=AUTHORISED)
    house.hear(stopped_there(house, occurred_at=exchanged_at + dt.timedelta(seconds=after_s)))
    assert house.state() == state


def test_an_event_is_believed_once(house: Keeping) -> None:
    house.standing_at(S.STAGE)
    house.approve()
    house.go_on(told=AUTHORISED)
    event = stopped_there(house)
    house.hear(event)
    assert house.state() == "stopped_at_bank"
    house.clock.tick(seconds=5)
    house.approve()
    house.go_on(told=AUTHORISED)
    house.hear(event)
    assert house.state() == "authorised"
    house.hear(replace(event, event_id="evt-2"))
    assert house.state() == "stopped_at_bank"


# --------------------------------------------------------------------------------------- a no to what may have arrived

NOT_US = BankRefused("our certificate", code="invalid_client", http_status=401)
ONE_ALREADY = BankRefused("the first one is being worked on", code="U000", http_status=409)


def confirmed(house: Keeping) -> list[bool]:
    with house.services.reading() as uow:
        stop = uow.session.scalars(select(Stop)).one()
        return [each.is_confirmed for each in taken_back(uow.session, stop=stop)]


@pytest.mark.parametrize("error", [NOT_US, ONE_ALREADY], ids=["not us", "one already"])
def test_a_no_is_none_once_the_same_bytes_may_have_arrived(house: Keeping, error: BankRefused) -> None:
    house.standing_at()
    house.go_on(initiate=BankSilent("the bank took it, and its answer was lost"))
    house.go_on(initiate=error)
    assert house.state() == "prepared"
    assert house.due_at() == house.clock.now + dt.timedelta(seconds=rules.SEND_AGAIN_S[1])
    house.go_on(initiate=STAGED)
    assert house.state() == "awaiting"


@pytest.mark.parametrize(
    ("before", "error"),
    [([], ONE_ALREADY), ([BankSilent("lost")], NOT_US)],
    ids=["one already", "may have arrived"],
)
def test_where_the_bank_never_tells_its_id_it_is_given_up_by_us(
    house: Keeping, before: list[Exception], error: BankRefused
) -> None:
    house.standing_at()
    for answer in (*before, *[error] * (len(rules.SEND_AGAIN_S) + 1 - len(before))):
        house.go_on(initiate=answer)
    house.go_on()
    last = house.story()[-1]
    assert (house.state(), last.step, last.source) == ("rejected", "give_up", "worker")
    house.go_on()
    assert (house.due_at(), house.row().psu) == (None, None)


@pytest.mark.parametrize("before", [[], [BankUnavailable("away")]], ids=["at once", "it was away before"])
def test_a_no_counts_where_nothing_of_it_can_have_arrived(house: Keeping, before: list[Exception]) -> None:
    house.standing_at()
    for answer in before:
        house.go_on(initiate=answer)
    house.go_on(initiate=NOT_US)
    last = house.story()[-1]
    assert (house.state(), last.step, last.source) == ("rejected", "give_up", "bank")


def test_what_is_stopped_after_it_may_have_arrived_is_not_gone_by_a_refusal(house: Keeping) -> None:
    house.standing_at()
    house.go_on(initiate=BankSilent("the bank took it, and its answer was lost"))
    stopped(house)
    house.change(revoked)
    house.clock.tick(seconds=30)
    house.go_on(initiate=NOT_US)
    assert (house.state(), house.row().gone_at, confirmed(house)) == ("revoking", None, [False])
    house.clock.now += rules.KEY_LIFE
    house.go_on()
    last = house.story()[-1]
    assert (house.state(), last.step, last.source) == ("revoked", "bank_gone", "worker")
    assert (confirmed(house), house.row().psu, house.due_at()) == ([False], None, None)


def test_what_is_stopped_after_the_bank_was_away_never_left(house: Keeping) -> None:
    house.standing_at()
    house.go_on(initiate=BankUnavailable("away"))
    stopped(house)
    house.change(revoked)
    house.go_on()
    assert (house.state(), house.bank.verbs(), confirmed(house)) == ("revoked", ["initiate"], [True])


@pytest.mark.parametrize("steps", [(), STANDS], ids=["its id", "its end"])
def test_a_bank_that_wants_to_be_left_alone_is_while_it_is_taken_back(
    house: Keeping, steps: tuple[StandingStep, ...]
) -> None:
    house.standing_at(*steps)
    if not steps:
        house.go_on(initiate=BankSilent("lost"))
    house.change(revoked)
    busy = BankUnavailable("busy", retry_after_s=600)
    house.go_on(initiate=busy, revoke=busy)
    assert house.due_at() == house.clock.now + dt.timedelta(seconds=600)


# ----------------------------------------------------------------------------------------------------- steps, reminders


def test_a_step_is_one_line_and_one_fact_and_a_repeat_is_none(house: Keeping) -> None:
    house.standing_at(*STANDS)
    house.keep(access="t0ken", refresh="r-1")

    def lost(uow: UnitOfWork, standing: Standing) -> None:
        lose_access(uow, standing, source=ConsentSource.BANK, evidence="bank:U028")

    for _ in range(3):
        house.change(lost)
    assert (house.state(), house.token(), house.facts("ConsentChanged")) == ("stopped_at_bank", None, 1)
    for _ in range(2):
        house.change(revoked)
    with house.services.reading() as uow:
        lines = uow.session.scalars(select(ConsentHistory.step).order_by(ConsentHistory.sequence)).all()
    assert lines == ["agree", "stage", "authorise", "lose_access", "revoke"]


def test_while_a_code_is_exchanged_nothing_is_called_stopped(house: Keeping) -> None:
    """The bank may be looked at in the middle of it: it has approved, and no token is here yet."""
    house.standing_at(S.STAGE)
    with house.begin() as uow:
        at = dict.fromkeys(("created_at", "left_at", "returned_at", "exchanged_at"), uow.now)
        trip = {"customer_id": house.customer.id, "bank_id": "horizon", "state_hash": "x", "redirect_uri": "https://x"}
        uow.session.add(Trip(id="trp_1", consent_id=house.consent_id, outcome="code", **trip, **at))
        uow.commit()
    begun_at = house.clock()
    house.go_on(told=AUTHORISED)
    assert (house.state(), house.due_at()) == ("awaiting", begun_at + rules.WAITING_AGAIN)
    house.clock.tick(seconds=60)
    house.go_on()
    assert house.state() == "stopped_at_bank"


def test_what_is_stuck_is_found_among_however_many_stand(house: Keeping) -> None:
    for _ in range(3):
        house.standing_at(*STANDS)
    unconfirmed = house.standing_at(*STANDS)
    house.change(revoked)
    unsaid = house.standing_at(S.STAGE)
    house.clock.tick(hours=24)
    house.standing_at(S.STAGE)

    def found(*, only_stuck: bool, most: int = 200) -> list[str]:
        with house.services.reading() as uow:
            return [each.id for each in consents_now(uow.session, now=uow.now, only_stuck=only_stuck, most=most)]

    assert found(only_stuck=True) == [unsaid]
    house.clock.tick(seconds=1)
    assert set(found(only_stuck=True)) == {unconfirmed, unsaid}
    assert len(found(only_stuck=True, most=1)) == 1
    assert len(found(only_stuck=False)) == 6
    assert len(found(only_stuck=False, most=2)) == 2


def lines(house: Keeping) -> list[str]:
    return [line.step for line in house.story()]


def test_a_bank_that_knows_the_account_no_more_is_told_of_once_and_nothing_is_offered(house: Keeping) -> None:
    house.standing_at(S.STAGE, S.AUTHORISE)
    house.keep(access="t0ken", refresh=None)
    house.go_on(told=AUTHORISED)
    assert (house.row().payer_mask, house.row().payer_lost_at) == ("····6053", None)
    for _ in range(2):
        house.go_on(told=replace(AUTHORISED, payer=None))
    assert (house.row().payer_mask, house.state()) == ("····6053", "authorised")
    assert house.row().payer_lost_at is not None
    assert lines(house).count("account_lost") == 1
    with house.services.reading() as uow:
        (held,) = _known(uow.session, customer_id=house.customer.id, now=uow.now).held
    assert not held.knows_account
    house.go_on(told=AUTHORISED)  # it is there again
    assert house.row().payer_lost_at is None
    assert lines(house)[-1] == "account"


def test_a_bank_that_never_names_the_account_has_not_lost_it(house: Keeping) -> None:
    house.standing_at(S.STAGE, S.AUTHORISE)
    house.keep(access="t0ken", refresh=None)
    house.go_on(told=replace(AUTHORISED, payer=None))
    assert (house.row().payer_mask, house.row().payer_lost_at) == (None, None)


def test_another_account_with_the_same_last_signs_is_another(house: Keeping) -> None:
    house.standing_at(S.STAGE, S.AUTHORISE)
    house.keep(access="t0ken", refresh=None)
    house.go_on(told=AUTHORISED)
    house.go_on(told=AUTHORISED)
    assert "account" not in lines(house)
    house.go_on(told=replace(AUTHORISED, payer=replace(PAYER, identification="99999811116053")))
    assert lines(house).count("account") == 1


@pytest.mark.long_on_postgres  # of forty days, and the database has no part in it
def test_the_end_is_reminded_of_thirty_seven_and_one_day_before_once_each(house: Keeping) -> None:
    today = house.clock.now.date()
    house.standing_at(*STANDS, frame=replace(FRAME, begins_on=today, ends_on=today + 40 * DAY))
    told: list[int] = []
    for day in range(41):
        for _ in range(3):
            with house.begin() as uow:
                service.remind(uow)
                uow.commit()
        if house.facts("ConsentEnding") > len(told):
            told.append(40 - day)
        house.clock.tick(days=1)
    assert told == [30, 7, 1]


def test_no_end_is_told_of_what_its_customer_has_just_stopped(house: Keeping) -> None:
    today = house.clock.now.date()
    house.standing_at(*STANDS, frame=replace(FRAME, begins_on=today, ends_on=today + 40 * DAY))
    house.clock.tick(days=10)
    with house.begin() as uow:
        service.remind(uow)
        uow.commit()

    def is_told() -> bool:
        with house.services.reading() as uow:
            event_id = uow.session.scalars(select(EventRow.id).where(EventRow.kind == "ConsentEnding")).one()
            notice = Notice(kind=NoticeKind.CONSENT_ENDING, customer_id=house.customer.id, event_id=event_id)
            return is_still_so(uow.session, notice, now=uow.now)

    assert is_told()
    house.change(revoked)
    assert not is_told()


def remind(house: Keeping) -> None:
    with house.begin() as uow:
        service.remind(uow)
        uow.commit()


def test_what_is_set_up_shortly_before_its_end_is_not_reminded_of_at_once(house: Keeping) -> None:
    today = house.clock.now.date()
    house.standing_at(*STANDS, frame=replace(FRAME, begins_on=today, ends_on=today + 20 * DAY))
    remind(house)
    house.clock.tick(days=12)
    remind(house)
    assert house.facts("ConsentEnding") == 0
    house.clock.tick(days=1)
    remind(house)
    assert house.facts("ConsentEnding") == 1


def test_what_is_not_due_takes_no_room_of_what_is(house: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "REMINDERS_MOST", 1)
    today = house.clock.now.date()
    house.standing_at(*STANDS, frame=replace(FRAME, begins_on=today, ends_on=today + 40 * DAY))
    house.standing_at(*STANDS, frame=replace(FRAME, begins_on=today, ends_on=today + 40 * DAY))
    house.clock.tick(days=10)
    house.standing_at(*STANDS, frame=replace(FRAME, begins_on=today, ends_on=today + 20 * DAY))  # not in time for 30
    for reminded in (1, 2, 2):
        remind(house)
        assert house.facts("ConsentEnding") == reminded


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.parametrize("is_due", [False, True])
def test_nobody_who_begins_a_period_waits_for_reminders(house: Keeping, is_due: bool) -> None:
    today = house.clock.now.date()
    frame = replace(FRAME, begins_on=today, ends_on=today + 40 * DAY)
    house.standing_at(*STANDS, frame=frame)
    house.clock.tick(days=10 if is_due else 9)
    with house.begin() as reminding, house.begin() as paying:
        service.remind(reminding)
        paying.session.execute(text("SET LOCAL lock_timeout = '500ms'"))
        (span,) = spans_at(frame, [house.clock.now.date()])
        key = {"consent_id": house.consent_id, "number": span.number, "first": span.first}
        paying.session.add(ConsentUsage(**key, last=span.last, limit_minor=span.limit_minor, used_minor=0))
        paying.session.flush()
        paying.commit()
        reminding.commit()
    assert house.facts("ConsentEnding") == is_due
