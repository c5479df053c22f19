#!/usr/bin/env bash
# moto carries out a transaction twice that has the same ClientRequestToken.
#
# Guess:    As in DynamoDB, TransactWriteItems with a token that was used is answered without effect, and one with other
#           contents is refused as IdempotentParameterMismatchException. Numbers are as DynamoDB keeps them.
# Seen:     2026-11-30, moto 5.2.5: the token is not looked at, so a balance is lowered twice, and other contents are
#           carried out as well. 1.50 is not made 1.5, and 0.0000001, which boto3 sends as 1E-7, raises a ValueError in
#           an addition. The capacity of a transaction is an empty list.
# Matters:  The test of a retry fails although the code is right. Code that gives one token to two charges passes its
#           tests, and DynamoDB refuses the second one, or answers it without taking it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages 'moto[dynamodb]==5.2.5' boto3==1.44.8
cat >charge.py <<'PY'
import os
from decimal import Decimal

os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_DEFAULT_REGION="eu-central-1")

import boto3
from moto import mock_aws

KEY = {"account": {"S": "acme"}}


def charge(amount, token):
    answer = client.transact_write_items(ClientRequestToken=token, ReturnConsumedCapacity="TOTAL", TransactItems=[
        {"Update": {"TableName": "credits", "Key": KEY, "UpdateExpression": "SET balance = balance - :amount",
                    "ExpressionAttributeValues": {":amount": {"N": amount}}}}])
    balance = client.get_item(TableName="credits", Key=KEY)["Item"]["balance"]["N"]
    return f"balance {balance}, capacity {answer['ConsumedCapacity']}"


with mock_aws():
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="credits", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "account", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "account", "AttributeType": "S"}])
    client.put_item(TableName="credits", Item=KEY | {"balance": {"N": "10"}})
    print("first:", charge("1", "job-1"))
    print("the same again:", charge("1", "job-1"))
    print("another amount, same token:", charge("2", "job-1"))
    table = boto3.resource("dynamodb").Table("credits")
    table.put_item(Item={"account": "acme", "balance": Decimal("1.50")})
    print("1.50 is kept as", table.get_item(Key={"account": "acme"})["Item"]["balance"])
    try:
        table.update_item(Key={"account": "acme"}, UpdateExpression="SET balance = balance + :amount",
                          ExpressionAttributeValues={":amount": Decimal("0.0000001")})
    except ValueError as error:
        print("0.0000001 added:", error)
PY
python -W ignore charge.py >seen
holds seen <<'SEEN'
first: balance 9, capacity []
the same again: balance 8, capacity []
another amount, same token: balance 6, capacity []
1.50 is kept as 1.50
0.0000001 added: invalid literal for int() with base 10: '1E-7'
SEEN
