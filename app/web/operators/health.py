"""Liveness and readiness. They say nothing that a stranger could use."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db.migrate import head_of, revision_of
from app.web.context import services

blueprint = Blueprint("operators", __name__)


@blueprint.get("/livez")
def livez() -> Response:
    """The process answers. Touches nothing else."""
    return jsonify(status="alive")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """The database answers and has our tables."""
    try:
        with services().reading() as uow:
            uow.session.execute(text("SELECT 1"))
            current = revision_of(uow.session.connection())
    except (SQLAlchemyError, TimeoutError):
        return jsonify(status="no database"), 503
    if current != head_of():
        return jsonify(status="not migrated"), 503
    return jsonify(status="ready"), 200
