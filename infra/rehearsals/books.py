"""Checks that a balance is the sum of its entries, in the deployed table and not in the API's responses."""

from boto3.dynamodb.types import TypeDeserializer

from processes import check


def close(stack, account):
    """Reads an account's whole partition, adds up its entries, and returns the result in one sentence."""
    items = read(stack, account)
    [state] = [item for item in items if item["SK"] == "STATE"]
    entries = sorted((item for item in items if item["SK"].startswith("ENTRY#")), key=lambda entry: entry["seq"])
    total = 0
    for position, entry in enumerate(entries, start=1):
        total += entry["credits"]
        check(entry["seq"] == position, f"{account} has no entry {position}")
        check(entry["balance_after"] == total, f"the balance of {account} after entry {position} is not the sum so far")
    check(state["balance"] == total, f"{account} has {state['balance']} credits, and its entries add up to {total}")
    check(state["seq"] == len(entries), f"{account} counts {state['seq']} entries and has {len(entries)}")
    listed = ", ".join(f"{entry['SK'].split('#')[1].split(':')[0]} {entry['credits']:+,}" for entry in entries)
    return f"{account}: {listed}; the {len(entries)} entries add up to the balance of {total:,}."


def read(stack, account):
    """The items of one account as plain values."""
    pages = stack.ministack.client("dynamodb").get_paginator("query").paginate(
        TableName=stack.id("Table"),
        KeyConditionExpression="PK = :account",
        ExpressionAttributeValues={":account": {"S": f"ACCOUNT#{account}"}},
        ConsistentRead=True,
    )
    decode = TypeDeserializer().deserialize
    return [{name: decode(value) for name, value in item.items()} for page in pages for item in page["Items"]]
