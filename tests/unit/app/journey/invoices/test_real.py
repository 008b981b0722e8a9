"""Is this real? A thousand inputs, and the rule by itself."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageDraw

from app.journey.intake import said
from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import picture_child, shown
from app.journey.intake.letter_phrases import TURNING
from app.journey.intake.letter_words import LETTER_WORDS
from app.journey.invoices import real
from app.journey.invoices.real import Answer, Known, Verdict, is_mistaken_for
from connectors.money import Money
from tests.support.frauds import FAMILIES, LINES, letters_of
from tests.support.honest_letters import ENGLISH, FRENCH
from tests.support.photographed import photographed
from tests.support.pictures import as_file, page
from tests.support.shown import (
    DOCTORINGS,
    FIRMS,
    PDF,
    STRANGE,
    TEXT,
    TODAY,
    Honest,
    Input,
    Letter,
    amount_as_written,
    dice,
    doctored,
    epc_of,
    genuine,
    honest_letters,
    iban_of,
    letter_of,
    original_of,
    space,
    swiss_of,
    words_of,
)
from tests.support.thorough import thorough

pytestmark = pytest.mark.slow  # hundreds of letters and photos

SPACE = space()
BILLS = [known for _, known in SPACE]
COMPANIES = [firm.company for firm in FIRMS]
#: what may be said of nothing that a forger has changed
AGREES = (Verdict.REAL, Verdict.IN_SPACE)


def judged(content: str, *, bills: list[Known] | None = None) -> Answer:
    return real.judge(shown.of_text(content), companies=COMPANIES, bills=bills or BILLS, today=TODAY)


def judged_of(inputs: Iterable[Input], *, step: int) -> list[tuple[Input, Answer]]:
    """Of the 500 each ``step``-th."""
    every = list(inputs)
    assert len(every) == 500
    return [(each, real.judge(each.read(), companies=COMPANIES, bills=BILLS, today=TODAY)) for each in every[::step]]


#: of 500 each one, and every so many of them where there is less time: a step that meets each kind and each doctoring
STEPS = [pytest.param(1, marks=pytest.mark.long), 3]


@pytest.mark.parametrize("step", STEPS)
def test_of_500_genuine_ones_nearly_all_are_real_and_none_is_not_to_be_paid(step: int) -> None:
    answers = judged_of(genuine(), step=step)
    assert [str(each) for each, answer in answers if answer.verdict is Verdict.DO_NOT_PAY] == []
    found = Counter(answer.verdict for _, answer in answers)
    assert found[Verdict.REAL] + found[Verdict.IN_SPACE] >= 0.95 * len(answers)
    # of what has words the bill alone is known, and not the words
    assert {each.kind for each, answer in answers if answer.verdict is Verdict.REAL}.isdisjoint({TEXT, PDF})
    assert {each.kind for each, answer in answers if answer.verdict is Verdict.IN_SPACE} == {TEXT, PDF}
    # and it is this very bill that they are told to be
    named = [(each, answer) for each, answer in answers if answer.bill_id and answer.verdict in AGREES]
    assert [str(each) for each, answer in named if answer.bill_id != each.known.id] == []
    # what is unknown is so for a reason that was put in
    assert {each.what for each, answer in answers if answer.verdict is Verdict.UNKNOWN}.isdisjoint({"genuine"})


@pytest.mark.parametrize("step", STEPS)
def test_of_500_doctored_ones_none_is_real(step: int) -> None:
    answers = judged_of(doctored(), step=step)
    assert {each.what for each, _ in answers} == set(DOCTORINGS)
    assert len(DOCTORINGS) >= 20
    assert [str(each) for each, answer in answers if answer.verdict in AGREES] == []
    # and those that swap the account of a letter are called by their name
    swaps = ("another account", "an account beside it", "letters for digits", "a digit is wrong")
    warned = [answer for each, answer in answers if each.what in swaps and each.kind != "account"]
    assert warned
    assert {answer.verdict for answer in warned} == {Verdict.DO_NOT_PAY}


@pytest.mark.long
@pytest.mark.parametrize("seed", [101, 102, 103])
def test_other_seeds_find_nothing_else(seed: int) -> None:
    """Of those that need no drawing."""
    for each in genuine(seed):
        if isinstance(each.content, str):
            answer = real.judge(each.read(), companies=COMPANIES, bills=BILLS, today=TODAY)
            agrees = Verdict.IN_SPACE if each.kind == TEXT else Verdict.REAL
            assert answer.verdict is (agrees if each.what == "genuine" else Verdict.UNKNOWN), each
    for each in doctored(seed, 700):
        if isinstance(each.content, str):
            assert real.judge(each.read(), companies=COMPANIES, bills=BILLS, today=TODAY).verdict not in AGREES, each


def shares(letters: list[Honest]) -> dict[Verdict, float]:
    found = Counter(judged(each.written).verdict for each in letters)
    return {verdict: found[verdict] / len(letters) for verdict in Verdict}


@pytest.mark.parametrize(("language", "least"), [(FRENCH, 0.74), (ENGLISH, 0.63)])
def test_of_honest_letters_that_were_not_written_for_it_most_are_real(language: Sequence[str], least: float) -> None:
    """The floor is what was measured: it may rise."""
    letters = list(honest_letters(language))
    assert len(letters) >= 90
    found = shares(letters)
    assert found[Verdict.IN_SPACE] >= least
    assert found[Verdict.REAL] == 0
    assert found[Verdict.DO_NOT_PAY] == 0


@pytest.mark.parametrize("letters", [pytest.param(4, marks=pytest.mark.long), 1])
def test_of_letters_that_a_forger_has_changed_none_is_real(letters: int) -> None:
    known = [each for each in honest_letters(FRENCH + ENGLISH) if judged(each.written).verdict is Verdict.IN_SPACE]
    forged = [
        (family, written)
        for each in dice(9).sample(known, letters)
        for family, written in letters_of(dice(5), each.written, each.told)
    ]
    assert {family for family, _ in forged} == set(FAMILIES)
    assert len(FAMILIES) >= 20
    assert len(forged) >= 150 * letters
    assert [each for each in forged if judged(each[1]).verdict in AGREES] == []


def test_a_word_that_could_turn_a_payment_is_never_harmless_by_itself() -> None:
    """Nor where the bill has it."""
    assert TURNING.isdisjoint(LETTER_WORDS)
    written = " ".join(sorted(TURNING))
    bills = [
        real.with_original(bill, f"{original_of(firm, bill)} {written}", besides=["Camille"]) for firm, bill in SPACE
    ]
    assert judged(a_letter(), bills=bills).verdict is Verdict.IN_SPACE
    said_anyway = [word for word in sorted(TURNING) if judged(a_letter(lines=(f"{word} ici",))).verdict in AGREES]
    assert said_anyway == []
    for word in dice(4).sample(sorted(TURNING), 40):
        assert judged(a_letter(lines=(f"{word} ici",)), bills=bills).verdict not in AGREES, word


@pytest.mark.parametrize("party", ["trésorier", "équipe", "client", "service", "club", "tenant", "team", "council"])
@pytest.mark.parametrize(
    "line",
    [
        "Montant à payer : {amount} à notre {party}",
        "Montant à payer : {amount} chez notre bon {party}",
        "Amount due: {amount} to our {party}",
        "À la charge de notre {party}",
        "Merci de verser la somme au {party}",
        "Payable at our {party}",
        "{amount} with the help of our {party}",
        "Par virement à notre {party}",
        "IBAN de notre {party}",
        "L’IBAN est sur la facture de notre {party}",
        "Titulaire du compte : notre {party}",
        "Please use the account of our {party}",
        "Please settle with our {party}",
    ],
)
def test_a_letter_of_permitted_words_turns_nothing_to_somebody_else(line: str, party: str) -> None:
    firm, known = SPACE[1]
    assert firm.currency == known.amount.currency
    written = line.format(amount=f"{known.amount} EUR", party=party)
    assert judged(a_letter(lines=(written,))).verdict not in AGREES


@pytest.mark.parametrize(
    "line",
    [
        "L’IBAN est sur la page.",
        "Our IBAN is below",
        "Please note the following IBAN",
        "Please pay",
        "Veuillez payer la facture à la maison",
        "Please come to our company",
        "Nos agents sont chez vous",
        "Please pay this evening",
        "Règlement sur internet",
        "Your invoice is void",
        "Merci de payer vite",
        "À payer avant le 3 novembre 2026",
        "Vous êtes sans eau",
        "Votre équipe est chez vous",
        "Please find our team at your house",
        "The sum is for our team",
        "La somme est pour notre trésorier",
        "Merci de compter le total chez nous",
        "You can support our club with it",
    ],
)
def test_a_letter_of_permitted_words_turns_nothing_else(line: str) -> None:
    assert judged(a_letter(lines=(line,))).verdict not in AGREES


@pytest.mark.parametrize("line", [line for lines in LINES.values() for line in lines])
def test_a_line_that_was_once_called_real_is_so_no_more(line: str) -> None:
    written = line.format(amount=f"{SPACE[1][1].amount} EUR", iban=SPACE[1][1].account)
    assert judged(a_letter(lines=(written,))).verdict not in AGREES


@pytest.mark.parametrize(
    "line",
    [
        "{amount} par enfant",
        "Please support our team: {amount}",
        "Échéance : 15/11/2026",
        "Montant : {amount}, {amount}",
        "Merci de faire le nécessaire chez nous",
    ],
)
def test_no_text_is_called_real_whatever_permitted_words_it_is_made_of(line: str) -> None:
    """Who knows the words writes a demand that differs in nothing from a bill: nobody vouches for a text."""
    written = line.format(amount=f"{SPACE[1][1].amount} EUR")
    assert judged(a_letter(lines=(written,))).verdict is not Verdict.REAL


def test_beside_an_account_alone_and_in_a_code_nothing_is_drawn() -> None:
    letter = letter_of(dice(3), *SPACE[0])
    assert judged(letter.accounts[0]).verdict is Verdict.REAL
    for drawn in ("🚫", "✗", "\x01"):
        assert judged(f"{drawn} {letter.accounts[0]}").verdict not in AGREES
        assert judged(epc_of(dataclasses.replace(letter, payee=f"{letter.payee} {drawn}"))).verdict not in AGREES
        assert judged(epc_of(dataclasses.replace(letter, information=drawn))).verdict not in AGREES


def test_a_text_is_read_the_same_for_a_bill_and_for_what_of_it_may_stand_there() -> None:
    """So that a thousand bills of which nothing stands there are one look at it."""
    for each in list(honest_letters(FRENCH + ENGLISH))[::7]:
        read = said.Said.of(each.written)
        assert read.rest(each.known.own, TODAY) == read.rest(read.within(each.known.own), TODAY)
    letter = said.Said.of(a_letter())
    alike = {
        letter.within(dataclasses.replace(SPACE[0][1], number=f"X-{at}7", reference=None).own) for at in range(1_000)
    }
    assert len(alike) == 1


# --------------------------------------------------------------------------------------------------------- the property


@st.composite
def letters(draw: st.DrawFn) -> tuple[random.Random, Letter]:
    rng = dice(draw(st.integers(0, 10**6)))
    firm, known = draw(st.sampled_from(SPACE))
    return rng, letter_of(rng, firm, known)


def contents(rng: random.Random, letter: Letter) -> list[str]:
    return [words_of(rng, letter), swiss_of(letter) if letter.firm.currency == "CHF" else epc_of(letter)]


FEW = settings(max_examples=thorough(40, 150), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(letters(), st.integers(1, 10**9))
def test_with_another_amount_none_is_real(drawn: tuple[random.Random, Letter], minor: int) -> None:
    rng, letter = drawn
    amount = Money(minor, letter.known.amount.currency)
    if amount in letter.known.dues:
        return
    forged = dataclasses.replace(letter, amounts=(amount_as_written(rng, amount),))
    for content in contents(rng, forged):
        assert judged(content).verdict not in AGREES, content
    beside = dataclasses.replace(letter, amounts=(*letter.amounts, amount_as_written(rng, amount)))
    assert judged(words_of(rng, beside)).verdict not in AGREES


@FEW
@given(letters(), st.integers(4, 33), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"), st.booleans())
def test_with_another_account_none_is_real(
    drawn: tuple[random.Random, Letter], at: int, sign: str, mended: bool
) -> None:
    rng, letter = drawn
    account = letter.firm.accounts[0]
    changed = account[:at] + sign + account[at + 1 :]
    changed = iban_of(changed[:2], changed[4:]) if mended else changed
    if changed == account:
        return
    for accounts in ((changed,), (*letter.accounts, changed)):
        forged = dataclasses.replace(letter, accounts=accounts)
        for content in contents(rng, forged) if len(accounts) == 1 else [words_of(rng, forged)]:
            assert judged(content).verdict not in AGREES, content


@FEW
@given(letters(), st.integers(0, 10**4), st.text("0123456789ABEIOQ -./", min_size=8, max_size=30))
def test_with_anything_more_that_has_digits_none_is_real(
    drawn: tuple[random.Random, Letter], place: int, more: str
) -> None:
    """Another account, whatever its notation is."""
    if sum(map(str.isdigit, more)) < 8 or any(len(part) < 8 for part in more.split()):
        return
    rng, letter = drawn
    lines = words_of(rng, dataclasses.replace(letter, lines=())).split("\n")
    lines.insert(place % (len(lines) + 1), f"Compte {more}")
    assert judged("\n".join(lines)).verdict not in AGREES


# ------------------------------------------------------------------------------------------------------- one by one


def a_letter(**changes: object) -> str:
    rng = dice(3)
    firm, known = SPACE[1]
    letter = dataclasses.replace(letter_of(rng, firm, known), lines=(), accounts=(firm.accounts[0],), french=True)
    return words_of(rng, dataclasses.replace(letter, **changes))  # type: ignore[arg-type]


def test_the_letter_that_the_others_differ_from_is_about_a_bill_in_the_space() -> None:
    answer = judged(a_letter())
    assert (answer.verdict, answer.bill_id, answer.amount_compared) == (Verdict.IN_SPACE, BILLS[1].id, True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Payez sur paypal.me/lumen", "link"),
        ("Écrivez à aide@lumen.example", "link"),
        ("Ou par carte bancaire.", "other-way"),
        ("Notre RIB a changé.", "new-account"),
        ("Veuillez noter nos nouvelles coordonnées bancaires.", "new-account"),
        ("Le montant sera prélevé.", "collected"),
        ("À payer : cent vingt euros", "in-words"),
        ("BIC : BUKBGB22", "bic"),
        ("Bénéficiaire : Jean Martin", "other-payee"),
        ("Frais de rappel : 5,00 €", "amount"),
        ("Total : 95", "amount"),
        ("À payer maintenant 95", "amount"),
        ("Payez 10,00 EUR de moins", "amount"),
        ("Compte 20-20-15 55555555", "number"),
        ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "number"),
        ("AB12 CD34 EF56 GH78", "number"),
        ("Facture n° 18", "number"),
        ("06.12.34.56.78", "amount"),
        ("06 12 34 56 78", "number"),
        ("Compte ١٢٣٤٥٦٧٨", "letters"),
        ("Compte １２３４５６７８", "letters"),
        ("À pa\u200byer", "hidden"),
    ],
)
def test_one_line_more_and_it_is_unknown(line: str, reason: str) -> None:
    answer = judged(a_letter(lines=(line,)))
    assert answer.verdict is Verdict.UNKNOWN
    assert reason in answer.reasons


@pytest.mark.parametrize(
    "line",
    [
        "Vous pouvez aussi payer sur le compte de notre partenaire.",
        "From now on, please pay to our collector Mr Smith.",
        "Do not pay to the IBAN above, it is closed.",
        "L’IBAN ci-dessus n’est pas valable.",
        "Wir haben die Bank gewechselt.",
        "Gelieve voortaan te betalen aan onze incassopartner.",
        "Nuestra cuenta bancaria ha cambiado.",
        "Le nostre coordinate bancarie sono cambiate.",
        "Nasze konto bankowe zmieniło się.",
        "Répondez à ce message pour recevoir l’IBAN.",
        "Payer sur pay-lumen[.]fr",
        "lumen arobase gmail point com",
        "zéro six douze trente-quatre cinquante-six",
        "06|12|34|56|78",
        "Tikkie van Lumen",
        "Western-Union à Jean Martin",
        "Payez en Litecoin",
        "FR seventy-six three thousand",
        "IBAN XLII MCM XII",
        "plus fees of ten euros",
        "Montant : 10,00 ₿",
        "plus 10 %",
        "+ 15",
        "Frais : 50",
        "ou 95",
        "par mois",
        "Payez le double.",
        "1 095",
        "Donnez l’argent à M. Martin.",
        "Destinataire : Jean Martin",
        "Swift-code: BUKBGB22XXX",
        "Communication : 123",
        "<b>IBAN</b>",
        "1234 - abc - 5678 - def - 9012",
        "GB\n3\n3\nB\nU\nK\nB\n2\n0\n2\n0\n1\n5\n5\n5\n5\n5\n5\n5\n5\n5\n5",
    ],
)
def test_what_only_words_or_short_numbers_say_is_never_called_real(line: str) -> None:
    assert judged(a_letter(lines=(line,))).verdict not in AGREES


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("12345 kWh 67890 kWh", "number"),
        ("Index relevé : 20345, ancien index : 67890", "words"),
        ("Consommation : 22 m³", "number"),
        ("TVA 12 % TVA 21 % TVA 19 %", "words"),
        ("TVA 33 %", "words"),
        ("Page 1/2, page 5/6", "words"),
        ("Payable dans 2 jours", "number"),
        ("À payer avant le 4 novembre 2026", "day"),
        ("À payer avant le 15/11", "words"),
        ("À payer avant novembre 2026 par virement", "words"),
        ("Échéance : 12/11/2026", "day"),
        ("Votre facture du 12 janvier", "day"),
        ("Émise le 10.10.2026, 11.10.2026, 12.10.2026, 13.10.2026", "day"),
        ("Émise le 12.11.1999", "words"),
        ("Émise le 12.11.2024", "day"),
        ("Virement au compte 11.10.2026", "day"),
        ("Avant 18 h", "words"),
        ("To the account of our service", "words"),
        ("Veuillez payer à notre service", "words"),
        ("Please pay our service", "words"),
        ("Par mois", "words"),
        ("\ue000 \ue001", "letters"),
    ],
)
def test_numbers_days_and_demands_that_the_bill_does_not_say_are_unknown(line: str, reason: str) -> None:
    answer = judged(a_letter(lines=(line,)))
    assert answer.verdict is Verdict.UNKNOWN
    assert reason in answer.reasons


@pytest.mark.parametrize(
    "line",
    [
        "Lille, le 9 novembre 2026",
        "Facture d’octobre 2026",
        "Relevé du 12/10/26",
        "Index relevé : 12350, ancien index : 12329",
        "TVA 20 %",
        "Page 2 sur 3",
        "Payable dans 28 jours",
        "À payer avant le 1er décembre",
        "Échéance : 01/12/26",
    ],
)
def test_numbers_and_days_of_the_bill_and_days_that_are_over_do_no_harm(line: str) -> None:
    assert judged(a_letter(lines=(line,))).verdict is Verdict.IN_SPACE


@pytest.mark.parametrize("tail", ["-2", "/2", ".2"])
def test_a_number_that_goes_on_is_another_one(tail: str) -> None:
    number = SPACE[1][1].number + tail
    assert judged(a_letter(number=number, reference=number)).verdict not in AGREES


@pytest.mark.parametrize(
    "more", [" par mois", "/mois", " x 2", " + 10", " k€", " ₿", " oder zweihundert Euro", " p.m."]
)
def test_an_amount_that_goes_on_is_another_one(more: str) -> None:
    assert judged(a_letter(amounts=(f"{SPACE[1][1].amount} EUR{more}",))).verdict not in AGREES


def test_the_information_of_a_code_is_read_as_a_letter_is() -> None:
    letter = letter_of(dice(3), *SPACE[0])
    assert judged(epc_of(letter)).verdict is Verdict.REAL
    assert judged(epc_of(dataclasses.replace(letter, information="Payez Jean Martin"))).reasons == ("words",)


@pytest.mark.parametrize(
    "line",
    [
        "12 rue des Lilas, 59800 Lille",
        "Émise le 3 novembre 2026, due on December 1, 2026",
        "Consommation : 21 m³",
        "Page 1/2",
        "FR40303265045",
        "Votre numéro : " + SPACE[1][1].number.replace("-", " "),
    ],
)
def test_what_moves_no_money_or_is_the_bill_s_own_does_no_harm(line: str) -> None:
    assert judged(a_letter(lines=(line,))).verdict is Verdict.IN_SPACE


def test_without_its_name_it_is_unknown() -> None:
    assert judged(a_letter(payee="Notre service")).reasons == ("no-name",)


@pytest.mark.parametrize(
    "line",
    [
        "SA au capital de 1 250 000,00 €",
        "Consommation estimée : 12 000,00 € sur dix ans.",
        "Indemnité forfaitaire de recouvrement : 40 000,00 € au plus",
        "Total payé depuis 2020 : 12 000,00 €",
        "Jahresverbrauch 12'000.00 Liter",
    ],
)
def test_a_larger_amount_that_is_not_asked_for_warns_of_nothing(line: str) -> None:
    firm, known = SPACE[1]
    assert judged(f"{firm.name}\nFacture {known.number}\n{line}").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "written",
    [
        "Référence : {number}\n\nOur account: {iban}",
        "Merci, nous avons bien reçu votre virement du compte {other}. Facture {number}.",
        "Facture {number}\nVotre IBAN : {other}\nNotre IBAN : {iban}\nMontant : {amount}",
        "Thank you, your payment from {other} for bill {number} has arrived.",
        "Facture {number} : {amount} seront débités de votre compte {other}.",
        "Bill {number}: {amount} will be taken from your account {other}.",
        "Facture {number}, virée depuis {other} sur {iban}.",
        "Bill {number}. You paid 2,400.00 EUR in 2025. This bill: {amount}. IBAN {iban}",
        "Thank you. You have paid 2,400.00 EUR since January. Bill {number} follows.",
        "Avis {number}. Somme payable par carte jusqu’à 3 000,00 €.",
        "Avis {number} : {amount}. Payable par carte jusqu’à 3 000,00 €.",
    ],
)
def test_what_honest_letters_say_warns_of_nothing(written: str) -> None:
    firm, known = SPACE[1]
    told = {"number": known.number, "iban": known.account, "other": STRANGE[0], "amount": f"{known.amount} EUR"}
    assert judged(f"{firm.name}\n{written.format(**told)}").verdict is not Verdict.DO_NOT_PAY


def test_no_number_of_a_bill_is_the_beginning_of_an_account() -> None:
    """The check digits are right by chance."""
    chance = next(account for at in range(100) if said.Said.of(account := f"LU 2026 12{at:02d} OURACCOUNT").accounts)
    number = chance.removesuffix(" OURACCOUNT")
    assert not said.Said.of(chance, numbers=[number.replace(" ", "-")]).accounts
    assert not said.Said.of(f"{number}\n\nOUR ACCOUNT").accounts
    assert not said.Said.of(f"{number}\nOur account").accounts
    firm, known = SPACE[1]
    assert known.account in said.Said.of(f"{number} {known.account}", numbers=[number]).accounts
    for towards in ("to your account", "Please pay your bill to", "From now on pay into", "Réglez votre facture sur"):
        assert judged(f"{firm.name}\n{towards} {STRANGE[0]}").verdict is Verdict.DO_NOT_PAY, towards


@pytest.mark.parametrize("line", ["Total en euros : 481204", "Somme : 481204", "À payer : 481204", "Total: 481 204"])
def test_a_number_of_the_bill_is_a_sum_where_one_would_stand(line: str) -> None:
    numbered = dataclasses.replace(SPACE[1][1], number="481204", reference=None)
    letter = a_letter(number="481204", reference="481204")
    assert judged(letter, bills=[numbered]).verdict is Verdict.IN_SPACE
    assert judged(f"{letter}\n{line}", bills=[numbered]).verdict not in AGREES


def test_of_many_bills_that_one_text_names_the_likeliest_are_looked_at() -> None:
    _, known = SPACE[1]
    many = [dataclasses.replace(known, id=f"inv_{at}", number=f"LU-2026-4{at:03d}", reference=None) for at in range(50)]
    written = f"{a_letter()}\n{' '.join(bill.number for bill in many)}"
    assert judged(written, bills=many).verdict is Verdict.UNKNOWN
    number = many[30].number
    assert judged(a_letter(number=number, reference=number), bills=many).bill_id == many[30].id


def test_a_text_that_grows_is_too_long() -> None:
    with pytest.raises(BillRefused):
        shown.of_text("\ufdfa" * (shown.TEXT_MAX // 2))


def test_more_that_is_asked_for_in_words_is_not_to_be_paid() -> None:
    assert judged(a_letter(amounts=("9.999,00 €",))).verdict is Verdict.DO_NOT_PAY


def test_number_and_account_are_enough_where_no_amount_is_named() -> None:
    letter = letter_of(dice(3), *SPACE[0])
    code = epc_of(letter).split("\n")
    code[7] = ""
    answer = judged("\n".join(code))
    assert (answer.verdict, answer.amount_compared) == (Verdict.REAL, False)
    nothing = judged(f"{letter.firm.name}, {letter.accounts[0]}, merci")
    assert nothing.verdict is Verdict.UNKNOWN


def test_of_two_bills_that_are_alike_the_one_to_pay_is_named() -> None:
    """Those to pay stand first: compared.py."""
    known = BILLS[0]
    older = dataclasses.replace(known, id="inv_older", number="LU-2026-9999", reference="LU-2026-9999")
    text = f"{FIRMS[0].name} {known.amount} EUR {known.account}"
    assert judged(text, bills=[known, older]).bill_id == known.id
    assert judged(f"{text} LU-2026-9999", bills=[known, older]).bill_id == "inv_older"


def test_a_bill_of_the_same_company_with_a_longer_number_warns_of_nothing() -> None:
    """Its number has that of another bill in it, and more is asked."""
    firm, known = SPACE[0]
    little = Money(1, "EUR")
    short = Known(
        id="inv_short",
        company=firm.company,
        number=known.number[:-1],
        reference=known.number[:-1],
        account=known.account,
        amount=little,
        asked=little,
        payable=little,
        discounted=frozenset(),
    )
    assert judged(words_of(dice(1), letter_of(dice(1), firm, known)), bills=[short, known]).bill_id == (known.id)
    assert judged(a_letter(), bills=[short]).verdict is Verdict.UNKNOWN


def test_a_reference_that_stands_on_all_bills_of_a_customer_warns_of_nothing() -> None:
    firm, known = SPACE[1]
    shared = dataclasses.replace(known, number="LU-2026-0001", reference="C-4471299")
    more = amount_as_written(dice(1), Money(known.amount.minor * 2, "EUR"))
    text = words_of(
        dice(1),
        dataclasses.replace(letter_of(dice(1), firm, shared), number="LU-2026-0002", amounts=(more,), lines=()),
    )
    assert judged(text, bills=[shared]).verdict is Verdict.UNKNOWN


def picture(code: str, *, scribble: str = "", fill: str = "black", size: int = 10, cross: bool = False) -> bytes:
    """A code, and what a forger writes within it."""
    drawn = page(code, size=(700, 600))
    pen = ImageDraw.Draw(drawn)
    if cross:
        at = 120 + 122
        pen.rectangle((at - 17, at - 17, at + 17, at + 17), fill="black")
        pen.rectangle((at - 3, at - 11, at + 3, at + 11), fill="white")
        pen.rectangle((at - 11, at - 3, at + 11, at + 3), fill="white")
    pen.text((122, 150), scribble, fill=fill, font_size=size)
    return as_file(drawn, "PNG")


def looked_at(content: bytes) -> Answer:
    looked = picture_child.answer(content, wanted="shown", look_s=60)
    return real.judge(shown.together(content, None, looked), companies=COMPANIES, bills=BILLS, today=TODAY)


@pytest.mark.parametrize("size", [8, 12, 16])
@pytest.mark.parametrize("fill", ["black", "white", "#999999", "#cccccc", "red"])
@pytest.mark.parametrize("place", [0, 24])
def test_what_is_written_within_a_code_that_still_reads_is_seen(place: int, fill: str, size: int) -> None:
    letter = letter_of(dice(3), *SPACE[place])
    code = swiss_of(letter) if letter.firm.currency == "CHF" else epc_of(letter)
    assert looked_at(picture(code)).verdict is Verdict.REAL
    forged = looked_at(picture(code, scribble=f"IBAN {STRANGE[0]}", fill=fill, size=size))
    assert forged.verdict not in AGREES


def test_the_cross_of_a_qr_bill_does_no_harm() -> None:
    code = swiss_of(letter_of(dice(3), *SPACE[24]))
    assert looked_at(picture(code, cross=True)).verdict is Verdict.REAL


#: pixels of a photo's longer side, and which bill
PHOTOS = [(1_400, 0), (1_400, 24), (2_000, 1), (2_000, 25), (2_600, 2), (2_600, 26), (4_000, 27)]


@pytest.mark.parametrize(
    ("seed", "photos"),
    [(3, PHOTOS[1:3]), *(pytest.param(seed, PHOTOS, marks=pytest.mark.long) for seed in (3, 22, *range(40, 50)))],
)
def test_a_code_that_a_telephone_has_photographed_is_real_and_a_forged_one_never(
    seed: int, photos: list[tuple[int, int]]
) -> None:
    rng = dice(seed)
    genuine_ones: Counter[Verdict] = Counter()
    for side, place in photos:
        firm, known = SPACE[place]
        letter = letter_of(rng, firm, known)
        as_code = swiss_of if firm.currency == "CHF" else epc_of
        shot = photographed(page(as_code(letter), size=(700, 700)), rng, side=side)
        genuine_ones[looked_at(shot).verdict] += 1
        other = dataclasses.replace(letter, accounts=(iban_of("CH", "30900123456789012"),))
        assert looked_at(photographed(page(as_code(other), size=(700, 700)), rng, side=side)).verdict not in AGREES
        over, beside = (page(as_code(letter), size=(700, 700)) for _ in range(2))
        fill = rng.choice(["black", "white", "#999999", "#cccccc"])
        ImageDraw.Draw(over).text((122, 160), f"IBAN {STRANGE[0]}", fill=fill, font_size=rng.choice([8, 12, 16]))
        ImageDraw.Draw(beside).text((122, 560), f"IBAN {STRANGE[0]}", fill="black", font_size=16)
        for drawn in (over, beside):
            assert looked_at(photographed(drawn, rng, side=side)).verdict not in AGREES
    assert genuine_ones[Verdict.REAL] >= len(photos) - 1
    assert genuine_ones[Verdict.DO_NOT_PAY] == 0


@pytest.mark.parametrize(
    ("account", "mistaken"),
    [
        ("BE68539007547034", False),
        ("BE68539007547035", True),
        ("BE6853900754703", True),
        ("BE685390075470344", True),
        ("BE68539007547O34", True),
        ("BE68539007457034", True),
        ("BE12539007547035", True),
        ("BE71096123456769", False),
        (STRANGE[0], False),
    ],
)
def test_one_step_away_it_is_mistaken_for_theirs(account: str, mistaken: bool) -> None:
    assert is_mistaken_for(account, "BE68539007547034") is mistaken


def test_a_hostile_text_takes_no_time() -> None:
    """Each would take minutes where looking for something goes back over the whole text for each sign of it."""
    for piece in ("1 ", "-", "a.", "FR14 ", "\n", "1,1 €", "facture ", "x1", "é", "a b ", "total 1 "):
        text = (piece * shown.TEXT_MAX)[: shown.TEXT_MAX]
        assert judged(text).verdict is Verdict.UNKNOWN
