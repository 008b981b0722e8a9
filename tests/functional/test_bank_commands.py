"""`quittance bank …` as an operator types it, against a bank on a real TLS socket: right, and wrong in one thing."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from werkzeug.wrappers import Request, Response

from app.cli import main
from app.demo.processes import free_ports
from app.keys.installation import Keys
from connectors.berlin_group.wire import SCOPE as BERLIN_GROUP_SCOPE
from connectors.inspection.check import SCOPES
from connectors.openbanking_uk.wire import SCOPE as UK_SCOPE
from connectors.stet.wire import SCOPE as STET_SCOPE
from tests.support.bank_keys import CLIENT, SERVER, SIGNING, make_bank_keys, make_certificate
from tests.support.judges import certificate, clock
from tests.support.thorough import spread
from tests.support.uk_bank_door import Door, json_answer, open_door

FILE = """
name = "Albion"
country = "GB"
standard = "openbanking_uk"
version = "4.0"
base_url = "URL/open-banking/v4.0/pisp"
issuer = "URL"
client_id = "quittance"
profile = "fapi1_advanced"
keys = "albion"
organisation_id = "0015800001041RHAAY"
software_id = "1p8bGrHhJRrphjFk0qwNAU"
"""


@pytest.fixture(autouse=True)
def books_in_order() -> None:
    """No database is asked here."""


@dataclass
class Here:
    """An installation with one bank."""

    folder: Path
    door: Door
    capsys: pytest.CaptureFixture[str]

    def write(self, text: str, *, stem: str = "albion") -> None:
        (self.folder / "banks" / f"{stem}.toml").write_text(text.replace("URL", self.door.url))

    def run(self, *arguments: str) -> tuple[int, str]:
        self.capsys.readouterr()
        status = main(["bank", *arguments])
        said = self.capsys.readouterr()
        return status, said.out + said.err


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    (tmp_path / "bank-keys").mkdir()
    with open_door(tmp_path / "bank-keys" / "albion") as opened:
        yield opened


@pytest.fixture
def here(tmp_path: Path, door: Door, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    for name in list(os.environ):
        if name.startswith("QUITTANCE_") and not name.startswith("QUITTANCE_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("QUITTANCE_DATA", str(tmp_path))
    monkeypatch.setenv("QUITTANCE_BANKS", str(tmp_path / "banks"))
    monkeypatch.setenv("QUITTANCE_BASE_URL", "https://bills.example")
    (tmp_path / "banks").mkdir()
    Keys.init(tmp_path / "keys")
    made = Here(tmp_path, door, capsys)
    made.write(FILE)
    return made


# ---------------------------------------------------------------------------------------------------------------- list


CAN = ["checks-funds", "notifies", "schedules", "submits", "tells-details"]


def test_the_list_says_what_each_can_do(here: Here) -> None:
    here.write(FILE.replace('keys = "albion"', 'keys = "boreas"').replace('"Albion"', '"Boreas"'), stem="boreas")
    status, said = here.run("list")
    head, albion, boreas = said.splitlines()
    assert status == 0
    assert head.split() == ["id", "name", "standard", "profile", "can", "state"]
    assert albion.split() == ["albion", "Albion", "openbanking_uk", "4.0", "fapi1_advanced", *CAN, "usable"]
    assert "not usable: " in boreas
    here.write(FILE + 'recurring = ["other"]\n')
    _, said = here.run("list")
    assert "recurs" in said.splitlines()[1].split()
    assert "bank-keys/boreas is not there: it is where our keys for the bank belong" in boreas


def test_a_wrong_file_is_named_with_its_line(here: Here) -> None:
    here.write(FILE + "[quirks]\nb64_heder = true\n")
    told = "albion.toml line 14: quirks.b64_heder: unknown; did you mean b64_header?"
    here.write(FILE.replace('"Albion"', '"Boreas"'), stem="boreas")
    status, said = here.run("list")
    _, boreas, wrong = said.splitlines()
    assert (status, wrong) == (1, f"wrong file          {told}")
    assert boreas.split()[:2] == ["boreas", "Boreas"]  # one that is wrong hides no other
    assert boreas.endswith("usable")
    assert here.run("check", "albion") == (1, f"wrong file          {told}\n")


# --------------------------------------------------------------------------------------------------------------- check


def test_a_good_bank_is_ok_in_every_line(here: Here) -> None:
    status, said = here.run("check", "albion")
    lines = [line.split(maxsplit=2) for line in said.splitlines()]
    assert status == 0, said
    assert [(verdict, step) for verdict, step, _ in lines] == [
        ("ok", "file"),
        ("ok", "keys"),
        ("ok", "certificate"),
        ("ok", "connection"),
        ("ok", "clock"),
        ("ok", "metadata"),
        ("ok", "jwks"),
        ("ok", "token"),
    ]


def test_another_banks_file_may_be_wrong(here: Here) -> None:
    here.write("name = ", stem="broken")
    assert here.run("check", "albion")[0] == 0


def test_a_bank_that_is_not_there(here: Here) -> None:
    status, said = here.run("check", "nobody")
    assert (status, said.count("\n")) == (1, 1)
    assert "has no nobody.toml" in said


def test_it_prints_no_secret(here: Here) -> None:
    said = here.run("check", "albion")[1] + here.run("list")[1]
    for secret in ("s3cret-t0ken", str(SIGNING.as_dict(private=True)["d"]), "PRIVATE KEY"):
        assert secret not in said


def test_the_scopes_are_those_of_the_connectors() -> None:
    assert SCOPES == {"berlin_group": BERLIN_GROUP_SCOPE, "openbanking_uk": UK_SCOPE, "stet": STET_SCOPE}


Fault = Callable[[Here], None]


def our_certificate(**how: Any) -> Fault:
    """Another one, by an authority that the bank knows as it knew the first."""

    def fault(here: Here) -> None:
        folder = here.door.folder
        authority = certificate(folder, "authority")
        make_certificate(folder / "client", signer=authority, **{"uses": CLIENT, **how})

    return fault


def file(old: str, new: str) -> Fault:
    assert old in FILE
    return lambda here: here.write(FILE.replace(old, new))


def metadata(**changes: Any) -> Fault:
    """A change to None takes a member away."""

    def fault(here: Here) -> None:
        said = {**here.door.metadata, **changes}
        here.door.metadata = {name: value for name, value in said.items() if value is not None}

    return fault


def answer(path: str, *, body: object = None, status: int = 200) -> Fault:
    def fault(here: Here) -> None:
        here.door.answers[path] = json_answer(body, status=status)

    return fault


def lost(name: str) -> Fault:
    return lambda here: (here.door.folder / name).unlink()


def foreign_authority(here: Here) -> None:
    certificate(here.folder, "authority")
    shutil.copy(here.folder / "authority.pem", here.door.folder / "ca.pem")


def mixed_up(here: Here) -> None:
    kept = (here.door.folder / "client.pem").read_bytes()
    make_bank_keys(here.door.folder)
    (here.door.folder / "client.pem").write_bytes(kept)


def nobody_listens(here: Here) -> None:
    here.write(FILE.replace("URL", f"https://127.0.0.1:{free_ports(1)[0]}"))


OPENID = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("fault", "told"),
    spread(
        [
            (lost("signing.json"), "wrong keys          .*signing.json cannot be read: No such file"),
            (lost("client.pem"), "wrong keys          .*client.pem cannot be read: No such file"),
            (mixed_up, "wrong keys          .*client.key is not the key of client.pem"),
            (our_certificate(begins=-9, ends=-1), "wrong certificate   .*it has ended; get a new one"),
            (our_certificate(begins=1), "wrong certificate   .*begins on .*: is the clock right"),
            (our_certificate(uses=SERVER), "wrong certificate   .*not for TLS clients"),
            (our_certificate(), "wrong connection    .* ends the TLS handshake .*: does it want our certificate"),
            (
                foreign_authority,
                "wrong connection    the certificate of 127.0.0.1:.* is not accepted: .*is it for ca.pem",
            ),
            (nobody_listens, "wrong connection    127.0.0.1:.* does not pick up"),
            (
                answer(OPENID, status=404),
                "wrong metadata      .* answers 404: is issuer right\\? else try openid = false",
            ),
            (answer(OPENID, status=500), "wrong metadata      the bank answered 500; they should be at https"),
            (answer(OPENID, body=[]), "wrong metadata      they cannot be read: the answer is not a JSON object"),
            (metadata(issuer="https://other.example"), "wrong metadata      .* of the issuer 'https://other.example'"),
            (
                file('issuer = "URL"', 'issuer = "URL/"'),
                "wrong metadata      .* of the issuer 'https://127.0.0.1:\\d+'",
            ),
            (
                metadata(token_endpoint="https://evil.example/token"),
                "wrong metadata      .*token_endpoint.*file's hosts",
            ),
            (metadata(jwks_uri=None), "wrong metadata      jwks_uri is missing: fapi1_advanced needs it"),
            (
                metadata(token_endpoint_auth_methods_supported=["tls_client_auth"]),
                "wrong metadata      token_endpoint_auth_methods_supported is tls_client_auth, without private_key_jwt",
            ),
            (
                metadata(token_endpoint_auth_signing_alg_values_supported=["RS256"]),
                "wrong metadata      token_endpoint_auth_signing_alg_values_supported is RS256, without PS256",
            ),
            (
                metadata(request_object_signing_alg_values_supported=["ES256"]),
                "wrong metadata      request_object_signing_alg_values_supported is ES256, without PS256",
            ),
            (
                metadata(id_token_signing_alg_values_supported=["RS256"]),
                "wrong metadata      id_token_signing_alg_values_supported is RS256, without PS256 or ES256",
            ),
            (
                metadata(response_types_supported=["code"]),
                "wrong metadata      response_types_supported is code, without code id_token",
            ),
            (
                metadata(scopes_supported=["accounts"]),
                "wrong metadata      scopes_supported is accounts, without payments",
            ),
            (
                metadata(code_challenge_methods_supported=[]),
                "wrong metadata      code_challenge_methods_supported is nothing",
            ),
            (answer("/jwks", body={"keys": []}), "wrong jwks          .*has no key that may sign"),
            (answer("/jwks", status=500), "wrong jwks          .*the bank answered 500"),
            (
                answer("/token", body={"error": "invalid_client"}, status=401),
                "wrong token         the bank refused a token: invalid_client: is client_id right",
            ),
            (
                answer("/token", body={"error": "odd"}, status=400),
                "wrong token         the bank refused a token: odd: ask the bank",
            ),
            (
                answer("/token", body={"access_token": "x", "token_type": "mac"}),
                "wrong token         .*not a token of the",
            ),
        ],
        every=3,
    ),
)
def test_one_thing_is_wrong(fault: Fault, told: str, here: Here) -> None:
    fault(here)
    status, said = here.run("check", "albion")
    wrong = [line for line in said.splitlines() if line.startswith("wrong")]
    assert status == 1
    assert len(wrong) == 1, said
    assert re.match(told, wrong[0]), wrong[0]


def test_keys_that_others_may_read_are_warned_of(here: Here) -> None:
    (here.door.folder / "client.key").chmod(0o644)
    status, said = here.run("check", "albion")
    assert status == 0
    assert re.search("warn  keys .*client.key may be read by others on this machine: chmod 600 it", said)


def test_a_certificate_near_its_end_is_warned_of(here: Here, tmp_path: Path) -> None:
    with open_door(tmp_path / "bank-keys" / "soon", ours=29.5) as door:
        here.door = door
        here.write(FILE.replace('keys = "albion"', 'keys = "soon"'))
        status, said = here.run("check", "albion")
        listed = here.run("list")[1]
    assert status == 0, said
    assert re.search("usable; .*, in 29 days: renew it now", listed)
    assert re.search("warn  certificate .*, in 29 days: renew it now", said)
    assert "ok    token" in said


@pytest.mark.parametrize(("ours_s", "verdict"), [(1, "ok"), (-1, "ok"), (120, "warn"), (-120, "warn")])
def test_clocks_that_differ_are_warned_of(
    ours_s: int, verdict: str, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.utc_now", lambda: clock() + dt.timedelta(seconds=ours_s))
    status, said = here.run("check", "albion")
    assert status == 0
    assert re.search(rf"(?m)^{verdict} +clock ", said), said


def test_a_server_whose_certificate_has_ended(here: Here, tmp_path: Path) -> None:
    with open_door(tmp_path / "bank-keys" / "late", begins=-2, ends=-1) as door:
        here.door = door
        here.write(FILE.replace('keys = "albion"', 'keys = "late"'))
        status, said = here.run("check", "albion")
    assert status == 1
    assert re.search("wrong connection .* is not accepted: certificate has expired", said), said


def test_a_host_without_an_address(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    status, said = here.run("check", "albion")
    assert status == 1
    assert "wrong connection    127.0.0.1 has no address (DNS)" in said


@pytest.mark.parametrize(
    ("profile", "changes", "told"),
    [
        (
            "fapi2_mtls",
            {"pushed_authorization_request_endpoint": None},
            "pushed_authorization_request_endpoint is missing",
        ),
        ("fapi2_dpop", {"dpop_signing_alg_values_supported": ["PS256"]}, "dpop_signing_alg_values_supported is PS256"),
        ("fapi1_advanced_jarm", {"response_modes_supported": ["query"]}, "response_modes_supported is query"),
        (
            "fapi1_advanced_jarm",
            {"authorization_signing_alg_values_supported": ["RS256"]},
            "authorization_signing_alg_values_supported is RS256",
        ),
    ],
)
def test_what_another_profile_needs(profile: str, changes: dict[str, Any], told: str, here: Here) -> None:
    here.write(FILE.replace("fapi1_advanced", profile))
    if profile == "fapi2_dpop":
        here.door.answers["/token"] = json_answer({"access_token": "t", "token_type": "DPoP", "expires_in": 300})
    assert here.run("check", "albion")[0] == 0
    metadata(**changes)(here)
    status, said = here.run("check", "albion")
    assert status == 1
    assert f"wrong metadata      {told}" in said


def test_the_address_for_clients_with_a_certificate_is_taken(here: Here) -> None:
    """RFC 8705 §5: and it must be on a host of the bank's as well."""
    here.door.answers["/mtls/token"] = here.door.answers.pop("/token")
    assert here.run("check", "albion")[0] == 1
    metadata(mtls_endpoint_aliases={"token_endpoint": f"{here.door.url}/mtls/token"})(here)
    assert here.run("check", "albion")[0] == 0
    metadata(mtls_endpoint_aliases={"token_endpoint": "https://evil.example/token"})(here)
    assert "token_endpoint: an endpoint is not on the issuer's host" in here.run("check", "albion")[1]


