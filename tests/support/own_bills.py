"""A customer's browser adds bills: through the pages, with their own form tokens."""

from __future__ import annotations

import io
import re

from bs4 import BeautifulSoup, Tag
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from tests.support.journey import ORIGIN, Browser
from tests.support.pictures import as_file, epc_text, page

VALUES = ("payee", "iban", "amount", "currency", "due_on", "reference", "number")


def post_file(browser: Browser, content: bytes, *, field: str = "file", name: str = "bill") -> TestResponse:
    file = FileStorage(io.BytesIO(content), filename=name)
    boundary, body = encode_multipart({"csrf_token": browser.token("/bills/add"), field: file})
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}
    kind = f'multipart/form-data; boundary="{boundary}"'
    return browser.client.post("/bills/add", base_url=ORIGIN, headers=headers, data=body, content_type=kind)


def post_code(browser: Browser, written: str) -> TestResponse:
    return browser.post("/bills/add", token=browser.token("/bills/add"), form={"code": written})


def form_of(browser: Browser, path: str) -> dict[str, str]:
    """What stands in the form in which the values are checked."""
    drawn = browser.page(path)
    found = {str(each["name"]): str(each.get("value", "")) for each in drawn.select("form input[name]")}
    chosen = drawn.select_one("select[name=currency] option[selected]")
    assert isinstance(chosen, Tag)
    return {name: found.get(name, "") for name in VALUES} | {"currency": chosen.get_text()}


def begin(browser: Browser, content: bytes | str | None = None) -> str:
    """Add a photo of a bill, or what is given. Returns the address of the form."""
    if content is None:
        content = as_file(page(epc_text()))
    answer = post_file(browser, content) if isinstance(content, bytes) else post_code(browser, content)
    assert answer.status_code == 303, BeautifulSoup(answer.data, "html.parser").get_text(" ", strip=True)
    return str(answer.headers["Location"])


def keep(browser: Browser, path: str, **changes: str) -> TestResponse:
    form = form_of(browser, path) | changes
    return browser.post(path, token=browser.token(path), form=form)


def add(browser: Browser, content: bytes | str | None = None, **changes: str) -> str:
    """All the way. Returns the invoice's id."""
    answer = keep(browser, begin(browser, content or epc_text()), **changes)
    found = re.fullmatch(r"/bills/(inv_[0-9a-f]{32})", answer.headers.get("Location", ""))
    assert found is not None, BeautifulSoup(answer.data, "html.parser").get_text(" ", strip=True)
    return found.group(1)


def payee_form(browser: Browser, invoice_id: str, *, bank: str = "horizon", **changes: str) -> dict[str, str]:
    """What an honest customer sends from the page on which the payee is checked: all that it asks for."""
    drawn = browser.page(f"/bills/{invoice_id}/payee?bank={bank}")
    form = {str(each["name"]): str(each.get("value", "")) for each in drawn.select("form[method=post] input[name]")}
    del form["csrf_token"]  # the one that is sent is in the header
    return {name: value for name, value in (form | changes).items() if value != "(not sent)"}


def check_payee(browser: Browser, invoice_id: str, *, bank: str = "horizon", **changes: str) -> TestResponse:
    path = f"/bills/{invoice_id}/payee?bank={bank}"
    form = payee_form(browser, invoice_id, bank=bank, **changes)
    return browser.post(path, token=browser.token(path), form=form)


def ceremony(browser: Browser, invoice_id: str, *, bank: str = "horizon") -> TestResponse:
    """Ask for the challenge, whatever the confirm page says."""
    path = f"/bills/{invoice_id}/pay/ceremony"
    return browser.post(path, token=browser.token("/bills"), data={"bank": bank})


def words(browser: Browser, path: str) -> str:
    """All that a page says."""
    return " ".join(browser.page(path).get_text(" ", strip=True).split())
