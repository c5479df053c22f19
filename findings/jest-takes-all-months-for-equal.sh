#!/usr/bin/env bash
# For Jest and dequal any two months of Temporal are equal.
#
# Guess:    toEqual, toStrictEqual and deep-equal libraries tell 2026-10 from 2026-11, and find two of 2026-10 equal.
# Seen:     2026-11-30, @js-temporal/polyfill 0.5.1 and temporal-polyfill 1.0.8: the value is in an internal slot, not
#           in a property. expect 30.5.2 passes for different months and different durations, with toStrictEqual too,
#           and dequal 2.0.3 has them equal. lodash 4.18.1 finds not even equal ones equal, and fast-deep-equal 3.1.3
#           raises a TypeError. chai 6.3.0 and Vitest's @vitest/expect 5.1.1 are right.
# Matters:  A test that expects the period of a statement or the date on which a grant expires passes whatever the code
#           does, and a component that compares with dequal shows the month before.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages @js-temporal/polyfill@0.5.1 temporal-polyfill@1.0.8 expect@30.5.2 dequal@2.0.3 lodash@4.18.1 \
  fast-deep-equal@3.1.3 chai@6.3.0 @vitest/expect@5.1.1
cat >months.mjs <<'JS'
import { Temporal as polyfill } from '@js-temporal/polyfill';
import { assert } from 'chai';
import { dequal } from 'dequal';
import { expect } from 'expect';
import fastDeepEqual from 'fast-deep-equal';
import lodash from 'lodash';
import { Temporal as other } from 'temporal-polyfill';

const passes = (check) => {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof TypeError) throw error;
    return false;
  }
};
const libraries = {
  'Jest, toEqual': (a, b) => passes(() => expect(a).toEqual(b)),
  'Jest, toStrictEqual': (a, b) => passes(() => expect(a).toStrictEqual(b)),
  dequal,
  lodash: lodash.isEqual,
  'fast-deep-equal': fastDeepEqual,
  chai: (a, b) => passes(() => assert.deepEqual(a, b)),
};
const sources = { '@js-temporal/polyfill': polyfill, 'temporal-polyfill': other };
const pairs = ({ Duration, PlainYearMonth }) => [
  [PlainYearMonth.from('2026-10'), PlainYearMonth.from('2026-11')],
  [Duration.from('PT1M'), Duration.from('PT9M')],
  [PlainYearMonth.from('2026-10'), PlainYearMonth.from('2026-10')],
];
console.log('October and November, 1 and 9 minutes, October and October');
for (const [name, equal] of Object.entries(libraries)) {
  for (const [source, Temporal] of Object.entries(sources)) {
    const results = pairs(Temporal).map(([first, second]) => {
      try {
        return equal({ of: first }, { of: second }) ? 'equal' : 'different';
      } catch (error) {
        return error.name;
      }
    });
    console.log(`${name}, ${source}:`, results.join(', '));
  }
}
JS
cat >vitest.mjs <<'JS'
import { Temporal } from '@js-temporal/polyfill';
import { equals } from '@vitest/expect';

const { Duration, PlainYearMonth } = Temporal;
const results = [
  equals({ of: PlainYearMonth.from('2026-10') }, { of: PlainYearMonth.from('2026-11') }),
  equals({ of: Duration.from('PT1M') }, { of: Duration.from('PT9M') }),
  equals({ of: PlainYearMonth.from('2026-10') }, { of: PlainYearMonth.from('2026-10') }),
];
console.log('Vitest, @js-temporal/polyfill:', results.map((result) => (result ? 'equal' : 'different')).join(', '));
JS
node months.mjs >seen
node vitest.mjs >>seen
holds seen <<'SEEN'
October and November, 1 and 9 minutes, October and October
Jest, toEqual, @js-temporal/polyfill: equal, equal, equal
Jest, toEqual, temporal-polyfill: equal, equal, equal
Jest, toStrictEqual, @js-temporal/polyfill: equal, equal, equal
Jest, toStrictEqual, temporal-polyfill: equal, equal, equal
dequal, @js-temporal/polyfill: equal, equal, equal
dequal, temporal-polyfill: equal, equal, equal
lodash, @js-temporal/polyfill: different, different, different
lodash, temporal-polyfill: different, different, different
fast-deep-equal, @js-temporal/polyfill: TypeError, TypeError, TypeError
fast-deep-equal, temporal-polyfill: TypeError, TypeError, TypeError
chai, @js-temporal/polyfill: different, different, equal
chai, temporal-polyfill: different, different, equal
Vitest, @js-temporal/polyfill: different, different, equal
SEEN
