#!/usr/bin/env bash
# Two libraries for VAT numbers disagree on Greece and on Northern Ireland.
#
# Guess:    Both take EL for Greece and refuse GR, which is its country code and no VAT prefix; both take XI, which
#           trade in goods with Northern Ireland has used since 2021.
# Seen:     2026-11-29, python-stdnum 2.2 (stdnum.eu.vat) takes GR as well, and XI. jsvat 2.5.4 refuses GR, and does
#           not know XI at all, while it knows GB. All numbers here are made from the check digit alone.
# Matters:  The address of a customer says GR, the tax id of Stripe's type eu_vat says EL. A form checked in Python
#           accepts what a page checked in JavaScript refuses; a firm in Belfast cannot enter its number at all, and
#           pays tax that it does not owe.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages python-stdnum==2.2
npm_packages jsvat@2.5.4
cat >numbers.py <<'PY'
"""Makes one number per country by trying endings until the checksum holds, and says what stdnum.eu.vat makes of it."""
from stdnum.eu import vat
from stdnum.gb import vat as british
from stdnum.gr import vat as greek

greece = next(n for n in (f"12345678{i}" for i in range(10)) if greek.is_valid(n))
britain = next(n for n in (f"1234567{i:02}" for i in range(97)) if british.is_valid(n))
for number in (f"EL{greece}", f"GR{greece}", f"XI{britain}", f"DE{greece}"):
    print(number, vat.is_valid(number))
PY
cat >numbers.mjs <<'JS'
import { readFileSync } from 'node:fs';
import jsvat from 'jsvat';

const countries = Object.values(jsvat).filter((value) => value?.codes);
for (const line of readFileSync('python', 'utf8').trim().split('\n')) {
  const [number, stdnum] = line.split(' ');
  console.log(`${number.slice(0, 2)}: stdnum ${stdnum.toLowerCase()}, jsvat ${jsvat.checkVAT(number, countries).isValid}`);
}
JS
python numbers.py >python
node numbers.mjs >seen
holds seen <<'SEEN'
EL: stdnum true, jsvat true
GR: stdnum true, jsvat false
XI: stdnum true, jsvat false
DE: stdnum false, jsvat false
SEEN
