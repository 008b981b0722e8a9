"""The blueprint of the customers' pages: who may see them, and what every template is given."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from werkzeug.wrappers import Response as AnyResponse

from app.errors import Invalid
from app.journey.invoices.read import InvoiceView
from app.journey.invoices.service import see
from app.journey.payments.read import PaymentView
from app.journey.payments.speaker import takes_back
from app.journey.payments.states import PaymentState, Truth
from app.journey.receipts.read import ReceiptView
from app.people.customers import today_of
from app.people.passkeys import RelyingParty
from app.people.sessions import SignedIn
from app.web.context import coming_back, services, signed_in
from app.web.customers.limits import ARCHIVE_MOST, BODY_MOST, FILE_MOST
from app.web.headers import only_from_our_pages
from connectors.contract import Approach, PsuContext
from connectors.registry import UnknownBank

blueprint = Blueprint("customers", __name__)

#: how far back a list can be turned
PAGES_MOST = 1000

#: pages for everybody; a payment's pages decide by the trip cookie who may see them
PUBLIC = frozenset(
    {
        "sign_in", "language", "demo_sign_in", "sign_out",
        "passkey_new", "passkey_new_done", "passkey_use", "passkey_use_done",
        "payment", "payment_state", "verify", "check_receipt", "help_page",
        "way_back", "use_recovery_code", "ask_for_words", "way_back_words", "show_words", "way_back_wait",
        "ask_to_open",
    }
)  # fmt: skip
#: all that is open to whoever came in without a passkey, and to nobody else; every other page takes them for a stranger
FOR_COMING_BACK = frozenset(
    {"make_way_in", "way_in_passkey", "way_in_passkey_done", "way_in_end_others", "way_in_stop"}
)
#: of what is looked for: longer than any name of a bank, and than an IBAN in groups of four
TYPED_MOST = 70
#: banks on one page; the search finds the others
BANKS_MOST = 40
#: where a customer sends a file, and how large that may be
TAKES_FILES = {
    "customers.read_own_bill": FILE_MOST,
    "customers.is_it_real": FILE_MOST,
    "customers.bring_archive": ARCHIVE_MOST,
}
#: what a demo visit may still post: leaving it, making a passkey to become more than a visit, and what writes nothing
OPEN_TO_VISITS = frozenset(
    {"sign_out", "demo_sign_in", "passkey_add", "passkey_add_done", "find_bank", "find_another_bank", "is_it_real"}
)


def note_seen(bill: InvoiceView) -> None:
    """Its customer looks at it. A visit of the demo is nobody's look."""
    if bill.seen or me().read_only:
        return
    with services().unit_of_work() as uow:
        see(uow, invoice_id=bill.id, customer_id=me().customer.id)
        uow.commit()


@blueprint.before_request
def guard() -> ResponseReturnValue | None:
    """Default deny: a signed-in customer, and for a changing request one of our own pages and its form token."""
    request.max_content_length = _body_most()
    only_from_our_pages()
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        current_app.extensions["csrf"].protect()
    if _has_nul():
        abort(404)
    name = _name()
    who = signed_in()
    if name in PUBLIC:
        return None
    if name in FOR_COMING_BACK:
        if who is not None:  # with a passkey: there is nothing for them
            abort(404)
        who = coming_back()
    if who is None:
        if request.method in ("GET", "HEAD"):
            return redirect(url_for("customers.sign_in", next=request.full_path.rstrip("?")), 303)
        abort(401)
    if who.read_only and request.method not in ("GET", "HEAD", "OPTIONS") and name not in OPEN_TO_VISITS:
        abort(403, description="demo-visit")
    return None


def _body_most() -> int:
    """Nothing larger is read off the wire. A file is taken from a customer who may send one, and from nobody else."""
    most = TAKES_FILES.get(request.endpoint or "")
    who = signed_in() if most is not None else None
    may = who is not None and (not who.read_only or _name() in OPEN_TO_VISITS)
    return most if most is not None and may else BODY_MOST


def _name() -> str:
    """Of the page that is asked for; "": there is none."""
    return (request.endpoint or "").removeprefix("customers.")


def _has_nul() -> bool:
    """PostgreSQL refuses the character NUL, and no id or word of ours has one: there is nothing by that name."""
    return "\0" in request.path or any("\0" in value for _, value in request.form.items(multi=True))


def me() -> SignedIn:
    """The signed-in customer; guard() has let nobody else through."""
    who = signed_in()
    if who is None:
        abort(401)
    return who


def relying_party() -> RelyingParty:
    settings = services().settings
    return RelyingParty(settings.host, settings.base_url)


