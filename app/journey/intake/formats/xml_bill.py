"""Any bill in XML: what its root element says it is decides who reads it. An envelope is opened, never read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from lxml import etree

from app.journey.intake.bill import Bill, BillRefused
from app.journey.intake.formats import cii, payment_request, schemas, ubl, xml

#: root element → who reads it
READERS: Mapping[str, Callable[[etree._Element], Bill]] = MappingProxyType(
    {**dict.fromkeys(ubl.ROOTS, ubl.read_tree), cii.ROOT: cii.read_tree}
)
_SBDH = "{http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader}"


def read(content: bytes) -> Bill:
    """The bill in an XML document: what it says, then whether it is built as its format says. Or BillRefused."""
    return read_tree(xml.parse(content))


def read_tree(tree: etree._Element) -> Bill:
    root = opened(tree)
    request = payment_request.xml_message(root)
    if request is not None:
        return payment_request.read_xml(request)
    reader = READERS.get(root.tag)
    if root.tag == cii.LEGACY_ROOT:
        detail = "This is ZUGFeRD 1, which is no European invoice. Send ZUGFeRD 2 or Factur-X."
        raise BillRefused("not-a-bill", detail, element="/CrossIndustryDocument")
    if reader is None:
        raise xml.not_a_bill(root)
    # Reading first: its refusals name what to mend. Nothing read is used before the structure is found right.
    bill = reader(root)
    schemas.check(root)
    return bill


def opened(root: etree._Element) -> etree._Element:
    """The one document in a Peppol envelope (SBDH); anything else as it is."""
    if root.tag != f"{_SBDH}StandardBusinessDocument":
        return root
    inside = [child for child in root if child.tag != f"{_SBDH}StandardBusinessDocumentHeader"]
    if len(inside) != 1:
        detail = f"There are {len(inside)} documents in the envelope. Send one bill."
        raise BillRefused("not-a-bill", detail, element="/StandardBusinessDocument")
    return inside[0]
