"""MiniStack, a stand-in for AWS that understands CloudFormation: https://ministack.org.

It runs the functions' bootstraps as processes of this machine, without a container, and runs schedules and streams by
itself.
"""

import sys
from contextlib import contextmanager

import boto3
import requests

from processes import PATIENCE_SECONDS, REGION, check, environment, free_port, running, wait_for


@contextmanager
def ministack(directory):
    """Starts it on a free port, with all of its files below `directory`."""
    port = free_port()
    temporary = directory / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    variables = environment(
        # Otherwise it listens on every interface.
        BIND_HOST="127.0.0.1",
        # Each function has only the permissions of its deployed role, and the keys `test` belong to the account.
        AUTH="true",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        GATEWAY_PORT=str(port),
        LAMBDA_EXECUTOR="local",
        # The functions that it starts inherit this address of AWS, so the template does not need it.
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        S3_DATA_DIR=str(temporary / "s3"),
        TMPDIR=str(temporary),
    )
    with running([sys.executable, "-m", "ministack"], directory / "ministack.log", variables) as process:
        stack = MiniStack(variables["AWS_ENDPOINT_URL"])

        def answers():
            check(process.poll() is None, "MiniStack did not start")
            try:
                return requests.get(f"{stack.url}/_ministack/health", timeout=PATIENCE_SECONDS).ok
            except requests.ConnectionError:
                return False

        wait_for("MiniStack", answers)
        yield stack


class MiniStack:
    """The services of the stand-in as boto3 clients, and what the real services do not show."""

    def __init__(self, url):
        self.url = url

    def client(self, service):
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )

    def mails(self, address):
        """The e-mails that SES accepted for an address, oldest first."""
        accounts = requests.get(f"{self.url}/_ministack/ses/messages", timeout=PATIENCE_SECONDS).json()["messages"]
        return [mail for mails in accounts.values() for mail in mails if address in mail["To"]]