def common() -> dict[str, Any]:
    """What every template is given (docs/pages.md)."""
    who = signed_in()
    locale = get_locale()
    return {
        "customer": who.customer if who else None,
        "session_read_only": who.read_only if who else False,
        "all_stopped": who.has_stopped if who else False,
        "only_paused": who.is_paused if who else False,
        "recovery_opens_at": who.recovery_opens_at if who else None,
        "code_used_at": who.code_used_at if who else None,
        "demo": services().settings.demo,
        "locale": locale.language if locale else "en",
        "today": today_of(who.customer, services().clock()) if who else services().clock().date(),
    }


def bank_name(bank_id: str) -> str:
    """The name customers know; a bank whose file is gone keeps its id."""
    try:
        return services().banks.profile(bank_id).name
    except UnknownBank:
        return bank_id


def approves_in_app(view: PaymentView) -> bool:
    """Whether its customer approves it in an app of the bank's, while their browser stays here. A bank that is asked
    for that may have a page of its own all the same: what it chose for this payment counts, and before that its file.
    """
    if view.approach is not None:
        return view.approach == Approach.DECOUPLED
    try:
        return services().banks.profile(view.bank_id).decoupled
    except UnknownBank:
        return False


def named_payment(view: PaymentView, receipt_id: str | None) -> PaymentView:
    """Completed with what earlier stages do not know: the bank's name and ways, and the receipt."""
    seen = _in_app(view) if approves_in_app(view) else view
    return dataclasses.replace(
        seen,
        bank_name=bank_name(view.bank_id),
        bank_takes_back=view.truth is Truth.KEPT and _takes_back(view.bank_id),
        receipt_id=receipt_id,
    )


def _takes_back(bank_id: str) -> bool:
    try:
        return takes_back(services(), bank_id)
    except UnknownBank:
        return False


def _in_app(view: PaymentView) -> PaymentView:
    """Where the bank asks in its app the browser is back at once, from nowhere: nothing that is told of a return holds.
    Only the bank's own word says that its customer has approved."""
    approved = view.state in (PaymentState.ACCEPTED, PaymentState.SETTLED, PaymentState.REVERSED)
    steps = tuple(
        dataclasses.replace(each, done=approved, at=each.at if approved else None) if each.key == "approved" else each
        for each in view.steps
    )
    truth = Truth.AT_BANK if view.state is PaymentState.AWAITING_CUSTOMER else view.truth
    return dataclasses.replace(view, truth=truth, approved=approved, steps=steps)


def named_receipt(view: ReceiptView) -> ReceiptView:
    return dataclasses.replace(view, bank_name=bank_name(view.bank_name))


def json_body() -> object:
    """What a script of our pages sent; None when it is no JSON that can be read, however deep it is."""
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def sent_credential(*, code: str = "no-passkey-answer", so: str = "Nothing was changed.") -> tuple[str, dict[str, Any]]:
    """The ceremony of a form, and what the passkey signed, which a script has put there. Raises Invalid, which says
    with ``so`` what that means."""
    try:
        credential = json.loads(request.form.get("credential", ""))
    except (ValueError, RecursionError):
        credential = None
    if not isinstance(credential, dict):
        raise Invalid(code, f"The confirmation with your passkey did not arrive. {so}")
    return request.form.get("ceremony", ""), credential


def page_asked() -> int:
    """Which page of a list is asked for, from 1: one that there cannot be is the nearest that can."""
    return min(max(request.args.get("page", 1, type=int), 1), PAGES_MOST)


def psu() -> PsuContext:
    """Whose browser it is, for the bank. An address that is none means a proxy set up wrongly: decide nothing then."""
    address = ipaddress.ip_address(request.remote_addr or "")
    return PsuContext(ip_address=str(address), user_agent=request.user_agent.string[:200])


def typed_words(sent: Mapping[str, str]) -> str:
    """What somebody looks for, in the field ``find`` of an address or a form; "": nothing that could be found."""
    typed = sent.get("find", "")[:TYPED_MOST].strip()
    return typed if typed.isprintable() else ""


def typed_amount(typed: str) -> str:
    """An amount as people write it, with a comma or a dot and spaces, as ``Money.parse`` wants it."""
    written = "".join(typed.split())
    return written.replace(",", ".") if "." not in written else written.replace(",", "")


def sent_file() -> bytes | None:
    """The file that was chosen in a form, or the photo that was taken; None: neither."""
    chosen = (request.files.get(name) for name in ("file", "photo"))
    return next((file.read() for file in chosen if file and file.filename), None)


def local_path(target: str | None) -> str:
    """A place of ours to go on to; anything else becomes the inbox (no open redirect)."""
    if target and target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable():
        return target
    return url_for("customers.inbox")


def set_cookie(response: AnyResponse, name: str, value: str, *, max_age: int | None = None) -> None:
    """A ``__Host-`` cookie: this host only, never to script. Lax, because a bank's redirect must bring it back."""
    response.set_cookie(name, value, max_age=max_age, secure=True, httponly=True, samesite="Lax", path="/")


def drop_cookie(response: AnyResponse, name: str) -> None:
    response.delete_cookie(name, secure=True, httponly=True, samesite="Lax", path="/")
