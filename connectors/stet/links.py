"""Where a bank leads us: its links and its Location, relative or not, and never to somebody else.

A link is a ``GenericLink`` (``href``, ``templated``). The standard's own examples are relative, and some begin with the
version (``v1/…``), so that only what is at the end of one is compared.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urljoin, urlsplit

from connectors.http import check_scheme
from connectors.strict_json import JsonObject, NotReadable

PATH = "/payment-requests"
#: ResourceId. It goes into a path as one step, in which "." and ".." would climb
_ID = re.compile(r"[a-zA-Z0-9 /\-?:().,']{1,35}")
_STEPS = (".", "..")


def path_of(payment_id: str, *below: str) -> str:
    """The path of one payment request, and of what is below it."""
    return "/".join([PATH, quote(payment_id, safe=""), *below])


def payment_id_in(location: str | None, *, base_url: str) -> str:
    """The id in the Location of a payment request that was created. Raises NotReadable."""
    if not location:
        raise NotReadable("Location is missing")
    parts = urlsplit(_resolved("Location", location, base_url=base_url))
    if parts.netloc != urlsplit(base_url).netloc:
        raise NotReadable("Location leads to a foreign host")
    _, found, rest = parts.path.rpartition(f"{PATH}/")
    payment_id = unquote(rest)
    if not found or _ID.fullmatch(payment_id) is None or payment_id in _STEPS:
        raise NotReadable("Location names no payment request")
    return payment_id


def href(links: JsonObject, name: str) -> str | None:
    """The address of one link as it is written; None without it. Raises NotReadable for one with gaps to fill."""
    link = links.object(name)
    if link.flag("templated"):
        message = f"the link {name} is a template"
        raise NotReadable(message)
    return link.text_or_none("href") or None


def to_approve(written: str, *, base_url: str, origins: frozenset[str], allow_http: bool) -> str:
    """Where the customer is sent: at the bank, or nowhere. Raises NotReadable."""
    url = _resolved("consentApproval", written, base_url=base_url)
    try:
        check_scheme(url, allow_http=allow_http)
    except ValueError:
        raise NotReadable("consentApproval is not an https address") from None
    if urlsplit(url).netloc not in origins or not url.isascii() or not url.isprintable():
        raise NotReadable("consentApproval leads to a host that is neither the bank's nor one that its file names")
    return url


def is_of(written: str, payment_id: str, *below: str, base_url: str) -> bool:
    """Whether the link leads to this payment request, and to what is ``below`` it, at this bank."""
    parts = urlsplit(_resolved("a link", written, base_url=base_url))
    at_bank = parts.netloc == urlsplit(base_url).netloc and not parts.query
    return at_bank and unquote(parts.path).endswith(unquote(path_of(payment_id, *below)))


def _resolved(name: str, written: str, *, base_url: str) -> str:
    try:
        url = urljoin(base_url + "/", written)
        urlsplit(url)
    except ValueError:
        message = f"{name} is not an address"
        raise NotReadable(message) from None
    return url
