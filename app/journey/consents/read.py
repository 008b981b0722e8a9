"""A customer's standing consents as pages show them, and as operators see what is stuck."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, Select, case, func, literal, or_, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.consents import claims
from app.journey.invoices.models import Invoice
from app.people.accounts import open_accounts
from app.people.models import Biller
from connectors.capabilities import UNSURE, Alignment, Period
from connectors.money import Money
from consent import tokens, trips
from consent.models import Consent, ConsentHistory, ShownText, Standing
from consent.rules import Frame, Used, days_at, spans_at
from consent.states import STANDING_OVER, STANDING_USABLE, StandingState

#: of those that are over, on one page
OVER_MOST = 50
#: past its time, what waits is stuck
REVOKING_LONG, AWAITING_LONG = dt.timedelta(days=1), dt.timedelta(hours=3)
#: bills by which limits are suggested
SUGGESTED_BY = dt.timedelta(days=400)
#: minor units to which a suggestion is rounded up
ROUND = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitView:
    """One limit, and where it stands in the period of now; ``left`` and ``resets_on`` None: it has not begun."""

    period: Period
    alignment: Alignment
    most: Money
    left: Money | None
    used: Money | None
    resets_on: dt.date | None
    shorter: Money | None  #: what all of this period allows, where that is less: the first one by the calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """One line of its history."""

    step: str
    at: dt.datetime
    is_banks_word: bool  #: the bank said so itself; else it is what our own clock makes of it, or what never came


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentView:
    """A standing consent."""

    id: str
    state: StandingState
    version: str  #: another one whenever there is something new to show
    biller_id: str
    biller_name: str
    bank_id: str
    payee_name: str
    payee_iban: str
    each: Money
    begins_on: dt.date
    ends_on: dt.date | None
    payer_mask: str | None
    payer_name: str | None
    is_payer_lost: bool  #: the bank named that account before, and names none any more
    agreed_at: dt.datetime
    authorised_at: dt.datetime | None
    ended_at: dt.datetime | None
    approve_until: dt.datetime
    limits: tuple[LimitView, ...]
    waits_for_bank: bool  #: its customer is back, and the bank's own word is awaited
    is_late: bool  #: the time to approve it is over, and the bank has still to say what became of it
    is_account_open: bool  #: something may be paid to its payee's account now
    lines: tuple[LineView, ...] = ()  #: newest first; of one alone
    sentences: tuple[str, ...] = ()  #: as they were shown and signed
    language: str = "en"  #: of these

    @property
    def is_over(self) -> bool:
        return self.state in STANDING_OVER

    @property
    def has_begun(self) -> bool:
        return any(limit.left is not None for limit in self.limits)

    @property
    def can_approve(self) -> bool:
        """Whether its customer may be sent to the bank for it, as far as its state goes."""
        return self.state in (*STANDING_USABLE, StandingState.AWAITING) and not self.is_late


def consents_of(session: Session, *, customer_id: str, now: dt.datetime) -> list[ConsentView]:
    """All that are not over, and the last of those that are; by company."""
    mine = _select().where(Standing.customer_id == customer_id)
    standing = session.execute(mine.where(Standing.ended_at.is_(None)).order_by(Biller.name, Standing.consent_id)).all()
    over = session.execute(
        mine.where(Standing.ended_at.is_not(None)).order_by(Standing.ended_at.desc()).limit(OVER_MOST)
    ).all()
    return _views(session, (*standing, *over), now=now)


def usable_with(session: Session, *, customer_id: str, biller_id: str, now: dt.datetime) -> list[ConsentView]:
    """Those for one company under which something can be paid, or could again."""
    rows = session.execute(
        _select()
        .where(Standing.customer_id == customer_id, Standing.biller_id == biller_id, Standing.ended_at.is_(None))
        .where(Consent.state.in_(STANDING_USABLE))
        .order_by(Standing.agreed_at, Standing.consent_id)
    ).all()
    return _views(session, rows, now=now)


def consent_view(session: Session, *, consent_id: str, customer_id: str, now: dt.datetime) -> ConsentView:
    """One of this customer's, with all that is known of it. Raises NotFound."""
    row = session.execute(
        _select().where(Standing.consent_id == consent_id, Standing.customer_id == customer_id)
    ).one_or_none()
    if row is None:
        raise NotFound("consent")
    [view] = _views(session, [row], now=now)
    lines = session.scalars(
        select(ConsentHistory).where(ConsentHistory.consent_id == consent_id).order_by(ConsentHistory.sequence.desc())
    )
    text = session.get_one(ShownText, row[0].shown_hash)
    return ConsentView(
        **{name: getattr(view, name) for name in ConsentView.__dataclass_fields__ if name not in _OF_ONE},
        lines=tuple(
            LineView(step=line.step, at=line.at, is_banks_word=line.evidence.startswith(("bank:", "event:")))
            for line in lines
        ),
        sentences=tuple(json.loads(text.text)),
        language=text.language,
    )


