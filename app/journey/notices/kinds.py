"""What customers may be told, one kind each: in their space always, but for bills that are due soon, which are looked
for only for who wants to be sent that. A customer chooses which are sent as well; until then none is."""

from __future__ import annotations

import datetime as dt
import enum


class NoticeKind(enum.StrEnum):
    NEW_BILL = "new_bill"
    BILL_HELD = "bill_held"  #: because the account in it is not known, or not open
    BILL_REPLY = "bill_reply"  #: its company replied to what the customer had said of a bill
    BILL_DUE = "bill_due"  #: its day is as near as its customer wants to be told of
    PLAN_DUE = "plan_due"  #: today is a day on which the customer meant to pay
    PLAN_MISSED = "plan_missed"  #: such a day is over, and it was not paid
    PAYMENT_COMING = "payment_coming"  #: what the customer signed for a later day is made tomorrow
    PAYMENT_SETTLED = "payment_settled"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_REVERSED = "payment_reversed"
    LATER_FAILED = "later_failed"  #: a payment that the customer had signed for a later day was not made
    KEPT_UNWANTED = "kept_unwanted"  #: what a bank keeps until a day is not wanted any more, and it has not dropped it
    ACCOUNT_FROZEN = "account_frozen"  #: while a payment to it was under way
    CONSENT_SET_UP = "consent_set_up"  #: a standing one, approved at the bank
    CONSENT_ENDING = "consent_ending"
    CONSENT_STOPPED = "consent_stopped"  #: at the bank, by its customer or by the bank
    CONSENT_ACCOUNT = "consent_account"  #: it is paid from another account than before
    CONSENT_ENDED = "consent_ended"
    CONSENT_NOT_TAKEN = "consent_not_taken"  #: the bank did not take it, or not as it was agreed on
    WORDS_CHANGED = "words_changed"
    ADDRESS_ASKED = "address_asked"  #: the question whether the address is its customer's: the first one, by their wish
    ALL_STOPPED = "all_stopped"
    STOP_LIFTED = "stop_lifted"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    DEVICE_ADDED = "device_added"  #: one that shows what is told: to those of before
    ADDRESS_CHANGED = "address_changed"  #: told to the address of before
    CODES_MADE = "codes_made"
    CODE_USED = "code_used"  #: somebody came in with a recovery code
    RECOVERY_ASKED = "recovery_asked"  #: words to type, for whoever wants to come in by e-mail
    RECOVERY_BEGUN = "recovery_begun"  #: they were typed: somebody waits for a way in
    RECOVERY_WAITS = "recovery_waits"  #: and still does
    RECOVERY_OVER = "recovery_over"  #: it came to nothing
    RECOVERY_DONE = "recovery_done"
    SPACE_EXPORTED = "space_exported"  #: all of it, in one archive
    ERASURE_ASKED = "erasure_asked"  #: all of it goes in some days


#: told whatever its customer chose: that who signs in, pays or writes may be somebody else, or what they rely on
ALWAYS = frozenset(
    {
        NoticeKind.LATER_FAILED,  # whoever signed or approved for a later day has gone away
        NoticeKind.KEPT_UNWANTED,  # as well, and only they can undo it
        NoticeKind.WORDS_CHANGED,
        NoticeKind.ALL_STOPPED,
        NoticeKind.STOP_LIFTED,
        NoticeKind.PASSKEY_ADDED,
        NoticeKind.PASSKEY_REMOVED,
        NoticeKind.DEVICE_ADDED,
        NoticeKind.SPACE_EXPORTED,
        NoticeKind.ERASURE_ASKED,
        NoticeKind.ADDRESS_ASKED,
        NoticeKind.ADDRESS_CHANGED,
        NoticeKind.CODES_MADE,
        NoticeKind.CODE_USED,
        NoticeKind.RECOVERY_ASKED,
        NoticeKind.RECOVERY_BEGUN,
        NoticeKind.RECOVERY_WAITS,
        NoticeKind.RECOVERY_OVER,
        NoticeKind.RECOVERY_DONE,
    }
)
#: what is chosen, in the order of the page
CHOICES = tuple(kind for kind in NoticeKind if kind not in ALWAYS)
#: what is for a mailbox alone: words to type that stand in the message itself
MAIL_ALONE = frozenset({NoticeKind.ADDRESS_ASKED, NoticeKind.RECOVERY_ASKED})

#: how long a message waits for more of its kind: bills that come one after the other are one message
GATHER = dict.fromkeys((NoticeKind.NEW_BILL, NoticeKind.BILL_HELD, NoticeKind.BILL_DUE), dt.timedelta(minutes=10))
#: from one such message to the next: whoever gets a bill every quarter of an hour gets four messages a day
APART = dt.timedelta(hours=6)
