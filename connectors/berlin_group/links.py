"""Where a bank leads us: its links, relative or not, and never to somebody else.

A customer is sent to the bank's own hosts alone. We ourselves follow a link only where it leads to what we expect
there: the standard says what is below a payment, and a link says no more than whether it is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

from connectors.http import check_scheme
from connectors.strict_json import TEXT_CHARACTERS_MAX, JsonObject, NotReadable

#: an id goes into a path as one step, and a paymentId into a scope (RFC 6749 §3.3): no spaces, quotes or backslashes
_ID = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
#: "." and ".." would climb out of the path
_STEPS = (".", "..")
#: links that want what the customer keeps secret, or a choice among secrets (embedded approach)
EMBEDDED = (
    "startAuthorisationWithPsuAuthentication",
    "startAuthorisationWithEncryptedPsuAuthentication",
    "startAuthorisationWithAuthenticationMethodSelection",
    "startAuthorisationWithTransactionAuthorisation",
    "updatePsuAuthentication",
    "updateEncryptedPsuAuthentication",
    "updateAdditionalPsuAuthentication",
    "updateAdditionalEncryptedPsuAuthentication",
    "selectAuthenticationMethod",
    "authoriseTransaction",
)
#: links that want to know under which name the customer is known there
IDENTIFICATION = ("startAuthorisationWithPsuIdentification", "updatePsuIdentification")


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """What of ``_links`` counts for an approval, each resolved and believed."""

    sca_oauth: str | None = None  #: where the metadata are; the OAuth client looks at the host
    sca_redirect: str | None = None  #: where the customer is sent
    confirmation: str | None = None  #: path of what waits for a confirmation code
    start: bool = False  #: the approval has to be started, and nothing is wanted for it
    wants_identification: bool = False
    is_embedded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose links are read: the bank's addresses, and how one of its links is called there."""

    base_url: str
    origins: frozenset[str]
    redirect_link_name: str = ""

    def read(self, links: JsonObject, *, of: str, start: str = "authorisations") -> Links:
        """``of``: the path of the payment. ``start``: what an approval is a part of. Raises NotReadable."""
        sca_oauth, redirect = _href(links, "scaOAuth"), _href(links, self.redirect_link_name or "scaRedirect")
        confirmation, begin = _href(links, "confirmation"), _href(links, "startAuthorisation")
        if begin is not None and self._below(begin, of, start) != "":
            raise NotReadable("startAuthorisation leads to something else than this payment's authorisations")
        return Links(
            sca_oauth=None if sca_oauth is None else self._resolved("scaOAuth", sca_oauth),
            sca_redirect=None if redirect is None else self._for_customers(redirect),
            confirmation=None if confirmation is None else self._confirmation(confirmation, of, start),
            start=begin is not None,
            wants_identification=any(_href(links, name) for name in IDENTIFICATION),
            is_embedded=any(_href(links, name) for name in EMBEDDED),
        )

    def _for_customers(self, written: str) -> str:
        url = self._resolved("scaRedirect", written)
        try:
            check_scheme(url, allow_http=urlsplit(self.base_url).scheme == "http")
        except ValueError:
            raise NotReadable("scaRedirect is not an https address") from None
        if urlsplit(url).netloc not in self.origins or not _is_plain(url):
            raise NotReadable("scaRedirect leads to a host that is neither the bank's nor one that its file names")
        return url

    def _confirmation(self, written: str, of: str, start: str) -> str:
        authorisation_id = self._below(written, of, start)
        if not authorisation_id:
            raise NotReadable("confirmation leads to something else than an authorisation of this payment")
        return below(of, start, authorisation_id)

    def _below(self, written: str, of: str, start: str) -> str | None:
        """What a link to ``start`` of the payment has after it: empty for ``start`` itself, None for another place."""
        parts = urlsplit(self._resolved("a link", written))
        if parts.netloc != urlsplit(self.base_url).netloc:
            return None
        _, found, rest = unquote(parts.path).rstrip("/").rpartition(unquote(below(of, start)))
        if not found or (rest and not rest.startswith("/")):
            return None
        rest = rest[1:]
        return rest if not rest or (is_id(rest) and "/" not in rest) else None

    def _resolved(self, name: str, written: str) -> str:
        try:
            url = urljoin(self.base_url + "/", written)
            urlsplit(url)
        except ValueError:
            message = f"{name} is not an address"
            raise NotReadable(message) from None
        return url


def is_id(text: str) -> bool:
    """Whether it can be one step of a path."""
    return _ID.fullmatch(text) is not None and text not in _STEPS


def below(path: str, *steps: str) -> str:
    """A path that goes on; each step is quoted."""
    return "/".join([path, *(quote(step, safe="") for step in steps)])


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _href(links: JsonObject, name: str) -> str | None:
    """Raises NotReadable for one that is too long to be whole."""
    href = links.object(name).text_or_none("href") or None
    if href is not None and len(href) >= TEXT_CHARACTERS_MAX:
        message = f"the link {name} is too long"
        raise NotReadable(message)
    return href
