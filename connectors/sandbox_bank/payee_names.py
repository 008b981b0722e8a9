"""The bank answers whether a name belongs to an account, as the EPC's Verification of Payee does.

Of its own accounts it knows the holders. Of any other account it can say nothing, but that some names are magic.
"""

from __future__ import annotations

import difflib
import unicodedata
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from connectors.sandbox_bank import people
from connectors.sandbox_bank.context import current_bank

blueprint = Blueprint("payee_names", __name__)

PATH = "/vop/v1/payee-verifications"
#: letters that two names have in common, of all, for the bank to say the real one
_NEAR = 0.75
#: by the name that is asked: what is answered of any account. README.md has them
_MAGIC = {
    "marta match": {"partyNameMatch": "MTCH"},
    "clara close": {"partyNameMatch": "CMTC", "matchedName": "Clara Closeby"},
    "nora nomatch": {"partyNameMatch": "NMTC"},
    "nico notpossible": {"partyNameMatch": "NOAP"},
    "ida invented": {"partyNameMatch": "SURE"},
    "vera void": {"partyNameMatch": "CMTC"},
}


@blueprint.post(PATH)
def verify() -> ResponseReturnValue:
    """{"party": {"name"}, "partyAccount": {"iban"}} → {"partyNameMatch", "matchedName" of a close match}."""
    asked: Any = request.get_json(silent=True)
    try:
        name, iban = asked["party"]["name"], asked["partyAccount"]["iban"]
        key = _key(name)
    except (TypeError, KeyError):
        return jsonify({"type": "FORMAT_ERROR"}), 400
    if key == "sven silent":
        current_bank().hang()
    if key == "fay fault":
        return jsonify({"type": "INTERNAL_SERVER_ERROR"}), 500
    if key == "gina garbage":
        return Response(b'{"partyNameMatch": "MTCH', mimetype="application/json")
    return jsonify(_MAGIC.get(key) or _of_own(iban, key))


def _of_own(iban: str, key: str) -> dict[str, str]:
    with current_bank().store.read() as connection:
        holder = people.holder_of(connection, iban)
    if holder is None:
        return {"partyNameMatch": "NOAP"}
    real = _key(holder)
    if key == real:
        return {"partyNameMatch": "MTCH"}
    if difflib.SequenceMatcher(None, key, real, autojunk=False).ratio() >= _NEAR:
        return {"partyNameMatch": "CMTC", "matchedName": holder}
    return {"partyNameMatch": "NMTC"}


def _key(name: str) -> str:
    """Small letters without accents, one space between words. Raises TypeError for what is no text."""
    plain = unicodedata.normalize("NFKD", name)
    return " ".join("".join(each for each in plain if not unicodedata.combining(each)).casefold().split())
