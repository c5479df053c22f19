// Charges an account through the client that openapi-typescript and openapi-fetch make of the description.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [url, token, account] = process.argv.slice(2);
assert(url && token && account, "usage: charge.js URL TOKEN ACCOUNT");
// Some answers are CSV for whoever asks for it.
type Json = "application/json" | "application/problem+json";
const client = createClient<paths, Json>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

async function charge(minutes: number) {
  const params = { path: { account: account! }, header: { "Idempotency-Key": `typescript-${minutes}` } };
  const body = { operation: "training", max_minutes: minutes } as const;
  return client.POST("/v1/accounts/{account}/charges", { params, body });
}

const first = await charge(3);
assert(first.data, JSON.stringify(first.error));
const { credits, balance, status } = first.data;
assert.deepEqual([first.response.status, credits, status], [201, 30, "posted"]);

const again = await charge(3);
assert.equal(again.response.status, 200);
assert.deepEqual(again.data, first.data);

const refused = await charge(1_440);
assert(refused.error && "missing" in refused.error, "the balance does not cover a day of training");
assert.deepEqual([refused.response.status, refused.error.code], [402, "insufficient_credits"]);
assert.equal(refused.error.missing, 14_400 - balance);

const history = await client.GET("/v1/accounts/{account}/history", { params: { path: { account } } });
assert.equal(history.data?.data[0]?.credits, -30);