def test_a_further_host_is_believed_when_the_file_names_it(here: Here) -> None:
    metadata(authorization_endpoint="https://login.bank.example/authorize")(here)
    assert here.run("check", "albion")[0] == 1
    here.write(FILE + 'hosts = ["login.bank.example"]\n')
    assert here.run("check", "albion")[0] == 0


# ------------------------------------------------------------------------------------------------------------ register


def ssa(here: Here, **changes: Any) -> str:
    said = {"software_id": "1p8bGrHhJRrphjFk0qwNAU", "org_id": "0015800001041RHAAY", **changes}
    path = here.folder / "statement.jwt"
    path.write_text(jwt.encode({"alg": "PS256"}, said, SIGNING, algorithms=["PS256"]) + "\n")
    return str(path)


RETURN = "https://bills.example/banks/albion/return"


def test_we_register(here: Here) -> None:
    here.door.answers["/register"] = json_answer({"client_id": "new-1", "client_secret": "s3cret"}, status=201)
    status, said = here.run("register", "albion", "--ssa", ssa(here), "--redirect-uri", RETURN)
    assert status == 0, said
    assert said.endswith('In albion.toml it must say:\nclient_id = "new-1"\n')
    assert "s3cret" not in said


def test_our_registration_is_shown_and_ended(here: Here) -> None:
    here.door.answers["/register/quittance"] = json_answer({"client_id": "quittance", "scope": "openid payments"})
    status, said = here.run("register", "albion", "--show")
    assert (status, '"scope": "openid payments"' in said) == (0, True)
    here.door.answers["/register/quittance"] = lambda _: Response(status=204)
    assert here.run("register", "albion", "--delete") == (0, "Our registration there is gone.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--ssa", "x"],
        ["--redirect-uri", RETURN],
        ["--update", "--ssa", "x"],
        ["--show", "--redirect-uri", RETURN],
        ["--delete", "--ssa", "x"],
    ],
    ids=" ".join,
)
def test_what_is_written_needs_both(here: Here, arguments: list[str]) -> None:
    assert here.run("register", "albion", *arguments)[0] == 2
    assert here.door.requests == []


