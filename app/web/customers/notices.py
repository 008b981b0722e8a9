"""What the customer was told: all of it, newest first, with what it is about. To see it is to have read it."""

from __future__ import annotations

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.journey.notices import read, service
from app.journey.notices.kinds import NoticeKind
from app.web.context import services
from app.web.customers.pages import blueprint, common, me, page_asked

#: where on its page, if not at the top
ANCHORS = {NoticeKind.BILL_HELD: "held", NoticeKind.DEVICE_ADDED: "devices"}
#: where there is something to do about what is about no bill, payment or consent
PLACES = {
    NoticeKind.BILL_HELD: "customers.inbox",
    NoticeKind.WORDS_CHANGED: "customers.messages",
    NoticeKind.ADDRESS_ASKED: "customers.messages",
    NoticeKind.ADDRESS_CHANGED: "customers.messages",
    NoticeKind.ALL_STOPPED: "customers.stop",
    NoticeKind.STOP_LIFTED: "customers.stop",
    NoticeKind.PASSKEY_ADDED: "customers.security",
    NoticeKind.PASSKEY_REMOVED: "customers.security",
    NoticeKind.DEVICE_ADDED: "customers.messages",
    NoticeKind.CODES_MADE: "customers.security",
    NoticeKind.CODE_USED: "customers.security",
    NoticeKind.RECOVERY_ASKED: "customers.security",
    NoticeKind.RECOVERY_BEGUN: "customers.stop",
    NoticeKind.RECOVERY_WAITS: "customers.stop",
    NoticeKind.RECOVERY_OVER: "customers.security",
    NoticeKind.RECOVERY_DONE: "customers.security",
    NoticeKind.SPACE_EXPORTED: "customers.security",
    NoticeKind.ERASURE_ASKED: "customers.privacy",
}


@blueprint.get("/notices")
def notices() -> ResponseReturnValue:
    """A visit of the demo is nobody's look: what it sees stays unread."""
    page = page_asked()
    mail = services().settings.mail_server is not None
    only = mail and request.args.get("show") == "not-delivered"
    customer_id, locale = me().customer.id, str(common()["locale"])
    with services().reading() as uow:
        told, more = read.told_of(uow.session, customer_id=customer_id, locale=locale, page=page, not_delivered=only)
    unseen = [each.id for each in told if each.is_new]
    if unseen and not me().read_only:
        with services().unit_of_work() as uow:
            service.see(uow, customer_id=customer_id, ids=unseen)
            uow.commit()
    show = "not-delivered" if only else None
    return render_template(
        "customers/notices.html",
        told=told,
        mail=mail,
        only=only,
        places=PLACES,
        anchors=ANCHORS,
        before_url=url_for("customers.notices", show=show, page=page - 1 if page > 2 else None) if page > 1 else None,
        more_url=url_for("customers.notices", show=show, page=page + 1) if more else None,
        kept_days=service.KEPT.days,
    )
