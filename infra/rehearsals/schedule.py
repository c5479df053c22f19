"""Makes the scheduler fire the deployed schedule's target without waiting for half an hour."""

from datetime import datetime, timezone
from itertools import count

from processes import check, wait_for

NUMBERS = count(1)


def fire(stack):
    """Creates a one-time schedule that is due now, with the target of the deployed one, and waits until it has fired.

    Role, input, retries and dead-letter queue are those of the deployed target. MiniStack looks for due schedules every
    ten seconds.
    """
    scheduler = stack.ministack.client("scheduler")
    [schedule] = stack.of_type("AWS::Scheduler::Schedule")
    deployed = scheduler.get_schedule(Name=stack.id(schedule))
    check(deployed["State"] == "ENABLED", "the deployed schedule is not enabled")
    check(deployed["ScheduleExpression"] == "rate(30 minutes)", f"the schedule is {deployed['ScheduleExpression']}")
    now = f"sweep-now-{next(NUMBERS)}"
    scheduler.create_schedule(
        Name=now,
        ScheduleExpression=f"at({datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target=deployed["Target"],
    )

    def is_gone():
        return now not in [schedule["Name"] for schedule in scheduler.list_schedules()["Schedules"]]

    wait_for("firing of the schedule", is_gone)
