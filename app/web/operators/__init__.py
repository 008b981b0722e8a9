"""The operators' door: is the service alive, is it ready."""

from __future__ import annotations

from flask import Flask

from app.web.operators.health import blueprint


def register(app: Flask) -> None:
    app.register_blueprint(blueprint)
