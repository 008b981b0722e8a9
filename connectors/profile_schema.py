"""Which keys a bank's file may have, standard by standard. marshmallow is the judge of each value."""

from __future__ import annotations

import dataclasses
import re
import zoneinfo
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate
from typing_extensions import override

from connectors.berlin_group.quirks import Quirks as BerlinGroupQuirks
from connectors.capabilities import UNSURE, RecurringKind
from connectors.contract import Approach
from connectors.money import EXPONENTS
from connectors.openbanking_uk.quirks import Quirks
from connectors.security.detached_jws import TRUST_ANCHOR
from connectors.security.profiles import PROFILES, ClientAuth
from connectors.security.quirks import OAuthQuirks
from connectors.stet.quirks import Quirks as StetQuirks

#: seconds between calls for the status, after the first five (0, 2, 7, 22 and 67 s after the return); the last one
#: repeats. With those five this makes 8 calls in the first two hours.
POLL_S = (300, 900, 2400, 5400, 10_800, 21_600, 43_200, 86_400)
AUTHORISATION_MINUTES = 90
#: what a key that is not known is told; profile.py adds what may have been meant
UNKNOWN = "unknown"

#: as it is dialled from abroad: a plus sign, then figures, which spaces may part
_PHONE = re.compile(r"\+[1-9](?: ?[0-9]){6,14}")
#: shown to customers as it is
_LINE_MOST = 70
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_KEYS_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: it goes into a header between quotation marks
_SEAL_URL = re.compile(r"https://[!#-\x7e]{1,300}|")
BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?")
#: two letters of the country, and the beginning of what its IBANs have after the check digits
_BANK_CODE = re.compile(r"[A-Z]{2}[A-Z0-9]{3,22}")
#: of a participant or a software statement, as a directory gives them; it goes into a header
_DIRECTORY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class _Url(fields.String):
    """An address to which a path can be added."""

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text.endswith("/") or "?" in text or "#" in text:
            raise ValidationError("must not have a slash at its end, a query or a fragment")
        return text


class _Flag(fields.Boolean):
    """true or false, and nothing that passes for one of them: 1 is an honest mistake."""

    default_error_messages = {"invalid": "must be true or false, without quotation marks"}  # noqa: RUF012  # marshmallow's

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class _Whole(fields.Integer):
    """12, and neither "12" nor 1.5."""

    default_error_messages = {"invalid": "must be a whole number, without quotation marks"}  # noqa: RUF012  # marshmallow's

    def __init__(self, **more: Any) -> None:
        super().__init__(strict=True, **more)


def _one_line(text: str) -> None:
    """It is shown to customers as it is."""
    if not text.isprintable() or text != text.strip() or not 1 <= len(text) <= _LINE_MOST:
        raise ValidationError(f"must be one line of 1 to {_LINE_MOST} characters")


def _no_repeats(values: list[Any]) -> None:
    if len(set(values)) != len(values):
        raise ValidationError("names one of them twice")


def _matching(pattern: re.Pattern[str], error: str) -> validate.Regexp:
    return validate.Regexp(rf"(?:{pattern.pattern})\Z", error=error)


class _Zone(fields.String):
    """A time zone's name, or UNSURE."""

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text not in {UNSURE, "UTC"} and ("/" not in text or text not in zoneinfo.available_timezones()):
            raise ValidationError(f"must be a time zone, as Europe/London or UTC, or {UNSURE}")
        return text


def _country(**more: Any) -> fields.String:
    return fields.String(validate=_matching(re.compile("[A-Z]{2}"), "must be two letters, as FR"), **more)


def _words(names: Any) -> validate.OneOf:
    known = [str(name) for name in names]
    return validate.OneOf(known, error=f"must be one of: {', '.join(known)}")


class _Strict(Schema):
    error_messages = {"unknown": UNKNOWN}  # noqa: RUF012  # as marshmallow has it

    @override
    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.error_messages["required"] = "missing"


class _QuirksSchema(_Strict):
    """One field for each of the dataclass: a truth value, or a text where it is one."""

    of: type[OAuthQuirks] = OAuthQuirks

    @post_load
    def _made(self, values: dict[str, Any], **_: Any) -> OAuthQuirks:
        return self.of(**values)


def _quirks_schema(of: type[OAuthQuirks]) -> type[_QuirksSchema]:
    text = validate.Length(1, 200)
    members: dict[str, Any] = {
        one.name: _Flag() if isinstance(one.default, bool) else fields.String(validate=text)
        for one in dataclasses.fields(of)
    }
    return type(f"_{of.__name__}Schema", (_QuirksSchema,), {**members, "of": of})


