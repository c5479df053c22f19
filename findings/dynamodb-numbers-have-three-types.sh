#!/usr/bin/env bash
# AWS's library for JavaScript reads one attribute of DynamoDB as a number, as a BigInt, or as another number.
#
# Guess:    A number of DynamoDB that a JavaScript number cannot hold raises an error when it is read, as it does when
#           it is written.
# Seen:     2026-11-30, @aws-sdk/util-dynamodb 3.996.9, which @aws-sdk/lib-dynamodb reads with: an integer above 2^53
#           becomes a BigInt, and a fraction of more than 17 digits is rounded without an error. Only a large number
#           with a fraction raises. What was rounded can be written back.
# Matters:  A sum of many small prices, exact in DynamoDB to 38 digits, loses the last of them when an item is read and
#           put back. `balance + 1` raises for the one account that is large enough.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages @aws-sdk/util-dynamodb@3.996.9 @aws-sdk/client-dynamodb@3.1169.0
cat >numbers.mjs <<'JS'
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';

const attempt = (run) => {
  try {
    return run();
  } catch (error) {
    return error.message;
  }
};
for (const N of ['9007199254740991', '9007199254740993', '0.1234567890123456789', '9007199254740993.5']) {
  const read = attempt(() => unmarshall({ balance: { N } }));
  console.log(`${N}: ${read.balance === undefined ? read : typeof read.balance}`);
  if (read.balance === undefined) continue;
  console.log(`  written back: ${marshall(read).balance.N}, plus 1: ${attempt(() => read.balance + 1)}`);
}
JS
node numbers.mjs 2>/dev/null >seen
holds seen <<'SEEN'
9007199254740991: number
  written back: 9007199254740991, plus 1: 9007199254740992
9007199254740993: bigint
  written back: 9007199254740993, plus 1: Cannot mix BigInt and other types, use explicit conversions
0.1234567890123456789: number
  written back: 0.12345678901234568, plus 1: 1.1234567890123457
9007199254740993.5: 9007199254740993.5 can't be converted to BigInt. Set options.wrapNumbers to get string value.
SEEN
