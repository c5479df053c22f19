#!/usr/bin/env bash
# Powertools for Python answers a repeated request with another answer than the first one.
#
# Guess:    What @idempotent replays is, as JSON, what the first call was answered with.
# Seen:     2026-11-29, aws-lambda-powertools 3.37.0 with awslambdaric 4.2.2, Lambda's own client for Python: a
#           Decimal leaves Lambda as a JSON number the first time and as a JSON string every time after, because the
#           runtime and Powertools encode it differently. An answer of 0, or of an empty text, is null from then on.
# Matters:  boto3 gives every number of DynamoDB as a Decimal, so a balance is one. A client that was cut off and asks
#           again gets "10.50" where its types say number, and a balance of 0 becomes no balance at all.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages aws-lambda-powertools==3.37.0 awslambdaric==4.2.2 'moto[dynamodb]==5.2.5' boto3==1.44.8
cat >replay.py <<'PY'
import os
from decimal import Decimal

os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION="eu-central-1",
                  AWS_LAMBDA_FUNCTION_NAME="balance")

import boto3
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent
from awslambdaric.lambda_runtime_marshaller import to_json
from moto import mock_aws


class Context:
    @staticmethod
    def get_remaining_time_in_millis():
        return 3000


def answers(name, answer):
    calls = []

    @idempotent(persistence_store=layer, config=IdempotencyConfig(event_key_jmespath="key"))
    def handler(event, context):
        calls.append(event)
        return answer

    first, again = (to_json(handler({"key": name}, Context())) for _ in range(2))
    print(f"{name}: first {first}, again {again}, calls {len(calls)}")


with mock_aws():
    boto3.client("dynamodb").create_table(
        TableName="idempotency", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    layer = DynamoDBPersistenceLayer(table_name="idempotency")
    answers("int in an object", {"balance": 0})
    answers("Decimal in an object", {"balance": Decimal("10.50")})
    answers("int alone", 5)
    answers("zero alone", 0)
    answers("empty text alone", "")
PY
python -W ignore replay.py >seen
holds seen <<'SEEN'
int in an object: first {"balance": 0}, again {"balance": 0}, calls 1
Decimal in an object: first {"balance": 10.50}, again {"balance": "10.50"}, calls 1
int alone: first 5, again 5, calls 1
zero alone: first 0, again null, calls 1
empty text alone: first "", again null, calls 1
SEEN
