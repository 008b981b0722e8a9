"""the truth: memo ledger, unbroken history, attempts one by one, promises and fences

Revision: 0002, after 0001
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WHEN = sa.DateTime(timezone=True)
#: an order that was out before there were fences: a day after its approval time nothing of it lives
OLD_FENCE = dt.timedelta(days=1)
#: the time to get an order to its bank, and the longest time to approve that the file of a bank may give
TRIP_LIFE = dt.timedelta(minutes=45, days=1)
#: between two sendings of the same bytes
SEND_GAP = dt.timedelta(seconds=1)


def upgrade() -> None:
    _create_ledger()
    _create_history()
    _split_attempts()
    _change_payment()
    _keep_secrets()
    _fill_ledger()
    op.add_column("webhook_message", sa.Column("dropped_at", WHEN, nullable=True))
    op.execute(
        "UPDATE webhook_message SET dropped_at = created_at WHERE delivered_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM work WHERE key = 'webhooks.deliver:' || webhook_message.id)"
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger_entry",
        sa.Column("id", WHOLE, autoincrement=True, nullable=False),
        sa.Column("posting", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", WHOLE, nullable=False),
        sa.Column("invoice_id", sa.String(40), nullable=False),
        sa.Column("payment_id", sa.String(40), nullable=True),
        sa.Column("at", WHEN, nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_ledger_entry_amount_not_zero")),
        sa.CheckConstraint(
            "kind IN ('billed', 'initiated', 'released', 'settled', 'reversed', 'corrected', 'applied')",
            name=op.f("ck_ledger_entry_kind_known"),
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoice.id"], name=op.f("fk_ledger_entry_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("posting", "account", name=op.f("uq_ledger_entry_posting_account")),
    )
    for column in ("account", "invoice_id", "payment_id"):
        op.create_index(op.f(f"ix_ledger_entry_{column}"), "ledger_entry", [column])
    op.create_table(
        "ledger_balance",
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("balance_minor", WHOLE, nullable=False),
        sa.CheckConstraint("balance_minor >= 0", name=op.f("ck_ledger_balance_never_overdrawn")),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_ledger_balance")),
    )
    op.create_table(
        "bank_budget",
        sa.Column("bank_id", sa.String(length=60), nullable=False),
        sa.Column("minute", WHEN, nullable=False),
        sa.Column("calls", WHOLE, nullable=False),
        sa.Column("not_before", WHEN, nullable=True),
        sa.PrimaryKeyConstraint("bank_id", name=op.f("pk_bank_budget")),
    )


def _create_history() -> None:
    op.create_table(
        "payment_history",
        sa.Column("payment_id", sa.String(40), nullable=False),
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("before", sa.String(length=20), nullable=True),
        sa.Column("after", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("at", WHEN, nullable=False),
        sa.CheckConstraint(
            "source IN ('customer', 'worker', 'bank', 'statement', 'operator')",
            name=op.f("ck_payment_history_source_known"),
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_payment_history_payment_id")),
        sa.PrimaryKeyConstraint("payment_id", "sequence", name=op.f("pk_payment_history")),
    )
    write = "INSERT INTO payment_history (payment_id, sequence, before, after, source, evidence, answer, at)"
    line = "'worker', 'before histories were kept'"
    others, of_reversed = (f"FROM payment WHERE state {which} 'reversed'" for which in ("<>", "="))
    op.execute(f"{write} SELECT id, 1, NULL, state, {line}, bank_answer, updated_at {others}")
    # paid, and then not: its biller was told of both
    settled_at = "CASE WHEN settled_at < updated_at THEN settled_at ELSE updated_at END"
    op.execute(f"{write} SELECT id, 1, NULL, 'settled', {line}, NULL, {settled_at} {of_reversed}")
    op.execute(f"{write} SELECT id, 2, 'settled', state, {line}, bank_answer, updated_at {of_reversed}")


def _split_attempts() -> None:
    """One row a call stays, as bank_call; each sending becomes an attempt. What came of it is known of the last one."""
    op.create_table(
        "bank_call",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("payment_id", sa.String(40), nullable=False),
        sa.Column("verb", sa.String(length=10), nullable=False),
        sa.Column("request_id", sa.String(length=40), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("path", sa.String(length=300), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", WHEN, nullable=False),
        sa.CheckConstraint("verb IN ('initiate', 'complete', 'cancel')", name=op.f("ck_bank_call_verb_known")),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_bank_call_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_call")),
        sa.UniqueConstraint("payment_id", "verb", name=op.f("uq_bank_call_payment_id_verb")),
        sa.UniqueConstraint("request_id", name=op.f("uq_bank_call_request_id")),
    )
    op.execute(
        "INSERT INTO bank_call (id, payment_id, verb, request_id, method, path, headers, body, made_at)"
        " SELECT a.id, payment_id, verb, request_id, method, path, headers, body, p.created_at"
        " FROM bank_attempt a JOIN payment p ON p.id = a.payment_id"
    )
    op.execute(
        "CREATE TABLE old_attempt AS SELECT id, sends, sent_at, answered_at, outcome, answer"
        " FROM bank_attempt WHERE sent_at IS NOT NULL"
    )
    op.drop_table("bank_attempt")
    op.create_table(
        "bank_attempt",
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("sent_at", WHEN, nullable=False),
        sa.Column("answered_at", WHEN, nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["bank_call.id"], name=op.f("fk_bank_attempt_call_id")),
        sa.PrimaryKeyConstraint("call_id", "number", name=op.f("pk_bank_attempt")),
    )
    op.execute(
        "INSERT INTO bank_attempt (call_id, number, sent_at, answered_at, outcome, answer)"
        " SELECT id, sends, sent_at, answered_at, outcome, answer FROM old_attempt"
    )
    op.drop_table("old_attempt")
    _add_earlier_attempts()


def _add_earlier_attempts() -> None:
    """An order was first sent when its payment was made, and last when its row says so; the times between were not
    kept, and are spread evenly. So the same bytes go no more often than they may, counted from the very first time.
    """
    connection = op.get_bind()
    attempt = sa.table("bank_attempt", sa.column("call_id"), sa.column("number"), sa.column("sent_at", WHEN))
    call = sa.table("bank_call", sa.column("id"), sa.column("made_at", WHEN))
    repeated = sa.select(call.c.id, call.c.made_at, attempt.c.number, attempt.c.sent_at).where(
        attempt.c.call_id == call.c.id, attempt.c.number > 1
    )
    for row in connection.execute(repeated).all():
        pauses = row.number - 1
        first = min(row.made_at, row.sent_at - pauses * SEND_GAP)  # clocks of two machines may have disagreed
        pause = (row.sent_at - first) / pauses
        earlier = [{"call_id": row.id, "number": 1 + done, "sent_at": first + done * pause} for done in range(pauses)]
        connection.execute(sa.insert(attempt), earlier)
        connection.execute(sa.update(call).where(call.c.id == row.id).values(made_at=first))


def _change_payment() -> None:
    """Column by column, without making the table anew: other tables point at it."""
    op.drop_index("uq_payment_one_live_per_invoice", "payment")  # the ledger is the lock now
    op.drop_column("payment", "bank_answer")
    for name in ("silent_since", "fence_at", "know_by", "unwanted_since"):
        op.add_column("payment", sa.Column(name, WHEN, nullable=True))
    op.add_column("payment", sa.Column("promises_broken", WHOLE, nullable=False, server_default="0"))
    op.add_column("payment", sa.Column("sequence", WHOLE, nullable=False, server_default="1"))
    op.execute("UPDATE payment SET sequence = 2 WHERE state = 'reversed'")
    connection = op.get_bind()
    payment = sa.table("payment", *(sa.column(name) for name in ("id", "state", "consent_id", "trip_id")))
    fence, promise = sa.column("fence_at", WHEN), sa.column("know_by", WHEN)
    changed = sa.table("payment", sa.column("id"), fence, promise)
    consent = sa.table("consent", sa.column("id"), sa.column("expires_at", WHEN))
    trip = sa.table("trip", sa.column("id"), sa.column("left_at", WHEN))
    out = sa.select(payment.c.id, payment.c.state, consent.c.expires_at).where(
        payment.c.consent_id == consent.c.id,
        payment.c.trip_id == trip.c.id,
        trip.c.left_at.is_not(None),
        payment.c.state.in_(["awaiting_customer", "accepted", "unknown"]),
    )
    for row in connection.execute(out).all():
        until = row.expires_at + OLD_FENCE
        values = {"fence_at": until, "know_by": until if row.state == "unknown" else None}
        connection.execute(sa.update(changed).where(changed.c.id == row.id).values(values))


def _keep_secrets() -> None:
    """The secrets of a trip ended with the time to approve, counted from the decision. Now an order may be given to its
    bank for a while first, and the customer then has all of that time: the secrets must last as long.
    """
    connection = op.get_bind()
    payment = sa.table("payment", sa.column("state"), sa.column("trip_id"))
    sealed = sa.table("sealed", sa.column("id"), sa.column("created_at", WHEN), sa.column("expires_at", WHEN))
    open_trips = sa.select(payment.c.trip_id).where(
        payment.c.state.in_(["prepared", "initiating", "awaiting_customer", "accepted", "unknown"])
    )
    for trip_id in connection.execute(open_trips).scalars().all():
        for name in ("state", "verifier"):
            here = sealed.c.id == f"trip:{trip_id}:{name}"
            made_at = connection.execute(sa.select(sealed.c.created_at).where(here)).scalar()
            if made_at is not None:
                connection.execute(sa.update(sealed).where(here).values(expires_at=made_at + TRIP_LIFE))


def _fill_ledger() -> None:
    post = "INSERT INTO ledger_entry (posting, kind, account, currency, amount_minor, invoice_id, payment_id, at) "
    bill = post + "SELECT 'billed:' || id, 'billed', {account}, currency, {sign} amount_minor, id, NULL, received_at"
    op.execute(bill.format(account="'due:' || id", sign="") + " FROM invoice")
    op.execute(bill.format(account="'biller:' || biller_id", sign="-") + " FROM invoice")
    # a decision whose payment was released has moved nothing in the end
    held = (
        " FROM decision d JOIN invoice i ON i.id = d.invoice_id LEFT JOIN payment p ON p.decision_id = d.id"
        " WHERE (p.id IS NULL OR p.state NOT IN ('rejected', 'cancelled', 'expired'))"
    )
    settled = " AND p.state IN ('settled', 'reversed')"
    reversed_ = " AND p.state = 'reversed'"
    for kind, account, amount, which in (
        ("initiated", "'due:' || i.id", "-(d.amount_minor + d.discount_minor)", ""),
        ("initiated", "'inflight:' || d.payment_id", "d.amount_minor", ""),
        ("initiated", "'adjust:' || i.biller_id", "d.discount_minor", " AND d.discount_minor > 0"),
        ("settled", "'inflight:' || d.payment_id", "-d.amount_minor", settled),
        ("settled", "'settled:' || i.biller_id", "d.amount_minor", settled),
        ("reversed", "'settled:' || i.biller_id", "-d.amount_minor", reversed_),
        ("reversed", "'due:' || i.id", "d.amount_minor + d.discount_minor", reversed_),
        ("reversed", "'adjust:' || i.biller_id", "-d.discount_minor", reversed_ + " AND d.discount_minor > 0"),
    ):
        op.execute(
            f"{post} SELECT '{kind}:' || d.payment_id, '{kind}', {account}, d.currency, {amount},"
            f" i.id, d.payment_id, d.decided_at {held}{which}"
        )
    op.execute(
        "INSERT INTO ledger_balance (account, currency, balance_minor)"
        " SELECT account, currency, sum(amount_minor) FROM ledger_entry"
        " WHERE account LIKE 'due:%' OR account LIKE 'inflight:%' GROUP BY account, currency"
    )


def downgrade() -> None:
    raise NotImplementedError("postings and histories would be lost: restore a backup instead")
