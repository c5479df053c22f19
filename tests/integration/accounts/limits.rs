//! Limits of an account and of its spenders: what they refuse, what they show, and what they cost.

use crate::support::{Answer, TestCloud};
use futures::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

const LIMITS: &str = "/v1/accounts/acme/limits";
const TOMORROW: &str = "2026-01-06T00:00:00.000Z";
const NEXT_MONTH: &str = "2026-02-01T00:00:00.000Z";

async fn funded() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    cloud
}

async fn set(cloud: &TestCloud, body: Value) -> Answer {
    cloud.put(LIMITS, &cloud.cloud.customer_token("acme"), &body).await
}

/// Charges ten credits per minute for a spender.
async fn charge(cloud: &TestCloud, key: &str, minutes: i64, spender: &str) -> Answer {
    let body = json!({"operation": "training", "max_minutes": minutes, "spender": spender});
    cloud.post("/v1/accounts/acme/charges", &cloud.cloud.service_token(), Some(key), &body).await
}

#[tokio::test]
async fn a_limit_refuses_what_it_does_not_leave_and_starts_again_with_its_period() {
    let cloud = funded().await;
    let set_to = set(&cloud, json!({"day": 30, "month": 45})).await.expect(200);
    let limit = |limit: i64, used: i64, starts_again_at: &str| json!({"limit": limit, "used": used, "left": limit - used, "starts_again_at": starts_again_at});
    let expected =
        json!({"spender": null, "day": limit(30, 0, TOMORROW), "month": limit(45, 0, NEXT_MONTH), "total": null});
    assert_eq!(set_to.body, expected);
    cloud.charge("acme", "job-1", 2).await.expect(201);
    let books = cloud.books();
    let refused = cloud.charge("acme", "job-2", 2).await.expect_problem(402, "limit_reached");
    let told = |answer: &Answer| {
        let body = &answer.body;
        json!([body["limit"], body["required"], body["left"], body["starts_again_at"]])
    };
    assert_eq!(told(&refused), json!(["account_day", 20, 10, TOMORROW]));
    assert_eq!(cloud.books(), books, "a refused charge counts nothing");
    cloud.charge("acme", "job-2", 1).await.expect(201);
    cloud.cloud.clock.advance(SignedDuration::from_hours(24)).unwrap();
    let refused = cloud.charge("acme", "job-3", 2).await.expect_problem(402, "limit_reached");
    assert_eq!(told(&refused), json!(["account_month", 20, 15, NEXT_MONTH]));
    cloud.charge("acme", "job-3", 1).await.expect(201);
    let shown = cloud.get(LIMITS, &cloud.cloud.service_token()).await.expect(200);
    assert_eq!(shown.body["account"]["day"], limit(30, 10, "2026-01-07T00:00:00.000Z"));
    assert_eq!(shown.body["account"]["month"], limit(45, 40, NEXT_MONTH));
    set(&cloud, json!({"day": null, "month": null})).await.expect(200);
    cloud.charge("acme", "job-4", 100).await.expect(201);
}

#[tokio::test]
async fn a_spender_has_limits_of_its_own_and_a_restore_gives_them_back() {
    let cloud = funded().await;
    let all = json!({"spender": "key-1", "day": null, "month": null, "total": 30});
    set(&cloud, all.clone()).await.expect(200);
    let charged = charge(&cloud, "job-1", 3, "key-1").await.expect(201);
    assert_eq!(charged.body["spender"], "key-1");
    assert_eq!(cloud.history("acme").await[0]["spender"], "key-1");
    let refused = charge(&cloud, "job-2", 1, "key-1").await.expect_problem(402, "limit_reached");
    assert_eq!((&refused.body["limit"], &refused.body["left"]), (&json!("spender_total"), &json!(0)));
    assert!(refused.body.get("starts_again_at").is_none(), "it never starts again");
    charge(&cloud, "job-2", 100, "key-2").await.expect(201);
    charge(&cloud, "job-1", 3, "key-2").await.expect_problem(409, "idempotency_key_reused");
    charge(&cloud, "job-1", 3, "key-1").await.expect(200);

    let restore = "/v1/accounts/acme/charges/job-1/restore";
    cloud.post(restore, &cloud.cloud.service_token(), None, &json!({})).await.expect(201);
    charge(&cloud, "job-3", 3, "key-1").await.expect(201);
    let none = set(&cloud, json!({"spender": "key-1", "day": null, "month": null, "total": null})).await.expect(200);
    assert_eq!(none.body, json!({"spender": "key-1", "day": null, "month": null, "total": null}));
    charge(&cloud, "job-4", 3, "key-1").await.expect(201);
    assert_eq!(cloud.get(LIMITS, &cloud.cloud.service_token()).await.body["data"], json!([]));
}

