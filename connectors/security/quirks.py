"""What a bank's authorization server gets wrong, by name. Whatever standard a bank speaks, its file may say these.

Each is what one real bank did. None switches a check off that it does not name: without a nonce, for one, the hashes of
the code and of the state must hold all the more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.security.profiles import Answer, SecurityProfile

#: what the form of a token request says (RFC 6749 §4.1.3, §4.4.2, RFC 7523 §2.2, RFC 7636 §4.5): never the query too
IN_FORM = frozenset(
    {
        "grant_type",
        "code",
        "redirect_uri",
        "code_verifier",
        "scope",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
    }
)
#: names and values as RFC 3986 §3.4 has them
_QUERY = re.compile(r"([A-Za-z0-9._~-]+=[A-Za-z0-9._~%+-]*(&(?!$)|$))+")


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthQuirks:
    """The defaults are a bank that gets nothing wrong."""

    #: its id_tokens carry no nonce. s_hash still binds them to the state, and that to one browser
    id_token_without_nonce: bool = False
    #: it sends the hybrid answer in the query of the return address, not in the fragment
    answer_in_query: bool = False
    #: it wants the scope again when a code is exchanged
    scope_in_code_exchange: bool = False
    #: it refuses a request with PKCE's parameters; the signed answer is what binds the code then
    without_pkce: bool = False
    #: it takes request objects only for this audience, which is not its issuer
    request_object_aud: str = ""
    #: it looks for state and nonce beside the signed request, not only in it
    repeated_parameters: bool = False
    #: its token endpoint wants this query beside the form: "role=PISP"
    token_query: str = ""
    #: it knows the response type as CODE alone
    response_type_in_capitals: bool = False
    #: it takes a registration as application/jose only, not as application/jwt
    registration_as_jose: bool = False
    #: in a registration it wants our certificate's subject with 2.5.4.97, not with the word organizationIdentifier
    registration_subject_by_oid: bool = False

    def response_type(self, profile: SecurityProfile) -> str:
        """What a customer's answer is to bring, in the bank's spelling."""
        return profile.response_type.upper() if self.response_type_in_capitals else profile.response_type

    def useless(self, profile: SecurityProfile, *, version: str) -> Mapping[str, str]:  # noqa: ARG002
        """Quirks that are set and can have no effect or must have none: name → why. A file may not say them."""
        twice = sorted(IN_FORM & {part.partition("=")[0] for part in self.token_query.split("&")})
        hybrid, by_value = profile.answer is Answer.HYBRID, profile.signed and not profile.pushed
        allowed = {
            "id_token_without_nonce": (hybrid, "this profile has no id_token in its answers"),
            "answer_in_query": (hybrid, "in this profile the answer comes in the query anyway"),
            "without_pkce": (
                profile.answer is not Answer.CODE and not profile.pushed,
                "this profile has PKCE, and nothing else that binds the code",
            ),
            "request_object_aud": (profile.signed, "this profile signs no requests"),
            "repeated_parameters": (by_value, "this profile has no request object in the address"),
            "token_query": (_QUERY.fullmatch(self.token_query), "must be a query, as role=PISP"),
            "response_type_in_capitals": (
                profile.answer is Answer.CODE and not profile.signed,
                "in this profile the response type is signed, or is another",
            ),
        }
        found = {name: why for name, (fits, why) in allowed.items() if getattr(self, name) and not fits}
        if twice and "token_query" not in found:
            found["token_query"] = f"{twice[0]} stands in the form of the request already"
        return found
