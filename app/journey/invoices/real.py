"""Is this real? Holds what a customer was shown against what is in their space. Pure: values in, an answer out.

*Real* is said only of what is compared to its last sign: a file, a payment code, an account. A text is never real,
since no program understands all that it may ask for. Where nothing in it differs from one bill (whatever has digits,
each account, each payee, each word), that bill is *in the space*: this is said of the bill and not of the text. *Do
not pay* is said only where it looks like a company of theirs, or like a bill, and account or amount differ. Everything
else is unknown, also what is most likely real.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from app.journey.intake import said
from app.journey.intake.formats import checks
from app.journey.intake.formats.shown import Claim, Shown
from app.journey.intake.letter_amounts import CURRENCY_WORDS, Amount, money_of, numbers_in, words_of_currency
from app.journey.intake.letter_days import days_in
from app.journey.intake.letter_phrases import TURNING
from app.journey.intake.said import Own, Rest, Said
from app.people import lookalikes
from connectors.money import Money

#: letters and digits of a number by which a bill is known again among other words
_NUMBER_LEAST = 6
#: bills whose numbers one text has, against which it is held, the likeliest
NAMED_MOST = 10
#: in what a biller has delivered
_DECIMAL = re.compile(r"(?<![\w.])[0-9]{1,12}\.[0-9]{1,3}(?![\w.])", re.ASCII)
_BIC = re.compile(r"(?<![A-Z0-9])[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?![A-Z0-9])", re.ASCII)


class Verdict(enum.StrEnum):
    REAL = "real"  #: a file, a code or an account, and nothing else: it is the one in the customer's space
    IN_SPACE = "in_space"  #: words about a bill that is there, and nothing in them differs from it
    DO_NOT_PAY = "do_not_pay"  #: it looks like a company of theirs; the account or the amount is another one
    UNKNOWN = "unknown"


class By(enum.StrEnum):
    """What it was known by."""

    FILE = "file"  #: the very file that was delivered
    CODE = "code"  #: payee, account, amount and reference of payment codes
    TEXT = "text"  #: account, and amount or number, and no word that says more
    ACCOUNT = "account"  #: nothing but an account was asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """One whose bills reach the customer, or did."""

    name: str
    holders: frozenset[str] = frozenset()  #: of its accounts
    open: frozenset[str] = frozenset()  #: accounts that may be paid to now
    once: frozenset[str] = frozenset()  #: that are held now, or were named by a bill of theirs
    is_connected: bool = True
    is_suspended: bool = False

    @property
    def accounts(self) -> frozenset[str]:
        return self.open | self.once

    @property
    def names(self) -> frozenset[str]:
        return self.holders | {self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A bill that was delivered into the space."""

    id: str
    company: Company
    number: str
    reference: str | None
    account: str | None  #: None: it is not paid by a transfer to an IBAN
    amount: Money  #: as billed
    asked: Money  #: after all that its biller took off since
    payable: Money  #: today
    discounted: frozenset[Money]  #: with each discount for early payment, open or over
    sha256: str = ""  #: of what was delivered
    is_genuine: bool = True  #: False: its seal does not count any more
    said: frozenset[str] = field(default=frozenset(), repr=False)  #: words and numbers of it, as ``said.runs_in``
    amounts: frozenset[Money] = field(default=frozenset(), repr=False)  #: other amounts that it says
    days: frozenset[dt.date] = field(default=frozenset(), repr=False)
    limits: frozenset[dt.date] = frozenset()  #: the days until which it is to be paid, with discount and without
    numbers: frozenset[Decimal] = field(default=frozenset(), repr=False)  #: also of quantities
    terms: frozenset[int] = frozenset()  #: days that there are to pay in

    @property
    def dues(self) -> frozenset[Money]:
        return frozenset({self.amount, self.asked, self.payable}) | self.discounted

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.number, self.reference)))

    @property
    def own(self) -> Own:
        return Own(
            words=self.words,
            names=self.company.names,
            days=self.days,
            limits=self.limits,
            numbers=self.numbers,
            terms=self.terms,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    what: str  #: ``account`` or ``amount``
    theirs: tuple[str | Money, ...]
    shown: str | Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """``reasons`` why it is unknown: codes of Shown and Said, and ``suspended`` (the company is), ``account-held`` (the
    company's, and nothing may be paid to it now), ``held`` (a bill that is), ``seal``, ``no-name``, ``other-payee``,
    ``bic``, ``amount``, ``number`` (something with digits that the bill does not say), ``day`` (one that it does not
    say and that is not over), ``account`` (another one),
    ``words`` (some that neither the bill says nor a letter about one needs), ``nothing-named`` (neither amount nor
    number)."""

    verdict: Verdict
    by: By | None = None
    company: str | None = None
    bill_id: str | None = None  #: of an unknown one the bill in the space whose number it names
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()
    amount_compared: bool = False


class _Read:
    """What was shown, read once."""

    def __init__(self, shown: Shown, today: dt.date, bills: Collection[Known]) -> None:
        self.shown, self.today = shown, today
        numbers = {word: said.compact(word) for bill in bills for word in bill.words}
        self._said: dict[str, Said] = {}
        for each in dict.fromkeys((*shown.texts, *shown.prose)):
            letters = said.compact(each)
            there = [number for number, signs in numbers.items() if signs in letters]
            self._said[each] = Said.of(each, numbers=there)
        self.texts = [self._said[each] for each in shown.texts]
        of_claims = {account: checks.valid_iban(account) for claim in shown.claims for account in claim.accounts}
        self.accounts = {iban for iban in of_claims.values() if iban}.union(*(each.accounts for each in self.texts))
        self.broken = {each for each, iban in of_claims.items() if not iban}.union(
            *(each.broken for each in self.texts)
        )
        self.of_reader = frozenset[str]().union(*(each.of_reader for each in self.texts))
        self.doubts = list(dict.fromkeys([*shown.unread, *(doubt for each in self.texts for doubt in each.doubts)]))
        written = [*shown.texts, *(word for claim in shown.claims for word in claim.words)]
        self._written = [(lookalikes.key(each), said.compact(lookalikes.key(each))) for each in written]
        self._rests: dict[tuple[str, Own], Rest] = {}
        named = [claim.payee for claim in shown.claims]
        self._glances = [_glance(each) for each in (*shown.texts, *named)]

    @property
    def is_collected(self) -> bool:
        return "collected" in self.doubts

    @property
    def has_words(self) -> bool:
        """Whether people read anything in it but what a program pays by."""
        return any(each.strip() for each in self.shown.prose)

    def looks_like(self, company: Company) -> bool:
        """Whether it has its name, or what is taken for it at a glance."""
        return any(_glance(name) in each for name in company.names if _glance(name).strip() for each in self._glances)

    def says(self, number: str) -> bool:
        """Whether the number stands in it, however it is spaced and hyphenated, as people see it."""
        looks = lookalikes.key(number)
        letters = said.compact(looks)
        return (
            len(letters) >= _NUMBER_LEAST
            and any(map(str.isdigit, letters))
            and any(letters in each and said.stands_in(looks, written) for written, each in self._written)
        )

    def says_number_of(self, bill: Known) -> bool:
        return any(map(self.says, bill.words))

    def rests(self, bill: Known) -> list[Rest]:
        """What each text says beyond what is this bill's own."""
        return [self._rest(each, bill.own) for each in self.shown.texts]

    def prose(self, bill: Known) -> list[Rest]:
        """The same, of what people read."""
        return [self._rest(each, bill.own) for each in self.shown.prose]

    def _rest(self, written: str, own: Own) -> Rest:
        said_there = self._said[written]
        within = said_there.within(own)
        if (written, within) not in self._rests:
            self._rests[written, within] = said_there.rest(within, self.today)
        return self._rests[written, within]


def with_original(bill: Known, written: str, *, besides: Collection[str] = ()) -> Known:
    """With the words, numbers, amounts and days of what its biller has delivered itself, and of ``besides``: who
    repeats them says nothing new. Not with words that turn a payment: they could say another thing in another place."""
    runs = {run for each in (written, *besides) for run in said.runs_in(each)}
    words = {word for each in (written, *besides) for word in said.words_of(each).split()}
    short = {each for each in runs | words if each.isdigit() and len(each) < said.TELLING}
    groups = {each for text in (written, *besides) for each in said.groups_in(text)}
    bics = {each.lower() for each in _BIC.findall(written)}
    return dataclasses.replace(
        bill,
        said=frozenset((runs | words) - short | groups | bics | set(map(said.compact, besides))) - TURNING,
        days=bill.days | frozenset(days_in(written)),
        numbers=bill.numbers | frozenset(numbers_in(written)),
        terms=bill.terms | frozenset(said.terms_in(written)),
        amounts=bill.amounts | frozenset(money_of(_decimals(written), bill.amount.currency)),
    )


def _decimals(written: str) -> Iterator[Amount]:
    for each in _DECIMAL.findall(written):
        yield Amount((Decimal(each),), None)


def concerned(shown: Shown, bills: Collection[Known], *, today: dt.date) -> list[Known]:
    """Of these the ones that it may be about: it names account and number, or else account and amount."""
    read = _Read(shown, today, bills)
    near = [bill for bill in bills if bill.account in read.accounts]
    return [bill for bill in near if read.says_number_of(bill)] or [
        bill for bill in near if not bill.dues.isdisjoint(_amounts_of(read, bill))
    ]


def judge(
    shown: Shown,
    *,
    companies: Collection[Company],
    bills: Collection[Known],
    today: dt.date,
    held: Collection[str] = (),
) -> Answer:
    """``companies`` of the customer, the ``bills`` that were delivered to them, the likeliest first, and the numbers of
    those that are ``held``; nobody else's."""
    for bill in bills:
        if shown.sha256 is not None and shown.sha256 == bill.sha256:
            return _of_file(bill)
    read = _Read(shown, today, bills)
    other_account = _other_account(read, companies, bills)
    if other_account is not None:
        return other_account
    reasons: tuple[str, ...] = ()
    near = [bill for bill in bills if bill.account in read.accounts]
    further = {bill.id for bill in [bill for bill in near if read.says_number_of(bill)][NAMED_MOST:]}
    for bill in near:
        if bill.id not in further:
            found = tuple(dict.fromkeys(_against(read, bill)))
            if not found:
                compared = not bill.dues.isdisjoint(_amounts_of(read, bill))
                return _found(bill, By.TEXT if read.has_words else By.CODE, amount_compared=compared)
            if read.says_number_of(bill):
                reasons = reasons or found
    return (
        _of_account(read, companies)
        or _other_amount(read, bills)
        or Answer(
            verdict=Verdict.UNKNOWN,
            reasons=("held",) if any(map(read.says, held)) else reasons or tuple(read.doubts),
            bill_id=next((bill.id for bill in bills if read.says_number_of(bill)), None),
        )
    )


def _found(bill: Known, by: By, *, amount_compared: bool) -> Answer:
    return Answer(
        verdict=Verdict.IN_SPACE if by is By.TEXT else Verdict.REAL,
        by=by,
        company=bill.company.name,
        bill_id=bill.id,
        amount_compared=amount_compared,
    )


def _of_file(bill: Known) -> Answer:
    found = list(_about_bill(bill))
    if found:
        return Answer(verdict=Verdict.UNKNOWN, reasons=tuple(found), bill_id=bill.id)
    return _found(bill, By.FILE, amount_compared=True)


def _about_bill(bill: Known) -> Iterator[str]:
    if bill.company.is_suspended:
        yield "suspended"
    elif bill.account is not None and bill.account not in bill.company.open:
        yield "account-held"
    if not bill.is_genuine:
        yield "seal"


def _of_account(read: _Read, companies: Collection[Company]) -> Answer | None:
    """Of an account by itself; a name that stands beside it must be the company's."""
    if len(read.accounts) != 1 or read.broken or read.doubts:
        return None
    (account,) = read.accounts
    for company in companies:
        if account in company.open and company.is_connected and _is_bare(read, company):
            return Answer(verdict=Verdict.REAL, by=By.ACCOUNT, company=company.name)
    return None


def _is_bare(read: _Read, company: Company) -> bool:
    if read.shown.claims:
        return False
    allowed = {word for name in company.names for word in said.words_of(name).split()} | {"iban"}
    return all(set(said.words_of(each.without_accounts).split()) <= allowed for each in read.texts)


# -------------------------------------------------------------------------------------------------- what speaks against


def _against(read: _Read, bill: Known) -> Iterator[str]:
    """Why it is not said of what was shown that it is this bill; nothing: it is."""
    yield from read.doubts
    yield from _about_bill(bill)
    if read.broken or not read.accounts <= bill.company.open:
        yield "account"
    names = bill.company.names
    named = [claim.payee for claim in read.shown.claims]
    if not any(each.names(name) for each in read.texts for name in names) and not named:
        yield "no-name"
    payees = named + [payee for each in read.texts for payee in each.payees]
    if not all(said.is_usual(payee) and said.words_of(payee) in set(map(said.words_of, names)) for payee in payees):
        yield "other-payee"
    bics = {claim.bic for claim in read.shown.claims if claim.bic}.union(*(each.bics for each in read.texts))
    if any(bic.lower() not in bill.said for bic in bics):
        yield "bic"
    yield from _about_numbers(read, bill)


def _about_numbers(read: _Read, bill: Known) -> Iterator[str]:
    amounts = list(_amounts_of(read, bill))
    numbered = read.says_number_of(bill)
    if not numbered and not any(amount in bill.dues for amount in amounts):
        yield "nothing-named"
    for claim in read.shown.claims:
        yield from _about_claim(claim, bill)
    for rest in read.rests(bill):
        if not all(_is_explained(amount, rest.amounts, bill) for amount in rest.amounts):
            yield "amount"
        if rest.is_numbered or rest.has_other_measure or not rest.runs <= bill.said:
            yield "number"
        if rest.has_other_day:
            yield "day"
    own = words_of_currency(bill.amount.currency)
    known = (bill.said - CURRENCY_WORDS).union(own, *(said.words_of(name).split() for name in bill.company.names))
    if not all(rest.words <= known for rest in read.prose(bill)):
        yield "words"


def _about_claim(claim: Claim, bill: Known) -> Iterator[str]:
    if claim.accounts != {bill.account}:
        yield "account"
    if claim.amount is not None and claim.amount not in bill.dues:
        yield "amount"
    known = {said.compact(word) for word in bill.words}
    if not all(said.compact(word) in known for word in claim.words):
        yield "number"


def _amounts_of(read: _Read, bill: Known) -> Iterator[Money]:
    for claim in read.shown.claims:
        if claim.amount is not None:
            yield claim.amount
    for rest in read.rests(bill):
        yield from money_of(rest.amounts, bill.amount.currency)


def _is_explained(amount: Amount, beside: Collection[Amount], bill: Known) -> bool:
    """It is what is due, without a tax to come; or, where it is not asked for, an amount that the bill says, or its net
    amount or tax."""
    if any(map(amount.may_be, bill.dues)):
        return not amount.untaxed
    if amount.asked:
        return False
    if not amount.called_for and any(map(amount.may_be, bill.amounts)):
        return True
    taxed = [each for each in beside if each.taxed and not each.asked]
    return amount.taxed and any(
        one.minor + other.minor == bill.amount.minor
        for one, other in itertools.product(
            money_of([amount], bill.amount.currency),
            money_of(taxed, bill.amount.currency),
        )
    )


# ----------------------------------------------------------------------------------------------------------- the danger


def _other_account(read: _Read, companies: Collection[Company], bills: Collection[Known]) -> Answer | None:
    known = {account for company in companies for account in company.accounts}
    strange = sorted(read.accounts - known)
    for account in [*strange, *sorted(read.broken)]:
        for company in companies:
            if any(is_mistaken_for(account, theirs) for theirs in company.accounts):
                return _with_account(company, account)
    like = [company for company in companies if read.looks_like(company)]
    like += [bill.company for bill in bills if read.says_number_of(bill)]
    strange = [account for account in strange if account not in read.of_reader]
    if like and strange and not read.is_collected:
        return _with_account(like[0], strange[0])
    return None


def _with_account(company: Company, account: str) -> Answer:
    return Answer(
        verdict=Verdict.DO_NOT_PAY,
        company=company.name,
        differences=(Difference(what="account", theirs=tuple(sorted(company.open)), shown=account),),
    )


def _other_amount(read: _Read, bills: Collection[Known]) -> Answer | None:
    """It asks for more than a bill whose number it has, or another currency. Not where it also says what that bill asks
    for: it may be a reminder, with what was open before. Less may be an instalment."""
    named = [bill for bill in bills if any(map(read.says, _own_numbers(bill)))]
    if len(named) != 1:
        return None
    (bill,) = named
    if any(amount in bill.dues for amount in _amounts_of(read, bill)):
        return None
    amounts = [claim.amount for claim in read.shown.claims if claim.amount is not None]
    for rest in read.rests(bill):
        for amount in filter(lambda each: each.asked, rest.amounts):
            currency = amount.currency or bill.amount.currency
            amounts += [Money(money.minor, currency) for money in _as_money(amount, bill)]
    ours = [amount for amount in amounts if amount.currency == bill.amount.currency]
    highest = max(ours or amounts, key=lambda amount: amount.minor, default=None)
    if highest is None or (ours and highest.minor <= bill.amount.minor):
        return None
    return Answer(
        verdict=Verdict.DO_NOT_PAY,
        company=bill.company.name,
        bill_id=bill.id,
        differences=(Difference(what="amount", theirs=(bill.asked,), shown=highest),),
    )


def _own_numbers(bill: Known) -> Iterator[str]:
    """By which it is known from all other bills: a reference may be its customer's, and stand on each of theirs."""
    yield bill.number
    if bill.reference is not None and checks.is_structured_reference(bill.reference):
        yield bill.reference


def _as_money(amount: Amount, bill: Known) -> Iterator[Money]:
    return money_of([Amount(amount.values, None)], bill.amount.currency)


def is_mistaken_for(account: str, theirs: str) -> bool:
    """Whether a person takes one account for the other: one sign is another, too many, missing, or two have changed
    places; or it is written with letters that look like its digits. Its check digits may be right then."""
    if account == theirs:
        return False
    one, other = _folded(account), _folded(theirs)
    return one == other or _is_one_step(one, other) or (one[:2] == other[:2] and _is_one_step(one[4:], other[4:]))


def _folded(account: str) -> str:
    return account.upper().translate(str.maketrans("OIL", "011"))


def _is_one_step(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    left, right = one[start:], other[start:]
    swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return left[1:] == right[1:] or left[1:] == right or left == right[1:] or swapped


def _glance(written: str) -> str:
    """The words that it is taken for at a glance, a space around each."""
    return said.words_of(lookalikes.glance(written))
