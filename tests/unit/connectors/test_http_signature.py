"""The signature over the headers of a message: both ways, and against a change of any part of it."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.security.http_signature import Fault, SignatureError, Signer, Verifier, digest
from connectors.security.profiles import PROFILES
from connectors.security.signature_form import BERLIN_GROUP, STET, Form, KeyId, SignatureQuirks
from tests.support.seals import NOW, NUMBER, Seal, authority, rsa_key, seal

URL = "https://quittance.example/qseal.pem"
TARGET = "/stet/v1/payment-requests?x=1"
HEADERS = {
    "X-Request-ID": "99391c7e-ad88-49ec-a2ad-99ddcb1f7721",
    "Content-Type": "application/json",
    "PSU-IP-Address": "192.0.2.7",
    "PSU-User-Agent": "Firefox/140",
    "TPP-Redirect-URI": "https://quittance.example/return/one",
    "Accept": "application/json",
}
BODY = b'{"amount":"84.20"}'
#: one for each dialect
FORMS = {
    "berlin group": Form(),
    "stet": Form(headers=STET, key_id=KeyId.URL, certificate_along=False),
    "stet, dated": Form(headers=STET, key_id=KeyId.URL, certificate_along=False, dated=True),
    "names as written": Form(names_as_written=True),
    "another order": Form(headers=("date", "x-request-id", "digest"), dated=True),
    "decimal": Form(serial_decimal=True),
    "from the root": Form(issuer_from_the_root=True),
    "unescaped": Form(issuer_unescaped=True),
    "lines of PEM": Form(certificate_with_pem_lines=True),
    "with its length": Form(headers=(*STET, "content-length")),
}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


@dataclass(frozen=True, kw_only=True)
class Message:
    """As it comes to the bank."""

    method: str = "POST"
    target: str = TARGET
    headers: dict[str, str] = field(default_factory=lambda: dict(HEADERS))
    body: bytes = BODY

    def signed(self, form: Form, by: Seal | None = None) -> Message:
        by = by or seal()
        signer = Signer(key=by.key, certificate=by.certificate, form=form, url=URL if form.key_id is KeyId.URL else "")
        added = signer.sign(self.method, self.target, self.headers, self.body, now=NOW)
        return dataclasses.replace(
            self,
            headers={
                **self.headers,
                **added,
                **({"Content-Length": str(len(self.body))} if self.body else {}),
                "Host": "bank.example",
            },
        )

    def with_header(self, name: str, value: str | None) -> Message:
        kept = {one: text for one, text in self.headers.items() if one != name}
        return dataclasses.replace(self, headers=kept if value is None else {**kept, name: value})

    def replaced(self, old: str, new: str) -> Message:
        """In Signature."""
        assert old in self.headers["Signature"]
        return self.with_header("Signature", self.headers["Signature"].replace(old, new, 1))

    def verify(self, form: Form, *, published: Seal | None = None, now: dt.datetime = NOW, **others: Any) -> None:
        there = (published or seal()).certificate
        verifier = Verifier(
            authorities=(authority(),), form=form, published=lambda url: there if url == URL else None, **others
        )
        verifier.verify(self.method, self.target, self.headers, self.body, organisation=NUMBER, now=now)


def fault_of(message: Message, form: Form, **others: Any) -> Fault:
    with pytest.raises(SignatureError) as caught:
        message.verify(form, **others)
    return caught.value.fault


# ------------------------------------------------------------------------------------------------------------ both ways


@each_form
def test_what_was_signed_is_believed(form: Form) -> None:
    Message().signed(form).verify(form)
    Message(method="GET", body=b"").signed(form).verify(form)


def test_it_is_what_the_standards_write() -> None:
    """By hand, from draft-cavage §2 and the Berlin Group's example, and not by our own functions."""
    hashed = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    text = f"digest: SHA-256={hashed}\nx-request-id: {HEADERS['X-Request-ID']}\n"
    text += f"tpp-redirect-uri: {HEADERS['TPP-Redirect-URI']}"
    by_hand = base64.b64encode(seal().key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    added = Message().signed(Form()).headers
    assert added["Digest"] == f"SHA-256={hashed}"
    assert (
        added["TPP-Signature-Certificate"] == base64.b64encode(seal().certificate.public_bytes(Encoding.DER)).decode()
    )
    assert added["Signature"] == (
        'keyId="SN=9FA1,CA=CN=Authority%20of%20tests,O=Tests%20%5C%22and%5C%22%20more,C=FR",algorithm="rsa-sha256",'
        f'headers="digest x-request-id tpp-redirect-uri",signature="{by_hand}"'
    )


def test_what_others_signed_is_believed() -> None:
    """Spaces between the parameters, another order of them, more headers than are wanted."""
    text = f"accept: application/json\n(request-target): get {TARGET}\ndigest: {digest(b'')}\nx-request-id: 1"
    made = base64.b64encode(seal().key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    header = f'signature="{made}", headers="accept (request-target) digest x-request-id", algorithm="rsa-sha256" ,'
    header += f' keyId="{URL}"'
    headers = {"accept": "application/json", "DIGEST": digest(b""), "x-request-id": " 1 ", "signature": header}
    Message(method="GET", headers=headers, body=b"").verify(FORMS["stet"])


def test_a_message_without_a_body_has_the_digest_of_nothing() -> None:
    assert digest(b"") == "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def test_how_the_certificate_is_named() -> None:
    ours = seal().certificate
    assert Form(key_id=KeyId.URL).named(ours, url=URL) == URL
    assert Form(serial_decimal=True).named(ours).startswith("SN=40865,CA=CN=")
    assert (
        Form(issuer_from_the_root=True)
        .named(ours)
        .endswith("CA=C=FR,O=Tests%20%5C%22and%5C%22%20more,CN=Authority%20of%20tests")
    )
    assert Form(issuer_unescaped=True).named(ours).startswith("SN=9FA1,CA=CN=Authority of tests,O=Tests ")
    assert '"' not in Form(issuer_unescaped=True).named(ours)
    assert Form(certificate_with_pem_lines=True).shown(ours).startswith("-----BEGIN CERTIFICATE-----MII")
    assert "\n" not in Form(certificate_with_pem_lines=True).shown(ours)


def test_a_form_signs_what_is_there_in_its_order() -> None:
    names = ["Date", "digest", "PSU-IP-Address", "psu-accept", "X-Request-ID", "Accept"]
    assert Form(headers=BERLIN_GROUP).signed(names) == ["digest", "x-request-id", "date"]
    assert Form(headers=STET).signed(names) == [
        "(request-target)",
        "digest",
        "date",
        "x-request-id",
        "psu-accept",
        "psu-ip-address",
    ]


VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.text(st.sampled_from("abc/%20?=&-"), max_size=30),
    ip=VALUES,
    body=st.binary(max_size=200),
    form=st.sampled_from(list(FORMS.values())),
)
def test_any_message_both_ways(method: str, path: str, ip: str, body: bytes, form: Form) -> None:
    message = Message(method=method, target=f"/{path}", headers={**HEADERS, "PSU-IP-Address": ip}, body=body)
    message.signed(form).verify(form)


# ------------------------------------------------------------------------------------------------------------ tampering


@given(data=st.data(), form=st.sampled_from(list(FORMS.values())))
def test_a_change_of_any_part_is_noticed(data: st.DataObject, form: Form) -> None:
    message = Message().signed(form)
    signed = message.headers["Signature"].partition('headers="')[2].partition('"')[0].lower().split()
    name = data.draw(st.sampled_from([*signed, "body"]))
    other = data.draw(VALUES)
    if name == "body":
        changed = dataclasses.replace(message, body=other.encode())
        assume(changed.body != BODY)
    elif name == "(request-target)":
        changed = dataclasses.replace(message, target=other)
        assume(other != TARGET)
    else:
        known = next(one for one in message.headers if one.lower() == name)
        changed = message.with_header(known, other)
        assume(other != message.headers[known])
    assert fault_of(changed, form) in (Fault.DIGEST, Fault.INVALID, Fault.MALFORMED, Fault.DATE)


@given(at=st.integers(0, 255), bit=st.integers(0, 7))
def test_a_single_bit_of_the_signature(at: int, bit: int) -> None:
    message = Message().signed(FORMS["stet"])
    old = message.headers["Signature"].partition('signature="')[2].removesuffix('"')
    raw = bytearray(base64.b64decode(old))
    raw[at] ^= 1 << bit
    assert fault_of(message.replaced(old, base64.b64encode(raw).decode()), FORMS["stet"]) is Fault.INVALID


def test_another_method() -> None:
    message = dataclasses.replace(Message().signed(FORMS["stet"]), method="PUT")
    assert fault_of(message, FORMS["stet"]) is Fault.INVALID


@pytest.mark.parametrize("name", ["(request-target)", "digest", "x-request-id", "psu-ip-address", "psu-user-agent"])
def test_a_header_that_is_not_signed(name: str) -> None:
    wanted = FORMS["stet"]
    without = dataclasses.replace(wanted, headers=tuple(one for one in wanted.headers if one not in (name, "psu-*")))
    if name.startswith("psu-"):
        other = {"psu-ip-address": "psu-user-agent", "psu-user-agent": "psu-ip-address"}[name]
        without = dataclasses.replace(without, headers=(*without.headers, other))
    else:
        without = dataclasses.replace(without, headers=(*without.headers, "psu-*"))
    assert fault_of(Message().signed(without), wanted) is Fault.UNSIGNED


def test_a_header_that_was_put_in_on_the_way() -> None:
    message = Message().signed(FORMS["stet"]).with_header("PSU-Geo-Location", "GEO:48.85;2.35")
    assert fault_of(message, FORMS["stet"]) is Fault.UNSIGNED


def test_a_header_that_was_taken_out_on_the_way() -> None:
    message = Message().signed(FORMS["stet"]).with_header("PSU-IP-Address", None)
    assert fault_of(message, FORMS["stet"]) is Fault.MALFORMED


@pytest.mark.parametrize("name", ["Digest", "Signature"])
def test_what_is_missing(name: str) -> None:
    assert fault_of(Message().signed(FORMS["stet"]).with_header(name, None), FORMS["stet"]) is Fault.MISSING


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('algorithm="rsa-sha256"', 'algorithm="hmac-sha256"'),
        ('algorithm="rsa-sha256"', 'algorithm="rsa-sha1"'),
        ('algorithm="rsa-sha256",', ""),
        ('headers="(request-target) ', 'headers="digest (request-target) '),
        ('headers="(request-target) ', 'headers="(created) (request-target) '),
        ('headers="(request-target)', 'headers="(Request-Target)'),
        ("keyId=", "keyid="),
        ('algorithm="rsa-sha256"', 'algorithm="rsa-sha256",algorithm="rsa-sha256"'),
        (",headers", ";headers"),
        ('signature="', 'signature="!'),
        ('algorithm="', "algorithm="),
    ],
)
def test_a_signature_that_cannot_be_read(old: str, new: str) -> None:
    assert fault_of(Message().signed(FORMS["stet"]).replaced(old, new), FORMS["stet"]) is Fault.MALFORMED


