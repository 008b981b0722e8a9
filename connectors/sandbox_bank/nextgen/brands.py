"""The banks that one process serves: how customers approve, and what each wants otherwise than the standard says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from connectors.security.signature_form import BERLIN_GROUP, TARGET, Form

TRANSFERS, INSTANT = "sepa-credit-transfers", "instant-sepa-credit-transfers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """The defaults are a bank that gets nothing wrong."""

    id: str
    name: str
    approach: Literal["oauth", "redirect", "decoupled"]
    explicit: bool = False  #: an approval is started by a call of its own
    confirms: bool = False  #: what was approved on its page waits for the confirmation code
    confirmation_code_name: str = "confirmationCode"
    signature: Form | None = None  #: None: messages are not signed
    tokens: bool = True  #: else the TLS certificate is all that it wants of a TPP
    #: its customers sign in before it takes an order (OAuth2 as a pre-step): all is asked with their token, and there
    #: are no tokens of a TPP's own
    sign_in_first: bool = False
    sign_in_scope: str = "PIS"
    others_are_told: Literal[401, 404] = 401  #: of another customer's order: TOKEN_INVALID, or that there is none such
    once_per_request: bool = False  #: the same X-Request-ID again is the same order, whoever asks
    one_sign_in: bool = False  #: a sign-in ends what the same customer signed in for before
    token_query: str = ""  #: what its token endpoint wants beside the form
    response_type: str = "code"
    own_scope: str = "PIS"
    scope_with_space: bool = False
    problems: bool = False  #: refusals are problem+json (RFC 7807), not tppMessages
    relative_links: bool = False
    redirect_link_name: str = "scaRedirect"
    products: tuple[str, ...] = (TRANSFERS,)
    debtor_account_wanted: bool = False
    amounts_as_numbers: bool = False
    early_failures: bool = False  #: of a status, until its customer has been there: 404, 409, 500, then it is told
    settles_with_accc: bool = False  #: its ACSC says that it will execute
    approval_minutes: int | None = None  #: from the order to the end of the time to approve it, where that is its own
    cancels_with_sca: bool = False  #: an approved order is taken back only by its customer

    @property
    def prefix(self) -> str:
        """Of its payment API, below the address of the process."""
        return f"/{self.id}/psd2/v1"


_ALL = (
    Brand(
        id="hansekontor",
        name="Hansekontor Bank",
        approach="oauth",
        scope_with_space=True,
        signature=Form(names_as_written=True, dated=True, serial_decimal=True),
    ),
    Brand(
        id="alpenkasse",
        name="Alpenkasse",
        approach="redirect",
        explicit=True,
        problems=True,
        relative_links=True,
        signature=Form(issuer_from_the_root=True, certificate_with_pem_lines=True),
        cancels_with_sca=True,
    ),
    Brand(
        id="grachten",
        name="Grachtenbank",
        approach="redirect",
        confirms=True,
        confirmation_code_name="authConfirmationCode",
        early_failures=True,
        own_scope="pis:payments",
    ),
    Brand(
        id="lakenhal",
        name="Lakenhal Bank",
        approach="decoupled",
        explicit=True,
        signature=Form(headers=(TARGET, *BERLIN_GROUP), issuer_unescaped=True),
        amounts_as_numbers=True,
    ),
    Brand(
        id="navigli",
        name="Banca dei Navigli",
        approach="redirect",
        tokens=False,
        problems=True,
        products=(INSTANT, TRANSFERS),
        debtor_account_wanted=True,
        settles_with_accc=True,
        redirect_link_name="next",
    ),
    Brand(
        id="azulejo",
        name="Caja del Azulejo",
        approach="oauth",
        explicit=True,
        relative_links=True,
        signature=Form(headers=("date", "digest", "x-request-id", "tpp-redirect-uri", "psu-*"), dated=True),
        cancels_with_sca=True,
    ),
    Brand(
        id="tuulipankki",
        name="Tuulipankki",
        approach="decoupled",
        explicit=True,
        sign_in_first=True,
        sign_in_scope="DEDICATED_PIS",
        token_query="role=DEDICATED_PIS",  # noqa: S106  # no secret
        response_type="CODE",
        amounts_as_numbers=True,
        approval_minutes=5,
    ),
)

BRANDS: Mapping[str, Brand] = {brand.id: brand for brand in _ALL}
