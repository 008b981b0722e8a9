"""What customers are shown: genuine bills as letters, PDFs, payment codes and pictures of them, and what forgers make.

All by a seed: the same ones each time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import zxingcpp
from PIL import Image, ImageDraw
from pypdf import PageObject, PdfReader, PdfWriter, Transformation
from pypdf.annotations import FreeText
from pypdf.generic import ContentStream, DictionaryObject, NameObject, StreamObject, TextStringObject
from stdnum.ch import esr

from app.journey.intake import said
from app.journey.intake.formats import facturx, pdf_child, picture_child, shown
from app.journey.intake.formats.shown import Shown
from app.journey.invoices import real
from app.journey.invoices.real import Company, Known
from connectors.money import Money
from tests.support.bills import cii_bill
from tests.support.honest_letters import FRENCH
from tests.support.pictures import as_file, page

TEXT, PDF, EPC, EPC_PICTURE, SWISS, SWISS_PICTURE, ACCOUNT = (
    *("text", "pdf", "epc", "epc-picture", "swiss", "swiss-picture", "account"),
)
PICTURES = (EPC_PICTURE, SWISS_PICTURE)
CODES = (EPC, SWISS, *PICTURES)
#: of each bill in the space, and the day on which its customer asks
ISSUED, DUE, DISCOUNT_UNTIL, TODAY = (dt.date(2026, *day) for day in ((11, 3), (12, 1), (11, 15), (11, 10)))
#: of nobody's that is here
STRANGE = ("GB33BUKB20201555555555", "IT60X0542811101000000123456", "LT121000011101001000", "PT50000201231234567890154")
LINKS = ("https://lumen-paiement.example/x", "www.lumen-pay.example", "lumen-energie.example/pay")


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  (the same for the same seed)


def iban_of(country: str, bban: str) -> str:
    digits = "".join(str(int(sign, 36)) for sign in f"{bban}{country}00")
    return f"{country}{98 - int(digits) % 97:02d}{bban}"


@dataclass(frozen=True)
class Firm:
    """A biller of the customer's as its letters show it."""

    name: str
    accounts: tuple[str, ...]
    vat_id: str
    street: str
    city: str
    phone: str
    currency: str = "EUR"

    @property
    def company(self) -> Company:
        return Company(name=self.name, holders=frozenset([self.name]), open=frozenset(self.accounts))


FIRMS = (
    Firm(
        "Lumen Énergie",
        ("FR1420041010050500013M02606", iban_of("FR", "30006000011234567890189")),
        "FR40303265045",
        "12 rue des Lilas",
        "59800 Lille",
        "+33 3 20 55 01 23",
    ),
    Firm("Eaux du Lac SA", (iban_of("BE", "539007547034"),), "BE0403019261", "Quai 4", "4000 Liège", "+32 4 555 01 88"),
    Firm(
        "Stadtwerke Brandt GmbH",
        (iban_of("DE", "370400440532013000"),),
        "DE136695976",
        "Am Markt 7",
        "50667 Köln",
        "+49 221 555 0143",
    ),
    Firm("Seewasser AG", (iban_of("CH", "30808001234567890"),), "", "Seeweg 3", "8001 Zürich", "", currency="CHF"),
)


@dataclass(frozen=True)
class Paper:
    """What is on a page beside its words."""

    code: str | None = None
    codes: tuple[str, ...] = ()  #: more, beside it
    printed: str = ""  #: in a picture, or as one in a PDF
    hides_text: bool = False
    annotation: str = ""
    attached: bytes = b""  #: as factur-x.xml
    lying_font: bool = False
    revised: bool = False
    drawn: str = ""  #: of a PDF: more of its content, as it is written there


@dataclass(frozen=True)
class Letter:
    """A bill as it is shown to people. A forger changes its parts; ``."""

    known: Known
    firm: Firm
    payee: str
    accounts: tuple[str, ...]  #: as written
    amounts: tuple[str, ...]  #: asked for, as written
    number: str
    reference: str
    lines: tuple[str, ...] = ()
    paper: Paper = Paper()
    bic: str = ""
    information: str = ""
    french: bool = True


