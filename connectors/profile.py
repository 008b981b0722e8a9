"""One bank, described in one file. Without it a bank would be code, and adding one a release."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, ValidationError

from connectors.capabilities import COMMERCIAL, UNSURE, RecurringKind
from connectors.contract import Approach
from connectors.http import check_scheme
from connectors.profile_lines import lines_of
from connectors.profile_schema import AUTHORISATION_MINUTES, POLL_S, SCHEMAS, UNKNOWN
from connectors.security.detached_jws import TRUST_ANCHOR
from connectors.security.profiles import PROFILES, Answer, Binding, ClientAuth, SecurityProfile
from connectors.security.psd2_certificates import is_number
from connectors.security.quirks import OAuthQuirks
from connectors.security.signature_form import signature_quirks

__all__ = ["AUTHORISATION_MINUTES", "POLL_S", "BankProfile", "ProfileError", "Sandboxes", "read"]

#: what stands in a sandbox's file for the address of the sandbox bank → that address, None where it does not run
Sandboxes = Mapping[str, str | None]

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ID_CHARACTERS_MAX = 40
_ADDRESSES = ("base_url", "issuer", "authorization_endpoint", "token_endpoint", "help_url")
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")

#: which key of the file, from the top: ("quirks", "b64_header"); and what is wrong with it
_Fault = tuple[tuple[str | int, ...], str]


class ProfileError(ValueError):
    """A bank's file cannot be used. The text names the file, the line and the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankProfile:
    """What connectors, screens and schedules know of one bank. ``id`` is the stem of its file's name."""

    id: str
    name: str  #: shown to customers
    country: str  #: ISO 3166-1 alpha-2
    also_in: tuple[str, ...] = ()  #: where else its customers have their accounts
    bics: tuple[str, ...] = ()  #: by which it is found, whole or in part
    bank_codes: tuple[str, ...] = ()  #: the same, by the account: country, and what follows an IBAN's check digits
    standard: str  #: a key of registry.STANDARDS
    version: str = ""  #: of the standard, where a bank may speak several
    base_url: str  #: of the payment API, without a slash at its end
    issuer: str  #: of its authorization server (RFC 8414), exactly as its metadata say
    hosts: tuple[str, ...] = ()  #: where its endpoints may be beside the hosts of issuer and base_url
    token_endpoint: str = ""  #: where its standard has no metadata that name it
    authorization_endpoint: str = ""  #: the same, where customers sign in before a payment
    client_id: str  #: ours at this bank
    security_profile: str = "oauth2"  #: a key of security.profiles.PROFILES; ``profile`` in the file
    client_auth: str = ClientAuth.PRIVATE_KEY_JWT.value
    openid: bool = False  #: its metadata lie where OpenID Connect Discovery has them
    keys: str = ""  #: the folder of our keys and certificates for it; empty: the installation's own key alone
    seal_url: str = ""  #: where banks can have the certificate that signs our messages
    organisation_id: str = ""  #: ours in the directory
    software_id: str = ""  #: of our software statement there
    bank_organisation_id: str = ""  #: who signs its answers; empty: whoever has its published keys
    tan: str = TRUST_ANCHOR  #: the trust anchor of both
    redirect: bool = True  #: customers approve by redirect; false: see ``approach``
    approach: str = Approach.OAUTH  #: which we ask the bank for, where its standard has several
    #: its customers sign in at its authorization server before it takes an order, which carries their token
    sign_in_first: bool = False
    signed: bool = False  #: our messages bear an HTTP signature, where its standard leaves that to the bank
    instant: bool = False  #: payments go as instant credit transfers
    keeps_days: bool = False  #: it keeps a payment from its approval until a later day, and carries it out then
    tpp_token: bool = True  #: an initiation needs a token of our own (client_credentials)
    #: "client_credentials": we may always ask; "psu_token": only with the customer's token; "certificate": we may
    #: always ask, by our TLS certificate alone
    status_access: str = "client_credentials"
    #: which kinds of recurring payments it takes of us, by contract or by law; none: they are not offered there
    recurring: tuple[RecurringKind, ...] = ()
    #: by which clock it counts the days of their limits: a time zone's name, or UNSURE
    limit_days: str = UNSURE
    keeps_keys: bool = True  #: it keeps an idempotency key for a day: false forbids sending a payment again at all
    help_phone: str = ""  #: whom its customers call there when something is wrong, from abroad, too (+44 …)
    help_hours: str = ""  #: when somebody answers that
    help_url: str = ""  #: the bank's page for the same
    currencies: tuple[str, ...]
    authorisation_minutes: int  #: how long a customer has to approve before the bank gives up
    poll_s: tuple[int, ...]
    status_calls_per_minute: int  #: for all payments together (K8)
    sandbox: bool  #: no real bank; left out where no sandbox bank runs
    quirks: OAuthQuirks = field(default_factory=OAuthQuirks)  #: of its standard's own kind; what the bank gets wrong

    @property
    def security(self) -> SecurityProfile:
        return PROFILES[self.security_profile]

    @property
    def needs_certificate(self) -> bool:
        """Whether our TLS certificate is part of how we prove who we are."""
        by_tls = self.security.binding is Binding.MTLS or self.client_auth == ClientAuth.TLS
        return by_tls or self.status_access == "certificate"

    @property
    def needs_seal(self) -> bool:
        """Whether our messages bear an HTTP signature (QSEAL)."""
        return self.standard == "stet" or self.signed

    @property
    def decoupled(self) -> bool:
        """Whether customers approve in an app of the bank's, while their browser stays here."""
        return self.approach == Approach.DECOUPLED

    @property
    def has_authorization_server(self) -> bool:
        """Whether anybody's tokens are asked for. Else our TLS certificate is all that the bank wants of us."""
        of_customers = self.approach == Approach.OAUTH or self.sign_in_first
        return of_customers or self.tpp_token or self.status_access != "certificate"

    @property
    def has_own_tokens(self) -> bool:
        """Whether we ask for tokens of our own. Not where customers sign in first, and only theirs tell a status."""
        return not self.sign_in_first or self.status_access == "client_credentials"

    @property
    def needs_signing_key(self) -> bool:
        """Whether anything is signed with a key of a JWK: assertions, requests, messages."""
        by_assertion = self.client_auth == ClientAuth.PRIVATE_KEY_JWT and self.has_authorization_server
        return by_assertion or self.security.signed or self.standard == "openbanking_uk"

    @property
    def answer_in_fragment(self) -> bool:
        """Whether the browser brings the answer where no server sees it (OpenID Connect Core §3.3.2.5)."""
        return self.security.answer is Answer.HYBRID and not self.quirks.answer_in_query

    @property
    def confirmation_code(self) -> str:
        """Under which name the browser brings a confirmation code back (NextGenPSD2)."""
        return getattr(self.quirks, "confirmation_code_name", "") or "confirmationCode"

    @property
    def reaches(self) -> tuple[str, ...]:
        """The countries of the accounts that it can pay to; empty: wherever an account has an IBAN."""
        return ("GB",) if self.standard == "openbanking_uk" else ()

    @property
    def return_is_registered(self) -> bool:
        """Whether the bank knows our return address beforehand: then it is one for all payments."""
        return self.standard == "openbanking_uk"

    @property
    def origins(self) -> frozenset[str]:
        """Where its endpoints may be: host, and port where it is not the usual one."""
        return frozenset({urlsplit(self.issuer).netloc, urlsplit(self.base_url).netloc, *self.hosts})


