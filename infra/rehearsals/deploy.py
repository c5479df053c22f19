"""Deploys the built template to MiniStack and plays the main story through the deployed API.

It contacts neither AWS nor Stripe. The clock is the machine's; the schedule, the table's stream and Stripe's webhooks
run by themselves, and the rehearsal waits for their effects.
"""

import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path

from alarms import ring
from books import close
from company import Company, address
from local_cloud import local_cloud
from ministack import ministack
from processes import Failure, check, stop_on_termination, wait_for
from schedule import fire, hold
from stack import complete_api, correct_policies, deploy

THRESHOLD, TARGET = 1_000, 5_000
GOOD_CARD, OTHER_GOOD_CARD = "4242424242424242", "5555555555554444"
# This card can be saved, and is declined when it is charged.
DECLINED_CARD = "pm_card_chargeCustomerFail"


class Rehearsal:
    """The story, which reports each step."""

    def __init__(self, stack, local_cloud):
        self.stack, self.local_cloud = stack, local_cloud
        self.company = Company(stack.api_url, local_cloud)
        self.mails_told = {}

    def play(self):
        self.the_door()
        self.a_card_that_works("melodia")
        self.a_card_that_is_declined("polyglot")
        for account in ("melodia", "polyglot"):
            say(close(self.stack, account))
        runbook = ring(self.stack, "TopUpSweepErrors", "TopUpSweepFunction")
        say(f"A run of the sweep failed, and its alarm told the operators to read {runbook}.")

    def the_door(self):
        """The authorizer works, and requires the scope of the route."""
        body = {"account": "melodia", "email": address("melodia")}
        customer = self.company.customer_token("melodia")
        for token, status in ((None, 401), ("not.a.token", 401), (customer, 403)):
            answer = self.company.send("POST", "/v1/accounts", token=token, body=body)
            check(answer.status_code == status, f"the authorizer let a request through: {answer.status_code}")
        say("Without a token, with a wrong one and without the scope the API answers 401, 401 and 403.")

    def a_card_that_works(self, account):
        self.open_and_buy(account)
        self.charge_and_replay(account)
        self.run_low(account)
        self.refuse(account, minutes=100)
        fire(self.stack)
        wait_for("paid top-up", lambda: self.company.balance(account) == TARGET)
        say(f"The schedule fired; the sweep charged the saved card, and {account} has {TARGET:,} credits again.")
        self.tell_mail(account, "4,010 credits for $40.10")

    def a_card_that_is_declined(self, account):
        self.open_and_buy(account)
        self.local_cloud.save_card(account, DECLINED_CARD)
        self.run_low(account)
        fire(self.stack)
        issue = wait_for("pause", lambda: self.company.auto_top_up(account)["payment_issue"])
        check(issue["kind"] == "declined", f"the top-up should be declined: {issue}")
        check(self.company.balance(account) == 990, "a declined top-up moved credits")
        say(f"The schedule fired; the card of {account} was declined, and its top-ups are paused.")
        mail = self.tell_mail(account, "declined")
        self.pay_by_link(account, mail)

    def open_and_buy(self, account):
        self.company.open_account(account)
        self.company.turn_on_auto_top_up(account, THRESHOLD, TARGET)
        purchase = self.company.buy(account, "credits_5000")
        self.local_cloud.pay(purchase["checkout_url"], GOOD_CARD)
        # Reading the balance does not ask Stripe, so it changes only after the deployed webhook function got the event.
        wait_for("purchase by webhook", lambda: self.company.balance(account) == 5_000)
        say(f"{account} was opened and paid for 5,000 credits on Stripe's page; the signed webhook granted them.")
        self.tell_mail(account, "5,000 credits")

    def charge_and_replay(self, account):
        first = self.company.charge(account, "job-1", minutes=1)
        again = self.company.charge(account, "job-1", minutes=1)
        other = self.company.charge(account, "job-1", minutes=2)
        check(first.status_code == 201, f"the charge was answered with {first.status_code}: {first.text}")
        is_replay = again.status_code == 200 and again.headers.get("Idempotent-Replayed") == "true"
        check(is_replay and again.json() == first.json(), f"the replay returned another response: {again.text}")
        check(other.status_code == 409, f"the key was taken for another request: {other.text}")
        check(self.company.balance(account) == 4_990, "three requests with one key should take 10 credits")
        say("A charge took 10 credits, its replay none, and its key was refused to another request with 409.")

    def run_low(self, account):
        minutes = (self.company.balance(account) - 990) // 10
        charged = self.company.charge(account, "job-2", minutes)
        check(charged.status_code == 201 and charged.json()["balance"] == 990, f"the charge failed: {charged.text}")
        say(f"{account} charged {minutes * 10:,} credits and has 990, below its threshold of {THRESHOLD:,}.")

    def refuse(self, account, minutes):
        refused = self.company.charge(account, "job-3", minutes)
        check(refused.status_code == 402, f"a charge beyond the balance was answered {refused.status_code}")
        body = refused.json()
        missing = (body["balance"], body["required"], body["missing"])
        check(missing == (990, minutes * 10, minutes * 10 - 990), f"the refusal has other figures: {body}")
        check(body["top_up"]["state"] == "due", f"the next sweep should make a top-up: {body}")
        check(self.company.balance(account) == 990, "a refused charge moved credits")
        say(f"A charge of {minutes * 10:,} credits was refused with 402.")

    def pay_by_link(self, account, mail):
        """Ends the pause through the link in the e-mail."""
        # The link has the API's address at AWS; only its path matters here.
        [link] = [word for word in mail["BodyText"].split() if "/pay/" in word]
        check(link.startswith("https://"), f"the link in the e-mail does not lead to AWS: {link}")
        page = self.company.send("GET", "/pay/" + link.split("/pay/")[1]).headers.get("Location")
        check(page, "the link in the e-mail leads nowhere")
        self.local_cloud.pay(page, OTHER_GOOD_CARD)
        wait_for("payment by link", lambda: self.company.balance(account) == TARGET)
        check(self.company.auto_top_up(account)["payment_issue"] is None, "the pause did not end with the payment")
        say(f"The link in the e-mail led to Stripe's page; paid there, {account} has {TARGET:,} credits and no pause.")
        self.tell_mail(account, "4,010 credits for $40.10")

    def tell_mail(self, account, of):
        """Waits for the account's next e-mail, which comes through the table's stream, and checks its subject."""
        told = self.mails_told.get(account, 0)
        mails = wait_for(f"e-mail about {of}", lambda: self.stack.ministack.mails(address(account))[told:])
        self.mails_told[account] = told + 1
        check(of in mails[0]["Subject"], f"the e-mail should be about {of}: {mails[0]['Subject']}")
        check(len(mails) == 1, f"there should be one e-mail, not {len(mails)}")
        say(f"  SES sent to {address(account)}: “{mails[0]['Subject']}”")
        return mails[0]


