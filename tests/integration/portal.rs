//! The Billing Dashboard over HTTP: the way in and out, and what keeps others out. `make test-pages` walks through its pages in
//! a browser.

use crate::support::{Answer, TestCloud, options};
use jiff::SignedDuration;
use local_stripe::{Fault, FaultAction};
use prepaid_local::cloud::Options;
use reqwest::Method;
use serde_json::{Value, json};

const OVERVIEW: &str = "/portal/overview";

/// A browser, with the cookie that it was given.
struct Browser<'a> {
    cloud: &'a TestCloud,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    fn new(cloud: &'a TestCloud) -> Self {
        Self { cloud, cookie: None }
    }

    async fn signed_in(cloud: &'a TestCloud, visit: Value) -> Self {
        let mut browser = Self::new(cloud);
        let link = link(cloud, "acme", &visit).await;
        browser.exchange(&token_of(&link)).await.expect(303);
        assert!(browser.cookie.is_some());
        browser
    }

    async fn exchange(&mut self, token: &str) -> Answer {
        let answer = self.send(Method::POST, "/portal/enter", &[("token", token)]).await;
        if let Some(cookie) = answer.headers.get("set-cookie") {
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        answer
    }

    async fn send(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut request = self.cloud.request(method.clone(), path);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        self.cloud.send(if method == Method::POST { request.form(form) } else { request }).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    /// Sends a form as the page makes it.
    async fn press(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.field(page, "form_token").await;
        self.send(Method::POST, path, &[&[("form_token", token.as_str())], fields].concat()).await
    }

    /// The value of the first field of this name on a page.
    async fn field(&self, page: &str, name: &str) -> String {
        let text = self.get(page).await.expect(200).text;
        let start = format!("name=\"{name}\" value=\"");
        let rest = text.split_once(&start).unwrap_or_else(|| panic!("{page} has no field {name}")).1;
        rest.split('"').next().unwrap().to_owned()
    }
}

async fn link(cloud: &TestCloud, account: &str, visit: &Value) -> String {
    let path = format!("/v1/accounts/{account}/portal-sessions");
    let body = cloud.post(&path, &cloud.cloud.service_token(), None, visit).await.expect(200).body;
    body["url"].as_str().unwrap().to_owned()
}

fn token_of(link: &str) -> String {
    link.rsplit('/').next().unwrap().to_owned()
}

async fn cloud() -> TestCloud {
    with(options()).await
}

async fn with(options: Options) -> TestCloud {
    let cloud = TestCloud::start_with(options).await.expect("the local cloud starts");
    cloud.open_account("acme").await;
    cloud
}

/// Every status that the description has for the pages, for the test that compares them.
pub async fn every_answer(cloud: &TestCloud) {
    let token = cloud.cloud.service_token();
    for (account, status) in [("acme", 200), ("left", 403), ("nobody", 404)] {
        let path = format!("/v1/accounts/{account}/portal-sessions");
        cloud.post(&path, &token, None, &json!({})).await.expect(status);
        let status = if status == 404 { 404 } else { 200 };
        cloud.send(cloud.request(Method::DELETE, &path).bearer_auth(&token)).await.expect(status);
    }
    let sessions = "/v1/accounts/acme/portal-sessions";
    cloud.post(sessions, &token, None, &json!({ "flow": "elsewhere" })).await.expect(422);
    cloud.send(cloud.request(Method::POST, sessions).bearer_auth(&token).body("[")).await.expect(400);

    let nobody = Browser::new(cloud);
    let link = link(cloud, "acme", &json!({})).await;
    let link = link.strip_prefix(&cloud.cloud.urls.api).unwrap();
    for (path, status) in [(link, 200), ("/portal/enter/x", 410), ("/portal/nothing", 404), (OVERVIEW, 405)] {
        nobody.send(Method::HEAD, path, &[]).await.expect(status);
    }
    nobody.get(OVERVIEW).await.expect(401);
    nobody.send(Method::POST, "/portal/leave", &[]).await.expect(401);
    nobody.send(Method::POST, "/portal/enter", &[("token", "acme.0"), ("more", "1")]).await.expect(422);
    let unreadable = cloud.request(Method::POST, "/portal/enter").body(vec![0xff, 0xfe]);
    cloud.send(unreadable).await.expect(400);
    let large = cloud.request(Method::POST, "/portal/enter").body("a".repeat(20_000));
    cloud.send(large).await.expect(413);
    let browser = Browser::signed_in(cloud, json!({})).await;
    for (path, status) in [
        (OVERVIEW, 200),
        ("/portal/returned", 303),
        ("/portal/nothing", 404),
        ("/portal/leave", 405),
        ("/portal/enter/x", 410),
        ("/portal/history?kind=x", 422),
    ] {
        browser.get(path).await.expect(status);
    }
    browser.send(Method::POST, "/portal/spending", &[]).await.expect(403);
    browser.send(Method::POST, "/portal/nothing", &[]).await.expect(404);
    browser.send(Method::POST, OVERVIEW, &[]).await.expect(405);
    let key = [("key", "k")];
    browser.press(OVERVIEW, "/portal/pay/retry", &key).await.expect(409);
    browser.press(OVERVIEW, "/portal/leave", &[]).await.expect(200);
    let mut deleted = Browser::new(cloud);
    deleted.exchange(&token_of(&self::link(cloud, "deleted", &json!({})).await)).await.expect(303);
    deleted.get("/portal/cards").await.expect(409);
    deleted.exchange("deleted.00000000000000000000000000000000").await.expect(410);
}

/// While the table cannot be read.
pub async fn every_outage(cloud: &TestCloud) {
    let mut browser = Browser::new(cloud);
    browser.cookie = Some("__Host-portal=acme.00000000000000000000000000000000".to_owned());
    browser.get(OVERVIEW).await.expect(503);
    browser.exchange("acme.00000000000000000000000000000000").await.expect(503);
}

#[tokio::test]
async fn a_link_leads_in_once_and_only_by_the_button_of_its_page() {
    let cloud = cloud().await;
    let link = link(&cloud, "acme", &json!({ "flow": "buy" })).await;
    let path = link.strip_prefix(&cloud.cloud.urls.api).unwrap();
    let mut browser = Browser::new(&cloud);
    for method in [Method::HEAD, Method::GET, Method::GET] {
        let page = browser.send(method, path, &[]).await.expect(200);
        assert!(!page.headers.contains_key("set-cookie"), "opening a link signs nobody in");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
    }
    let entered = browser.exchange(&token_of(&link)).await.expect(303);
    assert_eq!(entered.location.as_deref(), Some("/portal/buy"));
    let cookie = &entered.headers["set-cookie"];
    for part in ["__Host-portal=acme.", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(&token_of(&link)), "the session has a secret of its own");
    browser.get("/portal/buy").await.expect(200);
    let mut another = Browser::new(&cloud);
    another.exchange(&token_of(&link)).await.expect(410);
    assert_eq!(another.cookie, None);
}

#[tokio::test]
async fn of_many_browsers_with_one_link_one_gets_in() {
    let cloud = cloud().await;
    let token = token_of(&link(&cloud, "acme", &json!({})).await);
    let tries = (0..16).map(|_| async {
        let mut browser = Browser::new(&cloud);
        loop {
            let answer = browser.exchange(&token).await;
            // Two at the same instant may both be asked to try again.
            if answer.status != 503 {
                return answer.status;
            }
        }
    });
    let mut statuses = futures::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (303, &[410; 15][..]));
}

