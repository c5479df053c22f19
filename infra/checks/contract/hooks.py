"""What schemathesis cannot read from the description: Stripe's signature, and API Gateway's answer to other methods."""

import hashlib
import hmac
import os
import time

import requests
import schemathesis
from schemathesis.generation.meta import CoveragePhaseData, CoverageScenario

WEBHOOK = "POST /v1/webhooks/stripe"
# With another method, its last word is the id of a purchase.
FIND = "/v1/accounts/{account}/purchases/find"
SIGNATURE = "Stripe-Signature"


class StripeSignature(requests.auth.AuthBase):
    """Signs the body that is sent: https://docs.stripe.com/webhooks#verify-manually."""

    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        # The local clock has moved forward.
        signed_at = str(int(time.time()) + int(os.environ["CLOCK_AHEAD_SECONDS"]))
        secret = os.environ["WEBHOOK_SECRET"].encode()
        signature = hmac.new(secret, signed_at.encode() + b"." + body, hashlib.sha256).hexdigest()
        request.headers[SIGNATURE] = f"t={signed_at},v1={signature}"
        return request


@schemathesis.hook
def filter_body(context, body):
    """JSON Schema accepts 15.0 as an integer; this API does not, as the description says."""
    if isinstance(body, dict):
        return all(filter_body(context, value) for value in body.values())
    if isinstance(body, list):
        return all(filter_body(context, value) for value in body)
    return not (isinstance(body, float) and body.is_integer())


@schemathesis.hook
def before_call(context, case, kwargs):
    """Signs requests that test the body; a header that is missing or broken on purpose stays so.
    If a customer may call a route for its own account, the request comes from that customer."""
    if is_header_broken(case):
        return
    may_customers = any("credits/customer" in str(one) for one in case.operation.definition.raw.get("security", []))
    if may_customers and case.path_parameters.get("account") == "customer-42":
        for headers in (case.headers, kwargs.get("headers") or {}):
            if headers.get("Authorization") == f"Bearer {os.environ['SERVICE_TOKEN']}":
                headers["Authorization"] = f"Bearer {os.environ['CUSTOMER_TOKEN']}"
    if case.operation.label == WEBHOOK and SIGNATURE in case.headers:
        kwargs["auth"] = StripeSignature()


def is_header_broken(case):
    return case.meta is not None and case.meta.is_negative_at(schemathesis.core.parameters.ParameterLocation.HEADER)


@schemathesis.check
def other_methods_are_no_routes(ctx, response, case):
    """HTTP APIs return 404 for a method that no route has:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html."""
    data = case.meta.phase.data if case.meta is not None else None
    if isinstance(data, CoveragePhaseData) and data.scenario == CoverageScenario.UNSPECIFIED_HTTP_METHOD:
        assert response.status_code == 404, f"{case.method} is answered {response.status_code}"
        is_of_gateway = case.method != "HEAD" and not (case.method == "GET" and case.path == FIND)
        assert not is_of_gateway or response.json() == {"message": "Not Found"}
