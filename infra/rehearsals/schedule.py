"""Makes the scheduler fire the target of the sweep's deployed schedule without waiting for half an hour."""

from datetime import datetime, timezone
from itertools import count

from processes import check, wait_for

NUMBERS = count(1)


def hold(stack):
    """Disables the deployed schedule, so that a sweep runs only when the story fires it, whatever the time is."""
    scheduler, deployed = schedule(stack)
    check(deployed["State"] == "ENABLED", "the deployed schedule is not enabled")
    expression = deployed["ScheduleExpression"]
    check(expression == "cron(0/30 * * * ? *)", f"the schedule is {expression}")
    kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(State="DISABLED", **{name: deployed[name] for name in kept})


def fire(stack):
    """Creates a one-time schedule that is due now, with the target of the deployed one, and waits until it has fired.

    Role, input, retries and dead-letter queue are those of the deployed target. MiniStack looks for due schedules every
    ten seconds.
    """
    scheduler, deployed = schedule(stack)
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


def schedule(stack):
    """The scheduler, and the deployed schedule of the sweep, the only one that fires at fixed times."""
    scheduler = stack.ministack.client("scheduler")
    deployed = [scheduler.get_schedule(Name=stack.id(name)) for name in stack.of_type("AWS::Scheduler::Schedule")]
    [sweep] = [schedule for schedule in deployed if schedule["ScheduleExpression"].startswith("cron(")]
    return scheduler, sweep
