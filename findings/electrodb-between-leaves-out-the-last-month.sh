#!/usr/bin/env bash
# ElectroDB's range over months leaves out the last month.
#
# Guess:    With a sort key of month and id, `between({ month: '2026-10' }, { month: '2026-11' })` gives October and
#           November, as BETWEEN does. `lte` November gives November, and `gt` November does not.
# Seen:     2026-11-30, electrodb 3.9.3 with dynalite 4.0.0: the keys are compared as text. A bound without an id is
#           shorter than every key of its month, so it lies before them: `between` gives October only, `lte` is `lt`,
#           and `gt` is `gte`. The option `compare: 'attributes'` repairs only `gt`; with 'v2' all are as guessed.
# Matters:  A statement from October to November has no November, and it is not empty, so nobody is alarmed. An invoice
#           "after October" charges October again.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages electrodb@3.9.3 dynalite@4.0.0 @aws-sdk/client-dynamodb@3.1169.0 @aws-sdk/lib-dynamodb@3.1169.0
cat >months.mjs <<'JS'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import dynalite from 'dynalite';
import { Entity } from 'electrodb';

const server = dynalite({ createTableMs: 0 });
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const client = DynamoDBDocumentClient.from(new DynamoDBClient({
  endpoint: `http://127.0.0.1:${server.address().port}`, region: 'eu-central-1',
  credentials: { accessKeyId: 'none', secretAccessKey: 'none' } }));
await client.send(new CreateTableCommand({
  TableName: 'credits', BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }, { AttributeName: 'sk', KeyType: 'RANGE' }],
  AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }, { AttributeName: 'sk', AttributeType: 'S' }] }));
const entries = new Entity({
  model: { service: 'credits', entity: 'entry', version: '1' },
  attributes: { account: { type: 'string' }, month: { type: 'string' }, id: { type: 'string' } },
  indexes: { byMonth: {
    pk: { field: 'pk', composite: ['account'] }, sk: { field: 'sk', composite: ['month', 'id'] } } },
}, { client, table: 'credits' });
for (const month of ['2026-09', '2026-10', '2026-11', '2026-12']) {
  await entries.put({ account: 'acme', month, id: 'job-1' }).go();
}

const of = () => entries.query.byMonth({ account: 'acme' });
for (const compare of ['keys', 'attributes', 'v2']) {
  for (const [name, query] of Object.entries({
    'between 2026-10 and 2026-11': of().between({ month: '2026-10' }, { month: '2026-11' }),
    'lte 2026-11': of().lte({ month: '2026-11' }),
    'gt 2026-11': of().gt({ month: '2026-11' }),
  })) {
    const { data } = await query.go({ compare });
    console.log(`${compare}, ${name}:`, data.map(({ month }) => month).join(' '));
  }
}
server.close();
JS
node months.mjs 2>/dev/null >seen
holds seen <<'SEEN'
keys, between 2026-10 and 2026-11: 2026-10
keys, lte 2026-11: 2026-09 2026-10
keys, gt 2026-11: 2026-11 2026-12
attributes, between 2026-10 and 2026-11: 2026-10
attributes, lte 2026-11: 2026-09 2026-10
attributes, gt 2026-11: 2026-12
v2, between 2026-10 and 2026-11: 2026-10 2026-11
v2, lte 2026-11: 2026-09 2026-10 2026-11
v2, gt 2026-11: 2026-12
SEEN
