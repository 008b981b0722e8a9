"""Pictures of every page in every dress, for people to look at. Only when PICTURES names a folder: see conftest.py."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import FilePayload, expect

from app.demo.cast import CAMILLE, ENERGY, INTERNET, MUSIC, TRAMS, WATER, Company
from app.demo.loopback import TIMEOUT_S
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PHONE, Language, Screen, Theme, programs_session
from tests.browser.test_push import SUBSCRIBES
from tests.browser.world import World
from tests.support.bills import cii_bill, pdf_bill, ubl_bill, ubl_means
from tests.support.pictures import IBAN, as_file, epc_text, page
from tests.support.push_service import Subscriber
from tests.support.sheets import code_on

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

SIZES = {"phone": PHONE, "desktop": DESKTOP}
THEMES: tuple[Theme, ...] = ("light", "dark")
LANGUAGES: tuple[Language, ...] = ("en", "fr")
#: in which axe looks for barriers
LOOKED_THROUGH = ("desktop-light-en", "phone-dark-fr")

XML = "application/xml"

Where = Callable[[str], Path]


def _dresses(screen: Screen, *, ours: bool = True) -> Iterator[str]:
    """Puts the page into each of the eight, one after the other. The bank takes the language from its address."""
    page = screen.page
    for language in LANGUAGES:
        if ours:
            screen.open(f"/language/{language}?next={quote(screen.path, safe='')}")
        else:
            page.goto(page.url.partition("?")[0] + f"?lang={language}")
        for (name, size), theme in product(SIZES.items(), THEMES):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.emulate_media(color_scheme=theme)
            yield f"{name}-{theme}-{language}"


def _take(screen: Screen, where: Where, name: str, *, ours: bool = True) -> None:
    for dress in _dresses(screen, ours=ours):
        screen.page.screenshot(path=where(f"{name}-{dress}"), full_page=True, animations="disabled")
        if dress in LOOKED_THROUGH:
            assert screen.violations() == [], (name, dress)


def _take_all(screen: Screen, where: Where, pages: dict[str, str]) -> None:
    for name, path in pages.items():
        screen.open(path)
        _take(screen, where, name)


def test_pictures_of_a_stranger_and_of_a_visit(screen: Screen, pictures: Where, world: World) -> None:
    screen.allow("status of 404")
    _take_all(screen, pictures, {"sign-in": "/", "way-back": "/way-back", "error-404-stranger": "/no/such/page"})
    screen.visit(CAMILLE)
    screen.open_bill(world.number_of(CAMILLE, slug=INTERNET.slug, ending="118204"))
    bill = screen.path
    screen.open_bill(world.number_of(CAMILLE, slug=WATER.slug, ending="40172-T"))
    late = screen.path
    _take_all(
        screen,
        pictures,
        {
            "visit-inbox-all": "/bills",
            "visit-inbox-paid": "/bills?show=paid",
            "visit-inbox-by-amount": "/bills?sort=amount",
            "visit-search": "/search",
            "visit-search-found": f"/search?q={quote(INTERNET.name.split()[0])}",
            "visit-search-why": "/search?q=2026",
            "visit-search-none": "/search?q=zzz",
            "visit-bill-discount": bill,
            "visit-bill-late": late,
            "visit-choose-bank": f"{bill}/bank",
            "visit-choose-bank-none": f"{bill}/bank?find=zzz",
            "visit-confirm": f"{bill}/pay?bank=horizon",
            "visit-receipts-empty": "/receipts",
            "visit-security": "/security",
            "visit-privacy": "/privacy",
            "error-404": "/bills/inv_00000000000000000000000000000000",
        },
    )


def test_pictures_of_a_new_person(screen: Screen, pictures: Where) -> None:
    screen.sign_up("Nele Neumann", "nele.pictures@example.org")
    _take_all(
        screen, pictures, {"new-inbox": "/bills", "new-to-pay": "/bills?show=to-pay", "new-security": "/security"}
    )


def test_pictures_of_messages(screen: Screen, pictures: Where) -> None:
    screen.visit(CAMILLE)
    _take_all(screen, pictures, {"messages-visit": "/messages"})
    screen.page.context.clear_cookies()
    screen.sign_up("Nele Neumann", "nele.messages@example.org")
    _take_all(screen, pictures, {"messages": "/messages"})
    for dress in _dresses(screen):
        _refuse_hours(screen)
        screen.page.screenshot(path=pictures(f"messages-hours-{dress}"), full_page=True, animations="disabled")
        screen.open("/messages")  # whoever changes the language is shown the page as it is kept


def test_pictures_of_notices(screen: Screen, pictures: Where) -> None:
    screen.visit(CAMILLE)
    _take_all(screen, pictures, {"notices-visit": "/notices", "inbox-unread": "/bills"})
    screen.page.context.clear_cookies()
    screen.page.context.grant_permissions(["notifications"])
    screen.page.add_init_script(SUBSCRIBES % json.dumps(Subscriber("http://127.0.0.1:9/none").as_json()))
    screen.sign_up("Nele Neumann", "nele.notices@example.org")
    _take_all(screen, pictures, {"notices-empty": "/notices"})
    screen.open("/messages")
    screen.page.locator("[data-device] [data-go]").click()
    expect(screen.page.locator("section[aria-labelledby=devices] li")).to_have_count(1)
    _take_all(screen, pictures, {"messages-device": "/messages"})
    screen.open("/messages")
    screen.page.locator("form[action='/messages/words'] button").click()
    screen.page.wait_for_timeout(2000)
    for dress in _dresses(screen):  # who has seen it has read it
        screen.open("/notices")
        screen.page.screenshot(path=pictures(f"notices-{dress}"), full_page=True, animations="disabled")


def _refuse_hours(screen: Screen) -> None:
    screen.open("/messages")
    for name in ("quiet_from", "quiet_to"):
        screen.page.locator(f"select[name={name}]").select_option("22")
    screen.allow("status of 422")
    screen.page.locator("form[action='/messages/choice'] button").click()
    expect(screen.page.locator("#quiet-fault")).to_be_visible()


def test_pictures_of_a_calendar(screen: Screen, pictures: Where) -> None:
    screen.visit(CAMILLE)
    _take_all(screen, pictures, {"calendar-visit": "/calendar"})
    screen.page.context.clear_cookies()
    screen.sign_up("Nele Neumann", "nele.calendar@example.org")
    _take_all(screen, pictures, {"calendar": "/calendar"})
    for name in ("made", "second", "full"):
        screen.open("/calendar")
        screen.page.locator("form[action='/calendar'] button").click()
        expect(screen.page.locator(".token")).to_be_visible()
        if name == "made":
            screen.page.screenshot(path=pictures("calendar-made"), full_page=True, animations="disabled")
    _take_all(screen, pictures, {"calendar-full": "/calendar"})


def test_pictures_of_money_ahead(screen: Screen, pictures: Where, world: World) -> None:
    """Before anything is said, with enough, and with too little."""
    email, day = "nele.ahead@example.org", dt.timedelta(days=1)
    screen.sign_up("Nele Neumann", email)
    today = dt.datetime.now(dt.UTC).date()
    for number, (company, amount, due) in enumerate(
        ((WATER, "84.20", 5), (INTERNET, "39.90", 20), (MUSIC, "12.00", 40))
    ):
        world.deliver_to_new(email, amount, company, number=f"AHEAD-{number}", due_on=str(today + due * day))
    _take_all(screen, pictures, {"money-new": "/money"})
    _have(screen, "320", "50")
    screen.page.locator("#name").fill("Salary")
    screen.page.locator("#amount").fill("1,650.00")
    screen.page.locator("#next_on").fill(str(today + 12 * day))
    screen.page.locator("form[action='/money/paydays'] button").click()
    screen.page.wait_for_load_state()
    _take_all(screen, pictures, {"money-filled": "/money"})
    _have(screen, "60", "50")
    _take_all(screen, pictures, {"money-tight": "/money"})
    screen.allow("status of 422")
    _have(screen, "much", "50")
    _take_posted(screen, pictures, "money-refused")


def _have(screen: Screen, balance: str, floor: str) -> None:
    screen.open("/language/en?next=/money")
    screen.page.locator("#balance").fill(balance)
    screen.page.locator("#floor").fill(floor)
    screen.page.locator("form[action='/money'] button").click()
    screen.page.wait_for_load_state()


def test_pictures_of_bills_that_are_not_paid_here(screen: Screen, pictures: Where, world: World) -> None:
    debit = {"payee": None, "means": "direct_debit", "mandate": "M-2024-0815", "creditor_id": "FR72ZZZ123456"}
    past = {"issued_on": "2026-01-02", "due_on": "2026-01-20"}
    delivered = {
        "debit": world.deliver(CAMILLE, "39.90", **debit),
        "debit-past": world.deliver(CAMILLE, "39.90", **debit, **past),
        "card": world.deliver(CAMILLE, "12.00", payee=None, means="card"),
        "giro": world.deliver(CAMILLE, "450.00", currency="SEK", payee={"name": INTERNET.name, "account": "5050-1055"}),
        "sort-code": world.deliver(
            CAMILLE, "18.00", currency="GBP", payee={"name": INTERNET.name, "account": "31926819", "branch": "60-16-13"}
        ),
    }
    screen.visit(CAMILLE)
    _take_all(screen, pictures, {"not-here-inbox": "/bills"})
    for name, number in delivered.items():
        screen.open_bill(number)
        _take(screen, pictures, f"not-here-{name}")


def test_pictures_of_what_is_said_before_paying(screen: Screen, pictures: Where, world: World) -> None:
    """Delivered bills that are paid from here, and one should first know something."""
    debit = {"payee": None, "means": "direct_debit", "issued_on": "2026-01-02", "due_on": "2026-01-20"}
    before = world.deliver(CAMILLE, "39.90", **debit)
    instead = world.deliver(CAMILLE, "41.50", replaces=before)
    bills = {
        "earlier-not-here": instead,
        "debit-besides": _deliver_with_debit(world),
        "request-open": _ask(world, "PIC-OPEN"),
        "request-over": _ask(world, "PIC-OVER"),
    }
    world.end_request(bills["request-over"], on=dt.datetime.now(dt.UTC).date() - dt.timedelta(days=3))
    screen.visit(CAMILLE)
    _take_all(screen, pictures, {"before-paying-inbox": "/bills"})
    for name, number in bills.items():
        screen.open_bill(number)
        bill = screen.path
        _take_all(screen, pictures, {name: bill, f"{name}-confirm": f"{bill}/pay?bank=horizon"})
    screen.open_bill(instead)
    screen.page.locator(".notice a[href^='/bills/inv_']").click()
    screen.page.wait_for_load_state()
    _take(screen, pictures, "earlier-not-here-replaced")


def test_pictures_of_adding_bills(screens: Screens, screen: Screen, pictures: Where, world: World) -> None:
    """All steps of a bill that its customer adds, and what its file may say against it."""
    screen.allow("status of 422")
    visitor = screens.new()
    visitor.visit(CAMILLE)
    _take_all(visitor, pictures, {"own-visit": "/bills/add"})
    screen.sign_up("Nele Neumann", "nele.adds@example.org")
    _take_all(screen, pictures, {"own-add": "/bills/add"})
    _read(screen, "BCD, and nothing more")
    _take_posted(screen, pictures, "own-add-refused")
    drafts = {
        "photo": as_file(page(epc_text(payee="Dachdeckerei Brandt und Partner GmbH und Co. KG"))),
        "two-accounts": as_file(page(epc_text(), epc_text(iban="NL91ABNA0417164300"))),
        "nothing-read": pdf_bill(page="Facture 2026-31, 84,20 EUR"),
        "not-looked-into": pdf_bill(*((f"{number}.txt", b"") for number in range(21)), page=f"IBAN {IBAN}"),
        "collected": pdf_bill(("factur-x.xml", cii_bill(means=BY_DEBIT, number="SEPA-2026-11")), page="84,20 EUR"),
    }
    for name, content in drafts.items():
        _read(screen, content)
        _take(screen, pictures, f"own-check-{name}")
    _take_all(screen, pictures, {"own-add-begun": "/bills/add"})
    _read(screen, drafts["nothing-read"])
    _fill(screen, payee="Εταιρεία", iban="DE00", amount="nothing", reference="RF00")
    _keep(screen)
    _take_posted(screen, pictures, "own-check-wrong")

    told = {"payee": "Lumière et Fils", "iban": IBAN}
    bills = {
        name: _added(screen, content, **told, amount=f"{80 + at}.20", reference=f"R-{at}")
        for at, (name, content) in enumerate(drafts.items())
        if name != "photo"
    }
    bills = {"plain": _added(screen, drafts["photo"], number="2026/17")} | bills
    world.deliver_to_new("nele.adds@example.org", "12.50", WATER)
    bills["likeness"] = _added(screen, epc_text(payee="Eaux de Brurneval", amount="EUR99.10", reference="F-1"))
    _take_all(screen, pictures, {"own-inbox": "/bills"})
    for name, bill in bills.items():
        _take_all(screen, pictures, {f"own-bill-{name}": bill, f"own-payee-{name}": f"{bill}/payee?bank=horizon"})
    screen.page.locator("#typed").fill("DE00")
    screen.page.locator(".tick").first.click()
    screen.page.locator("main form button").first.click()
    _take_posted(screen, pictures, "own-payee-refused")
    for name in ("plain", "collected"):
        _check_payee(screen, bills[name])
        _take(screen, pictures, f"own-confirm-{name}")
    screen.open(f"{bills['plain']}/pay?bank=horizon")
    screen.sign()
    payment = screen.path.removesuffix("/leave")
    _take_all(screen, pictures, {"own-leave": screen.path, "own-in-payment": bills["plain"]})
    screen.open(f"{payment}/leave")
    screen.pay_at_bank(CAMILLE)
    screen.expect_truth("done")
    _take_all(screen, pictures, {"own-payment": payment, "own-paid": bills["plain"]})
    screen.page.locator("main a[href^='/receipts/rcp_']").first.click()
    _take(screen, pictures, "own-receipt")


def test_pictures_of_bills_that_may_be_the_same(screen: Screen, pictures: Where, world: World) -> None:
    screen.sign_up("Nele Neumann", "nele.twins@example.org")
    email = "nele.twins@example.org"
    number = world.deliver_to_new(email, "84.20", WATER)
    twin = {"payee": WATER.name, "iban": WATER.iban, "amount": "84.20"}
    own = _added(screen, epc_text(), **twin, reference=number, number="OWN-1")
    again = _added(screen, epc_text(), **twin, reference=number, number="OWN-2")
    screen.open_bill(number)
    delivered = screen.path
    _take_all(
        screen,
        pictures,
        {
            "twins-inbox": "/bills",
            "twins-delivered": delivered,
            "twins-own": own,
            "twins-payee-own": f"{again}/payee?bank=horizon",
        },
    )
    _check_payee(screen, own)
    screen.sign()
    screen.pay_at_bank(CAMILLE)
    screen.expect_truth("done")
    _take_all(
        screen,
        pictures,
        {
            "twins-paid-own": own,
            "twins-paid-beside": delivered,
            "twins-payee-delivered": f"{delivered}/payee?bank=horizon",
        },
    )
    _check_payee(screen, delivered)
    _take(screen, pictures, "twins-confirm-delivered")

    # Two bills turn out to be one line after a payment of the later one has left for the bank.
    first, later = "FT-LINE-1", "FT-LINE-2"
    own = _added(screen, epc_text(), **twin, reference=first, number="OWN-3")
    _check_payee(screen, own)
    screen.sign()
    screen.pay_at_bank(CAMILLE)
    screen.expect_truth("done")
    world.deliver_to_new(email, "70.00", WATER, number=later, replaces=first)
    screen.open_confirm(later)
    screen.sign()
    payment = screen.path.removesuffix("/leave")
    screen.go_to_bank()
    world.deliver_to_new(email, "84.20", WATER, number=first)
    screen.open(payment)
    unwanted = screen.page.locator("h1", has_text="Please do not approve")
    while not unwanted.count():
        screen.page.wait_for_timeout(500)
        screen.page.reload()
    _take(screen, pictures, "twins-payment-told")


def test_pictures_of_what_is_asked_about(screen: Screen, pictures: Where, world: World) -> None:
    screen.sign_up("Nele Neumann", "nele.asks@example.org")
    number = world.deliver_to_new("nele.asks@example.org", "84.20", WATER)
    told = f"{WATER.name}\nBill {number}\nAmount due: 84.20 EUR\nIBAN {{}}\n{{}}\n{WATER.name}"
    asked = {
        "in-space": told.format(WATER.iban, ""),
        "real": epc_text(payee=WATER.name, iban=WATER.iban, amount="EUR84.20", reference=number),
        "account": WATER.iban,
        "other-account": told.format(IBAN, ""),
        "other-amount": told.format(WATER.iban, "").replace("84.20", "94.20"),
        "unknown": "Please pay 12.00 EUR to " + IBAN,
        "unknown-like": told.format(WATER.iban, "Pay here: https://water.example/pay. Our bank details have changed."),
    }
    _take_all(screen, pictures, {"real-ask": "/real", "real-add": "/bills/add", "real-inbox": "/bills"})
    for language, (name, text) in product(LANGUAGES, asked.items()):
        screen.open(f"/language/{language}?next=/real")
        screen.page.locator("#text").fill(text)
        screen.page.locator("form.adding button").click()
        for (size, of), theme in product(SIZES.items(), THEMES):
            screen.page.set_viewport_size({"width": of[0], "height": of[1]})
            screen.page.emulate_media(color_scheme=theme)
            path = pictures(f"real-{name}-{size}-{theme}-{language}")
            screen.page.screenshot(path=path, full_page=True, animations="disabled")
        screen.check_page()


def _deliver_with_debit(world: World) -> str:
    """A bill that is paid by a transfer, and says that it is collected as well."""
    means = ubl_means(code="59", iban=INTERNET.iban) + ubl_means(code="58", iban=INTERNET.iban)
    content = ubl_bill(
        number="PIC-DEBIT",
        means=means,
        to=world.address_of(CAMILLE),
        seller_name=INTERNET.name,
        seller_vat=INTERNET.vat_id,
        seller_legal_id=INTERNET.legal_id,
    )
    world.deliver_content(content, XML)
    return "PIC-DEBIT"


def _ask(world: World, number: str) -> str:
    """A request to pay (pain.013) that is open for a week."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    last = now.date() + dt.timedelta(days=7)
    asked = (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.013.001.08"><CdtrPmtActvtnReq>'
        f"<GrpHdr><MsgId>{number}</MsgId><CreDtTm>{now.isoformat()}</CreDtTm><NbOfTxs>1</NbOfTxs>"
        f"<InitgPty><Nm>{INTERNET.name}</Nm></InitgPty></GrpHdr><PmtInf><PmtInfId>P-1</PmtInfId><PmtMtd>TRF</PmtMtd>"
        f"<ReqdExctnDt><Dt>{last}</Dt></ReqdExctnDt><XpryDt><Dt>{last}</Dt></XpryDt>"
        f"<Dbtr><Nm>{CAMILLE.name}</Nm></Dbtr><DbtrAcct><Prxy><Id>{world.address_of(CAMILLE)}</Id></Prxy></DbtrAcct>"
        f'<CdtTrfTx><PmtId><EndToEndId>{number}</EndToEndId></PmtId><Amt><InstdAmt Ccy="EUR">75.00</InstdAmt></Amt>'
        f"<Cdtr><Nm>{INTERNET.name}</Nm></Cdtr><CdtrAcct><Id><IBAN>{INTERNET.iban}</IBAN></Id></CdtrAcct>"
        "</CdtTrfTx></PmtInf></CdtrPmtActvtnReq></Document>"
    )
    world.deliver_content(asked.encode(), XML)
    return number


