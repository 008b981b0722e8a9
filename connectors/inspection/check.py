"""``quittance bank check``: from a bank's file to a token of ours, one step after the other, against the bank itself.

It moves no money and asks for no consent. A step that another one needs and that failed ends the check: what would come
after it would only say the same again.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from connectors.errors import BankError, BankRefused
from connectors.http import BankResponse, Deadline
from connectors.inspection import certificates, offers, tls
from connectors.inspection.finding import Finding, Verdict, ok, warn, wrong
from connectors.line import Line
from connectors.profile import BankProfile
from connectors.registry import Registry
from connectors.security import metadata
from connectors.strict_json import NotReadable, read_object

TIMEOUT_S = 10.0
#: what a token of ours is asked for, by standard
SCOPES: Mapping[str, str] = {
    "berlin_group": "PIS",
    "openbanking_uk": "payments",
    "stet": "pisp",
}
#: clocks may differ by this much; FAPI 2.0 lets a bank refuse what is ten seconds ahead
CLOCK_S = 5.0

#: what a refusal of our token usually means (RFC 6749 §5.2)
_REFUSALS = {
    "invalid_client": "is client_id right, and are our key and certificate lodged with the bank under it?",
    "unauthorized_client": "the bank knows us, but not for tokens of our own (client_credentials)",
    "invalid_scope": "we may not ask for it: is our registration at this bank for payment initiation?",
    "unsupported_grant_type": "is this the bank's address for payment initiation?",
    "invalid_request": "is client_auth the one that the bank has for us?",
}


def check(bank: BankProfile, banks: Registry, *, clock: Callable[[], dt.datetime]) -> Iterator[Finding]:
    """The findings, each as soon as it is there. ``banks`` holds this bank at least."""
    version = f" {bank.version}" if bank.version else ""
    yield ok("file", f"{bank.name}, {bank.standard}{version}, {bank.security_profile}, {bank.client_auth}")
    why = banks.why_unusable(bank.id)
    if why is not None:
        yield wrong("keys", f"{why}; docs/banks.md says which files belong there")
        return
    line = banks.line(bank.id)
    if bank.needs_signing_key:
        yield ok("keys", f"we sign with {line.key.algorithm}, key {line.key.kid}")
    ready = [*(certificates.findings(bank, line.keys, now=clock()) if line.keys else [])]
    yield from ready
    if not any(one.verdict is Verdict.WRONG for one in ready):
        ready = [tls.handshake(url, line.keys) for url in _hosts(bank)]
        yield from ready
    if not any(one.verdict is Verdict.WRONG for one in ready):
        yield from _how(bank)(bank, line, clock=clock)


def _how(bank: BankProfile) -> Callable[..., Iterator[Finding]]:
    """What can be asked of it. Where only customers have tokens, and there are no metadata, it is the time."""
    if not bank.has_authorization_server or (bank.authorization_endpoint and not bank.has_own_tokens):
        return _asked_the_time
    return _asked_for_a_token if bank.token_endpoint else _asked


def _hosts(bank: BankProfile) -> list[str]:
    first = {urlsplit(url).netloc: url for url in (bank.issuer, bank.base_url, bank.token_endpoint) if url}
    return list(first.values())


def _asked_for_a_token(bank: BankProfile, line: Line, *, clock: Callable[[], dt.datetime]) -> Iterator[Finding]:
    """Where there are no metadata."""
    yield from _asked_the_time(bank, line, clock=clock)
    yield _token(bank, line)


def _asked_the_time(bank: BankProfile, line: Line, *, clock: Callable[[], dt.datetime]) -> Iterator[Finding]:
    """What the bank says to a question that is none tells its time all the same. Where it gives no tokens that is all
    that can be asked: what it thinks of our certificate, the first payment tells."""
    try:
        url = bank.token_endpoint or bank.base_url
        answer = line.session.call("GET", url, headers={}, deadline=Deadline(TIMEOUT_S))
    except BankError as error:
        yield warn("clock", f"the bank does not say what time it has: {error}")
    else:
        yield _clock(answer, now=clock())


def _asked(bank: BankProfile, line: Line, *, clock: Callable[[], dt.datetime]) -> Iterator[Finding]:
    url = metadata.openid_url(bank.issuer) if bank.openid else metadata.well_known_url(bank.issuer)
    try:
        answer = line.session.call("GET", url, headers={}, deadline=Deadline(TIMEOUT_S))
    except BankError as error:
        yield wrong("metadata", f"{error}; they should be at {url}")
        return
    if not answer.ok:
        other = "false" if bank.openid else "true"
        yield wrong("metadata", f"{url} answers {answer.status}: is issuer right? else try openid = {other}")
        return
    yield _clock(answer, now=clock())
    different = _issuer(bank, answer)
    if different is not None:
        yield different
        return
    try:
        server = line.oauth.server(deadline=Deadline(TIMEOUT_S))
    except BankError as error:
        yield wrong("metadata", f"{error}; a further host of the bank's goes into the file's hosts")
        return
    yield from offers.against_profile(bank, server, algorithm=line.key.algorithm, scope=_scope(bank))
    if server.jwks_uri is not None:
        yield _published(line, server)
    if bank.tpp_token or (bank.sign_in_first and bank.has_own_tokens):
        yield _token(bank, line)


def _scope(bank: BankProfile) -> str:
    if not bank.has_own_tokens:
        return getattr(bank.quirks, "sign_in_scope", "") or SCOPES[bank.standard]
    return getattr(bank.quirks, "own_scope", "") or SCOPES[bank.standard]


def _clock(answer: BankResponse, *, now: dt.datetime) -> Finding:
    try:
        theirs = email.utils.parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, OverflowError):
        return warn("clock", "the bank does not say what time it has")
    if theirs.tzinfo is None:  # "-0000": UTC that says nothing of where it is (RFC 5322 §3.3)
        theirs = theirs.replace(tzinfo=dt.UTC)
    apart_s = (theirs - now).total_seconds()
    if abs(apart_s) > CLOCK_S:
        return warn("clock", f"the bank's is {apart_s:+.0f} s from ours: if ours is wrong, it may refuse all we sign")
    return ok("clock", "the bank's agrees with ours")


def _issuer(bank: BankProfile, answer: BankResponse) -> Finding | None:
    """In so many words, because it is the commonest mistake: a slash too much, another brand, a test system."""
    try:
        said = read_object(answer.body).text("issuer")
    except NotReadable as error:
        return wrong("metadata", f"they cannot be read: {error}")
    if said == bank.issuer:
        return None
    return wrong("metadata", f"they are of the issuer {said[:200]!r}: write that, if it is the bank that you mean")


def _published(line: Line, server: metadata.AuthorizationServer) -> Finding:
    try:
        keys = line.oauth.keys(server, deadline=Deadline(TIMEOUT_S))
    except BankError as error:
        return wrong("jwks", str(error))
    names = [str(key.kid) for key in keys.keys if key.key_type in ("RSA", "EC")]
    if not names:
        return wrong("jwks", f"{server.jwks_uri} has no key that may sign: no answer of the bank's could be believed")
    return ok("jwks", f"the bank signs with {', '.join(names)[:200]}")


def _token(bank: BankProfile, line: Line) -> Finding:
    scope = _scope(bank)
    try:
        line.oauth.own_token(scope, deadline=Deadline(TIMEOUT_S))
    except BankRefused as error:
        return wrong("token", f"{error}: {_REFUSALS.get(error.code, 'ask the bank what it means')}")
    except BankError as error:
        return wrong("token", str(error))
    return ok("token", f"the bank gives us one for {scope}")
