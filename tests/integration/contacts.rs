//! Where an account's e-mails go: from choosing an address to its confirmation, its bounces and its replacement.

use crate::support::{Answer, TestCloud};
use jiff::SignedDuration;
use local_aws::dynamodb::{Fault, Refusal};
use local_aws::ses::Message;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::{AccountId, ContactId};
use shared::links::CONFIRMATION_LIFETIME;

const VISA: &str = "4242424242424242";
const PATH: &str = "/v1/accounts/acme/contacts";
const OWNER: &str = "owner@acme.example";
const NEW: &str = "billing@acme.example";
const BOUNCING: &str = "bounce+acme@simulator.amazonses.com";
const COMPLAINING: &str = "complaint+acme@simulator.amazonses.com";

fn contact(email: &str, roles: &[&str]) -> Value {
    json!({ "email": email, "roles": roles })
}

fn billing(emails: &[&str]) -> Vec<Value> {
    emails.iter().map(|email| contact(email, &["billing"])).collect()
}

async fn put(cloud: &TestCloud, contacts: &[Value]) -> Answer {
    cloud.put(PATH, &cloud.cloud.customer_token("acme"), &json!({ "contacts": contacts })).await
}

async fn contacts(cloud: &TestCloud) -> Value {
    cloud.get(PATH, &cloud.cloud.customer_token("acme")).await.expect(200).body
}

fn status(body: &Value, email: &str) -> String {
    let contacts = body["contacts"].as_array().unwrap();
    let contact = contacts.iter().find(|contact| contact["email"] == email);
    contact.unwrap_or_else(|| panic!("{email} is not in {body}"))["status"].as_str().unwrap().to_owned()
}

fn mails(cloud: &TestCloud, to: &str) -> Vec<Message> {
    let mut mails = cloud.cloud.aws.ses.messages();
    mails.retain(|mail| mail.to == [to]);
    mails
}

fn subjects(cloud: &TestCloud, to: &str) -> Vec<String> {
    mails(cloud, to).into_iter().map(|mail| mail.subject).collect()
}

/// The path of the link in the newest confirmation to an address.
fn link(cloud: &TestCloud, to: &str) -> String {
    let start = format!("{}/confirm/", cloud.cloud.urls.api);
    let texts = mails(cloud, to).into_iter().rev().filter_map(|mail| mail.text);
    let links =
        texts.filter_map(|text| text.split_whitespace().find(|word| word.starts_with(&start)).map(str::to_owned));
    let link = links.into_iter().next().unwrap_or_else(|| panic!("{to} was sent no link"));
    link[cloud.cloud.urls.api.len()..].to_owned()
}

async fn press(cloud: &TestCloud, link: &str) -> Answer {
    cloud.send(cloud.request(Method::POST, link)).await
}

async fn confirm(cloud: &TestCloud, email: &str) {
    cloud.settle().await;
    assert_page(&press(cloud, &link(cloud, email)).await, 200, "This address is confirmed");
    cloud.settle().await;
}

