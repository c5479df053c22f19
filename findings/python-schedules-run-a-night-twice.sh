#!/usr/bin/env bash
# A nightly job of APScheduler or croniter runs twice on the night when the clock goes back.
#
# Guess:    "Every day at 02:30" in Europe/Berlin comes once a day, as EventBridge Scheduler has it. On the day in March
#           without a 02:30 it comes later, or not at all.
# Seen:     2026-11-30, apscheduler 3.11.3 and croniter 7.0.0: on 25 October 2026 it comes at 02:30 of summer time and
#           again, an hour later, at 02:30 of winter time. cron-parser 5.10.5, croner 11.0.0 and cron 4.4.0 of Node.js
#           have it once. In March all five run, at 03:00 or at 03:30.
# Matters:  A job that grants or charges a day's share does so twice, once a year, on a Sunday night. Times that a page
#           announces with one library are not those at which the other one runs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages apscheduler==3.11.3 croniter==7.0.0 tzdata==2026.6
npm_packages cron-parser@5.10.5 croner@11.0.0 cron@4.4.0
cat >nights.py <<'PY'
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from croniter import croniter

BERLIN = ZoneInfo("Europe/Berlin")


def apscheduler(start, trigger=CronTrigger(hour=2, minute=30, timezone=BERLIN)):
    fire = trigger.get_next_fire_time(None, start)
    while True:
        yield fire
        fire = trigger.get_next_fire_time(fire, fire)


def nightly(start):
    runs = croniter("30 2 * * *", start)
    while True:
        yield runs.get_next(datetime)


for day in (datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)):
    for name, runs in (("apscheduler", apscheduler(day)), ("croniter", nightly(day))):
        times = [next(runs).astimezone(timezone.utc) for _ in range(3)]
        print(f"{name}:", *(time.strftime("%m-%d %H:%MZ") for time in times))
PY
cat >nights.mjs <<'JS'
import { CronTime } from 'cron';
import { CronExpressionParser } from 'cron-parser';
import { Cron } from 'croner';

const tz = 'Europe/Berlin';
const pattern = '30 2 * * *';
const show = (name, dates) => console.log(`${name}:`,
  ...dates.map((date) => `${date.toISOString().slice(5, 16).replace('T', ' ')}Z`));
for (const day of ['2026-03-28T23:00:00Z', '2026-10-24T22:00:00Z']) {
  const runs = CronExpressionParser.parse(pattern, { currentDate: day, tz });
  show('cron-parser', [1, 2, 3].map(() => runs.next().toDate()));
  show('croner', new Cron(pattern, { timezone: tz }).nextRuns(3, new Date(day)));
  const time = new CronTime(pattern, tz);
  const dates = [new Date(day)];
  for (let run = 0; run < 3; run += 1) dates.push(time.getNextDateFrom(dates[run], tz).toJSDate());
  show('cron', dates.slice(1));
}
JS
python nights.py >seen
node nights.mjs >>seen
holds seen <<'SEEN'
apscheduler: 03-29 01:30Z 03-30 00:30Z 03-31 00:30Z
croniter: 03-29 01:00Z 03-30 00:30Z 03-31 00:30Z
apscheduler: 10-25 00:30Z 10-25 01:30Z 10-26 01:30Z
croniter: 10-25 00:30Z 10-25 01:30Z 10-26 01:30Z
cron-parser: 03-29 01:30Z 03-30 00:30Z 03-31 00:30Z
croner: 03-29 01:00Z 03-30 00:30Z 03-31 00:30Z
cron: 03-29 01:00Z 03-30 00:30Z 03-31 00:30Z
cron-parser: 10-25 00:30Z 10-26 01:30Z 10-27 01:30Z
croner: 10-25 00:30Z 10-26 01:30Z 10-27 01:30Z
cron: 10-25 00:30Z 10-26 01:30Z 10-27 01:30Z
SEEN
