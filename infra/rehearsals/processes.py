"""The processes of a rehearsal: started on 127.0.0.1, written to log files, stopped whatever happens.

Nothing here knows what the processes do. None of them is given a way to a real AWS account.
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
# Nothing is judged by the clock: a slow machine is as right as a fast one. This alone keeps a rehearsal from hanging, and
# is far beyond what anything takes.
PATIENCE_SECONDS = 900


class Failure(Exception):
    """Something did not go as the rehearsal says."""


def environment(**variables):
    """This process's environment without any AWS account of the machine's, and with keys that open nothing.

    A tool that missed the address of the stand-in would be turned away by AWS instead of reaching somebody's account.
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
    """Lets SIGTERM unwind the stack as Ctrl-C does, so that what was started is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@contextmanager
def running(command, log, variables):
    """Runs a command with its output in the file `log`, whose end is shown if the rehearsal fails meanwhile."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as output:
        # A session of its own, so that the processes it starts in turn can be stopped with it.
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
    """Ends the process and all that it started: asked first, and made to after ten seconds."""
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
    """What the probe answers once it is something; asks again until then, several times a second."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := probe()):
        if time.monotonic() > deadline:
            raise Failure(f"there was no {what} within {PATIENCE_SECONDS} seconds")
        time.sleep(0.1)
    return answer


def is_listening(port):
    """Whether somebody takes connections at the port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def check(holds, otherwise):
    """Fails with the sentence `otherwise` where a condition does not hold."""
    if not holds:
        raise Failure(otherwise)