#: how an embedded bill says that the company collects its amount
BY_DEBIT = (
    "<ram:SpecifiedTradeSettlementPaymentMeans><ram:TypeCode>59</ram:TypeCode>"
    "</ram:SpecifiedTradeSettlementPaymentMeans>"
)


def _read(screen: Screen, content: bytes | str) -> None:
    """Add a file, or the text of a payment code; the tab is then where its values are checked, or is told why not."""
    screen.open(f"/language/en?next={quote('/bills/add', safe='')}")
    if isinstance(content, bytes):
        file = FilePayload(name="bill", mimeType="application/octet-stream", buffer=content)
        screen.page.locator("#file").set_input_files(file)
    else:
        screen.page.locator("details.more-ways summary").click()
        screen.page.locator("#code").fill(content)
    screen.page.locator("form.adding button").click()
    screen.page.wait_for_load_state()


def _fill(screen: Screen, **values: str) -> None:
    for name, value in values.items():
        screen.page.locator(f"#{name}").fill(value)


def _keep(screen: Screen) -> None:
    screen.page.locator("main form button").first.click()
    screen.page.wait_for_load_state()


def _added(screen: Screen, content: bytes | str, **values: str) -> str:
    """All the way; the bill's address."""
    _read(screen, content)
    _fill(screen, **values)
    _keep(screen)
    screen.at("/bills/inv_[0-9a-f]+")
    return screen.path


