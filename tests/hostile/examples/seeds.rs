//! Writes the valid inputs that fuzzing starts from to `tests/fuzz/seeds`, one directory per door.
//!
//! Inputs found by fuzzing are in the same directories under other names and are not changed.

#![expect(clippy::unwrap_used, reason = "what cannot be written fails")]

#[path = "../../integration/ledger/samples.rs"]
#[expect(dead_code, reason = "written for the tests of the ledger")]
mod samples;

use samples::*;
use serde_json::{Value, json};
use shared::domain::payments::{DeclineReason, PaymentIssueKind};
use shared::domain::*;
use std::fs;
use std::path::Path;

const CHARGE_EVENT: &str = include_str!("../../events/api-gateway-charge.json");
const STREAM_EVENT: &str = include_str!("../../events/dynamodb-stream-notice.json");

fn main() {
    for (name, file) in audio_files() {
        write("audio", &name, &file);
    }
    for (place, (_, _, path)) in hostile::body_routes().iter().enumerate() {
        for (number, body) in bodies_of(path).iter().enumerate() {
            let data = [&[u8::try_from(place).unwrap()], body.as_bytes()].concat();
            write("bodies", &format!("{place}-{number}"), &data);
        }
    }
    for (number, claims) in claims().iter().enumerate() {
        write("callers", &number.to_string(), claims.to_string().as_bytes());
    }
    for (number, text) in ["1\n7", "3", "100\n1", "20\n8", "0\n0", "101", "+5\n+5", "05\n05", "2\n"].iter().enumerate()
    {
        write("history", &number.to_string(), text.as_bytes());
    }
    for (number, item) in hostile::written_items(&changes()).iter().enumerate() {
        write("items", &number.to_string(), item.to_string().as_bytes());
    }
    write("links", "genuine", hostile::sample_token().as_bytes());
    write("links", "other", b"MTox.MTox");
    for (number, line) in paths().iter().enumerate() {
        write("paths", &number.to_string(), line.as_bytes());
    }
    for (number, book) in price_books().iter().enumerate() {
        write("price_books", &number.to_string(), book.to_string().as_bytes());
    }
    for (number, text) in purchase_pages().iter().enumerate() {
        write("purchases", &number.to_string(), text.as_bytes());
    }
    let event: Value = serde_json::from_str(STREAM_EVENT).unwrap();
    for (number, record) in event["Records"].as_array().unwrap().iter().enumerate() {
        write("streams", &number.to_string(), json!({ "Records": [record] }).to_string().as_bytes());
    }
    for (number, body) in bodies_of("/v1/webhooks/stripe").iter().enumerate() {
        write("webhooks", &number.to_string(), &hostile::signed_delivery(body.as_bytes()));
        write("webhooks", &format!("changed-{number}"), &[&[128, 5, 0, 0], body.as_bytes()].concat());
    }
}

fn write(door: &str, name: &str, data: &[u8]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(door);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), data).unwrap();
}

/// The fuzzer does not accept longer inputs.
const AUDIO_BYTES_MAX: usize = 4_096;

/// The smallest files of each format.
fn audio_files() -> Vec<(String, Vec<u8>)> {
    let directories = ["../fixtures/audio", "../../infra/audio/tests/fixtures"];
    let files = directories.iter().flat_map(|directory| {
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)).unwrap().map(|file| file.unwrap().path())
    });
    let read =
        |path: std::path::PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap());
    let is_small = |(name, bytes): &(String, Vec<u8>)| bytes.len() <= AUDIO_BYTES_MAX && name != "cases.csv";
    files.map(read).filter(is_small).chain(others()).collect()
}

