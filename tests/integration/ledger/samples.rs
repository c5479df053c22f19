//! Sample values for the tests of the ledger.

use jiff::{SignedDuration, Timestamp};
use shared::domain::account::{ErasedTexts, decide_open_account};
use shared::domain::alerts::{AlertLevel, AlertState, Alerts, LevelAlert, Watch};
use shared::domain::charging::{
    ChargeEnd, Ending, ExpiresIn, PendingCharge, RefusalPlace, RefusalRow, Refused, RefusedBecause, RefusedRequest,
    RefusedRequests,
};
use shared::domain::contacts::{DeliveryProblem, DeliveryProblemKind, OptionalNotice, Role};
use shared::domain::liability::{ClosedDays, Flow, LiabilityRow};
use shared::domain::payments::{Ahead, AskedCard, CardFace, Expiry, KnownCard, Warning};
use shared::domain::payments::{
    AutoTopUp, ClaimLog, Consent, ConsentRecord, GateName, MonthlyCap, Receipt, SweepLog, SweepSkip,
};
use shared::domain::payments::{ByInvoice, Checkout, InvoiceReminder, InvoiceTerms, IssuedInvoice, PoNumber};
use shared::domain::payments::{DeclineReason, OffReason, PaymentIssue, PaymentIssueKind, RefusalReason, TurnedOff};
use shared::domain::payments::{
    PaidFor, Refund, RefundStatus, ReturnReason, Returns, ReversalPause, Reversed, WantedRefund,
};
use shared::domain::portal::{PassToken, PortalFlow, PortalLink, PortalSession, Visit};
use shared::domain::spending::{Limit, LimitName, Spending};
use shared::domain::support::{ActKind, Imported};
use shared::domain::usage::{Flag, FlagKind};
use shared::domain::*;
use shared::ports::*;
use std::collections::BTreeSet;

pub const REFUSAL_REASONS: [RefusalReason; 5] = [
    RefusalReason::CustomerDeleted,
    RefusalReason::OtherCurrency,
    RefusalReason::NoTaxLocation,
    RefusalReason::OtherPrice,
    RefusalReason::AboveConsent,
];

pub const DECLINE_REASONS: [DeclineReason; 8] = [
    DeclineReason::InsufficientFunds,
    DeclineReason::ExpiredCard,
    DeclineReason::IncorrectCardData,
    DeclineReason::CardNotSupported,
    DeclineReason::LimitExceeded,
    DeclineReason::ProcessingError,
    DeclineReason::NoCard,
    DeclineReason::Generic,
];

/// The time this many milliseconds after midnight (UTC) of some day.
pub fn at(milliseconds: i64) -> Timestamp {
    let midnight: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_millis(milliseconds)
}

pub fn account_id() -> AccountId {
    AccountId::parse("acme").unwrap()
}

pub fn customer_id(text: &str) -> CustomerId {
    CustomerId::parse(text).unwrap()
}

pub fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

pub fn credits(credits: i64) -> Credits {
    Credits::new(credits).unwrap()
}

/// The change that opens the account.
pub fn opening() -> Change {
    opening_of("acme", "cus_1")
}

pub fn opening_of(account: &str, customer: &str) -> Change {
    let email = EmailAddress::parse("owner@example.com").unwrap();
    let change =
        decide_open_account(AccountId::parse(account).unwrap(), email, customer_id(customer), Salt::of(7), at(0));
    // No alert is due, whatever moves.
    Change { account: Account { watch: Some(Watch::NONE), ..change.account }, ..change }
}

/// Opens an empty account.
pub async fn opened<L: Ledger>(ledger: &L) -> Account {
    ledger.commit(&opening()).await.unwrap();
    opening().account
}

/// Opens an account and adds credits with a purchase.
pub async fn opened_with<L: Ledger>(ledger: &L, balance: i64) -> Account {
    let account = opened(ledger).await;
    let bought = Cause::Purchase { purchase: PurchaseId::mint(1), package: package_id() };
    let change = posted(&account, balance, bought);
    ledger.commit(&change).await.unwrap();
    change.account
}

/// The next version of the account without other changes.
pub fn changed(account: &Account) -> Change {
    let account = Account { version: account.version + 1, ..account.clone() };
    Change { account, entries: vec![], records: vec![], notices: vec![], events: vec![] }
}

