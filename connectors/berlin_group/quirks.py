"""What a NextGenPSD2 bank gets wrong, by name, beside its signatures (security/signature_form.py) and its authorization
server (security/quirks.py).

All stand in the one table ``[quirks]`` of the bank's file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from connectors.security.profiles import SecurityProfile
from connectors.security.signature_form import SignatureQuirks


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks(SignatureQuirks):
    """The defaults are a bank that gets nothing wrong."""

    sent: ClassVar[tuple[str, ...]] = (
        "x-request-id",
        "content-type",
        "psu-ip-address",
        "psu-user-agent",
        "tpp-redirect-preferred",
        "tpp-decoupled-preferred",
        "tpp-explicit-authorisation-preferred",
        "tpp-redirect-uri",
        "tpp-nok-redirect-uri",
        "tpp-brand-logging-information",
    )

    #: it wants a space in the scope of an approval: "PIS: 1234", not "PIS:1234"
    scope_with_space: bool = False
    #: it wants this scope for a token of ours, not PIS
    own_scope: str = ""
    #: it wants this scope for the sign-in before a payment (sign_in_first), not PIS
    sign_in_scope: str = ""
    #: it wants debtorAccount, though its customers choose the account with it: there its currency stands alone
    debtor_account_wanted: bool = False
    #: it wants amounts as JSON numbers, not as texts
    amounts_as_numbers: bool = False
    #: it says RESOURCE_UNKNOWN of a payment that it has, until its customer is back: that is never read as an answer
    unknown_is_early: bool = False
    #: its ACSC says that it will execute, and only its ACCC that money has moved
    acsc_is_accepted: bool = False
    #: it brings the confirmation code back under this name, not as confirmationCode
    confirmation_code_name: str = ""
    #: the link to its page of approval has this name, not scaRedirect
    redirect_link_name: str = ""

    @override
    def useless(self, profile: SecurityProfile, *, version: str) -> Mapping[str, str]:
        # the arguments are named, since zero-argument super() does not work in a dataclass with slots
        found = dict(SignatureQuirks.useless(self, profile, version=version))
        if self.key_id_serial_and_issuer:
            found["key_id_serial_and_issuer"] = "this standard names the certificate so itself"
        return found
