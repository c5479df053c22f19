#!/usr/bin/env bash
# @fastify/aws-lambda makes two values of a query value with a comma.
#
# Guess:    `?reference=Doe%2C%20Jane` reaches the route as one text, as without Lambda. The event of an HTTP API has
#           the raw query string for that.
# Seen:     2026-11-30, @fastify/aws-lambda 6.4.1 with fastify 5.12.8: the query string is put together again from
#           queryStringParameters, where API Gateway joins repeated names by commas, and split at every comma. The
#           route gets an array, or with a schema of type string an error 400. serverless-express 5.0.0 reads the raw
#           query string. Only `parseCommaSeparatedQueryParams: false` prevents it; then tag=a&tag=b is one text a,b.
# Matters:  A search for "Doe, Jane" answers 400 or looks for two references, and an amount of 1,50 becomes 1 and 50.
#           Tests that use app.inject pass, since they go around the adapter.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages @fastify/aws-lambda@6.4.1 fastify@5.12.8 @codegenie/serverless-express@5.0.0 express@5.3.0
cat >query.mjs <<'JS'
import serverlessExpress from '@codegenie/serverless-express';
import awsLambdaFastify from '@fastify/aws-lambda';
import express from 'express';
import fastify from 'fastify';

const event = () => ({
  version: '2.0', routeKey: '$default', rawPath: '/entries', headers: {}, isBase64Encoded: false,
  rawQueryString: 'reference=Doe%2C%20Jane&tag=a&tag=b',
  queryStringParameters: { reference: 'Doe, Jane', tag: 'a,b' },
  requestContext: { stage: '$default', http: {
    method: 'GET', path: '/entries', protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: '-' } },
});
const schema = { querystring: { type: 'object', properties: { reference: { type: 'string' } } } };
const application = (options) => {
  const app = fastify();
  app.get('/entries', options, async (request) => request.query);
  return app;
};
const other = express();
other.get('/entries', (request, response) => response.json(request.query));

const inject = await application({ schema }).inject(`/entries?${event().rawQueryString}`);
console.log('without Lambda:', inject.statusCode, inject.body);
for (const [name, handler] of Object.entries({
  'no schema': awsLambdaFastify(application({})),
  'a schema': awsLambdaFastify(application({ schema })),
  'no splitting': awsLambdaFastify(application({ schema }), { parseCommaSeparatedQueryParams: false }),
  'serverless-express': (serverlessExpress.default ?? serverlessExpress)({ app: other }),
})) {
  const { statusCode, body } = await handler(event(), { awsRequestId: '1' });
  console.log(`${name}:`, statusCode, body);
}
JS
node query.mjs >seen
holds seen <<'SEEN'
without Lambda: 200 {"reference":"Doe, Jane","tag":["a","b"]}
no schema: 200 {"reference":["Doe"," Jane"],"tag":["a","b"]}
a schema: 400 {"statusCode":400,"code":"FST_ERR_VALIDATION","error":"Bad Request","message":"querystring/reference must be string"}
no splitting: 200 {"reference":"Doe, Jane","tag":"a,b"}
serverless-express: 200 {"reference":"Doe, Jane","tag":["a","b"]}
SEEN