/// The next version of the account with one entry.
pub fn posted(account: &Account, moved: i64, cause: Cause) -> Change {
    let mut change = changed(account);
    change.account.seq += 1;
    change.account.balance = change.account.balance.plus(credits(moved)).unwrap();
    let (seq, balance_after) = (change.account.seq, change.account.balance);
    let entry = Entry { seq, credits: credits(moved), balance_after, created_at: at(1), cause, link: None };
    change.entries.push(chained(&mut change.account, entry));
    change
}

/// The entry as the next one of the account's chain.
fn chained(account: &mut Account, entry: Entry) -> Entry {
    let chain = account.chain.as_mut().expect("accounts of this release have a chain");
    let hash = entry.hash_after(chain.head, &account.id, &chain.salt);
    chain.head = Some(hash);
    Entry { link: Some(Link { hash, erased: ErasedTexts::default() }), ..entry }
}

pub fn charge(text: &str) -> Cause {
    charge_for(text, Measure::DurationMs, 60_000)
}

/// A charge as the reference price book makes it.
pub fn charge_for(text: &str, measure: Measure, amount: i64) -> Cause {
    let book = PriceBook::reference();
    let sold = book.operations.iter().find(|operation| operation.measure == measure).unwrap();
    let PricedOperation { operation, price } = book.price(sold, amount).unwrap();
    Cause::Charge {
        key: key(text),
        operation,
        price: Some(price),
        reference: None,
        spender: None,
        expires_in: None,
        request_id: None,
    }
}

pub fn causes() -> [Cause; 15] {
    let (purchase, package, top_up) = (PurchaseId::mint(7), package_id(), TopUpId::mint(7));
    [
        charge("job:1"),
        Cause::Charge {
            key: key("job:2"),
            operation: Operation { name: operation_name("dubbing"), measure: Measure::DurationMs, amount: 1 },
            // As charges of early releases.
            price: None,
            reference: Reference::parse("Überraschung #1").ok(),
            spender: Some(spender("user:ada@acme.example")),
            expires_in: None,
            request_id: None,
        },
        charge_for("job:3", Measure::MaxMinutes, 1_440),
        Cause::Charge {
            key: key("job:4"),
            operation: Operation { name: operation_name("speech"), measure: Measure::Quantity, amount: 1_234_567 },
            price: Some(PriceLine {
                version: PriceBookVersion::parse("2026-12").unwrap(),
                credits_per_unit: 3,
                unit_size: 1_000,
                credits_min: 5,
            }),
            reference: None,
            spender: None,
            expires_in: None,
            request_id: RequestId::parse("JKJaXmPLvHcESHA=").ok(),
        },
        pending_cause("job:5"),
        Cause::Capture { charge: key("job:5"), operation: pending("job:5").operation, price: pending("job:5").price },
        Cause::Void { charge: key("job:6") },
        Cause::Expiry { charge: key("job:7") },
        Cause::Restore { charge: key("job:1") },
        Cause::Purchase { purchase, package },
        Cause::TopUp { top_up },
        Cause::Reversal { paid_for: PaidFor::Purchase(PurchaseId::mint(7)), number: 1, because: ReturnReason::Refund },
        Cause::Reversal { paid_for: PaidFor::TopUp(TopUpId::mint(7)), number: 12, because: ReturnReason::Dispute },
        Cause::Adjustment { key: key("case:1"), reason: Some(act_reason()), operator: Some(operator()) },
        Cause::Import { source: source_id(), reference: Reference::parse("Konto 7: 12,50 €").ok() },
    ]
}

pub fn source_id() -> SourceId {
    SourceId::parse("row#7").unwrap()
}

pub fn imported() -> Imported {
    Imported { source: source_id(), account: account_id(), credits: credits(-1_250), at: at(8) }
}

/// A row in which every number is set.
pub fn liability_row() -> LiabilityRow {
    let moved = UsageCounts { credits_charged: 5, ..UsageCounts::default() };
    LiabilityRow {
        day: "2026-01-31".parse().unwrap(),
        accounts: 3,
        flow: Flow { opening: 40, brought_forward: -7, moved, outstanding: 28 },
        total_moved: usage_counts(),
        total_brought_forward: -9,
        after: Some(account_id()),
        is_complete: false,
    }
}

pub fn liability_shard() -> Shard {
    Shard::of(7)
}

pub fn closed_days() -> ClosedDays {
    ClosedDays { first: "2025-12-31".parse().unwrap(), through: "2026-01-30".parse().unwrap() }
}

