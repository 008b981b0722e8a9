"""How amounts, dates and accounts are written for a person. Without it every template would find its own way.

British English and French forms, in the zone that Flask-Babel's timezone selector gives. Nothing here reads
the clock: "today" comes from the page. No-break spaces keep a date or an amount on one line.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import format_currency, format_decimal, get_currency_name, get_currency_symbol
from flask_babel import get_locale, get_timezone, gettext, ngettext
from jinja2 import pass_context
from markupsafe import Markup

from app.journey.decisions.bank_days import in_time_for

if TYPE_CHECKING:
    from flask import Flask
    from jinja2.runtime import Context

    from connectors.money import Money

NBSP = "\N{NO-BREAK SPACE}"

#: plain ``en`` would give American dates
FORMATS = {"en": "en_GB", "fr": "fr_FR"}

#: a currency that is written in letters before its figures, without the space that belongs between them
_LETTERS_FIRST = re.compile(r"^(\N{MINUS SIGN}?[A-Z]{2,})(?=\d)")
#: a number without any sign that could stand for thousands, and perhaps a unit behind it
_QUANTITY = re.compile(r"(?P<number>[0-9]{1,12}(?:\.(?:[0-9]{1,2}|[0-9]{4,6}))?)(?: (?P<unit>\S.*))?", re.ASCII)
#: UNECE Recommendation 20: the codes that have no symbol which everybody knows (codes.py of the intake has the others)
_SPANS: dict[str, Callable[[Decimal], str]] = {
    "DAY": lambda number: ngettext("day", "days", _plural_of(number)),
    "WEE": lambda number: ngettext("week", "weeks", _plural_of(number)),
    "MON": lambda number: ngettext("month", "months", _plural_of(number)),
    "ANN": lambda number: ngettext("year", "years", _plural_of(number)),
}

#: words that do not stand for a name in its two letters
_PARTICLES = frozenset(
    ("a", "and", "for", "of", "the", "to",
     "au", "aux", "d", "de", "des", "du", "en", "et", "l", "la", "le", "les",
     "da", "das", "degli", "dei", "del", "della", "den", "der", "di", "die", "do", "dos", "el", "las", "los",
     "van", "von")
)  # fmt: skip

_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
#: in this order: most browsers also name those further down
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("FxiOS", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)


def register(app: Flask) -> None:
    """Give templates the filters and helpers that docs/pages.md names."""
    app.jinja_env.filters.update(
        money=money,
        counted=counted,
        currency_name=currency_name,
        currency_sign=currency_sign,
        whole=whole,
        sort_code=sort_code,
        quantity=quantity,
        day=day,
        moment=moment,
        hour=hour,
        clock=clock,
        iban=iban,
        initials=initials,
        days_left=days_left,
        device=device,
        country=country,
        in_time=in_time,
        bank_day_before=bank_day_before,
    )
    app.jinja_env.globals.update(time_zone=time_zone)


def money(value: Money) -> str:
    """``€1,234.50``, ``SEK 1,234.50``, ``1 234,50 €``: with exactly the currency's digits."""
    written = format_currency(value.decimal(), value.currency, locale=_formats()).replace("-", "\N{MINUS SIGN}")
    return _LETTERS_FIRST.sub(rf"\1{NBSP}", written)


def currency_sign(code: str) -> str:
    """Of a currency by its code, as ``money`` writes it: ``£``, ``£GB``."""
    return get_currency_symbol(code, locale=_formats())


def counted(value: int) -> str:
    """How many of something: ``3,600``, ``3 600``."""
    return format_decimal(value, locale=_formats())


def currency_name(value: Money) -> str:
    """``Euro``, ``livre sterling``: for where a sign alone could be misread."""
    return get_currency_name(value.currency, locale=_formats())


@pass_context
def day(context: Context, value: dt.date, style: str = "medium") -> str:
    """A date: ``full`` (with the weekday), ``long``, ``medium``, ``brief`` (year only if another)."""
    date = _local_date(value)
    if style == "brief":
        today: dt.date = context["today"]
        this_year = date.year == today.year
        text = format_skeleton("MMMMd", date, locale=_formats()) if this_year else _date(date, "long")
    else:
        text = _date(date, style)
    return _keep_together(text)


def long_day(value: dt.date) -> str:
    """A day within a sentence, with its year: ``1 December 2026``."""
    return _keep_together(_date(_local_date(value), "long"))


def moment(value: dt.datetime) -> str:
    """Date and time: ``22 Nov 2026, 14:32``."""
    return f"{_keep_together(_date(_local_date(value), 'medium'))}, {hour(value)}"


def hour(value: dt.datetime) -> str:
    """Time of day: ``14:32``."""
    return format_time(_local(value).time(), "short", locale=_formats())