#[tokio::test]
async fn a_link_works_for_five_minutes() {
    let cloud = cloud().await;
    for (seconds, status) in [(299, 303), (300, 410)] {
        let token = token_of(&link(&cloud, "acme", &json!({})).await);
        cloud.cloud.clock.advance(SignedDuration::from_secs(seconds)).unwrap();
        Browser::new(&cloud).exchange(&token).await.expect(status);
    }
}

#[tokio::test]
async fn a_session_ends_after_half_an_hour_without_use_and_after_twelve_hours_at_most() {
    let cloud = cloud().await;
    let browser = Browser::signed_in(&cloud, json!({})).await;
    for minutes in [29, 29] {
        cloud.cloud.clock.advance(SignedDuration::from_mins(minutes)).unwrap();
        browser.get(OVERVIEW).await.expect(200);
    }
    cloud.cloud.clock.advance(SignedDuration::from_mins(30)).unwrap();
    let over = browser.get(OVERVIEW).await.expect(401);
    assert!(over.text.contains("Your session is over") && over.text.contains("Back to"), "{}", over.text);

    let browser = Browser::signed_in(&cloud, json!({})).await;
    for _ in 0..28 {
        cloud.cloud.clock.advance(SignedDuration::from_mins(25)).unwrap();
        browser.get(OVERVIEW).await.expect(200);
    }
    cloud.cloud.clock.advance(SignedDuration::from_mins(20)).unwrap();
    browser.get(OVERVIEW).await.expect(401);
}