#[track_caller]
fn assert_page(answer: &Answer, status: u16, heading: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.text.contains(&format!("<h1>{heading}</h1>")), "{}", answer.text);
    let policy = &answer.headers["content-security-policy"];
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(directive), "{policy}");
    }
    let has_button = answer.text.contains("<form");
    assert_eq!(policy.contains("form-action 'self'"), has_button, "{policy}");
    assert_eq!(policy.contains("form-action 'none'"), !has_button, "{policy}");
    assert!(!policy.contains("script-src") && !answer.text.contains("<script"), "{policy}");
    for (name, value) in
        [("referrer-policy", "no-referrer"), ("x-content-type-options", "nosniff"), ("cache-control", "no-store")]
    {
        assert_eq!(answer.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
}

/// A cloud with an account of which only the address of its opening is known.
async fn opened() -> TestCloud {
    let cloud = TestCloud::start().await;
    cloud.open_account("acme").await;
    cloud
}

#[tokio::test]
async fn a_new_address_is_confirmed_by_its_reader_and_then_gets_the_receipts() {
    let cloud = opened().await;
    let body = contacts(&cloud).await;
    assert_eq!((status(&body, OWNER).as_str(), &body["recipients"]["billing"]), ("confirmed", &json!(OWNER)));

    let answer = put(&cloud, &billing(&[NEW])).await.expect(200).body;
    assert_eq!((status(&answer, NEW).as_str(), &answer["kept"]["email"]), ("pending", &json!(OWNER)));
    assert_eq!(answer["recipients"], json!({"billing": OWNER, "alerts": OWNER}));
    cloud.settle().await;
    assert_eq!(subjects(&cloud, NEW), ["Confirm this e-mail address"]);
    assert_eq!(subjects(&cloud, OWNER), ["The contacts of your account were changed"]);
    let told = mails(&cloud, OWNER)[0].text.clone().unwrap();
    assert!(told.contains(&format!("Added: {NEW}")) && told.contains(&format!("Removed: {OWNER}")), "{told}");

    cloud.buy("acme", "credits_500", VISA).await;
    assert_eq!((mails(&cloud, OWNER).len(), mails(&cloud, NEW).len()), (2, 1), "not confirmed yet");

    let link = link(&cloud, NEW);
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let page = cloud.send(cloud.request(method.clone(), &link)).await.expect(200);
        if method == Method::GET {
            assert_page(&page, 200, "Confirm this e-mail address");
        }
    }
    assert_eq!(status(&contacts(&cloud).await, NEW), "pending", "a mail scanner confirms nothing");
    assert_page(&press(&cloud, &link).await, 200, "This address is confirmed");
    let body = contacts(&cloud).await;
    assert_eq!((status(&body, NEW).as_str(), &body["kept"]), ("confirmed", &Value::Null));
    assert_eq!(body["recipients"], json!({"billing": NEW, "alerts": NEW}), "alerts fall back on billing");

    cloud.buy("acme", "credits_500", VISA).await;
    assert_eq!(subjects(&cloud, OWNER)[2..], ["The contacts of your account were changed"]);
    assert!(mails(&cloud, OWNER)[2].text.as_ref().unwrap().contains(&format!("Confirmed: {NEW}")));
    assert!(subjects(&cloud, NEW)[1].starts_with("Receipt for your purchase"), "{:?}", subjects(&cloud, NEW));

    for page in [press(&cloud, &link).await, cloud.visit(&link).await] {
        assert_page(&page, 200, "This address is confirmed already");
    }
    let token = cloud.cloud.service_token();
    assert_eq!(cloud.get("/v1/accounts/acme", &token).await.expect(200).body["email"], NEW);
}

#[tokio::test]
async fn support_finds_the_account_by_its_new_address_and_the_company_opens_it_again_by_the_old_one() {
    let cloud = opened().await;
    put(&cloud, &billing(&[NEW])).await.expect(200);
    confirm(&cloud, NEW).await;
    for (email, count) in [(NEW, 1), (OWNER, 0)] {
        let path = format!("/v1/support/accounts?email={email}");
        let found = cloud.get(&path, &cloud.support_token()).await.expect(200);
        assert_eq!(found.body["data"].as_array().unwrap().len(), count, "{email}: {}", found.text);
    }
    for (email, expected) in [(OWNER, 200), (NEW, 200), ("other@acme.example", 409)] {
        let body = json!({"account": "acme", "email": email});
        cloud.post("/v1/accounts", &cloud.cloud.service_token(), None, &body).await.expect(expected);
    }
}

#[tokio::test]
async fn while_stripe_is_down_the_address_is_confirmed_and_stripe_is_told_by_the_next_look() {
    let cloud = opened().await;
    put(&cloud, &billing(&[NEW])).await.expect(200);
    cloud.settle().await;
    let fault = local_stripe::Fault {
        method: None,
        path: "/v1/customers/*".to_owned(),
        action: local_stripe::FaultAction::Unavailable,
        count: u32::MAX,
    };
    cloud.cloud.stripe.add_fault(fault);
    assert_page(&press(&cloud, &link(&cloud, NEW)).await, 200, "This address is confirmed");
    cloud.cloud.stripe.clear_faults();
    let updates = || cloud.cloud.stripe.request_count("POST", "/v1/customers/*");
    let before = updates();
    for _ in 0..2 {
        contacts(&cloud).await;
        assert_eq!(updates(), before + 1, "told once");
    }
    let path = format!("/v1/support/accounts?email={NEW}");
    let found = cloud.get(&path, &cloud.support_token()).await.expect(200).body;
    assert_eq!(found["data"][0]["account"], "acme");
}