def _check_payee(screen: Screen, bill: str) -> None:
    """Say all that the page before the confirm page asks for."""
    screen.open(f"/language/en?next={quote(bill, safe='')}")
    typed = screen.page.locator(".facts .code").first.inner_text()
    screen.open(f"{bill}/payee?bank=horizon")
    if screen.page.locator("#typed").count():
        screen.page.locator("#typed").fill(typed)
    for tick in screen.page.locator(".tick").all():
        tick.click()
    screen.page.locator("main form button").first.click()
    screen.at("/bills/inv_[0-9a-f]+/pay.*")


def _take_posted(screen: Screen, where: Where, name: str) -> None:
    """The answer to a form, which has no address: in one language."""
    for (size, of), theme in product(SIZES.items(), THEMES):
        screen.page.set_viewport_size({"width": of[0], "height": of[1]})
        screen.page.emulate_media(color_scheme=theme)
        screen.page.screenshot(path=where(f"{name}-{size}-{theme}-en"), full_page=True, animations="disabled")


def test_pictures_of_paying(screens: Screens, screen: Screen, pictures: Where, world: World) -> None:
    water = world.number_of(CAMILLE, slug=WATER.slug, ending="40172")
    internet = world.number_of(CAMILLE, slug=INTERNET.slug, ending="118204")
    lessons = world.number_of(CAMILLE, slug=MUSIC.slug, ending="0231")
    screen.visit(CAMILLE, "en")
    screen.open_confirm(internet)
    screen.make_passkey()
    _take(screen, pictures, "confirm")
    screen.open_confirm(internet)
    screen.sign()
    payment = screen.path.removesuffix("/leave")
    _take(screen, pictures, "leave")
    _take_all(screen, pictures, {"payment-at-bank": payment})
    screen.open(f"{payment}/leave")
    screen.go_to_bank()
    _take(screen, pictures, "bank-sign-in", ours=False)
    screen.sign_in_at_bank(CAMILLE)
    _take(screen, pictures, "bank-decision", ours=False)
    screen.decide_at_bank("approve")
    screen.expect_truth("done")
    done = screen.path
    screen.page.locator("main a[href^='/receipts/rcp_']").first.click()
    screen.at("/receipts/rcp_[0-9a-f]+")
    receipt = screen.path
    _take_all(screen, pictures, {"receipt": receipt, "payment-done": done})
    sheet = programs_session(screen.page.context, world).get(f"{world.url}{receipt}/pdf", timeout=TIMEOUT_S)
    screen.open(code_on(sheet.content).removeprefix(world.url))
    _take(screen, pictures, "check-receipt")

    _pay(screen, lessons, "refuse")
    screen.expect_truth("not-done")
    _take(screen, pictures, "payment-refused")
    _pay(screen, world.deliver(CAMILLE, "999.05"), "approve")
    screen.expect_truth("not-done")
    _take(screen, pictures, "payment-rejected")
    _pay(screen, world.deliver(CAMILLE, "999.07"), "approve")
    screen.expect_truth("accepted")
    _take(screen, pictures, "payment-accepted")
    _pay(screen, world.deliver(CAMILLE, "999.08"), "approve")
    screen.expect_truth("not-known")
    _take(screen, pictures, "payment-not-known")

    screen.open_confirm(water)
    screen.sign()
    waiting = screen.path.removesuffix("/leave")
    _take_all(
        screen,
        pictures,
        {
            "inbox-all": "/bills",
            "inbox-to-pay": "/bills?show=to-pay",
            "inbox-paid": "/bills?show=paid",
            "receipts": "/receipts",
            "security": "/security",
        },
    )
    for name, number in {"bill-in-payment": water, "bill-paid": internet, "bill-refused": lessons}.items():
        screen.open_bill(number)
        _take(screen, pictures, name)
    _elsewhere(screens, screen, pictures, waiting)
    screen.page.goto(f"{world.running.biller_url}/")
    screen.page.screenshot(path=pictures("demo-biller"), full_page=True, animations="disabled")


