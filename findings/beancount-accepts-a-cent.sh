#!/usr/bin/env bash
# Beancount's balance assertion accepts a balance that is a cent off.
#
# Guess:    `balance Assets:Stripe 100.01 USD` fails where the account holds 100.00 USD, and two entries whose sides
#           differ by half a cent each fail, or at least their sum does.
# Seen:     2026-11-29, beancount 3.2.3: all of it passes without a word. An entry may be off by half of the last
#           digit that it was written with, and an assertion by all of it. Written as whole numbers, both are exact.
# Matters:  Exporting a ledger of credits and money to plain text accounting, to have other eyes on it, proves books
#           to the cent only where every amount is written in whole cents. The one cent that a rounding bug takes per
#           day is exactly what the assertion lets through.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages beancount==3.2.3
cat >decimals.bean <<'BEAN'
2026-01-01 open Assets:Stripe
2026-01-01 open Liabilities:Credits
2026-01-02 * "half a cent is missing"
  Assets:Stripe        50.00 USD
  Liabilities:Credits -50.005 USD
2026-01-03 * "and another half"
  Assets:Stripe        50.00 USD
  Liabilities:Credits -50.005 USD
2026-01-04 balance Assets:Stripe         100.01 USD
2026-01-04 balance Liabilities:Credits  -100.00 USD
BEAN
cat >whole.bean <<'BEAN'
2026-01-01 open Assets:Stripe
2026-01-01 open Liabilities:Credits
2026-01-02 * "in cents"
  Assets:Stripe        10000 USDCENT
  Liabilities:Credits -10000 USDCENT
2026-01-04 balance Assets:Stripe         10001 USDCENT
BEAN
for book in decimals whole; do
  if bean-check "$book.bean" >errors 2>&1; then
    echo "$book: no error"
  else
    echo "$book: $(grep -o 'Balance failed.*' errors)"
  fi
done >seen
holds seen <<'SEEN'
decimals: no error
whole: Balance failed for 'Assets:Stripe': expected 10001 USDCENT != accumulated 10000 USDCENT (1 too little)
SEEN