def say(text, started=time.monotonic()):
    print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)


def arguments():
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="output of `sam build`; logs go next to it")
    parser.add_argument("--architecture", required=True, help="its architecture, that of this machine")
    parser.add_argument("--sam", type=Path, required=True, help="the program sam")
    parser.add_argument("--prepaid", type=Path, required=True, help="the program prepaid")
    return parser.parse_args()


def main(options):
    stop_on_termination()
    build, sam, prepaid = options.build.resolve(), options.sam.absolute(), options.prepaid.resolve()
    logs = build.parent
    with ExitStack() as opened:
        cloud = opened.enter_context(local_cloud(prepaid, logs / "local-cloud.log"))
        aws = opened.enter_context(ministack(logs))
        say(f"MiniStack listens at {aws.url}, the stand-in for Stripe at {cloud.stripe}.")
        stack = deploy(aws, cloud, build, options.architecture, sam)
        correct_policies(stack)
        count = complete_api(stack, cloud.issuer)
        hold(stack)
        cloud.send_webhooks_to(f"{stack.api_url}/v1/webhooks/stripe")
        say(f"sam deploy made {len(stack.resources)} resources; {count} routes are at {stack.api_url}")
        Rehearsal(stack, cloud).play()
    say("Everything is stopped.")


if __name__ == "__main__":
    try:
        main(arguments())
    except Failure as failure:
        sys.exit(f"The rehearsal failed: {failure}.")
