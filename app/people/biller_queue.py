"""Where those stand in line who rely on what is known of a biller, and who changes it: itself, its accounts, its keys.

At a row, readers overtake whoever waits to change it: a company of which something is always delivered, decided or
prepared would keep off for ever that it is suspended or its account frozen. Everybody stands here before they lock
anything of the biller, of a bill or of a payment: who held one of these already would keep others waiting behind a
change that waits for who waits for them.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.db.locks import lock_name


def wait_to_read(session: Session, biller_id: str | None) -> None:
    """What is known of it stays until this transaction ends. None, of a bill that its customer added: nobody waits."""
    if biller_id is not None:
        lock_name(session, _name_of(biller_id), shared=True)


def wait_to_change(session: Session, biller_id: str) -> None:
    """Nobody else changes it, nor relies on it, until this transaction ends."""
    lock_name(session, _name_of(biller_id))


def _name_of(biller_id: str) -> str:
    return f"biller:{biller_id}"
