#!/usr/bin/env bash
# Powertools for TypeScript does the work, refuses to answer for an optional field, and does the work again.
#
# Guess:    A field that is undefined is left out of the stored answer, as JSON.stringify leaves it out of the real
#           one; a Date is stored as its text. In any case one key does its work once.
# Seen:     2026-11-29, @aws-lambda-powertools/idempotency 2.35.0: the handler runs, then storing its answer fails, so
#           the caller gets an error. The record stays "in progress" until the time that the invocation had left is
#           over, and the next request with the same key runs the handler a second time.
# Matters:  The usual shape of an answer has an optional field. Every charge of that shape is taken, reported as
#           failed, and taken again at each retry that comes late enough.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages @aws-lambda-powertools/idempotency@2.35.0 @aws-sdk/client-dynamodb@3.1169.0 @aws-sdk/lib-dynamodb@3.1169.0 dynalite@4.0.0
cat >again.mjs <<'JS'
import { setTimeout as pause } from 'node:timers/promises';
import dynalite from 'dynalite';

Object.assign(process.env, {
  AWS_ACCESS_KEY_ID: 'none', AWS_SECRET_ACCESS_KEY: 'none', AWS_REGION: 'eu-central-1', AWS_LAMBDA_FUNCTION_NAME: 'charging',
});
const { CreateTableCommand, DynamoDBClient } = await import('@aws-sdk/client-dynamodb');
const { IdempotencyConfig, makeIdempotent } = await import('@aws-lambda-powertools/idempotency');
const { DynamoDBPersistenceLayer } = await import('@aws-lambda-powertools/idempotency/dynamodb');

const server = dynalite({ createTableMs: 0 });
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const awsSdkV3Client = new DynamoDBClient({ endpoint: `http://127.0.0.1:${server.address().port}` });
await awsSdkV3Client.send(new CreateTableCommand({
  TableName: 'idempotency', BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
}));
await pause(200);
const persistenceStore = new DynamoDBPersistenceLayer({ tableName: 'idempotency', awsSdkV3Client });
const context = { getRemainingTimeInMillis: () => 1000 };

async function story(name, answer) {
  let charges = 0;
  const handler = makeIdempotent(async () => { charges += 1; return answer; },
    { persistenceStore, config: new IdempotencyConfig({ eventKeyJmesPath: 'key' }) });
  const ask = () => handler({ key: name }, context).then(JSON.stringify, (error) => error.name);
  const answers = [await ask(), await ask()];
  await pause(1500);
  answers.push(await ask());
  console.log(`${name}: ${answers.join(', ')}; charges ${charges}`);
}

await story('whole', { credits: 15 });
await story('optional field', { credits: 15, reference: undefined });
await story('date', { credits: 15, at: new Date(0) });
server.close();
process.exit();
JS
node --no-warnings again.mjs >seen
holds seen <<'SEEN'
whole: {"credits":15}, {"credits":15}, {"credits":15}; charges 1
optional field: IdempotencyPersistenceLayerError, IdempotencyAlreadyInProgressError, IdempotencyPersistenceLayerError; charges 2
date: IdempotencyPersistenceLayerError, IdempotencyAlreadyInProgressError, IdempotencyPersistenceLayerError; charges 2
SEEN