pub fn operator() -> Operator {
    Operator::parse("Grace, support@example.com").unwrap()
}

pub fn act_reason() -> ActReason {
    ActReason::parse("Der Upload schlug fehl: 2 × 30 min").unwrap()
}

/// Every kind of act, with the numbers from 1.
pub fn acts() -> Vec<Act> {
    let kinds = [
        ActKind::Adjusted { key: key("case:1"), credits: credits(-40) },
        ActKind::Restricted { until: at(86_400_000) },
        ActKind::RestrictionLifted,
        ActKind::NoticeResent { notice: NoticeId::mint(8), resent_as: NoticeId::mint(9) },
        ActKind::TopUpChecked,
        ActKind::Erased,
        ActKind::Imported { source: source_id(), credits: credits(-1_250) },
        ActKind::Refunded { paid_for: PaidFor::Purchase(PurchaseId::mint(5)), key: key("case:1"), amount: 50 },
    ];
    let act = |(number, kind)| Act {
        id: ActId::mint(number),
        kind,
        operator: operator(),
        reason: act_reason(),
        at: at(number as i64),
    };
    (1..).zip(kinds).map(act).collect()
}

/// A charge that was made pending for an hour.
fn pending_cause(text: &str) -> Cause {
    let PendingCharge { charge, operation, price, spender, expires_in, .. } = pending(text);
    Cause::Charge {
        key: charge,
        operation,
        price: Some(price),
        reference: None,
        spender,
        expires_in: Some(expires_in),
        request_id: None,
    }
}

/// A charge that is pending from 10 ms on, for an hour.
pub fn pending(text: &str) -> PendingCharge {
    let version = PriceBookVersion::parse("2026-12").unwrap();
    PendingCharge {
        account: account_id(),
        charge: key(text),
        seq: 3,
        operation: Operation { name: operation_name("speech"), measure: Measure::Quantity, amount: 10_000 },
        price: PriceLine { version, credits_per_unit: 3, unit_size: 1_000, credits_min: 5 },
        credits: credits(30),
        spender: Some(spender("key-1")),
        created_at: at(10),
        expires_in: ExpiresIn::new(3_600).unwrap(),
        end: None,
    }
}

/// The same charge after it has ended.
pub fn ended(text: &str, ending: Ending, kept: i64) -> PendingCharge {
    let end = ChargeEnd { ending, credits_kept: credits(kept), balance_after: credits(470), at: at(20) };
    PendingCharge { end: Some(end), ..pending(text) }
}

/// Every way in which a pending charge can end.
pub fn endings() -> [PendingCharge; 3] {
    [
        ended("job:5", Ending::Captured { amount: 4_000 }, 12),
        ended("job:6", Ending::Voided, 0),
        ended("job:7", Ending::Expired, 0),
    ]
}

fn operation_name(name: &str) -> OperationName {
    OperationName::parse(name).unwrap()
}

pub fn package_id() -> PackageId {
    PackageId::parse("credits_500").unwrap()
}

pub fn consent() -> Consent {
    Consent {
        id: ConsentId::mint(1),
        text_version: 1,
        accepted_by: Consenter::parse("owner@example.com").ok(),
        accepted_at: at(2),
        price_max: Amount::new(Currency::USD, 123_456).unwrap(),
    }
}

/// An amount in the minor unit.
pub fn amount(code: &str, minor: i64) -> Amount {
    Amount::new(Currency::parse(code).unwrap(), minor).unwrap()
}

pub fn settings_in_yen() -> AutoTopUp {
    let cap = Some(MonthlyCap { max: amount("JPY", 900_000), smallest: 1_000, used: 0 });
    AutoTopUp { cap, consent: Consent { price_max: amount("JPY", 500_000), ..consent() }, ..settings() }
}

