"""Serves the functions with `cargo lambda watch` and invokes them with the services' own events, as README.md explains.

It reads the variables from README.md, so that the README is tested.
"""

import json
import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path

from company import Company
from local_cloud import local_cloud
from processes import (
    PATIENCE_SECONDS,
    ROOT,
    Failure,
    check,
    environment,
    free_port,
    is_listening,
    running,
    stop_on_termination,
    wait_for,
)

EVENTS = ROOT / "tests" / "events"
LOGS = ROOT / "target" / "invoke-local"


class CargoLambda:
    """`cargo lambda invoke` against a running `cargo lambda watch`."""

    def __init__(self, port, variables, features):
        self.port = port
        self.features = features
        self.address = ["--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
        self.variables = variables

    def watch(self):
        return ["cargo", "lambda", "watch", *self.address, "--ignore-changes", "--features", self.features]

    def invoke(self, function, event):
        """A function's response to an event of `tests/events`; the first invocation compiles the function."""
        command = ["cargo", "lambda", "invoke", *self.address, function, "--data-file", str(EVENTS / event)]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=self.variables, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
            )
        except subprocess.TimeoutExpired:
            # If the function does not start, the emulator never answers.
            raise Failure(f"{function} did not answer {event} within {PATIENCE_SECONDS} seconds") from None
        check(done.returncode == 0, f"{function} could not be invoked with {event}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)


def readme_variables(cloud):
    """The `export` lines of README.md, with the current addresses of the local cloud."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for port, url in (("8700", cloud.api), ("8701", cloud.stripe), ("8702", cloud.aws)):
        text = text.replace(f"http://127.0.0.1:{port}", url)
    words = [word for line in re.findall(r"^export (.+)$", text, re.MULTILINE) for word in shlex.split(line)]
    check(words, "README.md has no variables for cargo-lambda any more")
    return dict(word.split("=", 1) for word in words)


def play(cargo_lambda, cloud):
    """Sends one charge twice, runs the sweep that tops its account up, and delivers a batch of the table's stream."""
    company = Company(cloud.api, cloud)
    company.open_account("acme")
    purchase = company.buy("acme", "credits_500")
    cloud.pay(purchase["checkout_url"], "4242424242424242")
    wait_for("purchase by webhook", lambda: company.balance("acme") == 500)
    for status in (201, 200):
        answer = cargo_lambda.invoke("charging", "api-gateway-charge.json")
        check(answer["statusCode"] == status, f"charging answered {answer}")
        check(company.balance("acme") == 485, "the event takes 15 credits, once")
    print("charging: API Gateway's event took 15 credits, and none when it was sent again.", flush=True)
    company.turn_on_auto_top_up("acme", 1_000, 5_000)
    summary = cargo_lambda.invoke("top-up-sweep", "scheduler-sweep.json")
    check((summary["due"], summary["paid"]) == (1, 1), f"top-up-sweep answered {summary}")
    check(company.balance("acme") == 5_000, "the sweep should fill the balance up to 5,000 credits")
    print(f"top-up-sweep: the schedule's event topped the account up: {summary}", flush=True)
    batch = cargo_lambda.invoke("notifications", "dynamodb-stream-notice.json")
    check(batch == {"batchItemFailures": []}, f"notifications answered {batch}")
    print("notifications: every record of the stream's event was accepted.", flush=True)


def main():
    stop_on_termination()
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--prepaid", type=Path, required=True, help="the program prepaid")
    parser.add_argument("--features", required=True, help="the features that the functions were built with")
    options = parser.parse_args()
    prepaid = options.prepaid.resolve()
    with ExitStack() as opened:
        cloud = opened.enter_context(local_cloud(prepaid, LOGS / "local-cloud.log"))
        cargo_lambda = CargoLambda(free_port(), environment(**readme_variables(cloud)), options.features)
        opened.enter_context(running(cargo_lambda.watch(), LOGS / "cargo-lambda.log", cargo_lambda.variables))
        wait_for("cargo lambda watch", lambda: is_listening(cargo_lambda.port))
        play(cargo_lambda, cloud)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"The rehearsal failed: {failure}.")
