"""What French asks of a sentence that a name is filled into: "de" and "que" lose their e before a vowel.

The catalogue says ``de %(biller)s``; which company that is, is known when the page is written: ``de Lumen``,
``d’Électricité Nord``. The name itself is never changed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from babel.support import NullTranslations
from flask import g
from flask_babel import get_locale, get_translations
from jinja2 import pass_context
from markupsafe import Markup

if TYPE_CHECKING:
    from babel import Locale
    from flask import Flask
    from jinja2.runtime import Context

_BEFORE_A_NAME = re.compile(r"\b(d|qu|jusqu|lorsqu|puisqu)e %\((\w+)\)s", re.IGNORECASE)
_VOWELS = tuple("aeiouœæ")
#: how words begin whose h is not heard; before others, as in "de Hambourg", nothing is elided
_SILENT = (
    "habi", "harm", "hebd", "heli", "herb", "heur", "hist", "hive", "homm", "hono", "hopi", "hori", "horl", "hote",
    "huil", "huma", "hydr", "hygi",
)  # fmt: skip

_UNKNOWN: tuple[Locale | None, NullTranslations] = None, NullTranslations()


def register(app: Flask) -> None:
    """Templates fill in their sentences by ``elided``. Only French has such words: an English one stays as it is."""
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # Jinja's extension for translations adds it
        _filled(lambda text: _translations().ugettext(text)),
        _filled(lambda one, many, num: _translations().ungettext(one, many, num)),
        newstyle=False,  # what fills in is given here
        pgettext=_filled(lambda context, text: _translations().upgettext(context, text)),
        npgettext=_filled(lambda context, one, many, num: _translations().unpgettext(context, one, many, num)),
    )


def elided(sentence: str, names: Mapping[str, object]) -> str:
    """The sentence, still to be filled in, as it is said before these names."""

    def before(match: re.Match[str]) -> str:
        word, name = match.groups()
        return f"{word}’%({name})s" if _elides(str(names.get(name, ""))) else match[0]

    return _BEFORE_A_NAME.sub(before, sentence)


def words(sentence: str, **names: str) -> str:
    """A sentence of ours outside a template, as the page's would say it."""
    return elided(_translations().ugettext(sentence), names) % names


def _translations() -> NullTranslations:
    """Those of the language that is spoken now. A page asks for them a thousand times, and they are looked up once."""
    locale = get_locale()
    if locale is None:
        return _UNKNOWN[1]
    known: tuple[Locale | None, NullTranslations] = g.get("said_in", _UNKNOWN)
    if known[0] is not locale:
        known = g.said_in = locale, get_translations()
    return known[1]


def _elides(name: str) -> bool:
    """Before ``Électricité Nord`` and ``Horizon``; not before ``Lumen``, ``Hambourg`` and ``1er mai``."""
    plain = "".join(c for c in unicodedata.normalize("NFD", name.lower()) if not unicodedata.combining(c))
    return plain.startswith(_VOWELS + _SILENT)


def _filled(translated: Callable[..., str]) -> Callable[..., str]:
    """A sentence of a page: ``%`` is doubled in it as Jinja asks, and what is filled in is escaped."""

    @pass_context
    def said(context: Context, *message: Any, **names: Any) -> str:
        sentence = elided(translated(*message), names)
        if isinstance(message[-1], int):
            names.setdefault("num", message[-1])
        return (Markup(sentence) if context.eval_ctx.autoescape else sentence) % names  # noqa: S704  # nosec B704  (our own words)

    return said