_OF_ONE = frozenset({"lines", "sentences", "language"})


def _select() -> Select[Standing, Consent, str]:
    return (
        select(Standing, Consent, Biller.name)
        .join(Consent, Consent.id == Standing.consent_id)
        .join(Biller, Biller.id == Standing.biller_id)
    )


def payer_mask_of(session: Session, consent_id: str) -> str | None:
    """The account that payments under this standing consent are from, as far as it is shown."""
    return session.scalar(select(Standing.payer_mask).where(Standing.consent_id == consent_id))


def awaits_word(session: Session, consent: Consent, standing: Standing) -> bool:
    """Whether its customer has come back with an approval, and the bank has still to say what it holds: its token is
    here; or the code was sent, and nobody could ask since that was over."""
    if tokens.is_any_kept(session, consent.id):
        return True
    over_at = trips.exchange_over_at(session, consent.id) if consent.state == StandingState.AWAITING else None
    return over_at is not None and (standing.looked_at is None or standing.looked_at <= over_at)


def _views(session: Session, rows: Sequence[Row[Standing, Consent, str]], *, now: dt.datetime) -> list[ConsentView]:
    """What is the same question of each is asked once of all."""
    today = days_at(now, days=UNSURE)[0]
    used = claims.used_of(session, consent_ids=[row[0].consent_id for row in rows], since=today)
    accounts = open_accounts(session, biller_ids={row[0].biller_id for row in rows}, now=now)
    open_to = {(biller_id, account.iban) for biller_id, known in accounts.items() for account in known}
    returned = _with_an_approval(session, rows)
    return [
        _view(row, used=used.get(row[0].consent_id, {}), open_to=open_to, waits=row[0].consent_id in returned, now=now)
        for row in rows
    ]


def _with_an_approval(session: Session, rows: Sequence[Row[Standing, Consent, str]]) -> set[str]:
    """Those for which ``awaits_word`` holds, of all that are not in force."""
    others = [(consent, standing) for standing, consent, _ in rows if consent.state != StandingState.AUTHORISED]
    kept = tokens.with_any_kept(session, [consent.id for consent, _ in others])
    begun = [each for each in others if each[0].id not in kept and each[0].state == StandingState.AWAITING]
    return kept | {consent.id for consent, standing in begun if awaits_word(session, consent, standing)}


def _view(
    row: Row[Standing, Consent, str], *, used: Used, open_to: Collection[tuple[str, str]], waits: bool, now: dt.datetime
) -> ConsentView:
    standing, consent, biller_name = row
    frame, state = standing.frame, StandingState(consent.state)
    return ConsentView(
        id=consent.id,
        state=state,
        version=f"{state}-{standing.sequence}-{'waits' if waits else ''}-{standing.gone_at is not None}",
        biller_id=standing.biller_id,
        biller_name=biller_name,
        bank_id=consent.bank_id,
        payee_name=frame.payee_name,
        payee_iban=frame.payee_iban,
        each=Money(frame.each_minor, frame.currency),
        begins_on=frame.begins_on,
        ends_on=frame.ends_on,
        payer_mask=standing.payer_mask,
        payer_name=standing.payer_name,
        is_payer_lost=standing.payer_lost_at is not None,
        agreed_at=standing.agreed_at,
        authorised_at=standing.authorised_at,
        ended_at=standing.ended_at,
        approve_until=consent.expires_at,
        limits=_limits(frame, days=days_at(now, days=standing.days), used=used),
        waits_for_bank=waits,
        is_late=state is StandingState.AWAITING and now >= consent.expires_at,
        is_account_open=(standing.biller_id, frame.payee_iban) in open_to,
    )