/// The same notice of another price.
pub fn with_price(mut kind: NoticeKind, other: Amount) -> NoticeKind {
    match &mut kind {
        NoticeKind::PurchasePaid { price, .. }
        | NoticeKind::PurchaseFailed { price, .. }
        | NoticeKind::InvoiceIssued { price, .. }
        | NoticeKind::InvoiceReminder { price, .. }
        | NoticeKind::InvoiceVoided { price, .. }
        | NoticeKind::TopUpPaid { price, .. }
        | NoticeKind::TopUpDeclined { price, .. }
        | NoticeKind::TopUpActionRequired { price, .. }
        | NoticeKind::TopUpRefused { price, .. }
        | NoticeKind::PaymentReminder { price, .. }
        | NoticeKind::TopUpAbandoned { price, .. } => *price = other,
        NoticeKind::CardExpiring { .. }
        | NoticeKind::ContactConfirmation { .. }
        | NoticeKind::ContactsChanged(_)
        | NoticeKind::LowBalance { .. } => {}
        NoticeKind::CreditsTakenBack(told) | NoticeKind::CreditsGivenBack(told) => told.amount = other,
    }
    kind
}

pub fn consent_record() -> ConsentRecord {
    ConsentRecord {
        consent: consent(),
        threshold: credits(500),
        target: credits(5_000),
        max_per_month: Some(amount("USD", 20_000)),
        text: "I agree.\nÜber alles.".into(),
        turned_off: Some(TurnedOff {
            at: at(9),
            because: OffReason::LastCardRemoved,
            by: Actor::parse("Ada, owner@example.com").ok(),
        }),
    }
}

pub fn settings() -> AutoTopUp {
    let cap = Some(MonthlyCap { max: amount("USD", 20_000), smallest: 1_000, used: 4_501 });
    AutoTopUp { is_enabled: true, threshold: credits(500), target: credits(5_000), cap, consent: consent() }
}

pub fn payment_issue(kind: PaymentIssueKind) -> PaymentIssue {
    PaymentIssue { kind, top_up: TopUpId::mint(3), since: at(5) }
}

/// An account in which every optional field is set.
pub fn complete_account() -> Account {
    Account {
        version: 1,
        seq: 41,
        balance: credits(-12_345),
        pending: credits(678),
        auto_top_up: Some(settings()),
        payment_method: PaymentMethodId::parse("pm_1").ok(),
        last_top_up_at: Some(at(3)),
        open_top_up: Some(TopUpId::mint(4)),
        payment_issue: Some(payment_issue(PaymentIssueKind::Declined(DeclineReason::ExpiredCard))),
        reversal_pause: Some(ReversalPause { because: ReturnReason::Refund, since: at(7) }),
        restriction: Some(Restriction {
            reason: RestrictionReason::parse("An unusual day: 1 → 1,000").unwrap(),
            until: at(86_400_000),
        }),
        spending: Some(Spending { is_stopped: true, changed_at: at(6) }),
        limits: Limits { total: None, ..limits() },
        limits_date: Some("2026-01-01".parse().unwrap()),
        limited_spenders: 2,
        unpaid_invoices: 3,
        watch: Some(Watch { from: Some(credits(-20_000)), to: Some(credits(550)) }),
        ..opening().account
    }
}

/// A log that was changed this many times.
fn pass_token(unpredictable: u128) -> PassToken {
    PassToken::new(account_id(), unpredictable)
}

pub fn portal_link() -> PortalLink {
    let visit = Visit {
        flow: PortalFlow::Buy,
        return_url: Some("https://app.example.com/billing".to_owned()),
        is_read_only: true,
        visitor: Some(Actor::parse("Ada").unwrap()),
    };
    PortalLink::new(&pass_token(1), visit, at(0))
}

pub fn portal_session() -> PortalSession {
    portal_link().exchanged_for(&pass_token(2), at(0)).unwrap()
}

pub fn claim_log(revision: u64) -> ClaimLog {
    ClaimLog { revision, asked_at: vec![at(1), at(2)] }
}

pub fn sweep_log(revision: u64) -> SweepLog {
    let skip = |gate, milliseconds| SweepSkip { at: at(milliseconds), gate, balance: credits(-7) };
    SweepLog { revision, skips: vec![skip(GateName::BelowThreshold, 1), skip(GateName::WithinMonthlyCap, 2)] }
}

pub fn spender(name: &str) -> Spender {
    Spender::parse(name).unwrap()
}

pub fn limits() -> Limits {
    let limit = |max: i64, used: i64| Some(Limit { max: credits(max), used: credits(used), after_seq: 3 });
    Limits { day: limit(100, 20), month: limit(1_000, 200), total: limit(10_000, 2_000) }
}

pub fn spender_limits(name: &str, limits: Limits) -> SpenderLimits {
    SpenderLimits { spender: spender(name), date: "2026-01-01".parse().unwrap(), limits }
}

