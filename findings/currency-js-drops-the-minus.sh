#!/usr/bin/env bash
# currency.js reads the minus sign that Intl writes as no sign at all, and an exponent as more digits.
#
# Guess:    What Intl.NumberFormat writes for -5 is read as -5, or refused where `errorOnInvalid` is on. "1E+03",
#           which spreadsheets save for 1000, is 1000 or refused.
# Seen:     2026-11-29, currency.js 2.0.4: Swedish, Finnish, Norwegian, Lithuanian and Croatian write U+2212 for
#           minus, and currency.js reads 5. "1E+03" is 103. errorOnInvalid changes neither: it looks at the type
#           alone.
# Matters:  A refund or a debit that goes through a form field or a CSV file in one of these languages adds credits
#           instead of taking them, with the right digits.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages currency.js@2.0.4
cat >minus.mjs <<'JS'
import currency from 'currency.js';

const read = (text) => {
  try {
    return currency(text, { decimal: text.includes(',') ? ',' : '.', errorOnInvalid: true }).value;
  } catch (error) {
    return error.message;
  }
};
// Spelled out, so that the result does not depend on the locale data of the Node.js at hand.
const MINUS = '\u2212', SPACE = '\u00a0';
console.log('de-DE -5,00 €:', read(`-5,00${SPACE}€`));
console.log('sv-SE −5,00 €:', read(`${MINUS}5,00${SPACE}€`));
console.log('as Intl writes it:', new Intl.NumberFormat('sv-SE', { style: 'currency', currency: 'EUR' }).format(-5) === `${MINUS}5,00${SPACE}€`);
console.log('balance of 10 after −5.00:', currency(10).add(`${MINUS}5.00`).value);
console.log('1E+03:', read('1E+03'));
JS
node minus.mjs >seen
holds seen <<'SEEN'
de-DE -5,00 €: -5
sv-SE −5,00 €: 5
as Intl writes it: true
balance of 10 after −5.00: 15
1E+03: 103
SEEN
