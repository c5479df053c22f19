//! Everything about an account in one answer.

use crate::acts::ActBody;
use crate::entries::SupportEntryBody;
use crate::flags::FlagBody;
use crate::notices::NoticeBody;
use crate::restriction::RestrictionBody;
use crate::{Outside, existing};
use jiff::Timestamp;
use serde::Serialize;
use shared::domain::alerts::Alerts;
use shared::domain::payments::{AskedCard, ConsentRecord, gates};
use shared::domain::spending::Limit;
use shared::domain::usage::Flag;
use shared::domain::{Account, Act, Contacts, Entry, Notice, PriceBook, Purchase, SpendingChange, TopUp};
use shared::http::bodies::{AlertsBody, ContactsBody, GateBody, PaymentIssueBody, ReversalPauseBody, TopUpBody};
use shared::http::{Problem, ReachedAccount, Reply, time};
use shared::ports::{
    Acts, AlertRows, AskedCards, Consents, ContactRecords, Flags, History, LedgerError, NoticeList, PurchaseList,
    SpendingChanges, TopUpList,
};
use shared::use_cases::Context;

/// How many of the last purchases, attempts, entries, e-mails, acts and flags are shown.
const SHOWN: u8 = 10;

/// The account and its last records. The entries are read from an index that may lag by a moment.
pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    let account = existing(context, account).await?;
    let records = Records::of(context, &account).await?;
    Reply::ok(&AccountBody::of(&account, &records, &context.price_book, context.now()))
}

/// What is stored beside the account.
struct Records {
    contacts: Option<Contacts>,
    alerts: Alerts,
    consent: Option<ConsentRecord>,
    spending: Option<SpendingChange>,
    purchases: Vec<Purchase>,
    top_ups: Vec<TopUp>,
    asked_card: AskedCard,
    entries: Vec<Entry>,
    notices: Vec<Notice>,
    acts: Vec<Act>,
    flags: Vec<Flag>,
}

impl Records {
    async fn of<O: Outside>(context: &Context<O>, account: &Account) -> Result<Self, LedgerError> {
        let (ledger, id) = (&context.ledger, &account.id);
        let consent = match &account.auto_top_up {
            Some(settings) => ledger.consent_get(id, &settings.consent.id).await?,
            None => None,
        };
        let spending = match account.spending {
            Some(spending) => ledger.spending_change_get(id, spending.changed_at).await?,
            None => None,
        };
        let contacts = ledger.contacts_get(id).await?;
        Ok(Self {
            contacts: Contacts::of(account, contacts.as_ref()),
            alerts: ledger.alerts_get(id).await?.unwrap_or_default(),
            consent,
            spending,
            purchases: ledger.purchases_page(id, None, SHOWN).await?.purchases,
            asked_card: ledger.asked_card_get(id).await?,
            top_ups: ledger.top_ups_page(id, None, SHOWN).await?.records,
            entries: ledger.history_page(id, None, SHOWN.into()).await?,
            notices: ledger.notices_page(id, None, SHOWN).await?.records,
            acts: ledger.acts_page(id, None, SHOWN).await?.records,
            flags: ledger.flags_page(id, None, SHOWN).await?.records,
        })
    }
}

#[derive(Serialize)]
struct AccountBody<'a> {
    account: &'a str,
    /// The first confirmed billing contact. `None` once it was erased.
    email: Option<&'a str>,
    /// Where its e-mails go.
    contacts: ContactsBody<'a>,
    alerts: AlertsBody,
    customer: &'a str,
    balance: i64,
    pending: i64,
    /// When it was closed, if it was.
    closed_at: Option<String>,
    restriction: Option<RestrictionBody<'a>>,
    spending: SpendingBody<'a>,
    limits: LimitsBody,
    auto_top_up: AutoTopUpBody<'a>,
    purchases: Vec<PurchaseBody<'a>>,
    top_ups: Vec<TopUpBody<'a>>,
    entries: Vec<SupportEntryBody<'a>>,
    notices: Vec<NoticeBody<'a>>,
    acts: Vec<ActBody<'a>>,
    flags: Vec<FlagBody<'a>>,
    created_at: String,
    as_of: String,
}

impl<'a> AccountBody<'a> {
    fn of(account: &'a Account, records: &'a Records, price_book: &PriceBook, now: Timestamp) -> Self {
        Self {
            account: account.id.as_str(),
            email: account.email.as_ref().map(|email| email.as_str()),
            contacts: ContactsBody::of(records.contacts.as_ref()),
            alerts: AlertsBody::of(&records.alerts),
            customer: account.customer.as_str(),
            balance: account.balance.get(),
            pending: account.pending.get(),
            closed_at: account.closed_at.map(time),
            restriction: RestrictionBody::in_force(account, now),
            spending: SpendingBody::of(account, records.spending.as_ref()),
            limits: LimitsBody::of(account, now),
            auto_top_up: AutoTopUpBody::of(account, records.consent.as_ref(), price_book, now),
            purchases: records.purchases.iter().map(PurchaseBody::of).collect(),
            top_ups: records.top_ups.iter().map(|top_up| TopUpBody::of(top_up, &records.asked_card)).collect(),
            entries: records.entries.iter().map(SupportEntryBody::of).collect(),
            notices: records.notices.iter().map(NoticeBody::of).collect(),
            acts: records.acts.iter().map(ActBody::of).collect(),
            flags: records.flags.iter().map(FlagBody::of).collect(),
            created_at: time(account.created_at),
            as_of: time(now),
        }
    }
}

