//! The product in memory: the four functions behind API Gateway, with a ledger and a Stripe that never fail.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use lambda_http::{Body, Response};
use serde_json::{Map, Value, json};
use shared::domain::account::decide_open_account;
use shared::domain::payments::{
    BillingDetails, CardFace, Checkout, CheckoutOutcome, Claim, CustomerInvoice, DisputeStatus, KnownBillingDetails,
    NewInvoice, OfferedCard, ReturnedPayment, Returns, SavedCard, SavedCards, SetUpCard, ShownDispute, TopUpOutcome,
};
use shared::domain::{
    Account, AccountId, Cause, Change, CheckoutSessionId, Credits, CustomerId, DisputeId, EmailAddress, Entry,
    InvoiceId, PackageId, PaymentIntentId, PaymentMethodId, PriceBook, Purchase, PurchaseId, RefundId, Salt, TopUp,
    TopUpRetry,
};
use shared::http::AccountRateLimiter;
use shared::links::LinkKey;
use shared::ports::{
    CardPage, CardWallet, CheckoutReport, ClaimedPayment, ClaimedPayments, CustomerBilling, CustomerInvoices,
    DisputeReport, IdGenerator, InvoiceError, InvoiceReport, InvoicesPage, MadeRefund, MadeRefundStatus, NoPauses,
    Paid, PaymentRefunds, PaymentReturns, PaymentSearch, Payments, PaymentsError, RefundError, RefundOrder,
    ReplaceDetailsError, ReturnedObject, ReturnsReport,
};
use shared::statements::StatementKey;
use shared::stripe::SecretString;
use shared::use_cases::charging::RefusalLog;
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use simulation::ledger::{MemoryLedger, MemoryLedgerSettings};
use std::sync::atomic::{AtomicU64, Ordering};

/// The one open account, which has [`BALANCE`] credits.
pub const ACCOUNT: &str = "acme";
pub const BALANCE: i64 = 30_000;
pub const WEBHOOK_SECRET: &str = "whsec_local";
const LINK_SECRET: [u8; 32] = [7; 32];

/// A fixed time, in whole seconds.
pub fn now() -> Timestamp {
    Timestamp::constant(1_800_000_000, 0)
}

pub fn link_key() -> LinkKey {
    LinkKey::new(LINK_SECRET).expect("the secret is long enough")
}

pub fn account_id() -> AccountId {
    AccountId::parse(ACCOUNT).expect("an account's id")
}

/// Sequential ids.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl IdGenerator for Counter {
    fn generate(&self, _now: Timestamp) -> u128 {
        self.0.fetch_add(1, Ordering::Relaxed).into()
    }

    fn unpredictable(&self) -> u128 {
        self.0.fetch_add(1, Ordering::Relaxed).into()
    }
}

/// One of the functions that answer HTTP requests, with its own ledger that has the one account.
pub enum World {
    Accounts(Box<accounts::App<InMemory>>),
    Charging(charging::App<InMemory>),
    Purchases(Box<purchases::App<InMemory>>),
    StripeWebhooks(stripe_webhooks::App<InMemory>),
    Support(support::App<InMemory>),
}

type Clock = fn() -> Timestamp;

/// The capabilities of the functions.
pub enum InMemory {}

impl Capabilities for InMemory {
    type Ledger = MemoryLedger;
    type Payments = AgreeablePayments;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = Clock;
    type Pauses = NoPauses;
    type Ids = Counter;
    type PriceBook = PriceBook;
}

/// The functions by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Accounts,
    Charging,
    Purchases,
    StripeWebhooks,
    Support,
}

impl Function {
    pub const ALL: [Self; 5] = [Self::Accounts, Self::Charging, Self::Purchases, Self::StripeWebhooks, Self::Support];
}

impl World {
    pub fn of(function: Function) -> Self {
        Self::with(function, ledger())
    }

    pub fn with(function: Function, ledger: MemoryLedger) -> Self {
        let context = Context {
            ledger,
            payments: AgreeablePayments,
            mailer: Absent,
            timers: Absent,
            clock: now as Clock,
            pauses: NoPauses,
            memory: Memory::none(),
            ids: Counter::default(),
            price_book: PriceBook::reference(),
        };
        let limiter = AccountRateLimiter::default();
        match function {
            Function::Accounts => {
                let statements = StatementKey::new(LINK_SECRET).expect("the secret is long enough");
                Self::Accounts(Box::new(accounts::App { context, limiter, statements, links: link_key() }))
            }
            Function::Charging => {
                Self::Charging(charging::App { context, limiter, refusals: RefusalLog::in_lane(0), emit: |_| {} })
            }
            Function::Purchases => {
                let (links, public_url) = (link_key(), None);
                Self::Purchases(Box::new(purchases::App { context, limiter, links, public_url, offers_invoices: true }))
            }
            Function::StripeWebhooks => {
                let secrets = vec![SecretString::from(WEBHOOK_SECRET)];
                Self::StripeWebhooks(stripe_webhooks::App { context, secrets, emit: |_| {} })
            }
            Function::Support => Self::Support(support::App { context, limiter }),
        }
    }