class _BankSchema(_Strict):
    """What every bank's file may say."""

    name = fields.String(required=True, validate=validate.Length(1, 70))
    country = _country(required=True)
    also_in = fields.List(_country(), load_default=list, validate=validate.Length(0, 40))
    bics = fields.List(
        fields.String(validate=_matching(BIC, "must be a BIC, as HORZFRP0")),
        load_default=list,
        validate=validate.Length(0, 20),
    )
    bank_codes = fields.List(
        fields.String(validate=_matching(_BANK_CODE, "must be a country and a bank's code, as FR99990")),
        load_default=list,
        validate=validate.Length(0, 50),
    )
    standard = fields.String(required=True)
    base_url = _Url(required=True)
    issuer = fields.String(required=True, validate=validate.Length(1, 500))
    hosts = fields.List(
        fields.String(validate=_matching(_HOST, "must be a host, with its port where that is not 443")),
        load_default=list,
        validate=validate.Length(0, 10),
    )
    client_id = fields.String(required=True, validate=validate.Length(1, 200))
    profile = fields.String(load_default="oauth2", validate=_words(PROFILES), attribute="security_profile")
    client_auth = fields.String(load_default=ClientAuth.PRIVATE_KEY_JWT.value, validate=_words(ClientAuth))
    openid = _Flag(load_default=False)
    keys = fields.String(load_default="", validate=_matching(_KEYS_NAME, "must be the name of a folder"))
    redirect = _Flag(load_default=True)
    currencies = fields.List(
        fields.String(validate=validate.OneOf(list(EXPONENTS), error="is not a currency that we know")),
        load_default=["EUR"],
        validate=validate.Length(1),
    )
    authorisation_minutes = _Whole(load_default=AUTHORISATION_MINUTES, validate=validate.Range(1, 1440))
    poll_s = fields.List(
        _Whole(validate=validate.Range(60, 7 * 86_400)),
        load_default=list(POLL_S),
        validate=validate.Length(1, 50),
    )
    status_calls_per_minute = _Whole(load_default=600, validate=validate.Range(1, 1_000_000))
    help_phone = fields.String(
        load_default="", validate=_matching(_PHONE, "must begin with + and the country, as +44 20 7946 0000")
    )
    help_hours = fields.String(load_default="", validate=_one_line)
    help_url = fields.String(load_default="", validate=validate.Length(1, 500))
    sandbox = _Flag(load_default=False)


class _BerlinGroupSchema(_BankSchema):
    approach = fields.String(load_default=Approach.OAUTH.value, validate=_words(Approach))
    sign_in_first = _Flag(load_default=False)
    signed = _Flag(load_default=False)
    instant = _Flag(load_default=False)
    keeps_days = _Flag(load_default=False)
    authorization_endpoint = _Url(load_default="")
    token_endpoint = _Url(load_default="")
    tpp_token = _Flag(load_default=True)
    status_access = fields.String(
        load_default="client_credentials", validate=_words(["client_credentials", "psu_token", "certificate"])
    )
    quirks = fields.Nested(_quirks_schema(BerlinGroupQuirks), load_default=BerlinGroupQuirks)


class _OpenBankingUkSchema(_BankSchema):
    version = fields.String(required=True, validate=_words(["4.0", "3.1"]))
    keys = fields.String(required=True, validate=_matching(_KEYS_NAME, "must be the name of a folder"))
    openid = _Flag(load_default=True)
    organisation_id = fields.String(required=True, validate=_matching(_DIRECTORY_ID, "must be a directory's id"))
    software_id = fields.String(required=True, validate=_matching(_DIRECTORY_ID, "must be a directory's id"))
    bank_organisation_id = fields.String(load_default="", validate=_matching(_DIRECTORY_ID, "must be a directory's id"))
    tan = fields.String(load_default=TRUST_ANCHOR, validate=_matching(_HOST, "must be a host"))
    currencies = fields.List(fields.String(validate=_words(["GBP"])), load_default=["GBP"], validate=validate.Length(1))
    recurring = fields.List(
        fields.Enum(
            RecurringKind, by_value=True, error_messages={"unknown": f"must be one of: {', '.join(RecurringKind)}"}
        ),
        load_default=list,
        validate=[validate.Length(1), _no_repeats],
    )
    keeps_days = _Flag(load_default=False)
    limit_days = _Zone(load_default=UNSURE)
    keeps_keys = _Flag(load_default=True)
    quirks = fields.Nested(_quirks_schema(Quirks), load_default=Quirks)


class _StetSchema(_BankSchema):
    version = fields.String(load_default="1.4", validate=_words(["1.4"]))
    token_endpoint = _Url(required=True)
    profile = fields.String(load_default="oauth2_qwac", validate=_words(["oauth2_qwac"]), attribute="security_profile")
    client_auth = fields.String(load_default=ClientAuth.TLS.value, validate=_words([ClientAuth.TLS]))
    keys = fields.String(required=True, validate=_matching(_KEYS_NAME, "must be the name of a folder"))
    seal_url = fields.String(load_default="", validate=_matching(_SEAL_URL, "must begin with https://"))
    currencies = fields.List(fields.String(validate=_words(["EUR"])), load_default=["EUR"], validate=validate.Length(1))
    quirks = fields.Nested(_quirks_schema(StetQuirks), load_default=StetQuirks)


#: the word in a bank's file → what it may say
SCHEMAS: Mapping[str, type[Schema]] = {
    "berlin_group": _BerlinGroupSchema,
    "openbanking_uk": _OpenBankingUkSchema,
    "stet": _StetSchema,
}
