"""How a bank wants us to prove who we are, to ask, and to be answered: apart from the payment standard that it speaks.

A bank's file names one of these. What its metadata offer beyond it is not used: a profile is what both sides tested.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class ClientAuth(enum.StrEnum):
    """At the token endpoint and where requests are pushed (RFC 7523 §2.2; RFC 8705 §2.1)."""

    PRIVATE_KEY_JWT = "private_key_jwt"
    TLS = "tls_client_auth"


class Asking(enum.StrEnum):
    """How the authorization request gets to the bank."""

    QUERY = "query"  #: its parameters in the address (RFC 6749 §4.1.1)
    REQUEST_OBJECT = "request_object"  #: signed, in the address (RFC 9101)
    PUSHED = "pushed"  #: sent before, so that the address shows nothing of it (RFC 9126)
    PUSHED_SIGNED = "pushed_signed"  #: both


class Answer(enum.StrEnum):
    """How the answer comes back through the browser."""

    CODE = "code"  #: in the query
    HYBRID = "code id_token"  #: in the fragment, with an id_token that signs it (OpenID Connect Core §3.3)
    JWT = "jwt"  #: all of it signed (JARM)


class Binding(enum.StrEnum):
    """What a token is bound to."""

    NONE = "none"
    MTLS = "mtls"  #: our TLS certificate (RFC 8705 §3)
    DPOP = "dpop"  #: a key of ours (RFC 9449)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityProfile:
    """One combination that banks really run."""

    asking: Asking
    answer: Answer
    binding: Binding
    issuer_named: bool  #: the answer must name the issuer (RFC 9207), whatever the metadata say
    client_auth: tuple[ClientAuth, ...]  #: those that the profile allows; the bank's file chooses
    #: client_id is the organizationIdentifier of our certificates (PSD2, ETSI TS 119 495 §5.2.1)
    client_is_organisation: bool = False

    @property
    def signed(self) -> bool:
        """Whether the request is a signed JWT."""
        return self.asking in (Asking.REQUEST_OBJECT, Asking.PUSHED_SIGNED)

    @property
    def response_type(self) -> str:
        return "code" if self.answer is Answer.JWT else self.answer.value

    @property
    def pushed(self) -> bool:
        return self.asking in (Asking.PUSHED, Asking.PUSHED_SIGNED)


_BOTH = (ClientAuth.PRIVATE_KEY_JWT, ClientAuth.TLS)

PROFILES: Mapping[str, SecurityProfile] = {
    # RFC 6749 with PKCE: most NextGenPSD2 and STET banks, over TLS with our certificate
    "oauth2": SecurityProfile(
        asking=Asking.QUERY,
        answer=Answer.CODE,
        binding=Binding.NONE,
        issuer_named=False,
        client_auth=_BOTH,
    ),
    # the same where our certificate alone says who we are: a QWAC, whose number is our client_id (STET)
    "oauth2_qwac": SecurityProfile(
        asking=Asking.QUERY,
        answer=Answer.CODE,
        binding=Binding.MTLS,
        issuer_named=False,
        client_auth=(ClientAuth.TLS,),
        client_is_organisation=True,
    ),
    # FAPI 1.0 Part 2 as OBL has it: a signed request by value and the hybrid answer, tokens bound to our certificate
    "fapi1_advanced": SecurityProfile(
        asking=Asking.REQUEST_OBJECT,
        answer=Answer.HYBRID,
        binding=Binding.MTLS,
        issuer_named=False,
        client_auth=_BOTH,
    ),
    # the same part with JARM (§5.2.3.2 and "JWT Secured Authorization Response Mode")
    "fapi1_advanced_jarm": SecurityProfile(
        asking=Asking.REQUEST_OBJECT,
        answer=Answer.JWT,
        binding=Binding.MTLS,
        issuer_named=False,
        client_auth=_BOTH,
    ),
    # FAPI 2.0 Security Profile: pushed, PKCE, the issuer named, tokens bound in one of two ways
    "fapi2_mtls": SecurityProfile(
        asking=Asking.PUSHED,
        answer=Answer.CODE,
        binding=Binding.MTLS,
        issuer_named=True,
        client_auth=_BOTH,
    ),
    "fapi2_dpop": SecurityProfile(
        asking=Asking.PUSHED,
        answer=Answer.CODE,
        binding=Binding.DPOP,
        issuer_named=True,
        client_auth=(ClientAuth.PRIVATE_KEY_JWT,),
    ),
    # FAPI 2.0 Message Signing
    "fapi2_message_signing": SecurityProfile(
        asking=Asking.PUSHED_SIGNED,
        answer=Answer.JWT,
        binding=Binding.DPOP,
        issuer_named=True,
        client_auth=(ClientAuth.PRIVATE_KEY_JWT,),
    ),
}
