"""A bank that drops nothing for us that it keeps until a day: it wants its customer to say so there."""

from __future__ import annotations

import datetime as dt

from tests.support.journey import Journey


def test_what_the_bank_does_not_drop_is_said_and_paid_on_its_day(there: Journey) -> None:
    there.bank_id = "alpenkasse"
    payment_id = there.pay(there.bill(amount="84.20"), on=dt.date(2026, 11, 26))
    there.wait(5)
    assert there.truth(payment_id) == "kept"
    path = f"/payments/{payment_id}"
    there.browser.post(f"{path}/take-back", token=there.browser.token(path))
    there.wait(60)
    assert there.truth(payment_id) == "kept"
    words = " ".join(there.browser.page(path).get_text(" ").split())
    assert "Alpenkasse does not drop it for us. You can cancel it there before that day" in words
    assert "to cancel it" not in words
    deletions = [one for one in there.bank_wire.sent if one.method == "DELETE"]
    there.wait(24 * 3600)
    assert [one for one in there.bank_wire.sent if one.method == "DELETE"] == deletions, "it has said what it does"
    there.wait(2 * 24 * 3600)
    there.browser.sign_in()
    assert there.payment(payment_id).state == "settled"
