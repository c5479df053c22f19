"""The company's services and pages, calling the API."""

import requests

from processes import PATIENCE_SECONDS, check


class Company:
    """Calls the API like the company's services (`service`) and like its customers' pages (`customer`)."""

    def __init__(self, api_url, local_cloud):
        self.api_url, self.local_cloud = api_url, local_cloud
        self.service_token = local_cloud.token("service", "credits/service")

    def customer_token(self, account):
        return self.local_cloud.token(account, "credits/customer")

    def send(self, method, path, token=None, key=None, body=None):
        """The response to one request, with any status."""
        headers = {"Idempotency-Key": key} if key else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = self.api_url + path
        return requests.request(method, url, headers=headers, json=body, allow_redirects=False, timeout=PATIENCE_SECONDS)

    def expect(self, status, method, path, **request):
        """The body of the response to one request, which must have this status."""
        answer = self.send(method, path, **request)
        check(answer.status_code == status, f"{method} {path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def open_account(self, account):
        body = {"account": account, "email": address(account)}
        return self.expect(201, "POST", "/v1/accounts", token=self.service_token, body=body)

    def buy(self, account, package):
        path, token = f"/v1/accounts/{account}/purchases", self.customer_token(account)
        return self.expect(201, "POST", path, token=token, key="buy-1", body={"package": package})

    def charge(self, account, key, minutes):
        """The response to a charge for this many minutes of dubbing, at 10 credits each."""
        path, body = f"/v1/accounts/{account}/charges", {"operation": "dubbing", "duration_ms": minutes * 60_000}
        return self.send("POST", path, token=self.service_token, key=key, body=body)

    def balance(self, account):
        path = f"/v1/accounts/{account}/balance"
        return self.expect(200, "GET", path, token=self.customer_token(account))["balance"]

    def auto_top_up(self, account):
        path = f"/v1/accounts/{account}/auto-top-up"
        return self.expect(200, "GET", path, token=self.customer_token(account))

    def turn_on_auto_top_up(self, account, threshold, target):
        path, token = f"/v1/accounts/{account}/auto-top-up", self.customer_token(account)
        shown = self.expect(200, "GET", f"{path}?threshold={threshold}&target={target}", token=token)
        consent = {"text_version": shown["text_version"], "accepted_by": address(account)}
        body = {"enabled": True, "threshold": threshold, "target": target, "consent": consent}
        return self.expect(200, "PUT", path, token=token, body=body)


def address(account):
    return f"owner@{account}.example"
