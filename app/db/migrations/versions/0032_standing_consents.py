"""standing consents: what is agreed, its history, what is claimed of its limits; and what a customer sets about paying

Stop every server and worker of an older release first: it takes each payment for one whose customer was sent to the
bank, and each consent for one that is used up by its payment. One that was forgotten writes what it always wrote; it
fails at a payment under a standing consent, and starts payments of who has stopped everything.

On PostgreSQL the new CHECKs are NOT VALID here, so that they do not read a large table while it is locked: what is
written from now on is checked, and the rows that are there once this is done (``app/db/migrate.py``). The new indexes
of ``trip`` and ``payment`` and the foreign key of ``decision`` do read these tables, and nobody writes to them
meanwhile: seconds for a million rows.

Revision: 0032, after 0031
"""

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
NOT_ENDED = sa.text("ended_at IS NULL")
NOT_LIFTED = sa.text("lifted_at IS NULL")
HAS_TRIP = sa.text("trip_id IS NOT NULL")
STATE_OF_ITS_KIND = (
    "(kind = 'single' AND state IN ('awaiting_authorisation', 'authorised', 'consumed', 'rejected', 'expired'))"
    " OR (kind = 'standing' AND state IN ('prepared', 'awaiting', 'authorised', 'stopped_at_bank', 'revoking',"
    " 'rejected', 'expired', 'revoked'))"
)
KNOWN_AT_BANK = (
    "bank_consent_id IS NOT NULL OR (kind = 'standing' AND state IN ('prepared', 'rejected', 'expired', 'revoked'))"
)


def upgrade() -> None:
    with op.batch_alter_table("consent") as batch:
        batch.alter_column("bank_consent_id", existing_type=sa.String(140), nullable=True)
        batch.drop_constraint(op.f("ck_consent_kind_known"), type_="check")
        _check(batch, "ck_consent_state_of_its_kind", STATE_OF_ITS_KIND)
        _check(batch, "ck_consent_known_at_bank", KNOWN_AT_BANK)
    with op.batch_alter_table("trip") as batch:
        batch.drop_constraint(op.f("uq_trip_consent_id"), type_="unique")
    op.create_index(op.f("ix_trip_consent_id"), "trip", ["consent_id"])
    with op.batch_alter_table("payment") as batch:
        batch.alter_column("trip_id", existing_type=sa.String(40), nullable=True)
        batch.drop_constraint(op.f("uq_payment_consent_id"), type_="unique")
        _check(batch, "ck_payment_has_its_approval", "trip_id IS NOT NULL OR consent_id IS NOT NULL")
    op.create_index(op.f("ix_payment_consent_id"), "payment", ["consent_id"])
    op.create_index(
        "uq_payment_single_consent",
        "payment",
        ["consent_id"],
        unique=True,
        postgresql_where=HAS_TRIP,
        sqlite_where=HAS_TRIP,
    )
    with op.batch_alter_table("decision") as batch:
        batch.add_column(sa.Column("consent_id", sa.String(40), nullable=True))
        batch.create_foreign_key(op.f("fk_decision_consent_id"), "consent", ["consent_id"], ["id"])
    _consents()
    _limits()
    _customers()


