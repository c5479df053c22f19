#!/usr/bin/env bash
# Apache Arrow for JavaScript gives 10.50 as 1050.
#
# Guess:    A decimal(10, 2) that pyarrow wrote is 10.50 in JavaScript, or an object that prints as 10.50.
# Seen:     2026-11-30, apache-arrow 21.2.0 (npm) with pyarrow 26.0.1: the object prints as 1050, is 1050 as a number
#           and "\"1050\"" in JSON, with quotes in the text. The column's type has the scale, and only valueOf(scale)
#           gives 10.5. hyparquet 1.33.0 reads the same column of a Parquet file as 10.5.
# Matters:  An amount in euros becomes one in cents with nothing to tell them apart: a statement or an invoice a hundred
#           times too high. With a scale of 0, as in a test with whole credits, all is right.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages pyarrow==26.0.1
npm_packages apache-arrow@21.2.0 hyparquet@1.33.0
cat >write.py <<'PY'
from decimal import Decimal

import pyarrow
from pyarrow import ipc, parquet

table = pyarrow.table({
    "euros": pyarrow.array([Decimal("10.50"), Decimal("-0.05")], pyarrow.decimal128(10, 2)),
    "credits": pyarrow.array([Decimal("1050"), Decimal("-5")], pyarrow.decimal128(10, 0)),
})
with ipc.new_file("entries.arrow", table.schema) as file:
    file.write_table(table)
parquet.write_table(table, "entries.parquet")
PY
cat >read.mjs <<'JS'
import fs from 'node:fs';

import { tableFromIPC } from 'apache-arrow';
import { parquetReadObjects } from 'hyparquet';

const table = tableFromIPC(fs.readFileSync('entries.arrow'));
const { scale } = table.getChild('euros').type;
for (const { euros, credits } of table.toArray()) {
  console.log(`arrow: euros ${euros}, number ${Number(euros)}, JSON ${JSON.stringify(euros)},`
    + ` valueOf(${scale}) ${euros.valueOf(scale)}; credits ${credits}`);
}
const { buffer } = new Uint8Array(fs.readFileSync('entries.parquet'));
for (const { euros, credits } of await parquetReadObjects({ file: buffer })) {
  console.log(`parquet: euros ${euros}, credits ${credits}`);
}
JS
python write.py
node read.mjs >seen
holds seen <<'SEEN'
arrow: euros 1050, number 1050, JSON "\"1050\"", valueOf(2) 10.5; credits 1050
arrow: euros -5, number -5, JSON "\"-5\"", valueOf(2) -0.05; credits -5
parquet: euros 10.5, credits 1050
parquet: euros -0.05, credits -5
SEEN
