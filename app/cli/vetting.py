"""`quittance biller`: letting a company in, in the words of two people, and keeping it out: docs/vetting.md."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from app.cli import machinery
from app.cli.words import add_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.people.identifiers import Scheme
    from app.people.vetting import BillerLine
    from app.services import Services


def add(verbs: Any) -> None:
    short = add_word(verbs, "add", _add, "let a vetted company in: propose it, and have it and its accounts approved")
    short.add_argument(
        "--approved-by",
        required=True,
        action="append",
        metavar="OPERATOR",
        help="who vetted the company and is sure of its accounts. With two different people it is vetted, and its"
        " accounts are open after the waiting time (QUITTANCE_ACCOUNT_WAIT_HOURS); with one alone, another one is to"
        " approve each",
    )
    propose = add_word(verbs, "propose", _propose, "write a company down, and have its numbers looked up")
    for each in (short, propose):
        each.add_argument("name")
        each.add_argument("--country", required=True, help="two letters, as FR")
        each.add_argument("--vat", help="its VAT number: the same as --id vat:…")
        each.add_argument(
            "--id",
            action="append",
            default=[],
            metavar="SCHEME:NUMBER",
            help="its number in a public register, as siren:904172681; vat, siren, siret, lei, uk-company, kbo or uid",
        )
    short.add_argument("--iban", required=True, action="append", help="an account vetted as its own; may repeat")
    propose.add_argument("--iban", default=[], action="append", help="an account that is said to be its own")
    check = add_word(verbs, "check", _check, "ask the registers again; who approved it before has to do so anew")
    approve = add_word(verbs, "approve", _approve, "be sure who it is: by the second person it is vetted")
    approve.add_argument(
        "--although-like",
        action="append",
        default=[],
        metavar="BILLER",
        help="blr_… of each biller that its name is like, and that is another company",
    )
    approve.add_argument("--despite", metavar="REASON", help="why it may come in although something speaks against it")
    refuse = add_word(verbs, "refuse", _refuse, "keep it out; its numbers are free for who they belong to")
    suspend = add_word(verbs, "suspend", _suspend, "at once: hold what it delivers, and pay nothing to it")
    reinstate = add_word(verbs, "reinstate", _reinstate, "want it back: by the second person it is vetted again")
    for each in (refuse, suspend, reinstate):
        each.add_argument("--because", required=True, metavar="REASON", help="in words, for who reads its history")
    show = add_word(verbs, "show", _show, "who it is, by what evidence, what speaks against it, and who did what")
    for each in (check, approve, refuse, suspend, reinstate, show):
        each.add_argument("biller", help="blr_…")
    for each in (propose, check, approve, refuse, suspend, reinstate):
        each.add_argument("--by", required=True, metavar="OPERATOR", help="who does this: a name without spaces")
    add_word(verbs, "list", _list, "all billers, those that wait for somebody first")


def _identifiers(chosen: argparse.Namespace) -> list[tuple[Scheme, str]]:
    from app.people import identifiers

    written = [*([f"vat:{chosen.vat}"] if chosen.vat else []), *chosen.id]
    return [identifiers.parsed(each) for each in written]


def _bank_names(services: Services) -> list[str]:
    return [bank.name for bank in services.banks.all_banks()]


def _add(chosen: argparse.Namespace) -> int:
    from app.cli.billers import approve_account, say_answer
    from app.errors import Invalid
    from app.journey.connections import invitations
    from app.people import accounts
    from app.people.operators import person
    from connectors.payee_name import SAID

    people = [person(each) for each in chosen.approved_by]
    if len(people) > 2 or len(set(people)) < len(people):
        raise Invalid("person", "Name one person who approved it, or two different ones.")
    services = machinery.services()
    line = _write_down(services, chosen, by=people[0])
    biller_id = line.biller.id
    with services.reading() as uow:
        lines = accounts.accounts_of(uow.session, now=uow.now, biller_id=biller_id)
        invited = invitations.invited(uow.session, line.biller)
    if line.reviews:  # who approved it did not know that
        print(f"{biller_id}: approved by nobody; read that first, then: quittance biller approve")
    else:
        for who in people:
            _approve_company(services, biller_id, by=who, although_like=(), despite=None)
    for each in lines:
        answer = accounts.check_name(services, account_id=each.account.id, by=people[0])
        say_answer(each.account.id, answer)
        if answer.outcome in SAID:  # nor that
            print(f"{each.account.id}: approved by nobody; read that first, then: quittance biller account approve")
            continue
        for who in people:
            approve_account(services, each.account.id, holder=each.account.holder, by=who, despite=None)
    if invited:
        print(f"{invited} had invited it, and see that it is here once it is vetted")
    return 0


def _propose(chosen: argparse.Namespace) -> int:
    _write_down(machinery.services(), chosen, by=chosen.by)
    return 0


def _write_down(services: Services, chosen: argparse.Namespace, *, by: str) -> BillerLine:
    from app.people.billers import add_biller

    numbers = _identifiers(chosen)
    with services.unit_of_work() as uow:
        biller = add_biller(
            uow, name=chosen.name, country=chosen.country, identifiers=numbers, ibans=chosen.iban, by=by
        )
        uow.commit()
    print(biller.id)
    return _look_up(services, biller.id, by=by)


def _check(chosen: argparse.Namespace) -> int:
    _look_up(machinery.services(), chosen.biller, by=chosen.by)
    return 0


def _look_up(services: Services, biller_id: str, *, by: str) -> BillerLine:
    """Have its numbers looked up, and say what that means."""
    from app.people import vetting

    vetting.check(services, biller_id=biller_id, by=by)
    line = _line_of(services, biller_id)
    _say_known(line)
    return line


def _line_of(services: Services, biller_id: str) -> BillerLine:
    from app.people import vetting

    with services.reading() as uow:
        return vetting.line_of(uow.session, biller_id=biller_id, bank_names=_bank_names(services))


def _say_known(line: BillerLine) -> None:
    """What the registers said, and what speaks against it."""
    from connectors.company_register import Found

    words = {
        Found.ACTIVE: "the register says: {}",
        Found.CEASED: "the register says that it has ceased: {}",
        Found.NOT_FOUND: "the register does NOT know it",
        Found.NOT_POSSIBLE: "no register could be asked",
    }
    for each in line.identifiers:
        said = words[Found(each.outcome)].format(each.name_found) if each.outcome else "no register was asked"
        print(f"  {each.scheme} {each.value}: {said}")
    for review in line.reviews:
        print(f"  LOOK: {review}")


def _approve(chosen: argparse.Namespace) -> int:
    services = machinery.services()
    _approve_company(services, chosen.biller, by=chosen.by, although_like=chosen.although_like, despite=chosen.despite)
    return 0


def _approve_company(
    services: Services, biller_id: str, *, by: str, although_like: Sequence[str], despite: str | None
) -> None:
    from app.people import vetting
    from app.people.biller_states import BillerState

    with services.unit_of_work() as uow:
        biller = vetting.approve(
            uow,
            biller_id=biller_id,
            by=by,
            bank_names=_bank_names(services),
            although_like=although_like,
            despite=despite,
        )
        uow.commit()
    is_vetted = biller.state == BillerState.VETTED
    print(f"{biller_id}: " + ("vetted" if is_vetted else f"approved by {by}; another person is to approve it"))


def _refuse(chosen: argparse.Namespace) -> int:
    from app.people import vetting

    with machinery.services().unit_of_work() as uow:
        vetting.refuse(uow, biller_id=chosen.biller, by=chosen.by, note=chosen.because)
        uow.commit()
    print(f"{chosen.biller} is refused")
    return 0


def _suspend(chosen: argparse.Namespace) -> int:
    from app.people import vetting

    with machinery.services().unit_of_work() as uow:
        vetting.suspend(uow, biller_id=chosen.biller, by=chosen.by, note=chosen.because)
        uow.commit()
    print(f"{chosen.biller} is suspended: what it delivers is held, and nothing is paid to it")
    return 0


def _reinstate(chosen: argparse.Namespace) -> int:
    from app.people import vetting
    from app.people.biller_states import BillerState

    with machinery.services().unit_of_work() as uow:
        biller = vetting.reinstate(uow, biller_id=chosen.biller, by=chosen.by, note=chosen.because)
        uow.commit()
    is_back = biller.state == BillerState.VETTED
    print(f"{chosen.biller} is " + ("vetted again" if is_back else "suspended still: another person is to say so"))
    return 0


def _show(chosen: argparse.Namespace) -> int:
    line = _line_of(machinery.services(), chosen.biller)
    biller = line.biller
    print(f"{biller.id}  {biller.name}  {biller.country}  {biller.state}")
    if biller.vetted_since is not None:
        print(f"  vetted since {biller.vetted_since:%Y-%m-%d}")
    _say_known(line)
    for each in line.history:
        why = f": {each.note}" if each.note else ""
        print(f"    {each.at:%Y-%m-%d %H:%M}  {each.step} by {each.by}{why}")
    return 0


def _list(_: argparse.Namespace) -> int:
    from app.people import vetting

    with machinery.services().reading() as uow:
        billers = vetting.all_billers(uow.session)
    for each in billers:
        since = f"  since {each.vetted_since:%Y-%m-%d}" if each.vetted_since else ""
        print(f"{each.id}  {each.name}  {each.country}  {each.state}{since}")
    print(f"{len(billers)} billers")
    return 0