pub fn spending_change() -> SpendingChange {
    SpendingChange { is_stopped: true, changed_by: Actor::parse("Ada, owner@example.com").unwrap(), changed_at: at(6) }
}

fn usage_counts() -> UsageCounts {
    UsageCounts {
        charges: 11,
        duration_ms: 22,
        max_minutes: 33,
        quantity: 44,
        credits_charged: 55,
        credits_captured_back: 66,
        credits_voided: 77,
        credits_expired: 88,
        credits_restored: 99,
        credits_purchased: 110,
        credits_topped_up: 121,
        credits_adjusted: -8,
        credits_imported: -1_250,
        credits_reversed: 132,
    }
}

/// A row in which every number is set.
pub fn usage_row(granularity: Granularity, date: &str) -> UsageRow {
    let charged = UsageCounts { charges: 3, duration_ms: -5, credits_charged: 30, ..UsageCounts::default() };
    let mut row = UsageRow::empty(Period::of_date(granularity, date.parse().unwrap()));
    (row.through_seq, row.total) = (11, usage_counts());
    row.operations.named.insert(operation_name("dubbing"), charged);
    row.operations.others = charged;
    row.operations.unnamed = usage_counts();
    row.spenders.named.extend([(spender("key-1"), usage_counts()), (spender("a:b@c"), charged)]);
    row.spenders.others = usage_counts();
    row.spenders.unnamed = charged;
    if granularity == Granularity::Day {
        row.hours.extend([(0, 1), (23, 10)]);
        row.flagged.extend(FlagKind::ALL.map(|kind| (kind, at(30))));
    }
    row
}

/// A flag that was raised so many milliseconds after midnight of 2026-01-01.
pub fn flag(account: &str, kind: FlagKind, milliseconds: i64) -> Flag {
    Flag {
        account: AccountId::parse(account).unwrap(),
        kind,
        date: "2026-01-15".parse().unwrap(),
        hour: (kind == FlagKind::ChargesPerHour).then_some(23),
        value: 700,
        median: 20,
        spread: 3,
        threshold: 500,
        raised_at: at(milliseconds),
        payment: None,
    }
}

pub fn usage_fold(after_seq: u64, through_seq: u64) -> UsageFold {
    let rows = Granularity::ALL.map(|granularity| usage_row(granularity, "2026-01-15"));
    UsageFold {
        before: folded_through(after_seq),
        after: folded_through(through_seq),
        rows: rows.to_vec(),
        flags: vec![],
    }
}

pub fn folded_through(through_seq: u64) -> UsageCursor {
    UsageCursor { through_seq, is_nameless: false }
}

pub fn periods(granularity: Granularity, from: &str, to: &str) -> Periods {
    Periods::new(granularity, from.parse().unwrap(), to.parse().unwrap()).unwrap()
}

pub fn purchase(status: PurchaseStatus) -> Purchase {
    Purchase {
        id: PurchaseId::mint(5),
        account: account_id(),
        key: key("buy:1"),
        package: package_id(),
        credits: credits(500),
        price: Amount::new(Currency::USD, 500).unwrap(),
        status,
        checkout: None,
        checkout_opened_at: None,
        default_card: None,
        payment_intent: None,
        invoice: None,
        by_invoice: None,
        opened_at: at(4),
        ended_at: None,
        reversed: Reversed::default(),
        refunds: vec![],
    }
}

/// One that is paid by invoice, and of whose invoice this many reminders were sent.
pub fn invoiced_purchase(status: PurchaseStatus, reminders: u8) -> Purchase {
    let terms = InvoiceTerms { days_until_due: 14, po_number: PoNumber::parse("PO-4711".into()) };
    let by_invoice = ByInvoice { terms, issued: Some(issued()), reminders, is_paid_out_of_band: reminders > 2 };
    Purchase { invoice: InvoiceId::parse("in_1").ok(), by_invoice: Some(by_invoice), ..purchase(status) }
}

pub fn issued() -> IssuedInvoice {
    IssuedInvoice { number: Some("A-0001".into()), total: 535, due_at: at(1_209_604), amount_paid: 100, overpaid: 3 }
}

/// Everything that may be known of a payment's refunds and disputes.
pub fn reversed() -> Reversed {
    let returns = Returns { paid: 595, refunds: 100, refunds_failed: 50, withdrawn: 545, reinstated: 300 };
    Reversed { returns, taken: credits(247), entries: 3 }
}