/// Formats without a small enough fixture: a WAV, an AIFF and an AU file of a few samples.
fn others() -> Vec<(String, Vec<u8>)> {
    let wav = b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\x08\0\0\0\x80\x80\x80\x80\x80\x80\x80\x80";
    let aiff = b"FORM\0\0\0\x36AIFFCOMM\0\0\0\x12\0\x01\0\0\0\x08\0\x08\x40\x0b\xfa\0\0\0\0\0\0\0SSND\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let au = b".snd\0\0\0\x18\0\0\0\x08\0\0\0\x01\0\0\x1f\x40\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xff";
    [("small.wav", wav.to_vec()), ("small.aiff", aiff.to_vec()), ("small.au", au.to_vec())]
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .into()
}

fn bodies_of(path: &str) -> Vec<String> {
    let event: Value = serde_json::from_str(CHARGE_EVENT).unwrap();
    let charge = event["body"].as_str().unwrap();
    let bodies = match path.rsplit('/').next().unwrap() {
        "accounts" => vec![json!({"account": "acme", "email": "owner@acme.example"}), json!({"account": "b", "email": "x"})],
        "auto-top-up" => vec![
            json!({"enabled": true, "threshold": 1000, "target": 10000, "consent": {"text_version": 3, "accepted_by": "ada"}}),
            json!({"enabled": false}),
        ],
        "retry" => vec![json!({"payment_method": "pm_1"}), json!({})],
        "resume" => vec![json!({})],
        "simulate" => vec![json!({"threshold": 1000, "target": 10000, "credits_per_day": 500})],
        "charges" => vec![
            serde_json::from_str(charge).unwrap(),
            json!({"operation": "dubbing", "duration_ms": 60001, "reference": "episode-12"}),
            json!({"operation": "training", "max_minutes": 30}),
            json!({"operation": "training", "max_minutes": 30, "expires_in_seconds": 3_600}),
        ],
        "capture" => vec![json!({"duration_ms": 60001}), json!({})],
        "batch" => vec![
            json!({"charges": [
                {"account": "acme", "key": "job-1", "operation": "dubbing", "duration_ms": 60001, "reference": "episode-12"},
                {"account": "acme", "key": "job-2", "operation": "training", "max_minutes": 1440},
                {"account": "acme", "key": "job-3", "operation": "training", "max_minutes": 1440},
                {"account": "acme", "key": "job-4", "operation": "training", "max_minutes": 1440}]}),
            json!({"charges": [{"account": "b", "key": "job-1", "operation": "training", "max_minutes": 1}, {}, 7]}),
        ],
        "quotes" => vec![json!({"operations": [
            {"operation": "dubbing", "duration_ms": 60001}, {"operation": "training", "max_minutes": 5}]})],
        "spending" => vec![json!({"stopped": true, "changed_by": "ada"}), json!({"stopped": false})],
        "limits" => vec![
            json!({"day": 1000, "month": null}),
            json!({"spender": "key-1", "day": null, "month": 5000, "total": 0}),
        ],
        "purchases" => vec![json!({"package": "credits_5000"})],
        "find" => vec![
            json!({"receipt": "ABCD1234-0001"}),
            json!({"invoice": "in_1"}),
            json!({"payment": "pi_1"}),
            json!({"card": {"last4": "4242", "date": "2027-01-15", "amount": 5950}}),
        ],
        "stripe" => ["invoice.paid", "checkout.session.completed", "customer.updated"]
            .map(|kind| {
                let object = json!({"id": "in_1", "object": "invoice", "customer": "cus_1"});
                json!({"id": "evt_1", "type": kind, "created": 1_799_999_990, "livemode": false, "data": {"object": object}})
            })
            .into(),
        _ => vec![json!({})],
    };
    bodies.iter().map(Value::to_string).collect()
}

fn claims() -> Vec<Value> {
    let event: Value = serde_json::from_str(CHARGE_EVENT).unwrap();
    vec![
        event["requestContext"]["authorizer"]["jwt"]["claims"].clone(),
        json!({"sub": "acme", "scope": "credits/customer"}),
        json!({"sub": "other", "scope": "openid credits/service"}),
        json!({"sub": "other", "scp": "[openid credits/service]"}),
        json!({"sub": "other", "scope": "credits/service.read", "scp": "credits/service"}),
    ]
}

