"""The banks' door: where a browser comes back from its bank, and where a bank says that it has news."""

from __future__ import annotations

from flask import Flask

from app.web.banks import events, redirect


def register(app: Flask) -> None:
    app.register_blueprint(redirect.blueprint)
    app.register_blueprint(events.blueprint)
