#!/usr/bin/env bash
# DuckDB and Polars read 1:30, a minute and a half, as half past one, unless one recording has 24 minutes or more.
#
# Guess:    A CSV column of lengths such as 1:30 is text: neither minutes nor hours are named, and no value has
#           seconds.
# Seen:     2026-11-29, duckdb 2.0.1: the column is a TIME, so its length in seconds is 5400 instead of 90. With one
#           value of 25:10 in the file the whole column is text. polars 2.1.0 with try_parse_dates does the same.
#           DuckDB also makes a DOUBLE of idempotency keys such as 1e5.
# Matters:  A list of operations is priced at sixty times its price, and the same list with one long recording is
#           refused, or priced right by the code that handles text: the error comes and goes with the day's data.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages duckdb==2.0.1 polars==2.1.0
cat >lengths.py <<'PY'
from pathlib import Path

import duckdb
import polars

Path("short.csv").write_text("key,length\n1e5,1:30\n2e5,2:15\n")
Path("long.csv").write_text("key,length\n1e5,1:30\n2e5,25:10\n")
for file in ("short.csv", "long.csv"):
    read = duckdb.sql(f"select * from read_csv('{file}')")
    print(f"{file}: DuckDB", dict(zip(read.columns, map(str, read.types))), read.fetchall()[0])
    read = polars.read_csv(file, try_parse_dates=True)
    print(f"{file}: Polars length is {read.schema['length']}, the first is {read['length'][0]}")
print("seconds of the first:", duckdb.sql("select epoch(length) from read_csv('short.csv')").fetchall()[0][0])
PY
python lengths.py >seen
holds seen <<'SEEN'
short.csv: DuckDB {'key': 'DOUBLE', 'length': 'TIME'} (100000.0, datetime.time(1, 30))
short.csv: Polars length is Time, the first is 01:30:00
long.csv: DuckDB {'key': 'DOUBLE', 'length': 'VARCHAR'} (100000.0, '1:30')
long.csv: Polars length is String, the first is 1:30
seconds of the first: 5400.0
SEEN
