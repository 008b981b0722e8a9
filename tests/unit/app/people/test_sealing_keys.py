"""Which keys a biller may seal its bills with."""

from __future__ import annotations

import threading

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.util import urlsafe_b64encode

from app.errors import Conflict, Invalid
from app.people.sealing_keys import add_key, keys_of, revoke_key
from app.services import Services
from tests.support import factories
from tests.support.sealing import new_sealing_key

P = 2**255 - 19
#: y of every point of small order, and two of them as they are written in another way, each with both signs of x
WEAK = [
    y | sign
    for y in (
        *(0, 1, P - 1, P, P + 1),
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    )
    for sign in (0, 1 << 255)
]


def okp(y: int) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": urlsafe_b64encode(y.to_bytes(32, "little")).decode()}


def signs_anything(y: int) -> bool:
    """Whether one signature is found to hold for some of 64 texts, as the library that checks seals sees it."""
    nothing = (1).to_bytes(32, "little") + bytes(32)  # R is the neutral point, S is 0: it holds where k·A is neutral
    for number in range(64):
        try:
            Ed25519PublicKey.from_public_bytes(y.to_bytes(32, "little")).verify(nothing, f"bill {number}".encode())
        except (InvalidSignature, ValueError):
            continue
        return True
    return False


@pytest.mark.parametrize("y", WEAK, ids=range(len(WEAK)))
def test_a_key_by_which_any_text_is_signed_is_none(services: Services, y: int) -> None:
    biller_id = factories.make_biller(services).id
    with services.unit_of_work() as uow, pytest.raises(Invalid):
        add_key(uow, biller_id=biller_id, jwk=okp(y))


def test_the_weak_ones_would_have_signed() -> None:
    """What is refused above is weak indeed, and a key as it is made is not."""
    weak = {y for y in WEAK if signs_anything(y)}
    assert {y % (1 << 255) for y in weak} >= {y for y in WEAK[::2] if y < P}
    made = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert not signs_anything(int.from_bytes(made, "little"))


def test_a_key_that_was_taken_back_does_not_return_under_another_name(services: Services) -> None:
    biller_id = factories.make_biller(services).id
    made = new_sealing_key(kid="first")
    with services.unit_of_work() as uow:
        key = add_key(uow, biller_id=biller_id, jwk=made.public)
        revoke_key(uow, key_id=key.id, because="it was lost")
        uow.commit()
    for kid in ("first", "second"):
        with services.unit_of_work() as uow, pytest.raises(Conflict) as refused:
            add_key(uow, biller_id=biller_id, jwk={**made.public, "kid": kid})
        assert refused.value.code == "key-known"


@pytest.mark.each_database
def test_two_who_register_one_key_at_once_are_told_one_after_the_other(services: Services) -> None:
    biller_id, made = factories.make_biller(services).id, new_sealing_key()
    told: list[str] = []
    both = threading.Barrier(2)

    def register() -> None:
        both.wait()
        with services.unit_of_work() as uow:
            try:
                add_key(uow, biller_id=biller_id, jwk=made.public)
                uow.commit()
                told.append("there")
            except Conflict as refused:
                told.append(refused.code)

    threads = [threading.Thread(target=register) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(told) == ["key-known", "there"]
    with services.reading() as uow:
        assert len(keys_of(uow.session, biller_id=biller_id)) == 1
