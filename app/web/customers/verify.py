"""The page on which anybody checks a proof, also offline: one file with its style, its script and the log's key inside.

Its policy allows exactly that style and that script, by their hashes, and no way out: not even this server.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path

from flask import Response, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext

from app.web.context import services
from app.web.customers.pages import blueprint


@blueprint.get("/verify")
def verify() -> ResponseReturnValue:
    style, script = (_static(name) for name in ("quittance.css", "verify.js"))
    allowed = f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'"
    policy = f"{allowed}; form-action 'none'"
    saved = request.args.get("save") == "yes"
    answer: Response = make_response(
        render_template(
            "customers/verify.html",
            style=style,
            script=script,
            policy=policy,
            key=str(services().keys.log.verifier),
            texts=_texts(),
            saved=saved,
        )
    )
    answer.headers["Content-Security-Policy"] = f"{policy}; frame-ancestors 'none'"
    if saved:
        answer.headers["Content-Disposition"] = "attachment; filename=quittance-verify.html"
    return answer


def _texts() -> dict[str, object]:
    """What the script says. Of the refusals, why; ``{…}`` is filled in there."""
    locale = get_locale()
    return {
        "key": str(services().keys.log.verifier),
        "locale": str(locale).replace("_", "-") if locale else "en-GB",
        "genuine": gettext("Genuine"),
        "not_proven": gettext("Not proven"),
        "unable": gettext("This browser cannot check it"),
        "browser": gettext(
            "It lacks the cryptography (Ed25519). A current version of Chrome, Edge, Firefox or Safari has it."
        ),
        "form": gettext("This file is not a proof from Quittance, or it is damaged."),
        "log": gettext("It is a proof of another installation: not of the one whose key this page trusts."),
        "checkpoint": gettext("The log’s signature is not right."),
        "place": gettext("Fact {number} does not stand in the log like that: it was altered, or was never there."),
        "altered": gettext("Fact {number} does not say what it said when it was logged: it was altered."),
        "payment": gettext("Its facts do not belong together."),
        "document": gettext("The file in it is not the one that was delivered: it was altered."),
        "biller": gettext("The company that it names is not the one that delivered the bill."),
        "left_out": gettext("Something was left out of it: a step of the payment, or a call to the bank."),
        "key_refused": gettext(
            "It does not show the key of the seal, registered by this company before the bill came."
        ),
        "key_over": gettext("with a key that was not good when the bill came"),
        "revoked": gettext("with a key that the company took back: others may have had it when the bill came"),
        "seal_over": gettext("Unaltered, but its seal does not count"),
        "seal": gettext("The seal is not over this file: it was altered, or another key made it."),
        "from": gettext("From"),
        "bill": gettext("Bill"),
        "delivered": gettext("Delivered"),
        "sealed": gettext("Sealed with key"),
        "unsealed": gettext("not sealed: it came in through the company’s access"),
        "file": gettext("File"),
        "unaltered": gettext("unaltered"),
        "paid": gettext("Decided to pay"),
        "became": gettext("What became of it"),
        "receipt": gettext("Receipt"),
        "logged": gettext("Logged"),
        "places": gettext("as {numbers} of {size} facts"),
        "states": {
            "settled": gettext("paid"),
            "reversed": gettext("taken back"),
            "rejected": gettext("not done"),
            "cancelled": gettext("not done"),
            "expired": gettext("not done"),
            "unknown": gettext("not known yet"),
        },
    }


@functools.cache
def _static(name: str) -> str:
    return (Path(current_app.static_folder or "") / name).read_text("utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
