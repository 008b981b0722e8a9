"""Whose mail goes to one mailbox. Addresses are sealed, so they are found by a keyed hash of the mailbox."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.people.models import Customer
from consent.private import keys_of


def mailbox_of(address: str) -> str:
    """Where its mail ends up as far as one can tell: what stands behind a ``+`` is a label, of which anybody can write
    as many as they like."""
    local, _, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def key_of(session: Session, address: str) -> str:
    """Of the mailbox of this address: as ``Customer.mailbox_key`` has it."""
    return keys_of(session).hash_of(f"mailbox:{mailbox_of(address)}")


def of_address(session: Session, address: str) -> dict[str, Any]:
    """What a customer's row says of their address: each of these columns, and nobody writes one alone."""
    return {
        "email": address,
        "mailbox_key": key_of(session, address),
        "is_labelled": mailbox_of(address) != address,
    }


def give(session: Session, customer: Customer, address: str) -> None:
    """From now on this is their address."""
    for name, value in of_address(session, address).items():
        setattr(customer, name, value)


def customers_with_address(session: Session, address: str) -> list[Customer]:
    """Whose address is exactly this one, the oldest space first."""
    same_mailbox = select(Customer).where(Customer.mailbox_key == key_of(session, address))
    rows = session.scalars(same_mailbox.order_by(Customer.created_at, Customer.id))
    return [customer for customer in rows if customer.email == address]
