#!/usr/bin/env bash
# serverless-http tells a handler twice that a request without a body has ended.
#
# Guess:    A request's 'end' event comes once, as from node:http; whoever waits for it to answer answers once.
# Seen:     2026-11-29, serverless-http 4.0.0: with a body it comes once. Without one it comes a second time, as soon
#           as the handler reads the body at all. (`for await (… of request)` is not affected.)
# Matters:  "Give this charge back" and "void this invoice" are POST requests without a body. A handler of the oldest
#           form, `request.on('end', work)`, does its work twice in one invocation, and no retry is to be seen in any
#           log.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages serverless-http@4.0.0
cat >end.mjs <<'JS'
import serverless from 'serverless-http';

// What an HTTP API sends for POST /restore, payload version 2.0.
const event = (body) => ({
  version: '2.0', routeKey: '$default', rawPath: '/restore', rawQueryString: '', isBase64Encoded: false,
  headers: { 'content-type': 'application/json' }, body,
  requestContext: { stage: '$default', http: { method: 'POST', path: '/restore', sourceIp: '192.0.2.1' } },
});

async function count(name, body) {
  let restores = 0;
  const handler = serverless((request, response) => {
    request.resume();
    request.on('end', () => { restores += 1; if (restores === 1) response.end('{}'); });
  });
  await handler(event(body), {});
  await new Promise((later) => setTimeout(later, 100));
  console.log(`${name}: restored ${restores}`);
}

await count('with a body', '{"charge":"job-1"}');
await count('without a body', undefined);
JS
node end.mjs >seen
holds seen <<'SEEN'
with a body: restored 1
without a body: restored 2
SEEN
