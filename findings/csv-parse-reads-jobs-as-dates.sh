#!/usr/bin/env bash
# csv-parse reads the references job-1 and Invoice 1 as dates.
#
# Guess:    `cast: true, cast_date: true` makes numbers of what is a number and dates of what is written as one: 1.50
#           and 2026-11-30. References stay text, and 0x2A too, or is 42.
# Seen:     2026-11-30, csv-parse 7.0.3: whatever Date.parse accepts is a date, and V8 accepts a word with a number from
#           1 to 12 after it: job-1 is January 2001, job-13 stays text. 12/11/2026 is the 11th of December, 30.11.2026
#           is text. A number is what JavaScript takes for one, but it is read by parseFloat: 0x2A is 0.
# Matters:  A test with references above 12 passes. Then a customer's first twelve jobs are found under dates, and job-1
#           is the same as Invoice 1. Ids in hexadecimal are all 0.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages csv-parse@7.0.3
cat >references.mjs <<'JS'
import { parse } from 'csv-parse/sync';

const fields = ['1.50', '2026-11-30', '12/11/2026', '30.11.2026', 'job-1', 'job-12', 'job-13', 'Invoice 1', 'acme',
  '0x2A', '1e3'];
const [row] = parse(`${fields.join(',')}\n`, { cast: true, cast_date: true });
fields.forEach((field, index) => {
  const value = row[index];
  console.log(`${field}:`, value instanceof Date ? `the date ${value.toDateString()}` : value);
});
JS
TZ=UTC node references.mjs >seen
holds seen <<'SEEN'
1.50: 1.5
2026-11-30: the date Mon Nov 30 2026
12/11/2026: the date Fri Dec 11 2026
30.11.2026: 30.11.2026
job-1: the date Mon Jan 01 2001
job-12: the date Sat Dec 01 2001
job-13: job-13
Invoice 1: the date Mon Jan 01 2001
acme: acme
0x2A: 0
1e3: 1000
SEEN