/// One change of each kind.
fn changes() -> Vec<Change> {
    let complete =
        Change { account: complete_account(), entries: vec![], records: vec![], notices: vec![], events: vec![] };
    let waiting = Change {
        account: Account { payment_issue: Some(payment_issue(PaymentIssueKind::ActionRequired)), ..complete_account() },
        ..complete.clone()
    };
    let mut changes = vec![opening(), complete, waiting];
    changes.extend(causes().map(|cause| posted(&opening().account, 500, cause)));
    let purchases = [purchase(PurchaseStatus::Open), complete_purchase(), purchase(PurchaseStatus::Expired)];
    let top_ups = [top_up(TopUpStatus::Open), complete_top_up(), top_up(TopUpStatus::Declined(DeclineReason::NoCard))];
    let keyed = Record::PurchaseKey { key: key("buy:1"), purchase: PurchaseId::mint(5) };
    let mut records = changed(&opening().account);
    records.records.extend(endings().into_iter().chain([pending("job:8")]).map(Record::PendingCharge));
    records.records.extend(purchases.map(Record::Purchase));
    records.records.extend(top_ups.map(Record::TopUp));
    records.records.push(Record::TopUpRetry(top_up_retry(TopUpStatus::Declined(DeclineReason::NoCard))));
    records.records.extend([keyed, Record::Consent(consent_record())]);
    let limited = Record::SpenderLimits(spender_limits("key-1", limits()));
    records.records.extend([Record::SpendingChange(spending_change()), limited]);
    records.notices.extend(notice_kinds().map(notice));
    changes.push(records);
    changes
}

fn paths() -> Vec<String> {
    let lines = hostile::body_routes().into_iter().map(|(_, method, path)| format!("{method} {path}"));
    let others = [
        "GET /v1/packages",
        "GET /v1/accounts/acme/balance",
        "GET /v1/accounts/acme/purchases/pur_00000000000000000000000000000001",
        "GET /v1/accounts/acme?x=1/balance",
        "GET /v1/accounts/%2561cme/history#/x",
        "GET /pay/../v1/packages",
        "GET /pay//v1\\packages",
        "GET /pay/a\tb\nc",
    ];
    lines.chain(others.map(str::to_owned)).chain([format!("GET /pay/{}", hostile::sample_token())]).collect()
}

fn purchase_pages() -> Vec<String> {
    let id = |number| PurchaseId::mint(number).to_string();
    let (first, last, beyond) = (id(1), id(7), id(u128::MAX));
    vec![
        "3".to_owned(),
        "101".to_owned(),
        format!("1\n{last}"),
        format!("100\n{first}"),
        format!("2\n{beyond}"),
        format!("20\n{}", last.to_uppercase()),
        "20\ntop_00000000000000000000000000000001".to_owned(),
        "2\n".to_owned(),
    ]
}

fn price_books() -> Vec<Value> {
    vec![
        json!({"version": "1"}),
        json!({"version": "2026-12", "operations": [{
            "operation": "speech", "description": "Speech, per 1,000 characters", "measure": "quantity",
            "credits_per_unit": 3, "unit_size": 1_000, "credits_min": 5, "amount_min": 1, "amount_max": 100_000}]}),
        json!({"version": "2", "operations": [
            {"operation": "dubbing", "description": "Dubbing", "measure": "duration_ms", "credits_per_unit": 20,
             "unit_size": 60_000},
            {"operation": "training", "description": "Training", "measure": "max_minutes", "credits_per_unit": 1}],
            "price_per_credit": 2}),
        json!({"version": "3", "packages": [{"package": "small", "credits": 100, "price": 90}]}),
        json!({"version": "5", "currency": "kwd", "minimum_charge": 150, "price_per_credit": 10,
            "packages": [{"package": "small", "credits": 100, "price": 1_000}]}),
        json!({"version": "4", "auto_top_up": {
            "threshold_min": 1, "threshold_max": 99000, "target_min": 51, "target_max": 100_000, "gap_min": 50}}),
    ]
}
