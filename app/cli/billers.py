"""`quittance biller`: billers, their accounts, programs and webhooks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli import machinery, vetting
from app.cli.words import a_moment, add_word

if TYPE_CHECKING:
    from app.services import Services
    from connectors.payee_name import NameAnswer


#: of a program that is let in without another word
SCOPE = (
    "bills:write bills:read payments:read connections:read connections:write answers:read answers:write"
    " refunds:read refunds:write"
)


def add(words: Any) -> None:
    biller = add_word(words, "biller", None, "billers, their programs and webhooks")
    verbs = biller.add_subparsers(metavar="COMMAND", required=True)
    vetting.add(verbs)
    _add_accounts(verbs)
    client = add_word(verbs, "client", _client, "let a program of a biller in, by its public keys")
    client.add_argument("biller", help="blr_…")
    client.add_argument("--jwks", required=True, type=Path, help="file with a JWK Set, public keys only")
    client.add_argument("--scope", default=SCOPE)
    scope = add_word(verbs, "scope", _scope, "say what a program of a biller may do from now on")
    scope.add_argument("client", help="cli_…")
    scope.add_argument("scope", help=f'all of it: "{SCOPE}"')
    _add_keys(verbs)
    webhook = add_word(verbs, "webhook", _webhook, "send a biller signed messages")
    webhook.add_argument("biller", help="blr_…")
    webhook.add_argument("url")


def _add_accounts(verbs: Any) -> None:
    account = add_word(verbs, "account", None, "the accounts that a biller's bills may name: docs/accounts.md")
    steps = account.add_subparsers(metavar="STEP", required=True)
    propose = add_word(steps, "propose", _propose, "write down an account as the biller's, and have its name checked")
    propose.add_argument("biller", help="blr_…")
    propose.add_argument("iban")
    propose.add_argument("--holder", help="whose account it is, where that is not the biller's own name")
    check = add_word(steps, "check", _check, "ask the payee's bank again whether name and account belong together")
    approve = add_word(
        steps, "approve", _approve, "be sure of it: by the second person it is open after the waiting time"
    )
    approve.add_argument("--holder", required=True, help="whose account it is, as you have looked it up")
    approve.add_argument("--despite", metavar="REASON", help="why it is right although the name does not match")
    freeze = add_word(steps, "freeze", _freeze, "pay nothing to it from now on; payments under way are stopped")
    unfreeze = add_word(steps, "unfreeze", _unfreeze, "want it open again: by the second person it is")
    close = add_word(steps, "close", _close, "refuse it, or give it up")
    for each in (freeze, unfreeze, close):
        each.add_argument("--because", required=True, metavar="REASON", help="in words, for who reads its history")
    for each in (check, approve, freeze, unfreeze, close):
        each.add_argument("account", help="acc_…")
    for each in (propose, check, approve, freeze, unfreeze, close):
        each.add_argument("--by", required=True, metavar="OPERATOR", help="who does this: a name without spaces")
    listed = add_word(steps, "list", _accounts, "list them, and who did what about each")
    listed.add_argument("biller", nargs="?", help="blr_…; without it those of all billers")


def _propose(chosen: argparse.Namespace) -> int:
    from app.people import accounts

    services = machinery.services()
    with services.unit_of_work() as uow:
        account = accounts.propose(uow, biller_id=chosen.biller, iban=chosen.iban, holder=chosen.holder, by=chosen.by)
        uow.commit()
    print(f"{account.id}  {account.iban}  {account.holder}")
    say_answer(account.id, accounts.check_name(services, account_id=account.id, by=chosen.by))
    return 0


def _check(chosen: argparse.Namespace) -> int:
    from app.people import accounts

    answer = accounts.check_name(machinery.services(), account_id=chosen.account, by=chosen.by)
    say_answer(chosen.account, answer)
    return 0


def say_answer(account_id: str, answer: NameAnswer) -> None:
    from connectors.payee_name import NameMatch

    words = {
        NameMatch.MATCH: "its bank says that name and account belong together",
        NameMatch.CLOSE_MATCH: f"its bank says that it is nearly this name: {answer.name}",
        NameMatch.NO_MATCH: "its bank says that the account does NOT belong to this name",
        NameMatch.NOT_POSSIBLE: "nobody could say whether name and account belong together",
    }
    print(f"{account_id}: {words[answer.outcome]}")


def _approve(chosen: argparse.Namespace) -> int:
    approve_account(machinery.services(), chosen.account, holder=chosen.holder, by=chosen.by, despite=chosen.despite)
    return 0


def approve_account(services: Services, account_id: str, *, holder: str, by: str, despite: str | None) -> None:
    import datetime as dt

    from app.people import accounts
    from app.people.account_states import AccountState

    wait = dt.timedelta(hours=services.settings.account_wait_hours)
    with services.unit_of_work() as uow:
        account = accounts.approve(uow, account_id=account_id, holder=holder, by=by, wait=wait, despite=despite)
        uow.commit()
    print(f"{account.iban}  {account.holder}")
    if account.state == AccountState.APPROVED and account.active_from is not None:
        print(f"{account_id}: open from {account.active_from:%Y-%m-%d %H:%M} UTC on")
    else:
        print(f"{account_id}: approved by {by}; another person is to approve it")


def _freeze(chosen: argparse.Namespace) -> int:
    from app.people import accounts

    with machinery.services().unit_of_work() as uow:
        accounts.freeze(uow, account_id=chosen.account, by=chosen.by, note=chosen.because)
        uow.commit()
    print(f"{chosen.account} is frozen: nothing is paid to it any more")
    return 0


def _unfreeze(chosen: argparse.Namespace) -> int:
    from app.people import accounts
    from app.people.account_states import AccountState

    with machinery.services().unit_of_work() as uow:
        account = accounts.unfreeze(uow, account_id=chosen.account, by=chosen.by, note=chosen.because)
        uow.commit()
    is_over = account.state == AccountState.APPROVED
    print(f"{chosen.account} is " + ("not frozen any more" if is_over else "frozen still: another person is to say so"))
    return 0


def _close(chosen: argparse.Namespace) -> int:
    from app.people import accounts

    with machinery.services().unit_of_work() as uow:
        accounts.close(uow, account_id=chosen.account, by=chosen.by, note=chosen.because)
        uow.commit()
    print(f"{chosen.account} is closed")
    return 0


def _accounts(chosen: argparse.Namespace) -> int:
    from app.people import accounts

    with machinery.services().reading() as uow:
        lines = accounts.accounts_of(uow.session, now=uow.now, biller_id=chosen.biller)
    for each in lines:
        account = each.account
        state = "open" if each.is_open else "waiting" if account.state == "approved" else account.state
        print(f"{account.id}  {each.biller_name}  {account.iban}  {account.holder}  {state}")
        if account.active_from is not None:
            print(f"    from {account.active_from:%Y-%m-%d %H:%M} UTC")
        for line in each.history:
            said = (
                f" ({line.name_check}{f': {line.name_found}' if line.name_found else ''})"
                if line.step == "check"
                else ""
            )
            print(
                f"    {line.at:%Y-%m-%d %H:%M}  {line.step}{said} by {line.by}{f': {line.note}' if line.note else ''}"
            )
    return 0


def _add_keys(verbs: Any) -> None:
    keys = add_word(verbs, "key", None, "the keys with which a biller seals its bills")
    key_verbs = keys.add_subparsers(metavar="COMMAND", required=True)
    add = add_word(
        key_verbs, "add", _key_add, "let a biller seal with a key; from then on what it does not seal is held"
    )
    add.add_argument("biller", help="blr_…")
    add.add_argument("--jwk", required=True, type=Path, help="file with the public key, a JWK: P-256, RSA or Ed25519")
    add.add_argument("--from", dest="valid_from", type=a_moment, help="from when it is good; else from now")
    add.add_argument("--until", dest="valid_until", type=a_moment, help="until when; else for three years")
    revoke = add_word(key_verbs, "revoke", _key_revoke, "take a key back: what it sealed since then is not sealed")
    revoke.add_argument("key", help="key_…")
    revoke.add_argument("--since", type=a_moment, help="when it may have come into other hands; else now")
    revoke.add_argument("--because", required=True, help="why, in a sentence: it stands in the log for ever")
    of = add_word(key_verbs, "list", _key_list, "all keys that a biller ever had")
    of.add_argument("biller", help="blr_…")


def _key_add(chosen: argparse.Namespace) -> int:
    from app.people.sealing_keys import add_key

    with machinery.services().unit_of_work() as uow:
        key = add_key(
            uow,
            biller_id=chosen.biller,
            jwk=_json_of(chosen.jwk, "a JWK"),
            valid_from=chosen.valid_from,
            valid_until=chosen.valid_until,
        )
        uow.commit()
    print(
        f"{key.id}  kid {key.kid}  good from {key.valid_from:%Y-%m-%d %H:%M}Z until {key.valid_until:%Y-%m-%d %H:%M}Z"
    )
    return 0


def _key_revoke(chosen: argparse.Namespace) -> int:
    from app.people.sealing_keys import revoke_key

    with machinery.services().unit_of_work() as uow:
        key = revoke_key(uow, key_id=chosen.key, because=chosen.because, since=chosen.since)
        uow.commit()
    print(f"{key.id} is no good since {key.revoked_since:%Y-%m-%d %H:%M}Z")
    return 0


def _key_list(chosen: argparse.Namespace) -> int:
    from app.people.sealing_keys import keys_of

    with machinery.services().reading() as uow:
        found = keys_of(uow.session, biller_id=chosen.biller)
    for key in found:
        taken_back = f"  taken back since {key.revoked_since:%Y-%m-%d %H:%M}Z" if key.revoked_since else ""
        print(f"{key.id}  kid {key.kid}  {key.valid_from:%Y-%m-%d} to {key.valid_until:%Y-%m-%d}{taken_back}")
    print(f"{len(found)} keys")
    return 0


def _json_of(path: Path, what: str) -> dict[str, Any]:
    """Raises Invalid."""
    from app.errors import Invalid

    try:
        read = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise Invalid("jwks", f"{path} is not JSON: {error}.") from error
    if not isinstance(read, dict):
        raise Invalid("jwks", f"{path} is not {what}: an object.")
    return read


def _client(chosen: argparse.Namespace) -> int:
    from app.people.clients import add_client

    jwks = _json_of(chosen.jwks, "a JWK Set")
    with machinery.services().unit_of_work() as uow:
        client_id = add_client(uow, biller_id=chosen.biller, jwks=jwks, scope=chosen.scope)
        uow.commit()
    print(client_id)
    return 0


def _scope(chosen: argparse.Namespace) -> int:
    from app.people.clients import change_scope

    with machinery.services().unit_of_work() as uow:
        change_scope(uow, client_id=chosen.client, scope=chosen.scope)
        uow.commit()
    return 0


def _webhook(chosen: argparse.Namespace) -> int:
    from app.errors import NotFound
    from app.journey.webhooks.service import add_endpoint
    from app.people.models import Biller

    services = machinery.services()
    with services.unit_of_work() as uow:
        if uow.session.get(Biller, chosen.biller) is None:
            raise NotFound("biller")
        endpoint_id, secret = add_endpoint(services, uow, biller_id=chosen.biller, url=chosen.url)
        uow.commit()
    print(f"{endpoint_id}\n{secret}  (shown this once: give it to the biller)")
    return 0
