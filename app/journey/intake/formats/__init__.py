"""Bytes in, one ``Bill`` out, or ``BillRefused``. Without it the intake would have to know what UBL is.

The codes of ``BillRefused`` are public and stable:

============================  =========================================================================
``too-large``                 the document, or a count in it, is beyond a limit that the text names
``encoding-refused``          the bytes are not in the encoding they say, or it is one that we do not take
``not-well-formed``           neither XML, JSON nor PDF can be read from it, or it is another one than it says
``doctype-refused``           an XML document with a DOCTYPE
``not-a-bill``                another kind of document
``no-structured-data``        a PDF without a bill that a program can read
``encrypted``                 a PDF that is encrypted
``active-content``            a PDF that runs a program
``structure-refused``         not of the structure that the schema of its format demands
``element-missing``           something that a bill must say is absent or empty
``element-doubled``           something is there twice where one is meant
``element-unknown``           a field that our JSON does not have
``value-refused``             none of the words that a field of our JSON may have, or not beside another one
``type-refused``              a value of the wrong JSON type, or elements inside an XML value
``text-refused``              a text that is too long, or has control or invisible characters
``date-refused``              no calendar day from 2000 to 2100 in the form YYYY-MM-DD
``amount-refused``            no plain decimal, or not with the decimals of its currency
``currency-refused``          not a currency of ISO 4217, or two currencies in one bill
``account-refused``           an IBAN with wrong check digits, or characters that no account has
``reference-refused``         an ISO 11649 reference with wrong check digits
``amounts-do-not-add-up``     the amount due is not total - prepaid + rounding, or a discount is not below it
============================  =========================================================================

``element`` is an absolute path with the prefixes ``cac`` and ``cbc`` in XML, a JSON pointer in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from app.journey.intake.bill import Bill, BillRefused
from app.journey.intake.formats import facturx, json_bill, json_tree, payment_request, xml_bill

BYTES_MAX = 10 * 1024 * 1024


class Reader(Protocol):
    """One format: bytes in, one bill out, or BillRefused that names the element. It keeps nothing and asks nobody."""

    def __call__(self, content: bytes, /) -> Bill: ...


def _read_json(content: bytes, /) -> Bill:
    """Our own bill or a request to pay of the SEPA scheme, which may hold its invoice and be large."""
    tree = json_tree.parse(content, bytes_max=BYTES_MAX)
    if payment_request.is_request(tree):
        return payment_request.read_json(tree)
    if len(content) > json_bill.JSON_BYTES_MAX:
        raise BillRefused("too-large", f"The bill is larger than {json_bill.JSON_BYTES_MAX // 1024 // 1024} MiB.")
    return json_bill.read_tree(tree)


#: media type, in lower case and without parameters → who reads it
FORMATS: Mapping[str, Reader] = MappingProxyType(
    {
        "application/json": _read_json,
        "application/xml": xml_bill.read,
        "text/xml": xml_bill.read,
        "application/vnd.oasis.ubl+xml": xml_bill.read,
        "application/pdf": facturx.read,
    }
)
#: what a file begins with, behind white space and a byte order mark → its media type
_MAGIC = (
    (facturx.MAGIC, "application/pdf"),
    (b"<", "application/xml"),
    (b"{", "application/json"),
)
_BEFORE_XML = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_BLANKS = b" \t\r\n"


class UnknownFormat(KeyError):
    """No reader for this media type: the door answers 415 and names FORMATS."""


def bare(media_type: str) -> str:
    """Without its parameters, in small letters: as FORMATS has it."""
    return media_type.partition(";")[0].strip().lower()


def read_bill(content: bytes, media_type: str) -> Bill:
    """The bill in these bytes. Raises BillRefused, or UnknownFormat for a media type that is not in FORMATS.

    Parameters of the media type are ignored: what the bytes say about their encoding counts.
    """
    name = bare(media_type)
    if name not in FORMATS:
        raise UnknownFormat(name)
    if len(content) > BYTES_MAX:
        raise BillRefused("too-large", f"The document is larger than {BYTES_MAX // 1024 // 1024} MiB.")
    return FORMATS[name](content)


def read_any(content: bytes) -> Bill:
    """The bill in a file of which nobody said what it is. Raises BillRefused."""
    media_type = media_type_of(content)
    if media_type is None:
        raise BillRefused("not-a-bill", "The file is neither XML, PDF nor JSON.")
    return read_bill(content, media_type)


def media_type_of(content: bytes) -> str | None:
    """By its first bytes; its name is what somebody called it."""
    if content.startswith(_BEFORE_XML):
        return "application/xml"
    begun = content[:1024].lstrip(_BLANKS)
    return next((media_type for magic, media_type in _MAGIC if begun.startswith(magic)), None)