#[tokio::test]
async fn what_bounces_is_marked_and_goes_to_the_next_contact_once() {
    let cloud = opened().await;
    put(&cloud, &billing(&[BOUNCING, OWNER])).await.expect(200);
    cloud.settle().await;
    assert_eq!(status(&contacts(&cloud).await, BOUNCING), "bounced", "its confirmation bounced");
    // Its mailbox existed once.
    confirmed_by_hand(&cloud, BOUNCING).await;
    assert_eq!(contacts(&cloud).await["recipients"]["billing"], BOUNCING);
    let before = subjects(&cloud, OWNER).len();

    cloud.cloud.event_bus.deliver_twice(true);
    cloud.buy("acme", "credits_500", VISA).await;
    let receipts = |to: &str| subjects(&cloud, to).iter().filter(|subject| subject.starts_with("Receipt")).count();
    assert_eq!((receipts(BOUNCING), receipts(OWNER)), (1, 1));
    assert_eq!(subjects(&cloud, OWNER).len(), before + 1);
    let body = contacts(&cloud).await;
    assert_eq!((status(&body, BOUNCING).as_str(), &body["recipients"]["billing"]), ("bounced", &json!(OWNER)));
    cloud.buy("acme", "credits_500", VISA).await;
    assert_eq!((receipts(BOUNCING), receipts(OWNER)), (1, 2), "it is skipped from now on");

    let account = cloud.get("/v1/support/accounts/acme", &cloud.support_token()).await.expect(200).body;
    assert_eq!(status(&account["contacts"], BOUNCING), "bounced");
    let returned = |notice: &Value| notice["to"] == BOUNCING && notice["returned_at"].is_string();
    assert!(account["notices"].as_array().unwrap().iter().any(returned), "{account}");
}

/// Confirms an address whose reader gets no e-mail.
async fn confirmed_by_hand(cloud: &TestCloud, email: &str) {
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    assert_page(&press(cloud, &link(cloud, email)).await, 200, "This address is confirmed");
    cloud.settle().await;
}

#[tokio::test]
async fn a_complaint_is_marked_like_a_bounce_and_an_out_of_office_reply_is_not() {
    let cloud = opened().await;
    let away = "ooto+acme@simulator.amazonses.com";
    put(&cloud, &billing(&[COMPLAINING, away, OWNER])).await.expect(200);
    cloud.settle().await;
    for email in [COMPLAINING, away] {
        confirmed_by_hand(&cloud, email).await;
    }
    cloud.buy("acme", "credits_500", VISA).await;
    let body = contacts(&cloud).await;
    assert_eq!((status(&body, COMPLAINING).as_str(), status(&body, away).as_str()), ("complained", "confirmed"));
    assert!(subjects(&cloud, away).last().unwrap().starts_with("Receipt"), "the next contact has it too");
    assert!(!subjects(&cloud, OWNER).iter().any(|subject| subject.starts_with("Receipt")));
}

#[tokio::test]
async fn a_bounced_address_is_confirmed_again_though_ses_would_suppress_it() {
    let cloud = opened().await;
    cloud.cloud.event_bus.put(vec![bounce(&cloud, OWNER, &notice_to_nobody()).await]).await;
    cloud.settle().await;
    let body = contacts(&cloud).await;
    assert_eq!((status(&body, OWNER).as_str(), &body["recipients"]["billing"]), ("bounced", &Value::Null));
    cloud.cloud.aws.ses.suppress(OWNER, local_aws::ses::SuppressionReason::Bounce);

    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    put(&cloud, &[contact(OWNER, &["billing", "alerts"])]).await.expect(200);
    cloud.settle().await;
    let body = contacts(&cloud).await;
    assert_eq!((status(&body, OWNER).as_str(), body["contacts"][0]["asked_at"].is_string()), ("bounced", true));
    confirm(&cloud, OWNER).await;
    assert_eq!(contacts(&cloud).await["recipients"]["billing"], OWNER);
}

fn notice_to_nobody() -> String {
    "ntc_00000000000000000000000000000001".to_owned()
}