@pytest.mark.parametrize("end", [",", " ,", 'x="1', "x" * 9000])
def test_more_behind_a_signature(end: str) -> None:
    message = Message().signed(FORMS["stet"])
    longer = message.with_header("Signature", message.headers["Signature"] + end)
    assert fault_of(longer, FORMS["stet"]) is Fault.MALFORMED


@given(st.text(max_size=60))
def test_anything_else_is_no_signature(text: str) -> None:
    message = Message().signed(FORMS["stet"]).with_header("Signature", text)
    assert fault_of(message, FORMS["stet"]) in (Fault.MISSING, Fault.MALFORMED)


# ----------------------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_clocks_may_differ(seconds: float) -> None:
    form = FORMS["stet, dated"]
    Message().signed(form).verify(form, now=NOW + dt.timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_a_message_of_another_time(seconds: float) -> None:
    form = FORMS["stet, dated"]
    assert fault_of(Message().signed(form), form, now=NOW + dt.timedelta(seconds=seconds)) is Fault.DATE


def test_a_date_that_is_wanted_and_one_that_is_none() -> None:
    form = FORMS["stet, dated"]
    assert fault_of(Message().signed(FORMS["stet"]), form) is Fault.MISSING
    assert fault_of(Message().signed(form).with_header("Date", "today"), form) is Fault.MALFORMED


# ---------------------------------------------------------------------------------------------------------- whose it is


@pytest.mark.parametrize(
    ("by", "fault"),
    [
        ({"name": "stranger", "number": "PSDFR-ACPR-99999"}, Fault.ORGANISATION),
        ({"number": None}, Fault.ORGANISATION),
        ({"signer": "another authority"}, Fault.CERTIFICATE),
        ({"ends": -0.5}, Fault.CERTIFICATE),
        ({"begins": 1, "ends": 2}, Fault.CERTIFICATE),
        ({"signs": False}, Fault.CERTIFICATE),
        ({"extended": x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])}, Fault.CERTIFICATE),
    ],
    ids=["another's", "nobody's", "of another authority", "ended", "not begun", "not for signing", "of TLS"],
)
@pytest.mark.parametrize("form", ["berlin group", "stet"])
def test_a_certificate_that_is_not_believed(by: dict[str, Any], fault: Fault, form: str) -> None:
    other = seal(**by)
    assert fault_of(Message().signed(FORMS[form], other), FORMS[form], published=other) is fault


