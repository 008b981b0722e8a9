"""What a bank's metadata offer, against what its file says that we use. What they do not mention is not judged."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.inspection.finding import Finding, ok, wrong
from connectors.profile import BankProfile
from connectors.security.metadata import AuthorizationServer
from connectors.security.profiles import Answer, Binding, ClientAuth
from connectors.security.request_object import ALGORITHMS


def against_profile(bank: BankProfile, server: AuthorizationServer, *, algorithm: str, scope: str) -> Iterator[Finding]:
    """``algorithm``: what our key signs with. One line for each thing that does not fit, or one that all does."""
    fits = True
    for name, wanted, mend in _needs(bank, algorithm=algorithm, scope=scope):
        offered = server.supported.get(name)
        if offered is not None and not set(wanted) & set(offered):
            fits = False
            said = ", ".join(offered)[:200] or "nothing"
            yield wrong("metadata", f"{name} is {said}, without {' or '.join(wanted)}: {mend}")
    for name, needed in _places(bank).items():
        if needed and getattr(server, name) is None:
            fits = False
            yield wrong("metadata", f"{name} is missing: {bank.security_profile} needs it; is it the right profile?")
    if fits:
        yield ok("metadata", f"they offer what {bank.security_profile} with {bank.client_auth} needs")


def _needs(bank: BankProfile, *, algorithm: str, scope: str) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """The member of the metadata, of whose values one is enough, and what to mend where there is none."""
    security, profile = bank.security, "is it the right profile?"
    another_key = "lodge a key of a kind that it takes"
    yield "token_endpoint_auth_methods_supported", (bank.client_auth,), "change client_auth, or ask the bank"
    yield "response_types_supported", (bank.quirks.response_type(security),), profile
    yield "scopes_supported", (scope,), "is this the bank's address for payment initiation?"
    if bank.has_own_tokens:
        yield "grant_types_supported", ("client_credentials",), "ask the bank how it gives tokens to us"
    if bank.sign_in_first:
        yield "grant_types_supported", ("authorization_code",), "ask the bank how its customers sign in for us"
    if bank.client_auth == ClientAuth.PRIVATE_KEY_JWT:
        yield "token_endpoint_auth_signing_alg_values_supported", (algorithm,), another_key
    if security.signed:
        yield "request_object_signing_alg_values_supported", (algorithm,), another_key
    if security.answer is Answer.HYBRID:
        yield "id_token_signing_alg_values_supported", ALGORITHMS, "no other is believed (FAPI); ask the bank"
    if security.answer is Answer.JWT:
        yield "response_modes_supported", ("jwt", "query.jwt"), profile
        yield "authorization_signing_alg_values_supported", ALGORITHMS, "no other is believed (FAPI); ask the bank"
    if security.binding is Binding.DPOP:
        yield "dpop_signing_alg_values_supported", ("ES256",), profile
    if not bank.quirks.without_pkce:
        yield "code_challenge_methods_supported", ("S256",), "ask the bank; see the quirk without_pkce"


def _places(bank: BankProfile) -> dict[str, bool]:
    """The addresses that metadata must have: those that everybody has are checked when they are read."""
    return {
        "pushed_authorization_request_endpoint": bank.security.pushed,
        "jwks_uri": bank.security.answer is not Answer.CODE or not getattr(bank.quirks, "unsigned_answers", True),
    }
