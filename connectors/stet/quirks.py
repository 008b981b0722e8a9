"""What a STET bank wants otherwise than the standard says, by name, beside its signatures (security/signature_form.py).

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

    sent: ClassVar[tuple[str, ...]] = ("x-request-id", "content-type", "accept", "psu-ip-address", "psu-user-agent")

    #: it wants requestedExecutionDate of a payment at once, too: the day on which it is drafted
    execution_date_wanted: bool = False
    #: it wants some text for the payee: where there is none, the end-to-end reference stands there
    remittance_wanted: bool = False
    #: its answers do not play X-Request-ID back. One that names another call's is still refused
    request_id_not_echoed: bool = False

    @override
    def useless(self, profile: SecurityProfile, *, version: str) -> Mapping[str, str]:
        found = dict(SignatureQuirks.useless(self, profile, version=version))
        if not self.key_id_serial_and_issuer:
            for name in ("key_id_serial_decimal", "key_id_issuer_from_the_root", "key_id_issuer_unescaped"):
                if getattr(self, name):
                    found[name] = "the certificate is named by its address: key_id_serial_and_issuer = true is missing"
        return found
