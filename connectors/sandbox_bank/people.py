"""Who banks here, and what they have. Without it there would be nobody to sign in as.

A balance is never stored: it is the opening amount and the bookings, so it cannot disagree with the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.sandbox_bank.store import Connection

#: everybody's, and the sign-in page says so: a sandbox that one cannot enter shows nothing
SANDBOX_PIN = "1234"
PIN_TRIES_MAX = 5

#: made up, with right check digits; no bank has these bank codes
_CUSTOMERS = [("camille", "Camille Laurent"), ("jonas", "Jonas Weber")]
_ACCOUNTS = [
    ("camille-current", "camille", "FR7699990000010000042184082", "current", 4_218_40),
    ("camille-savings", "camille", "FR7699990000010000129500087", "savings", 12_950_00),
    ("jonas-current", "jonas", "DE04999900010000184015", "current", 1_840_15),
]


@dataclass(frozen=True, kw_only=True)
class Customer:
    customer_id: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Account:
    """`available_minor` leaves out what is approved and not yet booked."""

    account_id: str
    customer_id: str
    iban: str
    product: str
    available_minor: int


def seed(connection: Connection) -> None:
    """Opens the accounts of the sandbox customers; those that exist stay as they are."""
    connection.executemany("INSERT OR IGNORE INTO customer VALUES (?, ?)", _CUSTOMERS)
    connection.executemany("INSERT OR IGNORE INTO account VALUES (?, ?, ?, ?, ?)", _ACCOUNTS)


def customers(connection: Connection) -> list[Customer]:
    rows = connection.execute("SELECT customer_id, name FROM customer ORDER BY name")
    return [Customer(**row) for row in rows]


def accounts_of(connection: Connection, customer_id: str) -> list[Account]:
    rows = connection.execute(
        """
        SELECT account_id, customer_id, iban, product, opening_minor
            - (SELECT coalesce(sum(amount_minor), 0) FROM booking b
               WHERE b.account_id = a.account_id AND kind = 'debit')
            + (SELECT coalesce(sum(amount_minor), 0) FROM booking b
               WHERE b.account_id = a.account_id AND kind = 'reversal')
            - (SELECT coalesce(sum(amount_minor), 0) FROM due JOIN payment p USING (payment_id)
               WHERE p.account_id = a.account_id AND due.kind = 'debit') AS available_minor
        FROM account a WHERE customer_id = ? ORDER BY account_id
        """,
        [customer_id],
    )
    return [Account(**row) for row in rows]


def iban_is_ours(connection: Connection, iban: str) -> bool:
    return connection.execute("SELECT 1 FROM account WHERE iban = ?", [iban]).fetchone() is not None


def holder_of(connection: Connection, iban: str) -> str | None:
    """The name of whoever has this account here; None: it is no account of this bank."""
    row = connection.execute(
        "SELECT name FROM account JOIN customer USING (customer_id) WHERE iban = ?", [iban]
    ).fetchone()
    return None if row is None else str(row["name"])
