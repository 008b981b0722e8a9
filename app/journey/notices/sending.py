"""Sending one message by e-mail: at least once, and once as far as anybody can know.

It is taken by the mail server (250) before we write down that it was. Whoever dies between the two leaves it waiting,
and it is sent again: with the same Message-ID, by which a mailbox can tell that it has it already.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from app.db.events import EventRow
from app.db.unit_of_work import UnitOfWork
from app.failpoints import failpoint
from app.journey.notices import smtp
from app.journey.notices.compose import Letter, compose, text_of
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.models import Notice
from app.journey.notices.service import is_still_so, is_wanted
from app.journey.notices.smtp import Envelope, Outcome
from app.journey.notices.states import NoticeStep
from app.journey.notices.trying import end, to_try_now
from app.people import addresses, recovery, safe_words
from app.people.models import Customer
from app.services import Services, Task

#: between tries; with the last one a day is over
PAUSES_S = (60, 300, 900, 1800, 3600, 2 * 3600, 4 * 3600, 6 * 3600, 10 * 3600)


def send(task: Task) -> None:
    """Hand it to the mail server once; try again later while that is of use."""
    services, server = task.services, task.services.settings.mail_server
    with services.unit_of_work() as uow:
        task.hold(uow)
        notice = to_try_now(task, uow, uow.session.get(Notice, task.payload["notice_id"]))
        if notice is None:
            uow.commit()
            return
        letter = _letter(services, uow, notice)
        if server is None or letter is None:
            end(task, uow, notice, NoticeStep.LEAVE)
            uow.commit()
            return
        notice.tries += 1
        notice.begun_at = notice.begun_at or uow.now
        envelope = _envelope(services, uow, notice, date=notice.begun_at)
        uow.commit()
    outcome = smtp.post(server, letter, envelope)
    failpoint("notice.sent")
    with services.unit_of_work() as uow:
        task.hold(uow)  # whoever was frozen meanwhile has nothing to say: another one has it
        notice = uow.session.get_one(Notice, notice.id)
        if outcome is Outcome.TAKEN:
            end(task, uow, notice, NoticeStep.SEND)
        elif outcome is Outcome.REFUSED:
            end(task, uow, notice, NoticeStep.REFUSE)
        elif notice.tries > len(PAUSES_S):
            end(task, uow, notice, NoticeStep.GIVE_UP)
        else:
            task.run_again(uow, run_at=uow.now + dt.timedelta(seconds=PAUSES_S[notice.tries - 1]))
        uow.commit()


def _letter(services: Services, uow: UnitOfWork, notice: Notice) -> Letter | None:
    """What it says now; None where nothing is to be said: it is not so any more, its customer wants it no more, has not
    shown that the address is theirs (or is asked that, and has), or has no words, or none that count still."""
    kind = NoticeKind(notice.kind)
    customer = uow.session.get_one(Customer, notice.customer_id)
    if kind is not NoticeKind.ADDRESS_CHANGED and (
        (customer.email_proven_at is not None) is (kind is NoticeKind.ADDRESS_ASKED)
    ):
        return None
    if _address(services, uow, notice) is None:
        return None
    row = safe_words.row_of(notice.customer_id)
    if kind is NoticeKind.ADDRESS_ASKED:
        if not safe_words.is_asked(uow.session, customer, now=uow.now):
            return None
        row = safe_words.row_of_asked(notice.customer_id)
    if kind is NoticeKind.WORDS_CHANGED:  # those that its customer knows
        row = _fact(uow, notice)["before"]
    words = safe_words.find(services.vault, uow.session, row)
    if words is None or not is_wanted(uow.session, notice) or not is_still_so(uow.session, notice, now=uow.now):
        return None
    to_type: tuple[str, ...] | None = ()
    if kind is NoticeKind.RECOVERY_ASKED:
        to_type = recovery.words_in(services.vault, uow.session, _fact(uow, notice)["words"], now=uow.now)
    if to_type is None:
        return None
    return compose(text_of(kind, notice.locale), words, locale=notice.locale, to_type=to_type)


def _fact(uow: UnitOfWork, notice: Notice) -> dict[str, Any]:
    return uow.session.get_one(EventRow, notice.event_id).payload


def _address(services: Services, uow: UnitOfWork, notice: Notice) -> str | None:
    """Where it goes: to the customer's address; to the one of before, if it says that it is theirs no more. None: that
    one is not kept any more."""
    if notice.kind == NoticeKind.ADDRESS_CHANGED:
        return addresses.before(services.vault, uow.session, _fact(uow, notice)["before"])
    return uow.session.get_one(Customer, notice.customer_id).email


def _envelope(services: Services, uow: UnitOfWork, notice: Notice, *, date: dt.datetime) -> Envelope:
    sender = services.settings.mail_from
    return Envelope(
        sender=sender,
        to=_address(services, uow, notice) or "",  # asked for before
        message_id=f"<{notice.id}@{sender.rpartition('@')[2]}>",
        date=date,
        language=notice.locale,
    )
