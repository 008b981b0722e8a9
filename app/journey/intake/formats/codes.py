"""The code lists that both syntaxes of EN 16931 share, as far as money depends on them."""

from __future__ import annotations

from app.journey.intake.formats import text, xml

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


def quantity(node: xml.Node | None) -> str | None:
    """BT-129 with its unit (BT-130): ``21 m³``."""
    if node is None:
        return None
    code = node.element.get("unitCode", "")
    value = f"{node.text()} {_UNIT_SYMBOLS.get(code, code)}"
    return text.line(value, element=node.path, limit=text.QUANTITY_MAX)
