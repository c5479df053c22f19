//! Deployments that sell in other currencies than US dollars: what Stripe is asked for, what is granted, and what the
//! customer reads.

use crate::support::{TestCloud, options};
use jiff::SignedDuration;
use prepaid_local::cloud::Options;
use serde_json::{Value, json};

const HALF_AN_HOUR: SignedDuration = SignedDuration::from_mins(30);
const SIX_HOURS: SignedDuration = SignedDuration::from_hours(6);

/// A deployment's prices in the minor unit, and what people read. A tilde stands for a no-break space.
struct Prices {
    currency: &'static str,
    /// Of 2,000 credits.
    package: i64,
    per_credit: i64,
    minimum_charge: Option<i64>,
    package_text: &'static str,
    /// Of 3,010 credits.
    top_up_text: &'static str,
    /// Of 5,000 credits, with 30 % tax, and four times that.
    consent: [&'static str; 3],
}

const YEN: Prices = Prices {
    currency: "JPY",
    package: 2_400,
    per_credit: 1,
    minimum_charge: None,
    package_text: "¥2,400~JPY",
    top_up_text: "¥3,010",
    consent: ["¥5,000~JPY", "¥6,500~JPY", "¥26,000~JPY"],
};

const DINARS: Prices = Prices {
    currency: "KWD",
    package: 6_120,
    per_credit: 10,
    minimum_charge: Some(160),
    package_text: "KWD~6.120",
    top_up_text: "KWD~30.100",
    consent: ["KWD~50.000", "KWD~65.000", "KWD~260.000"],
};

const CROWNS: Prices = Prices {
    currency: "ISK",
    package: 250_000,
    per_credit: 100,
    minimum_charge: Some(7_000),
    package_text: "ISK~2,500",
    top_up_text: "ISK~3,010",
    consent: ["ISK~5,000", "ISK~6,500", "ISK~26,000"],
};

impl Prices {
    fn book(&self) -> Value {
        let mut book = json!({
            "version": "1", "currency": self.currency.to_lowercase(), "price_per_credit": self.per_credit,
            "packages": [{"package": "small", "credits": 2_000, "price": self.package}],
        });
        if let Some(minimum) = self.minimum_charge {
            book["minimum_charge"] = json!(minimum);
        }
        book
    }
}

fn read(text: &str) -> String {
    text.replace('~', "\u{a0}")
}

/// The charges that Stripe took from the account's cards or tried to, as amount and currency, newest first.
async fn charged(cloud: &TestCloud, account: &str) -> Vec<(i64, String)> {
    let customer = cloud.customer(account).await;
    let charges = cloud.stripe_list(&format!("/v1/charges?limit=100&customer={customer}")).await;
    let of = |charge: &Value| (charge["amount"].as_i64().unwrap(), charge["currency"].as_str().unwrap().to_owned());
    charges.iter().map(of).collect()
}

/// A purchase, an automatic top-up and a decline: every amount is the currency's own.
async fn sell(prices: &Prices) {
    let price_book = Some(prices.book().to_string());
    let cloud = TestCloud::start_with(Options { price_book, ..options() }).await.unwrap();
    let stripes = prices.currency.to_lowercase();
    let token = cloud.cloud.customer_token("acme");
    cloud.open_account("acme").await;

    let sold = json!({"package": "small", "credits": 2_000, "price": prices.package, "currency": prices.currency});
    assert_eq!(cloud.get("/v1/packages", &token).await.expect(200).body["data"], json!([sold]));
    let book = cloud.get("/v1/price-book", &token).await.expect(200).body;
    assert_eq!((&book["currency"], &book["price_per_credit"]), (&json!(prices.currency), &json!(prices.per_credit)));

    cloud.buy("acme", "small", "4242424242424242").await;
    let purchases = cloud.get("/v1/accounts/acme/purchases", &token).await.expect(200).body;
    let purchase = &purchases["data"][0];
    assert_eq!((&purchase["price"], &purchase["currency"]), (&sold["price"], &sold["currency"]));
    assert_eq!((&purchase["status"], cloud.balance("acme").await), (&json!("paid"), 2_000));
    assert_eq!(charged(&cloud, "acme").await, [(prices.package, stripes.clone())]);
    let receipt = cloud.mails("acme").pop().unwrap().text.unwrap();
    assert!(receipt.contains(&read(&format!("Paid, before tax: {}\n", prices.package_text))), "{receipt}");

    cloud.turn_on_auto_top_up("acme", 1_999, 5_000).await;
    let consent = cloud.auto_top_up("acme").await["consent"]["text"].as_str().unwrap().to_owned();
    let [once, in_all, per_day] = prices.consent.map(read);
    for part in [
        format!("at most {once} at a time plus tax"),
        format!("never more than {in_all} in all"),
        format!("at most {per_day} a day"),
    ] {
        assert!(consent.contains(&part), "{consent}");
    }
    cloud.charge("acme", "first", 1).await.expect(201);
    assert_eq!(cloud.advance(HALF_AN_HOUR).await[0]["paid"], json!(1));
    let top_up = 3_010 * prices.per_credit;
    assert_eq!(charged(&cloud, "acme").await, [(top_up, stripes.clone()), (prices.package, stripes.clone())]);
    assert_eq!(cloud.balance("acme").await, 5_000);

    decline(&cloud, prices).await;
}

/// The next top-up is declined, and the customer pays it from the link in the e-mail.
async fn decline(cloud: &TestCloud, prices: &Prices) {
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.charge("acme", "second", 301).await.expect(201);
    cloud.advance(SIX_HOURS).await;
    cloud.settle().await;
    let mail = cloud.mails("acme").pop().unwrap();
    let subject = format!("Action needed: your card was declined for your automatic top-up of {}", prices.top_up_text);
    assert_eq!(mail.subject, read(&subject));
    let page = cloud.hosted_page("acme").await;
    cloud.pay_page(&page, "4242424242424242").await;
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 5_000);
    let receipt = cloud.subjects("acme").pop().unwrap();
    assert_eq!(receipt, read(&format!("Receipt for your automatic top-up: 3,010 credits for {}", prices.top_up_text)));
    let paid = cloud.cents_taken("acme").await;
    assert_eq!(paid, [3_010 * prices.per_credit, 3_010 * prices.per_credit, prices.package]);
}

#[tokio::test]
async fn yen_have_no_decimals() {
    sell(&YEN).await;
}

#[tokio::test]
async fn dinars_have_three_decimals_and_the_last_is_always_zero() {
    sell(&DINARS).await;
}

#[tokio::test]
async fn crowns_are_counted_in_hundredths_and_shown_without_them() {
    sell(&CROWNS).await;
}

/// R37: with half a crown, Stripe would refuse every payment.
#[tokio::test]
async fn a_book_that_the_currency_does_not_have_never_starts() {
    let mut book = CROWNS.book();
    book["packages"][0]["price"] = json!(250_050);
    let options = Options { price_book: Some(book.to_string()), ..options() };
    let Err(error) = TestCloud::start_with(options).await else { panic!("it starts") };
    assert!(error.to_string().contains("packages[0].price"), "{error}");
}