#[tokio::test]
async fn the_customer_ends_one_session_and_the_company_ends_all() {
    let cloud = cloud().await;
    let (one, other) = (Browser::signed_in(&cloud, json!({})).await, Browser::signed_in(&cloud, json!({})).await);
    let left = one.press(OVERVIEW, "/portal/leave", &[]).await.expect(200);
    assert!(left.headers["set-cookie"].contains("Max-Age=0"));
    one.get(OVERVIEW).await.expect(401);
    other.get(OVERVIEW).await.expect(200);
    let unused = token_of(&link(&cloud, "acme", &json!({})).await);
    let path = "/v1/accounts/acme/portal-sessions";
    for ended in [2, 0] {
        let request = cloud.request(Method::DELETE, path).bearer_auth(cloud.cloud.service_token());
        assert_eq!(cloud.send(request).await.expect(200).body, json!({ "ended": ended }));
        other.get(OVERVIEW).await.expect(401);
        Browser::new(&cloud).exchange(&unused).await.expect(410);
    }
    let unknown = cloud.request(Method::DELETE, "/v1/accounts/globex/portal-sessions");
    cloud.send(unknown.bearer_auth(cloud.cloud.service_token())).await.expect_problem(404, "not_found");
}

/// A session that is seen after it was ended does not begin again.
#[tokio::test]
async fn what_is_not_a_session_opens_nothing() {
    let cloud = cloud().await;
    cloud.open_account("globex").await;
    let unused = token_of(&link(&cloud, "acme", &json!({})).await);
    let mut browser = Browser::signed_in(&cloud, json!({})).await;
    let own = browser.cookie.clone().unwrap();
    for cookie in [
        String::new(),
        "__Host-portal=".to_owned(),
        "__Host-portal=acme.00000000000000000000000000000000".to_owned(),
        // A link is no session, and a session of one account none of another.
        format!("__Host-portal={unused}"),
        own.replace("acme.", "globex."),
        own.replace("__Host-portal", "portal"),
        own.to_uppercase(),
    ] {
        browser.cookie = Some(cookie);
        for page in [OVERVIEW, "/portal/cards", "/portal/history", "/portal/pay"] {
            browser.get(page).await.expect(401);
        }
    }
    browser.cookie = Some(format!("other=1; {own}; more=2"));
    browser.get(OVERVIEW).await.expect(200);
    for page in ["/portal/nothing", "/portal/history/0", "/portal/history/01", "/portal/purchases/pur_1"] {
        browser.get(page).await.expect(404);
    }
    browser.send(Method::POST, OVERVIEW, &[]).await.expect(405);
}

/// A form of another site, of another session or without its token changes nothing.
#[tokio::test]
async fn only_the_session_s_own_forms_change_something() {
    let cloud = cloud().await;
    let (browser, other) = (Browser::signed_in(&cloud, json!({})).await, Browser::signed_in(&cloud, json!({})).await);
    let (own, foreign) = (browser.field(OVERVIEW, "form_token").await, other.field(OVERVIEW, "form_token").await);
    assert_ne!(own, foreign);
    for form in [
        vec![("spending", "stopped")],
        vec![("form_token", ""), ("spending", "stopped")],
        vec![("form_token", foreign.as_str()), ("spending", "stopped")],
        vec![("form_token", own.as_str()), ("form_token", own.as_str()), ("spending", "stopped")],
    ] {
        browser.send(Method::POST, "/portal/spending", &form).await.expect(403);
    }
    for site in ["cross-site", "same-site", "none"] {
        let form = [("form_token", own.as_str()), ("spending", "stopped")];
        let request = cloud.request(Method::POST, "/portal/spending").header("cookie", browser.cookie.clone().unwrap());
        cloud.send(request.header("sec-fetch-site", site).form(&form)).await.expect(403);
        let token = token_of(&link(&cloud, "acme", &json!({})).await);
        let request = cloud.request(Method::POST, "/portal/enter").header("sec-fetch-site", site);
        cloud.send(request.form(&[("token", token.as_str())])).await.expect(403);
    }
    let stopped = |balance: &Answer| !balance.body["spending_stopped_at"].is_null();
    let balance = "/v1/accounts/acme/balance";
    assert!(!stopped(&cloud.get(balance, &cloud.cloud.service_token()).await));
    for form in [vec![("form_token", own.as_str()), ("spending", "paused")], vec![("form_token", own.as_str())]] {
        let answer = browser.send(Method::POST, "/portal/spending", &form).await;
        assert!(matches!(answer.status, 403 | 422), "{}", answer.status);
    }
    browser.press(OVERVIEW, "/portal/spending", &[("spending", "stopped")]).await.expect(303);
    assert!(stopped(&cloud.get(balance, &cloud.cloud.service_token()).await));
}

