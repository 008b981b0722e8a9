"""The banks' door: where a browser comes back from its bank."""

from __future__ import annotations

from flask import Flask

from app.web.banks.redirect import blueprint


def register(app: Flask) -> None:
    app.register_blueprint(blueprint)
