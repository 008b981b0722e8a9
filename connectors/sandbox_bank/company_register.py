"""Beside the bank: a public register of companies, as `connectors/company_register.py` asks it.

It knows a few companies, and no other one. Some numbers are magic. README.md has them.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from connectors.sandbox_bank.context import current_bank

blueprint = Blueprint("company_register", __name__)

PATH = "/register/v1/companies"
#: scheme and value → the company
_COMPANIES = {
    **dict.fromkeys([("siren", "904172681"), ("vat", "FR64904172681")], ("Eaux de Brumeval", "active")),
    **dict.fromkeys([("siren", "895301422"), ("vat", "FR80895301422")], ("Filandre Télécom SAS", "active")),
    ("vat", "DE317462058"): ("Windgrund Energie GmbH", "active"),
    ("vat", "DE309581276"): ("Musikschule Sommergarten gGmbH", "active"),
    ("vat", "GB904417207"): ("Severnside Trams Ltd", "active"),
    ("siren", "100000009"): ("Anna Active SA", "active"),
    ("siren", "100000017"): ("Clara Closeby SARL", "active"),
    ("siren", "100000025"): ("Otto Other GmbH", "active"),
    ("siren", "100000033"): ("Cesar Ceased SA", "ceased"),
    ("lei", "529900SANDBOXACTIV13"): ("Lea Legalentity AG", "active"),
}
_SILENT, _FAULT, _GARBAGE, _INVENTED, _NAMELESS = "100000058", "100000066", "100000074", "100000082", "100000090"


@blueprint.post(PATH)
def look_up() -> ResponseReturnValue:
    """{"scheme", "value"} → {"status", "legalName" of a company that there is or was}."""
    asked: Any = request.get_json(silent=True)
    if not isinstance(asked, dict) or not all(isinstance(asked.get(name), str) for name in ("scheme", "value")):
        return jsonify({"type": "FORMAT_ERROR"}), 400
    value = asked["value"]
    if value == _SILENT:
        current_bank().hang()
    if value == _FAULT:
        return jsonify({"type": "INTERNAL_SERVER_ERROR"}), 500
    if value == _GARBAGE:
        return Response(b'{"status": "active", "legalName": "Anna', mimetype="application/json")
    if value == _INVENTED:
        return jsonify({"status": "certainly", "legalName": "Ida Invented SA"})
    if value == _NAMELESS:
        return jsonify({"status": "active"})
    name, status = _COMPANIES.get((asked["scheme"], value), (None, "not_found"))
    return jsonify({"status": status} if name is None else {"status": status, "legalName": name})