#[tokio::test]
async fn a_session_that_may_only_look_changes_nothing() {
    let cloud = cloud().await;
    let browser = Browser::signed_in(&cloud, json!({ "read_only": true })).await;
    for (path, fields) in [
        ("/portal/spending", vec![("spending", "stopped")]),
        ("/portal/buy", vec![("key", "k"), ("package", "credits_500"), ("pay_by", "page")]),
        ("/portal/auto_top_up/off", vec![]),
        ("/portal/pay/resume", vec![]),
        ("/portal/cards/add", vec![]),
    ] {
        browser.press(OVERVIEW, path, &fields).await.expect(403);
    }
    browser.press(OVERVIEW, "/portal/leave", &[]).await.expect(200);
}

/// Double clicks, back and reload: a form that is sent again has no second effect.
#[tokio::test]
async fn a_form_that_is_sent_twice_opens_one_purchase() {
    let cloud = cloud().await;
    let browser = Browser::signed_in(&cloud, json!({})).await;
    let key = browser.field("/portal/buy", "key").await;
    let buy =
        |package: &'static str| [("key", key.clone()), ("package", package.to_owned()), ("pay_by", "page".to_owned())];
    let mut pages = vec![];
    for package in ["credits_500", "credits_500", "credits_5000"] {
        let fields = buy(package);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = browser.press("/portal/buy", "/portal/buy", &fields).await.expect(200).text;
        pages.push(page.split_once("0;url=").unwrap().1.split('"').next().unwrap().to_owned());
    }
    assert_eq!(pages[0], pages[1]);
    assert_ne!(pages[1], pages[2], "two packages are two purchases");
    let listed = cloud.get("/v1/accounts/acme/purchases", &cloud.cloud.service_token()).await.expect(200).body;
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    cloud.pay_page(&pages[0].replace("&#38;", "&"), "4242424242424242").await;
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 500);
}

#[tokio::test]
async fn the_payment_provider_leads_back_to_the_purchase() {
    let cloud = cloud().await;
    let browser = Browser::signed_in(&cloud, json!({})).await;
    let key = browser.field("/portal/buy", "key").await;
    let fields = [("key", key.as_str()), ("package", "credits_500"), ("pay_by", "page")];
    let page = browser.press("/portal/buy", "/portal/buy", &fields).await.expect(200).text;
    let url = page.split_once("0;url=").unwrap().1.split('"').next().unwrap().to_owned();
    let listed = cloud.get("/v1/accounts/acme/purchases", &cloud.cloud.service_token()).await.expect(200).body;
    let purchase = listed["data"][0]["purchase"].as_str().unwrap().to_owned();
    let own_page = format!("/portal/purchases/{purchase}");
    let waiting = browser.get(&own_page).await.expect(200).text;
    assert!(waiting.contains("Not paid yet") && !waiting.contains("fail"), "{waiting}");
    cloud.pay_page(&url, "4242424242424242").await;
    // No webhook has arrived: looking heals it.
    let back = browser.get(&format!("/portal/returned?purchase={purchase}")).await.expect(303);
    assert_eq!(back.location.as_deref(), Some(own_page.as_str()));
    assert!(browser.get(&own_page).await.expect(200).text.contains("Thank you"));
    assert_eq!(cloud.balance("acme").await, 500);
    let stranger = cloud.get(&format!("/v1/accounts/acme/purchases/{purchase}"), &cloud.cloud.service_token()).await;
    assert_eq!(stranger.expect(200).body["status"], "paid");
    cloud.settle().await;
}

/// References are what the company's users typed.
#[tokio::test]
async fn what_users_typed_is_text_and_never_markup() {
    let cloud = cloud().await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    let nasty = "<script>alert(1)</script><svg onload=x>\"'&";
    let body = json!({"operation": "training", "max_minutes": 1, "reference": nasty});
    cloud.post("/v1/accounts/acme/charges", &cloud.cloud.service_token(), Some("job-1"), &body).await.expect(201);
    let visit = json!({ "visitor": "<i>Ada</i>" });
    let browser = Browser::signed_in(&cloud, visit).await;
    let typed = "/portal/history?reference=%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for page in [OVERVIEW, "/portal/history", "/portal/history/2", "/portal/usage", typed] {
        let text = browser.get(page).await.expect(200).text;
        for markup in ["<script>alert", "<svg onload", "<i>Ada"] {
            assert!(!text.contains(markup), "{page} has {markup}");
        }
    }
    let shown = browser.get("/portal/history").await.expect(200).text;
    assert!(shown.contains("&#60;script&#62;alert(1)"), "{shown}");
}

