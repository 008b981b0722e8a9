"""What a customer may send here, and how often. All numbers of the door stand here.

Counted in memory, so each worker process counts by itself, as at the billers' door.
"""

from __future__ import annotations

import ipaddress

from flask import Response, request
from flask_limiter import Limiter

from app.journey.export.rules import ARCHIVE_MOST as ARCHIVE_BYTES
from app.journey.intake.formats.own_file import BYTES_MAX
from app.web.context import signed_in

#: forms and passkeys are small
BODY_MOST = 64 * 1024
#: a bill that a customer adds: the file, and what a form has around it
FILE_MOST = BYTES_MAX + BODY_MOST
#: an archive that a customer brings along
ARCHIVE_MOST = ARCHIVE_BYTES + BODY_MOST
#: finished by one address: a new customer has a place of their own for files
SIGN_UP_LIMIT = "30 per hour; 100 per day"
#: begun by it: whoever finishes none must not shut out the others behind it, a whole office or a carrier's net
BEGINNING_LIMIT = "300 per hour; 1000 per day"
#: bills that one customer adds, and pages of them that are drawn or not: each takes a process of its own
ADDING_LIMIT = "30 per hour; 100 per day"
DRAWING_LIMIT = "120 per hour"
#: what one customer asks about whether it is real: a file takes two processes, and nobody is to find out by it whose an
#: account is that looks nearly like another one
COMPARING_LIMIT = "60 per hour; 200 per day"
#: pages on which a payee's bank is asked about a name: nobody is to find out by them whose an account is
ASKING_LIMIT = "60 per hour; 200 per day"
#: questions of one customer to their bank whether there is money: it is their bank's quiet, and its budget for us
ASKING_FUNDS_LIMIT = "10 per hour; 30 per day"
#: new safe words of one customer: each time a message says so
DRAWING_WORDS_LIMIT = "10 per hour; 20 per day"
#: devices that one customer has show notices
ADDING_DEVICES_LIMIT = "20 per hour; 40 per day"


#: questions whether an address is a customer's, and words that are typed in answer
ASKING_ADDRESS_LIMIT = "10 per hour; 20 per day"

#: what one token of a customer's programs reads, and how often its making is begun
TOOLS_LIMIT = "60 per minute; 1000 per hour"
MAKING_TOOLS_LIMIT = "20 per hour"

#: how often one calendar is read: most look a few times a day, some every minute while they are open
CALENDAR_LIMIT = "20 per minute; 200 per hour"
#: addresses of calendars that one customer makes
MAKING_CALENDARS_LIMIT = "20 per hour; 40 per day"


#: searches of one customer: each reads all of their bills
SEARCHING_LIMIT = "60 per minute; 1000 per hour"
#: sheets of receipts that one address looks at
CHECKING_LIMIT = "60 per hour; 300 per day"
#: archives that one customer asks for, beside what is counted of those that were made, and brings along
EXPORTING_LIMIT = "20 per hour"
BRINGING_LIMIT = "10 per hour; 30 per day"


def exporting_limit() -> str:
    return EXPORTING_LIMIT


def bringing_limit() -> str:
    return BRINGING_LIMIT


#: recovery codes that one address tries: a hundred bits each, so this is for our own quiet
TRYING_CODES_LIMIT = "10 per hour; 30 per day"
#: words by e-mail that it asks for: a stranger can have some sent to whoever they know, and no flood; nor all of those
#: that one customer is sent in a day
ASKING_FOR_WORDS_LIMIT = "6 per day"
#: and that it types: each time it asks allows five
TRYING_WORDS_LIMIT = "40 per hour; 80 per day"
#: recovery codes that one customer makes, and addresses that they change to
CHANGING_WAYS_LIMIT = "10 per hour; 20 per day"


def trying_codes_limit() -> str:
    return TRYING_CODES_LIMIT


def asking_for_words_limit() -> str:
    return ASKING_FOR_WORDS_LIMIT


def trying_words_limit() -> str:
    return TRYING_WORDS_LIMIT


def changing_ways_limit() -> str:
    return CHANGING_WAYS_LIMIT


def searching_limit() -> str:
    return SEARCHING_LIMIT


def checking_limit() -> str:
    return CHECKING_LIMIT


def sign_up_limit() -> str:
    return SIGN_UP_LIMIT


def beginning_limit() -> str:
    return BEGINNING_LIMIT


def tools_limit() -> str:
    return TOOLS_LIMIT


def making_tools_limit() -> str:
    return MAKING_TOOLS_LIMIT


def calendar_limit() -> str:
    return CALENDAR_LIMIT


def making_calendars_limit() -> str:
    return MAKING_CALENDARS_LIMIT


def adding_limit() -> str:
    return ADDING_LIMIT


def comparing_limit() -> str:
    return COMPARING_LIMIT


def drawing_limit() -> str:
    return DRAWING_LIMIT


def asking_limit() -> str:
    return ASKING_LIMIT


def adding_devices_limit() -> str:
    return ADDING_DEVICES_LIMIT


def asking_funds_limit() -> str:
    return ASKING_FUNDS_LIMIT


def asking_address_limit() -> str:
    return ASKING_ADDRESS_LIMIT


def drawing_words_limit() -> str:
    return DRAWING_WORDS_LIMIT


def address() -> str:
    """Who asks, as one subscriber of the net has it: an IPv4 address, or a /64 of IPv6, all of which is theirs.

    Behind a proxy, ProxyFix has put the true one here (QUITTANCE_TRUSTED_PROXIES).
    """
    try:
        found = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.IPv6Network((int(found), 64), strict=False))


def caller() -> str:
    """The customer; for whoever is none, and for a visit, of which there are many to one customer, the address."""
    who = signed_in()
    return who.customer.id if who is not None and not who.read_only else address()


limiter = Limiter(caller, storage_uri="memory://", strategy="moving-window")


def _finished(answer: Response) -> bool:
    return answer.status_code == 200


def _never(_: Response) -> bool:
    return False


#: what is begun is refused as well once too many were finished: nobody makes a passkey for nothing
beginning_sign_up = limiter.shared_limit(sign_up_limit, scope="sign-up", key_func=address, deduct_when=_never)
finishing_sign_up = limiter.shared_limit(sign_up_limit, scope="sign-up", key_func=address, deduct_when=_finished)
