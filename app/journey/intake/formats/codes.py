"""The code lists that both syntaxes of EN 16931 share, as far as money depends on them."""

from __future__ import annotations

from collections.abc import Sequence

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import checks, text, xml

LINES_MAX = 10_000
XRECHNUNG_EXTENSION = "#conformant#urn:xeinkauf.de:kosit:extension:xrechnung_3.0"

#: UNCL 1001: documents by which the biller owes the customer (EN 16931 credit note codes)
CREDITS = frozenset({"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532"})

#: UNECE Recommendation 20 codes with a symbol that everybody knows; a piece has none. Others are shown as is.
_UNIT_SYMBOLS = dict.fromkeys(("", "C62", "H87", "EA", "NAR", "XPP", "ZZ"), "") | {
    "CMT": "cm",
    "GRM": "g",
    "HUR": "h",
    "KGM": "kg",
    "KMT": "km",
    "KWH": "kWh",
    "KWT": "kW",
    "LTR": "l",
    "MIN": "min",
    "MMT": "mm",
    "MTK": "m²",
    "MTQ": "m³",
    "MTR": "m",
    "MWH": "MWh",
    "P1": "%",
    "SEC": "s",
    "TNE": "t",
}

#: UNCL 5305: of what is in one of these categories no VAT is asked, also where no rate is named
_NO_VAT = frozenset({"Z", "E", "AE", "K", "G", "O"})


def vat_rate(taxes: Sequence[tuple[str, str]]) -> str | None:
    """BT-152 of a line, from the category and the rate of each of its taxes, as written. None, and nothing refused,
    where there is not the one that can be reckoned with: it is asked only once somebody disputes the line."""
    if len(taxes) != 1:
        return None
    ((category, written),) = taxes
    if not written:
        return "0" if category in _NO_VAT else None
    try:
        return checks.rate(written, element="")
    except BillRefused:
        return None


def quantity(node: xml.Node | None) -> str | None:
    """BT-129 with its unit (BT-130): ``21 m³``."""
    if node is None:
        return None
    code = node.element.get("unitCode", "")
    value = f"{node.text()} {_UNIT_SYMBOLS.get(code, code)}"
    return text.line(value, element=node.path, limit=text.QUANTITY_MAX)
