#!/usr/bin/env bash
# A second paginateQuery of the AWS SDK with the same input reads only the last page.
#
# Guess:    paginateQuery(config, input) reads from the start each time: its place is in the generator, and what the
#           caller passes is not changed.
# Seen:     2026-11-30, @aws-sdk/lib-dynamodb 3.1169.0 with dynalite 4.0.0: the paginator writes ExclusiveStartKey and
#           Limit into the caller's object and leaves them there. The next run with that object starts at the last page,
#           and after a loop that was left early QueryCommand starts in the middle. With a copy, or a frozen object, all
#           is as guessed.
# Matters:  Code that keeps the query in a constant has the right balance in its first call, and in every test with one
#           page. The second sum of a warm function lacks all entries but the last few, without an error.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages dynalite@4.0.0 @aws-sdk/client-dynamodb@3.1169.0 @aws-sdk/lib-dynamodb@3.1169.0
cat >sums.mjs <<'JS'
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, paginateQuery, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import dynalite from 'dynalite';

const server = dynalite({ createTableMs: 0 });
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const client = DynamoDBDocumentClient.from(new DynamoDBClient({
  endpoint: `http://127.0.0.1:${server.address().port}`, region: 'eu-central-1',
  credentials: { accessKeyId: 'none', secretAccessKey: 'none' } }));
await client.send(new CreateTableCommand({
  TableName: 'entries', BillingMode: 'PAY_PER_REQUEST',
  KeySchema: [{ AttributeName: 'account', KeyType: 'HASH' }, { AttributeName: 'number', KeyType: 'RANGE' }],
  AttributeDefinitions: [
    { AttributeName: 'account', AttributeType: 'S' }, { AttributeName: 'number', AttributeType: 'N' }] }));
for (let number = 1; number <= 25; number += 1) {
  await client.send(new PutCommand({ TableName: 'entries', Item: { account: 'acme', number, credits: 1 } }));
}

const query = () => ({ TableName: 'entries', KeyConditionExpression: 'account = :account',
  ExpressionAttributeValues: { ':account': 'acme' } });
const sum = async (input) => {
  let credits = 0;
  for await (const page of paginateQuery({ client, pageSize: 10 }, input)) {
    for (const entry of page.Items) credits += entry.credits;
  }
  return credits;
};
const input = query();
console.log('the same input, three times:', await sum(input), await sum(input), await sum(input));
console.log('left in it:', JSON.stringify(input.ExclusiveStartKey), input.Limit);
const copied = query();
console.log('a copy each time:', await sum({ ...copied }), await sum({ ...copied }));
const frozen = Object.freeze(query());
console.log('a frozen input:', await sum(frozen), await sum(frozen));
const left = query();
let pages = 0;
for await (const page of paginateQuery({ client, pageSize: 10 }, left)) {
  pages += 1;
  if (pages === 2) break;
}
const { Items: [first] } = await client.send(new QueryCommand(left));
console.log('a loop left at its second page, then QueryCommand: entry', first.number, 'is the first');
server.close();
JS
node sums.mjs 2>/dev/null >seen
holds seen <<'SEEN'
the same input, three times: 25 5 5
left in it: {"account":"acme","number":20} 10
a copy each time: 25 25
a frozen input: 25 25
a loop left at its second page, then QueryCommand: entry 11 is the first
SEEN
