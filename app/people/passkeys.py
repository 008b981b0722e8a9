"""Passkeys: making one, signing in, and signing one payment (dynamic linking). User verification always.

A ceremony is a challenge that was handed out. It is bound to its purpose and person, taken once, good five minutes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import webauthn
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.people import sessions
from app.people.customers import lock_customer
from app.people.events import PasskeyAdded, PasskeyRemoved
from app.people.models import Ceremony, Customer, Passkey, RemovedPasskey
from app.people.sessions import SignedIn
from consent.base import hash_of, new_id, new_secret

CEREMONY_LIFE = dt.timedelta(minutes=5)
PASSKEYS_MOST = 20
#: whoever comes back without one makes one, however many there are: each of ten codes could
WITH_WAYS_BACK = PASSKEYS_MOST + 20


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who the passkey belongs to: the host name and the origin of our pages."""

    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class Started:
    """For the browser: ``ceremony`` comes back with the credential; ``public_key`` is WebAuthn's own JSON."""

    ceremony: str
    public_key: dict[str, Any]


def start_making(
    uow: UnitOfWork,
    *,
    party: RelyingParty,
    purpose: str,
    name: str,
    email: str,
    customer_id: str | None,
    data: dict[str, Any],
    most: int = PASSKEYS_MOST,
) -> Started:
    """Begin to make a passkey, for a new customer (``customer_id`` None) or another one for a known customer."""
    known = [] if customer_id is None else _credential_ids(uow.session, customer_id)
    if len(known) >= most:
        raise _too_many()
    user_id = new_secret().encode() if customer_id is None else customer_id.encode()
    options = webauthn.generate_registration_options(
        rp_id=party.host,
        rp_name="Quittance",
        user_id=user_id,
        user_name=email,
        user_display_name=name,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=credential) for credential in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    return _hand_out(uow, options, purpose=purpose, customer_id=customer_id, data=data)


def finish_making(
    uow: UnitOfWork,
    *,
    party: RelyingParty,
    ceremony: Ceremony,
    credential: dict[str, Any],
    customer: Customer,
    name: str,
    most: int = PASSKEYS_MOST,
) -> Passkey:
    """Check the new credential and keep its public key. Raises NotAllowed."""
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=ceremony.challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, KeyError, TypeError, ValueError) as error:
        raise _not_verified() from error
    if len(_credential_ids(uow.session, customer.id)) >= most:
        raise _too_many()
    if uow.session.get(Passkey, made.credential_id) is not None:
        raise Invalid("passkey-known", "This passkey is registered already.")
    passkey = Passkey(
        credential_id=made.credential_id,
        customer_id=customer.id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        backed_up=made.credential_backed_up,
        aaguid=made.aaguid,
        name=name[:100],
        created_at=uow.now,
        last_used_at=None,
    )
    uow.session.add(passkey)
    if ceremony.customer_id is not None:
        uow.record(PasskeyAdded(customer_id=customer.id))
    return passkey


def start_sign_in(uow: UnitOfWork, *, party: RelyingParty) -> Started:
    """Ask for any passkey of this site: nobody types a name."""
    options = webauthn.generate_authentication_options(
        rp_id=party.host, user_verification=UserVerificationRequirement.REQUIRED
    )
    return _hand_out(uow, options, purpose="sign-in", customer_id=None, data={})


