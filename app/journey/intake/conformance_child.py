"""Holds bills against the official rules of EN 16931, in a process of its own: Saxon needs 250 MB and is not ours.

Run as a file, not as a module of ours: it imports saxonche and lxml and nothing of Quittance. A line of JSON comes in
on stdin, ``{"rules": path of a compiled stylesheet, "xml": …}``, and one goes out: ``{"found": [[rule, flag, place,
text], …]}`` or ``{"stopped": why}`` where the rules themselves could not go on. It ends with its stdin.
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
from typing import Any

from lxml import etree
from saxonche import PySaxonApiError, PySaxonProcessor

#: of one process in all; a bill takes a fraction of a second, and the next process starts anew
CPU_S_MAX = 600
#: what it writes to, of which the rules need 350 MB. Not RLIMIT_AS: Saxon reserves 32 GB of addresses, and uses few
DATA_BYTES_MAX = 2 * 1024**3
FOUND_MAX = 200
_SVRL = "{http://purl.oclc.org/dsdl/svrl}"
_NO_DOCTYPE = "http://saxon.sf.net/feature/parserFeature?uri=http%3A//apache.org/xml/features/disallow-doctype-decl"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES_MAX, DATA_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    saxon = PySaxonProcessor(license=False)
    # what we hand it was written by lxml and has none: a second lock on the same door
    saxon.set_configuration_property(_NO_DOCTYPE, "true")
    sheets: dict[str, Any] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        json.dump(_answer(saxon, sheets, asked["rules"], asked["xml"]), sys.stdout)
        sys.stdout.write("\n")
        sys.stdout.flush()


def _answer(saxon: Any, sheets: dict[str, Any], rules: str, xml: str) -> dict[str, Any]:
    if rules not in sheets:
        sheets[rules] = saxon.new_xslt30_processor().compile_stylesheet(stylesheet_file=rules)
    try:
        report = sheets[rules].transform_to_string(xdm_node=saxon.parse_xml(xml_text=xml))
    except PySaxonApiError as error:
        # an element twice where a rule counts on one
        return {"stopped": (str(error).splitlines() or ["?"])[0]}
    tree = etree.fromstring(report.encode())
    found = (_found(each) for each in tree.iter(f"{_SVRL}failed-assert", f"{_SVRL}successful-report"))
    return {"found": list(itertools.islice(found, FOUND_MAX))}


def _found(node: Any) -> list[str]:
    text = " ".join("".join(node.itertext()).split())
    return [node.get("id", ""), node.get("flag", "fatal"), node.get("location", ""), text]


if __name__ == "__main__":
    main()
