#!/usr/bin/env bash
# pandas reads PT1.5M, a minute and a half, as five minutes and a second.
#
# Guess:    An ISO 8601 duration with a fraction (PT1.5M, P0.5D) is the same length in every library, or an error. So
#           is a negative one, if the library writes it itself.
# Seen:     2026-11-30, pandas 3.1.1: PT1.5M is 5 minutes and 1 second, P0.5D is five days, and P1M is a minute; only
#           seconds may have a fraction. dayjs 1.11.23 reads its own -PT1M30S as plus 90 seconds, and of PT1M30,5S, with
#           the comma that the standard allows, it drops the seconds. iso8601-duration 2.1.4 drops the minus sign, too.
# Matters:  A recording of a minute and a half is priced as five minutes, a retention of half a day as five days, and a
#           correction of a length adds what it should take away. None of them raises an error.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages pandas==3.1.1 isodate==0.7.2
npm_packages dayjs@1.11.23 iso8601-duration@2.1.4 luxon@3.7.2
cat >durations.py <<'PY'
import isodate
import pandas

for text in ("PT1M30S", "PT1.5M", "P0.5D", "PT0.5H", "P1M"):
    exact = "a month" if text == "P1M" else isodate.parse_duration(text).total_seconds()
    print(f"{text}: isodate {exact}, pandas {pandas.Timedelta(text).total_seconds()}")
PY
cat >durations.mjs <<'JS'
import dayjs from 'dayjs';
import duration from 'dayjs/plugin/duration.js';
import { parse, toSeconds } from 'iso8601-duration';
import { Duration } from 'luxon';

dayjs.extend(duration);
console.log('dayjs writes -90 seconds as', dayjs.duration(-90, 'seconds').toISOString());
for (const text of ['-PT1M30S', 'PT1M30,5S']) {
  console.log(`${text}: luxon ${Duration.fromISO(text).as('seconds')}, dayjs ${dayjs.duration(text).asSeconds()},`
    + ` iso8601-duration ${toSeconds(parse(text))}`);
}
JS
python -W ignore durations.py >seen
node durations.mjs >>seen
holds seen <<'SEEN'
PT1M30S: isodate 90.0, pandas 90.0
PT1.5M: isodate 90.0, pandas 301.0
P0.5D: isodate 43200.0, pandas 432000.0
PT0.5H: isodate 1800.0, pandas 18000.0
P1M: isodate a month, pandas 60.0
dayjs writes -90 seconds as -PT1M30S
-PT1M30S: luxon -90, dayjs 90, iso8601-duration 90
PT1M30,5S: luxon 90.5, dayjs 60, iso8601-duration 90.5
SEEN
