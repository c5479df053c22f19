/**
 * The charge of functions/charging in typical JavaScript: the AWS SDK v3, one file, no framework.
 *
 * It reads and writes the same items and gives the same answers. It omits what an ordinary charge never touches: the
 * change of day in the counters, the index of due accounts, and restrictions.
 */

import { setTimeout as sleep } from "node:timers/promises";
import {
  DynamoDBClient,
  GetItemCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
} from "@aws-sdk/client-dynamodb";

const TABLE = process.env.TABLE_NAME;
const CREDITS_PER_MINUTE = 10;
const CREDITS_MIN = 10;
const DURATION_MS_MAX = 86_400_000;
const MAX_MINUTES_MAX = 1_440;
const TRIES_MAX = 32;

const dynamodb = new DynamoDBClient({
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 3_000 },
});

class Problem extends Error {
  constructor(status, code, title, detail, facts = {}) {
    super(detail);
    this.status = status;
    this.body = { type: "about:blank", title, status, detail, code, ...facts };
  }
}

export async function handler(event) {
  try {
    const { entry, isReplay } = await charge(event);
    const response = answer(isReplay ? 200 : 201, "application/json", chargeBody(entry));
    if (isReplay) response.headers["idempotent-replayed"] = "true";
    return response;
  } catch (error) {
    if (error instanceof Problem) {
      const body = { ...error.body, request_id: event.requestContext.requestId };
      return answer(error.status, "application/problem+json", body);
    }
    console.warn(JSON.stringify({ level: "WARN", message: "try again", error: String(error) }));
    return answer(503, "application/problem+json", { type: "about:blank", status: 503, code: "unavailable" });
  }
}

async function charge(event) {
  const claims = event.requestContext.authorizer.jwt.claims;
  if (!claims.scope.split(/[[\] ,]/).includes("credits/service")) {
    throw new Problem(403, "forbidden", "Forbidden", "The token needs the scope credits/service.");
  }
  const account = event.pathParameters.account;
  const key = event.headers["idempotency-key"] ?? "";
  if (!/^[A-Za-z0-9._:-]{1,128}$/.test(key)) {
    throw invalid("Idempotency-Key", "must be sent once, 1 to 128 letters, digits and . _ : -");
  }
  const { operation, price } = parseOperation(event.body ?? "");

  const partition = { S: `ACCOUNT#${account}` };
  let state = await getItem({ PK: partition, SK: { S: "STATE" } });
  for (let retries = 0; retries < TRIES_MAX; retries++) {
    if (state === undefined) throw new Problem(404, "not_found", "Not found", "There is no such account.");
    const balance = Number(state.balance.N);
    if (balance < price) {
      const entry = await getItem({ PK: partition, SK: { S: `ENTRY#charge:${key}` } });
      if (entry !== undefined) return replay(entry, operation);
      const missing = price - balance;
      const detail = `The charge costs ${price} credits, ${missing} more than the balance.`;
      const facts = { balance, required: price, missing };
      throw new Problem(402, "insufficient_credits", "Insufficient credits", detail, facts);
    }
    const { nextState, entry } = post(state, account, key, operation, price);
    try {
      await commit(state.version, nextState, entry);
      return { entry, isReplay: false };
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error;
      const codes = error.CancellationReasons.map((reason) => reason.Code);
      if (codes.includes("TransactionConflict") || codes.includes("ThrottlingError")) {
        await sleep(Math.min(10 * 2 ** retries, 400));
      } else if (codes[1] === "ConditionalCheckFailed") {
        return replay(error.CancellationReasons[1].Item, operation);
      } else if (codes[0] === "ConditionalCheckFailed") {
        state = error.CancellationReasons[0].Item;
      } else {
        throw error;
      }
    }
  }
  throw new Problem(503, "unavailable", "Unavailable", "Nothing is lost. Try again in 2 seconds with the same idempotency key.");
}

