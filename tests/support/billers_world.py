"""Billers, their programs and bills for tests of the billers' door."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.people.clients import add_client
from app.services import Services
from app.tables import metadata
from app.web.billers.examples import JSON_BILL, UBL_BILL
from tests.support import factories
from tests.support.billers_door import ALL_SCOPES, Program, new_key, public_jwks


@dataclass
class World:
    """Who is there, and what to send."""

    services: Services
    http: FlaskClient

    def program(self, *, scope: str = ALL_SCOPES) -> Program:
        """A new biller and its program."""
        made = factories.make_biller(self.services, scope=scope)
        return Program(
            http=self.http,
            clock=self.services.clock,
            biller_id=made.id,
            iban=made.iban,
            vat_id=made.vat_id,
            client_id=made.client_id,
            key=ECKey.import_key(made.private_jwk),
        )

    def second_program(self, first: Program, *, scope: str = ALL_SCOPES, alg: str = "ES256") -> Program:
        """Another program of the same biller."""
        key = new_key(alg)
        with self.services.unit_of_work() as uow:
            client_id = add_client(uow, biller_id=first.biller_id, jwks=public_jwks(key), scope=scope)
            uow.commit()
        return replace(first, client_id=client_id, key=key)

    def connect(self, program: Program) -> str:
        """The address of a new customer for this program's biller."""
        customer = factories.make_customer(self.services)
        return factories.connect(self.services, customer_id=customer.id, biller_id=program.biller_id)

    def rows(self) -> dict[str, int]:
        """How many rows each table has: what was written, and that nothing was."""
        with self.services.reading() as uow:
            return {
                name: uow.session.scalar(select(func.count()).select_from(table)) or 0
                for name, table in metadata.tables.items()
            }

    def refuses(
        self, ask: Callable[..., TestResponse], *what: Any, notes: Collection[str] = (), **more: Any
    ) -> TestResponse:
        """The answer to a request that must write nothing (but the assertion that its token cost, and ``notes``)."""
        before = self.rows()
        answer = ask(*what, **more)
        after = self.rows()
        for table in ("used_assertion", *notes):
            after[table] = before[table]
        assert after == before
        return answer


def json_bill(program: Program, to: str, **changes: Any) -> bytes:
    """The example of the API's description, from this biller to this address."""
    payee = {"name": "Aquarelle Eau SA", "iban": program.iban}
    return json.dumps({**JSON_BILL, "to": to, "payee": payee, **changes}).encode()


def ubl_bill(program: Program, to: str, *, number: str = "AQ-2026-0042") -> bytes:
    """The example of the API's description, from this biller to this address."""
    named = UBL_BILL.replace(JSON_BILL["to"], to).replace(JSON_BILL["payee"]["iban"], program.iban)
    return named.replace("AQ-2026-0042", number).encode()