@dataclass(frozen=True)
class Input:
    """One that a customer asks about."""

    kind: str  #: how it comes: TEXT …
    what: str  #: what was done to it
    content: str | bytes
    known: Known
    letter: Letter

    def __str__(self) -> str:
        return f"{self.what} {self.kind}: {self.content if isinstance(self.content, str) else len(self.content)}"

    def read(self) -> Shown:
        """By the same programs as at the door, without a process for each."""
        if isinstance(self.content, str):
            return shown.of_text(self.content)
        parts = None
        if self.content.startswith(b"%PDF-"):
            parts = facturx.parts_of(pdf_child.answer(self.content))
        return shown.together(self.content, parts, picture_child.answer(self.content, wanted="shown", look_s=60))


# ------------------------------------------------------------------------------------------------------------ the space


def space(seed: int = 1, *, each: int = 8) -> list[tuple[Firm, Known]]:
    """Bills that were delivered."""
    rng = dice(seed)
    return [(firm, _delivered(rng, firm, at, number)) for at, firm in enumerate(FIRMS) for number in range(each)]


def _delivered(rng: random.Random, firm: Firm, at: int, place: int) -> Known:
    minor = rng.randrange(1_500, 250_000)
    number = (
        f"LU-2026-{1200 + place * 37}",
        f"2026/{40172 + place}",
        f"RE{880100 + place * 13}",
        f"S-{77000 + place}",
    )[at]
    reference = number
    if firm.currency == "CHF":
        body = f"{place + 2100:026d}"
        reference = body + esr.calc_check_digit(body)
    elif place % 3 == 0:
        reference = iban_of("RF", f"{880 + place}00{at}7")  # by the same rule
    amount = Money(minor, firm.currency)
    known = Known(
        id=f"inv_{at}_{place}",
        company=firm.company,
        number=number,
        reference=reference,
        account=firm.accounts[0],
        amount=amount,
        asked=amount,
        payable=amount,
        discounted=frozenset([Money(minor - minor // 50, firm.currency)] if place % 4 == 1 else []),
        amounts=frozenset([Money(minor // 50, firm.currency)]) if place % 4 == 1 else frozenset(),
        limits=frozenset([DUE, DISCOUNT_UNTIL] if place % 4 == 1 else [DUE]),
        terms=frozenset([(DUE - ISSUED).days]),
    )
    return real.with_original(
        known, original_of(firm, known), besides=(firm.vat_id, firm.vat_id[-9:], "Camille Laurent")
    )


def original_of(firm: Firm, known: Known) -> str:
    """What the biller has delivered."""
    lines = [{"description": text, "amount": str(amount)} for text, amount in items_of(known)]
    return json.dumps(
        {
            "number": known.number,
            "issue_date": ISSUED.isoformat(),
            "due_date": DUE.isoformat(),
            "discount_until": DISCOUNT_UNTIL.isoformat() if known.discounted else None,
            "amount": str(known.amount),
            "lines": lines,
            "note": f"{firm.phone}, {customer_of(known)}, {firm.street}, {firm.city}, index relevé 12350, ancien 12329",
        },
        ensure_ascii=False,
    )


def items_of(known: Known) -> list[tuple[str, Money]]:
    first = Money(known.amount.minor * 7 // 10, known.amount.currency)
    return [("Abonnement", first), ("Consommation 21 m³", known.amount - first)]


def customer_of(known: Known) -> str:
    return f"C-{4471200 + known.amount.minor % 97}"


# ---------------------------------------------------------------------------------------------------------- as written


def amount_as_written(rng: random.Random, money: Money) -> str:
    whole, cents = divmod(money.minor, 100)
    groups = f"{whole:,}"
    currency = {"EUR": ("€", "EUR"), "CHF": ("CHF", "CHF"), "USD": ("$", "USD"), "GBP": ("£", "GBP")}[money.currency]
    shape = rng.randrange(7)
    if shape == 0:
        return f"{groups.replace(',', ' ')},{cents:02d}\u00a0{currency[0]}"
    if shape == 1:
        return f"{groups.replace(',', '.')},{cents:02d} {currency[1]}"
    if shape == 2:
        return f"{currency[0]}{'' if len(currency[0]) == 1 else ' '}{groups}.{cents:02d}"
    if shape == 3:
        return f"{whole}.{cents:02d} {currency[1]}"
    if shape == 4:
        return groups.replace(",", "\u202f") + f",{cents:02d} {currency[0]}"
    if shape == 5:
        return f"{currency[1]} {whole},{cents:02d}"
    return f"{whole},{cents:02d} {'euros' if money.currency == 'EUR' else currency[1]}"


def account_as_written(rng: random.Random, account: str) -> str:
    groups = [account[at : at + 4] for at in range(0, len(account), 4)]
    shape = rng.randrange(5)
    if shape == 0:
        return account
    if shape == 1:
        return "\u00a0".join(groups)
    if shape == 2:
        return " ".join(groups[:4]) + "\n" + " ".join(groups[4:])
    return " ".join(groups)


def letter_of(rng: random.Random, firm: Firm, known: Known) -> Letter:
    return Letter(
        known=known,
        firm=firm,
        payee=firm.name,
        accounts=(account_as_written(rng, firm.accounts[0]),),
        amounts=(amount_as_written(rng, known.amount),),
        number=known.number,
        reference=known.reference or known.number,
        lines=_usual_lines(rng, firm, known),
        french=rng.random() < 0.6,
    )


def _usual_lines(rng: random.Random, firm: Firm, known: Known) -> tuple[str, ...]:
    """What stands on bills besides, and every bit of it is in what was delivered, or moves no money."""
    net = Money(known.amount.minor * 5 // 6, known.amount.currency)
    tax = known.amount - net
    may = [
        f"Montant HT {amount_as_written(rng, net)}, TVA 20 % {amount_as_written(rng, tax)}",
        *(f"{text} : {amount_as_written(rng, amount)}" for text, amount in items_of(known)),
        f"Numéro de client : {customer_of(known)}",
        f"{firm.street}, {firm.city}",
        f"TVA intracommunautaire {firm.vat_id}" if firm.vat_id else "Merci de votre confiance.",
        "Date d’émission : 3 novembre 2026" if rng.random() < 0.5 else "Issued on 2026-11-03",
        "Index relevé : 12350, ancien index : 12329",
        f"SIREN {firm.vat_id[-9:-6]} {firm.vat_id[-6:-3]} {firm.vat_id[-3:]}"
        if firm.vat_id[:2] == "FR"
        else "Bien à vous",
    ]
    may += [
        f"Escompte : {amount_as_written(rng, known.amount - less)} jusqu’au {DISCOUNT_UNTIL:%d.%m.%Y}"
        for less in known.discounted
    ]
    return tuple(rng.sample(may, rng.randrange(2, len(may))))


def words_of(rng: random.Random, letter: Letter) -> str:
    accounts = "\n".join(f"IBAN : {account}" for account in letter.accounts)
    more = "\n".join(letter.lines)
    asked = " / ".join(letter.amounts)
    if letter.french:
        return (
            f"{letter.payee}\n\nBonjour Camille,\n\nvotre facture n° {letter.number} du 3 novembre 2026 est prête.\n"
            f"Montant à payer : {asked}\nÀ payer avant le 1er décembre 2026, par virement :\n{accounts}\n"
            f"Référence : {letter.reference}\n\n{more}\n\nCordialement,\n{letter.payee}"
        )
    return (
        f"Dear Camille,\n\nthis is your bill {letter.number} from {letter.payee}.\n"
        f"Amount due: {asked} by 1 December 2026.\nPlease transfer it to\n{accounts}\nReference: {letter.reference}\n\n"
        f"{more}\n\nKind regards\n{letter.payee}"
    )


def epc_of(letter: Letter) -> str:
    account = letter.accounts[0].replace(" ", "").replace("\u00a0", "").replace("\n", "")
    money = plain_amount(letter.amounts[0])
    is_structured = letter.reference.startswith("RF")
    lines = ["BCD", "002", "1", "SCT", letter.bic, letter.payee, account, money, ""]
    lines += [letter.reference if is_structured else "", "" if is_structured else letter.reference]
    return "\n".join([*lines, letter.information] if letter.information else lines)


def swiss_of(letter: Letter) -> str:
    account = letter.accounts[0].replace(" ", "").replace("\u00a0", "").replace("\n", "")
    money = plain_amount(letter.amounts[0])
    kind = "QRR" if letter.reference.isdigit() and len(letter.reference) == 27 else "NON"
    creditor = ["S", letter.payee, "Seeweg", "3", "8001", "Zürich", "CH"]
    debtor = ["S", "Camille Laurent", "Rue du Lac", "12", "1003", "Lausanne", "CH"]
    head = ("SPC", "0200", "1", account, *creditor, *[""] * 7)
    end = (letter.reference if kind == "QRR" else "", letter.information, "EPD")
    return "\n".join([*head, money[3:], money[:3], *debtor, kind, *end])


def plain_amount(written: str) -> str:
    """``EUR84.20``."""
    amount = said.Said.of(written).rest(said.Own(), TODAY).amounts[0]
    return f"{amount.currency}{amount.values[-1]:.2f}"


# ------------------------------------------------------------------------------------------------------------ as files


def pdf_of(text: str, paper: Paper = Paper()) -> bytes:
    """A page with its words and its code, in fonts that every viewer has."""
    writer = PdfWriter()
    sheet = writer.add_blank_page(width=595, height=842)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica", "/Encoding": "/WinAnsiEncoding"}
    made = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
    if paper.lying_font:
        table = StreamObject()
        table.set_data(b"1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar <39> <0039> endbfchar")
        made[NameObject("/ToUnicode")] = writer._add_object(table)
    sheet[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/Font"): DictionaryObject({NameObject("/F1"): made})}
    )
    colour = "1 1 1 rg" if paper.hides_text else "0 g"
    lines = [line.encode("cp1252", "replace").hex() for line in text.replace("\u202f", "\u00a0").split("\n")]
    drawn = ContentStream(None, writer)
    shown_lines = " ".join(f"<{line}> Tj 0 -14 Td" for line in lines)
    drawn.set_data(
        f"q {colour} BT /F1 10 Tf 60 790 Td {shown_lines} ET Q 0.5 w 40 300 m 555 300 l S {paper.drawn}".encode()
    )
    sheet.replace_contents(drawn)
    for at, each in enumerate([*([paper.code] if paper.code else []), *paper.codes]):
        _paste(sheet, _code_picture(each), x=60 + 200 * at, y=60)
    if paper.printed:
        picture = Image.new("RGB", (460, 40), "white")
        ImageDraw.Draw(picture).text((4, 4), paper.printed, fill="black", font_size=24)
        _paste(sheet, picture, x=60, y=330)
    if paper.annotation:
        writer.add_annotation(0, FreeText(text=paper.annotation, rect=(60, 320, 400, 345)))
    if paper.attached:
        writer.add_attachment("factur-x.xml", paper.attached)
    out = io.BytesIO()
    writer.write(out)
    if not paper.revised:
        return out.getvalue()
    again = PdfWriter(io.BytesIO(out.getvalue()), incremental=True)
    again.add_metadata({"/Title": TextStringObject("2")})
    revised = io.BytesIO()
    again.write(revised)
    return revised.getvalue()


def _code_picture(code: str) -> Image.Image:
    kind = zxingcpp.BarcodeFormat.QRCode
    return Image.fromarray(
        zxingcpp.create_barcode(code.encode(), kind).to_image(scale=4, add_quiet_zones=True)
    ).convert("RGB")


def _paste(sheet: PageObject, picture: Image.Image, *, x: int, y: int) -> None:
    inner = PdfReader(io.BytesIO(as_file(picture, "PDF"))).pages[0]
    scale = 180 / float(inner.mediabox.width) if picture.height > 100 else 460 / float(inner.mediabox.width)
    sheet.merge_transformed_page(inner, Transformation().scale(scale).translate(x, y))


def picture_of(paper: Paper, code: str, rng: random.Random) -> bytes:
    drawn = page(code, *paper.codes, size=(900, 700 + 500 * len(paper.codes)))
    if paper.printed:
        ImageDraw.Draw(drawn).text((110, 20), paper.printed, fill="black", font_size=26)
    return as_file(drawn, rng.choice(["JPEG", "PNG"]))


def rendered(rng: random.Random, kind: str, letter: Letter) -> str | bytes:
    code = letter.paper.code or (swiss_of(letter) if letter.firm.currency == "CHF" else epc_of(letter))
    match kind:
        case "text":
            return words_of(rng, letter)
        case "pdf":
            has_code = letter.paper.code is not None or letter.paper.codes or rng.random() < 0.6
            return pdf_of(words_of(rng, letter), dataclasses.replace(letter.paper, code=code if has_code else None))
        case "account":
            return rng.choice(["IBAN ", "", "IBAN: "]) + letter.accounts[0]
        case "epc" | "swiss":
            return code
    return picture_of(letter.paper, code, rng)


# ------------------------------------------------------------------------------------------------------------- genuine

GENUINE = {TEXT: 150, PDF: 100, EPC: 80, EPC_PICTURE: 50, SWISS: 40, SWISS_PICTURE: 30, ACCOUNT: 50}
#: what is genuine and is not said to be: a part of all, never more than 5 %
HARD = 20


def genuine(seed: int = 7) -> Iterator[Input]:
    rng = dice(seed)
    bills = space()
    for kind, count in GENUINE.items():
        swiss = kind in (SWISS, SWISS_PICTURE)
        fitting = [(firm, known) for firm, known in bills if kind == ACCOUNT or (firm.currency == "CHF") == swiss]
        if kind in (TEXT, PDF):
            fitting = bills
        for at in range(count):
            firm, known = fitting[at % len(fitting)]
            letter, what = letter_of(rng, firm, known), "genuine"
            if kind == TEXT and at < HARD:
                letter, what = _hard(rng, letter, at)
            if kind == ACCOUNT and at % 5 == 4:
                letter = dataclasses.replace(letter, accounts=(account_as_written(rng, firm.accounts[-1]),))
            yield Input(kind, what, rendered(rng, kind, letter), known, letter)


@dataclass(frozen=True)
class Honest:
    """A letter of ``honest_letters.py`` about a bill, and what was told in it."""

    written: str
    told: dict[str, str]
    known: Known


def honest_letters(language: Sequence[str], seed: int = 3) -> Iterator[Honest]:
    """Each of them about three bills of different companies."""
    rng = dice(seed)
    bills = [(firm, known) for firm, known in space() if firm.currency == "EUR"]
    for at, written in enumerate(language):
        for firm, known in (bills[(5 * at + each) % len(bills)] for each in (0, 9, 18)):
            net = Money(known.amount.minor * 5 // 6, known.amount.currency)
            told = {
                "company": firm.name,
                "number": known.number,
                "reference": known.reference or known.number,
                "amount": amount_as_written(rng, known.amount),
                "net": amount_as_written(rng, net),
                "tax": amount_as_written(rng, known.amount - net),
                "iban": account_as_written(rng, firm.accounts[0]),
                "issued": _day_as_written(rng, ISSUED, french=language is FRENCH),
                "due": _day_as_written(rng, DUE, french=language is FRENCH),
                "name": "Camille Laurent" if at % 2 else "Camille",
                "customer": customer_of(known),
                "used": "21",
            }
            yield Honest(written.format(**told), told, known)


def _day_as_written(rng: random.Random, day: dt.date, *, french: bool) -> str:
    months = ("novembre", "décembre") if french else ("November", "December")
    first = "1er" if french and day.day == 1 else str(day.day)
    return rng.choice([f"{first} {months[day.month - 11]} {day.year}", f"{day:%d/%m/%Y}", f"{day:%d.%m.%Y}"])


def _hard(rng: random.Random, letter: Letter, at: int) -> tuple[Letter, str]:
    known = letter.known
    half = Money(known.amount.minor // 2, known.amount.currency)
    more = Money(known.amount.minor + 3_000, known.amount.currency)
    other = next(bill for firm, bill in space() if firm == letter.firm and bill.number != known.number)
    extra, what = (
        (f"Payer en ligne : {rng.choice(LINKS)}", "with a link"),
        (f"En deux fois : {amount_as_written(rng, half)} par mois", "with an instalment"),
        (
            f"Solde précédent : {amount_as_written(rng, Money(3_000, known.amount.currency))}, "
            f"total à payer : {amount_as_written(rng, more)}",
            "with what was open before",
        ),
        (f"Facture {other.number} : {amount_as_written(rng, other.amount)}", "with another bill"),
        ("Votre compte FR76 1460 7000 0170 1967 7123 456 sera prélevé le 3 décembre 2026.", "collected"),
    )[at % 5]
    return dataclasses.replace(letter, lines=(*letter.lines, extra)), what


# ------------------------------------------------------------------------------------------------------------- doctored

Doctoring = Callable[[random.Random, Letter], Letter]


def _scaled(letter: Letter, rng: random.Random, factor: float) -> str:
    minor = max(100, round(letter.known.amount.minor * factor) + 7)
    return amount_as_written(rng, Money(minor, letter.known.amount.currency))


def _strange(rng: random.Random, letter: Letter) -> str:
    if letter.firm.currency == "CHF":
        return iban_of("CH", f"{30900 + rng.randrange(900)}{rng.randrange(10**12):012d}")
    return rng.choice(STRANGE)


def _one_digit(account: str, rng: random.Random, *, valid: bool) -> str:
    bare = said.compact(account).upper()
    places = [at for at in range(8, len(bare)) if bare[at].isdigit()]
    at = rng.choice(places)
    changed = bare[:at] + str((int(bare[at]) + rng.randrange(1, 9)) % 10) + bare[at + 1 :]
    return iban_of(changed[:2], changed[4:]) if valid else changed


def _swapped(account: str, rng: random.Random) -> str:
    bare = said.compact(account).upper()
    at = next(at for at in rng.sample(range(4, len(bare) - 1), len(bare) - 5) if bare[at] != bare[at + 1])
    return bare[:at] + bare[at + 1] + bare[at] + bare[at + 2 :]


def _on_paper(letter: Letter, **changes: Any) -> Letter:
    return dataclasses.replace(letter, paper=dataclasses.replace(letter.paper, **changes))


def _more(letter: Letter, *lines: str) -> Letter:
    return dataclasses.replace(letter, lines=(*letter.lines, *lines))


def _forged_code(rng: random.Random, letter: Letter) -> str:
    forged = dataclasses.replace(letter, accounts=(_strange(rng, letter),))
    return swiss_of(forged) if letter.firm.currency == "CHF" else epc_of(forged)


def _homoglyph(account: str) -> str:
    bare = said.compact(account).upper()
    return bare.replace("0", "O", 1) if "0" in bare[4:] else bare.replace("1", "I")


_WORDY, _ALL = (TEXT, PDF), (TEXT, PDF, *CODES)
_WITH_ACCOUNT = (*_ALL, ACCOUNT)
#: what forgers do → to which kinds, and how
DOCTORINGS: dict[str, tuple[tuple[str, ...], Doctoring]] = {
    "another account": (
        _WITH_ACCOUNT,
        lambda rng, it: dataclasses.replace(it, accounts=(_strange(rng, it),)),
    ),
    "an account beside it": (
        _WORDY,
        lambda rng, it: dataclasses.replace(it, accounts=(*it.accounts, _strange(rng, it))),
    ),
    "letters for digits": (
        (*_WORDY, EPC, SWISS, ACCOUNT),
        lambda _, it: dataclasses.replace(it, accounts=(_homoglyph(it.accounts[0]),)),
    ),
    "Cyrillic letters in the account": (
        (TEXT, EPC, ACCOUNT),
        lambda _, it: dataclasses.replace(
            it, accounts=(it.accounts[0].translate(str.maketrans("FRBEDECHM", "FRВЕDЕСНМ")).replace("D", "D\u200b"),)
        ),
    ),
    "nobody sees it": (
        (TEXT, EPC, ACCOUNT),
        lambda rng, it: dataclasses.replace(it, accounts=(it.accounts[0][:9] + "\u200b" + it.accounts[0][9:],)),
    ),
    "a digit is wrong": (
        (*_WORDY, EPC, SWISS, ACCOUNT),
        lambda rng, it: dataclasses.replace(it, accounts=(_one_digit(it.accounts[0], rng, valid=False),)),
    ),
    "two signs have changed places": (
        (*_WORDY, EPC, SWISS, ACCOUNT),
        lambda rng, it: dataclasses.replace(it, accounts=(_swapped(it.accounts[0], rng),)),
    ),
    "a digit is another, with right check digits": (
        _WITH_ACCOUNT,
        lambda rng, it: dataclasses.replace(it, accounts=(_one_digit(it.accounts[0], rng, valid=True),)),
    ),
    "more is asked": (
        _ALL,
        lambda rng, it: dataclasses.replace(it, amounts=(_scaled(it, rng, 1.3),), lines=()),
    ),
    "less is asked": (
        _ALL,
        lambda rng, it: dataclasses.replace(it, amounts=(_scaled(it, rng, 0.6),), lines=()),
    ),
    "more is asked, and the amount stands there, too": (
        _WORDY,
        lambda rng, it: _more(
            dataclasses.replace(it, amounts=(_scaled(it, rng, 1.3),)),
            f"Montant initial : {amount_as_written(rng, it.known.amount)}",
        ),
    ),
    "two amounts": (
        _WORDY,
        lambda rng, it: dataclasses.replace(it, amounts=(*it.amounts, _scaled(it, rng, 1.1))),
    ),
    "a fee": (_WORDY, lambda rng, it: _more(it, f"Frais de dossier : {rng.choice(['9,90 €', '12.50 EUR', 'EUR 15'])}")),
    "a bare number": (_WORDY, lambda rng, it: _more(it, f"Total à payer : {it.known.amount.minor // 100 + 31}")),
    "another currency": (
        _ALL[:2],
        lambda rng, it: dataclasses.replace(
            it, amounts=(amount_as_written(rng, Money(it.known.amount.minor, "USD")),), lines=()
        ),
    ),
    "an amount in words": (_WORDY, lambda _, it: _more(it, "À payer : quatre-vingt-quinze euros")),
    "another number": (
        _ALL,
        lambda rng, it: dataclasses.replace(
            it, number=f"LU-2026-{9000 + rng.randrange(900)}", reference=f"LU-2026-{9000 + rng.randrange(900)}"
        ),
    ),
    "another payee": (_ALL, lambda rng, it: dataclasses.replace(it, payee=rng.choice(["Max Muster", "Lumière SARL"]))),
    "a payee in other letters": (
        (TEXT, EPC),
        lambda _, it: dataclasses.replace(it, payee=it.payee.replace("e", "е").replace("a", "а")),
    ),
    "a payee beside it": (_WORDY, lambda _, it: _more(it, "Bénéficiaire : Jean Martin")),
    "a link": (_WORDY, lambda rng, it: _more(it, f"Payer en ligne : {rng.choice(LINKS)}")),
    "a mailbox": (_WORDY, lambda _, it: _more(it, "Une question ? facture@lumen-aide.example")),
    "a phone": (_WORDY, lambda rng, it: _more(it, f"Une question ? 0{rng.randrange(10**8, 10**9)}")),
    "a phone in groups": (_WORDY, lambda rng, it: _more(it, "Appelez le 06 12 34 56 78 avant de payer")),
    "a new account is told": (
        _WORDY,
        lambda rng, it: _more(
            it,
            rng.choice(["Nos coordonnées bancaires ont changé.", "Please note our new bank details.", "Nouveau RIB"]),
        ),
    ),
    "another way to pay": (
        _WORDY,
        lambda rng, it: _more(
            it,
            rng.choice(
                [
                    "Payez par carte bancaire.",
                    "Bitcoin: bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
                    "PayPal: Max Muster",
                ]
            ),
        ),
    ),
    "an account of another kind": (
        _WORDY,
        lambda rng, it: _more(
            it, rng.choice(["Sort code 20-20-15, account 55555555", "20-20-15 55555555", "BSB 062-000 12345678"])
        ),
    ),
    "a BIC": (
        (*_WORDY, EPC, EPC_PICTURE),
        lambda _, it: dataclasses.replace(_more(it, "BIC : BUKBGB22"), bic="BUKBGB22"),
    ),
    "a code with another account": ((PDF,), lambda rng, it: _on_paper(it, code=_forged_code(rng, it))),
    "two codes": ((PDF, *PICTURES), lambda rng, it: _on_paper(it, codes=(_forged_code(rng, it),))),
    "a code that is a link": ((PDF, *PICTURES), lambda rng, it: _on_paper(it, codes=(rng.choice(LINKS),))),
    "printed beside the code": (
        PICTURES,
        lambda rng, it: _on_paper(it, printed=f"IBAN {_strange(rng, it)}"),
    ),
    "drawn over a text that nobody sees": (
        (PDF,),
        lambda rng, it: _on_paper(it, printed=f"IBAN {_strange(rng, it)}", hides_text=True),
    ),
    "a text that nobody sees": (
        (PDF,),
        lambda rng, it: _on_paper(_more(it, f"IBAN {_strange(rng, it)}"), hides_text=True),
    ),
    "an annotation": ((PDF,), lambda rng, it: _on_paper(it, annotation=f"IBAN {_strange(rng, it)}")),
    "a bill for programs that says another thing": (
        (PDF,),
        lambda rng, it: _on_paper(it, attached=cii_bill(iban=_strange(rng, it), number=it.number)),
    ),
    "a font that lies": ((PDF,), lambda _, it: _on_paper(it, lying_font=True)),
    "two states of the file": ((PDF,), lambda _, it: _on_paper(it, revised=True)),
    "parts of an account, and words between that nobody sees": (
        (PDF,),
        lambda _, it: _on_paper(
            it,
            drawn="BT /F1 10 Tf 60 320 Td (12345) Tj 1 1 1 rg (mots) Tj 0 g (67890) Tj"
            " 1 1 1 rg (et) Tj 0 g (123) Tj ET",
        ),
    ),
    "parts of an account that only the page brings together": (
        (PDF,),
        lambda _, it: _on_paper(
            it,
            drawn="BT /F1 10 Tf 60 320 Td (12345) Tj ET BT /F1 10 Tf 60 270 Td (Merci) Tj ET"
            " BT /F1 10 Tf 92 320 Td (67890) Tj ET BT /F1 10 Tf 60 255 Td (Bien) Tj ET"
            " BT /F1 10 Tf 124 320 Td (123) Tj ET",
        ),
    ),
    "words under a white field": (
        (PDF,),
        lambda _, it: _on_paper(
            it,
            drawn="BT /F1 10 Tf 60 320 Td (12345) Tj ET BT /F1 10 Tf 100 320 Td (mots) Tj ET 1 g 95 315 400 20 re f 0 g"
            " BT /F1 10 Tf 130 320 Td (67890) Tj ET",
        ),
    ),
    "parts of an account under their names": (
        _WORDY,
        lambda _, it: _more(it, "Code banque 12345, guichet 678, clé 90", "Compte : 12345"),
    ),
    "thousands": (
        _WORDY,
        lambda _, it: dataclasses.replace(
            it, amounts=(f"{it.known.amount}".replace(".", ",") + f"0 {it.known.amount.currency}",), lines=()
        ),
    ),
    "a line that no program pays by": (
        (EPC, EPC_PICTURE, SWISS, SWISS_PICTURE),
        lambda rng, it: dataclasses.replace(it, information=f"Neues Konto {_strange(rng, it)}"),
    ),
    "the account of another company of theirs": (
        _ALL,
        lambda rng, it: dataclasses.replace(
            it,
            accounts=(
                next(firm for firm in FIRMS if firm.currency == it.firm.currency and firm != it.firm).accounts[0],
            )
            if it.firm.currency != "CHF"
            else (_strange(rng, it),),
        ),
    ),
}


def doctored(seed: int = 11, count: int = 500) -> Iterator[Input]:
    """Each of them in turn, in each of its kinds."""
    rng = dice(seed)
    bills = space()
    ways = [(what, kind, change) for what, (kinds, change) in DOCTORINGS.items() for kind in kinds]
    for at in range(count):
        what, kind, change = ways[at % len(ways)]
        swiss = kind in (SWISS, SWISS_PICTURE)
        fitting = [(firm, known) for firm, known in bills if (firm.currency == "CHF") == swiss]
        firm, known = rng.choice(fitting)
        letter = change(rng, letter_of(rng, firm, known))
        yield Input(kind, what, rendered(rng, kind, letter), known, letter)