async function getItem(key) {
  const get = new GetItemCommand({ TableName: TABLE, Key: key, ConsistentRead: true });
  return (await dynamodb.send(get)).Item;
}

function parseOperation(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Problem(400, "malformed_body", "Malformed body", "The body must be a JSON object.");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw invalid("body", "must be a JSON object");
  }
  const operation = { operation: { S: body.operation } };
  if (body.reference !== undefined) operation.reference = { S: body.reference };
  if (body.operation === "dubbing" && isWithin(body.duration_ms, DURATION_MS_MAX)) {
    operation.duration_ms = { N: String(body.duration_ms) };
    const credits = Math.ceil((body.duration_ms * CREDITS_PER_MINUTE) / 60_000);
    return { operation, price: Math.max(credits, CREDITS_MIN) };
  }
  if (body.operation === "training" && isWithin(body.max_minutes, MAX_MINUTES_MAX)) {
    operation.max_minutes = { N: String(body.max_minutes) };
    return { operation, price: Math.max(body.max_minutes * CREDITS_PER_MINUTE, CREDITS_MIN) };
  }
  throw invalid("operation", "must be dubbing with duration_ms, or training with max_minutes");
}

function isWithin(value, max) {
  return Number.isInteger(value) && value >= 1 && value <= max;
}

/** The account after the charge, and the charge's entry. */
function post(state, account, key, operation, price) {
  const seq = Number(state.seq.N) + 1;
  const balance = Number(state.balance.N) - price;
  const usage = state.usage.M;
  const nextState = {
    ...state,
    version: { N: String(Number(state.version.N) + 1) },
    seq: { N: String(seq) },
    balance: { N: String(balance) },
    usage: {
      M: {
        ...usage,
        charges: { N: String(Number(usage.charges.N) + 1) },
        credits_charged: { N: String(Number(usage.credits_charged.N) + price) },
      },
    },
  };
  const entry = {
    PK: state.PK,
    SK: { S: `ENTRY#charge:${key}` },
    account: { S: account },
    seq: { N: String(seq) },
    credits: { N: String(-price) },
    balance_after: { N: String(balance) },
    created_at: { N: String(Date.now()) },
    ...operation,
  };
  return { nextState, entry };
}

async function commit(version, state, entry) {
  const account = {
    TableName: TABLE,
    Item: state,
    ConditionExpression: "#version = :expected",
    ExpressionAttributeNames: { "#version": "version" },
    ExpressionAttributeValues: { ":expected": version },
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  };
  const created = {
    TableName: TABLE,
    Item: entry,
    ConditionExpression: "attribute_not_exists(PK)",
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  };
  await dynamodb.send(new TransactWriteItemsCommand({ TransactItems: [{ Put: account }, { Put: created }] }));
}

function replay(entry, operation) {
  const value = (attributes, name) => attributes[name]?.S ?? attributes[name]?.N;
  const names = ["operation", "duration_ms", "max_minutes", "reference"];
  if (names.some((name) => value(entry, name) !== value(operation, name))) {
    const detail = "The key was used before, for another request.";
    throw new Problem(409, "idempotency_key_reused", "Idempotency key reused", detail);
  }
  return { entry, isReplay: true };
}

function chargeBody(entry) {
  return {
    charge: entry.SK.S.slice("ENTRY#charge:".length),
    operation: entry.operation.S,
    status: "posted",
    credits: -Number(entry.credits.N),
    balance: Number(entry.balance_after.N),
    seq: Number(entry.seq.N),
    reference: entry.reference?.S,
    created_at: new Date(Number(entry.created_at.N)).toISOString(),
  };
}

function invalid(field, message) {
  const errors = [{ field, message }];
  return new Problem(422, "invalid_request", "Invalid request", "One field is invalid.", { errors });
}

function answer(statusCode, contentType, body) {
  const headers = { "cache-control": "no-store", "content-type": contentType };
  return { statusCode, headers, body: JSON.stringify(body), isBase64Encoded: false };
}