/// Refunds that support asked for, one of each kind.
pub fn refunds() -> Vec<Refund> {
    let refund =
        |name: &str, wanted, amount, status| Refund { key: key(name), wanted, amount, asked_at: at(10), status };
    vec![
        refund("case:1", WantedRefund::Amount(50), 50, RefundStatus::Made(RefundId::parse("re_1").unwrap())),
        refund("case:2", WantedRefund::UnusedCredits, 60, RefundStatus::Refused),
        refund("case:3", WantedRefund::Amount(70), 70, RefundStatus::Asked),
    ]
}

pub fn complete_purchase() -> Purchase {
    let session = CheckoutSessionId::parse("cs_test_1").unwrap();
    Purchase {
        checkout: Some(Checkout { session, url: "https://checkout.example.com/c/1#x".into() }),
        checkout_opened_at: Some(at(5)),
        default_card: PaymentMethodId::parse("pm_1").ok(),
        payment_intent: PaymentIntentId::parse("pi_1").ok(),
        invoice: InvoiceId::parse("in_1").ok(),
        ended_at: Some(at(9)),
        reversed: reversed(),
        refunds: refunds(),
        ..invoiced_purchase(PurchaseStatus::Paid, 3)
    }
}

pub fn top_up(status: TopUpStatus) -> TopUp {
    TopUp {
        id: TopUpId::mint(6),
        account: account_id(),
        customer: customer_id("cus_1"),
        payment_method: None,
        credits: credits(4_501),
        price: Amount::new(Currency::USD, 4_501).unwrap(),
        status,
        invoice: None,
        payment_intent: None,
        opened_at: at(4),
        ended_at: None,
        retries: 0,
        reminders: 0,
        reversed: Reversed::default(),
        refunds: vec![],
    }
}

pub fn top_up_retry(status: TopUpStatus) -> TopUpRetry {
    TopUpRetry {
        key: key("again:1"),
        account: account_id(),
        top_up: TopUpId::mint(6),
        named: PaymentMethodId::parse("pm_2").ok(),
        card: PaymentMethodId::parse("pm_2").unwrap(),
        asked_at: at(8),
        status,
    }
}

pub fn complete_top_up() -> TopUp {
    TopUp {
        payment_method: PaymentMethodId::parse("pm_1").ok(),
        invoice: InvoiceId::parse("in_1").ok(),
        payment_intent: PaymentIntentId::parse("pi_1").ok(),
        ended_at: Some(at(9)),
        retries: 2,
        reminders: 1,
        reversed: reversed(),
        refunds: refunds(),
        ..top_up(TopUpStatus::Declined(DeclineReason::Generic))
    }
}

pub fn notice(kind: NoticeKind) -> Notice {
    let account = Account { email: Some(address("owner@example.com")), ..opening().account };
    account.owed(NoticeId::mint(8), kind, at(6)).unwrap()
}

pub fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// Contacts with everything that they may have.
pub fn contacts() -> Contacts {
    let complete = Contact {
        id: ContactId::mint(3),
        address: address("billing@example.com"),
        roles: Role::ALL.into(),
        opted_out: OptionalNotice::ALL.into(),
        confirmed_at: Some(at(2)),
        asked_at: Some(at(4)),
        problem: Some(DeliveryProblem { kind: DeliveryProblemKind::Bounced, at: at(3) }),
    };
    let complained = DeliveryProblem { kind: DeliveryProblemKind::Complained, at: at(3) };
    let pending = Contact {
        id: ContactId::mint(4),
        address: address("ops@example.com"),
        roles: [Role::Alerts].into(),
        opted_out: BTreeSet::new(),
        confirmed_at: None,
        asked_at: Some(at(4)),
        problem: None,
    };
    Contacts {
        listed: vec![complete.clone(), pending, Contact { problem: Some(complained), ..complete.clone() }],
        kept: Some(complete),
        asks: vec![at(1), at(4)],
        opened_with: address("owner@example.com"),
        customer_email: address("before@example.com"),
    }
}

pub fn receipt() -> Receipt {
    Receipt {
        number: Some("ABCDEFGH-0007".into()),
        tax: 3,
        total: 14,
        brand: Some("visa".into()),
        last4: Some("4242".into()),
    }
}

