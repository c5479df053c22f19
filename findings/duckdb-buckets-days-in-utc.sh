#!/usr/bin/env bash
# DuckDB's time_bucket cuts days at midnight UTC, while its date_trunc cuts them at local midnight.
#
# Guess:    With a time zone set, time_bucket(INTERVAL '1 day', t) and date_trunc('day', t) of a TIMESTAMPTZ give the
#           same days, those of the time zone.
# Seen:     2026-11-30, duckdb 2.0.1: in Europe/Berlin the buckets of time_bucket begin at 01:00 in winter and at 02:00
#           in summer, those of a month, too. Only time_bucket(width, t, 'Europe/Berlin') gives the local days.
# Matters:  Usage per day is shown, or a daily limit counted, on the wrong day for one or two hours each night, and per
#           month on the first of it. The sum over all days is right, and a test at noon passes.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages duckdb==2.0.1
cat >days.py <<'PY'
import duckdb

connection = duckdb.connect()
connection.execute("SET TimeZone = 'Europe/Berlin'")
for time in ("2026-01-15 00:30", "2026-03-29 23:30", "2026-03-30 01:30", "2026-07-15 01:59"):
    row = connection.execute("""
        SELECT date_trunc('day', t)::TEXT, time_bucket(INTERVAL '1 day', t)::TEXT,
               time_bucket(INTERVAL '1 day', t, 'Europe/Berlin')::TEXT, time_bucket(INTERVAL '1 month', t)::TEXT
        FROM (SELECT $time::TIMESTAMPTZ AS t)""", {"time": time}).fetchone()
    print(time)
    for name, bucket in zip(("date_trunc day", "time_bucket day", "with the zone", "time_bucket month"), row):
        print(f"  {name}: {bucket}")
PY
python days.py >seen
holds seen <<'SEEN'
2026-01-15 00:30
  date_trunc day: 2026-01-15 00:00:00+01
  time_bucket day: 2026-01-14 01:00:00+01
  with the zone: 2026-01-15 00:00:00+01
  time_bucket month: 2026-01-01 01:00:00+01
2026-03-29 23:30
  date_trunc day: 2026-03-29 00:00:00+01
  time_bucket day: 2026-03-29 01:00:00+01
  with the zone: 2026-03-29 00:00:00+01
  time_bucket month: 2026-03-01 01:00:00+01
2026-03-30 01:30
  date_trunc day: 2026-03-30 00:00:00+02
  time_bucket day: 2026-03-29 01:00:00+01
  with the zone: 2026-03-30 00:00:00+02
  time_bucket month: 2026-03-01 01:00:00+01
2026-07-15 01:59
  date_trunc day: 2026-07-15 00:00:00+02
  time_bucket day: 2026-07-14 02:00:00+02
  with the zone: 2026-07-15 00:00:00+02
  time_bucket month: 2026-07-01 02:00:00+02
SEEN
