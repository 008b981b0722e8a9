"""What every door needs: the services, and who is asking."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, request

from app.people import sessions
from app.people.sessions import SignedIn
from app.services import Services

EXTENSION = "quittance"


def services() -> Services:
    """The services of this application."""
    return cast(Services, current_app.extensions[EXTENSION])


def cookie_name(kind: str) -> str:
    """``__Host-session`` and its like. In the demo it carries the port: cookies do not know ports."""
    return f"__Host-{kind}{services().settings.cookie_suffix}"


def signed_in() -> SignedIn | None:
    """The customer whose session cookie came with this request, looked up once a request."""
    if not hasattr(g, "signed_in"):
        g.signed_in = _look_up()
    return cast("SignedIn | None", g.signed_in)


def _look_up() -> SignedIn | None:
    token = request.cookies.get(cookie_name("session"))
    if not token:
        return None
    with services().reading() as uow:
        found = sessions.find(uow.session, token=token, now=uow.now)
    if found is None:
        return None
    who, wants_touch = found
    if wants_touch:
        with services().unit_of_work() as uow:
            sessions.touch(uow, who.session_id)
            uow.commit()
    return who