pub fn notice_kinds() -> [NoticeKind; 18] {
    let (top_up, credits, price, balance) =
        (TopUpId::mint(6), credits(10), Amount::new(Currency::USD, 11).unwrap(), credits(-12));
    [
        NoticeKind::PurchasePaid {
            purchase: PurchaseId::mint(5),
            package: package_id(),
            credits,
            price,
            balance,
            receipt: Some(receipt().into()),
        },
        NoticeKind::PurchaseFailed { purchase: PurchaseId::mint(5), package: package_id(), credits, price },
        NoticeKind::TopUpPaid { top_up: top_up.clone(), credits, price, balance, receipt: None },
        NoticeKind::TopUpDeclined {
            top_up: top_up.clone(),
            credits,
            price,
            reason: DeclineReason::NoCard,
            card: CardFace::default(),
        },
        NoticeKind::TopUpActionRequired { top_up: top_up.clone(), credits, price, card: face() },
        NoticeKind::TopUpRefused {
            top_up: top_up.clone(),
            credits,
            price,
            reason: RefusalReason::OtherPrice,
            card: face(),
        },
        NoticeKind::ContactConfirmation { contact: ContactId::mint(3) },
        NoticeKind::ContactsChanged(ContactsChange {
            added: vec![address("a@example.com"), address("b@example.com")],
            removed: vec![address("c@example.com")],
            changed: vec![address("d@example.com")],
            confirmed: vec![address("e@example.com")],
        }),
        NoticeKind::LowBalance { level: AlertLevel::credits(500).unwrap(), balance, per_day: None },
        NoticeKind::LowBalance { level: AlertLevel::days_left(7).unwrap(), balance, per_day: Some(70) },
        NoticeKind::PaymentReminder {
            top_up: top_up.clone(),
            credits,
            price,
            reason: Some(DeclineReason::ExpiredCard),
            since: at(5),
            card: face(),
        },
        NoticeKind::TopUpAbandoned { top_up: top_up.clone(), credits, price, card: face() },
        NoticeKind::CardExpiring { card: asked_card().card.unwrap().face, expiry: Expiry::new(2026, 1).unwrap() },
        NoticeKind::InvoiceIssued { purchase: PurchaseId::mint(5), credits, price, invoice: issued().into() },
        NoticeKind::InvoiceReminder {
            purchase: PurchaseId::mint(5),
            credits,
            price,
            invoice: issued().into(),
            reminder: InvoiceReminder::Overdue,
        },
        NoticeKind::InvoiceVoided { purchase: PurchaseId::mint(5), credits, price, invoice: issued().into() },
        NoticeKind::CreditsTakenBack(Box::new(ToldReversal {
            paid_for: PaidFor::TopUp(top_up),
            because: ReturnReason::Dispute,
            amount: price,
            credits,
            balance,
            is_paused: true,
        })),
        NoticeKind::CreditsGivenBack(Box::new(ToldReversal {
            paid_for: PaidFor::Purchase(PurchaseId::mint(5)),
            because: ReturnReason::Refund,
            amount: price,
            credits,
            balance,
            is_paused: false,
        })),
    ]
}

fn face() -> CardFace {
    CardFace { brand: Some("visa".to_owned()), last4: Some("4242".to_owned()) }
}

/// A card that expires, of which was told before.
pub fn asked_card() -> AskedCard {
    let face = face();
    let warning = |card: &str, ahead| Warning { card: card.to_owned(), expiry: Expiry::new(2026, 1).unwrap(), ahead };
    AskedCard {
        card: Some(KnownCard {
            id: PaymentMethodId::parse("pm_1").unwrap(),
            face,
            expiry: Expiry::new(2026, 1),
            fingerprint: Some("fp1".to_owned()),
        }),
        warnings: vec![warning("fp1", Ahead::Month), warning("pm_2", Ahead::Week)],
    }
}

/// Five levels in every state.
pub fn alerts_in_every_state() -> Alerts {
    let level = |level: AlertLevel, is_on, is_armed, told_at| LevelAlert {
        level,
        is_on,
        state: AlertState { is_armed, told_at },
    };
    let (in_credits, in_days) =
        (|number| AlertLevel::credits(number).unwrap(), |days| AlertLevel::days_left(days).unwrap());
    Alerts {
        levels: vec![
            level(in_credits(500), true, false, Some(at(5))),
            level(in_credits(100), true, true, None),
            level(in_days(7), true, true, Some(at(6))),
            level(in_days(365), false, true, None),
            level(in_credits(1), false, false, Some(at(7))),
        ],
        is_exhaustion_armed: false,
        waiting_since: Some(at(8)),
    }
}

