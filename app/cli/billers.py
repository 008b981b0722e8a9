"""`quittance biller`: billers, their programs and webhooks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from app.cli import machinery
from app.cli.words import a_moment, add_word


def add(words: Any) -> None:
    biller = add_word(words, "biller", None, "billers, their programs and webhooks")
    verbs = biller.add_subparsers(metavar="COMMAND", required=True)
    add = add_word(verbs, "add", _add, "let a vetted company in")
    add.add_argument("name")
    add.add_argument("--country", required=True, help="two letters, as FR")
    add.add_argument("--vat", help="its VAT number")
    add.add_argument("--iban", required=True, action="append", help="an account that was vetted as its own; may repeat")
    client = add_word(verbs, "client", _client, "let a program of a biller in, by its public keys")
    client.add_argument("biller", help="blr_…")
    client.add_argument("--jwks", required=True, type=Path, help="file with a JWK Set, public keys only")
    client.add_argument("--scope", default="bills:write bills:read payments:read connections:read connections:write")
    scope = add_word(verbs, "scope", _scope, "say what a program of a biller may do from now on")
    scope.add_argument("client", help="cli_…")
    scope.add_argument("scope", help='all of it: "bills:write bills:read connections:read connections:write"')
    _add_keys(verbs)
    webhook = add_word(verbs, "webhook", _webhook, "send a biller signed messages")
    webhook.add_argument("biller", help="blr_…")
    webhook.add_argument("url")


def _add(chosen: argparse.Namespace) -> int:
    from app.journey.connections import invitations
    from app.people.billers import add_biller

    with machinery.services().unit_of_work() as uow:
        biller = add_biller(uow, name=chosen.name, country=chosen.country, vat_id=chosen.vat, ibans=chosen.iban)
        invited = invitations.accept(uow, biller)
        uow.commit()
    print(biller.id)
    if invited:
        print(f"{invited} had invited it, and see now that it is here")
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
