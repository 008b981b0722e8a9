"""One deliberate fault in each request, over TLS, at sandbox banks in processes of their own: each is refused by name.

The TPPs sign by hand. What only time brings (a token that is over, a seal that will end) is tried with a clock that can
be moved: test_door.py of each sandbox bank.
"""

from __future__ import annotations

import ast
import base64
import dataclasses
import datetime as dt
import email.utils
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from config.settings import ROOT
from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import SEALED, Tpp
from connectors.security.psd2_certificates import Role
from tests.conformance.stet_sandbox.test_payment_requests import FAULTS as STET_BODIES
from tests.conformance.stet_sandbox.test_payment_requests import BySerial, changed
from tests.support import nextgen_tpp, stet_tpp
from tests.support.nextgen_tpp import PRODUCT, RETURN, NextGenTpp
from tests.support.sandbox_tpp import Answer, answer_to_tpp
from tests.support.served_banks import ServedBanks, serving
from tests.support.stet_bank import OTHER
from tests.support.stet_tpp import StetTpp
from tests.support.thorough import spread
from tests.support.uk_wire import OverTls

STRANGER = "PSDFR-ACPR-000009"
UNKNOWN = "5f0c1c2e-6f57-4c1b-9f6e-0d6f3b3c9a11"


def now(**later: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(**later)


def date(**later: float) -> str:
    return email.utils.format_datetime(now(**later), usegmt=True)


def day(**later: float) -> str:
    return now(**later).date().isoformat()


# ----------------------------------------------------------------------------------------------- the banks and the TPPs


def make_files(folder: Path) -> None:
    """What a bank knows of TPPs: us, another one; and beside it what it must not believe."""
    number = SEALED.organisation
    authority.make(folder, tpp=SEALED)
    authority.add_tpp(folder, Tpp.sealed(OTHER), files=folder / "other")
    authority.add_tpp(folder, Tpp.sealed(STRANGER), files=folder / "stranger")
    reads = Tpp.sealed(number, roles=(Role.ACCOUNT_INFORMATION,))
    authority.add_tpp(folder, reads, files=folder / "reader")
    authority.add_tpp(folder, SEALED, files=folder / "over", clock=lambda: now(days=-400))
    authority.make(folder / "elsewhere", tpp=SEALED)
    authority.make(folder, tpp=SEALED)  # what stands in the directory is ours again
    known = json.loads((folder / "tpps.json").read_text("utf-8"))
    del known[STRANGER]
    (folder / "tpps.json").write_text(json.dumps(known))
    weak_seal(folder)


def weak_seal(folder: Path) -> None:
    """As ours in everything, but for its key of 1024 bits."""
    ours = x509.load_pem_x509_certificate((folder / "seal.pem").read_bytes())
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  # that is the fault
    builder = x509.CertificateBuilder(ours.issuer, ours.subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(ours.not_valid_before_utc).not_valid_after(ours.not_valid_after_utc)
    for extension in ours.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    made = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]  # an EC key
    (folder / "weak.pem").write_bytes(made.public_bytes(Encoding.PEM))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "weak.key").write_bytes(key.private_bytes(Encoding.PEM, *plain))


@dataclasses.dataclass(frozen=True, kw_only=True)
class World:
    served: ServedBanks
    wire: OverTls

    @property
    def files(self) -> Path:
        return self.served.folder

    def at(self, brand: str, **others: Any) -> NextGenTpp:
        where: dict[str, Any] = {"transport": self.wire, "files": self.files, "base_url": self.served.base_url}
        return NextGenTpp(brand=brand, **{**where, **others})

    def stet(self, brand: str = "remparts", **others: Any) -> StetTpp:
        where: dict[str, Any] = {"transport": self.wire, "files": self.files, "base_url": self.served.base_url}
        return StetTpp(brand=brand, **{**where, **others})


def world_of(data: Path, standard: str) -> Iterator[World]:
    make_files(data / "bank-keys" / f"sandbox-bank-{standard}")
    with serving(data, standard=standard) as served:
        wire = OverTls(served.folder / "ca.pem")
        yield World(served=served, wire=wire)
        wire.close()


@pytest.fixture(scope="module")
def nextgen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from world_of(tmp_path_factory.mktemp("nextgen"), "nextgen")


@pytest.fixture(scope="module")
def stet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield from world_of(tmp_path_factory.mktemp("stet"), "stet")


def along(path: Path) -> str:
    """A certificate as one line of a header."""
    read = x509.load_pem_x509_certificate(path.read_bytes())
    return base64.b64encode(read.public_bytes(Encoding.DER)).decode()