    pub fn ledger(&self) -> &MemoryLedger {
        match self {
            Self::Accounts(app) => &app.context.ledger,
            Self::Charging(app) => &app.context.ledger,
            Self::Purchases(app) => &app.context.ledger,
            Self::StripeWebhooks(app) => &app.context.ledger,
            Self::Support(app) => &app.context.ledger,
        }
    }

    /// Answers one of API Gateway's events; `None` if the event cannot be parsed.
    ///
    /// # Panics
    /// If the answer is not in the OpenAPI description.
    pub fn answer(&self, event: &Value) -> Option<Answer> {
        let request = lambda_http::request::from_str(&event.to_string()).ok()?;
        // Only a batch needs the runtime, for the limit of its time.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let response = runtime.block_on(async {
            match self {
                Self::Accounts(app) => accounts::handle(app, request).await,
                Self::Charging(app) => charging::handle(app, request).await,
                Self::Purchases(app) => purchases::handle(app, request).await,
                Self::StripeWebhooks(app) => stripe_webhooks::handle(app, request).await,
                Self::Support(app) => support::handle(app, request).await,
            }
        });
        Some(Answer::read(&response))
    }

    /// The balance and the number of entries.
    ///
    /// # Panics
    /// If the balance is not the sum of the entries, or the entries have a gap.
    pub fn books(&self) -> (i64, usize) {
        let tables = self.ledger().tables();
        let partition = tables.partitions.get(&account_id()).expect("the account was opened");
        let balance = partition.account.as_ref().expect("the account was opened").balance.get();
        let sum: i64 = partition.entries.values().map(|entry| entry.credits.get()).sum();
        assert_eq!(balance, sum, "the balance is the sum of the entries");
        let may_be_negative = matches!(self, Self::Support(_));
        assert!(balance >= 0 || may_be_negative, "no charge takes a balance below zero: {balance}");
        (balance, partition.entries.len())
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub is_replay: bool,
    pub text: String,
}

impl Answer {
    fn read(response: &Response<Body>) -> Self {
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let text = String::from_utf8(response.body().to_vec()).expect("every answer is text");
        let answer = Self {
            status: response.status().as_u16(),
            content_type: header("content-type"),
            is_replay: header("idempotent-replayed") == "true",
            text,
        };
        answer.check();
        answer
    }

    /// The rules for every answer: a documented status other than 500, and a body of the right type.
    fn check(&self) {
        const KNOWN: [u16; 14] = [200, 201, 302, 400, 401, 402, 403, 404, 405, 409, 410, 413, 422, 503];
        assert!(KNOWN.contains(&self.status), "{self:?}");
        if self.content_type == "application/problem+json" {
            let body = self.json();
            assert!(self.status >= 400 && body["status"] == json!(self.status), "{self:?}");
            for name in ["type", "title", "detail", "code", "request_id"] {
                assert!(body[name].is_string(), "{name} is missing: {self:?}");
            }
        } else if self.content_type == "application/json" {
            assert!(self.status < 400 && self.json().is_object(), "{self:?}");
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("a JSON body is valid JSON")
    }
}

/// A request as API Gateway passes it on.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    pub method: &'a str,
    /// The path of the matched route and its one parameter; if `None`, the path alone decides.
    pub route: Option<(&'a str, (&'a str, &'a str))>,
    /// Percent-decoded, as by API Gateway.
    pub path: &'a str,
    /// Not decoded.
    pub query: &'a str,
    pub headers: Map<String, Value>,
    /// The claims verified by the authorizer; `None` for a route without one.
    pub claims: Option<Value>,
    pub body: &'a [u8],
}

impl Asked<'_> {
    /// The event. <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
    pub fn event(&self) -> Value {
        let text = std::str::from_utf8(self.body).ok();
        let route_key = self.route.map_or("$default".to_owned(), |(path, _)| format!("{} {path}", self.method));
        let parameters = self.route.map(|(_, (name, value))| json!({ name: value }));
        let mut context = json!({
            "accountId": "000000000000",
            "apiId": "a1b2c3d4e5",
            "domainName": "api.example.com",
            "domainPrefix": "api",
            "http": { "method": self.method, "path": self.path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route_key,
            "stage": "$default",
            "timeEpoch": now().as_millisecond(),
        });
        if let Some(claims) = &self.claims {
            context["authorizer"] = json!({ "jwt": { "claims": claims, "scopes": null } });
        }
        json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": self.path,
            "pathParameters": parameters,
            "rawQueryString": self.query,
            "headers": self.headers,
            "requestContext": context,
            "isBase64Encoded": text.is_none(),
            "body": text.map_or_else(|| BASE64_STANDARD.encode(self.body), str::to_owned),
        })
    }
}