def _pay(screen: Screen, number: str, decision: str) -> None:
    screen.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    screen.open_confirm(number)
    screen.sign()
    screen.pay_at_bank(CAMILLE, "approve" if decision == "approve" else "refuse")


def _elsewhere(screens: Screens, screen: Screen, pictures: Where, payment: str) -> None:
    hop = programs_session(screen.page.context, screen.world).get(
        f"{screen.world.url}{payment}/bank", allow_redirects=False, timeout=TIMEOUT_S
    )
    other = screens.new()
    other.page.goto(hop.headers["Location"])
    other.sign_in_at_bank(CAMILLE)
    other.decide_at_bank("refuse")
    expect(other.page.locator("h1")).to_have_count(1)
    _take(other, pictures, "elsewhere")


def test_pictures_of_companies(screens: Screens, screen: Screen, pictures: Where, world: World) -> None:
    """Every state of a connection: what its customer is shown."""
    screen.sign_up("Nele Neumann", "nele.companies@example.org")
    _take_all(
        screen,
        pictures,
        {
            "companies-none": "/companies",
            "companies-found": "/companies/find?find=s",
            "companies-not-found": "/companies/find?find=zzz",
            "codes-none": "/companies/code",
            "invite": "/companies/invite",
        },
    )
    pages = {company.slug: _company(screen, company) for company in (WATER, INTERNET, MUSIC, ENERGY, TRAMS)}
    _take_all(screen, pictures, {"company-new": pages[WATER.slug]})
    _press(screen, pages[TRAMS.slug], "address")
    _take(screen, pictures, "company-handed")
    leaked = screen.text(".hand-over")
    assert world.is_refused(MUSIC, to=leaked) == "not-connected"
    _press(screen, pages[WATER.slug], "ask", reference="X-1")
    _take(screen, pictures, "company-asked")
    _press(screen, pages[INTERNET.slug], "ask", reference="K-204417")
    _until_chip(screen, pages[INTERNET.slug], "Active")
    _take(screen, pictures, "company-active")
    _take_all(screen, pictures, {"company-given": f"{pages[INTERNET.slug]}/given"})
    _until_chip(screen, pages[WATER.slug], "Not confirmed")
    _take(screen, pictures, "company-refused")
    _press(screen, pages[INTERNET.slug], "mute")
    _take(screen, pictures, "company-muted")
    screen.open("/companies/code")
    screen.page.locator("form[action='/companies/code'] button").click()
    _take(screen, pictures, "codes")
    desk = screens.new()
    desk.page.goto(f"{world.running.biller_url}/")
    desk.page.locator(f"#code-{ENERGY.slug}").fill(screen.text(".code-big"))
    desk.page.locator(f"section[aria-labelledby={ENERGY.slug}] button").click()
    desk.page.locator("p[role=status]").wait_for()
    desk.page.screenshot(path=pictures("demo-biller-redeemed"), full_page=True, animations="disabled")
    _until_chip(screen, pages[ENERGY.slug], "Waits for you")
    _take(screen, pictures, "company-offered")
    _press(screen, pages[MUSIC.slug], "address")
    _press(screen, pages[MUSIC.slug], "block")
    _take(screen, pictures, "company-blocked")
    screen.open("/companies/invite?name=Régie+du+Val")
    screen.page.locator("form[action='/companies/invite'] button").click()
    _take(screen, pictures, "invited")
    screen.open("/companies")
    screen.page.wait_for_timeout(65_000)  # stray bills are looked at every minute
    _take_all(
        screen, pictures, {"companies": "/companies", "company-leak": pages[TRAMS.slug], "inbox-waiting": "/bills"}
    )
    _press(screen, pages[INTERNET.slug], "leave")
    _take(screen, pictures, "company-left")


def _company(screen: Screen, company: Company) -> str:
    screen.open(f"/companies/find?find={quote(company.name[:9])}")
    screen.page.locator("section[aria-labelledby=found] a", has_text=company.name).click()
    expect(screen.page.locator("h1")).to_have_text(company.name)
    return screen.path


def _press(screen: Screen, page: str, word: str, **fields: str) -> None:
    screen.open(f"/language/en?next={quote(page, safe='')}")
    for name, value in fields.items():
        screen.page.locator(f"#{name}").fill(value)
    screen.page.locator(f"main form[action$='/{word}'] button").click()
    screen.page.wait_for_load_state()


def _until_chip(screen: Screen, page: str, words: str) -> None:
    screen.open(f"/language/en?next={quote(page, safe='')}")
    while screen.page.locator("header.heading .chip").all_inner_texts() != [words]:
        screen.page.wait_for_timeout(500)
        screen.page.reload()
