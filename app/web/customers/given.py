"""What one company is given of its customer, field by field, and how each can be withdrawn."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from app.journey.sharing.read import ITEMS_MOST, sharing_of
from app.web.context import services
from app.web.customers.pages import blueprint, me


@blueprint.get("/companies/<biller>/given")
def given(biller: str) -> ResponseReturnValue:
    with services().reading() as uow:
        sharing = sharing_of(uow.session, customer=me().customer, biller_id=biller)
    return render_template("customers/given.html", sharing=sharing, items_most=ITEMS_MOST)
