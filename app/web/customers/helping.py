"""What to do when something is wrong: one page, for everybody, at the same place on every page."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from app.web.context import services
from app.web.customers.pages import blueprint


@blueprint.get("/help")
def help_page() -> ResponseReturnValue:
    settings = services().settings
    return render_template("customers/help.html", email=settings.help_email, phone=settings.help_phone)