/// A report of SES about one of the account's e-mails, from now.
async fn bounce(cloud: &TestCloud, address: &str, notice: &str) -> Value {
    let set = &cloud.cloud.template.configuration_sets[0].name;
    let now = cloud.now().to_string();
    json!({
        "source": "aws.ses",
        "detail-type": "Email Bounced",
        "resources": [format!("arn:aws:ses:us-east-1:000000000000:configuration-set/{set}")],
        "detail": {
            "eventType": "Bounce",
            "bounce": {
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [{ "emailAddress": "forwarded@elsewhere.example" }],
                "timestamp": now,
            },
            "mail": {
                "timestamp": now,
                "messageId": "m-1",
                "destination": [address],
                "tags": { "account": ["acme"], "notice": [notice], "ses:configuration-set": [set] },
            },
        },
    })
}

#[tokio::test]
async fn reports_come_late_twice_and_out_of_order_and_about_what_is_not_ours() {
    let cloud = opened().await;
    put(&cloud, &billing(&[NEW, OWNER])).await.expect(200);
    let early = bounce(&cloud, NEW, &notice_to_nobody()).await;
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    confirm(&cloud, NEW).await;
    let before = cloud.footprint();
    let mut strangers = bounce(&cloud, NEW, &notice_to_nobody()).await;
    strangers["detail"]["mail"]["tags"]["account"] = json!(["nobody"]);
    let mut untagged = early.clone();
    untagged["detail"]["mail"]["tags"] = json!({});
    let mut elsewhere = bounce(&cloud, NEW, &notice_to_nobody()).await;
    elsewhere["resources"] = json!(["arn:aws:ses:us-east-1:000000000000:configuration-set/other"]);
    cloud.cloud.event_bus.put(vec![early.clone(), strangers, untagged, elsewhere]).await;
    cloud.settle().await;
    assert_eq!(cloud.footprint(), before, "none of them counts");

    let late = bounce(&cloud, NEW, &notice_to_nobody()).await;
    cloud.cloud.event_bus.put(vec![late.clone(), early, late]).await;
    cloud.settle().await;
    let body = contacts(&cloud).await;
    assert_eq!((status(&body, NEW).as_str(), &body["recipients"]["billing"]), ("bounced", &json!(OWNER)));
}

#[tokio::test]
async fn a_report_is_tried_again_while_the_table_does_not_answer() {
    let cloud = opened().await;
    cloud.cloud.aws.dynamodb.faults().decide_with(|_| Some(Fault::Refuse(Refusal::InternalServerError)));
    cloud.cloud.event_bus.put(vec![bounce(&cloud, OWNER, &notice_to_nobody()).await]).await;
    cloud.cloud.deliver_reports().await;
    cloud.cloud.aws.dynamodb.faults().clear();
    assert_eq!(status(&contacts(&cloud).await, OWNER), "confirmed");
    cloud.advance(SignedDuration::from_mins(1)).await;
    assert_eq!(status(&contacts(&cloud).await, OWNER), "bounced");
}

#[tokio::test]
async fn an_account_that_no_e_mail_reaches_rings_the_alarm_and_says_so() {
    let cloud = opened().await;
    cloud.cloud.event_bus.put(vec![bounce(&cloud, OWNER, &notice_to_nobody()).await]).await;
    cloud.settle().await;
    cloud.buy("acme", "credits_500", VISA).await;
    let unreachable = |line: &&String| line.contains("\"ERROR\"") && line.contains("cannot be reached by e-mail");
    assert!(cloud.log().iter().filter(unreachable).count() >= 2, "once for the bounce, once for the receipt");
    assert_eq!(contacts(&cloud).await["recipients"], json!({"billing": null, "alerts": null}));
    let account = cloud.get("/v1/support/accounts/acme", &cloud.support_token()).await.expect(200).body;
    assert_eq!(account["notices"][0]["sent_at"], Value::Null);

    // Once the customer can be reached again, support sends it.
    cloud.cloud.clock.advance(SignedDuration::from_mins(1)).unwrap();
    put(&cloud, &billing(&[NEW])).await.expect(200);
    confirm(&cloud, NEW).await;
    cloud.cloud.clock.advance(SignedDuration::from_hours(6)).unwrap();
    let notice = account["notices"][0]["notice"].as_str().unwrap();
    let path = format!("/v1/support/accounts/acme/notices/{notice}/resend");
    cloud.post(&path, &cloud.support_token(), None, &json!({"reason": "It did not arrive."})).await.expect(200);
    cloud.settle().await;
    assert!(subjects(&cloud, NEW).last().unwrap().starts_with("Receipt"), "{:?}", subjects(&cloud, NEW));
}