/// The claims of the company's own services and of its support.
pub fn service_claims() -> Option<Value> {
    Some(json!({ "sub": "service", "scope": "credits/service credits/support" }))
}

pub fn ledger() -> MemoryLedger {
    ledger_with(&[BALANCE])
}

/// A ledger with the one account and this many purchases.
pub fn ledger_with(purchases: &[i64]) -> MemoryLedger {
    let ledger = MemoryLedger::new(MemoryLedgerSettings { due_page_size: 10, is_lagging: false });
    let email = EmailAddress::parse("owner@acme.example").expect("an e-mail address");
    let customer = CustomerId::parse("cus_1").expect("a customer's id");
    let opening = decide_open_account(account_id(), email, customer, Salt::of(7), now());
    ledger.write(&opening).expect("the ledger is empty");
    let mut account = opening.account;
    for (credits, unique) in purchases.iter().zip(1..) {
        account = bought(&ledger, account, *credits, PurchaseId::mint(unique));
    }
    ledger
}

fn bought(ledger: &MemoryLedger, mut account: Account, credits: i64, purchase: PurchaseId) -> Account {
    let credits = Credits::constant(credits);
    account.version += 1;
    account.seq += 1;
    account.balance = account.balance.plus(credits).expect("few credits");
    let package = PackageId::parse("credits_500").expect("a package's id");
    let cause = Cause::Purchase { purchase, package };
    let entry =
        Entry { seq: account.seq, credits, balance_after: account.balance, created_at: now(), cause, link: None };
    let change =
        Change { account: account.clone(), entries: vec![entry], records: vec![], notices: vec![], events: vec![] };
    ledger.write(&change).expect("there are no other writers");
    account
}

/// A Stripe that creates everything, and where nothing has been paid yet.
pub struct AgreeablePayments;

impl Payments for AgreeablePayments {
    async fn customer_create(&self, account: &AccountId, _: &EmailAddress) -> Result<CustomerId, PaymentsError> {
        Ok(CustomerId::parse(format!("cus_{}", account.as_str().replace('-', "_"))).expect("a Stripe id"))
    }

    async fn customer_email_set(&self, _: &CustomerId, _: &EmailAddress) -> Result<(), PaymentsError> {
        Ok(())
    }

    async fn default_payment_method_get(&self, _: &CustomerId) -> Result<Option<PaymentMethodId>, PaymentsError> {
        Ok(None)
    }

    async fn default_payment_method_offer(
        &self,
        _: &CustomerId,
        offered: &OfferedCard,
    ) -> Result<Option<PaymentMethodId>, PaymentsError> {
        Ok(Some(offered.bought_with.card.clone()))
    }

    async fn checkout_find(&self, _: &CustomerId, _: &Purchase) -> Result<Option<Checkout>, PaymentsError> {
        Ok(None)
    }

    async fn checkout_open(&self, _: &CustomerId, purchase: &Purchase) -> Result<Checkout, PaymentsError> {
        let session = CheckoutSessionId::parse(format!("cs_{}", purchase.id)).expect("a Stripe id");
        Ok(Checkout { session, url: "https://checkout.example.com/c/1".to_owned() })
    }

    async fn checkout_get(&self, _: &CheckoutSessionId) -> Result<CheckoutReport, PaymentsError> {
        let outcome = CheckoutOutcome::Open;
        Ok(CheckoutReport { purchase: None, outcome, is_of_other_deployment: false, set_up: None, hosted_url: None })
    }

    async fn purchase_invoice(&self, _: &CustomerId, purchase: &Purchase) -> Result<NewInvoice, InvoiceError> {
        let id = InvoiceId::parse(format!("in_{}", purchase.id)).expect("a Stripe id");
        let number = Some("A-0001".to_owned());
        Ok(NewInvoice { id, number, total: purchase.price.minor(), due_at: purchase.opened_at })
    }

    async fn purchase_invoice_void(&self, _: &InvoiceId) -> Result<CheckoutOutcome, PaymentsError> {
        Ok(CheckoutOutcome::Voided)
    }

    async fn top_up_pay(&self, _: &TopUp) -> TopUpOutcome {
        TopUpOutcome::Unknown
    }

    async fn top_up_close(&self, _: &TopUp) -> TopUpOutcome {
        TopUpOutcome::Unknown
    }

    async fn top_up_retry(&self, _: &TopUp, _: &TopUpRetry) -> TopUpOutcome {
        TopUpOutcome::Unknown
    }

