#!/usr/bin/env bash
# pandas reads German dates as whole numbers when amounts have a point between the thousands.
#
# Guess:    `decimal=',', thousands='.'` makes 1.234,50 a number. A column of 30.11.2026 stays text, and so does a
#           reference such as 10.2: neither is written as thousands are.
# Seen:     2026-11-30, pandas 3.1.1: every point is dropped, so the date is 30112026, and 01.12.2026 is 1122026. The
#           references 1.11 and 11.1 are both 111. With thousands=',' the amount 1,50 of another bank is 150. The
#           engines c and python do so; pyarrow refuses the option. duckdb 2.0.1 with the same two options has the date
#           as a date, but 111 as well.
# Matters:  Payments of a bank's export are matched to accounts by a reference that two of them share, and sorting by
#           the date sorts by the day. Nothing warns: a column of integers raises no suspicion.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages pandas==3.1.1 duckdb==2.0.1
cat >export.py <<'PY'
from io import StringIO
from pathlib import Path

import duckdb
import pandas

ROWS = "paid;reference;amount\n30.11.2026;1.11;1.234,50\n01.12.2026;11.1;-7,25\n"
Path("export.csv").write_text(ROWS)


def show(name, rows):
    print(f"{name}:", *(", ".join(str(value) for value in row) for row in rows), sep="\n  ")


for engine in ("c", "python"):
    frame = pandas.read_csv(StringIO(ROWS), sep=";", decimal=",", thousands=".", engine=engine)
    show(f"pandas, {engine}", frame.astype(object).itertuples(index=False))
try:
    pandas.read_csv(StringIO(ROWS), sep=";", decimal=",", thousands=".", engine="pyarrow")
except (ImportError, ValueError) as error:
    print(f"pandas, pyarrow: {error}")
frame = pandas.read_csv(StringIO('amount\n"1,234.50"\n"1,50"\n'), thousands=",")
print("pandas, thousands=',':", *frame["amount"])
show("DuckDB", duckdb.sql(
    "FROM read_csv('export.csv', delim=';', header=true, decimal_separator=',', thousands='.')").fetchall())
PY
python -W ignore export.py >seen
holds seen <<'SEEN'
pandas, c:
  30112026, 111, 1234.5
  1122026, 111, -7.25
pandas, python:
  30112026, 111, 1234.5
  1122026, 111, -7.25
pandas, pyarrow: The 'thousands' option is not supported with the 'pyarrow' engine
pandas, thousands=',': 1234.5 150.0
DuckDB:
  2026-11-30, 111, 1234.5
  2026-12-01, 111, -7.25
SEEN