#[tokio::test]
async fn a_link_serves_its_own_contact_for_seven_days_while_it_is_listed() {
    let cloud = opened().await;
    put(&cloud, &billing(&[OWNER, NEW])).await.expect(200);
    cloud.settle().await;
    let of_new = link(&cloud, NEW);
    assert_page(&press(&cloud, &format!("{of_new}A")).await, 404, "This link does not work");
    assert_page(&press(&cloud, "/confirm/false").await, 404, "This link does not work");
    cloud.open_due_account("other", "pm_card_chargeCustomerFail").await;
    cloud.sweep().await;
    cloud.settle().await;
    let pay = cloud.pay_link("other").replace("/pay/", "/confirm/");
    assert_page(&press(&cloud, &pay).await, 404, "This link does not work");
    cloud.visit(&of_new.replace("/confirm/", "/pay/")).await.expect(404);

    let (key, until) = (cloud.link_key().await, cloud.now() + SignedDuration::from_hours(1));
    for (account, contact) in
        [("acme", ContactId::mint(1)), ("other", ContactId::mint(0)), ("nobody", ContactId::mint(0))]
    {
        let token = key.sign_confirmation(&AccountId::parse(account).unwrap(), &contact, until);
        assert_page(&press(&cloud, &format!("/confirm/{token}")).await, 404, "This link does not work any more");
    }
    put(&cloud, &billing(&[OWNER])).await.expect(200);
    assert_page(&press(&cloud, &of_new).await, 404, "This link does not work any more");
    put(&cloud, &billing(&[OWNER, NEW])).await.expect(200);
    assert_page(&press(&cloud, &of_new).await, 404, "This link does not work any more");
    cloud.settle().await;

    let again = link(&cloud, NEW);
    cloud.cloud.clock.advance(CONFIRMATION_LIFETIME - SignedDuration::from_millis(1)).unwrap();
    assert_page(&cloud.visit(&again).await, 200, "Confirm this e-mail address");
    cloud.cloud.clock.advance(SignedDuration::from_millis(1)).unwrap();
    for page in [cloud.visit(&again).await, press(&cloud, &again).await] {
        assert_page(&page, 410, "This link has expired");
    }
    assert_eq!(status(&contacts(&cloud).await, NEW), "pending");
}

#[tokio::test]
async fn no_page_of_a_confirmation_names_account_address_or_token() {
    let cloud = opened().await;
    put(&cloud, &billing(&[NEW])).await.expect(200);
    cloud.settle().await;
    let link = link(&cloud, NEW);
    let pages = [cloud.visit(&link).await, press(&cloud, &link).await, press(&cloud, &link).await];
    for page in pages {
        for secret in ["acme", "billing@", &link["/confirm/".len()..]] {
            assert!(!page.text.contains(secret), "{secret} is in {}", page.text);
        }
    }
}

#[tokio::test]
async fn a_wrong_list_changes_nothing_and_every_error_names_its_field() {
    let cloud = opened().await;
    let before = cloud.footprint();
    let six: Vec<Value> = (0..6).map(|number| contact(&format!("a{number}@b.example"), &["billing"])).collect();
    for (list, field) in [
        (json!([]), "contacts"),
        (json!(six), "contacts"),
        (json!("x"), "contacts"),
        (json!([contact("nobody", &["billing"])]), "contacts[0].email"),
        (json!([contact(NEW, &["billing"]), contact("Billing@ACME.example", &["alerts"])]), "contacts[1].email"),
        (json!([contact(NEW, &[])]), "contacts[0].roles"),
        (json!([contact(NEW, &["billing", "billing"])]), "contacts[0].roles"),
        (json!([contact(NEW, &["payments"])]), "contacts[0].roles"),
        (json!([contact(NEW, &["alerts"])]), "contacts"),
        (json!([{"email": NEW, "roles": ["billing"], "opted_out": ["purchase_paid"]}]), "contacts[0].opted_out"),
        (json!([{"email": NEW, "roles": ["billing"], "of": []}]), "contacts[0].of"),
    ] {
        let answer = cloud.put(PATH, &cloud.cloud.customer_token("acme"), &json!({ "contacts": list })).await;
        let answer = answer.expect_problem(422, "invalid_request");
        assert!(!answer.field_error(field).is_empty(), "{field}");
    }
    assert_eq!(cloud.footprint(), before);
}

