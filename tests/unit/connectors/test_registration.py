"""Registering at a UK bank: over TLS with our certificate, signed by our key, and judged by OBL's own file."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest
from werkzeug.wrappers import Request, Response

from connectors.errors import BankRefused, BankSilent
from connectors.registry import Registry
from connectors.security.registration import Registered, Registration, RegistrationError, Wanted
from tests.support.bank_keys import SIGNING
from tests.support.judges import clock
from tests.support.shared import shared_folder
from tests.support.uk_bank_door import Door, json_answer, open_door

FILE = """
name = "Albion"
country = "GB"
standard = "openbanking_uk"
version = "4.0"
base_url = "URL/open-banking/v4.0/pisp"
issuer = "URL"
client_id = "c-1/é"
profile = "fapi1_advanced"
keys = "albion"
organisation_id = "0015800001041RHAAY"
software_id = "1p8bGrHhJRrphjFk0qwNAU"
bank_organisation_id = "0015800000jfQ9aAAE"
"""
DIRECTORY = RSAKey.generate_key(2048, {"kid": "directory"}, private=True)
RETURN = "https://bills.example/banks/albion/return"
IN_PATH = "/register/c-1%2F%C3%A9"


def statement(**changes: Any) -> str:
    said = {
        "iss": "OpenBanking Ltd",
        "iat": int(clock().timestamp()),
        "software_id": "1p8bGrHhJRrphjFk0qwNAU",
        "org_id": "0015800001041RHAAY",
        "software_redirect_uris": [RETURN, "https://127.0.0.1:8000/return"],
        **changes,
    }
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode({"alg": "PS256", "kid": "directory"}, kept, DIRECTORY, algorithms=["PS256"])


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("bank") / "albion") as door:
        yield door


@pytest.fixture
def door(opened: Door) -> Door:
    """A bank that takes what is well made, and keeps it."""
    opened.open_at(opened.url)
    opened.requests.clear()
    opened.answers["/register"] = lambda request: taken(request)
    opened.answers["/register/c-1/é"] = lambda request: by_verb(request)
    return opened


def taken(request: Request) -> Response:
    said = jwt.decode(request.get_data(as_text=True), SIGNING, algorithms=["PS256"]).claims
    answer = {**said, "client_id": "new-client", "client_secret": "s3cret"}
    return json_answer(answer, status=201)(request)


def by_verb(request: Request) -> Response:
    if request.headers.get("Authorization") != "Bearer s3cret-t0ken":
        return Response(status=401)
    if request.method == "DELETE":
        return Response(status=204)
    if request.method == "PUT":
        return json_answer({**json.loads(taken(request).get_data()), "client_id": "c-1/é"})(request)
    return json_answer({"client_id": "c-1/é", "registration_access_token": "s3cret", "scope": "openid payments"})(
        request
    )


def registration(door: Door, file: str = FILE) -> Registration:
    folder = door.folder.parent / "banks"
    folder.mkdir(exist_ok=True)
    (folder / "albion.toml").write_text(file.replace("URL", door.url))
    banks = Registry.from_folder(
        folder,
        sandbox_bank_url=None,
        client_key=ECKey.generate_key("P-256").as_dict(private=True),
        allow_http=False,
        bank_keys=door.folder.parent,
    )
    return Registration(banks.profile("albion"), banks.line("albion"), now=clock())


def create(door: Door, file: str = FILE, *uris: str, **changes: Any) -> Registered:
    return registration(door, file).create(Wanted(statement=statement(**changes), redirect_uris=uris or [RETURN]))


def sent(door: Door) -> tuple[Request, dict[str, Any]]:
    [request] = [one for one in door.requests if one.path == "/register"]
    token = jwt.decode(request.get_data(as_text=True), SIGNING, algorithms=["PS256"])
    assert token.header == {"typ": "JWT", "alg": "PS256", "kid": "ours-1"}
    return request, dict(token.claims)


def test_we_are_registered(door: Door) -> None:
    done = create(door)
    assert done.client_id == "new-client"
    assert not {"client_secret", "software_statement"} & done.members.keys()
    request, said = sent(door)
    assert request.headers["Content-Type"] == "application/jwt"
    assert "Authorization" not in request.headers
    assert (said["iss"], said["aud"]) == ("1p8bGrHhJRrphjFk0qwNAU", "0015800000jfQ9aAAE")
    assert said["exp"] - said["iat"] == 300
    assert said["redirect_uris"] == [RETURN]
    assert said["response_types"] == ["code id_token"]
    assert said["token_endpoint_auth_method"] == "private_key_jwt"
    assert said["token_endpoint_auth_signing_alg"] == "PS256"
    assert "tls_client_auth_subject_dn" not in said


@pytest.mark.parametrize("offered", [["authorization_code", "refresh_token"], ["authorization_code"], None])
@pytest.mark.parametrize("line", ["", 'recurring = ["other"]\n'], ids=["single", "recurring"])
def test_who_keeps_standing_consents_asks_for_refresh_tokens_where_there_are_any(
    door: Door, line: str, offered: list[str] | None
) -> None:
    if offered is not None:
        door.metadata["grant_types_supported"] = offered
    create(door, FILE + line)
    wanted = bool(line) and "refresh_token" in (offered or [])
    assert ("refresh_token" in sent(door)[1]["grant_types"]) is wanted


def test_by_certificate_it_names_the_subject(door: Door) -> None:
    file = FILE + 'client_auth = "tls_client_auth"\n'
    create(door, file)
    subject = "CN=0015800001041RHAAY,{}=PSDGB-FCA-000000,O=Quittance,C=GB"
    said = sent(door)[1]
    assert said["tls_client_auth_subject_dn"] == subject.format("organizationIdentifier")
    assert "token_endpoint_auth_signing_alg" not in said
    door.requests.clear()
    create(door, file + "[quirks]\nregistration_subject_by_oid = true\n")
    assert sent(door)[1]["tls_client_auth_subject_dn"] == subject.format("2.5.4.97")


def test_registration_as_jose(door: Door) -> None:
    create(door, FILE + "[quirks]\nregistration_as_jose = true\n")
    assert sent(door)[0].headers["Content-Type"] == "application/jose"


def test_a_bank_without_an_organisation_is_addressed_by_its_issuer(door: Door) -> None:
    create(door, FILE.replace('bank_organisation_id = "0015800000jfQ9aAAE"', ""))
    assert sent(door)[1]["aud"] == door.url


@pytest.mark.parametrize(
    ("changes", "uris", "told"),
    [
        ({"software_id": "other"}, [RETURN], "is for software_id 'other', albion.toml says '1p8b"),
        ({"software_id": None}, [RETURN], "is for software_id 'None'"),
        ({"org_id": "other"}, [RETURN], "is of org_id 'other', albion.toml says '0015"),
        ({"exp": 1}, [RETURN], "has expired"),
        ({}, ["https://other.example/return"], "is not among the software_redirect_uris"),
        ({}, [RETURN, "https://other.example/return"], "is not among the software_redirect_uris"),
        ({}, ["http://bills.example/return"], "must be https, and not localhost"),
        ({}, ["https://localhost/return"], "must be https, and not localhost"),
        ({}, ["nonsense"], "must be https"),
    ],
)
def test_what_would_be_refused_is_not_sent(door: Door, changes: dict[str, Any], uris: list[str], told: str) -> None:
    with pytest.raises(RegistrationError, match=told):
        create(door, FILE, *uris, **changes)
    assert [one for one in door.requests if one.path == "/register"] == []


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.W10.c2ln", '{"software_id": "x"}'])
def test_what_is_no_statement(door: Door, text: str) -> None:
    with pytest.raises(RegistrationError, match="is not a JWT"):
        registration(door).create(Wanted(statement=text, redirect_uris=[RETURN]))


def test_it_is_read_changed_and_deleted_as_ourselves(door: Door) -> None:
    ours = registration(door)
    shown = ours.show()
    assert shown.members == {"client_id": "c-1/é", "scope": "openid payments"}
    assert ours.update(Wanted(statement=statement(), redirect_uris=[RETURN])).members["redirect_uris"] == [RETURN]
    ours.delete()
    assert [one.method for one in door.requests if one.path.startswith("/register/")] == ["GET", "PUT", "DELETE"]
    assert all(one.environ["REQUEST_URI"] == IN_PATH for one in door.requests if one.path.startswith("/register/"))


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"error": "invalid_redirect_uri", "error_description": "not yours"}, "invalid_redirect_uri"),
        (400, {"error": "unapproved_software_statement"}, "unapproved_software_statement"),
        (400, [], "http_400"),
        (403, {}, "http_403"),
        (404, {}, "http_404"),
        (405, {}, "http_405"),
    ],
)
def test_a_refusal_says_why(door: Door, status: int, body: object, code: str) -> None:
    door.answers["/register"] = json_answer(body, status=status)
    with pytest.raises(BankRefused) as caught:
        create(door)
    assert caught.value.code == code


@pytest.mark.parametrize("body", [{}, [], {"client_id": 7}])
def test_an_answer_that_cannot_be_read_is_not_a_refusal(door: Door, body: object) -> None:
    door.answers["/register"] = json_answer(body, status=201)
    with pytest.raises(BankSilent):
        create(door)


def test_a_bank_that_has_no_place_for_it(door: Door) -> None:
    del door.metadata["registration_endpoint"]
    with pytest.raises(RegistrationError, match=r"do it on its portal, and write the client_id into albion.toml"):
        create(door)


# ---------------------------------------------------------------------------------------------------- the official file


@pytest.fixture(scope="module")
def official() -> OpenAPI:
    """OBL's file, which has the body as one text; here as what that text decodes to."""
    path: Path = shared_folder() / "specs" / "obie" / "dcr" / "client-registration-openapi.yaml"
    read = copy.deepcopy(yaml.safe_load(path.read_text("utf-8")))
    read["servers"] = [{"url": "https://bank.example"}]
    schema = {"$ref": "#/components/schemas/OBClientRegistration1"}
    read["components"]["requestBodies"]["ClientRegistration"]["content"]["application/json"]["schema"] = schema
    return OpenAPI.from_dict(read, config=Config(spec_validator_cls=None))


