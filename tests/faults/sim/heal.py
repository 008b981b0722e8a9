"""The second part of every history: nothing goes wrong any more, and time runs. All must come to its true end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from app.audit.verify import verify
from app.journey.payments import rules
from app.journey.payments.states import CLOSED, PaymentState
from tests.faults.sim.bank import PAID, Bank, Order
from tests.faults.sim.invariants import Found, Row, Watch, broken_tables
from tests.faults.sim.signing_in import LAST_LOOKS, SigningIn
from tests.faults.sim.submitting import Submitting
from tests.faults.sim.world import World

#: long enough for every late look, every promise and every order that takes days
HEAL = dt.timedelta(days=8)
EVENTS_MOST = 4000
#: a bank is asked so many times a minute at the most: a promise that ends sooner may wait for that
PATIENCE = dt.timedelta(minutes=10)
#: words of a bank after which an outcome is not unknown any more
CLEAR = {"ACTC", "ACFC", "ACSP", "ACSC", "ACCC", "RJCT", "CANC"}
#: so long after all is well again the bank has been asked
WELL = dt.timedelta(minutes=5)
ENDED = (*CLOSED, PaymentState.SETTLED, PaymentState.REVERSED)


def heal(world: World, watch: Watch) -> None:
    """Raises Violation for what does not end, or ends otherwise than at the bank."""
    world.calm = True
    world.healed_at = world.floor.now
    world.floor.note("heal")
    for process in world.floor.processes:
        process.frozen_until = None
    for bank in world.banks:
        bank.nature.heal()
        bank.away_until = None
    for receiver in world.receivers.values():
        receiver.trouble = ""
    world.standing.truth.begin_to_heal()
    promised = [row for row in _rows(world, watch) if _is_clear(world, row)]
    start = world.floor.now
    for hours in (0.25, 1, 6, 24, 24, 24, 24, 24, 48, 16.75):
        if not world.settle(world.floor.now + dt.timedelta(hours=hours), most=EVENTS_MOST):
            world.floor.broken("L4", "the work does not come to an end")
        world.do_housekeeping()
        since = world.floor.now - start
        late = broken_tables(world, watch, late=True)
        watch.judge((name, f"{detail}, {since} after all was well") for name, detail in late)
        if hours == 24:
            for _ in range(3):
                world.do_operator()
    watch.judge(_promises_broken(world, promised))
    watch.judge(_open_ends(world, watch))
    watch.judge(world.account.in_the_end())
    watch.judge(world.standing.truth.in_the_end())
    watch.judge(_altered(world))


def _altered(world: World) -> Iterator[Found]:
    """The log is what it was, and every row that it speaks of is as it says."""
    with world.services.engine.connect() as connection:
        for sentence in verify(connection, world.services.keys.log.verifier).wrong:
            yield "H4", sentence


def _rows(world: World, watch: Watch) -> list[Row]:
    watch.look()
    return watch.rows


def _promises_broken(world: World, promised: Iterable[Row]) -> Iterator[Found]:
    for row in promised:
        [told] = world.house.raw.execute(
            "SELECT min(at) FROM payment_history WHERE payment_id = ? AND sequence > ?", (row.id, row.sequence)
        ).fetchone()
        world.floor.counts["some promises kept"] += 1
        if told is None or told > str(row.know_by):
            yield "T3", f"{row.id} was to be known by {row.know_by}, the bank knew, and it was known at {told}"


def _is_clear(world: World, row: Row) -> bool:
    """Unknown and promised to be known by some time; and the bank says already what became of it, whenever asked."""
    if row.state != PaymentState.UNKNOWN or row.know_by is None or not _tells(world, row) or not row.bank_payment_id:
        return False
    [alone] = world.house.raw.execute(
        "SELECT max(not_before) FROM bank_budget WHERE bank_id = ?", (world.bank_of(row.id).profile.id,)
    ).fetchone()
    words = {order.word(world.floor.now) for order in world.orders_of(row.id) if _is_linked(order, row)}
    return (
        bool(words)
        and words <= CLEAR
        and row.know_by > max(f"{world.floor.now + PATIENCE:%Y-%m-%d %H:%M:%S.%f}", alone or "")
    )


def _open_ends(world: World, watch: Watch) -> Iterator[Found]:
    now = world.floor.now
    for row in _rows(world, watch):
        mine = world.orders_of(row.id)
        if row.state not in ENDED and not _bank_keeps_silent(world, row, mine):
            yield "L1", f"{row.id} is still {row.state}; the bank says {[order.word(now) for order in mine]}"
        if row.state in ENDED and _is_asked_about_again(world, row):
            continue  # one of a later day ended late: what its bank thinks now is heard at the last of the looks
        stands = any(order.stands(now) for order in mine)
        executed = any(order.executed(now) for order in mine)
        if row.state in CLOSED and stands and not _was_lied_to(world, row, mine):
            yield "A3", f"in the end {row.id} is {row.state}, and the bank executed it"
        # of what the bank never named an id for only statements tell: its consent is used up, whatever came of it
        if row.state == PaymentState.SETTLED and not stands and _tells(world, row) and row.bank_payment_id:
            yield "A4", f"in the end {row.id} is settled, and the bank took it back (executed {executed})"
        if row.state == PaymentState.REVERSED and stands:
            yield "A3", f"in the end {row.id} is reversed, and it stands at the bank"
        yield from _of_sign_in(world, row, mine)
        yield from _billers(world, row)
    for key, error in world.house.raw.execute("SELECT key, last_error FROM work WHERE last_error IS NOT NULL"):
        yield "L9", f"{key} fails for ever: {error[:200]}"


def _is_asked_about_again(world: World, row: Row) -> bool:
    key = f"payments.follow:{row.id}"
    return world.house.raw.execute("SELECT 1 FROM work WHERE key = ?", (key,)).fetchone() is not None


def _of_sign_in(world: World, row: Row, mine: list[Order]) -> Iterator[Found]:
    """What could be known of it, where only the token of a sign-in tells: what was told to that as long as it lived,
    and that nothing was begun. What cannot is promised to nobody."""
    bank = world.bank_of(row.id)
    if isinstance(bank, Submitting) or _tells(world, row):
        return
    if row.state == PaymentState.UNKNOWN:
        world.floor.counts["some left to a statement"] += 1
    order = next((order for order in mine if order.id == row.bank_consent_id), None)
    if row.state == PaymentState.UNKNOWN and row.know_by is not None and not _may_be_asked(world, bank, order):
        yield "T3", f"{row.id} is promised to be known by {row.know_by}, and nobody can be asked"
    if not isinstance(bank, SigningIn):
        return
    given = bank.signed.get(order.given_with or "") if order is not None else None
    if order is None or given is None:
        return
    if row.state not in ENDED and _was_not_begun(world, bank, row, order):
        yield "L1", f"{row.id} is still {row.state}, and we never asked the bank to begin with its approval"
    last = given.until - LAST_LOOKS
    if not given.is_stated or given.ended or last < _well_since(world, bank) + WELL:
        return
    world.floor.counts["some lived on with their token"] += 1
    word = order.word(last)
    if word in (*PAID, "RJCT", "CANC") and row.state not in ENDED:
        yield "S3", f"{row.id} is still {row.state}; at {last} the bank said {word} to its token, and nobody asked"


def _may_be_asked(world: World, bank: Bank, order: Order | None) -> bool:
    """Whether a token that the bank takes is told of it."""
    now = world.floor.now
    if not isinstance(bank, SigningIn):
        return any(holder is order and now <= until for holder, until in bank.tokens.values())
    given = bank.signed.get(order.given_with or "") if order is not None else None
    return given is not None and not given.ended and now <= given.until


def _well_since(world: World, bank: SigningIn) -> dt.datetime:
    """Nothing goes wrong any more, and the bank may be asked."""
    [alone] = world.house.raw.execute(
        "SELECT max(not_before) FROM bank_budget WHERE bank_id = ?", (bank.profile.id,)
    ).fetchone()
    until = dt.datetime.fromisoformat(alone).replace(tzinfo=dt.UTC) if alone else world.healed_at
    return max(until, world.healed_at)


def _was_not_begun(world: World, bank: SigningIn, row: Row, order: Order) -> bool:
    """Its app was to ask, the call for that ended before it was sent, and we know it."""
    outcome = world.house.raw.execute(
        "SELECT a.outcome FROM bank_attempt a JOIN bank_call c ON c.id = a.call_id"
        " WHERE c.payment_id = ? AND c.verb = 'complete'",
        (row.id,),
    ).fetchone()
    began = any(code.asked for code in bank.codes.values() if code.order is order)
    return bank.profile.decoupled and outcome is not None and outcome[0] is not None and not began


def _was_lied_to(world: World, row: Row, mine: list[Order]) -> bool:
    """Its bank dropped or forgot what it executed after all, and never said so since: it says nothing without a token,
    or said something else as long as anybody asked."""
    if not any(order.lied for order in mine):
        return False
    [closed_at] = world.house.raw.execute(
        "SELECT at FROM payment_history WHERE payment_id = ? AND sequence = ?", (row.id, row.sequence)
    ).fetchone()
    last = dt.datetime.fromisoformat(closed_at).replace(tzinfo=dt.UTC) + dt.timedelta(seconds=rules.LATE_LOOKS_S[-1])
    unheard = not any(order.confessed for order in mine) and last < world.healed_at
    return unheard or not _tells(world, row)


def _bank_keeps_silent(world: World, row: Row, mine: list[Order]) -> bool:
    """The bank itself does not know the end, or will not tell: then an operator has it in the queue."""
    linked = [order for order in mine if _is_linked(order, row)]
    undecided = any(order.word(world.floor.now) in ("RCVD", "PATC", "ACSP") for order in linked)
    if undecided or not _tells(world, row) or not row.bank_payment_id:  # it never said under which id it has it
        world.floor.counts[f"some left to the operator {row.state}"] += 1
        return True
    return False


def _is_linked(order: Order, row: Row) -> bool:
    """Whether it is what we ask about: by its own consent, or under a standing one by its own id."""
    return row.bank_consent_id == order.id or (row.trip_id is None and order.submitted_as == row.bank_payment_id)


def _tells(world: World, row: Row) -> bool:
    """Some banks tell nothing without the customer's token, and that may be gone: then only statements tell."""
    return world.bank_of(row.id).profile.status_access == "client_credentials"


def _billers(world: World, row: Row) -> Iterator[Found]:
    wanted = {PaymentState.SETTLED: "paid"}.get(PaymentState(row.state), "failed")
    if row.state not in ENDED:
        return
    for url, receiver in world.receivers.items():
        if receiver.biller_id != row.biller_id:
            continue
        given_up = world.house.raw.execute(
            "SELECT count(*) FROM webhook_message m JOIN webhook_endpoint e ON e.id = m.endpoint_id"
            " WHERE e.url = ? AND m.subject = ? AND m.delivered_at IS NULL AND m.tries > 0",
            (url, row.id),
        ).fetchone()[0]
        if given_up:
            world.floor.counts["some messages given up"] += 1
            continue
        _, told = receiver.told.get(row.id, (0, "nothing"))
        if told != wanted:
            yield "L3", f"{url} was last told that {row.id} is {told}; it is {row.state}"
