"""One bank, described in one file. Without it a bank would be code, and adding one a release."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from typing_extensions import override

from connectors.http import check_scheme
from connectors.money import EXPONENTS

#: seconds between calls for the status, after the first five (0, 2, 7, 22 and 67 s after the return); the last one
#: repeats. With those five this makes 8 calls in the first two hours.
POLL_S = (300, 900, 2400, 5400, 10_800, 21_600, 43_200, 86_400)
AUTHORISATION_MINUTES = 90
PLACEHOLDER = "{sandbox_bank_url}"

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ID_CHARACTERS_MAX = 40


class ProfileError(ValueError):
    """A bank's file cannot be used. The text names the file and the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankProfile:
    """What connectors, screens and schedules know of one bank. ``id`` is the stem of its file's name."""

    id: str
    name: str  #: shown to customers
    country: str  #: ISO 3166-1 alpha-2
    standard: str  #: a key of registry.STANDARDS
    base_url: str  #: of the payment API, without a slash at its end
    issuer: str  #: of its authorization server (RFC 8414), exactly as its metadata say
    client_id: str  #: ours at this bank
    redirect: bool  #: customers approve by redirect; the only way that we speak so far
    tpp_token: bool  #: an initiation needs a token of our own (client_credentials)
    status_access: str  #: "client_credentials": we may always ask; "psu_token": only with the customer's token
    currencies: tuple[str, ...]
    authorisation_minutes: int  #: how long a customer has to approve before the bank gives up
    poll_s: tuple[int, ...]
    status_calls_per_minute: int  #: for all payments together (K8)
    sandbox: bool  #: no real bank; left out where no sandbox bank runs


class _Url(fields.String):
    """An address to which a path can be added."""

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text.endswith("/") or "?" in text or "#" in text:
            raise ValidationError("must not have a slash at its end, a query or a fragment")
        return text


def _flag(**options: Any) -> fields.Boolean:
    return fields.Boolean(truthy={True}, falsy={False}, **options)


class _ProfileSchema(Schema):
    """The keys of a bank's file. marshmallow refuses any other key."""

    name = fields.String(required=True, validate=validate.Length(1, 70))
    country = fields.String(required=True, validate=validate.Regexp(r"[A-Z]{2}\Z"))
    standard = fields.String(required=True)
    base_url = _Url(required=True)
    issuer = _Url(required=True)
    client_id = fields.String(required=True, validate=validate.Length(1, 200))
    redirect = _flag(load_default=True)
    tpp_token = _flag(load_default=True)
    status_access = fields.String(
        load_default="client_credentials", validate=validate.OneOf(["client_credentials", "psu_token"])
    )
    currencies = fields.List(
        fields.String(validate=validate.OneOf(list(EXPONENTS), error="is not a currency that we know")),
        load_default=["EUR"],
        validate=validate.Length(1),
    )
    authorisation_minutes = fields.Integer(
        strict=True, load_default=AUTHORISATION_MINUTES, validate=validate.Range(1, 1440)
    )
    poll_s = fields.List(
        fields.Integer(strict=True, validate=validate.Range(60, 7 * 86_400)),
        load_default=list(POLL_S),
        validate=validate.Length(1, 50),
    )
    status_calls_per_minute = fields.Integer(strict=True, load_default=600, validate=validate.Range(1, 1_000_000))
    sandbox = _flag(load_default=False)


def read(path: Path, *, sandbox_bank_url: str | None, allow_http: bool) -> BankProfile | None:
    """The bank of one file; None for a sandbox where no sandbox bank runs. Raises ProfileError."""
    try:
        values = _ProfileSchema().load(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _wrong(path, f"is not TOML: {error}") from None
    except ValidationError as error:
        raise _wrong(path, _sentence(error.messages)) from None
    if _ID.fullmatch(path.stem) is None or len(path.stem) > _ID_CHARACTERS_MAX:
        raise _wrong(path, "its name must be small letters, digits and hyphens: it is the bank's id")
    if values["sandbox"] and sandbox_bank_url is None:
        return None
    for key in ("base_url", "issuer"):
        values[key] = _address(path, key, values, sandbox_bank_url=sandbox_bank_url, allow_http=allow_http)
    for key in ("currencies", "poll_s"):
        values[key] = tuple(values[key])
    return BankProfile(id=path.stem, **values)


def _address(path: Path, key: str, values: Mapping[str, Any], *, sandbox_bank_url: str | None, allow_http: bool) -> str:
    url = str(values[key])
    if PLACEHOLDER in url:
        if not values["sandbox"] or sandbox_bank_url is None:
            raise _wrong(path, f"{key}: {PLACEHOLDER} is for a file with sandbox = true")
        url = url.replace(PLACEHOLDER, sandbox_bank_url.rstrip("/"))
    try:
        check_scheme(url, allow_http=allow_http)
    except ValueError as error:
        raise _wrong(path, f"{key}: {error}") from None
    return url


def _sentence(messages: Any) -> str:
    """``poll_s.0: Must be …; currencies: …`` out of marshmallow's tree."""
    if isinstance(messages, dict):
        parts = []
        for key, below in messages.items():
            text = _sentence(below)
            parts.append(f"{key}.{text}" if isinstance(below, dict) else f"{key}: {text}")
        return "; ".join(parts)
    return " ".join(str(message) for message in messages)


def _wrong(path: Path, text: str) -> ProfileError:
    message = f"{path.name}: {text}"
    return ProfileError(message)
