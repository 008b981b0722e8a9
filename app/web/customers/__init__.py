"""The customers' door: pages and forms, in French and English, that work without script but for the passkey itself."""

from __future__ import annotations

import zoneinfo

from flask import Flask, g, request
from flask_babel import Babel
from flask_wtf.csrf import CSRFProtect

from app.people.customers import LOCALES
from app.web.context import EXTENSION, cookie_name, signed_in
from app.web.customers import (  # noqa: F401  (they add their pages)
    agree,
    answers,
    calendars,
    choose,
    companies,
    consents,
    decide,
    erasing,
    errors,
    export,
    filters,
    french,
    funds,
    given,
    helping,
    inbox,
    limits,
    messages,
    money,
    notices,
    opinions,
    own_bills,
    pages,
    payee,
    payment,
    plans,
    privacy,
    real,
    receipts,
    refunds,
    search,
    security,
    sign_in,
    sign_together,
    stop,
    together,
    tools,
    verify,
    way_back,
)

#: plain ``en`` would give American dates
BABEL_LOCALES = {"en": "en_GB", "fr": "fr_FR"}


def register(app: Flask) -> None:
    settings = app.extensions[EXTENSION].settings
    app.config.update(
        # Flask's own signed cookie carries the form token and nothing else; sign-in has its own table
        SECRET_KEY=app.extensions[EXTENSION].keys.form,
        SESSION_COOKIE_NAME=f"__Host-form{settings.cookie_suffix}",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        WTF_CSRF_CHECK_DEFAULT=False,  # the customers' blueprint checks its own forms; other doors have other proofs
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,  # we send no referrer; Sec-Fetch-Site and Origin are checked instead
        BABEL_DEFAULT_LOCALE="en",
        BABEL_TRANSLATION_DIRECTORIES="translations",
    )
    CSRFProtect(app)
    limits.limiter.init_app(app)
    Babel(app, locale_selector=lambda: BABEL_LOCALES[language()], timezone_selector=time_zone)
    filters.register(app)
    french.register(app)
    errors.register(app)
    app.context_processor(pages.common)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(tools.door)
    app.register_blueprint(calendars.door)


def language() -> str:
    """The language of this page: chosen by cookie, else the customer's own, else the browser's."""
    chosen = request.cookies.get(cookie_name("language"))
    if chosen in LOCALES:
        return chosen
    who = signed_in()
    if who is not None and not who.read_only:  # a visitor keeps the language they came with
        return who.customer.locale
    return request.accept_languages.best_match(LOCALES, LOCALES[0]) or LOCALES[0]


def time_zone() -> str:
    """Times are the customer's own, or those of what a stranger was let see (``g.time_zone``)."""
    who = signed_in()
    own = who.customer.time_zone if who is not None else zoneinfo.ZoneInfo("UTC").key
    return str(g.get("time_zone", own))
