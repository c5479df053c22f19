#!/usr/bin/env bash
# parse-duration takes a decimal comma for a thousands separator, and a colon for the end of a number.
#
# Guess:    "1,5 min" is a minute and a half, or not understood (null, as documented for what it cannot read). "1:30
#           min" is 90 seconds, or not understood.
# Seen:     2026-11-29, parse-duration 2.1.9: "1,5 min" is 15 minutes. "1:30 min" is 30 minutes and one millisecond:
#           the 1 is read in the default unit, milliseconds, and added. "00:01:30" is a thousandth of a millisecond.
# Matters:  Lengths of recordings come from people and from other tools' reports, and are what is charged for: ten
#           times and twenty times the price, or nothing, from input that anybody would call clear.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages parse-duration@2.1.9
cat >lengths.mjs <<'JS'
import parse from 'parse-duration';

for (const text of ['1.5 min', '1,5 min', '1:30 min', '00:01:30', '1m30']) console.log(`${text}: ${parse(text)} ms`);
JS
node lengths.mjs >seen
holds seen <<'SEEN'
1.5 min: 90000 ms
1,5 min: 900000 ms
1:30 min: 1800001 ms
00:01:30: 0.00103 ms
1m30: 90000 ms
SEEN