#[derive(Serialize)]
struct SpendingBody<'a> {
    stopped: bool,
    changed_by: Option<&'a str>,
    changed_at: Option<String>,
}

impl<'a> SpendingBody<'a> {
    fn of(account: &Account, change: Option<&'a SpendingChange>) -> Self {
        Self {
            stopped: account.spending_stopped_at().is_some(),
            changed_by: change.map(|change| change.changed_by.as_str()),
            changed_at: account.spending.map(|spending| time(spending.changed_at)),
        }
    }
}

#[derive(Serialize)]
struct LimitsBody {
    day: Option<LimitBody>,
    month: Option<LimitBody>,
    /// How many spenders have limits of their own.
    limited_spenders: u32,
}

#[derive(Serialize)]
struct LimitBody {
    limit: i64,
    used: i64,
    left: i64,
}

impl LimitsBody {
    fn of(account: &Account, now: Timestamp) -> Self {
        let limits = account.limits_at(now);
        let body =
            |limit: Limit| LimitBody { limit: limit.max.get(), used: limit.used.get(), left: limit.left().get() };
        Self { day: limits.day.map(body), month: limits.month.map(body), limited_spenders: account.limited_spenders }
    }
}

#[derive(Serialize)]
struct AutoTopUpBody<'a> {
    enabled: bool,
    threshold: Option<i64>,
    target: Option<i64>,
    /// Before tax, in the minor unit of the consent's currency.
    max_per_month: Option<i64>,
    consent: Option<ConsentBody<'a>>,
    /// The saved card, by its id at Stripe.
    payment_method: Option<&'a str>,
    payment_issue: Option<PaymentIssueBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reversal_pause: Option<ReversalPauseBody>,
    open_top_up: Option<&'a str>,
    last_top_up_at: Option<String>,
    /// Every condition between the account and its next top-up. The first closed one decides.
    gates: Vec<GateBody>,
}

impl<'a> AutoTopUpBody<'a> {
    fn of(account: &'a Account, consent: Option<&'a ConsentRecord>, price_book: &PriceBook, now: Timestamp) -> Self {
        let settings = account.auto_top_up.as_ref();
        Self {
            enabled: settings.is_some_and(|settings| settings.is_enabled),
            threshold: settings.map(|settings| settings.threshold.get()),
            target: settings.map(|settings| settings.target.get()),
            max_per_month: settings.and_then(|settings| settings.cap).map(|cap| cap.max.minor()),
            consent: consent.map(ConsentBody::of),
            payment_method: account.payment_method.as_ref().map(|card| card.as_str()),
            payment_issue: account.payment_issue.as_ref().map(PaymentIssueBody::of),
            reversal_pause: ReversalPauseBody::of(account),
            open_top_up: account.open_top_up.as_ref().map(|top_up| top_up.as_str()),
            last_top_up_at: account.last_top_up_at.map(time),
            gates: gates(account, price_book, now).iter().map(GateBody::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct ConsentBody<'a> {
    text_version: u32,
    text: &'a str,
    accepted_by: Option<&'a str>,
    accepted_at: String,
}

impl<'a> ConsentBody<'a> {
    fn of(record: &'a ConsentRecord) -> Self {
        Self {
            text_version: record.consent.text_version,
            text: &record.text,
            accepted_by: record.consent.accepted_by.as_ref().map(|consenter| consenter.as_str()),
            accepted_at: time(record.consent.accepted_at),
        }
    }
}

#[derive(Serialize)]
struct PurchaseBody<'a> {
    purchase: &'a str,
    package: &'a str,
    credits: i64,
    /// In the minor unit of the currency, as Stripe counts it.
    price: i64,
    currency: &'static str,
    status: &'static str,
    invoice: Option<&'a str>,
    payment: Option<&'a str>,
    created_at: String,
    ended_at: Option<String>,
}

impl<'a> PurchaseBody<'a> {
    fn of(purchase: &'a Purchase) -> Self {
        Self {
            purchase: purchase.id.as_str(),
            package: purchase.package.as_str(),
            credits: purchase.credits.get(),
            price: purchase.price.minor(),
            currency: purchase.price.currency().code(),
            status: purchase.status.name(),
            invoice: purchase.invoice.as_ref().map(|invoice| invoice.as_str()),
            payment: purchase.payment_intent.as_ref().map(|intent| intent.as_str()),
            created_at: time(purchase.opened_at),
            ended_at: purchase.ended_at.map(time),
        }
    }
}
