"""The demo biller: five billers in one small program of its own. It knows Quittance only through the public API.

It delivers bills, receives webhooks and shows what it was told; nothing of the service's database is open to it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from flask import Blueprint, Flask, Response, current_app, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from app.demo import files
from app.demo.api_client import BillersClient
from app.demo.biller_files import BILLERS_FILE, client_of, folder_of
from app.demo.cast import COMPANIES
from app.demo.clerk import Clerk
from app.demo.courier import Courier
from app.demo.webhooks import Mailbox, NotGenuineError, check
from config.settings import Settings

BODY_BYTES_MAX = 64 * 1024
#: how many of the newest messages the page and the state show, per biller
SHOWN_MAX = 200
EXTENSION = "demo_biller"
_ANSWER_ID = re.compile(r"ans_[0-9a-f]{32}")
_REFUND_ID = re.compile(r"rfd_[0-9a-f]{32}")
_BILL_ID = re.compile(r"bill_[0-9a-f]{32}")
#: within so many days the demo billers give back what they owe
REFUND_DAYS = 10
#: bills of which something may be owed that the page asks about
OWING_MOST = 10

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

blueprint = Blueprint("demo_biller", __name__)


class Program:
    """What the views work with."""

    def __init__(self, folder: Path, *, base_url: str) -> None:
        self.folder = folder
        self.base_url = base_url
        self.courier = Courier(folder, base_url=base_url)
        self.mailbox = Mailbox(folder / "webhooks.jsonl")
        self.clerk = Clerk(lambda slug: client_of(folder, base_url, slug))
        self._clients: dict[str, BillersClient] = {}

    def billers(self) -> dict[str, Any]:
        found: dict[str, Any] = files.read_json(self.folder / BILLERS_FILE) or {}
        return found

    def client(self, slug: str) -> BillersClient:
        """The program of one of the billers, with the token that it has from before."""
        client_id = self.billers()[slug]["client_id"]
        if client_id not in self._clients:
            self._clients[client_id] = client_of(self.folder, self.base_url, slug)
        return self._clients[client_id]


def create_biller(settings: Settings) -> Flask:
    """The demo biller's web program, with its courier on the way."""
    app = Flask("app", static_folder=None, template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    program = Program(folder_of(settings.data), base_url=settings.base_url)
    app.extensions[EXTENSION] = program
    app.register_blueprint(blueprint)
    app.after_request(_add_headers)
    program.courier.start()
    program.clerk.start()
    for slug in program.billers():
        program.clerk.look(slug)
    return app


def _program() -> Program:
    program: Program = current_app.extensions[EXTENSION]
    return program


def _add_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response


@blueprint.get("/livez")
def livez() -> Response:
    return jsonify(status="alive")


@blueprint.post("/webhooks/<slug>")
def webhook(slug: str) -> tuple[str, int]:
    """A message for one biller: 401 when it is not genuine, 204 when it is kept, also when it was kept before."""
    known = _program().billers().get(slug)
    if known is None:
        return "no such biller\n", 404
    body = request.get_data(cache=False)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        message_id = check(body, headers, secret=known["webhook_secret"])
    except NotGenuineError as error:
        return f"{error}\n", 401
    message = _message(body)
    if message is None:
        return "not a message of ours\n", 400
    _program().mailbox.keep(slug, message_id, message, received_at=dt.datetime.now(dt.UTC).isoformat())
    if message["type"] == "connection.asked":
        _program().clerk.look(slug)
    return "", 204


def _message(body: bytes) -> dict[str, Any] | None:
    """The parts that we keep: type and data."""
    try:
        content = json.loads(body)
        data = content["data"]
        return {"type": str(content["type"]), "data": {str(name): str(value) for name, value in data.items()}}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


@blueprint.get("/")
def page() -> str:
    program = _program()
    return render_template(
        "demo_biller/page.html", billers=_state(program), quittance=program.base_url, said=request.args
    )


@blueprint.post("/redeem")
def redeem() -> ResponseReturnValue:
    """A clerk types a code that a customer reads out on the telephone."""
    code = request.form.get("code", "")
    return _done(lambda client: client.redeem(code), taken="taken", refused="refused")


@blueprint.post("/reply")
def reply() -> ResponseReturnValue:
    """A clerk says yes or no to what a customer says of a bill."""
    form = request.form
    answer_id, accepts, words = form.get("answer", ""), form.get("says") == "yes", form.get("words", "")
    if _ANSWER_ID.fullmatch(answer_id) is None:
        return "no such answer\n", 404
    return _done(
        lambda client: client.reply(answer_id, accepts=accepts, words=words), taken="replied", refused="not-replied"
    )


@blueprint.post("/promise")
def promise() -> ResponseReturnValue:
    """A clerk promises to give back all that is owed of a bill and not promised yet."""
    bill_id = request.form.get("bill", "")
    if _BILL_ID.fullmatch(bill_id) is None:
        return "no such bill\n", 404
    day = (_today() + dt.timedelta(days=REFUND_DAYS)).isoformat()

    def call(client: BillersClient) -> None:
        bill = client.bill(bill_id)
        amount, currency = bill["refund_unpromised"], bill["currency"]
        client.promise_refund(bill_id, amount=amount, currency=currency, promised_by=day)

    return _done(call, taken="refund-said", refused="refund-not-said")


@blueprint.post("/sent")
def sent() -> ResponseReturnValue:
    """A clerk says that a refund was sent today: to the account that its customer released, if there is one."""
    refund_id = request.form.get("refund", "")
    if _REFUND_ID.fullmatch(refund_id) is None:
        return "no such refund\n", 404

    def call(client: BillersClient) -> None:
        way = "released_account" if client.refund(refund_id)["account"] else "payer_account"
        client.refund_sent(refund_id, sent_on=_today().isoformat(), way=way)

    return _done(call, taken="refund-said", refused="refund-not-said")


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _done(call: Callable[[BillersClient], object], *, taken: str, refused: str) -> ResponseReturnValue:
    """What a clerk does for the biller that the form names, and back to the page, which says what became of it."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return "only from this page\n", 403
    program, slug = _program(), request.form.get("biller", "")
    if slug not in program.billers():
        return "no such biller\n", 404
    try:
        call(program.client(slug))
        said = taken
    except requests.HTTPError as error:
        said = refused if error.response.status_code < 500 else "later"
    except requests.RequestException:
        said = "later"
    return redirect(f"/?{slug}={said}#{slug}", 303)


@blueprint.get("/style.css")
def style() -> Response:
    return Response(render_template("demo_biller/style.css"), mimetype="text/css")


@blueprint.get("/state.json")
def state() -> Response:
    """The same as the page, for programs: ``billers`` by their short names, and whether all bills are delivered."""
    program = _program()
    return jsonify(billers={biller["slug"]: biller for biller in _state(program)}, all_delivered=program.courier.done)


def _state(program: Program) -> list[dict[str, Any]]:
    known = program.billers()
    return [
        _biller_state(program, company.slug, company.name, known[company.slug]["client_id"])
        for company in COMPANIES
        if company.slug in known
    ]


def _biller_state(program: Program, slug: str, name: str, client_id: str) -> dict[str, Any]:
    messages = program.mailbox.of(slug)
    paid = {message["data"].get("number") for message in messages if message["type"] == "payment.settled"}
    bills = [{**bill, "paid": bill["number"] in paid} for bill in program.courier.delivered(client_id)]
    answers = _open_answers(program, slug, messages)
    refunds = _refunds(program, slug, messages)
    shown = messages[::-1][:SHOWN_MAX]
    return {
        "slug": slug,
        "name": name,
        "bills": bills,
        "answers": answers,
        "refunds": refunds,
        "messages": shown,
    }


def _refunds(program: Program, slug: str, messages: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]] | None:
    """What is owed and not promised, by bill, and what was promised: asked for only where a webhook told of either.
    None: there is no answer just now."""
    told = [message["data"] for message in messages if message["type"] == "bill.refund_owed"]
    if not told:
        return {"owing": [], "promised": []}
    owing = list(dict.fromkeys(data["bill_id"] for data in told))[-OWING_MOST:]
    try:
        client = program.client(slug)
        bills = [client.bill(bill_id) for bill_id in owing]
        promised = client.refunds()
    except requests.RequestException:
        return None
    return {"owing": [bill for bill in bills if _is_some(bill["refund_unpromised"])], "promised": promised}


def _is_some(amount: str) -> bool:
    """Whether an amount, as a decimal string, is more than nothing."""
    return bool(amount.strip("0."))


def _open_answers(program: Program, slug: str, messages: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """What customers say that waits for a reply, the words as well, which no webhook has: asked for only where one told
    of something that has not ended. None: there is no answer just now."""
    last: dict[str, int] = {}
    for message in messages:
        if message["type"].startswith("answer."):
            data = message["data"]
            last[data["answer_id"]] = max(last.get(data["answer_id"], 0), int(data["sequence"]))
    if 1 not in last.values():
        return []
    try:
        return program.client(slug).bill_answers(state="open")
    except requests.RequestException:
        return None
