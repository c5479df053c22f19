#!/usr/bin/env bash
# In MiniStack, the failure of one function rings the alarms of all functions.
#
# Guess:    As in CloudWatch, an alarm on a metric with the dimension FunctionName looks at that function's data points.
# Seen:     2026-11-30, ministack 1.5.33: dimensions are ignored, so an error of `refunds` rings the alarm of `charges`.
# Matters:  A rehearsal in which the right alarm rings does not show that its dimensions are right: a typing error in them
#           rings as well, and never rings at AWS.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages ministack==1.5.33 boto3==1.43.106
port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
BIND_HOST=127.0.0.1 IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 GATEWAY_PORT="$port" TMPDIR="$PWD" python -m ministack >server.log 2>&1 &
server=$!
trap 'kill "$server"; rm -rf "$LAB"' EXIT

cat >alarms.py <<'PY'
import sys
import time

import boto3

client = boto3.client("cloudwatch", endpoint_url=f"http://127.0.0.1:{sys.argv[1]}", region_name="eu-central-1",
                      aws_access_key_id="test", aws_secret_access_key="test")


def dimensions(function):
    return [{"Name": "FunctionName", "Value": function}]


def put(name, function, value):
    client.put_metric_data(Namespace="Lab", MetricData=[
        {"MetricName": name, "Dimensions": dimensions(function), "Value": value}])


def states(when):
    alarms = client.describe_alarms()["MetricAlarms"]
    print(f"{when}:", ", ".join(f"{alarm['AlarmName']} {alarm['StateValue']}" for alarm in alarms))


for attempt in range(120):
    try:
        client.list_metrics()
        break
    except Exception:
        time.sleep(0.5)
for function in ("charges", "refunds"):
    client.put_metric_alarm(
        AlarmName=function, Namespace="Lab", MetricName="Errors", Dimensions=dimensions(function), Statistic="Sum",
        Period=60, EvaluationPeriods=1, Threshold=0, ComparisonOperator="GreaterThanThreshold")
states("nothing was put")
put("Errors", "refunds", 1)
states("refunds failed")
PY
python alarms.py "$port" >seen
holds seen <<'SEEN'
nothing was put: charges INSUFFICIENT_DATA, refunds INSUFFICIENT_DATA
refunds failed: charges ALARM, refunds ALARM
SEEN