def test_what_goes_wrong_is_one_sentence(here: Here) -> None:
    wrong = ["register", "albion", "--ssa", ssa(here, software_id="x"), "--redirect-uri", RETURN]
    refused = ["register", "albion", "--ssa", ssa(here), "--redirect-uri", RETURN]
    for arguments in (wrong, refused, [*refused[:3], "/does/not/exist", *refused[4:]]):
        status, said = here.run(*arguments)
        assert (status, said.count("\n")) == (1, 1), said
        assert said.startswith("quittance: ")


# ----------------------------------------------------------------------------------------------------------- subscribe


SUBSCRIPTIONS = "/open-banking/v4.0/event-subscriptions"
OURS = "https://bills.example/banks/albion/events"
OLD = "https://old.example/banks/albion/events"
UNSIGNED = "[quirks]\nunsigned_answers = true\ninteraction_id_not_echoed = true\n"


@dataclass
class Subscribed:
    """What the bank has of us: the standard's own resource, in its shortest form."""

    there: dict[str, str]
    instead: str | None = None  #: it says that it sends them there

    def __call__(self, request: Request) -> Response:
        named = request.path.rpartition("/")[2]
        if request.method == "DELETE":
            del self.there[named]
            return Response(status=204)
        if request.method in ("POST", "PUT"):
            named = named if request.method == "PUT" else "s-1"
            self.there[named] = json.loads(request.get_data())["Data"]["CallbackUrl"]
        data = [{"EventSubscriptionId": one, "CallbackUrl": url} for one, url in self.there.items()]
        one = {"EventSubscriptionId": named} | ({"CallbackUrl": self.instead} if self.instead else {})
        told = {"EventSubscription": data} if request.method == "GET" else one
        return json_answer({"Data": told}, status=201 if request.method == "POST" else 200)(request)


