"""What every door needs: the services, and who is asking."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, request

from app.people import sessions
from app.people.models import Customer
from app.people.sessions import SignedIn
from app.services import Services

EXTENSION = "quittance"


def services() -> Services:
    """The services of this application."""
    return cast(Services, current_app.extensions[EXTENSION])


def cookie_name(kind: str) -> str:
    """``__Host-session`` and its like. In the demo it carries the port: cookies do not know ports."""
    return f"__Host-{kind}{services().settings.cookie_suffix}"


def trip_cookies() -> list[str]:
    """The values of all trip cookies of this browser: one for each time it left for a bank."""
    prefix = f"__Host-away{services().settings.cookie_suffix}-"
    return [value for name, value in request.cookies.items() if name.startswith(prefix)]


def trip_cookie_name(trip_id: str) -> str:
    """Each trip has a cookie of its own: two tabs may be at two banks."""
    return f"__Host-away{services().settings.cookie_suffix}-{trip_id[-12:]}"


def signed_in() -> SignedIn | None:
    """The customer whose session cookie came with this request, looked up once a request. Whoever came in without a
    passkey is nobody here, on every page and at every door: see ``coming_back``."""
    if not hasattr(g, "signed_in"):
        who = _look_up()
        is_back = who is not None and who.way_back is not None
        g.signed_in, g.coming_back = (None, who) if is_back else (who, None)
    return cast("SignedIn | None", g.signed_in)


def coming_back() -> SignedIn | None:
    """Whoever came in by a recovery code or after the wait, to make a passkey. Only the pages for that ask this."""
    signed_in()
    return cast("SignedIn | None", g.get("coming_back"))


def may_be_here(customer: Customer) -> bool:
    """Demo customers exist only while the demo setting is on, whatever passkeys and sessions they have from then."""
    return services().settings.demo or not customer.demo


def _look_up() -> SignedIn | None:
    token = request.cookies.get(cookie_name("session"))
    if not token:
        return None
    with services().reading() as uow:
        found = sessions.find(uow.session, token=token, now=uow.now)
    if found is None:
        return None
    who, wants_touch = found
    if not may_be_here(who.customer):
        return None
    if wants_touch:
        with services().unit_of_work() as uow:
            sessions.touch(uow, who.session_id)
            uow.commit()
    return who
