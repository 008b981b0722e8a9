"""Taking all of one's papers along, and bringing those of another place: what is in it is read here, never paid."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from typing import BinaryIO, cast

from flask import Response, jsonify, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal, get_locale

from app.errors import Conflict, Invalid
from app.journey.export import brought, service
from app.journey.export.rules import ARCHIVE_MOST, BROUGHT_MOST, EXPORTS_MOST
from app.web.context import services
from app.web.customers.limits import bringing_limit, exporting_limit, limiter
from app.web.customers.pages import blueprint, me, relying_party, sent_credential

#: papers on one page
PAGE = 100


@dataclass(frozen=True, slots=True)
class ExportView:
    asked_at: dt.datetime
    is_made: bool
    megabytes: str
    bills: int | None


def _megabytes(size: int | None) -> str:
    return str(format_decimal(max((size or 0) / 1_000_000, 0.1), format="#,##0.0"))


# --------------------------------------------------------------------------------------------------------- taken along


@blueprint.get("/privacy/export")
def export() -> ResponseReturnValue:
    with services().reading() as uow:
        rows = service.exports_of(uow.session, customer_id=me().customer.id)
    exports = [ExportView(row.asked_at, row.made_at is not None, _megabytes(row.size_bytes), row.bills) for row in rows]
    log = services().keys.log.verifier
    return render_template("customers/export.html", exports=exports, most=EXPORTS_MOST, log_key=str(log))


@blueprint.post("/privacy/export/ceremony")
@limiter.limit(exporting_limit)
def export_ceremony() -> Response:
    """The challenge: nobody takes everything along with no more than an open session."""
    with services().unit_of_work() as uow:
        started = service.start(uow, party=relying_party(), signed_in=me())
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/privacy/export")
@limiter.limit(exporting_limit)
def take_export() -> ResponseReturnValue:
    """Make the archive and send it. It is in a file without a name meanwhile, which goes with this answer."""
    ceremony, credential = sent_credential(code="ceremony-over", so="Nothing was made.")
    who = me()
    with services().unit_of_work() as uow:
        export_id = service.ask(uow, party=relying_party(), signed_in=who, ceremony=ceremony, credential=credential)
        day = uow.now.date()
        uow.commit()
    file = service.make(services(), export_id=export_id, customer_id=who.customer.id)
    answer = send_file(
        cast("BinaryIO", file),
        mimetype="application/zip",
        as_attachment=True,
        download_name=f"quittance-{day.isoformat()}.zip",
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


# ------------------------------------------------------------------------------------------------------- brought along


@blueprint.get("/privacy/import")
def bring() -> ResponseReturnValue:
    return _bring_page()


@blueprint.post("/privacy/import")
@limiter.limit(bringing_limit)
def bring_archive() -> ResponseReturnValue:
    """Look at all of it, and keep it if all of it holds. Else say what does not, and keep nothing."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        return _bring_page(error="no-file"), 422
    try:
        brought_id = brought.bring(services(), signed_in=me(), file=cast("BinaryIO", sent.stream))
    except brought.NotWhole as refused:
        locale = get_locale()
        language = locale.language if locale else "en"
        return _bring_page(error=refused.code, faults=[each.words(language) for each in refused.faults]), 422
    except (Invalid, Conflict) as refused:
        return _bring_page(error=refused.code), refused.status
    return redirect(url_for("customers.papers_of", brg=brought_id), 303)


def _bring_page(error: str | None = None, faults: list[str] | None = None) -> str:
    with services().reading() as uow:
        places = brought.places(uow.session, customer_id=me().customer.id)
    return render_template(
        "customers/bring.html",
        places=places,
        error=error,
        faults=(faults or [])[:20],
        more=max(len(faults or []) - 20, 0),
        most=BROUGHT_MOST,
        megabytes=ARCHIVE_MOST // 1024 // 1024,
    )


@blueprint.get("/papers")
def papers() -> ResponseReturnValue:
    with services().reading() as uow:
        places = brought.places(uow.session, customer_id=me().customer.id)
    return render_template("customers/papers.html", places=places)


@blueprint.get("/papers/<brg>")
def papers_of(brg: str) -> ResponseReturnValue:
    page = max(request.args.get("page", 1, type=int), 1)
    with services().reading() as uow:
        place = brought.place_of(uow.session, brought_id=brg, customer_id=me().customer.id)
    shown = place.papers[(page - 1) * PAGE : page * PAGE]
    return render_template(
        "customers/papers_of.html", place=place, papers=shown, page=page, has_more=len(place.papers) > page * PAGE
    )


@blueprint.get("/papers/<brg>/<paper>")
def paper(brg: str, paper: str) -> ResponseReturnValue:
    with services().reading() as uow:
        place, detail = brought.paper_of(uow.session, brought_id=brg, paper_id=paper, customer_id=me().customer.id)
    return render_template("customers/paper.html", place=place, detail=detail, paper=detail.paper)


@blueprint.get("/papers/<brg>/<paper>/original")
def paper_original(brg: str, paper: str) -> ResponseReturnValue:
    """The very file that had come there, as a download."""
    with services().reading() as uow:
        name, content = brought.document_of(uow.session, brought_id=brg, paper_id=paper, customer_id=me().customer.id)
    answer = send_file(
        io.BytesIO(content),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=f"brought-{name[:8]}.{name.rpartition('.')[2]}",
    )
    # it is a stranger's file: a browser that shows it all the same runs nothing of it and fetches nothing for it
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    return answer


@blueprint.post("/papers/remove")
def remove_papers() -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        brought.remove(uow, signed_in=me(), brought_id=request.form.get("archive", ""))
        uow.commit()
    return redirect(url_for("customers.papers"), 303)