    async fn top_up_void(&self, _: &TopUp) -> TopUpOutcome {
        TopUpOutcome::Unknown
    }

    async fn invoice_get(&self, _: &InvoiceId) -> Result<InvoiceReport, PaymentsError> {
        Err(PaymentsError::NotFound { operation: "invoice_get" })
    }
}

impl PaymentReturns for AgreeablePayments {
    async fn returned_payment_find(&self, _: &ReturnedObject) -> Result<Option<PaymentIntentId>, PaymentsError> {
        Ok(PaymentIntentId::parse("pi_1").ok())
    }

    async fn returned_payment_get(&self, payment: &PaymentIntentId) -> Result<ReturnsReport, PaymentsError> {
        let (currency, returns) = ("usd".to_owned(), Returns::default());
        let returned = ReturnedPayment { payment: payment.clone(), invoice: None, currency, returns };
        Ok(ReturnsReport { paid_for: None, is_of_other_deployment: false, returned })
    }

    async fn dispute_show(&self, _: &DisputeId) -> Result<DisputeReport, PaymentsError> {
        let shown = ShownDispute {
            amount: 500,
            currency: "usd".to_owned(),
            reason: "fraudulent".to_owned(),
            status: DisputeStatus::NeedsResponse,
            opened_at: now(),
            due_by: None,
            submissions: 0,
            is_past_due: false,
        };
        Ok(DisputeReport { payment: PaymentIntentId::parse("pi_1").ok(), card: CardFace::default(), shown })
    }
}

impl PaymentRefunds for AgreeablePayments {
    async fn refund_make(&self, order: &RefundOrder) -> Result<MadeRefund, RefundError> {
        let operation = "refund_make";
        let id =
            RefundId::parse(format!("re_{}", order.paid_for)).map_err(|_| PaymentsError::NotFound { operation })?;
        Ok(MadeRefund { id, status: MadeRefundStatus::Succeeded })
    }
}

impl CardWallet for AgreeablePayments {
    async fn saved_cards_get(&self, _: &CustomerId) -> Result<SavedCards, PaymentsError> {
        Ok(SavedCards::default())
    }

    async fn default_card_get(&self, _: &CustomerId) -> Result<Option<SavedCard>, PaymentsError> {
        Ok(None)
    }

    async fn saved_card_owner_get(&self, card: &PaymentMethodId) -> Result<Option<CustomerId>, PaymentsError> {
        Ok(CustomerId::parse(format!("cus_{}", card.as_str().replace('-', "_"))).ok())
    }

    async fn saved_card_make_default(&self, _: &CustomerId, _: &PaymentMethodId) -> Result<(), PaymentsError> {
        Err(PaymentsError::NotFound { operation: "saved_card_make_default" })
    }

    async fn set_up_card_offer(&self, _: &CustomerId, _: &SetUpCard) -> Result<(), PaymentsError> {
        Ok(())
    }

    async fn saved_card_remove(&self, _: &CustomerId, _: &PaymentMethodId) -> Result<(), PaymentsError> {
        Ok(())
    }

    async fn card_page_open(&self, _: &CustomerId, _: &CardPage) -> Result<String, PaymentsError> {
        Ok("https://checkout.example.com/c/2".to_owned())
    }

    async fn billing_portal_open(&self, _: &CustomerId) -> Result<String, PaymentsError> {
        Ok("https://billing.example.com/p/1".to_owned())
    }
}

impl CustomerBilling for AgreeablePayments {
    async fn billing_details_get(&self, _: &CustomerId) -> Result<KnownBillingDetails, PaymentsError> {
        Ok(KnownBillingDetails::default())
    }

    async fn billing_details_replace(
        &self,
        _: &CustomerId,
        _: &BillingDetails,
    ) -> Result<KnownBillingDetails, ReplaceDetailsError> {
        Ok(KnownBillingDetails::default())
    }
}

impl CustomerInvoices for AgreeablePayments {
    async fn customer_invoices_page(
        &self,
        _: &CustomerId,
        _: Option<&InvoiceId>,
        _: u8,
    ) -> Result<InvoicesPage, PaymentsError> {
        Ok(InvoicesPage::default())
    }

    async fn customer_invoice_get(
        &self,
        _: &CustomerId,
        _: &InvoiceId,
    ) -> Result<Option<CustomerInvoice>, PaymentsError> {
        Ok(None)
    }
}

impl ClaimedPayments for AgreeablePayments {
    async fn claimed_payments(&self, _: Option<&CustomerId>, _: &Claim) -> Result<Vec<ClaimedPayment>, PaymentsError> {
        Ok(vec![])
    }
}

impl PaymentSearch for AgreeablePayments {
    async fn customers_find(&self, _: &Paid) -> Result<Vec<CustomerId>, PaymentsError> {
        Ok(vec![])
    }
}
