"""The charge of functions/charging in typical Python: boto3, one file, no framework.

It reads and writes the same items and gives the same answers. It omits what an ordinary charge never touches: the
change of day in the counters, the index of due accounts, and restrictions.
"""

import json
import os
import re
import time
from datetime import datetime, timezone

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

TABLE = os.environ["TABLE_NAME"]
CREDITS_PER_MINUTE = 10
CREDITS_MIN = 10
DURATION_MS_MAX = 86_400_000
MAX_MINUTES_MAX = 1_440
TRIES_MAX = 32

dynamodb = boto3.client(
    "dynamodb",
    config=Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}),
)


class Problem(Exception):
    def __init__(self, status, code, title, detail, **facts):
        super().__init__(detail)
        self.status = status
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code, **facts}


def handler(event, context):
    try:
        entry, is_replay = charge(event)
    except Problem as problem:
        body = {**problem.body, "request_id": event["requestContext"]["requestId"]}
        return answer(problem.status, "application/problem+json", body)
    except (BotoCoreError, ClientError) as error:
        print(json.dumps({"level": "WARN", "message": "try again", "error": str(error)}))
        return answer(503, "application/problem+json", {"type": "about:blank", "status": 503, "code": "unavailable"})
    response = answer(200 if is_replay else 201, "application/json", charge_body(entry))
    if is_replay:
        response["headers"]["idempotent-replayed"] = "true"
    return response


def charge(event):
    claims = event["requestContext"]["authorizer"]["jwt"]["claims"]
    if "credits/service" not in re.split(r"[\[\] ,]", claims["scope"]):
        raise Problem(403, "forbidden", "Forbidden", "The token needs the scope credits/service.")
    account = event["pathParameters"]["account"]
    key = event["headers"].get("idempotency-key", "")
    if not re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", key):
        raise invalid("Idempotency-Key", "must be sent once, 1 to 128 letters, digits and . _ : -")
    operation, price = parse_operation(event.get("body") or "")

    state_key = {"PK": {"S": f"ACCOUNT#{account}"}, "SK": {"S": "STATE"}}
    state = dynamodb.get_item(TableName=TABLE, Key=state_key, ConsistentRead=True).get("Item")
    for retries in range(TRIES_MAX):
        if state is None:
            raise Problem(404, "not_found", "Not found", "There is no such account.")
        balance = int(state["balance"]["N"])
        if balance < price:
            entry_key = {"PK": state_key["PK"], "SK": {"S": f"ENTRY#charge:{key}"}}
            entry = dynamodb.get_item(TableName=TABLE, Key=entry_key, ConsistentRead=True).get("Item")
            if entry is not None:
                return replay(entry, operation)
            missing = price - balance
            detail = f"The charge costs {price} credits, {missing} more than the balance."
            facts = {"balance": balance, "required": price, "missing": missing}
            raise Problem(402, "insufficient_credits", "Insufficient credits", detail, **facts)
        next_state, entry = post(state, account, key, operation, price)
        try:
            commit(state["version"], next_state, entry)
            return entry, False
        except dynamodb.exceptions.TransactionCanceledException as cancelled:
            reasons = cancelled.response["CancellationReasons"]
            codes = [reason["Code"] for reason in reasons]
            if "TransactionConflict" in codes or "ThrottlingError" in codes:
                time.sleep(min(0.01 * 2**retries, 0.4))
            elif codes[1] == "ConditionalCheckFailed":
                return replay(reasons[1]["Item"], operation)
            elif codes[0] == "ConditionalCheckFailed":
                state = reasons[0].get("Item")
            else:
                raise
    raise Problem(503, "unavailable", "Unavailable", "Nothing is lost. Try again in 2 seconds with the same idempotency key.")


def parse_operation(text):
    try:
        body = json.loads(text)
    except ValueError:
        raise Problem(400, "malformed_body", "Malformed body", "The body must be a JSON object.")
    if not isinstance(body, dict):
        raise invalid("body", "must be a JSON object")
    attributes = {}
    match body:
        case {"operation": "dubbing", "duration_ms": int(length)} if 1 <= length <= DURATION_MS_MAX:
            attributes["duration_ms"] = {"N": str(length)}
            price = max(-(-length * CREDITS_PER_MINUTE // 60_000), CREDITS_MIN)
        case {"operation": "training", "max_minutes": int(length)} if 1 <= length <= MAX_MINUTES_MAX:
            attributes["max_minutes"] = {"N": str(length)}
            price = max(length * CREDITS_PER_MINUTE, CREDITS_MIN)
        case _:
            raise invalid("operation", "must be dubbing with duration_ms, or training with max_minutes")
    attributes["operation"] = {"S": body["operation"]}
    if "reference" in body:
        attributes["reference"] = {"S": body["reference"]}
    return attributes, price


def post(state, account, key, operation, price):
    """The account after the charge, and the charge's entry."""
    seq, balance = int(state["seq"]["N"]) + 1, int(state["balance"]["N"]) - price
    usage = state["usage"]["M"]
    next_state = {
        **state,
        "version": {"N": str(int(state["version"]["N"]) + 1)},
        "seq": {"N": str(seq)},
        "balance": {"N": str(balance)},
        "usage": {
            "M": {
                **usage,
                "charges": {"N": str(int(usage["charges"]["N"]) + 1)},
                "credits_charged": {"N": str(int(usage["credits_charged"]["N"]) + price)},
            }
        },
    }
    entry = {
        "PK": state["PK"],
        "SK": {"S": f"ENTRY#charge:{key}"},
        "account": {"S": account},
        "seq": {"N": str(seq)},
        "credits": {"N": str(-price)},
        "balance_after": {"N": str(balance)},
        "created_at": {"N": str(time.time_ns() // 1_000_000)},
        **operation,
    }
    return next_state, entry


def commit(version, state, entry):
    dynamodb.transact_write_items(
        TransactItems=[
            {
                "Put": {
                    "TableName": TABLE,
                    "Item": state,
                    "ConditionExpression": "#version = :expected",
                    "ExpressionAttributeNames": {"#version": "version"},
                    "ExpressionAttributeValues": {":expected": version},
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            {
                "Put": {
                    "TableName": TABLE,
                    "Item": entry,
                    "ConditionExpression": "attribute_not_exists(PK)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
        ]
    )


def replay(entry, operation):
    names = ("operation", "duration_ms", "max_minutes", "reference")
    if any(entry.get(name) != operation.get(name) for name in names):
        detail = "The key was used before, for another request."
        raise Problem(409, "idempotency_key_reused", "Idempotency key reused", detail)
    return entry, True


def charge_body(entry):
    created_at = datetime.fromtimestamp(int(entry["created_at"]["N"]) / 1000, timezone.utc)
    body = {
        "charge": entry["SK"]["S"].removeprefix("ENTRY#charge:"),
        "operation": entry["operation"]["S"],
        "status": "posted",
        "credits": -int(entry["credits"]["N"]),
        "balance": int(entry["balance_after"]["N"]),
        "seq": int(entry["seq"]["N"]),
        "created_at": created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    if "reference" in entry:
        body["reference"] = entry["reference"]["S"]
    return body


def invalid(field, message):
    errors = [{"field": field, "message": message}]
    return Problem(422, "invalid_request", "Invalid request", "One field is invalid.", errors=errors)


def answer(status, content_type, body):
    headers = {"cache-control": "no-store", "content-type": content_type}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body), "isBase64Encoded": False}
