"""The new versions of a bill as they were delivered: each names another one of them, or the bill itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from app.db.many import among
from app.journey.intake.bill import BillKind
from app.journey.intake.models import DeliveredBill

#: whose, and under which number
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A bill that replaces an earlier one of the same biller."""

    customer_id: str
    number: str
    replaces: str


@dataclass
class Versions:
    """Of one biller: the new versions that hang together with some, in whichever order they came."""

    _next: dict[Key, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _versions: set[Key] = field(default_factory=set)

    @classmethod
    def around(cls, session: Session, *, biller_id: str, versions: Collection[Version]) -> Versions:
        """As they were delivered, however many steps away. One query."""
        found = cls()
        if not versions:
            return found
        bill, further = DeliveredBill, aliased(DeliveredBill)
        numbers = {number for each in versions for number in (each.number, each.replaces)}
        known = (
            select(bill.customer_id, bill.number, bill.corrects_number)
            .where(
                bill.biller_id == biller_id,
                bill.kind == BillKind.INVOICE,
                bill.corrects_number.is_not(None),
                or_(among(session, bill.number, numbers), among(session, bill.corrects_number, numbers)),
                among(session, bill.customer_id, {each.customer_id for each in versions}),
            )
            .cte("known", recursive=True)
        )
        known = known.union(
            select(further.customer_id, further.number, further.corrects_number).where(
                further.biller_id == biller_id,
                further.kind == BillKind.INVOICE,
                further.corrects_number.is_not(None),
                or_(
                    further.number == known.c.corrects_number,
                    further.corrects_number == known.c.number,
                    further.corrects_number == known.c.corrects_number,
                ),
                further.customer_id == known.c.customer_id,
            )
        )
        for customer_id, number, replaces in session.execute(select(known)):
            found.add(Version(customer_id=customer_id, number=number, replaces=replaces))
        return found

    def add(self, version: Version) -> None:
        of, to = (version.customer_id, version.number), (version.customer_id, version.replaces)
        self._versions.add(of)
        self._next[of].add(to)
        self._next[to].add(of)

    def count(self, version: Version) -> int:
        """How many there are already of the bill that it would be one more of."""
        new = {(version.customer_id, version.number), (version.customer_id, version.replaces)}
        found = set[Key]()
        while new:
            found |= new
            new = {key for each in new for key in self._next.get(each, ())} - found
        return len(found & self._versions)