def judged(official: OpenAPI, said: dict[str, Any]) -> None:
    official.validate_request(
        MockRequest(
            "https://bank.example", "post", "/register", data=json.dumps(said).encode(), content_type="application/json"
        )
    )


@pytest.mark.shared
@pytest.mark.parametrize("client_auth", ["private_key_jwt", "tls_client_auth"])
@pytest.mark.parametrize("profile", ["fapi1_advanced", "fapi1_advanced_jarm", "fapi2_mtls"])
def test_the_official_file_takes_what_we_ask_for(door: Door, official: OpenAPI, client_auth: str, profile: str) -> None:
    create(door, FILE.replace("fapi1_advanced", profile) + f'client_auth = "{client_auth}"\n')
    judged(official, sent(door)[1])


@pytest.mark.shared
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "a-b"},
        {"aud": "https://bank.example"},
        {"jti": "1"},
        {"redirect_uris": "x"},
        {"response_types": ["token"]},
        {"grant_types": ["password"]},
        {"tls_client_auth_subject_dn": "O=x"},
        {"software_statement": None},
    ],
    ids=str,
)
def test_the_judge_sees_one_fault(door: Door, official: OpenAPI, changes: dict[str, Any]) -> None:
    create(door)
    said = {name: value for name, value in {**sent(door)[1], **changes}.items() if value is not None}
    with pytest.raises(OpenAPIError):
        judged(official, said)