def clock(value: int) -> str:
    """A whole hour of the day: ``22:00``."""
    return format_time(dt.time(value), "short", locale=_formats())


def iban(value: str) -> str:
    """In groups of four, as on paper. May break between groups: on a small telephone it has to."""
    return " ".join(value[i : i + 4] for i in range(0, len(value), 4))


def whole(value: str) -> Markup:
    """A number that is broken at a hyphen only where it is longer than a line: for text, not for an attribute."""
    return Markup('<span class="whole">{}</span>').format(value)


def _plural_of(number: Decimal) -> int:
    """One or several, for ``ngettext``: half a month is one in French, and several in English."""
    return 1 if number == 1 or (number < 2 and _formats() == "fr_FR") else 2


def sort_code(iban: str) -> tuple[str, str] | None:
    """Of a British account, as people there write it: ``("99-99-99", "41726053")``. None for any other."""
    if not iban.startswith("GB") or len(iban) != 22:
        return None
    code = iban[8:14]
    return f"{code[:2]}-{code[2:4]}-{code[4:]}", iban[14:]


def initials(name: str) -> str:
    """Two letters that stand for a name: ``Régie des Eaux`` → ``RE``, ``Lumen`` → ``LU``."""
    words = [word for word in re.split(r"[\W_]+", name) if word]
    strong = [word for word in words if word.lower() not in _PARTICLES] or words
    if not strong:
        return "?"
    return (strong[0][:2] if len(strong) == 1 else strong[0][0] + strong[1][0]).upper()


def quantity(value: str) -> str:
    """What a line is about, as its biller wrote it: ``21 m³``. A plain number is written as in the page's language
    (``0.5 h`` → ``0,5 h``), and spans of time have words instead of their code (``3 MON`` → ``3 months``).

    A number with three decimals stays as it is: who writes ``1.500 kg`` may mean either.
    """
    written = _QUANTITY.fullmatch(value)
    if written is None:
        return value
    number, unit = Decimal(written["number"]), written["unit"] or ""
    shown = format_decimal(number.normalize(), locale=_formats(), group_separator=False, decimal_quantization=False)
    words = _SPANS.get(unit)
    return f"{shown} {words(number) if words else unit}".rstrip()


@pass_context
def days_left(context: Context, value: dt.date) -> str:
    """``today``, ``tomorrow``, ``in 5 days``, ``3 days late``: from the page's today to this date."""
    days = (value - context["today"]).days
    if days == 0:
        return str(gettext("today"))
    if days == 1:
        return str(gettext("tomorrow"))
    if days > 1:
        return str(ngettext("in %(num)s day", "in %(num)s days", days))
    return str(ngettext("%(num)s day late", "%(num)s days late", -days))


def in_time(value: dt.date, currency: str) -> dt.date | None:
    """The last day before this one on which banks carry out a payment in this currency; None: they do on this one."""
    day = in_time_for(value, currency=currency)
    return day if day != value else None


def bank_day_before(value: dt.date, currency: str) -> dt.date:
    """The last day before this one on which banks work in this currency: until its end an order for this day can be
    taken back (PSD2, Article 80(3) and (4))."""
    return in_time_for(value - dt.timedelta(days=1), currency=currency)


def country(code: str) -> str:
    """``FR`` → ``France``, in the language of the page."""
    locale = get_locale()
    return str(locale.territories.get(code, code)) if locale else code


def device(user_agent: str) -> str:
    """``Firefox, Windows`` from what a browser says of itself. A label; nothing is decided by it."""
    system = next((label for mark, label in _SYSTEMS if mark in user_agent), "")
    browser = next((label for mark, label in _BROWSERS if mark in user_agent), "")
    return ", ".join(part for part in (browser, system) if part) or user_agent[:40] or gettext("Unknown device")


def time_zone() -> str:
    """The zone in which this page tells the time, such as ``Europe/Paris``."""
    return str(get_timezone())


def _formats() -> str:
    locale = get_locale()
    return FORMATS.get(locale.language if locale else "en", "en_GB")


def _date(value: dt.date, style: str) -> str:
    return format_date(value, style, locale=_formats())


def _local(value: dt.datetime) -> dt.datetime:
    return value.astimezone(get_timezone())


def _local_date(value: dt.date) -> dt.date:
    return _local(value).date() if isinstance(value, dt.datetime) else value


def _keep_together(text: str) -> str:
    """Day, month and year stay on one line; the name of a weekday before them may stand on the line above."""
    if _formats() == "fr_FR":
        text = re.sub(r"\b1 (?=\D)", "1er ", text)  # le 1er novembre
    weekday, figures = re.split(r"(?=\d)", text, maxsplit=1)
    return weekday + figures.replace(" ", NBSP)