/// The company's list alone says where a customer can be sent back to.
#[tokio::test]
async fn a_customer_is_sent_back_to_the_company_and_to_nobody_else() {
    let mut options = options();
    options
        .parameters
        .insert("PortalReturnOrigins".to_owned(), "https://app.example.com,https://two.example".to_owned());
    let cloud = with(options).await;
    let path = "/v1/accounts/acme/portal-sessions";
    for url in ["https://app.example.com", "https://app.example.com/billing?a=1#x", "https://two.example/"] {
        let browser = Browser::signed_in(&cloud, json!({ "return_url": url })).await;
        let escaped = url.replace('&', "&#38;");
        assert!(browser.get(OVERVIEW).await.expect(200).text.contains(&format!("href=\"{escaped}\"")), "{url}");
    }
    for url in [
        "https://evil.example/",
        "https://app.example.com.evil.example/",
        "https://app.example.com@evil.example/",
        "https://app.example.com:8443/",
        "https://app.example.com\\@evil.example/",
        "http://app.example.com/",
        "//app.example.com/",
        "javascript:alert(1)",
        "https://app.example.com/\"><script>",
        "https://app.example.com/\nx",
        "",
    ] {
        let answer = cloud.post(path, &cloud.cloud.service_token(), None, &json!({ "return_url": url })).await;
        answer.expect_problem(422, "invalid_request");
    }
}

#[tokio::test]
async fn settings_that_changed_in_the_meantime_are_shown_before_they_are_replaced() {
    let cloud = cloud().await;
    let visit = json!({ "visitor": "Ada" });
    let browser = Browser::signed_in(&cloud, visit).await;
    let preview = "/portal/auto_top_up?threshold=1000&target=5000&max_per_month=120.50";
    let shown = browser.field(preview, "shown").await;
    let settings = [("threshold", "1000"), ("target", "5000"), ("max_per_month", "120.50")];
    let with = |shown: &'static str, agreed: &'static [(&'static str, &'static str)]| {
        [&[("shown", shown)][..], agreed, &settings].concat()
    };
    assert_eq!(shown, "none");
    // Without the box nothing is saved.
    browser.press(preview, "/portal/auto_top_up", &with("none", &[])).await.expect(200);
    let path = "/v1/accounts/acme/auto-top-up";
    assert_eq!(cloud.get(path, &cloud.cloud.service_token()).await.body["enabled"], false);
    cloud.turn_on_auto_top_up("acme", 2_000, 6_000).await;
    let stale = browser.press(preview, "/portal/auto_top_up", &with("none", &[("agreed", "3")])).await.expect(200).text;
    assert!(stale.contains("were changed in the meantime") && stale.contains("value=\"5000\""), "{stale}");
    assert_eq!(cloud.get(path, &cloud.cloud.service_token()).await.body["target"], 6_000);
    let shown: &'static str = Box::leak(browser.field(preview, "shown").await.into_boxed_str());
    browser.press(preview, "/portal/auto_top_up", &with(shown, &[("agreed", "3")])).await.expect(303);
    let saved = cloud.get(path, &cloud.cloud.service_token()).await.body;
    assert_eq!((&saved["target"], &saved["monthly_cap"]["max"]), (&json!(5_000), &json!(12_050)));
    assert_eq!(saved["consent"]["accepted_by"], "Ada");
}

/// A closed account has no way in, and a session that was open shows so.
#[tokio::test]
async fn a_closed_account_has_no_dashboard() {
    let cloud = cloud().await;
    let browser = Browser::signed_in(&cloud, json!({})).await;
    let reason = json!({ "reason": "The customer asks." });
    cloud.post("/v1/support/accounts/acme/erase", &cloud.support_token(), None, &reason).await.expect(200);
    let path = "/v1/accounts/acme/portal-sessions";
    cloud.post(path, &cloud.cloud.service_token(), None, &json!({})).await.expect_problem(403, "account_closed");
    browser.press(OVERVIEW, "/portal/spending", &[("spending", "stopped")]).await.expect(403);
}