/// A request that was refused, with everything that it may have.
pub fn refused_one() -> Refused {
    let charge_for = charge_for("job:9", Measure::DurationMs, 60_000);
    let Cause::Charge { key, operation, .. } = charge_for else { panic!("the cause is a charge") };
    Refused::One(RefusedRequest {
        at: at(3),
        because: RefusedBecause::InsufficientCredits,
        detail: "The charge costs 10 credits, 3 more than the balance.".to_owned(),
        request_id: RequestId::parse("JKJaXmPLvHcESHA=").ok(),
        key,
        operation,
        credits: credits(10),
        reference: Reference::parse("Überraschung #1").ok(),
        spender: Some(spender("key-1")),
        limit: Some(reached_limit()),
    })
}

pub fn reached_limit() -> ReachedLimit {
    let (limit, starts_again_at) = (LimitName::SpenderDay, Some(at(86_400_000)));
    ReachedLimit { limit, spender: Some(spender("key-1")), max: credits(1_000), starts_again_at }
}

/// An event of every kind, with the numbers from 1, and with every optional property there and not there.
pub fn outbound_events() -> Vec<OutboundEvent> {
    let (top_up, credits, price, balance) = (TopUpId::mint(6), credits(4_501), amount("USD", 4_501), credits(5_000));
    let paused = |issue| OutboundEventKind::TopUpPaused { top_up: TopUpId::mint(6), issue };
    let account_month = ReachedLimit { limit: LimitName::AccountMonth, spender: None, ..reached_limit() };
    let spender_total = ReachedLimit { limit: LimitName::SpenderTotal, starts_again_at: None, ..reached_limit() };
    let kinds = [
        OutboundEventKind::PurchasePaid {
            purchase: PurchaseId::mint(5),
            package: package_id(),
            credits,
            price,
            balance,
        },
        OutboundEventKind::TopUpPaid { top_up: top_up.clone(), credits, price, balance },
        paused(PaymentIssueKind::Declined(DeclineReason::ExpiredCard)),
        paused(PaymentIssueKind::ActionRequired),
        paused(PaymentIssueKind::Refused(RefusalReason::NoTaxLocation)),
        OutboundEventKind::TopUpResumed { top_up: top_up.clone() },
        OutboundEventKind::PaymentActionRequired { top_up, credits, price },
        OutboundEventKind::LimitReached(reached_limit()),
        OutboundEventKind::LimitReached(account_month),
        OutboundEventKind::LimitReached(spender_total),
        OutboundEventKind::AccountRestricted {
            reason: RestrictionReason::parse("An unusual day: 1 → 1,000").unwrap(),
            until: at(86_400_000),
        },
        OutboundEventKind::UsageUnusual { date: "2026-01-01".parse().unwrap(), credits, credits_usual: balance },
    ];
    let kinds = kinds.into_iter().chain([
        OutboundEventKind::CreditsLow {
            balance: self::credits(-5),
            levels: vec![AlertLevel::days_left(7).unwrap(), AlertLevel::credits(500).unwrap()],
        },
        OutboundEventKind::CreditsExhausted { balance: self::credits(9), required: self::credits(10) },
        OutboundEventKind::CreditsReversed {
            paid_for: PaidFor::Purchase(PurchaseId::mint(5)),
            because: ReturnReason::Refund,
            credits: self::credits(-500),
            balance: self::credits(-100),
            is_paused: true,
        },
        OutboundEventKind::CreditsReversed {
            paid_for: PaidFor::TopUp(TopUpId::mint(6)),
            because: ReturnReason::Dispute,
            credits: self::credits(500),
            balance: self::credits(900),
            is_paused: false,
        },
    ]);
    let event = |(number, kind)| OutboundEvent {
        id: OutboundEventId::mint(number),
        account: account_id(),
        kind,
        created_at: at(number as i64),
    };
    (1..).zip(kinds).map(event).collect()
}

pub fn refused_more() -> Refused {
    let counts = RefusedBecause::ALL.into_iter().zip(1..).collect();
    Refused::More(RefusedRequests { first_at: at(3), last_at: at(9), counts })
}

pub fn refusal_row(place: RefusalPlace, refused: Refused) -> RefusalRow {
    RefusalRow { account: account_id(), place, refused }
}
