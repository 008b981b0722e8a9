"""The banks that one process serves: how each speaks, and what each gets wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from zoneinfo import ZoneInfo

Version = Literal["4.0", "3.1"]
Answer = Literal["hybrid", "jarm", "code"]
Binding = Literal["mtls", "dpop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a brand is asked, how it answers in the browser, and what it binds tokens to."""

    pushed: bool  #: requests are sent before (RFC 9126), and come no other way
    signed: bool  #: requests are signed JWTs (RFC 9101)
    answer: Answer
    bound_to: Binding

    @property
    def response_type(self) -> str:
        return "code id_token" if self.answer == "hybrid" else "code"

    @property
    def pkce(self) -> bool:
        """Whether PKCE is demanded: FAPI 2.0 §5.3.2.2, and FAPI 1 Advanced §5.2.2 for pushed requests."""
        return self.pushed


PROFILES: Mapping[str, Profile] = {
    "fapi1_advanced": Profile(pushed=False, signed=True, answer="hybrid", bound_to="mtls"),
    "fapi1_advanced_jarm": Profile(pushed=False, signed=True, answer="jarm", bound_to="mtls"),
    "fapi2_mtls": Profile(pushed=True, signed=False, answer="code", bound_to="mtls"),
    "fapi2_dpop": Profile(pushed=True, signed=False, answer="code", bound_to="dpop"),
    "fapi2_message_signing": Profile(pushed=True, signed=True, answer="jarm", bound_to="dpop"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """The defaults are a bank that gets nothing wrong."""

    id: str
    name: str
    help_phone: str = ""  #: whom its customers call, as its page says
    version: Version = "4.0"
    profile: str = "fapi1_advanced"
    client_auth: Literal["private_key_jwt", "tls_client_auth"] = "private_key_jwt"
    #: it wants a nonce of its own in each DPoP proof (RFC 9449 §8). No fault, but few clients expect it
    dpop_nonce: bool = False

    # its signatures
    b64_header: bool = False  #: wants b64 = false in x-jws-signature (RFC 7797), and writes it
    correct_contract_indicator: bool = False  #: wants ContractPresentIndicator in 3.1 too
    unsigned_answers: bool = False
    # its id_tokens
    id_token_without_nonce: bool = False
    id_token_without_intent: bool = False
    answer_in_query: bool = False  #: where the hybrid answer belongs into the fragment
    # its tokens and answers
    upper_case_token_type: bool = False
    wider_scope: bool = False  #: gives more than was asked for
    scope_in_code_exchange: bool = False  #: wants it again there
    interaction_id_not_echoed: bool = False
    slash_in_self: bool = False  #: Links.Self ends with one
    # its standing consents
    #: one that its customer stops here is told as authorised still, as the standard has it: only its tokens are dead
    cancelled_told_authorised: bool = False
    london_days: bool = False  #: counts the days of limits by London's clock. UTC otherwise
    short_tokens: bool = False  #: of ten minutes, and a refresh token with them, another one after each use
    # what it asks of requests
    request_object_aud: str = ""  #: the audience that it wants in place of its issuer
    intent_id_prefix: str = ""  #: what must stand before the ConsentId in openbanking_intent_id
    repeated_parameters: bool = False  #: wants state and nonce beside the signed request too

    @property
    def how(self) -> Profile:
        return PROFILES[self.profile]

    @property
    def path(self) -> str:
        """Of its issuer, below the address of the process."""
        return f"/{self.id}"

    @property
    def prefix(self) -> str:
        """Of its payment API, below the address of the process."""
        return f"/{self.id}/open-banking/v{self.version}/pisp"

    @property
    def zone(self) -> ZoneInfo:
        """By whose clock it counts days."""
        return ZoneInfo("Europe/London" if self.london_days else "UTC")

    @property
    def organisation(self) -> str:
        """Its org-id in the directory, which signs its answers."""
        return f"sandbox-{self.id}"


_ALL = (
    Brand(id="albion", name="Albion Bank", help_phone="+44 20 7946 0101"),
    Brand(
        id="caledonia",
        name="Caledonia Bank",
        help_phone="+44 20 7946 0103",
        version="3.1",
        client_auth="tls_client_auth",
        short_tokens=True,
    ),
    Brand(
        id="severn",
        name="Severn Bank",
        help_phone="+44 20 7946 0107",
        profile="fapi2_dpop",
        dpop_nonce=True,
        short_tokens=True,
    ),
    Brand(
        id="mersey",
        name="Mersey Bank",
        help_phone="+44 20 7946 0106",
        profile="fapi2_mtls",
        cancelled_told_authorised=True,
    ),
    Brand(
        id="tyne",
        name="Tyne Bank",
        help_phone="+44 20 7946 0109",
        profile="fapi1_advanced_jarm",
        london_days=True,
    ),
    Brand(
        id="humber",
        name="Humber Bank",
        help_phone="+44 20 7946 0105",
        version="3.1",
        b64_header=True,
        correct_contract_indicator=True,
        unsigned_answers=True,
    ),
    Brand(
        id="trent",
        name="Trent Bank",
        help_phone="+44 20 7946 0108",
        id_token_without_nonce=True,
        id_token_without_intent=True,
        answer_in_query=True,
    ),
    Brand(
        id="avon",
        name="Avon Bank",
        help_phone="+44 20 7946 0102",
        upper_case_token_type=True,
        wider_scope=True,
        scope_in_code_exchange=True,
        interaction_id_not_echoed=True,
        slash_in_self=True,
    ),
    Brand(
        id="clyde",
        name="Clyde Bank",
        help_phone="+44 20 7946 0104",
        request_object_aud="urn:clyde-bank:authorization",
        intent_id_prefix="urn:clyde-bank:intent:",
        repeated_parameters=True,
    ),
)

BRANDS: Mapping[str, Brand] = {brand.id: brand for brand in _ALL}


def in_profile(profile: str | None) -> Mapping[str, Brand]:
    """All brands, each in its own profile, or all in the one that is given. KeyError for one that is not known.

    A profile whose tokens are bound to a key of DPoP knows no TLS certificate, so no client by its certificate either.
    """
    if profile is None:
        return BRANDS
    how = PROFILES[profile]
    changed = {brand.id: replace(brand, profile=profile) for brand in _ALL}
    if how.bound_to == "dpop":
        changed = {name: replace(brand, client_auth="private_key_jwt") for name, brand in changed.items()}
    return changed
