"""Is an answer what the API's own description says it would be?"""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Flask
from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from werkzeug.test import TestResponse

_ROOT = "urn:openapi"


def description(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/api/v1/openapi.json").get_json()
    return found


@cache
def _operations(app: Flask) -> dict[str, Any]:
    return description(app)


def conforms(app: Flask, answer: TestResponse) -> None:
    """Status, media type and body are among those of the operation that was called. Raises AssertionError."""
    spec = _operations(app)
    adapter = app.url_map.bind("localhost")
    rule, _ = adapter.match(answer.request.path, method=answer.request.method, return_rule=True)
    path = rule.rule.replace("<", "{").replace(">", "}")
    operation = spec["paths"][path][answer.request.method.lower()]
    responses = operation["responses"]
    assert str(answer.status_code) in responses, f"{answer.status_code} is not described: {answer.text}"
    content = responses[str(answer.status_code)]["content"]
    assert answer.mimetype in content, f"{answer.mimetype} is not described"
    registry: Any = Registry().with_resource(_ROOT, DRAFT202012.create_resource(spec))
    schema = _absolute(content[answer.mimetype]["schema"])
    OAS31Validator(schema, registry=registry, format_checker=OAS31Validator.FORMAT_CHECKER).validate(answer.get_json())


def _absolute(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _ROOT + v if k == "$ref" else _absolute(v) for k, v in node.items()}
    return [_absolute(item) for item in node] if isinstance(node, list) else node
