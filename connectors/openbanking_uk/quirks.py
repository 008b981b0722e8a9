"""What a UK bank gets wrong, by name, beside what its authorization server does (connectors/security/quirks.py).

Both stand in the one table ``[quirks]`` of the bank's file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from typing_extensions import override

from connectors.security.profiles import Answer, SecurityProfile
from connectors.security.quirks import OAuthQuirks


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks(OAuthQuirks):
    """The defaults are a bank that gets nothing wrong."""

    #: it wants b64 = false in our signatures, and writes it in its own (RFC 7797; dropped in 3.1.4)
    b64_header: bool = False
    #: it does not sign its answers. They are believed for what TLS says of them: nothing else may switch that off
    unsigned_answers: bool = False
    #: it wants ContractPresentIndicator in 3.1 too, where the standard itself has ContractPresentInidicator
    correct_contract_indicator: bool = False
    #: its answers do not play x-fapi-interaction-id back. One that names another call's is still refused
    interaction_id_not_echoed: bool = False
    #: its id_tokens carry no openbanking_intent_id. nonce or s_hash still bind them to the request that named it
    id_token_without_intent: bool = False
    #: what it wants before a ConsentId in openbanking_intent_id
    intent_id_prefix: str = ""

    @override
    def useless(self, profile: SecurityProfile, *, version: str) -> Mapping[str, str]:
        allowed = {
            "id_token_without_intent": (profile.answer is Answer.HYBRID, "this profile has no id_token in its answers"),
            "correct_contract_indicator": (version == "3.1", f"{version} spells it so itself"),
        }
        ours = {name: why for name, (fits, why) in allowed.items() if getattr(self, name) and not fits}
        return {**OAuthQuirks.useless(self, profile, version=version), **ours}
