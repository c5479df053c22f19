#!/usr/bin/env python3
"""Checks an exported ledger by the rules of docs/verifying-the-ledger.md, without this product and without a network.

usage: verify.py [--statement STATEMENT --keys KEYS] PAGE...
Each PAGE is an answer of GET …/history/chain, in order. The signature needs the package `cryptography`.
"""

import argparse
import base64
import hashlib
import json
import sys


def sha256(*parts):
    """Each part is preceded by its length in two bytes."""
    data = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return hashlib.sha256(data).digest()


def hash_of(account, previous, fields):
    """The hash of an entry. Digests enter as their bytes, all other values as their text."""
    parts = [b"prepaid entry 1", account.encode(), previous]
    for name, value in fields:
        parts += [name.encode(), bytes.fromhex(value) if name.endswith("_digest") else value.encode()]
    return sha256(*parts)


def check(pages):
    """The number of the last entry, the sum and the head, or the first entry that does not fit."""
    seq, balance, head = 0, 0, b""
    for page in pages:
        salt = bytes.fromhex(page["salt"] or "")
        for entry in page["data"]:
            fields, seq = dict(entry["fields"]), seq + 1
            balance += int(fields["credits"])
            for name, text in entry["texts"].items():
                digest = sha256(b"prepaid text 1", salt, fields["entry"].encode(), name.encode(), text.encode())
                if fields.get(f"{name}_digest") != digest.hex():
                    sys.exit(f"entry {seq}: the digest is not that of the {name}")
            if (entry["seq"], int(fields["seq"]), int(fields["balance_after"])) != (seq, seq, balance):
                sys.exit(f"entry {seq}: the number or the balance does not fit")
            if entry["hash"] is None and not head:
                continue  # Written before entries had hashes.
            head = hash_of(page["account"], head, entry["fields"])
            if entry["hash"] != head.hex():
                sys.exit(f"entry {seq}: the hash does not fit")
    return seq, balance, head.hex() or None


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signed_content(statement, keys):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    signed, _, signature = statement["signed"].rpartition(".")
    header, content = (json.loads(decoded(part)) for part in signed.split("."))
    [key] = [key for key in keys["keys"] if key["kid"] == header["kid"]]
    Ed25519PublicKey.from_public_bytes(decoded(key["x"])).verify(decoded(signature), signed.encode())
    return content


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--statement", type=argparse.FileType())
    arguments.add_argument("--keys", type=argparse.FileType())
    arguments.add_argument("pages", nargs="+", type=argparse.FileType())
    given = arguments.parse_args()
    pages = [json.load(page) for page in given.pages]
    found = check(pages)
    if given.statement:
        content = signed_content(json.load(given.statement), json.load(given.keys))
        if (content["account"], content["seq"], content["balance"], content["head"]) != (pages[0]["account"], *found):
            sys.exit("the statement says something else about these entries")
    print("{} entries fit; the balance is {}, the head {}".format(*found))


if __name__ == "__main__":
    main()
