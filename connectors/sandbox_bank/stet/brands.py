"""The banks that one process serves: what each wants otherwise than the standard says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from connectors.security.signature_form import STET, TARGET, Form, KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """The defaults are a bank that gets nothing wrong."""

    id: str
    name: str
    #: "offered": a link, once the customer has approved; the payment does not wait for it · "awaited": it does · "none"
    confirmation: Literal["offered", "awaited", "none"] = "offered"
    signature: Form = field(default_factory=lambda: Form(headers=STET, key_id=KeyId.URL, certificate_along=False))
    relative_links: bool = False  #: as the standard's own examples are
    request_id_not_echoed: bool = False
    execution_date_wanted: bool = False  #: of a payment at once, too
    remittance_wanted: bool = False  #: some text for the payee

    @property
    def prefix(self) -> str:
        """Of its payment API, below the address of the process."""
        return f"/{self.id}/stet/v1"


_ALL = (
    Brand(id="remparts", name="Banque des Remparts"),
    Brand(
        id="phare",
        name="Crédit du Phare",
        confirmation="awaited",
        signature=Form(headers=STET, serial_decimal=True, issuer_from_the_root=True),
        relative_links=True,
        request_id_not_echoed=True,
    ),
    Brand(
        id="canaux",
        name="Caisse des Canaux",
        confirmation="none",
        signature=Form(
            headers=("date", TARGET, "digest", "content-length", "x-request-id", "psu-*"),
            names_as_written=True,
            dated=True,
            issuer_unescaped=True,
            certificate_with_pem_lines=True,
        ),
        execution_date_wanted=True,
        remittance_wanted=True,
    ),
)

BRANDS: Mapping[str, Brand] = {brand.id: brand for brand in _ALL}