def test_the_certificate_of_the_authority_itself_signs_no_message() -> None:
    itself = Seal(certificate=authority(), key=rsa_key("authority"))
    assert fault_of(Message().signed(FORMS["stet"], itself), FORMS["stet"], published=itself) is Fault.CERTIFICATE


def test_a_key_that_is_not_the_certificates() -> None:
    """Somebody shows our certificate, which everybody may have, and signs with a key of their own."""
    thief = seal("thief")
    assert fault_of(Message().signed(FORMS["stet"], thief), FORMS["stet"]) is Fault.INVALID
    along = Message().signed(FORMS["berlin group"], thief)
    ours = Message().signed(FORMS["berlin group"]).headers["TPP-Signature-Certificate"]
    swapped = along.with_header("TPP-Signature-Certificate", ours)
    assert fault_of(swapped, FORMS["berlin group"]) is Fault.INVALID


def test_a_key_id_that_leads_to_nothing() -> None:
    elsewhere = Message().signed(FORMS["stet"]).replaced(URL, "https://elsewhere.example/qseal.pem")
    assert fault_of(elsewhere, FORMS["stet"]) is Fault.CERTIFICATE
    otherwise = Message().signed(FORMS["berlin group"]).replaced("SN=9FA1", "SN=9FA2")
    assert fault_of(otherwise, FORMS["berlin group"]) is Fault.CERTIFICATE


