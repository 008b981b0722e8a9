"""The billers' door: a REST API that takes bills in and tells what became of them. Nothing here can start a payment."""

from __future__ import annotations

from flask import Flask

from app.web.billers import (
    answers,
    api,
    auth,
    bills,
    confirmations,
    connections,
    oauth,
    payments,
    problems,
    refunds,
    uploads,
    withdrawals,
)
from app.web.billers.limits import limiter

__all__ = [
    "answers",
    "bills",
    "confirmations",
    "connections",
    "payments",
    "refunds",
    "register",
    "uploads",
    "withdrawals",
]  # they declare their operations when they are imported

_BLUEPRINTS = (api.blueprint, api.docs, oauth.blueprint)
for _door in _BLUEPRINTS:
    api.protect(_door)


def register(app: Flask) -> None:
    """Open the door. ``app.extensions["quittance"]`` must hold the services already."""
    limiter.init_app(app)
    auth.register(app)
    oauth.register(app)
    problems.register(app)
    for door in _BLUEPRINTS:
        app.register_blueprint(door)
