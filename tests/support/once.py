"""What each test would make anew, and is always the same: made once in a process."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from babel.support import Translations
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import RSAKey
from werkzeug.routing import BaseConverter, Rule
from werkzeug.routing.rules import RulePart

from app import cli
from connectors import bank_keys, profile


def make_once(patch: pytest.MonkeyPatch) -> None:
    """For as long as ``patch`` stands: most of the time that it takes to set up an application or a bank.

    A function for each route and what its path is made of, which know nothing of the application; the words of a
    language and those of the command line; twenty banks' files, which a test seldom changes; RSA keys, whose numbers
    are looked at for their primes whenever one is read. What is refused is refused anew.
    """
    patch.setattr(Rule, "_parse_rule", _parsed_once(Rule._parse_rule))
    patch.setattr(Rule, "_compile_builder", _kept(Rule._compile_builder, _route))
    patch.setattr(Translations, "load", _kept(Translations.load, _language))
    patch.setattr(cli, "_parser", functools.cache(cli._parser))
    patch.setattr(profile, "read", _kept(profile.read, _bank_file))
    patch.setattr(RSAKey.binding, "import_private_key", _kept(RSAKey.binding.import_private_key, _jwk))
    load_pem_private_key = functools.cache(serialization.load_pem_private_key)
    for module in (serialization, bank_keys):
        patch.setattr(module, "load_pem_private_key", load_pem_private_key)


def _kept(real: Callable[..., Any], key_of: Callable[..., Hashable]) -> Callable[..., Any]:
    """``key_of`` is all that its answer hangs on."""
    made: dict[Hashable, Any] = {}

    def ask(*given: Any, **named: Any) -> Any:
        key = key_of(*given, **named)
        if key not in made:
            made[key] = real(*given, **named)
        return made[key]

    return ask


def _parsed_once(real: Callable[[Rule, str], Iterable[RulePart]]) -> Callable[[Rule, str], Iterable[RulePart]]:
    """It also notes on the rule what it finds, and after what was noted before."""
    found: dict[Hashable, tuple[list[RulePart], list[tuple[bool, str]], dict[str, BaseConverter]]] = {}

    def parse(rule: Rule, path: str) -> Iterable[RulePart]:
        assert rule.map is not None
        key = path, frozenset(rule.map.converters.items())
        if key in found:
            parts, trace, converters = found[key]
            rule._trace.extend(trace)
            rule._converters.update(converters)
            rule.arguments.update(converters)
            return parts
        noted = len(rule._trace)
        parts, trace = list(real(rule, path)), rule._trace[noted:]
        found[key] = parts, trace, {name: rule._converters[name] for is_variable, name in trace if is_variable}
        return parts

    return parse


def _language(folder: str, locales: list[Locale], domain: str) -> Hashable:
    return folder, tuple(map(str, locales)), domain


def _route(rule: Rule, append_unknown: bool = True) -> Hashable:
    return tuple(rule._trace), repr(rule.defaults), append_unknown


def _bank_file(path: Path, *, sandboxes: profile.Sandboxes, allow_http: bool) -> Hashable:
    return path.name, path.read_bytes(), tuple(sorted(sandboxes.items())), allow_http


def _jwk(said: Any) -> Hashable:
    return json.dumps(said, sort_keys=True)