def test_a_certificate_that_is_not_there_or_none() -> None:
    form = FORMS["berlin group"]
    message = Message().signed(form)
    assert fault_of(message.with_header("TPP-Signature-Certificate", None), form) is Fault.CERTIFICATE
    for text in ("!", "AAAA", ""):
        assert fault_of(message.with_header("TPP-Signature-Certificate", text), form) is Fault.CERTIFICATE


def test_another_certificate_along_than_the_address_leads_to() -> None:
    message = (
        Message()
        .signed(FORMS["stet"])
        .with_header("TPP-Signature-Certificate", Form().shown(seal("stranger", number="PSDFR-ACPR-99999").certificate))
    )
    assert fault_of(message, FORMS["stet"]) is Fault.CERTIFICATE


@pytest.mark.parametrize("name", ["names as written", "decimal", "from the root", "unescaped", "lines of PEM"])
def test_a_bank_of_one_dialect_refuses_the_other(name: str) -> None:
    assert fault_of(Message().signed(Form()), FORMS[name]) in (Fault.CERTIFICATE, Fault.MALFORMED)
    assert fault_of(Message().signed(FORMS[name]), Form()) in (Fault.CERTIFICATE, Fault.MALFORMED)


def test_what_cannot_sign() -> None:
    weak = seal("weak", bits=1024)
    with pytest.raises(ValueError, match="1024 bits"):
        Signer(key=weak.key, certificate=weak.certificate, form=Form())
    with pytest.raises(ValueError, match="not the certificate's"):
        Signer(key=rsa_key("another"), certificate=seal().certificate, form=Form())
    for url in ("", "qseal.pem", 'https://x/"', "https://x/a b"):
        with pytest.raises(ValueError, match="not an address"):
            Signer(key=seal().key, certificate=seal().certificate, form=FORMS["stet"], url=url)
    assert NUMBER in repr(Signer(key=seal().key, certificate=seal().certificate, form=Form()))


# --------------------------------------------------------------------------------------------------------------- quirks


def test_each_quirk_changes_what_its_name_says() -> None:
    usual = FORMS["stet"]
    assert SignatureQuirks().form(usual) == usual
    changes: dict[str, tuple[Any, dict[str, Any]]] = {
        "signed_headers": ("Date DIGEST", {"headers": ("date", "digest")}),
        "signed_names_as_written": (True, {"names_as_written": True}),
        "date_wanted": (True, {"dated": True}),
        "key_id_serial_and_issuer": (True, {"key_id": KeyId.SERIAL_AND_ISSUER, "certificate_along": True}),
        "key_id_serial_decimal": (True, {"serial_decimal": True}),
        "key_id_issuer_from_the_root": (True, {"issuer_from_the_root": True}),
        "key_id_issuer_unescaped": (True, {"issuer_unescaped": True}),
        "certificate_with_pem_lines": (True, {"certificate_with_pem_lines": True}),
    }
    own = {one.name for one in dataclasses.fields(SignatureQuirks)} - {
        one.name for one in dataclasses.fields(SignatureQuirks.__base__ or object)
    }
    assert own == changes.keys()
    for name, (value, changed) in changes.items():
        assert SignatureQuirks(**{name: value}).form(usual) == dataclasses.replace(usual, **changed)


def test_a_signature_that_would_sign_nothing_is_refused() -> None:
    profile = PROFILES["oauth2"]
    assert SignatureQuirks(signed_headers="digest date", date_wanted=True).useless(profile, version="") == {}
    assert "signed_headers" in SignatureQuirks(signed_headers="date").useless(profile, version="")
    found = SignatureQuirks(signed_headers="digest", date_wanted=True).useless(profile, version="")
    assert found == {"date_wanted": "signed_headers does not name it"}