def bank_with(here: Here, **there: str) -> Subscribed:
    here.write(FILE + UNSIGNED)
    made = Subscribed({name.replace("_", "-"): url for name, url in there.items()})
    for path in (SUBSCRIPTIONS, *(f"{SUBSCRIPTIONS}/{one}" for one in made.there), f"{SUBSCRIPTIONS}/s-1"):
        here.door.answers[path] = made
    return made


def test_a_bank_is_asked_for_events_and_to_end_them(here: Here) -> None:
    bank = bank_with(here)
    assert here.run("subscribe", "albion", "--show") == (0, "albion: it sends us no events\n")
    assert here.run("subscribe", "albion") == (0, f"albion: events go to {OURS}\n")
    assert bank.there == {"s-1": OURS}
    assert here.run("subscribe", "albion") == (0, f"albion: events go to {OURS} already\n")
    assert here.run("subscribe", "albion", "--show") == (0, f"albion: events go to {OURS}\n")
    assert here.run("subscribe", "albion", "--delete") == (0, f"albion: no events go to {OURS} any more\n")
    assert bank.there == {}
    assert here.run("subscribe", "albion", "--delete") == (0, "albion: it sends us no events\n")
    assert [one.method for one in here.door.requests if one.path.startswith(SUBSCRIPTIONS) and one.method != "GET"] == [
        "POST",
        "DELETE",
    ]