/// While the bank's answer is lost, the page asks for the same payment again, and says neither yes nor no.
#[tokio::test]
async fn a_payment_without_an_answer_is_asked_for_again_and_charged_once() {
    let cloud = cloud().await;
    cloud.buy("acme", "credits_5000", "4242424242424242").await;
    cloud.turn_on_auto_top_up("acme", 6_000, 8_000).await;
    cloud.save_card("acme", "pm_card_chargeCustomerFail").await;
    cloud.sweep().await;
    cloud.settle().await;
    let card = cloud.save_card("acme", "pm_card_visa").await;
    let browser = Browser::signed_in(&cloud, json!({})).await;
    let key = browser.field("/portal/pay", "key").await;
    let fields = [("key", key.as_str()), ("card", card.as_str())];
    let path = "/v1/invoices/*/pay";
    cloud.cloud.stripe.add_fault(Fault { count: 8, ..Fault::once("POST", path, FaultAction::Unavailable) });
    let asking = browser.press("/portal/pay", "/portal/pay/retry", &fields).await.expect(200).text;
    assert!(asking.contains("There is no answer yet") && asking.contains(&key), "{asking}");
    cloud.cloud.stripe.clear_faults();
    let paid = browser.press("/portal/pay", "/portal/pay/retry", &fields).await.expect(303);
    assert_eq!(paid.location.as_deref(), Some("/portal/overview?done=paid"));
    cloud.settle().await;
    assert_eq!(cloud.balance("acme").await, 8_000);
}

/// Whatever color the company chooses, the text on its buttons has the contrast that WCAG asks for.
#[tokio::test]
async fn the_text_on_buttons_is_readable_on_every_accent_color() {
    for color in ["#000000", "#ffffff", "#777777", "#757575", "#1d4ed8", "#ffcc00", "#00a3a3", "#E4572E"] {
        let mut options = options();
        options.parameters.insert("PortalAccentColor".to_owned(), color.to_owned());
        let cloud = with(options).await;
        let style = cloud.send(cloud.request(Method::GET, "/portal/assets/portal.css")).await.expect(200);
        assert_eq!(style.content_type, "text/css; charset=utf-8");
        let property = |name: &str| style.text.split_once(name).unwrap().1.split([';', '}']).next().unwrap().to_owned();
        let (accent, text) = (property("--accent:"), property("--on-accent:"));
        assert_eq!(accent, color.to_lowercase());
        assert!(contrast(&accent, &text) >= 4.5, "{text} on {accent}");
    }
}

/// <https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |color: &str| {
        let digits = color.trim_start_matches('#');
        let digits =
            if digits.len() == 3 { digits.chars().flat_map(|digit| [digit; 2]).collect() } else { digits.to_owned() };
        let channel = |place: usize| {
            let value = f64::from(u8::from_str_radix(&digits[place..place + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Also the pages that say what is wrong.
#[tokio::test]
async fn every_page_keeps_scripts_frames_caches_and_referrers_out() {
    let cloud = cloud().await;
    let browser = Browser::signed_in(&cloud, json!({})).await;
    let nobody = Browser::new(&cloud);
    let pages = [
        browser.get(OVERVIEW).await.expect(200),
        browser.get("/portal/nothing").await.expect(404),
        browser.get("/portal/history?kind=x").await.expect(422),
        nobody.get(OVERVIEW).await.expect(401),
        nobody.get("/portal/enter/x").await.expect(410),
    ];
    for page in pages {
        let policy = &page.headers["content-security-policy"];
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert_eq!(page.headers["cache-control"], "no-store");
        assert!(page.headers["strict-transport-security"].starts_with("max-age="));
        assert!(!page.text.contains("style=") && !page.text.contains("onclick"), "{}", page.text);
    }
}

/// The file is the one that the API writes.
#[tokio::test]
async fn the_history_is_a_file_as_the_api_writes_it() {
    let cloud = cloud().await;
    cloud.buy("acme", "credits_500", "4242424242424242").await;
    cloud.charge("acme", "job-1", 3).await.expect(201);
    let browser = Browser::signed_in(&cloud, json!({})).await;
    let file = browser.get("/portal/history/csv").await.expect(200);
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"history.csv\"");
    let path = "/v1/accounts/acme/history";
    let request =
        cloud.request(Method::GET, path).bearer_auth(cloud.cloud.service_token()).header("accept", "text/csv");
    assert_eq!(file.text, cloud.send(request).await.expect(200).text);
    assert_eq!(file.text.lines().count(), 3);
}
