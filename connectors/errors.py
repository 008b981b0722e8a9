"""What can go wrong with a bank. The type answers: did money move? may I repeat?"""

from __future__ import annotations

from http import HTTPStatus


class BankError(Exception):
    """The base; never raised itself. The text is for operators and carries no secret."""

    #: the very same call may be sent again
    may_repeat = False
    #: the bank may have acted on the call
    money_may_have_moved = False


class BankRefused(BankError):
    """The bank said no, and would say no again. ``code`` is the bank's own (tppMessages code, OAuth error)."""

    def __init__(self, message: str, *, code: str, http_status: int) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status

    @property
    def is_no(self) -> bool:
        """Whether it is the bank's word that this call did nothing. "There is one already" is no such word."""
        return self.http_status != HTTPStatus.CONFLICT


class NotApproved(BankRefused):
    """The bank's own signed answer in the customer's browser is a no. ``code`` is its OAuth error (access_denied)."""


class NotSignedIn(BankRefused):
    """The bank wants its customer's token, and there is none, or does not take it, or no more: nothing was done."""


class AccessLost(BankRefused):
    """The bank does not take, or no longer, what its customer once allowed for good: by this very call nothing was
    done. Of one that was sent before with the same bytes it says nothing.

    A token is renewed where there is a refresh token; without one, or where that is what was refused, the customer has
    to approve again, unless the bank tells that the consent is over. ``code`` is the bank's own word for it.
    """


class BeyondLimits(BankRefused):
    """The bank counts this payment as more than its customer allowed: by this very call nothing was done. Of one that
    was sent before with the same bytes it says nothing. Another payment, or a later one, may fit."""

    def __init__(self, message: str, *, code: str, http_status: int, parameter: str | None) -> None:
        """``parameter``: ``MaximumIndividualAmount`` or ``PeriodicLimits[0]``, counted from 0; None: it is not said."""
        super().__init__(message, code=code, http_status=http_status)
        self.parameter = parameter

    @property
    def is_individual(self) -> bool:
        """Whether it is beyond what one payment may be, and not what is left of a period."""
        return self.parameter == "MaximumIndividualAmount"

    @property
    def limit_number(self) -> int | None:
        """Which of the periodic limits, from 0; None: it is not said, or it is the one for a single payment."""
        number = (self.parameter or "").removeprefix("PeriodicLimits[").removesuffix("]")
        return int(number) if number.isdecimal() else None


class BankUnavailable(BankError):
    """Nothing was sent (no address, connection refused, or 429/503 before acting): repeat later."""

    may_repeat = True

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BankSilent(BankError):
    """It was sent and no readable answer came (time-out, reset, 5xx, unreadable 2xx): ask status, guess nothing."""

    money_may_have_moved = True


class EventNotBelieved(Exception):
    """A message that came to us is not a bank's event for us, or cannot be read. Nothing in it is used.

    The text and ``code``, one of RFC 8935 §2.4, are told to whoever sent it: they say nothing that it does not know.
    """

    def __init__(self, message: str, *, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.code = code
