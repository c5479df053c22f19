"""Charges an account through the client that openapi-python-client makes of the description."""

import sys

from prepaid_client import AuthenticatedClient
from prepaid_client.api.accounts import list_history
from prepaid_client.api.charging import create_charge
from prepaid_client.models import Charge, ChargeRequestDubbing, ChargeStatus, InsufficientCreditsProblem


def main(url, token, account):
    client = AuthenticatedClient(base_url=url, token=token)

    def charge(milliseconds):
        body = ChargeRequestDubbing(operation="dubbing", duration_ms=milliseconds)
        key = f"python-{milliseconds}"
        return create_charge.sync_detailed(account, client=client, body=body, idempotency_key=key)

    first = charge(60_001)
    assert isinstance(first.parsed, Charge), first
    assert (first.status_code, first.parsed.credits_, first.parsed.status) == (201, 11, ChargeStatus.POSTED)

    again = charge(60_001)
    assert (again.status_code, again.parsed) == (200, first.parsed)

    refused = charge(86_400_000)
    assert isinstance(refused.parsed, InsufficientCreditsProblem), refused
    assert refused.parsed.missing == 14_400 - first.parsed.balance

    history = list_history.sync(account, client=client)
    assert history.data[0].credits_ == -11


if __name__ == "__main__":
    main(*sys.argv[1:])