def start_approval(
    uow: UnitOfWork,
    *,
    party: RelyingParty,
    customer_id: str,
    purpose: str,
    data: dict[str, Any],
    but: bytes | None = None,
) -> Started:
    """Ask for a passkey of this customer's, for what a stolen session alone must not do; not for the one of ``but``.
    Raises NotAllowed."""
    known = [each for each in _credential_ids(uow.session, customer_id) if each != but]
    if not known:
        raise NotAllowed("no-passkey", "Create a passkey first: it is what signs a payment.")
    options = webauthn.generate_authentication_options(
        rp_id=party.host,
        allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _hand_out(uow, options, purpose=purpose, customer_id=customer_id, data=data)


def start_payment(
    uow: UnitOfWork, *, party: RelyingParty, customer_id: str, order: dict[str, Any], purpose: str = "pay"
) -> Started:
    """Ask the customer to sign exactly this order (PSD2 RTS art. 5, dynamic linking); or with another ``purpose``,
    exactly this agreement.

    The challenge is SHA-256 over a fresh salt and the canonical JSON of ``order``: payee, account, amount, currency,
    date, bank. Nobody can get the signature of one order and use it for another.
    """
    return _start_linked(uow, party=party, customer_id=customer_id, purpose=purpose, over=order, name="order")


def start_payments(uow: UnitOfWork, *, party: RelyingParty, customer_id: str, orders: list[dict[str, Any]]) -> Started:
    """The same for several orders that are signed at once: over the canonical JSON of their list."""
    return _start_linked(uow, party=party, customer_id=customer_id, purpose="pay-together", over=orders, name="orders")


def _start_linked(
    uow: UnitOfWork,
    *,
    party: RelyingParty,
    customer_id: str,
    purpose: str,
    over: dict[str, Any] | list[dict[str, Any]],
    name: str,
) -> Started:
    known = _credential_ids(uow.session, customer_id)
    if not known:
        raise NotAllowed("no-passkey", "Create a passkey first: it is what signs a payment.")
    salt = new_secret()
    options = webauthn.generate_authentication_options(
        rp_id=party.host,
        challenge=linked_challenge(salt, over),
        allow_credentials=[PublicKeyCredentialDescriptor(id=credential) for credential in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _hand_out(uow, options, purpose=purpose, customer_id=customer_id, data={"salt": salt, name: over})


def linked_challenge(salt: str, over: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    """The challenge that binds a signature to one order, or to a list of them; recomputed by whoever checks the
    evidence: over its ``orders`` where several were signed at once, with its ``order`` among them, else over that."""
    return hashlib.sha256(f"{salt}\n".encode() + canonical(over)).digest()


def canonical(over: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    """The one spelling of an order, or of a list of them: no list is spelled as an order is."""
    return json.dumps(over, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def take(uow: UnitOfWork, *, token: object, purpose: str, customer_id: str | None) -> Ceremony:
    """Take a ceremony, once. It goes with the caller's transaction. Raises Invalid when it cannot be taken."""
    row = None
    if isinstance(token, str):
        row = uow.session.get(Ceremony, hash_of(token), with_for_update=True)
    if row is None or row.purpose != purpose or row.customer_id != customer_id or row.expires_at <= uow.now:
        raise Invalid("ceremony-over", "This confirmation is no longer open. Please start it again; nothing was paid.")
    uow.session.delete(row)
    return row


def verify(
    uow: UnitOfWork,
    *,
    party: RelyingParty,
    ceremony: Ceremony,
    credential: dict[str, Any],
    customer_id: str | None,
) -> tuple[Passkey, dict[str, Any]]:
    """Check an assertion over the ceremony's challenge. Returns the passkey and the evidence to keep.

    ``customer_id`` None accepts any customer's passkey (sign-in). Raises NotAllowed.
    """
    try:
        passkey = uow.session.get(Passkey, base64url_to_bytes(credential["rawId"]), with_for_update=True)
        if passkey is None or (customer_id is not None and passkey.customer_id != customer_id):
            raise _not_verified()
        checked = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=ceremony.challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
        evidence = {
            "credential_id": bytes_to_base64url(passkey.credential_id),
            "public_key": bytes_to_base64url(passkey.public_key),
            "authenticator_data": credential["response"]["authenticatorData"],
            "client_data_json": credential["response"]["clientDataJSON"],
            "signature": credential["response"]["signature"],
            **ceremony.data,
        }
    except (WebAuthnException, KeyError, TypeError, ValueError) as error:
        raise _not_verified() from error
    passkey.sign_count = checked.new_sign_count
    passkey.last_used_at = uow.now
    return passkey, evidence


def start_removing(uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn, passkey: object) -> Started:
    """Ask for another passkey than the one that is to go; ``passkey``: its public id. Raises NotFound, NotAllowed, and
    Conflict for the last one."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    wanted = _removable(uow.session, customer_id, passkey)
    data = {"passkey": public_id(wanted)}
    return start_approval(
        uow, party=party, customer_id=customer_id, purpose="remove-passkey", data=data, but=wanted.credential_id
    )


def remove(
    uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn, ceremony: object, credential: dict[str, Any]
) -> None:
    """It opens and signs nothing from now on, whoever is signed in with it is signed out, and whatever was begun with
    a passkey has to be begun again.

    Another one signs that, which stays: so nobody removes the last, who has only a stolen session removes none, and who
    is left with what they sign with is not locked out. Raises NotFound, Conflict, NotAllowed, Invalid.
    """
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    lock_customer(uow.session, customer_id)  # two who remove each other's passkey: one of them is left
    taken = take(uow, token=ceremony, purpose="remove-passkey", customer_id=customer_id)
    gone = _removable(uow.session, customer_id, taken.data["passkey"], lock=True)
    signer, evidence = verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer_id)
    if signer is gone:
        raise NotAllowed("another-passkey", "Another passkey than the one that is to go must sign that.")
    removed = RemovedPasskey(
        id=new_id("rpk"),
        customer_id=customer_id,
        name=gone.name,
        made_at=gone.created_at,
        removed_at=uow.now,
        evidence=evidence,
    )
    uow.session.add(removed)
    uow.session.delete(gone)
    uow.session.flush()
    forget_ceremonies(uow.session, customer_id)  # one of them may be what it has approved: a new passkey
    entries.write(uow, Kind.PASSKEY_REMOVED, removed)
    sessions.end_of_passkey(uow, gone.credential_id, signed_in=signed_in, signed_by=signer.credential_id)
    uow.record(PasskeyRemoved(customer_id=customer_id))


def forget_ceremonies(session: Session, customer_id: str) -> None:
    """Whatever they have begun with a passkey comes to nothing. The caller holds the customer (``lock_customer``).

    One that somebody takes at this moment is left to them, since they may wait for the caller. That is none of a new
    passkey: whoever finishes one holds the customer first.
    """
    theirs = select(Ceremony.token_hash).where(Ceremony.customer_id == customer_id).with_for_update(skip_locked=True)
    found = session.scalars(theirs).all()
    session.execute(delete(Ceremony).where(Ceremony.token_hash.in_(found)))


def _removable(session: Session, customer_id: str, passkey: object, *, lock: bool = False) -> Passkey:
    known = passkeys_of(session, customer_id)
    found = next((each for each in known if public_id(each) == passkey), None)
    if found is None:
        raise NotFound("passkey")
    if len(known) == 1:
        raise Conflict("last-passkey", "This is the only passkey: without it nobody could sign in here.")
    if lock:
        session.refresh(found, with_for_update=True)  # whoever signs in with it just now is waited for
    return found


def public_id(passkey: Passkey) -> str:
    """By which a page names it: no secret, the device tells it to everybody."""
    return bytes_to_base64url(passkey.credential_id)


def has_passkey(session: Session, customer_id: str) -> bool:
    return bool(_credential_ids(session, customer_id))


def passkeys_of(session: Session, customer_id: str) -> list[Passkey]:
    """The customer's passkeys, oldest first."""
    return list(
        session.scalars(
            select(Passkey)
            .where(Passkey.customer_id == customer_id)
            .order_by(Passkey.created_at, Passkey.credential_id)
            .limit(WITH_WAYS_BACK)
        )
    )


def drop_stale(uow: UnitOfWork) -> None:
    """Forget ceremonies that nobody finished."""
    stale = delete(Ceremony).where(Ceremony.expires_at <= uow.now)
    uow.session.execute(stale.execution_options(synchronize_session=False))


def _credential_ids(session: Session, customer_id: str) -> list[bytes]:
    return list(
        session.scalars(select(Passkey.credential_id).where(Passkey.customer_id == customer_id).limit(WITH_WAYS_BACK))
    )


def _hand_out(uow: UnitOfWork, options: Any, *, purpose: str, customer_id: str | None, data: dict[str, Any]) -> Started:
    token = new_secret()
    uow.session.add(
        Ceremony(
            token_hash=hash_of(token),
            purpose=purpose,
            customer_id=customer_id,
            challenge=options.challenge,
            data=data,
            expires_at=uow.now + CEREMONY_LIFE,
        )
    )
    return Started(token, json.loads(webauthn.options_to_json(options)))


def _too_many() -> Invalid:
    return Invalid("too-many-passkeys", f"There are {PASSKEYS_MOST} passkeys already.")


def _not_verified() -> NotAllowed:
    return NotAllowed("not-verified", "The passkey could not be verified. Nothing was changed.")