def test_an_old_address_of_ours_is_replaced(here: Here) -> None:
    bank = bank_with(here, s_9=OLD)
    assert here.run("subscribe", "albion") == (0, f"albion: events go to {OURS}; they went to {OLD}\n")
    assert bank.there == {"s-9": OURS}


def test_no_address_but_ours_is_left(here: Here) -> None:
    foreign = "https://elsewhere.example/\x1b]0;events"
    bank = bank_with(here, s_8=foreign, s_9=OURS)
    status, said = here.run("subscribe", "albion")
    assert status == 0
    assert said.splitlines() == [
        f"albion: events go to {OURS} already",
        "albion: no events go to https://elsewhere.example/?]0;events any more",
    ]
    assert bank.there == {"s-9": OURS}


def test_a_bank_that_sends_them_elsewhere_is_not_believed(here: Here) -> None:
    bank = bank_with(here)
    bank.instead = OLD
    status, said = here.run("subscribe", "albion")
    assert (status, f"its events go to {OLD} instead" in said) == (1, True)


def test_a_statement_that_is_none_is_told(here: Here, tmp_path: Path) -> None:
    here.write(FILE)
    statement = tmp_path / "statement.jwt"
    statement.write_bytes("é".encode())
    status, said = here.run("register", "albion", "--ssa", str(statement), "--redirect-uri", "https://bills.example/r")
    assert (status, "no software statement" in said) == (1, True)


def test_all_banks_that_have_events(here: Here) -> None:
    bank_with(here)
    horizon = FILE.replace("openbanking_uk", "berlin_group").replace('version = "4.0"', "").replace('"GB"', '"FR"')
    lines = [line for line in horizon.splitlines() if line.split(" = ")[0] not in ("organisation_id", "software_id")]
    here.write("\n".join(lines).replace("fapi1_advanced", "oauth2"), stem="horizon")
    here.write(FILE.replace("URL", "https://127.0.0.1:1"), stem="away")
    status, said = here.run("subscribe", "--all")
    assert status == 1
    assert f"albion: events go to {OURS}\n" in said
    assert "away: " in said
    assert "horizon" not in said
    assert here.run("subscribe", "horizon") == (
        1,
        "quittance: horizon: its standard (berlin_group) has no events.\n",
    )


def test_a_bank_that_offers_no_events_says_so_in_one_sentence(here: Here) -> None:
    here.write(FILE + UNSIGNED)
    for arguments in ([], ["--show"], ["--delete"]):
        said = here.run("subscribe", "albion", *arguments)
        assert said == (1, "quittance: albion: it offers no events (http_404).\n")


def test_one_bank_or_all(here: Here) -> None:
    for arguments in ([], ["albion", "--all"], ["albion", "--show", "--delete"]):
        with pytest.raises(SystemExit):
            here.run("subscribe", *arguments)
    assert here.door.requests == []
