#!/usr/bin/env bash
# Stripe's library for Node.js drops options that it does not know, and charges without them.
#
# Guess:    `{ idempotency_key: 'job-1' }` and stripe_account, as Stripe's other libraries spell them, raise an error or
#           warn, as they did for years.
# Seen:     2026-11-30, stripe 23.1.0 (npm): no error and no warning. The request has a random Idempotency-Key and no
#           Stripe-Account. 21.0.1 raises an error if it knows none of the options, and warns of a single one. 22.0.0 is
#           the first that does neither; its changelog speaks of the order of arguments only.
# Matters:  A job that is repeated charges again, and a payment for a connected account is taken on the platform's own.
#           Both succeed. TypeScript objects to a literal, but not in JavaScript or to options that are typed loosely.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages v21@npm:stripe@21.0.1 v22@npm:stripe@22.0.0 v23@npm:stripe@23.1.0
cat >options.mjs <<'JS'
import http from 'node:http';

let request;
const server = http.createServer(({ headers }, response) => {
  const key = headers['idempotency-key'];
  request = `Idempotency-Key ${key?.startsWith('stripe-node-retry') ? 'random' : key ?? 'none'}, `
    + `Stripe-Account ${headers['stripe-account'] ?? 'none'}`;
  response.setHeader('content-type', 'application/json');
  response.end('{"id":"x","object":"x"}');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();
process.on('warning', ({ message }) => console.log('warning:', message));

for (const name of ['21.0.1', '22.0.0', '23.1.0']) {
  const { default: Stripe } = await import(`v${name.slice(0, 2)}`);
  const client = new Stripe('sk_test_none', { host: '127.0.0.1', port, protocol: 'http', telemetry: false });
  for (const options of [{ idempotency_key: 'job-1' }, { idempotencyKey: 'job-1', stripe_account: 'acct_1' },
    { idempotencyKey: 'job-1', stripeAccount: 'acct_1' }]) {
    const result = await client.paymentIntents.create({ amount: 500, currency: 'eur' }, options)
      .then(() => request, ({ message }) => `error: ${message.slice(0, 45)}…`);
    console.log(`${name}, ${Object.keys(options).join(' and ')}:`, result);
  }
}
server.close();
JS
node --no-warnings options.mjs >seen
holds seen <<'SEEN'
21.0.1, idempotency_key: error: Stripe: Unknown arguments ([object Object]). …
warning: Invalid options found (stripe_account); ignoring.
21.0.1, idempotencyKey and stripe_account: Idempotency-Key job-1, Stripe-Account none
21.0.1, idempotencyKey and stripeAccount: Idempotency-Key job-1, Stripe-Account acct_1
22.0.0, idempotency_key: Idempotency-Key random, Stripe-Account none
22.0.0, idempotencyKey and stripe_account: Idempotency-Key job-1, Stripe-Account none
22.0.0, idempotencyKey and stripeAccount: Idempotency-Key job-1, Stripe-Account acct_1
23.1.0, idempotency_key: Idempotency-Key random, Stripe-Account none
23.1.0, idempotencyKey and stripe_account: Idempotency-Key job-1, Stripe-Account none
23.1.0, idempotencyKey and stripeAccount: Idempotency-Key job-1, Stripe-Account acct_1
SEEN
