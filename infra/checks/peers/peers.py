"""Lets Stripe's own libraries for Python and Node work as a company's back office against the stand-in for Stripe.

Each library gets a local cloud of its own. Its flows are in back_office.py and back_office.mjs.

usage: peers.py PREPAID NODE_MODULES
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from contract import Cloud, buy

HERE = Path(__file__).parent
ACCOUNT = "back-office"


def run(program, *command):
    """Runs the flows of one library, with an account that has bought credits."""
    with Cloud(program) as cloud:
        cloud.ask("POST", "/v1/accounts", {"account": ACCOUNT, "email": f"owner@{ACCOUNT}.example"})
        purchase = buy(cloud, ACCOUNT, "credits_5000", "buy")
        known = {
            "PREPAID_API": cloud.api,
            "STRIPE_URL": cloud.stripe,
            "STRIPE_KEY": cloud.stripe_key,
            "PRODUCT_WEBHOOK_SECRET": cloud.webhook_secret,
            "SERVICE_TOKEN": cloud.service,
            "ACCOUNT": ACCOUNT,
            "PURCHASE": purchase,
        }
        subprocess.run([str(part) for part in command], check=True, env={**os.environ, **known})


def main(program, modules):
    # Node looks for libraries beside the program.
    node = Path(shutil.copy(HERE / "back_office.mjs", Path(modules).parent))
    options = ["-q", "-p", "no:cacheprovider", "-W", "error"]
    run(program, Path(sys.executable).parent / "pytest", *options, HERE / "back_office.py")
    # The library's timers would keep Node running for 80 seconds more.
    run(program, "node", "--test", "--test-force-exit", "--test-reporter=dot", node)


if __name__ == "__main__":
    main(*sys.argv[1:])
