#!/usr/bin/env bash
# Dinero.js makes one ariary of the five that Stripe charged, and cannot write it down.
#
# Guess:    An amount of Stripe's goes into dinero({ amount, currency }) as it is: both count in the smallest unit. So
#           5 MGA of Stripe, where the ariary has no decimals, is written as "5", or as "0.05" if the library follows
#           ISO 4217.
# Seen:     2026-11-29, dinero.js 2.0.2: the currency has base 5, since an ariary is five iraimbilanja. 5 is one
#           ariary and none, and toDecimal raises "Currency is not decimal". MRU of Mauritania is the same.
# Matters:  A receipt for 5,000 Ar is rendered for 1,000, or its page fails, for one currency out of Stripe's 135, and
#           only when the first customer there buys.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages dinero.js@2.0.2
cat >ariary.mjs <<'JS'
import { dinero, toDecimal, toUnits, JPY, MGA, MRU, USD } from 'dinero.js';

for (const currency of [USD, JPY, MGA, MRU]) {
  const amount = dinero({ amount: 5000, currency });
  let decimal;
  try { decimal = toDecimal(amount); } catch (error) { decimal = error.message; }
  console.log(`${currency.code}: units ${toUnits(amount).join(' and ')}, decimal ${decimal}`);
}
JS
node ariary.mjs >seen
holds seen <<'SEEN'
USD: units 50 and 0, decimal 50.00
JPY: units 5000 and 0, decimal 5000
MGA: units 1000 and 0, decimal [Dinero.js] Currency is not decimal.
MRU: units 1000 and 0, decimal [Dinero.js] Currency is not decimal.
SEEN
