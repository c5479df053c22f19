#!/usr/bin/env bash
# py-moneyed prints another amount than it gives in cents.
#
# Guess:    str(Money) and get_amount_in_sub_unit() are one amount: both have the digits of ISO 4217, and both round.
# Seen:     2026-11-30, py-moneyed 3.0 with babel 2.19.0: the sub-unit has the digits of ISO 4217, and str() those of
#           CLDR, which has none for HUF, COP, IDR and others. str() rounds halves to even, and the sub-unit is cut off:
#           19.995 EUR is 20.00 in text and 1999 cents. With currency_digits=False the forint has its decimals, but the
#           dinar loses its third.
# Matters:  Stripe counts HUF, COP and IDR in hundredths. The receipt says 1234 HUF, the card is charged 1234.50, and
#           two such lines do not add up to their total of 2469. In EUR the printed price is a cent above the one taken.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages py-moneyed==3.0 babel==2.19.0
cat >receipts.py <<'PY'
from moneyed import Money
from moneyed.l10n import format_money

for amount, currency in (("1234.50", "HUF"), ("2469.00", "HUF"), ("1234.56", "COP"), ("19.995", "EUR"),
                         ("19.985", "EUR"), ("12.345", "KWD")):
    money = Money(amount, currency)
    print(f"{amount} {currency}: str {money}; sub-unit {money.get_amount_in_sub_unit()};",
          f"currency_digits=False {format_money(money, locale='en_US', currency_digits=False)}")
PY
LC_ALL=C LANGUAGE= python receipts.py >seen
holds seen <<'SEEN'
1234.50 HUF: str HUF 1234; sub-unit 123450; currency_digits=False HUF1,234.50
2469.00 HUF: str HUF 2469; sub-unit 246900; currency_digits=False HUF2,469.00
1234.56 COP: str COP 1235; sub-unit 123456; currency_digits=False COP1,234.56
19.995 EUR: str € 20.00; sub-unit 1999; currency_digits=False €20.00
19.985 EUR: str € 19.98; sub-unit 1998; currency_digits=False €19.98
12.345 KWD: str KWD 12.345; sub-unit 12345; currency_digits=False KWD12.34
SEEN
