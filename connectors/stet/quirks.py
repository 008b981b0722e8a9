"""What a STET bank wants otherwise than the standard says, by name, beside its signatures (security/signature_form.py).

All stand in the one table ``[quirks]`` of the bank's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
