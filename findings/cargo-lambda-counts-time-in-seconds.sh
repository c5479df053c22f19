#!/usr/bin/env bash
# cargo-lambda's local gateway gives the time of a request in seconds where AWS gives milliseconds.
#
# Guess:    requestContext.timeEpoch is in milliseconds, as in API Gateway's payload 2.0 and in a function URL's
#           events.
# Seen:     2026-11-29, cargo-lambda 1.9.2 (PyPI): seconds, beside a right `time` in words. Read as milliseconds it is
#           a day in January 1970.
# Matters:  Whoever takes "now" from the event (so that a retry of one event decides alike) finds locally that every
#           card has not expired yet, that every link is fresh and every six-hour pause still lasts.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages cargo-lambda==1.9.2
mkdir -p project/src
printf '[package]\nname = "echo"\nversion = "0.0.0"\nedition = "2021"\n' >project/Cargo.toml
echo 'fn main() {}' >project/src/main.rs
cat >gateway.py <<'PY'
import http.client
import json
import socket
import subprocess
import threading
import time
from datetime import datetime, timezone

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]


def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer, answer.read()


def function():
    """Lambda's side of one invocation, in the words of the Runtime API; its answer is the event it got."""
    base = "/.rt/echo/2018-06-01/runtime/invocation"
    invocation, event = ask("GET", f"{base}/next")
    answer = {"statusCode": 200, "headers": {}, "multiValueHeaders": {}, "cookies": [], "body": event.decode(),
              "isBase64Encoded": False}
    ask("POST", f"{base}/{invocation.getheader('lambda-runtime-aws-request-id')}/response", json.dumps(answer))


gateway = subprocess.Popen(
    ["cargo-lambda", "lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1", "--invoke-port", str(port)],
    cwd="project", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    threading.Thread(target=function, daemon=True).start()
    # The gateway refuses a request until the function has asked for its first event.
    for _ in range(20):
        time.sleep(0.5)
        answer, event = ask("GET", "/lambda-url/echo/charges")
        if answer.status == 200:
            break
    context = json.loads(event)["requestContext"]
    in_words = datetime.strptime(context["time"], "%d/%b/%Y:%H:%M:%S %z")
    print("time is now:", abs((datetime.now(timezone.utc) - in_words).total_seconds()) < 60)
    print("timeEpoch is that in seconds:", context["timeEpoch"] == int(in_words.timestamp()))
    print("timeEpoch as milliseconds is of", datetime.fromtimestamp(context["timeEpoch"] / 1000, timezone.utc).strftime("%B %Y"))
finally:
    gateway.terminate()
    gateway.wait()
PY
python gateway.py >seen
holds seen <<'SEEN'
time is now: True
timeEpoch is that in seconds: True
timeEpoch as milliseconds is of January 1970
SEEN
