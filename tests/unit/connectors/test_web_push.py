"""What goes over the wire to a push service: by the standards' own values, by another's program, by what it hides."""

from __future__ import annotations

import datetime as dt
import itertools
import subprocess

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from connectors.web_push import LENGTH, NoSubscription, Sender, Subscription, Urgency, encoded, seal
from tests.support.judges import JUDGES, MODULES, NODE
from tests.support.push_service import Subscriber, text, value

NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)
ENDPOINT = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"

# RFC 8291, section 5 and appendix A
PLAINTEXT = b"When I grow up, I want to be a watermelon"
RECEIVER_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
RECEIVER_PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SENDER_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
    "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
# RFC 8292, section 2.4
VAPID_KEY: dict[str, str | list[str]] = {
    "crv": "P-256",
    "kty": "EC",
    "x": "DUfHPKLVFQzVvnCPGyfucbECzPDa7rWbXriLcysAjEc",
    "y": "F6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs",
}
VAPID_TOKEN = (
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1Yi"
    "I6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9"
    "OkSSHzvoD1oA"
)


def given_by(public: str = RECEIVER_PUBLIC, auth: str = AUTH) -> Subscription:
    return Subscription.parse({"endpoint": ENDPOINT, "keys": {"p256dh": public, "auth": auth}})


def sender() -> tuple[Sender, ECKey]:
    key = ECKey.generate_key("P-256")
    return Sender(key.as_dict(private=True), contact="mailto:help@bills.example"), key


# --------------------------------------------------------------------------------------------------- sealing


def test_the_values_of_the_standard() -> None:
    key = ec.derive_private_key(int.from_bytes(value(SENDER_PRIVATE)), ec.SECP256R1())
    body = seal(PLAINTEXT, given_by(), length=len(PLAINTEXT), key=key, salt=value(SALT))
    assert encoded(body) == SEALED


def test_our_receiver_opens_the_values_of_the_standard() -> None:
    """The push service of our tests is judged as well."""
    receiver = Subscriber(ENDPOINT)
    receiver._key = ec.derive_private_key(int.from_bytes(value(RECEIVER_PRIVATE)), ec.SECP256R1())
    receiver.auth = value(AUTH)
    assert text(receiver.p256dh) == RECEIVER_PUBLIC
    assert receiver.open(value(SEALED)) == PLAINTEXT


@pytest.mark.judges
@pytest.mark.parametrize("message", [PLAINTEXT, b"", b"Il y a du nouveau dans votre espace", b"x" * LENGTH])
def test_another_program_opens_what_we_seal(message: bytes) -> None:
    receiver = Subscriber(ENDPOINT)
    assert (MODULES / "http_ece").exists(), "the judges are not installed: run `make judges`"
    opened = subprocess.run(
        [str(NODE), str(JUDGES / "open_push.mjs"), receiver.private_key, text(receiver.auth)],
        input=seal(message, Subscription.parse(receiver.as_json())),
        capture_output=True,
        check=True,
    )
    assert opened.stdout == message


@given(message=st.binary(max_size=LENGTH))
def test_what_is_sealed_is_opened_by_this_one_alone(message: bytes) -> None:
    receiver, other = Subscriber(ENDPOINT), Subscriber(ENDPOINT)
    body = seal(message, Subscription.parse(receiver.as_json()))
    assert receiver.open(body) == message
    with pytest.raises(InvalidTag):
        other.open(body)
    other.auth = receiver.auth
    with pytest.raises(InvalidTag):
        other.open(body)


@given(messages=st.lists(st.binary(max_size=LENGTH), min_size=2, max_size=5))
def test_no_message_tells_by_its_length_what_it_is(messages: list[bytes]) -> None:
    subscription = given_by()
    bodies = [seal(message, subscription) for message in messages]
    assert len({len(body) for body in bodies}) == 1
    assert len(bodies[0]) <= 4096
    assert all(one[:16] != other[:16] for one, other in itertools.combinations(bodies, 2))  # a salt each
    assert all(one[21:86] != other[21:86] for one, other in itertools.combinations(bodies, 2))  # and a key