def _limits(frame: Frame, *, days: Sequence[dt.date], used: Used) -> tuple[LimitView, ...]:
    today = days[-1]  # of two that are possible, the one that has begun last
    spans = {span.number: span for span in spans_at(frame, [today])} if today >= frame.begins_on else {}
    views = []
    for number, limit in enumerate(frame.limits):
        span = spans.get(number)
        taken = used.get(span.key, 0) if span is not None else 0
        views.append(
            LimitView(
                period=limit.period,
                alignment=limit.alignment,
                most=Money(limit.minor, frame.currency),
                used=Money(taken, frame.currency) if span is not None else None,
                left=Money(max(0, span.limit_minor - taken), frame.currency) if span is not None else None,
                resets_on=span.resets_on if span is not None else None,
                shorter=Money(span.limit_minor, frame.currency) if span and span.limit_minor < limit.minor else None,
            )
        )
    return tuple(views)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Limits with some room above what this company's bills were."""

    each: Money
    month: Money


def suggested(
    session: Session, *, biller_id: str, customer_id: str, currency: str, now: dt.datetime
) -> Suggestion | None:
    """From the bills of the last thirteen months; None: there was none in this currency."""
    most, first, total = session.execute(
        select(
            func.max(Invoice.amount_minor),
            func.min(Invoice.opened_at),
            func.sum(Invoice.amount_minor),
        ).where(
            Invoice.customer_id == customer_id,
            Invoice.biller_id == biller_id,
            Invoice.currency == currency,
            Invoice.opened_at > now - SUGGESTED_BY,
        )
    ).one()
    if not most:
        return None
    months = max(1, (now - first).days // 30)
    each = _rounded(most + most // 4)
    a_month = _rounded(max(most, int(total) // months) + most // 4)
    return Suggestion(each=Money(each, currency), month=Money(max(each, a_month), currency))


def _rounded(minor: int) -> int:
    return -(-minor // ROUND) * ROUND


# ----------------------------------------------------------------------------------------------------- for operators


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A standing consent as an operator sees it: no secret, and nothing of whose it is."""

    id: str
    bank_id: str
    state: str
    since: dt.datetime
    sends: int
    next_look_at: dt.datetime | None
    why: str  #: "" where nothing is wrong with it


def consents_now(session: Session, *, now: dt.datetime, only_stuck: bool, most: int = 200) -> list[Stuck]:
    """Those that are not over, or still to be taken back at their bank: the oldest first."""
    since = (
        select(ConsentHistory.at)
        .where(ConsentHistory.consent_id == Standing.consent_id, ConsentHistory.sequence == Standing.sequence)
        .scalar_subquery()
    )
    to_take_back = (Consent.bank_consent_id.is_not(None)) & Standing.gone_at.is_(None)
    is_unconfirmed = Consent.state.in_(_TO_CONFIRM) & (since < now - REVOKING_LONG)
    was_due, has_lapsed = since < now - AWAITING_LONG, Consent.expires_at < now - AWAITING_LONG
    is_unsaid = Consent.state.in_(_BEGUN) & was_due & has_lapsed
    why = case((is_unconfirmed, literal(_UNCONFIRMED)), (is_unsaid, literal(_UNSAID)), else_=literal(""))
    rows = (
        select(
            Consent.id,
            Consent.bank_id,
            Consent.state,
            since.label("since"),
            Standing.sends,
            Standing.next_look_at,
            why.label("why"),
        )
        .join(Standing, Consent.id == Standing.consent_id)
        .where(or_(Standing.ended_at.is_(None), to_take_back))
        .order_by(since, Standing.consent_id)
        .limit(most)
    )
    if only_stuck:
        rows = rows.where(or_(is_unconfirmed, is_unsaid))
    return [Stuck(**row) for row in session.execute(rows).mappings()]


_TO_CONFIRM = (StandingState.REVOKING, *STANDING_OVER)
_BEGUN = (StandingState.PREPARED, StandingState.AWAITING)
_UNCONFIRMED = "the bank has not confirmed for a day that it has it no more"
_UNSAID = "its time to be approved is over, and the bank does not say what became of it"


def history_of(session: Session, consent_id: str) -> Sequence[ConsentHistory]:
    """All its lines, the oldest first."""
    return session.scalars(
        select(ConsentHistory).where(ConsentHistory.consent_id == consent_id).order_by(ConsentHistory.sequence)
    ).all()