#[tokio::test]
async fn sixty_four_requests_at_once_spend_exactly_what_a_limit_leaves() {
    let cloud = funded().await;
    set(&cloud, json!({"spender": "key-1", "day": 205, "month": null, "total": null})).await.expect(200);
    let keys: Vec<String> = (0..64).map(|number| format!("job-{number}")).collect();
    let mut left: Vec<&String> = keys.iter().collect();
    let (mut charged, mut refused) = (0, 0);
    // Contention may be answered with 503; then the request is repeated.
    while !left.is_empty() {
        let answers = join_all(left.iter().map(|key| charge(&cloud, key, 1, "key-1"))).await;
        let answered = left.iter().zip(answers);
        left = answered
            .filter_map(|(key, answer)| match answer.status {
                200 | 201 => {
                    charged += 1;
                    None
                }
                402 => {
                    refused += 1;
                    None
                }
                _ => Some(*key),
            })
            .collect();
    }
    assert_eq!((charged, refused, cloud.balance("acme").await), (20, 44, 4_800));
}

#[tokio::test]
async fn spenders_with_limits_are_listed_by_name() {
    let cloud = funded().await;
    for name in ["b", "a:1", "c@acme"] {
        set(&cloud, json!({"spender": name, "day": 5, "month": null, "total": null})).await.expect(200);
    }
    let token = cloud.cloud.customer_token("acme");
    let first = cloud.get(&format!("{LIMITS}?limit=2"), &token).await.expect(200);
    let names = |answer: &Answer| {
        answer.body["data"].as_array().unwrap().iter().map(|limits| limits["spender"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((names(&first), &first.body["next_cursor"]), (vec![json!("a:1"), json!("b")], &json!("b")));
    let second = cloud.get(&format!("{LIMITS}?limit=2&cursor=b"), &token).await.expect(200);
    assert_eq!((names(&second), &second.body["has_more"]), (vec![json!("c@acme")], &json!(false)));
}

/// Who has no limit pays nothing for them; who has one pays one read and two write units.
#[tokio::test]
async fn only_a_spender_with_limits_costs_a_read_and_an_item() {
    let cloud = funded().await;
    let recording = cloud.cloud.aws.dynamodb.record();
    let cost = || {
        let cost: Vec<(String, usize)> = recording
            .operations()
            .iter()
            .map(|recorded| (recorded.operation.name.clone(), recorded.operation.requested_item_count()))
            .collect();
        recording.clear();
        cost
    };
    let (read, write) = (("GetItem".to_owned(), 1), |items| ("TransactWriteItems".to_owned(), items));
    charge(&cloud, "job-1", 1, "key-1").await.expect(201);
    assert_eq!(cost(), [read.clone(), write(2)], "no limits");
    set(&cloud, json!({"day": 1_000, "month": 1_000})).await.expect(200);
    recording.clear();
    charge(&cloud, "job-2", 1, "key-1").await.expect(201);
    assert_eq!(cost(), [read.clone(), write(2)], "limits of the account");
    set(&cloud, json!({"spender": "key-1", "day": 1_000, "month": null, "total": 1_000})).await.expect(200);
    recording.clear();
    charge(&cloud, "job-3", 1, "key-1").await.expect(201);
    assert_eq!(cost(), [read.clone(), read.clone(), write(3)], "limits of the spender");
    cloud.charge("acme", "job-4", 1).await.expect(201);
    assert_eq!(cost(), [read.clone(), write(2)], "no spender");
}

#[tokio::test]
async fn a_quote_for_an_account_says_what_would_refuse_it_and_changes_nothing() {
    let cloud = funded().await;
    let (path, token) = ("/v1/accounts/acme/quotes", cloud.cloud.customer_token("acme"));
    let quote = async |minutes: i64| {
        let body = json!({"operations": [{"operation": "training", "max_minutes": minutes}], "spender": "key-1"});
        cloud.post(path, &token, None, &body).await.expect(200).body
    };
    let expected = json!({
        "operations": [{"operation": "training", "max_minutes": 5, "credits": 50}], "credits": 50, "would_exceed": null,
    });
    assert_eq!(quote(5).await, expected);
    let poor = quote(501).await["would_exceed"].clone();
    assert_eq!((&poor["code"], &poor["missing"]), (&json!("insufficient_credits"), &json!(10)));
    assert_eq!(poor["top_up"]["reason"], "not_turned_on");
    set(&cloud, json!({"spender": "key-1", "day": 40, "month": null, "total": null})).await.expect(200);
    let footprint = cloud.footprint();
    let limited = json!({
        "code": "limit_reached", "limit": "spender_day", "required": 50, "left": 40, "starts_again_at": TOMORROW,
    });
    assert_eq!(quote(5).await["would_exceed"], limited);
    assert_eq!(quote(4).await["would_exceed"], Value::Null);
    assert_eq!(cloud.footprint(), footprint);
    let body = json!({"operations": [{"operation": "training", "max_minutes": 1}]});
    let others = cloud.post(path, &cloud.cloud.customer_token("globex"), None, &body).await;
    let nobody = cloud.post("/v1/accounts/nobody/quotes", &cloud.cloud.service_token(), None, &body).await;
    others.expect_problem(404, "not_found");
    nobody.expect_problem(404, "not_found");
}

const RANGE: &str = "an integer from 0 to 1000000000000000, or null";
const NAME: &str = "must be 1 to 64 characters of A-Z a-z 0-9 _ . : @ -";

#[tokio::test]
async fn a_limit_with_a_wrong_field_is_told_the_field_and_its_range_and_changes_nothing() {
    let cloud = funded().await;
    let footprint = cloud.footprint();
    let (must, required) = (format!("must be {RANGE}"), format!("is required: {RANGE}"));
    for (body, field, message) in [
        (json!({"day": -1, "month": null}), "day", must.as_str()),
        (json!({"day": null, "month": 1_000_000_000_000_001_i64}), "month", &must),
        (json!({"day": 1.5, "month": null}), "day", &must),
        (json!({"day": "5", "month": null}), "day", &must),
        (json!({"day": 5}), "month", &required),
        (json!({"month": 5}), "day", &required),
        (json!({"spender": "a", "day": 5, "month": 5}), "total", &required),
        (json!({"day": 5, "month": 5, "year": 5}), "year", "is not known here"),
        (json!({"day": 5, "month": 5, "total": 5}), "total", "must not be sent: only a spender has a limit in all"),
        (json!({"spender": "", "day": 5, "month": 5, "total": 5}), "spender", NAME),
        (json!({"spender": "a b", "day": 5, "month": 5, "total": 5}), "spender", NAME),
        (json!({"spender": "x".repeat(65), "day": 5, "month": 5, "total": 5}), "spender", NAME),
    ] {
        let refused = set(&cloud, body.clone()).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.field_error(field), message, "{body}");
    }
    for name in ["", "a b", "ä", "a/b", "a#b", &"x".repeat(65)] {
        let refused = charge(&cloud, "job-1", 1, name).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.field_error("spender"), NAME);
    }
    assert_eq!(cloud.footprint(), footprint);
    charge(&cloud, "job-1", 1, &"x".repeat(64)).await.expect(201);
}
