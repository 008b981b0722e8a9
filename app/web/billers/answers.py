"""What customers say of bills instead of paying them, the biller's yes or no, and what it publishes about that."""

from __future__ import annotations

import re
from typing import Any

from flask import request

from app.errors import FieldError, NotFound
from app.journey.answers import service
from app.journey.answers.read import (
    PAGE_MOST,
    AnswerForBiller,
    PublishedPolicy,
    answer_for_biller,
    answers_for_biller,
    policy_for_biller,
)
from app.journey.answers.rules import Policy
from app.journey.answers.states import AnswerState
from app.journey.corrections.replies import reply
from app.web.billers.api import operation
from app.web.billers.auth import client_id, current_client
from app.web.billers.bodies import JSON, loaded
from app.web.billers.limits import CONFIRMATION_BYTES_MAX, REPLY_BYTES_MAX, delivery_limit, limiter
from app.web.billers.problems import Problem
from app.web.billers.schemas import (
    AnswerPolicySchema,
    BillAnswerSchema,
    BillAnswersSchema,
    PublishedPolicySchema,
    ReplySchema,
)
from app.web.context import services

_ANSWER_ID = r"^ans_[0-9a-f]{32}$"
_BILL_ID = r"^bill_[0-9a-f]{32}$"


@operation(
    "/answers",
    method="GET",
    scope="answers:read",
    tag="Answers",
    answer=(200, BillAnswersSchema),
    refusals=(422,),
    query={"after", "bill_id", "state"},
    operationId="listBillAnswers",
    parameters=[
        {
            "name": "after",
            "in": "query",
            "schema": {"type": "string", "pattern": _ANSWER_ID},
            "description": "Only answers that were said after this one.",
        },
        {
            "name": "bill_id",
            "in": "query",
            "schema": {"type": "string", "pattern": _BILL_ID},
            "description": "Only answers to this bill.",
        },
        {
            "name": "state",
            "in": "query",
            "schema": {"type": "string", "enum": [str(each) for each in AnswerState]},
            "description": "Only answers in this state; open: those that wait for your reply.",
        },
    ],
)
def list_bill_answers() -> dict[str, Any]:
    """List what your customers say of your bills

    In pages, the oldest first: paid elsewhere, declined, disputed, more time, instalments.
    """
    after, bill_id, state = (request.args.get(name) for name in ("after", "bill_id", "state"))
    if after is not None and re.fullmatch(_ANSWER_ID, after) is None:
        raise _bad("?after", "This is not the id of an answer.")
    if bill_id is not None and re.fullmatch(_BILL_ID, bill_id) is None:
        raise _bad("?bill_id", "This is not the id of a bill.")
    if state is not None and state not in list(AnswerState):
        raise _bad("?state", f"A state is {', '.join(AnswerState)}.")
    with services().reading() as uow:
        found = answers_for_biller(
            uow.session,
            biller_id=current_client().biller_id,
            state=AnswerState(state) if state is not None else None,
            bill_id=bill_id,
            after=after,
        )
    return {"answers": found, "after": found[-1].id if len(found) == PAGE_MOST else None}


@operation(
    "/answers/<answer_id>",
    method="GET",
    scope="answers:read",
    tag="Answers",
    answer=(200, BillAnswerSchema),
    refusals=(404, 422),
    path={"answer_id": _ANSWER_ID},
    operationId="getBillAnswer",
)
def get_bill_answer(answer_id: str) -> AnswerForBiller:
    """See what a customer says of a bill

    Exactly this is what you reply to: who means something else takes it back and says that, under another id.
    """
    return _shown(answer_id)


@operation(
    "/answers/<answer_id>/reply",
    method="POST",
    scope="answers:write",
    tag="Answers",
    answer=(200, BillAnswerSchema),
    refusals=(404, 409, 413, 415, 422, 429),
    path={"answer_id": _ANSWER_ID},
    operationId="replyToBillAnswer",
    requestBody={
        "required": True,
        "content": {
            JSON: {"schema": ReplySchema, "example": {"accepts": False, "words": "We have no such payment yet."}}
        },
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def reply_to_bill_answer(answer_id: str) -> AnswerForBiller:
    """Say yes or no to it

    Your yes is done at once: more_time gives the time, and instalments give it until the last of them, which are then
    what your customer plans; a late_fee of the bill begins after that time. Any other yes withdraws the bill, as if you
    had done that yourself, so that you owe what was paid of it. Where some lines are disputed a yes is a credit note or
    a new version of the bill (409 correct-the-bill), which ends the dispute by itself. Your no, with words, leaves the
    bill as it was.

    Send it again whenever you are not sure: it is one reply, with its first words. Where the answer has ended otherwise
    meanwhile nothing is changed (409 answer-ended): look at it. While you are suspended only a yes is taken.
    """
    _known(answer_id)
    said = loaded(ReplySchema(), most=REPLY_BYTES_MAX, what="A reply", code="reply")
    reply(
        services(),
        biller_id=current_client().biller_id,
        answer_id=answer_id,
        accepts=said["accepts"],
        words=said.get("words", ""),
    )
    return _shown(answer_id)


@operation(
    "/answer-policy",
    method="GET",
    scope="answers:read",
    tag="Answers",
    answer=(200, PublishedPolicySchema),
    refusals=(422,),
    operationId="getAnswerPolicy",
)
def get_answer_policy() -> PublishedPolicy:
    """See your policy

    What counts for what your customers say now.
    """
    return _policy()


@operation(
    "/answer-policy",
    method="PUT",
    scope="answers:write",
    tag="Answers",
    answer=(200, PublishedPolicySchema),
    refusals=(409, 413, 415, 422, 429),
    operationId="publishAnswerPolicy",
    requestBody={
        "required": True,
        "content": {
            JSON: {
                "schema": AnswerPolicySchema,
                "example": {"more_time_days": 14, "answer_days": 10, "instalments_most": 3, "instalments_days": 62},
            }
        },
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def publish_answer_policy() -> PublishedPolicy:
    """Publish your policy

    Your customers see it, and it counts for what they say from now on; what was said before keeps what you had
    published then. Inside its bounds more time is given, and instalments are agreed, at once, in your name. The same
    again changes nothing.
    """
    found = loaded(AnswerPolicySchema(), most=CONFIRMATION_BYTES_MAX, what="A policy", code="answer-policy")
    with services().unit_of_work() as uow:
        service.publish_policy(uow, biller_id=current_client().biller_id, policy=Policy(**found))
        uow.commit()
    return _policy()


def _policy() -> PublishedPolicy:
    with services().reading() as uow:
        return policy_for_biller(uow.session, biller_id=current_client().biller_id)


def _known(answer_id: str) -> None:
    if re.fullmatch(_ANSWER_ID, answer_id) is None:
        raise NotFound("answer")


def _shown(answer_id: str) -> AnswerForBiller:
    _known(answer_id)
    with services().reading() as uow:
        return answer_for_biller(uow.session, answer_id=answer_id, biller_id=current_client().biller_id)


def _bad(pointer: str, detail: str) -> Problem:
    return Problem(422, "parameter", detail, errors=(FieldError(pointer, detail),))
