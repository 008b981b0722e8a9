"""Letters that somebody has changed: an honest one, and what a forger adds to it or changes in it, by families.

Each is a rule that makes many, by a seed. What is added is drawn together from parts, in French, English and German.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import product

from tests.support.shown import STRANGE

Changing = Callable[[random.Random, str, dict[str, str]], Iterator[str]]


def _added(*lines: str) -> Changing:
    """Each of the lines, somewhere: not before the account, of which it would speak then."""

    def change(rng: random.Random, letter: str, told: dict[str, str]) -> Iterator[str]:
        for line in lines:
            at = letter.split("\n")
            places = [
                place for place in range(1, len(at) + 1) if told["iban"][:9] not in "".join(at[place : place + 1])
            ]
            at.insert(rng.choice(places), line.format(**told))
            yield "\n".join(at)

    return change


def _crossed(pattern: str, *parts: Sequence[str]) -> Changing:
    return _added(*(pattern.format(*each) for each in product(*parts)))


def _replaced(what: str, *by: Callable[[str], str]) -> Changing:
    """That value of the letter, as each of them makes it."""

    def change(rng: random.Random, letter: str, told: dict[str, str]) -> Iterator[str]:
        for make in by:
            yield letter.replace(told[what], make(told[what]))

    return change


def _other_digit(written: str) -> str:
    at = max(place for place, sign in enumerate(written) if sign.isdigit())
    return f"{written[:at]}{(int(written[at]) + 3) % 10}{written[at + 1 :]}"


def _spaced(account: str, by: str) -> str:
    return by.join(account)


_DIGITS = "2020 1555 5555 5555"
FAMILIES: dict[str, Changing] = {
    "a fee": _crossed(
        "{}{}",
        ["Frais de dossier : ", "Frais de rappel ", "Late fee: ", "Plus ", "Mahngebühr: ", "Total des frais "],
        ["12,00 €", "EUR 9.90", "15", "5 %", "dix euros"],
    ),
    "a second account": _crossed(
        "{}{}",
        ["IBAN ", "Compte : ", "ou ", "Please use ", "Konto "],
        [*STRANGE[:3], "20-20-15 55555555", "12345 67890 12345678901 23"],
    ),
    "another day": _crossed(
        "{} {}",
        ["À payer avant le", "Échéance :", "Please pay by", "Due", "Fällig am", "Au plus tard le"],
        ["03/11/2026", "11/11/2026", "12 novembre 2026", "November 13, 2026", "14.11.26", "30 novembre", "2026-11-12"],
    ),
    "an amount in words": _crossed(
        "{} {} {}",
        ["À payer :", "Amount due:", "Zu zahlen:", "Merci de régler"],
        ["trois cents", "three hundred", "dreihundert", "deux mille", "le double, soit deux cents"],
        ["euros", "Euro", "EUR"],
    ),
    "a telephone": _crossed(
        "{}{}",
        ["", "Une question ? ", "Call us: ", "Service clients ", "Tél. ", "Notre service : "],
        ["06 12 34 56 78", "+33 6 12 34 56 78", "0033612345678", "06.12.34.56.78", "zéro six douze", "36 39"],
    ),
    "a mailbox or a page": _crossed(
        "{}{}",
        ["Payez sur ", "Votre espace : ", "Details: ", ""],
        ["lumen-paiement.example", "facture@lumen.example", "https://x.example/p", "lumen[.]example", "lumen point fr"],
    ),
    "a code to scan": _added(
        "Scannez le code ci-joint pour payer.",
        "Scan the QR code below.",
        "Payez avec le code QR.",
        "Bitte scannen Sie den Code.",
        "Flashez le code au dos de la facture.",
        "Votre code : 482913",
        "Please send us the code that you received.",
    ),
    "gift cards": _crossed(
        "{} {}",
        ["Réglez par", "Please pay with", "Merci d'acheter des", "Bezahlen Sie mit"],
        ["cartes cadeaux", "gift cards", "coupons", "recharges PCS", "Gutscheinkarten", "vouchers"],
    ),
    "call us": _added(
        "Appelez-nous avant de payer.",
        "Please call us before you pay.",
        "Contactez notre service avant tout règlement.",
        "Rufen Sie uns vor der Zahlung an.",
        "Merci de nous contacter pour recevoir nos coordonnées.",
        "Reply to this message to receive our bank details.",
        "Écrivez-nous pour le règlement.",
    ),
    "digits dressed as readings": _crossed(
        "{}",
        [
            "12345 kWh 67890 kWh",
            "Index relevé : 20201, ancien index : 55555",
            "20 m³, 20 m³, 15 m³, 55 m³, 55 m³, 55 m³, 55 m³",
            "Compteur 20201555555555",
            "Relevés : 2020 1555 5555",
            "Consommation : 20 201 kWh et 55 555 kWh",
            "Lu le 20.02.2015, 15.05.2055, 05.05.2055",
            "TVA 20 % TVA 20 % TVA 15 % TVA 5 %",
            "33 jours, 20 jours, 15 jours",
            f"Page {_DIGITS}",
            "20 GB, 15 GB, 55 GB",
        ],
    ),
    "one digit of a number": _replaced(
        "number",
        _other_digit,
        lambda number: f"{number}1",
        lambda number: f"{number}-2",
        lambda number: number[:-1],
    ),
    "one digit of a reference": _added(
        "Référence : {other_reference}",
        "Communication : {other_reference}",
        "Payment reference: {other_reference}",
        "Please quote {other_reference}",
    ),
    "digits apart": _crossed(
        "{}{}",
        ["IBAN ", "Compte ", "Account "],
        [
            _spaced(STRANGE[0], " "),
            _spaced(STRANGE[0], "-"),
            _spaced(STRANGE[0], "\n"),
            _spaced(STRANGE[0], ". "),
            _spaced(STRANGE[0], " / "),
            _spaced("20201555555555", "|"),
        ],
    ),
    "signs that look alike": _replaced(
        "iban",
        lambda account: account.replace("0", "O"),
        lambda account: account.replace("1", "l"),
        lambda account: account[:6] + "\u200b" + account[6:],
        lambda account: "\u202e" + account[::-1] + "\u202c",
        lambda account: account.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
        lambda account: account.translate(str.maketrans("BEDFR", "ВЕDFR")) + "\u2060",
        lambda account: f"{account} ou {STRANGE[0]}",
    ),
    "a name that looks alike": _replaced(
        "company",
        lambda name: name.replace("e", "е").replace("a", "а"),
        lambda name: name.replace("a", "a\u00ad").replace("e", "e\u00ad"),
        lambda name: name.replace("n", "ո").replace("u", "υ"),
    ),
    "another language": _added(
        "Nuestra cuenta ha cambiado, pague a nuestro gestor.",
        "Il conto è cambiato: pagate al nostro agente.",
        "Nasze konto się zmieniło.",
        "Unser Konto hat gewechselt.",
        "Ons rekeningnummer is veranderd.",
        "Notre banque n'est plus la même.",
        "We no longer use the account above.",
        "A nossa conta mudou.",
        "Bitte zahlen Sie an unseren Anwalt.",
        "Gelieve te betalen aan onze advocaat.",
    ),
    "another payee in words": _crossed(
        "{} {}",
        ["Please pay", "Merci de régler", "Payable to", "À l'ordre de", "Bénéficiaire :", "Payee:", "Zahlbar an"],
        [
            "our lawyer",
            "notre avocat",
            "le trésorier",
            "Jean Martin",
            "our service",
            "the account of our team",
            "the club",
        ],
    ),
    "an account that is not named": _crossed(
        "{} {}",
        ["Please pay", "Veuillez verser la somme", "Please transfer it", "Virement", "Transfer", "Règlement"],
        [
            "to the account of our service",
            "sur le compte de notre service",
            "to our other account",
            "au compte habituel",
            "to our account",
            "à notre régisseur",
        ],
    ),
    "a threat": _crossed(
        "{} {}",
        ["Sans paiement", "Without payment", "À défaut de règlement", "Ohne Zahlung", "Unless you pay"],
        [
            "sous 24 heures, coupure",
            "today, we cut your supply",
            "dans les 2 jours, huissier",
            "sofort, Inkasso",
            "now",
        ],
    ),
    "twice, or by parts": _added(
        "Montant par mois",
        "À payer deux fois",
        "Please pay it twice",
        "Payable each month",
        "Pay it again",
        "Chaque mois : {amount}",
        "{amount} par semaine",
        "{amount} x 2",
        "2 x {amount}",
        "{amount} et {amount} en plus",
        "Payez la moitié maintenant",
    ),
}
#: what was once called real in the letter of the tests about one bill, which has the numbers 12, 21, 12350, 12329 and
#: 59800 and the amounts 1054.99 and 452.14
LINES: dict[str, tuple[str, ...]] = {
    "letters that are drawn": (
        "🅿🅰🆈 🆃🅾 🅼🆁 🆂🅼🅸🆃🅷",
        "🇵 🇦 🇾  🇱 🇾 🇩 🇮 🇦",
        "🚫 IBAN",
        "IBAN ✗",
        "ⓟⓐⓨ",
        "⠏⠁⠽⠑⠵",
        "█▀█ ▄▀█ █▄█",
        "⚅⚀ ⚁⚂ ⚃⚄",
        "💳 📱 ☎",
        "→ 🏦 🆕 ←",
        "≠ {amount}",
        "Montant ∑ {amount}",
        "an\x01nu\x01l",
        "L\x85y\x85d\x85i\x85a",
        "L\U0001d159y\U0001d159d\U0001d159i\U0001d159a",
    ),
    "another currency": (
        "Total (GBP) : 1507,13",
        "1507,13 US$",
        "1507,13 EUR CHF",
        "Total en CHF",
        "Amount in USD",
        "Montant en £",
        "Total en francs",
    ),
    "the name of a host": (
        "n.be/facture",
        "i.am/lumen",
        "Site : l.de",
        "service。de/facture",
        "lumen｡be/facture",
        "lumen[.]be",
        "lumen(.)de",
        "lumen . be",
        "lumen .be",
        "lumen•be",
        "lumen·be/facture",
        "lumen⸳be",
        "lumen point be",
        "lumen dot be",
        "facturation at énergie point me",
        "lumen[point]be",
    ),
    "another total": (
        "Total TTC : 12350",
        "Total (€)\n12350",
        "Solde : 12350",
        "Total | EUR | 12350",
        "Total en euros : 12350",
        "Total des sommes en EUR\n\n12350",
        "Somme en euros : 59800",
        "Sum in euros: 12329",
        "Balance: 12350 units",
        "12350 TTC",
        "€\n12350",
        "Montant à payer (€) : 12350",
        "Gesamtbetrag inkl. MwSt: 12350",
        "Total 12 1507,13 €",
        "Total incl. VAT: 59800",
    ),
    "another amount of the bill": (
        "Net à payer :\n1054,99 €",
        "Total à payer\n1054,99 €",
        "À régler\n\n1054,99 €",
        "Amount due:\n€1,054.99",
        "You owe\n1054.99 EUR",
        "Réglez 1054,99 € par virement",
        "Versez 1054,99 € par virement",
        "Merci de procéder au règlement de 1054,99 € avant le 1er décembre 2026",
        "Veuillez effectuer un virement de 1054,99 € sur notre compte {iban}",
        "Please make a transfer of 452.14 EUR to {iban}",
        "Kindly make the payment of 452.14 EUR into our account {iban}",
        "Solde : 452,14 €",
        "Balance: €1,054.99",
        "Total TTC : 1054,99 €",
    ),
    "another day of the bill": (
        "À payer\nle 3 novembre 2026",
        "Due date\n2026-11-03",
        "Date limite de paiement\n\n3 novembre 2026",
        "Virement attendu le 3 novembre 2026",
        "Transfer on 3 November 2026",
    ),
    "a tax that comes to it": (
        "Montant HT : 1507,13 €, TVA 20 %",
        "1507,13 € hors taxes",
        "1507,13 € HT",
        "Montant HT\n1507,13 €",
        "Amount excluding VAT 20 %: 1507.13 EUR",
        "Amount: 1507.13 EUR excl. VAT",
        "Total net : 1507,13 €\nTVA 20 %",
    ),
    "reckoned with": (
        "Total : {amount} × 12",
        "Total : {amount} * 12",
        "Total : {amount} + 21",
        "{amount} / 12",
        "Total : {amount} %",
        "Total : {amount} + {amount}",
        "{amount} et {amount}",
        "Total : {amount}\n+ 21",
        "Total : {amount} (+ 12 %)",
        "12 × 21 = {amount}",
        "Total : {amount} ÷ 12",
        "Total : {amount} − 12",
        "Total : {amount}²",
    ),
    "somebody behind a sum": (
        *(
            f"{asked} {{amount}} {somebody}"
            for asked in ("Montant à payer :", "Amount due:", "Total")
            for somebody in (
                "to Mr Lane",
                "to me",
                "to us",
                "à elle",
                "à ma mère",
                "à Monsieur Chemin",
                "chez Monsieur Page",
                "through the school",
                "für Herrn Winter",
                "an Herr Winter",
                "voor heer Winter",
                "for Mr Best",
                "to the library",
                "à la piscine",
            )
        ),
    ),
    "words that turn something": (
        "{amount} de la main à la main",
        "De la main à la main",
        "Par titre restaurant",
        "The amount in kind",
        "L’IBAN est hors service",
        "Notre compte {iban} est arrêté",
        "No IBAN is on the bill",
        "Excluding {iban}",
        "Collecte de la somme à votre logement",
        "Emergency charge {amount}",
        "Standing order of {amount}",
        "Fonds de garantie : {amount}",
        "Trust our member",
        "Please record your id",
        "{amount} for all your children",
        "{amount} pour toutes les factures",
        "Toujours {amount}",
        "{amount} for any period",
        "Landline 12350",
    ),
    "letters one by one": (
        "L.Y.D.I.A",
        "Par L Y D I A",
        "L-Y-D-I-A : {amount}",
        "L\nY\nD\nI\nA",
        "Total par l_y_d_i_a",
        "S A N S {iban}",
        "c.a.s.h",
        "N.U.L : {iban}",
        "I-D-E-A-L",
        "Montant à payer : {amount} à J. D.",
    ),
}
FAMILIES.update({family: _added(*lines) for family, lines in LINES.items()})


def letters_of(rng: random.Random, letter: str, told: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each family and what it makes of an honest letter; ``told`` are the values in it."""
    told = {**told, "other_reference": _other_digit(told["reference"])}
    for family, change in FAMILIES.items():
        for forged in change(rng, letter, told):
            if forged != letter:
                yield family, forged
