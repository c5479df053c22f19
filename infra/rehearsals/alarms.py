"""Rings one of the deployed alarms, and receives what its topic sends to operators."""

import json

from processes import ROOT, check, wait_for

# Neither a schedule's event nor a timer's.
WRONG_EVENT = {"wake": "nothing"}


class Pager:
    """A queue that is subscribed to the topic of the alarms."""

    def __init__(self, stack):
        self.stack = stack
        self.queues = stack.ministack.client("sqs")
        self.url = self.queues.create_queue(QueueName="pager")["QueueUrl"]
        attributes = self.queues.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        queue = attributes["QueueArn"]
        delivery = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": stack.alarm_topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [delivery]})
        self.queues.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})
        stack.ministack.client("sns").subscribe(TopicArn=stack.alarm_topic, Protocol="sqs", Endpoint=queue)

    def notifications(self):
        """What arrived since the last time, as the topic sends it."""
        received = self.queues.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in received:
            self.queues.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(json.loads(message["Body"])["Message"]) for message in received]


def ring(stack, alarm, function):
    """Lets an invocation of the function fail, waits for its alarm, and returns the runbook that the alarm names.

    MiniStack evaluates alarms when a metric is put, takes `Errors` of all functions together, and does not extract metrics
    from logs.
    """
    pager, watch = Pager(stack), stack.ministack.client("cloudwatch")
    [before] = watch.describe_alarms(AlarmNames=[stack.id(alarm)])["MetricAlarms"]
    check(before["StateValue"] != "ALARM", f"{alarm} rang before anything failed")
    answer = stack.ministack.client("lambda").invoke(FunctionName=stack.id(function), Payload=json.dumps(WRONG_EVENT))
    check("FunctionError" in answer, f"{function} took an event that is none of its own")

    def told():
        watch.put_metric_data(Namespace="Rehearsal", MetricData=[{"MetricName": "time_passes", "Value": 1}])
        return [each for each in pager.notifications() if each["AlarmName"] == stack.id(alarm)]

    [notification] = wait_for(f"alarm {alarm}", told)
    check(notification["NewStateValue"] == "ALARM", f"{alarm} does not ring: {notification}")
    runbook = notification["AlarmDescription"].rsplit("See ", 1)[-1]
    check((ROOT / runbook).is_file(), f"{alarm} names a runbook that does not exist: {notification}")
    return runbook