def swap(old: str, new: str) -> Callable[[str], str]:
    """Of a header: this for that, which must be there."""

    def change(value: str) -> str:
        assert old in value
        return value.replace(old, new)

    return change


def without(name: str) -> Callable[[str], str]:
    return lambda signature: re.sub(rf',?{name}="[^"]*"', "", signature).lstrip(",")


def signature_of(name: str, value: str) -> Callable[[str], str]:
    return lambda signature: re.sub(rf'{name}="[^"]*"', f'{name}="{value}"', signature)


# -------------------------------------------------------------------------------------------------------- NextGenPSD2

Do = Callable[[World], Answer]


def post(brand: str = "lakenhal", content: object = None, *, path: str = PRODUCT, **changes: Any) -> Do:
    """A good payment at lakenhal, with one fault."""
    return lambda world: world.at(brand).call(
        "POST", path, nextgen_tpp.body() if content is None else content, **changes
    )


def signing(names: str, **before: str) -> Do:
    """A good payment, but with these names in ``headers=``."""

    def do(world: World) -> Answer:
        tpp = world.at(
            "lakenhal", signed=tuple(names.split()), before={n.replace("_", "-"): v for n, v in before.items()}
        )
        return tpp.call("POST", PRODUCT, nextgen_tpp.body())

    return do


def sealed_by(seal: str) -> Do:
    return lambda world: world.at("lakenhal", seal=seal).call("POST", PRODUCT, nextgen_tpp.body())


def navigli(method: str, path: str, content: object = None, **changes: Any) -> Do:
    """At a bank without tokens and signatures, which has a page for its customers."""
    return lambda world: world.at("navigli", _token="none").call(
        method, path, content, **{"TPP_Redirect_URI": RETURN, "TPP_Decoupled_Preferred": None, **changes}
    )


def paying(**changes: Any) -> dict[str, Any]:
    return nextgen_tpp.body(**{"amount": "123.50", "debtorAccount": {"currency": "EUR"}, **changes})


def standing(**changes: Any) -> Do:
    good = {"startDate": day(days=9), "frequency": "Monthly"}
    content = paying(**{**good, **changes})
    return navigli("POST", "/periodic-payments/sepa-credit-transfers", content, PSU_IP_Address="192.0.2.7")


def approved(world: World) -> tuple[NextGenTpp, str]:
    """A payment that its customer has approved at navigli."""
    tpp = world.at("navigli", _token="none")
    got = tpp.call("POST", PRODUCT, paying(), TPP_Redirect_URI=RETURN, TPP_Decoupled_Preferred=None)
    with world.served.person() as person:
        person.approve(got.json["_links"]["next"]["href"])
    return tpp, str(got.json["paymentId"])


def cancels_what_is_approved(world: World) -> Answer:
    tpp, payment_id = approved(world)
    return tpp.call("DELETE", f"{PRODUCT}/{payment_id}")


def starts_what_is_approved(world: World) -> Answer:
    tpp, payment_id = approved(world)
    return tpp.call("POST", f"{PRODUCT}/{payment_id}/authorisations", TPP_Redirect_URI=RETURN)


def grachten(world: World) -> tuple[NextGenTpp, str, str]:
    """(its TPP, where the approval lies, the code that came back with the customer)."""
    tpp = world.at("grachten")
    tpp._token = tpp.ask_token(scope="pis:payments").json["access_token"]
    content = nextgen_tpp.body(amount="123.50")
    got = tpp.call("POST", PRODUCT, content, TPP_Redirect_URI=RETURN, TPP_Decoupled_Preferred=None)
    with world.served.person() as person:
        page = person.sign_in(person.go(got.json["_links"]["scaRedirect"]["href"]))
        last = person.submit(page, account="camille-current", decision="approve")
    place = str(got.json["_links"]["confirmation"]["href"]).removeprefix(tpp.prefix)
    return tpp, place, answer_to_tpp(last)["authConfirmationCode"]


def confirms_with_another_code(world: World) -> Answer:
    tpp, place, _ = grachten(world)
    return tpp.call("PUT", place, {"confirmationCode": "another"})


def confirms_with_half_a_character(world: World) -> Answer:
    tpp, place, _ = grachten(world)
    return tpp.call("PUT", place, rb'{"confirmationCode": "\ud800"}')


def confirms_with_a_password(world: World) -> Answer:
    tpp, place, code = grachten(world)
    return tpp.call("PUT", place, {"confirmationCode": code, "psuData": {"password": "1234"}})


def confirms_twice(world: World) -> Answer:
    tpp, place, code = grachten(world)
    assert tpp.call("PUT", place, {"confirmationCode": code}).json["scaStatus"] == "finalised"
    return tpp.call("PUT", place, {"confirmationCode": code})