def read(path: Path, *, sandboxes: Sandboxes, allow_http: bool) -> BankProfile | None:
    """The bank of one file; None for a sandbox that does not run. Raises ProfileError."""
    try:
        text = path.read_bytes().decode()
        said = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path.name}: is not TOML: {error}. A text stands in quotation marks; true, false and numbers do not"
        raise ProfileError(message) from None
    if _ID.fullmatch(path.stem) is None or len(path.stem) > _ID_CHARACTERS_MAX:
        message = f"{path.name}: its name must be small letters, digits and hyphens: it is the bank's id"
        raise ProfileError(message)
    values, faults = _loaded(said)
    if faults:
        raise _wrong(path, text, faults)
    addresses = {key: _Address(values, key, sandboxes) for key in _ADDRESSES if values.get(key)}
    bank = BankProfile(id=path.stem, **values | {key: address.url for key, address in addresses.items()})
    faults = [fault for address in addresses.values() for fault in address.faults(allow_http=allow_http)]
    faults += _contradictions(bank)
    if faults:
        raise _wrong(path, text, faults)
    runs = any(sandboxes.values()) and not any(address.left_out for address in addresses.values())
    return bank if runs or not bank.sandbox else None


class _Address:
    """A key whose value may name a sandbox bank instead of a host."""

    def __init__(self, values: Mapping[str, Any], key: str, sandboxes: Sandboxes) -> None:
        self._key, self._is_sandbox, self._known = key, values["sandbox"], sandboxes
        self.url = str(values[key])
        found = _PLACEHOLDER.search(self.url)
        self._placeholder = found[0] if found else None
        where = sandboxes.get(self._placeholder) if self._placeholder else None
        self.left_out = self._placeholder in sandboxes and where is None
        if self._placeholder and where is not None:
            self.url = self.url.replace(self._placeholder, where.rstrip("/"))

    def faults(self, *, allow_http: bool) -> Iterator[_Fault]:
        if self._placeholder and self._placeholder not in self._known:
            yield (self._key,), f"{self._placeholder} is unknown; known: {', '.join(self._known)}"
        elif self._placeholder and not self._is_sandbox:
            yield (self._key,), f"{self._placeholder} is for a file with sandbox = true"
        elif not self.left_out:
            try:
                check_scheme(self.url, allow_http=allow_http)
            except ValueError as error:
                yield (self._key,), str(error)


