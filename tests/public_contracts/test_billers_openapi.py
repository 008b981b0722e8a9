"""The billers' API against its own description: valid, complete, and true under values that nobody thought of."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.people.clients import SCOPES
from app.services import Services
from app.web.billers.limits import limiter
from tests.support.billers_spec import description
from tests.support.billers_world import World, json_bill
from tests.support.thorough import thorough

#: requests for each operation, right ones and wrong ones: about 90 in all
EXAMPLES_MAX = thorough(5, 15)


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize(
    "database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@on_sqlite
def test_the_description_is_valid_openapi(app: Flask) -> None:
    spec = description(app)
    assert spec["openapi"] == "3.1.1"
    OpenAPIV31SpecValidator(spec).validate()


@on_sqlite
def test_every_operation_says_what_a_biller_must_know(app: Flask) -> None:
    spec = description(app)
    assert set(spec["paths"]) == {
        "/api/v1/answer-policy",
        "/api/v1/answers",
        "/api/v1/answers/{answer_id}",
        "/api/v1/answers/{answer_id}/reply",
        "/api/v1/bills",
        "/api/v1/bills/{bill_id}",
        "/api/v1/bills/{bill_id}/answer",
        "/api/v1/bills/{bill_id}/conformance",
        "/api/v1/bills/{bill_id}/proof",
        "/api/v1/bills/{bill_id}/withdrawal",
        "/api/v1/connections",
        "/api/v1/connections/{connection_id}",
        "/api/v1/connections/{connection_id}/check",
        "/api/v1/connections/{connection_id}/confirm",
        "/api/v1/connections/{connection_id}/end",
        "/api/v1/connections/{connection_id}/refuse",
        "/api/v1/payments/{payment_id}",
        "/api/v1/payments/{payment_id}/confirmation",
        "/api/v1/redemptions",
        "/api/v1/redemptions/{redemption_id}",
        "/api/v1/refunds",
        "/api/v1/refunds/{refund_id}",
        "/api/v1/refunds/{refund_id}/sent",
        "/api/v1/refunds/{refund_id}/withdraw",
        "/api/v1/uploads",
        "/api/v1/uploads/{upload_id}",
        "/api/v1/uploads/{upload_id}/lines",
    }
    scopes = spec["components"]["securitySchemes"]["biller"]["flows"]["clientCredentials"]["scopes"]
    assert scopes == SCOPES
    for path in spec["paths"].values():
        for name, operation in path.items():
            if name == "parameters":
                continue
            assert operation["operationId"]
            assert operation["summary"]
            assert operation["description"]
            (security,) = operation["security"]
            assert set(security["biller"]) <= set(SCOPES)
            for status, answer in operation["responses"].items():
                expected = {"application/json"} if status < "400" else {"application/problem+json"}
                if operation["operationId"] == "getAnswer" and status == "200":
                    expected |= {"application/xml"}  # in the form in which the request came
                assert set(answer["content"]) == expected, status


@on_sqlite
def test_amounts_are_texts(app: Flask) -> None:
    schemas = description(app)["components"]["schemas"]
    for schema, name in (("Bill", "amount"), ("DeliveredBill", "amount"), ("Payment", "amount")):
        assert schemas[schema]["properties"][name]["type"] == "string"
        assert schemas[schema]["properties"][name]["pattern"]


@on_sqlite
def test_nothing_about_the_payer(app: Flask) -> None:
    """Every word a biller can ever read about a payment; a new one must be argued for here."""
    assert set(description(app)["components"]["schemas"]["Payment"]["properties"]) == {
        "id",
        "bill_id",
        "number",
        "status",
        "amount",
        "currency",
        "end_to_end_id",
        "decided_at",
        "pay_on",  # a day that the payer chose, and on which the biller is paid
        "settled_at",
        "updated_at",
        "sequence",
    }


@on_sqlite
def test_nothing_about_what_a_customer_has_with_others(app: Flask) -> None:
    """Every word a biller can ever read about a customer; a new one must be argued for here."""
    schemas = description(app)["components"]["schemas"]
    assert set(schemas["Connection"]["properties"]) == {
        "id",
        "status",
        "customer_name",
        "customer_reference",
        "address",
        "expected_on",
        "since",
        "sequence",
    }
    assert set(schemas["BillAnswer"]["properties"]) == {
        "id",
        "bill_id",
        "number",
        "kind",
        "state",
        "reason",
        "words",
        "lines",
        "paid_on",
        "until",
        "instalments",  # proposed to this biller
        "reply_by",
        "said_at",
        "ended_at",
        "ended_by",
        "reply",
        "sequence",
    }
    assert set(schemas["Redemption"]["properties"]) == {
        "id",
        "status",
        "customer_reference",
        "presented_at",
        "expires_at",
        "connection_id",
    }


@pytest.mark.slow
@on_postgres
def test_schemathesis_finds_nothing(app: Flask, services: Services) -> None:
    """No crash, no answer that is not described, no wrong input that is taken, no operation without its token.

    On PostgreSQL, which is the pickier one (NUL bytes, lone surrogates). A request that fits the schema may still be
    refused: no schema says who is connected, so that one check is left out.
    """
    limiter.reset()
    world = World(services, app.test_client())
    program = world.program(scope=" ".join(SCOPES))
    bill_id = program.deliver(json_bill(program, world.connect(program))).get_json()["id"]
    bearer = program.bearer(" ".join(SCOPES))
    called: list[int] = []

    def call(case: Case[Any]) -> None:
        limiter.reset()
        if "bill_id" in case.path_parameters and len(called) % 2:
            case.path_parameters["bill_id"] = bill_id
        answer = case.call_and_validate(headers=bearer, excluded_checks=[positive_data_acceptance])
        called.append(answer.status_code)

    schema: Any = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    for operation in schema.get_all_operations():
        takes = [*operation.ok().iter_parameters(), *operation.ok().body]
        for mode in GenerationMode if takes else [GenerationMode.POSITIVE]:  # without input none is wrong
            cases = operation.ok().as_strategy(generation_mode=mode)
            _BOUNDED(given(case=cases)(call))()
    assert {200, 404, 422} <= set(called)
    assert max(called) < 500


_BOUNDED = settings(
    max_examples=EXAMPLES_MAX,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