def wants_anothers_payment(world: World) -> Answer:
    payment_id = world.at("lakenhal").posted()
    other = world.at("lakenhal", files=world.files / "other", number=OTHER)
    return other.call("GET", f"{PRODUCT}/{payment_id}/status")


def wants_it_at_another_bank(world: World) -> Answer:
    payment_id = world.at("lakenhal").posted()
    return world.at("navigli", _token="none").call("GET", f"{PRODUCT}/{payment_id}/status")


def wants_it_under_another_product(world: World) -> Answer:
    tpp, payment_id = approved(world)
    return tpp.call("GET", f"/payments/instant-sepa-credit-transfers/{payment_id}/status")


def brings_another_banks_token(world: World) -> Answer:
    return world.at("lakenhal", _token=world.at("azulejo").token()).call("POST", PRODUCT, nextgen_tpp.body())


def changes_the_body(world: World) -> Answer:
    dearer = json.dumps(nextgen_tpp.body(amount=999.99)).encode()
    return world.at("lakenhal").call("POST", PRODUCT, nextgen_tpp.body(), sent=dearer)


NEXTGEN: dict[str, tuple[Do, int, str, str]] = {
    # who calls
    "no TLS certificate": (post(certificate=None), 401, "CERTIFICATE_MISSING", ""),
    "a TLS certificate of nobody": (post(certificate="stranger/client.pem"), 401, "CERTIFICATE_INVALID", ""),
    "a TLS certificate of another TPP": (post(certificate="other/client.pem"), 401, "TOKEN_UNKNOWN", ""),
    "a TLS certificate for reading accounts": (post(certificate="reader/client.pem"), 401, "ROLE_INVALID", ""),
    "no token": (post(Authorization=None), 401, "TOKEN_INVALID", ""),
    "a token that nobody gave": (post(Authorization="Bearer x"), 401, "TOKEN_UNKNOWN", ""),
    "a token of another bank": (brings_another_banks_token, 401, "TOKEN_UNKNOWN", ""),
    # the seal
    "unsigned": (post(Signature=None), 401, "SIGNATURE_MISSING", "the message is not signed"),
    "no seal along": (post(TPP_Signature_Certificate=None), 401, "CERTIFICATE_INVALID", "is missing"),
    "half a seal along": (post(TPP_Signature_Certificate="MIIC"), 401, "CERTIFICATE_INVALID", "is not a certificate"),
    "another seal along than keyId names": (
        lambda world: post(TPP_Signature_Certificate=along(world.files / "other" / "seal.pem"))(world),
        401,
        "CERTIFICATE_INVALID",
        "keyId does not name the certificate",
    ),
    "a seal with the lines of PEM": (
        post(TPP_Signature_Certificate=lambda one: f"-----BEGIN CERTIFICATE-----{one}-----END CERTIFICATE-----"),
        401,
        "CERTIFICATE_INVALID",
        "must be without the lines of PEM",
    ),
    "a seal of another TPP": (sealed_by("other/seal"), 401, "SIGNATURE_INVALID", "is not the caller's"),
    "a seal of another authority": (sealed_by("elsewhere/seal"), 401, "CERTIFICATE_INVALID", "of no authority"),
    "a seal that has ended": (sealed_by("over/seal"), 401, "CERTIFICATE_INVALID", "has ended"),
    "a seal for reading accounts": (sealed_by("reader/seal"), 401, "ROLE_INVALID", "the seal does not have the role"),
    "a seal with a short key": (
        sealed_by("weak"),
        401,
        "CERTIFICATE_INVALID",
        "the certificate has no RSA key of 2048 bits or more",
    ),
    "a certificate of TLS for a seal": (
        lambda world: post(
            TPP_Signature_Certificate=along(world.files / "client.pem"), Signature=signature_of("keyId", named(world))
        )(world),
        401,
        "CERTIFICATE_INVALID",
        "is not one for signing messages",
    ),
    "Signature that is none": (post(Signature="none"), 401, "SIGNATURE_INVALID", "Signature cannot be read"),
    "Signature with keyId twice": (
        post(Signature=lambda one: f'keyId="x",{one}'),
        401,
        "SIGNATURE_INVALID",
        "keyId stands twice in Signature",
    ),
    "Signature without keyId": (
        post(Signature=without("keyId")),
        401,
        "SIGNATURE_INVALID",
        "keyId is missing in Signature",
    ),
    "Signature without headers": (
        post(Signature=without("headers")),
        401,
        "SIGNATURE_INVALID",
        "headers is missing in Signature",
    ),
    "another algorithm": (
        post(Signature=swap("rsa-sha256", "hmac-sha256")),
        401,
        "SIGNATURE_INVALID",
        "algorithm must be rsa-sha256",
    ),
    "a signature that is not Base64": (
        post(Signature=signature_of("signature", "?")),
        401,
        "SIGNATURE_INVALID",
        "signature is not Base64",
    ),
    "a signature of something else": (
        post(Signature=signature_of("signature", base64.b64encode(b"x" * 256).decode())),
        401,
        "SIGNATURE_INVALID",
        "is not over this message",
    ),
    "names in other letters": (
        post(Signature=swap("digest", "Digest")),
        401,
        "SIGNATURE_INVALID",
        "headers is not in the letters",
    ),
    "a name twice": (
        signing("(request-target) digest digest x-request-id"),
        401,
        "SIGNATURE_INVALID",
        "headers names one twice",
    ),
    "a name of what is not there": (
        post(Signature=swap("x-request-id", "x-request-id psu-id")),
        401,
        "SIGNATURE_INVALID",
        "headers names psu-id, which the message does not have",
    ),
    "no Digest": (post(Digest=None), 401, "SIGNATURE_MISSING", "Digest is missing"),
    "Digest of nothing": (
        post(Digest="SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        401,
        "SIGNATURE_INVALID",
        "Digest is not the SHA-256 of the body",
    ),
    "another body": (changes_the_body, 401, "SIGNATURE_INVALID", "Digest is not the SHA-256 of the body"),
    "the target is not signed": (signing("digest x-request-id"), 401, "SIGNATURE_INVALID", "(request-target) is not"),
    "Digest is not signed": (
        signing("(request-target) x-request-id"),
        401,
        "SIGNATURE_INVALID",
        "digest is not signed",
    ),
    "X-Request-ID is not signed": (
        signing("(request-target) digest"),
        401,
        "SIGNATURE_INVALID",
        "x-request-id is not signed",
    ),
    "X-Request-ID of another call": (post(X_Request_ID=UNKNOWN), 401, "SIGNATURE_INVALID", "is not over this message"),
    "PSU-ID is not signed": (post(PSU_ID="camille"), 401, "SIGNATURE_INVALID", "psu-id is not signed"),
    "a way back that was added": (
        post(TPP_Redirect_URI="https://evil.example/"),
        401,
        "SIGNATURE_INVALID",
        "tpp-redirect-uri is not signed",
    ),
    "Date is not signed": (post(Date=date()), 401, "SIGNATURE_INVALID", "date is not signed"),
    "no Date where the bank wants one": (
        post("hansekontor", Signature=signature_of("headers", "Digest X-Request-ID")),
        401,
        "SIGNATURE_MISSING",
        "Date is missing",
    ),
    "Date that is none": (
        signing("(request-target) digest x-request-id date", Date="today"),
        401,
        "SIGNATURE_INVALID",
        "Date is not one",
    ),
    "Date of another time": (
        signing("(request-target) digest x-request-id date", Date="Sun, 22 Nov 2020 10:00:00 GMT"),
        401,
        "SIGNATURE_INVALID",
        "Date is not now",
    ),
    # the headers
    "no X-Request-ID": (post(X_Request_ID=None), 400, "FORMAT_ERROR", "X-Request-ID"),
    "X-Request-ID that is no UUID": (post(X_Request_ID="1"), 400, "FORMAT_ERROR", "X-Request-ID"),
    "no PSU-IP-Address": (post(PSU_IP_Address=None), 400, "FORMAT_ERROR", "PSU-IP-Address"),
    "PSU-IP-Address that is none": (post(PSU_IP_Address="home"), 400, "FORMAT_ERROR", "PSU-IP-Address"),
    "PSU-Device-ID that is no UUID": (post(PSU_Device_ID="mine"), 400, "FORMAT_ERROR", "PSU-Device-ID"),
    "PSU-Http-Method that is none": (post(PSU_Http_Method="HEAD"), 400, "FORMAT_ERROR", "method"),
    "a wish that is neither true nor false": (
        post(TPP_Decoupled_Preferred="yes"),
        400,
        "FORMAT_ERROR",
        "true or false",
    ),
    "no redirect at a bank that has nothing else": (
        navigli("POST", PRODUCT, paying(), TPP_Redirect_Preferred="false"),
        400,
        "PARAMETER_NOT_SUPPORTED",
        "by redirect",
    ),
    "no way back": (navigli("POST", PRODUCT, paying(), TPP_Redirect_URI=None), 400, "FORMAT_ERROR", "URI"),
    "a way back to a script": (
        navigli("POST", PRODUCT, paying(), TPP_Redirect_URI="javascript:alert(1)"),
        400,
        "FORMAT_ERROR",
        "URI",
    ),
    "a way back with a name in it": (
        navigli("POST", PRODUCT, paying(), TPP_Nok_Redirect_URI="https://bank.example@evil.example/"),
        400,
        "FORMAT_ERROR",
        "URI",
    ),
    "an answer in HTML": (post(Accept="text/html"), 406, "REQUESTED_FORMATS_INVALID", ""),
    "a body that is not called JSON": (post(Content_Type="text/plain"), 415, "FORMAT_ERROR", "application/json"),
    # the order
    "a body that is not JSON": (post(content=b"{"), 400, "FORMAT_ERROR", "not readable JSON"),
    "a name twice in a body": (post(content=b'{"a": 1, "a": 1}'), 400, "FORMAT_ERROR", "not readable JSON"),
    "a list for a body": (post(content=[]), 400, "FORMAT_ERROR", "JSON object"),
    "no payee": (post(content=nextgen_tpp.body(creditorName=None)), 400, "FORMAT_ERROR", "missing"),
    "no amount": (post(content=nextgen_tpp.body(instructedAmount=None)), 400, "FORMAT_ERROR", "missing"),
    "a text for an amount": (post(content=nextgen_tpp.body(amount="123.50")), 400, "FORMAT_ERROR", "wants a number"),
    "less than nothing": (post(content=nextgen_tpp.body(amount=-1)), 400, "FORMAT_ERROR", "two decimals"),
    "nothing": (post(content=nextgen_tpp.body(amount=0)), 400, "FORMAT_ERROR", "more than zero"),
    "part of a cent": (post(content=nextgen_tpp.body(amount=1.005)), 400, "FORMAT_ERROR", "two decimals"),
    "pounds": (
        post(content=nextgen_tpp.body(instructedAmount={"currency": "GBP", "amount": 1})),
        400,
        "FORMAT_ERROR",
        "EUR",
    ),
    "an IBAN with a wrong check": (
        post(content=nextgen_tpp.body(creditorAccount={"iban": "DE02100100109307118604"})),
        400,
        "FORMAT_ERROR",
        "valid IBAN",
    ),
    "a reference that is too long": (
        post(content=nextgen_tpp.body(endToEndIdentification="x" * 36)),
        400,
        "FORMAT_ERROR",
        "35 SEPA characters",
    ),
    "a text that is too long": (
        post(content=nextgen_tpp.body(remittanceInformationUnstructured="x" * 141)),
        400,
        "FORMAT_ERROR",
        "140",
    ),
    "both kinds of text": (
        post(content=nextgen_tpp.body(remittanceInformationStructured={"reference": "RF18539007547034"})),
        400,
        "PARAMETER_NOT_CONSISTENT",
        "either",
    ),
    "a member that the standard does not know": (
        post(content=nextgen_tpp.body(surprise=1)),
        400,
        "FORMAT_ERROR",
        "unknown field",
    ),
    "a member that the bank does not take": (
        post(content=nextgen_tpp.body(chargeBearer="SLEV")),
        400,
        "PARAMETER_NOT_SUPPORTED",
        "does not take",
    ),
    "somebody else's account": (
        post(content=nextgen_tpp.body(debtorAccount={"iban": "DE02100100109307118603"})),
        400,
        "PAYMENT_FAILED",
        "not our account",
    ),
    "no debtorAccount where the bank wants one": (
        navigli("POST", PRODUCT, nextgen_tpp.body(amount="123.50")),
        400,
        "FORMAT_ERROR",
        "missing",
    ),
    "a day that is none": (
        post(content=nextgen_tpp.body(requestedExecutionDate="tomorrow")),
        400,
        "FORMAT_ERROR",
        "must be a day",
    ),
    "a day that is over": (
        post(content=nextgen_tpp.body(requestedExecutionDate="2020-11-21")),
        400,
        "EXECUTION_DATE_INVALID",
        "later day",
    ),
    "a standing order from today": (
        lambda world: standing(startDate=day())(world),
        400,
        "PERIOD_INVALID",
        "later day",
    ),
    "a standing order that ends before": (
        lambda world: standing(endDate=day(days=2))(world),
        400,
        "PERIOD_INVALID",
        "before startDate",
    ),
    "a standing order now and then": (
        lambda world: standing(frequency="Sometimes")(world),
        400,
        "FORMAT_ERROR",
        "must be one of",
    ),
    "payments in bulk": (post(path="/bulk-payments/sepa-credit-transfers"), 400, "SERVICE_INVALID", ""),
    "a product that the bank does not have": (
        post(path="/payments/target-2-payments"),
        404,
        "PRODUCT_UNKNOWN",
        "",
    ),
    # what comes after
    "another TPP's payment": (wants_anothers_payment, 404, "RESOURCE_UNKNOWN", ""),
    "another product's payment": (wants_it_under_another_product, 404, "RESOURCE_UNKNOWN", ""),
    "another bank's payment": (wants_it_at_another_bank, 404, "RESOURCE_UNKNOWN", ""),
    "a payment that nobody has": (navigli("GET", f"{PRODUCT}/{UNKNOWN}/status"), 404, "RESOURCE_UNKNOWN", ""),
    "a method that is not there": (navigli("PATCH", f"{PRODUCT}/{UNKNOWN}"), 405, "SERVICE_INVALID", ""),
    "a cancellation of what is approved": (cancels_what_is_approved, 405, "CANCELLATION_INVALID", ""),
    "an approval of what is approved": (starts_what_is_approved, 409, "STATUS_INVALID", ""),
    "another confirmation code": (confirms_with_another_code, 400, "SCA_INVALID", "not the code"),
    "half a character for a confirmation code": (confirms_with_half_a_character, 400, "SCA_INVALID", "not the code"),
    "a confirmation with a password": (confirms_with_a_password, 400, "FORMAT_ERROR", "embedded"),
    "a second confirmation": (confirms_twice, 409, "STATUS_INVALID", "nothing to confirm"),
}


def named(world: World) -> str:
    """The certificate of TLS by its serial number and issuer, as lakenhal wants it named."""
    read = x509.load_pem_x509_certificate((world.files / "client.pem").read_bytes())
    issuer = ",".join(f"{part.rfc4514_attribute_name}={part.value!s}" for part in reversed(list(read.issuer)))
    return f"SN={read.serial_number:X},CA={issuer}"


@pytest.mark.parametrize("fault", spread(list(NEXTGEN), every=3))
def test_nextgen_refuses(nextgen: World, fault: str) -> None:
    do, status, code, text = NEXTGEN[fault]
    got = do(nextgen)
    said = got.json["tppMessages"][0] if "tppMessages" in got.json else got.json
    assert (got.status, said["code"]) == (status, code), said
    assert text in said.get("text", said.get("detail", ""))


# ----------------------------------------------------------------------------------------------------------------- STET


def ask(content: object = None, *, before: dict[str, str | None] | None = None, **changes: Any) -> Do:
    """A good payment request at remparts, with one fault; ``before``: in a header that is signed."""
    return lambda world: world.stet(before=before or {}).call(
        "POST", "", good() if content is None else content, **changes
    )


def good(**changes: Any) -> dict[str, Any]:
    return stet_tpp.body(creationDateTime=now().isoformat(timespec="milliseconds"), **changes)


def leaves_unsigned(name: str) -> Do:
    signed = tuple(one for one in StetTpp.signed if one != name)
    return lambda world: world.stet(signed=signed).call("POST", "", good())


def stet_anothers(method: str, path: str, content: object = None) -> Do:
    def do(world: World) -> Answer:
        payment_id, _ = world.stet().posted(good())
        other = world.stet(files=world.files / "other", number=OTHER)
        return other.call(method, f"/{payment_id}{path}", content)

    return do


def stet_after_approval(method: str, path: str) -> Do:
    """At remparts, which executes with the approval."""

    def do(world: World) -> Answer:
        tpp = world.stet()
        payment_id, link = tpp.posted(good())
        with world.served.person() as person:
            person.approve(link)
        if method == "PUT":
            return tpp.cancel(payment_id)
        assert tpp.call(method, f"/{payment_id}{path}", {}).status == 200
        return tpp.call(method, f"/{payment_id}{path}", {})

    return do


def stet_cancels_another(world: World) -> Answer:
    tpp = world.stet()
    payment_id, _ = tpp.posted(good())
    return tpp.cancel(payment_id, paymentInformationId="PMT-2")


def stet_token_of_another_bank(world: World) -> Answer:
    return world.stet(_token=world.stet("phare").token()).call("POST", "", good())


def stet_seal_for_reading_accounts(world: World) -> Answer:
    """At phare, which is shown the seal: it is ours, without the role."""
    tpp = BySerial(
        transport=world.wire,
        files=world.files / "reader",
        brand="phare",
        base_url=world.served.base_url,
        _token=world.stet("phare").token(),
    )
    return tpp.call("POST", "", good(), certificate="../client.pem")


STET: dict[str, tuple[Do, int, str]] = {
    "no X-Request-ID": (ask(before={"X-Request-ID": None}), 400, "Missing request header 'X-Request-ID'"),
    "no token": (ask(Authorization=None), 401, "a Bearer token is needed"),
    "a token that nobody gave": (ask(Authorization="Bearer x"), 401, "the token is not known"),
    "a token of another bank": (stet_token_of_another_bank, 401, "the token is not known"),
    "no TLS certificate": (ask(certificate=None), 401, "the token is bound to another TLS certificate"),
    "another TLS certificate": (ask(certificate="other/client.pem"), 401, "the token is bound to another TLS"),
    "unsigned": (ask(Signature=None), 400, "Signature: the message is not signed"),
    "no Digest": (ask(Digest=None), 400, "Signature: Digest is missing"),
    "Digest of nothing": (
        ask(Digest="SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        400,
        "Signature: Digest is not the SHA-256",
    ),
    "another body": (lambda world: ask(sent=json.dumps(good(amount="9.99")).encode())(world), 400, "Signature: Digest"),
    "the target is not signed": (leaves_unsigned("(request-target)"), 401, "Signature: (request-target) is not signed"),
    "Digest is not signed": (leaves_unsigned("digest"), 401, "Signature: digest is not signed"),
    "Content-Type is not signed": (leaves_unsigned("content-type"), 401, "Signature: content-type is not signed"),
    "X-Request-ID is not signed": (leaves_unsigned("x-request-id"), 401, "Signature: x-request-id is not signed"),
    "PSU-IP-Address is not signed": (leaves_unsigned("psu-ip-address"), 401, "Signature: psu-ip-address is not signed"),
    "a header of the customer's that was added": (
        ask(PSU_Device_ID="x"),
        401,
        "Signature: psu-device-id is not signed",
    ),
    "another address of the customer's": (ask(PSU_IP_Address="192.0.2.8"), 401, "Signature: the signature is not over"),
    "another call's X-Request-ID": (ask(X_Request_ID=UNKNOWN), 401, "Signature: the signature is not over"),
    "keyId that leads nowhere": (
        ask(Signature=signature_of("keyId", "https://evil.example/seal.pem")),
        401,
        "Signature: keyId leads to no certificate",
    ),
    "another TPP's keyId": (
        ask(Signature=signature_of("keyId", f"https://certificates.example/{OTHER}/seal.pem")),
        403,
        "Signature: the certificate is not the caller's",
    ),
    "another certificate along": (
        lambda world: ask(TPP_Signature_Certificate=along(world.files / "other" / "seal.pem"))(world),
        401,
        "Signature: TPP-Signature-Certificate is not the certificate that keyId names",
    ),
    "a seal for reading accounts": (
        stet_seal_for_reading_accounts,
        403,
        "Signature: the certificate does not have the role PSP_PI",
    ),
    "no PSU-IP-Address": (ask(before={"PSU-IP-Address": None}), 400, "Missing request header 'PSU-IP-Address'"),
    "PSU-IP-Address that is none": (ask(before={"PSU-IP-Address": "home"}), 400, "PSU-IP-Address: must be an IP"),
    "a body that is not called JSON": (ask(before={"Content-Type": "text/plain"}), 400, "Content-Type: the body"),
    "an answer in HTML": (ask(Accept="text/html"), 406, "this bank answers in application/hal+json"),
    "a body that is not JSON": (ask(b"{"), 400, "body: is not readable JSON"),
    "a list for a body": (ask(b"[]"), 400, "body: must be a JSON object"),
    "a later day": (
        lambda world: ask(good(requestedExecutionDate=now(days=3).isoformat()))(world),
        400,
        "requestedExecutionDate: this bank executes at once",
    ),
    "another TPP's payment request": (stet_anothers("GET", ""), 404, "Not found"),
    "a confirmation of another TPP's": (stet_anothers("POST", "/confirmation", {}), 400, "Not found"),
    "a confirmation before there is an approval": (
        lambda world: world.stet().call("POST", f"/{world.stet().posted(good())[0]}/confirmation", {}),
        400,
        "Invalid status value",
    ),
    "a second confirmation": (stet_after_approval("POST", "/confirmation"), 400, "Invalid status value"),
    "a cancellation of what is approved": (stet_after_approval("PUT", ""), 400, "Invalid status value"),
    "a cancellation that changes the order": (stet_cancels_another, 400, "the payment request is not the one"),
}


@pytest.mark.parametrize("fault", spread(list(STET), every=3))
def test_stet_refuses(stet: World, fault: str) -> None:
    do, status, text = STET[fault]
    got = do(stet)
    assert (got.status, got.json["status"]) == (status, status), got.json
    assert got.json["message"].startswith(text)


#: the last one is no fault for ever
BODIES = [one for one in STET_BODIES if one[0] != "requestedExecutionDate"]


@pytest.mark.parametrize(
    ("path", "value"), spread(BODIES, every=3), ids=[f"{path}={value!r:.30}" for path, value in BODIES]
)
def test_stet_refuses_a_body_with(stet: World, path: str, value: object) -> None:
    made = changed(path, value, creationDateTime=now().isoformat(timespec="milliseconds"))
    got = stet.stet().call("POST", "", made)
    assert got.status == 400
    assert any(step in got.json["message"] for step in path.split("."))


# ----------------------------------------------------------------------------------------------------------------- both


@pytest.mark.parametrize("standard", ["nextgen", "stet"])
@pytest.mark.parametrize("certificate", ["elsewhere/client.pem", "over/client.pem"])
def test_tls_itself_refuses(standard: str, certificate: str, request: pytest.FixtureRequest) -> None:
    """A certificate of an authority that the bank does not know, and one that has ended: nobody gets to speak."""
    world: World = request.getfixturevalue(standard)
    url = f"{world.served.base_url}/livez"
    with pytest.raises(requests.ConnectionError):
        world.wire.send("GET", url, headers={}, data=b"", certificate=world.files / certificate)
    assert world.wire.send("GET", url, headers={}, data=b"", certificate=world.files / "client.pem").status == 200


TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "no TLS certificate": ({"certificate": None}, "invalid_client"),
    "another TPP's TLS certificate": ({"certificate": "other/client.pem"}, "invalid_client"),
    "a TLS certificate of nobody": ({"certificate": "stranger/client.pem", "client_id": STRANGER}, "invalid_client"),
    "another client_id": ({"client_id": OTHER}, "invalid_client"),
    "a TLS certificate for reading accounts": ({"certificate": "reader/client.pem"}, "unauthorized_client"),
    "a password": ({"grant_type": "password"}, "unsupported_grant_type"),
    "the scope of accounts": ({"scope": "AIS"}, "invalid_scope"),
}


@pytest.mark.parametrize("standard", ["nextgen", "stet"])
@pytest.mark.parametrize("fault", TOKENS)
def test_no_token_for(standard: str, fault: str, request: pytest.FixtureRequest) -> None:
    world: World = request.getfixturevalue(standard)
    changes, error = TOKENS[fault]
    tpp = world.at("lakenhal") if standard == "nextgen" else world.stet()
    got = tpp.ask_token(**changes)
    assert (got.status, got.json["error"]) == (401 if error == "invalid_client" else 400, error)


# ------------------------------------------------------------------------------------------------- is any rule missing?


def first_texts(path: str, error: str, *, argument: int) -> list[str]:
    """What each ``error`` in a file of ours says, as far as it is always the same: its longest piece of plain text."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == error:
            said = node.args[argument]
            parts = said.values if isinstance(said, ast.JoinedStr) else [said]
            plain = [str(part.value) for part in parts if isinstance(part, ast.Constant)]
            found.append(max(plain, key=len, default="").strip())
    return [text for text in found if text]


def test_each_rule_of_a_seal_is_broken_here() -> None:
    texts = first_texts("connectors/security/http_signature.py", "SignatureError", argument=1)
    assert len(texts) > 20
    broken = [text for *_, text in NEXTGEN.values()] + [text for *_, text in STET.values()]
    assert [one for one in texts if not any(one in text or text in one for text in broken if text)] == []


def test_each_code_of_refusal_is_provoked_here() -> None:
    files = ["nextgen/door.py", "nextgen/api.py", "nextgen/definition.py", "initiation.py"]
    codes = {
        code
        for file in files
        for code in first_texts(f"connectors/sandbox_bank/{file}", "BerlinGroupError", argument=1)
        if code not in ("TOKEN_EXPIRED", "INTERNAL_SERVER_ERROR")  # only with time; no fault of a TPP's
    }
    assert len(codes) > 15
    assert codes <= {code for _, _, code, _ in NEXTGEN.values()}


def test_each_refusal_of_stet_is_provoked_here() -> None:
    broken = [text for *_, text in STET.values()]
    for file in ("door.py", "api.py"):
        for text in first_texts(f"connectors/sandbox_bank/stet/{file}", "StetError", argument=1):
            no_fault_of_a_tpps = text in ("the bank does not take this payment (FF01)", "the bank failed")
            assert no_fault_of_a_tpps or any(one in text or text in one for one in broken), text