def test_what_is_too_long_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="short"):
        seal(b"x" * (LENGTH + 1), given_by())
    with pytest.raises(ValueError, match="short"):
        seal(b"x", given_by(), length=4096)


# ---------------------------------------------------------------------------------------------- subscriptions


def test_a_subscription_comes_back_as_it_came() -> None:
    sent = Subscriber(ENDPOINT).as_json()
    assert Subscription.parse(sent).as_json() == {name: sent[name] for name in ("endpoint", "keys")}
    padded = {"endpoint": ENDPOINT, "keys": {"p256dh": f"{RECEIVER_PUBLIC}=", "auth": f"{AUTH}=="}}
    assert Subscription.parse(padded) == given_by()


def test_a_subscription_does_not_show_its_secrets() -> None:
    assert AUTH not in repr(given_by())
    assert "auth" not in repr(given_by())


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=100),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["endpoint", "keys", "p256dh", "auth", "x"]), inner, max_size=4)
    ),
)


@given(sent=_JSON)
def test_whatever_else_is_sent_is_no_subscription(sent: object) -> None:
    with pytest.raises(NoSubscription):
        Subscription.parse(sent)


@pytest.mark.parametrize(
    "point",
    [
        b"\x04" + bytes(64),  # on no curve
        b"\x02" + value(RECEIVER_PUBLIC)[1:33] + bytes(32),
        value(RECEIVER_PUBLIC)[:-1] + bytes([value(RECEIVER_PUBLIC)[-1] ^ 1]),
        bytes(65),
        b"\x04" + b"\xff" * 64,
    ],
)
def test_a_key_that_is_no_point_of_the_curve_is_refused(point: bytes) -> None:
    with pytest.raises(NoSubscription, match="curve"):
        given_by(public=text(point))


# ---------------------------------------------------------------------------------------------------- who sends


def test_the_token_of_the_standard_is_one_that_we_understand() -> None:
    """So what our own tests check a token with is right as well."""
    claims = jwt.decode(VAPID_TOKEN, ECKey.import_key(VAPID_KEY), algorithms=["ES256"]).claims
    assert claims == {"aud": "https://push.example.net", "exp": 1453523768, "sub": "mailto:push@example.com"}


@pytest.mark.parametrize(
    ("endpoint", "audience"),
    [
        (ENDPOINT, "https://push.example.net"),
        ("https://Push.Example.net:8443/a?b", "https://push.example.net:8443"),
        ("https://[2001:db8::1]/a", "https://[2001:db8::1]"),
    ],
)
def test_who_sends_is_said_and_signed(endpoint: str, audience: str) -> None:
    ours, key = sender()
    subscription = Subscription.parse(Subscriber(endpoint).as_json())
    headers = ours.headers(subscription, ttl_s=60, urgency=Urgency.HIGH, now=NOW)
    assert (headers["TTL"], headers["Urgency"], headers["Content-Encoding"]) == ("60", "high", "aes128gcm")
    scheme, token, public = headers["Authorization"].replace(",", "").split(" ")
    assert (scheme, public) == ("vapid", f"k={ours.public_key}")
    decoded = jwt.decode(token.removeprefix("t="), key, algorithms=["ES256"])
    assert decoded.header == {"typ": "JWT", "alg": "ES256"}
    assert decoded.claims == {
        "aud": audience,
        "exp": int(NOW.timestamp()) + 12 * 3600,
        "sub": "mailto:help@bills.example",
    }
    with pytest.raises(BadSignatureError):
        jwt.decode(token.removeprefix("t="), ECKey.generate_key("P-256"), algorithms=["ES256"])


def test_the_public_key_is_the_one_that_browsers_subscribe_with() -> None:
    ours, key = sender()
    raw = value(ours.public_key)
    public = key.as_dict(private=False)
    assert (len(raw), raw[:1]) == (65, b"\x04")
    assert (text(raw[1:33]), text(raw[33:])) == (public["x"], public["y"])
