"""Who banks at the UK brands, and what they have: an account is the same at each of them.

A balance is never stored: it is the opening amount less what was submitted, so it cannot disagree with the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.sandbox_bank.openbanking_uk.store import Connection

#: everybody's, and the sign-in page says so: a sandbox that one cannot enter shows nothing
SANDBOX_PIN = "1234"

CUSTOMERS = {"camille": "Camille Laurent", "jonas": "Jonas Weber"}
#: made up: no bank has this sort code
SORT_CODE = "999999"
_ACCOUNTS = [
    ("camille-current", "camille", "Current account", "10000041", 50_000_00),
    ("camille-savings", "camille", "Savings account", "10000058", 12_950_00),
    ("jonas-current", "jonas", "Current account", "20000017", 1_840_15),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    customer_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """``available_minor``: pence, less all that was submitted and not taken back."""

    account_id: str
    customer_id: str
    name: str
    account_number: str
    available_minor: int

    @property
    def sort_code(self) -> str:
        return SORT_CODE

    @property
    def holder(self) -> str:
        return CUSTOMERS[self.customer_id]


def seed(connection: Connection) -> None:
    """Opens the accounts; those that exist stay as they are."""
    connection.executemany("INSERT OR IGNORE INTO account VALUES (?, ?, ?, ?, ?)", _ACCOUNTS)


def customers(connection: Connection) -> list[Customer]:  # noqa: ARG001  # as the other bank's, whose are in its file
    return [Customer(customer_id=customer_id, name=name) for customer_id, name in CUSTOMERS.items()]


def accounts_of(connection: Connection, customer_id: str) -> list[Account]:
    rows = connection.execute(f"{_ACCOUNT} WHERE customer_id = ? ORDER BY account_id", [customer_id])
    return [Account(**row) for row in rows]


def account_of(connection: Connection, account_id: str) -> Account:
    row = connection.execute(f"{_ACCOUNT} WHERE account_id = ?", [account_id]).fetchone()
    return Account(**row)


_ACCOUNT = (
    "SELECT account_id, customer_id, name, account_number, opening_minor - coalesce((SELECT sum(CASE movement.kind"
    " WHEN 'debit' THEN amount_minor ELSE -amount_minor END) FROM movement JOIN payment USING (payment_id)"
    " WHERE payment.account_id = account.account_id), 0) AS available_minor FROM account"
)