def _loaded(said: Mapping[str, Any]) -> tuple[dict[str, Any], list[_Fault]]:
    """The values by the schema of the file's standard, and what is wrong with them: one of the two is empty."""
    standard = said.get("standard")
    schema = SCHEMAS.get(standard) if isinstance(standard, str) else None
    if schema is None:
        text = "missing" if standard is None else f"{standard!r} is not built"
        return {}, [(("standard",), f"{text}; known: {', '.join(SCHEMAS)}")]
    try:
        values: dict[str, Any] = _made(schema).load(said)
    except ValidationError as error:
        return {}, list(_faults(error.messages, schema, ()))
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}, []


@functools.cache
def _made(schema: type[Schema]) -> Schema:
    """Once for all files: to make a schema takes longer than to read a file by it."""
    return schema()


def _faults(messages: Any, schema: type[Schema], path: tuple[str | int, ...]) -> Iterator[_Fault]:
    """Out of marshmallow's tree: a dict for each table and each array, a list of texts at the leaves."""
    for key, below in messages.items():
        here = (*path, key)
        if isinstance(below, dict):
            yield from _faults(below, schema, here)
            continue
        text = " ".join(str(message) for message in below)
        yield here, _meant(str(key), schema, path) if text == UNKNOWN else text


def _names(schema: type[Schema], path: tuple[str | int, ...]) -> list[str]:
    """The keys that the table at ``path`` may have."""
    declared = _made(schema).fields
    for step in path:
        nested = getattr(declared.get(str(step)), "schema", None)
        declared = nested.fields if isinstance(nested, Schema) else {}
    return list(declared)


def _meant(key: str, schema: type[Schema], path: tuple[str | int, ...]) -> str:
    """What to do with a key that is unknown where it stands: it may stand elsewhere, be misspelt, or another's."""
    if key in _names(schema, () if path else ("quirks",)):
        return "belongs above [quirks]" if path else "belongs under [quirks], at the end of the file"
    theirs = [standard for standard, other in SCHEMAS.items() if key in _names(other, path)]
    if theirs:
        return f"{UNKNOWN} for this standard: leave it out; it is one of {' and '.join(theirs)}"
    close = difflib.get_close_matches(key, _names(schema, path), n=1)
    return f"{UNKNOWN}; did you mean {close[0]}?" if close else f"{UNKNOWN} for this standard"


def _contradictions(bank: BankProfile) -> Iterator[_Fault]:
    """Values that are good each for itself and not together."""
    for number, code in enumerate(bank.bank_codes):
        if code[:2] not in (bank.country, *bank.also_in):
            yield ("bank_codes", number), f"{code[:2]} is neither country nor in also_in"
    if bank.client_auth not in bank.security.client_auth:
        allowed = ", ".join(bank.security.client_auth)
        yield ("client_auth",), f"{bank.security_profile} allows only {allowed}"
    if bank.needs_certificate and not bank.keys:
        yield ("keys",), "missing: this profile proves who we are by a TLS certificate, which lies in that folder"
    if bank.security.client_is_organisation and not is_number(bank.client_id):
        yield ("client_id",), f"{bank.security_profile} has our number in its place, as PSDFR-ACPR-12345"
    if bank.token_endpoint and urlsplit(bank.token_endpoint).netloc not in bank.origins:
        yield ("token_endpoint",), "it is not on the issuer's host; if it is the bank's, name its host in hosts"
    if bank.help_hours and not bank.help_phone:
        yield ("help_hours",), "nobody can be called in them: help_phone is missing"
    yield from _contradictions_of_sign_in(bank)
    yield from _contradictions_of_seal(bank)
    yield from _contradictions_of_recurring(bank)
    if bank.keeps_days and (bank.sign_in_first or bank.status_access == "psu_token"):
        yield ("keeps_days",), "nobody could ask on that day: its customers' tokens are dead by then"
    if bank.keeps_days and bank.version == "3.1":
        yield ("keeps_days",), "3.1 does not tell what becomes of a scheduled payment on its day"
    yield from _quirks_without_effect(bank)


