"""`quittance biller`: billers, their programs and webhooks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from app.cli import machinery
from app.cli.words import add_word


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


def _client(chosen: argparse.Namespace) -> int:
    from app.errors import Invalid
    from app.people.clients import add_client

    try:
        jwks = json.loads(chosen.jwks.read_text("utf-8"))
    except ValueError as error:
        raise Invalid("jwks", f"{chosen.jwks} is not JSON: {error}.") from error
    if not isinstance(jwks, dict):
        raise Invalid("jwks", f"{chosen.jwks} is not a JWK Set: an object with keys.")
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
