"""What was told, as its customer sees it: the list that tells a true message from a fake one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.journey.notices.compose import text_of
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.models import Notice, NoticeChoice
from app.journey.notices.states import NoticeState


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """One message: its subject and its own paragraphs, without the safe words that it began with."""

    id: str
    subject: str
    paragraphs: tuple[str, ...]
    language: str
    state: NoticeState
    tried: bool  #: what was given up, or not wanted any more, may have arrived all the same
    created_at: dt.datetime
    ended_at: dt.datetime | None  #: of a sent one: when a mail server took it


def was_asked(session: Session, *, customer_id: str) -> bool:
    """Whether the question for their address was sent to them, of what is kept."""
    asked = select(Notice.id).where(Notice.customer_id == customer_id, Notice.kind == NoticeKind.ADDRESS_ASKED)
    return session.scalar(asked.where(Notice.state == NoticeState.SENT).limit(1)) is not None


def notices_of(session: Session, *, customer_id: str) -> list[NoticeView]:
    """All that are kept, newest first: whoever looks for one that is not in the list takes it for a fake."""
    rows = session.scalars(
        select(Notice).where(Notice.customer_id == customer_id).order_by(Notice.created_at.desc(), Notice.id.desc())
    )
    return [_view(row) for row in rows]


def chosen_by(session: Session, *, customer_id: str) -> set[str]:
    """The kinds that this customer is told of by e-mail."""
    return set(session.scalars(select(NoticeChoice.kind).where(NoticeChoice.customer_id == customer_id)))


def is_unreachable(session: Session, *, customer_id: str) -> bool:
    """Whether the last message that was tried was refused for this customer's address."""
    tried = (NoticeState.SENT, NoticeState.REFUSED)
    last = select(Notice.state).where(Notice.customer_id == customer_id, Notice.state.in_(tried))
    return session.scalar(last.order_by(Notice.ended_at.desc(), Notice.id.desc()).limit(1)) == NoticeState.REFUSED


def _view(row: Notice) -> NoticeView:
    text = text_of(NoticeKind(row.kind), row.locale)
    return NoticeView(
        id=row.id,
        subject=text.subject,
        paragraphs=text.paragraphs,
        language=row.locale,
        state=NoticeState(row.state),
        tried=row.tries > 0,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
