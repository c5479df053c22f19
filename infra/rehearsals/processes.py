"""The processes of a rehearsal: they listen on 127.0.0.1, write to log files, and are always stopped.

This module does not know what the processes do. None of them can reach a real AWS account.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
# No result depends on speed. This limit only ends a rehearsal that hangs, and is far longer than any step takes.
PATIENCE_SECONDS = 900


class Failure(Exception):
    """A step of the rehearsal went wrong."""


def environment(**variables):
    """This process's environment without any AWS account of the machine, and with keys that open nothing.

    If a tool missed the stand-in's address, AWS would refuse it instead of letting it into a real account.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    dummies = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
    }
    return {**kept, **dummies, **variables}


def stop_on_termination():
    """Makes SIGTERM unwind the stack like Ctrl-C, so that all started processes are stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@contextmanager
def running(command, log, variables):
    """Runs a command with its output in the file `log`; shows the end of the log if the rehearsal fails meanwhile."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        # Its own session, so that the processes that it starts can be stopped with it.
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    except Failure:
        end = log.read_text(errors="replace")[-2000:]
        print(f"\n── The end of {log.relative_to(ROOT)} ──\n{end}", file=sys.stderr)
        raise
    finally:
        stop(process)


def stop(process):
    """Ends the process and all that it started: with SIGTERM, and with SIGKILL after ten seconds."""
    for signal_number, patience_seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, signal_number)
        except ProcessLookupError:
            break
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def run(command, log, variables):
    """Runs a command to its end, with its output in the file `log`."""
    with running(command, log, variables) as process:
        status = process.wait()
        check(status == 0, f"{command[0]} {command[1]} ended with status {status}")


def wait_for(what, probe):
    """The probe's first result that is true; asks several times per second until then."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := probe()):
        if time.monotonic() > deadline:
            raise Failure(f"there was no {what} within {PATIENCE_SECONDS} seconds")
        time.sleep(0.1)
    return answer


def is_listening(port):
    """Whether a process accepts connections at the port on this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    """A free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def check(holds, otherwise):
    """Fails with the sentence `otherwise` if the condition is false."""
    if not holds:
        raise Failure(otherwise)