def _quirks_without_effect(bank: BankProfile) -> Iterator[_Fault]:
    for name, why in bank.quirks.useless(bank.security, version=bank.version).items():
        yield ("quirks", name), why
    if bank.approach != Approach.REDIRECT:
        for name in ("redirect_link_name", "confirmation_code_name"):
            if getattr(bank.quirks, name, ""):
                yield ("quirks", name), 'its customers approve elsewhere: approach = "redirect" is missing'
    for name, is_used, why in _used_with_tokens(bank):
        if getattr(bank.quirks, name, "") and not is_used:
            yield ("quirks", name), why


def _used_with_tokens(bank: BankProfile) -> Iterator[tuple[str, bool, str]]:
    """Quirks of how tokens are asked for: name, whether this bank's file lets anybody ask so, and why not."""
    approves, nobody = bank.approach == Approach.OAUTH, "no token is asked for at this bank"
    yield "token_query", bank.has_authorization_server, nobody
    for name in ("response_type_in_capitals", "scope_in_code_exchange"):
        yield name, approves or bank.sign_in_first, "its customers bring no code from its authorization server"
    yield "scope_with_space", approves, "no approval has a scope: its customers approve on a page or in an app"
    ours = bank.tpp_token or bank.status_access == "client_credentials"
    yield "own_scope", bank.has_own_tokens and ours, "no token of our own is asked for at this bank"


def _contradictions_of_sign_in(bank: BankProfile) -> Iterator[_Fault]:
    if not bank.sign_in_first:
        if bank.authorization_endpoint:
            yield ("authorization_endpoint",), "nobody is sent there: sign_in_first = true is missing"
        if getattr(bank.quirks, "sign_in_scope", ""):
            yield ("quirks", "sign_in_scope"), "nobody signs in before a payment: sign_in_first = true is missing"
        return
    if bank.approach == Approach.OAUTH:
        text = "with approach = oauth customers sign in for the payment itself: name redirect or decoupled"
        yield ("sign_in_first",), text
    if bank.tpp_token:
        yield ("tpp_token",), "must be false: with sign_in_first an initiation carries the customer's token, not ours"
    if bank.security.answer is not Answer.CODE:
        yield ("profile",), f"sign_in_first is built for answers with a code alone, not for {bank.security_profile}"
    if bank.authorization_endpoint and bank.security.pushed:
        text = (
            f"{bank.security_profile} pushes requests to an address that only metadata name: leave both addresses out"
        )
        yield ("authorization_endpoint",), text
    elif bool(bank.authorization_endpoint) != bool(bank.token_endpoint):
        missing = "token_endpoint" if bank.authorization_endpoint else "authorization_endpoint"
        yield (missing,), "missing: a bank without metadata has both of its addresses here"
    elif bank.authorization_endpoint and urlsplit(bank.authorization_endpoint).netloc not in bank.origins:
        yield ("authorization_endpoint",), "it is not on the issuer's host; if it is the bank's, name its host in hosts"


def _contradictions_of_seal(bank: BankProfile) -> Iterator[_Fault]:
    named = bank.standard != "stet" or getattr(bank.quirks, "key_id_serial_and_issuer", False)
    if bank.needs_seal and not bank.seal_url and not named:
        yield ("seal_url",), "missing: signatures name our certificate by its address"
    if bank.signed and not bank.keys:
        yield ("keys",), "missing: the certificate that signs our messages lies in that folder"
    if bank.standard == "berlin_group" and not bank.signed:
        for name in signature_quirks(bank.quirks):
            yield ("quirks", name), "nothing is signed at this bank: signed = true is missing"


def _contradictions_of_recurring(bank: BankProfile) -> Iterator[_Fault]:
    for number, kind in enumerate(bank.recurring):
        if kind in COMMERCIAL and bank.version == "3.1":
            yield ("recurring", number), f"{kind} came with 4.0"
    if not bank.recurring:
        for name, is_said in (("limit_days", bank.limit_days != UNSURE), ("keeps_keys", not bank.keeps_keys)):
            if is_said:
                yield (name,), "it is about recurring payments alone: recurring is missing"


def _wrong(path: Path, text: str, faults: Iterable[_Fault]) -> ProfileError:
    """``humber.toml line 14: quirks.b64_heder: unknown; …`` in the order of the file, first what is missing."""
    lines = lines_of(text)
    found = sorted((lines.get(where, 0), ".".join(map(str, where)), what) for where, what in faults)
    parts = [f"line {line}: {key}: {what}" if line else f"{key}: {what}" for line, key, what in found]
    first = f"{path.name} {parts[0]}" if found[0][0] else f"{path.name}: {parts[0]}"
    return ProfileError("; ".join([first, *parts[1:]]))
