"""the day before: a payment that was decided for a later day is told of before it is made

Also of those that wait for their day now. And one that a bank keeps is told of when it is not wanted any more.

Revision: 0048, after 0047
"""

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

NEW, UNWANTED = "payment_coming", "kept_unwanted"
CHOICES = (
    "new_bill",
    "bill_held",
    "bill_reply",
    "plan_due",
    "plan_missed",
    NEW,
    "payment_settled",
    "payment_failed",
    "payment_reversed",
    "account_frozen",
    "consent_set_up",
    "consent_ending",
    "consent_stopped",
    "consent_account",
    "consent_ended",
    "consent_not_taken",
)
#: in the order of the program
KINDS = (*CHOICES[:9], "later_failed", UNWANTED, *CHOICES[9:])
#: which nobody chooses
OWN = (
    "words_changed",
    "address_asked",
    "all_stopped",
    "stop_lifted",
    "passkey_added",
    "passkey_removed",
)
HANDLER, FACT = "notices.tell_payment_coming", "PaymentScheduled"
MOMENT = sa.DateTime(timezone=True)
EVENT = sa.table(
    "event",
    sa.column("id", sa.String),
    sa.column("kind", sa.String),
    sa.column("payload", sa.JSON),
    sa.column("recorded_at", MOMENT),
)
WAITING = sa.text(
    "SELECT d.payment_id, d.id, d.decided_at FROM decision d LEFT JOIN payment p ON p.id = d.payment_id"
    " WHERE d.verb = 'pay_on_day' AND (p.id IS NULL"
    " OR p.state NOT IN ('settled', 'rejected', 'cancelled', 'expired', 'reversed')) ORDER BY d.payment_id"
).columns(sa.column("p", sa.String), sa.column("d", sa.String), sa.column("decided_at", MOMENT))
WORK = sa.table(
    "work",
    sa.column("handler", sa.String),
    sa.column("key", sa.String),
    sa.column("payload", sa.JSON),
    sa.column("run_at", MOMENT),
    sa.column("attempts", sa.Integer),
    sa.column("created_at", MOMENT),
)


def upgrade() -> None:
    _kinds("notice_choice", CHOICES)
    _kinds("notice", (*KINDS, *OWN))
    for payment_id, decision_id, decided_at in op.get_bind().execute(WAITING).all():
        event_id, fact = f"evt_{payment_id.partition('_')[2]}", {"decision_id": decision_id, "payment_id": payment_id}
        op.execute(EVENT.insert().values(id=event_id, kind=FACT, payload=fact, recorded_at=decided_at))
        op.execute(
            WORK.insert().values(
                handler=HANDLER,
                key=f"{HANDLER}:{event_id}",
                payload={"event": event_id, **fact},
                run_at=decided_at,
                attempts=0,
                created_at=decided_at,
            )
        )


def downgrade() -> None:
    op.execute(  # nobody of before has a handler for the one
        f"DELETE FROM work WHERE handler IN ('{HANDLER}', 'notices.tell_kept_unwanted') OR key IN"  # noqa: S608  # nosec B608  # our own names
        f" (SELECT 'notices.send:' || id FROM notice WHERE kind IN ('{NEW}', '{UNWANTED}'))"
    )
    for table, known in (("notice_choice", CHOICES), ("notice", (*KINDS, *OWN))):
        op.execute(f"DELETE FROM {table} WHERE kind IN ('{NEW}', '{UNWANTED}')")  # noqa: S608  # nosec B608  # our own names
        _kinds(table, tuple(kind for kind in known if kind not in (NEW, UNWANTED)))
    op.execute(f"DELETE FROM event WHERE kind IN ('{FACT}', 'KeptUnwanted')")  # noqa: S608  # nosec B608  # our own names


def _kinds(table: str, kinds: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_kind_known")
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(name, type_="check")
        batch.create_check_constraint(name, "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")")
