//! Signed statements and exported ledgers, checked by others: a library for JSON Web Signatures, and Python.

use crate::support::TestCloud;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const HISTORY: &str = "/v1/accounts/acme/history";

/// A purchase, two charges with personal texts, one of them pending, and a restore.
async fn used() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    let token = cloud.cloud.service_token();
    let dubbing =
        json!({"operation": "dubbing", "duration_ms": 90_000, "reference": "Überraschung #1", "spender": "key-1"});
    cloud.post("/v1/accounts/acme/charges", &token, Some("job-1"), &dubbing).await.expect(201);
    let pending = json!({"operation": "training", "max_minutes": 5, "spender": "key-1", "expires_in_seconds": 60});
    cloud.post("/v1/accounts/acme/charges", &token, Some("job-2"), &pending).await.expect(201);
    let less = json!({"max_minutes": 2});
    cloud.post("/v1/accounts/acme/charges/job-2/capture", &token, None, &less).await.expect(201);
    cloud.post("/v1/accounts/acme/charges/job-1/restore", &token, None, &json!({})).await.expect(201);
    cloud
}

async fn asked(cloud: &TestCloud, what: &str) -> Value {
    cloud.get(&format!("{HISTORY}/{what}"), &cloud.cloud.customer_token("acme")).await.expect(200).body
}

/// The content of a statement, if its signature is genuine.
async fn genuine(cloud: &TestCloud, signed: &str) -> Option<Value> {
    let keys = cloud.get("/v1/statement-keys", "").await.expect(200).body;
    let header = decode_header(signed).ok()?;
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == *header.kid.as_ref().unwrap())?;
    let key = DecodingKey::from_ed_components(key["x"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    decode::<Value>(signed, &key, &validation).ok().map(|decoded| decoded.claims)
}

#[tokio::test]
async fn a_statement_is_checked_by_any_library_with_the_public_key() {
    let cloud = used().await;
    let verified = asked(&cloud, "verify").await;
    let now = asked(&cloud, "statement").await;
    let (statement, signed) = (&now["statement"], now["signed"].as_str().unwrap());
    let expected = json!({
        "account": "acme", "seq": 5, "balance": 4_980, "head": verified["head"], "as_of": "2026-01-05T00:00:00.000Z",
    });
    assert_eq!(*statement, expected);
    assert_eq!(genuine(&cloud, signed).await, Some(expected));
    let (rest, _) = signed.rsplit_once('.').unwrap();
    let other = asked(&cloud, "statement?through_seq=4").await;
    assert_eq!((&other["statement"]["seq"], &other["statement"]["balance"]), (&json!(4), &json!(4_965)));
    let (_, signature) = other["signed"].as_str().unwrap().rsplit_once('.').unwrap();
    assert_eq!(genuine(&cloud, &format!("{rest}.{signature}")).await, None, "another statement's signature");
    let chain = asked(&cloud, "chain").await;
    assert_eq!(chain["data"][3]["hash"], other["statement"]["head"]);
    assert_eq!(asked(&cloud, "statement?through_seq=5").await["statement"], *statement);
}

#[tokio::test]
async fn a_statement_about_what_has_not_happened_is_refused() {
    let cloud = used().await;
    for seq in ["6", "0", "x", "-1"] {
        let answer = cloud.get(&format!("{HISTORY}/statement?through_seq={seq}"), &cloud.cloud.service_token()).await;
        answer.expect_problem(422, "invalid_request").field_error("through_seq");
    }
    cloud.open_account("globex").await;
    let empty = cloud.get("/v1/accounts/globex/history/statement", &cloud.cloud.service_token()).await.expect(200);
    let statement = &empty.body["statement"];
    assert_eq!((&statement["seq"], &statement["balance"], &statement["head"]), (&json!(0), &json!(0), &Value::Null));
}

/// What the checker says about these pages, and whether it is content.
fn checked(pages: &[Value]) -> (bool, String) {
    let directory = tempfile::tempdir().unwrap();
    let files = pages.iter().enumerate().map(|(number, page)| {
        let file = directory.path().join(format!("{number}.json"));
        std::fs::write(&file, page.to_string()).unwrap();
        file
    });
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/ledger/verify.py");
    let output = Command::new("python3").arg(checker).args(files.collect::<Vec<_>>()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn an_exported_ledger_is_checked_without_this_product() {
    let cloud = used().await;
    let (mut pages, mut query) = (vec![], "chain?limit=2".to_owned());
    loop {
        let page = asked(&cloud, &query).await;
        let next = page["next_cursor"].as_str().map(|cursor| format!("chain?limit=2&cursor={cursor}"));
        pages.push(page);
        let Some(next) = next else { break };
        query = next;
    }
    let head = asked(&cloud, "verify").await["head"].as_str().unwrap().to_owned();
    assert_eq!(checked(&pages), (true, format!("5 entries fit; the balance is 4980, the head {head}\n")));
    assert_eq!(pages.len(), 3);

    for (pointer, value, said) in [
        ("/data/1/fields/4/1", json!("1"), "entry 2: the hash does not fit"),
        ("/data/1/fields/2/1", json!("-14"), "entry 2: the number or the balance does not fit"),
        ("/data/1/hash", json!("00"), "entry 2: the hash does not fit"),
        ("/data/1/texts/reference", json!("Überraschung #2"), "entry 2: the digest is not that of the reference"),
        ("/salt", json!("00000000000000000000000000000007"), "entry 2: the digest is not that of the reference"),
        ("/account", json!("acmf"), "entry 1: the hash does not fit"),
    ] {
        let mut changed = pages.clone();
        *changed[0].pointer_mut(pointer).unwrap() = value;
        assert_eq!(checked(&changed), (false, format!("{said}\n")), "{pointer}");
    }
    let mut erased = pages.clone();
    erased
        .iter_mut()
        .flat_map(|page| page["data"].as_array_mut().unwrap())
        .for_each(|entry| entry["texts"] = json!({}));
    erased.iter_mut().for_each(|page| page["salt"] = Value::Null);
    assert!(checked(&erased).0, "without the texts and the salt");
}
