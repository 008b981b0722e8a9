"""Where a biller listens, and what was said."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base, Id


class WebhookEndpoint(Base):
    """An address of a biller. Its signing secret is sealed as ``webhook:<id>:secret``."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (UniqueConstraint("biller_id", "url"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), index=True)
    url: Mapped[str] = mapped_column(String(500))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[dt.datetime]


class WebhookMessage(Base):
    """One message to one endpoint: its bytes are written once, so that every try says the same."""

    __tablename__ = "webhook_message"
    __table_args__ = (UniqueConstraint("event_id", "endpoint_id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)  # webhook-id: the same for every try
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoint.id"), index=True)
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"))
    type: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(Id, index=True)  # the bill, payment or connection it is about
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[dt.datetime]
    tries: Mapped[int] = mapped_column(default=0)
    last_status: Mapped[int | None]  # HTTP status of the last try; None when there was no answer
    delivered_at: Mapped[dt.datetime | None]
    dropped_at: Mapped[dt.datetime | None]  # not sent any more: a later word said more, nobody listens, or tried enough