#[tokio::test]
async fn what_a_contact_turns_off_is_kept_and_receipts_cannot_be() {
    let cloud = opened().await;
    let list = json!({"contacts": [{"email": OWNER, "roles": ["billing", "alerts"], "opted_out": ["low_balance"]}]});
    let body = cloud.put(PATH, &cloud.cloud.customer_token("acme"), &list).await.expect(200).body;
    assert_eq!(body["contacts"][0]["opted_out"], json!(["low_balance"]));
    cloud.buy("acme", "credits_500", VISA).await;
    assert!(subjects(&cloud, OWNER).last().unwrap().starts_with("Receipt"));
}

#[tokio::test]
async fn a_repeated_list_asks_nobody_again_and_an_account_is_sent_ten_confirmations_a_day() {
    let cloud = opened().await;
    for _ in 0..3 {
        put(&cloud, &billing(&[OWNER, NEW])).await.expect(200);
        cloud.settle().await;
    }
    assert_eq!(mails(&cloud, NEW).len(), 1);
    let four =
        |start: usize| -> Vec<String> { (start..start + 4).map(|number| format!("a{number}@b.example")).collect() };
    for start in [0, 4] {
        let addresses = four(start);
        let list: Vec<&str> = [OWNER].into_iter().chain(addresses.iter().map(String::as_str)).collect();
        put(&cloud, &billing(&list)).await.expect(200);
    }
    let before = contacts(&cloud).await;
    let refused = put(&cloud, &billing(&[OWNER, "x@b.example", "y@b.example"])).await;
    let refused = refused.expect_problem(429, "too_many_confirmations");
    let seconds: i64 = refused.retry_after.as_ref().unwrap().parse().unwrap();
    assert_eq!(contacts(&cloud).await, before, "nothing was changed");
    cloud.cloud.clock.advance(SignedDuration::from_secs(seconds)).unwrap();
    put(&cloud, &billing(&[OWNER, "x@b.example", "y@b.example"])).await.expect(200);
}

#[tokio::test]
async fn a_confirmation_beside_a_new_list_never_leaves_the_account_without_a_billing_address() {
    for round in 0..8 {
        let cloud = opened().await;
        put(&cloud, &billing(&[NEW])).await.expect(200);
        cloud.settle().await;
        let link = link(&cloud, NEW);
        let other = billing(&[if round % 2 == 0 { OWNER } else { "third@acme.example" }]);
        let (confirmed, replaced) = tokio::join!(press(&cloud, &link), put(&cloud, &other));
        replaced.expect(200);
        assert!(matches!(confirmed.status, 200 | 404), "{}", confirmed.text);
        let body = contacts(&cloud).await;
        let recipient = body["recipients"]["billing"].as_str().unwrap_or_else(|| panic!("{body}"));
        assert!([OWNER, NEW].contains(&recipient), "{body}");
        let email = cloud.get("/v1/accounts/acme", &cloud.cloud.service_token()).await.expect(200).body;
        assert_eq!(email["email"], recipient);
        cloud.settle().await;
        cloud.buy("acme", "credits_500", VISA).await;
        assert!(subjects(&cloud, recipient).last().unwrap().starts_with("Receipt"), "{body}");
    }
}

#[tokio::test]
async fn a_notice_of_the_release_before_goes_to_the_contact_of_today() {
    use aws_sdk_dynamodb::types::AttributeValue;
    let cloud = opened().await;
    put(&cloud, &billing(&[NEW])).await.expect(200);
    confirm(&cloud, NEW).await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: i64| AttributeValue::N(number.to_string());
    let put = cloud.cloud.aws.dynamodb.client().put_item().table_name(cloud.table());
    let put = put
        .item("PK", text("ACCOUNT#acme"))
        .item("SK", text("NOTICE#ntc_00000000000000000000000000000009"))
        .item("to", text(OWNER))
        .item("kind", text("top_up_paid"))
        .item("top_up", text("top_00000000000000000000000000000009"))
        .item("credits", number(500))
        .item("price", number(500))
        .item("balance", number(500))
        .item("created_at", number(cloud.now().as_millisecond()))
        .item("expires_at", number(cloud.now().as_second() + 86_400));
    put.send().await.unwrap();
    let before = mails(&cloud, OWNER).len();
    cloud.settle().await;
    assert_eq!(mails(&cloud, OWNER).len(), before);
    assert!(subjects(&cloud, NEW).last().unwrap().starts_with("Receipt"));
}
