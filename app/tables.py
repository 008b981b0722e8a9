"""Imports every models.py once, so that the metadata is whole: for migrations and for foreign keys by name."""

# ruff: noqa: F401  (importing them is the point)

from __future__ import annotations

import app.audit.models
import app.db.events
import app.db.work
import app.journey.answers.models
import app.journey.calendars.models
import app.journey.connections.models
import app.journey.consents.models
import app.journey.corrections.models
import app.journey.decisions.models
import app.journey.erasure.models
import app.journey.export.models
import app.journey.intake.models
import app.journey.invoices.models
import app.journey.ledger.models
import app.journey.matching.models
import app.journey.notices.models
import app.journey.opinions.models
import app.journey.outlook.models
import app.journey.payments.models
import app.journey.plans.models
import app.journey.receipts.models
import app.journey.reconciliation.models
import app.journey.refunds.models
import app.journey.webhooks.models
import app.people.models
import consent.models
from consent.base import Base

metadata = Base.metadata
