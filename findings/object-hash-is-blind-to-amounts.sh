#!/usr/bin/env bash
# object-hash gives every amount of Dinero.js the same hash.
#
# Guess:    A request with 5.00 EUR and one with 9.00 EUR have different hashes, and two of 5.00 are equal for
#           isDeepStrictEqual and lodash.
# Seen:     2026-11-30, dinero.js 2.0.2: an amount consists of functions, with the number in a closure. object-hash
#           3.0.0, node-object-hash 3.1.1 and hash-sum 2.0.0 hash the source of functions, which is the same for all.
#           The comparisons look at the identity of functions, so not even equal amounts are equal. Only ohash 2.0.12
#           asks toJSON; a hash of toSnapshot() is as guessed with all.
# Matters:  A hash of the request as Idempotency-Key, or as the key of a cache, is one key for all amounts: the second
#           purchase is answered with the first, and takes no money.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages dinero.js@2.0.2 object-hash@3.0.0 node-object-hash@3.1.1 hash-sum@2.0.0 ohash@2.0.12 lodash@4.18.1
cat >hashes.mjs <<'JS'
import { isDeepStrictEqual } from 'node:util';

import { dinero, toSnapshot } from 'dinero.js';
import { EUR } from 'dinero.js/currencies';
import hashSum from 'hash-sum';
import lodash from 'lodash';
import { hasher } from 'node-object-hash';
import objectHash from 'object-hash';
import { hash as ohash } from 'ohash';

const request = (cents) => ({ account: 'acme', price: dinero({ amount: cents, currency: EUR }) });
const plain = ({ account, price }) => ({ account, price: toSnapshot(price) });
const same = (first, second) => (first === second ? 'the same' : 'different');
const sorted = hasher();
for (const [name, hash] of Object.entries({
  'object-hash': objectHash, 'node-object-hash': (value) => sorted.hash(value), 'hash-sum': hashSum, ohash })) {
  console.log(`${name}, 5.00 and 9.00: ${same(hash(request(500)), hash(request(900)))};`,
    `of snapshots: ${same(hash(plain(request(500))), hash(plain(request(900))))}`);
}
console.log('5.00 and 5.00 are equal: isDeepStrictEqual', isDeepStrictEqual(request(500), request(500)),
  'lodash', lodash.isEqual(request(500), request(500)));
JS
node hashes.mjs >seen
holds seen <<'SEEN'
object-hash, 5.00 and 9.00: the same; of snapshots: different
node-object-hash, 5.00 and 9.00: the same; of snapshots: different
hash-sum, 5.00 and 9.00: the same; of snapshots: different
ohash, 5.00 and 9.00: different; of snapshots: different
5.00 and 5.00 are equal: isDeepStrictEqual false lodash false
SEEN
