#!/usr/bin/env bash
# Powertools for Python forgets every idempotency key when the handler, or its module, is renamed.
#
# Guess:    An idempotency key is known by the Lambda function, the table and the payload: a new deployment of the
#           same function with a tidied source still replays what the old one had done.
# Seen:     2026-11-29, aws-lambda-powertools 3.37.0: the stored id holds the module and the qualified name of the
#           Python function. After a rename the same request does its work a second time. A key_prefix in the
#           persistence layer, set from the first deployment on, keeps the id the same.
# Matters:  A refactoring that changes no behavior charges customers twice whose requests are repeated across the
#           deployment, and a test of either version alone shows nothing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages aws-lambda-powertools==3.37.0 'moto[dynamodb]==5.2.5' boto3==1.44.8
cat >renamed.py <<'PY'
import os

os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION="eu-central-1",
                  AWS_LAMBDA_FUNCTION_NAME="charging")

import boto3
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent
from moto import mock_aws


class Context:
    @staticmethod
    def get_remaining_time_in_millis():
        return 3000


def deploy(name, charges, **prefix):
    """The same handler under the name that its source gives it at the time."""
    def handler(event, context):
        charges.append(event["key"])
        return {"charged": True}

    handler.__qualname__ = handler.__name__ = name
    layer = DynamoDBPersistenceLayer(table_name="idempotency")
    return idempotent(handler, persistence_store=layer,
                      config=IdempotencyConfig(event_key_jmespath="key"), **prefix)


def story(key, **prefix):
    charges = []
    old, new = deploy("handler", charges, **prefix), deploy("post_charge", charges, **prefix)
    for handler in (old, old, new, new):
        handler({"key": key}, Context())
    return len(charges)


with mock_aws():
    boto3.client("dynamodb").create_table(
        TableName="idempotency", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    print("four requests of one key, renamed after two: charges", story("job-1"))
    print("the same with a key_prefix: charges", story("job-2", key_prefix="charging"))
    for item in boto3.client("dynamodb").scan(TableName="idempotency")["Items"]:
        print(item["id"]["S"].split("#")[0])
PY
python -W ignore renamed.py >seen
holds seen <<'SEEN'
four requests of one key, renamed after two: charges 2
the same with a key_prefix: charges 1
charging
charging.__main__.handler
charging.__main__.post_charge
SEEN