def _consents() -> None:
    op.create_table(
        "shown_text",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("what", sa.String(20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_shown_text")),
    )
    op.create_table(
        "standing",
        sa.Column("consent_id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("bank_id", sa.String(60), nullable=False),
        sa.Column("purpose", sa.String(140), nullable=False),
        sa.Column("payee_name", sa.String(70), nullable=False),
        sa.Column("payee_iban", sa.String(34), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("each_minor", WHOLE, nullable=False),
        sa.Column("limits", sa.JSON(), nullable=False),
        sa.Column("vrp_type", sa.String(12), nullable=False),
        sa.Column("days", sa.String(40), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("shown_hash", sa.String(64), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("agreed_at", MOMENT, nullable=False),
        sa.Column("request_id", sa.String(40), nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("path", sa.String(300), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("payer_mask", sa.String(40), nullable=True),
        sa.Column("payer_name", sa.String(140), nullable=True),
        sa.Column("authorised_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("looked_at", MOMENT, nullable=True),
        sa.Column("next_look_at", MOMENT, nullable=True),
        sa.Column("reminded_for", sa.Date(), nullable=True),
        sa.Column("sequence", WHOLE, nullable=False),
        sa.CheckConstraint(
            "vrp_type IN ('sweeping', 'other', 'commercial_1', 'commercial_2', 'commercial_3')",
            name=op.f("ck_standing_vrp_type_known"),
        ),
        sa.CheckConstraint("each_minor > 0", name=op.f("ck_standing_each_positive")),
        sa.CheckConstraint("ends_on IS NULL OR ends_on >= begins_on", name=op.f("ck_standing_ends_after_it_begins")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_standing_biller_id")),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.id"], name=op.f("fk_standing_consent_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_standing_customer_id")),
        sa.ForeignKeyConstraint(["shown_hash"], ["shown_text.sha256"], name=op.f("fk_standing_shown_hash")),
        sa.PrimaryKeyConstraint("consent_id", name=op.f("pk_standing")),
        sa.UniqueConstraint("request_id", name=op.f("uq_standing_request_id")),
    )
    op.create_index(op.f("ix_standing_biller_id"), "standing", ["biller_id"])
    op.create_index("ix_standing_ends", "standing", ["ends_on"], postgresql_where=NOT_ENDED, sqlite_where=NOT_ENDED)
    op.create_index("ix_standing_open", "standing", ["customer_id"], postgresql_where=NOT_ENDED, sqlite_where=NOT_ENDED)
    op.create_table(
        "consent_history",
        sa.Column("consent_id", sa.String(40), nullable=False),
        sa.Column("sequence", WHOLE, autoincrement=False, nullable=False),
        sa.Column("step", sa.String(20), nullable=False),
        sa.Column("before", sa.String(24), nullable=True),
        sa.Column("after", sa.String(24), nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "source IN ('customer', 'bank', 'worker', 'operator')", name=op.f("ck_consent_history_source_known")
        ),
        sa.ForeignKeyConstraint(["consent_id"], ["standing.consent_id"], name=op.f("fk_consent_history_consent_id")),
        sa.PrimaryKeyConstraint("consent_id", "sequence", name=op.f("pk_consent_history")),
    )


def _limits() -> None:
    op.create_table(
        "consent_usage",
        sa.Column("consent_id", sa.String(40), nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("limit_minor", WHOLE, nullable=False),
        sa.Column("used_minor", WHOLE, nullable=False),
        sa.Column("refused_at", MOMENT, nullable=True),
        sa.CheckConstraint("last >= first", name=op.f("ck_consent_usage_last_after_first")),
        sa.CheckConstraint("used_minor >= 0", name=op.f("ck_consent_usage_used_not_negative")),
        sa.ForeignKeyConstraint(["consent_id"], ["standing.consent_id"], name=op.f("fk_consent_usage_consent_id")),
        sa.PrimaryKeyConstraint("consent_id", "number", "first", name=op.f("pk_consent_usage")),
    )
    op.create_index("ix_consent_usage_current", "consent_usage", ["consent_id", "last"])
    op.create_table(
        "limit_claim",
        sa.Column("payment_id", sa.String(40), nullable=False),
        sa.Column("number", WHOLE, autoincrement=False, nullable=False),
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("consent_id", sa.String(40), nullable=False),
        sa.Column("minor", WHOLE, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("released_at", MOMENT, nullable=True),
        sa.CheckConstraint("minor > 0", name=op.f("ck_limit_claim_minor_positive")),
        sa.ForeignKeyConstraint(
            ["consent_id", "number", "first"],
            ["consent_usage.consent_id", "consent_usage.number", "consent_usage.first"],
            name=op.f("fk_limit_claim_consent_id_number_first"),
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["decision.payment_id"], name=op.f("fk_limit_claim_payment_id")),
        sa.PrimaryKeyConstraint("payment_id", "number", "first", name=op.f("pk_limit_claim")),
    )
    op.create_index("ix_limit_claim_period", "limit_claim", ["consent_id", "number", "first"])


def _customers() -> None:
    op.create_table(
        "customer_bank",
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("bank_id", sa.String(60), nullable=False),
        sa.Column("rank", WHOLE, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("removed_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_bank_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", "bank_id", name=op.f("pk_customer_bank")),
    )
    op.create_table(
        "stop",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("session_id", sa.String(40), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("lifted_at", MOMENT, nullable=True),
        sa.Column("lifted_evidence", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_stop_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stop")),
    )
    op.create_index(op.f("ix_stop_customer_id"), "stop", ["customer_id"])
    op.create_index(
        "uq_stop_standing", "stop", ["customer_id"], unique=True, sqlite_where=NOT_LIFTED, postgresql_where=NOT_LIFTED
    )
    op.create_table(
        "tool_token",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scope", sa.String(60), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_tool_token_customer_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_tool_token")),
    )
    op.create_index(op.f("ix_tool_token_customer_id"), "tool_token", ["customer_id"])
    op.create_table(
        "pay_first",
        sa.Column("customer_id", sa.String(40), nullable=False),
        sa.Column("biller_id", sa.String(40), nullable=False),
        sa.Column("consent_id", sa.String(40), nullable=True),
        sa.Column("bank_id", sa.String(60), nullable=True),
        sa.Column("chosen_at", MOMENT, nullable=False),
        sa.CheckConstraint("(consent_id IS NULL) <> (bank_id IS NULL)", name=op.f("ck_pay_first_one_way")),
        sa.ForeignKeyConstraint(["biller_id"], ["biller.id"], name=op.f("fk_pay_first_biller_id")),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.id"], name=op.f("fk_pay_first_consent_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_pay_first_customer_id")),
        sa.PrimaryKeyConstraint("customer_id", "biller_id", name=op.f("pk_pay_first")),
    )


def downgrade() -> None:
    """The program of before would start payments of who has stopped everything, and knows no standing consent."""
    connection = op.get_bind()
    if connection.scalar(sa.text("SELECT count(*) FROM consent WHERE kind = 'standing'")):
        raise RuntimeError("standing consents were agreed on since 0032, and the older program could not even end one")
    if connection.scalar(sa.text("SELECT count(*) FROM stop WHERE lifted_at IS NULL")):
        raise RuntimeError("customers have stopped everything, and the older program would start payments of theirs")
    if connection.scalar(sa.text("SELECT count(*) FROM customer_bank WHERE removed_at IS NOT NULL")):
        raise RuntimeError("customers have removed banks, and the older program would offer these to them again")
    for table in ("pay_first", "tool_token", "stop", "customer_bank", "limit_claim", "consent_usage"):
        op.drop_table(table)
    for table in ("consent_history", "standing", "shown_text"):
        op.drop_table(table)
    with op.batch_alter_table("decision") as batch:
        batch.drop_constraint(op.f("fk_decision_consent_id"), type_="foreignkey")
        batch.drop_column("consent_id")
    op.drop_index("uq_payment_single_consent", table_name="payment")
    op.drop_index(op.f("ix_payment_consent_id"), table_name="payment")
    with op.batch_alter_table("payment") as batch:
        batch.drop_constraint(op.f("ck_payment_has_its_approval"), type_="check")
        batch.alter_column("trip_id", existing_type=sa.String(40), nullable=False)
        batch.create_unique_constraint(op.f("uq_payment_consent_id"), ["consent_id"])
    op.drop_index(op.f("ix_trip_consent_id"), table_name="trip")
    with op.batch_alter_table("trip") as batch:
        batch.create_unique_constraint(op.f("uq_trip_consent_id"), ["consent_id"])
    with op.batch_alter_table("consent") as batch:
        batch.drop_constraint(op.f("ck_consent_known_at_bank"), type_="check")
        batch.drop_constraint(op.f("ck_consent_state_of_its_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_consent_kind_known"), "kind IN ('single')")
        batch.alter_column("bank_consent_id", existing_type=sa.String(140), nullable=False)


def _check(batch: BatchOperations, name: str, condition: str) -> None:
    batch.create_check_constraint(op.f(name), condition, postgresql_not_valid=True)
