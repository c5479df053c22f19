//! The requests of callers, and checks that the answers are correct.

use crate::names;
use crate::outside::Outside;
use crate::usage::Sums;
use crate::world::Report;
use jiff::Timestamp;
use shared::clock::Clock;
use shared::domain::alerts::{ChosenLevels, LevelChoice};
use shared::domain::charging::{
    ChargeCommand, ChargeRefusal, ChargeStatus, EndRefusal, Ending, PendingCharge, RefusedRequest, RestoreRefusal,
};
use shared::domain::contacts::{ASKS_PER_DAY_MAX, Contact, ContactList, ContactsRefusal, Role};
use shared::domain::payments::{
    AutoTopUp, AutoTopUpCommand, Claim, Invoiced, PaidFor, RetryCommand, RetryRefusal, WantedRefund,
};
use shared::domain::spending::{Bounds, Limit};
use shared::domain::support::{
    ActKind, AdjustRefusal, Adjustment, Import, ImportRefusal, Imported, ResendRefusal, UntilOutOfRange,
};
use shared::domain::usage::FairUse;
use shared::domain::{
    Account, AccountId, Actor, Cause, ContactId, Credits, EmailAddress, Entry, EventId, Granularity, IdempotencyKey,
    Measure, Notice, NoticeId, NoticeKind, Origin, PaymentMethodId, Periods, PurchaseId, PurchaseStatus, RequestId,
    Restriction, Spender, TopUpRetry, TopUpStatus,
};
use shared::ports::Email;
use shared::ports::SweepPart;
use shared::use_cases::accounts::{ConfirmError, ContactsError, confirm_contact, record_returned_mail, set_contacts};
use shared::use_cases::accounts::{OpenAccountError, open_account};
use shared::use_cases::accounts::{SendNoticeError, Sent, send_notice};
use shared::use_cases::accounts::{SettingError, set_account_limits, set_spender_limits, set_spending};
use shared::use_cases::alerts::{SetAlertsError, evaluate_alerts, set_alerts};
use shared::use_cases::charging::{BatchCharge, BatchLimits, ChargeError, Charged, charge, charge_batch};
use shared::use_cases::charging::{EndError, capture, expire_charges, void};
use shared::use_cases::charging::{RestoreError, restore, write_refusals};
use shared::use_cases::liability::{CloseError, CloseLimits, close_days};
use shared::use_cases::payments::RecordOutcomeError;
use shared::use_cases::payments::follow_up;
use shared::use_cases::payments::{ApplyEventError, Subject, apply_event};
use shared::use_cases::payments::{OpenPurchaseError, PurchaseCommand, check_purchase, open_purchase};
use shared::use_cases::payments::{PauseEnding, ResumeError, RetryError, resume_top_ups, retry_top_up};
use shared::use_cases::payments::{SetAutoTopUpError, set_auto_top_up};
use shared::use_cases::payments::{SweepLimits, sweep, sweep_continue};
use shared::use_cases::support::{
    AdjustError, Asked, EraseError, Erased, ErasureLimits, ImportError, ImportOutcome, ResendError, RestrictError,
    adjust, check_top_up, erase, import, lift_restriction, resend_notice, restrict,
};
use shared::use_cases::usage::{FoldLimits, ReadUsageError, fold_usage, read_usage};
use shared::use_cases::{OutsideError, StoreError};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// One request, repeated unchanged until it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    OpenAccount(AccountId),
    Charge(AccountId, ChargeCommand),
    ChargeBatch(Vec<BatchCharge>),
    Restore(AccountId, IdempotencyKey),
    /// With what the operation really was, or as a whole.
    Capture(AccountId, IdempotencyKey, Option<(Measure, i64)>),
    Void(AccountId, IdempotencyKey),
    /// The run over expired charges.
    ExpireCharges,
    OpenPurchase(AccountId, PurchaseCommand),
    CheckPurchase(AccountId, PurchaseId),
    SetAutoTopUp(AccountId, AutoTopUpCommand),
    /// Whether the customer stops spending.
    SetSpending(AccountId, bool),
    SetLimits(AccountId, Option<Spender>, Bounds),
    SetAlerts(AccountId, ChosenLevels),
    /// The run over accounts whose balance has left its bounds.
    EvaluateAlerts,
    /// The run over cards that expire.
    WarnOfCards,
    /// A customer asks to pay the open invoice of a pause now.
    Retry(AccountId, RetryCommand),
    /// The run over unpaid attempts.
    FollowUp,
    /// The run that finds what no webhook told.
    Reconcile,
    /// The run over disputes that have to be answered.
    WarnOfDisputes,
    /// A customer ends a pause without paying.
    Resume(AccountId),
    /// A customer asks for a payment whose credits are missing.
    Find(AccountId, Claim),
    /// Somebody follows the link to what can be paid.
    PayPage(AccountId, Invoiced),
    /// A customer opens a page to save a card, makes a saved card the default, or removes it.
    OpenCardPage(AccountId),
    ChooseCard(AccountId, PaymentMethodId),
    RemoveCard(AccountId, PaymentMethodId),
    Event(EventId, Subject),
    Notice(AccountId, NoticeId),
    /// The stream delivers an entry that ends a block.
    Fold(AccountId, u64),
    /// A customer reads all usage.
    Usage(AccountId, Granularity),
    /// Support gives or takes credits.
    Adjust(AccountId, Adjustment, Asked),
    /// Support blocks charges, or lifts the block.
    Restrict(AccountId, Option<Restriction>),
    ResendNotice(AccountId, NoticeId),
    SetContacts(AccountId, ContactList),
    /// The reader of an address follows its link and confirms it.
    ConfirmContact(AccountId, ContactId),
    /// The mail service reports an e-mail that came back.
    Report(Report),
    CheckTopUp(AccountId),
    /// Support gives back money of a payment.
    Refund(AccountId, PaidFor, IdempotencyKey, WantedRefund),
    /// Support closes an account and erases what is personal in it.
    Erase(AccountId),
    /// Support imports an account with its balance.
    Import(Import),
    /// The run that closes the days of the liability.
    CloseDays,
    /// A sweep from the schedule, or the part that a timer continues.
    Sweep(Option<SweepPart>),
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Answered(String),
    /// The caller has to retry.
    NotNow(String),
    /// The answer is wrong.
    Wrong(String),
}

use Ended::{Answered, NotNow, Wrong};

impl Outside {
    /// The text is only built if the story is logged.
    pub fn answered(&self, words: impl fmt::Display) -> Ended {
        Answered(self.words(words))
    }

    fn not_now(&self, words: impl fmt::Display) -> Ended {
        NotNow(self.words(words))
    }

    fn words(&self, words: impl fmt::Display) -> String {
        if self.0.is_told() { words.to_string() } else { String::new() }
    }
}

/// The number of top-ups that a sweep processes concurrently.
const CONCURRENCY: usize = 2;

/// So small that a batch of a few charges needs several transactions, and an account has to wait.
const BATCH_LIMITS: BatchLimits = BatchLimits { together_max: 3, accounts_at_once: 2 };

/// So small that erasing an account takes several requests.
const ERASURE_LIMITS: ErasureLimits = ErasureLimits { page: 3, pages_max: 2 };
/// So small that every account is a page, and that a few entries are counted from the rows.
const CLOSE_LIMITS: CloseLimits =
    CloseLimits { accounts: 1, entries_at_first: 2, entries_of_page: 3, entries_max: 5, tail_max: 1_000 };

/// So small that a few entries are several blocks, and that a fold has to leave some for the next.
pub const FOLD_LIMITS: FoldLimits = FoldLimits { block: 4, rows_max: 3, folds_max: 3, fair_use: FAIR_USE };

/// So little that a few charges are unusual.
const FAIR_USE: FairUse =
    FairUse { days: 3, medians: 2, spreads: 2, charges_per_hour_min: 3, credits_per_day_min: 150 };

impl Request {
    /// Whether the caller repeats it until it is answered.
    pub fn is_repeated(&self) -> bool {
        match self {
            Self::OpenAccount(_)
            | Self::Charge(..)
            | Self::ChargeBatch(_)
            | Self::Restore(..)
            | Self::Capture(..)
            | Self::Void(..)
            | Self::OpenPurchase(..)
            | Self::SetAutoTopUp(..)
            | Self::SetSpending(..)
            | Self::SetLimits(..)
            | Self::SetAlerts(..)
            | Self::Adjust(..)
            | Self::Refund(..)
            | Self::Import(_)
            | Self::Restrict(..)
            | Self::Erase(_)
            | Self::ChooseCard(..)
            | Self::RemoveCard(..)
            | Self::Retry(..)
            | Self::Resume(_)
            | Self::SetContacts(..) => true,
            // Events and notices are redelivered from their own lists; the others recur on their own.
            Self::CheckPurchase(..)
            | Self::Find(..)
            | Self::PayPage(..)
            | Self::OpenCardPage(_)
            | Self::Event(..)
            | Self::Notice(..)
            | Self::Fold(..)
            | Self::Usage(..)
            | Self::ResendNotice(..)
            | Self::ConfirmContact(..)
            | Self::Report(_)
            | Self::CheckTopUp(_)
            | Self::Sweep(_)
            | Self::CloseDays
            | Self::EvaluateAlerts
            | Self::FollowUp
            | Self::Reconcile
            | Self::WarnOfDisputes
            | Self::WarnOfCards
            | Self::ExpireCharges => false,
        }
    }

    /// Runs the request in a future that owns everything it needs.
    ///
    /// Each kind is boxed separately: a single future would be as large as the largest one and be moved around as such.
    pub fn run(self, outside: Outside) -> Pin<Box<dyn Future<Output = Ended> + Send>> {
        match self {
            Self::OpenAccount(id) => Box::pin(async move { run_open_account(&outside, &id).await }),
            Self::Charge(account, command) => Box::pin(async move { run_charge(&outside, &account, &command).await }),
            Self::ChargeBatch(charges) => Box::pin(async move { run_charge_batch(&outside, &charges).await }),
            Self::Restore(account, key) => Box::pin(async move { run_restore(&outside, &account, &key).await }),
            Self::Capture(account, key, measured) => {
                Box::pin(async move { run_capture(&outside, &account, &key, measured).await })
            }
            Self::Void(account, key) => Box::pin(async move { run_void(&outside, &account, &key).await }),
            Self::ExpireCharges => Box::pin(async move { run_expire_charges(&outside).await }),
            Self::OpenPurchase(account, command) => {
                Box::pin(async move { run_open_purchase(&outside, &account, &command).await })
            }
            Self::CheckPurchase(account, id) => {
                Box::pin(async move { settled(&outside, check_purchase(&outside.context(), &account, &id).await) })
            }
            Self::SetAutoTopUp(account, command) => {
                Box::pin(async move { run_set_auto_top_up(&outside, &account, &command).await })
            }
            Self::SetSpending(account, is_stopped) => {
                Box::pin(async move { run_set_spending(&outside, &account, is_stopped).await })
            }
            Self::SetLimits(account, spender, bounds) => {
                Box::pin(async move { run_set_limits(&outside, &account, spender.as_ref(), bounds).await })
            }
            Self::SetAlerts(account, levels) => {
                Box::pin(async move { run_set_alerts(&outside, &account, &levels).await })
            }
            Self::EvaluateAlerts => Box::pin(async move { run_evaluate_alerts(&outside).await }),
            Self::WarnOfCards => Box::pin(async move { crate::expiring::run_warn(&outside).await }),
            Self::Retry(account, command) => Box::pin(async move { run_retry(&outside, &account, &command).await }),
            Self::FollowUp => Box::pin(async move { run_follow_up(&outside).await }),
            Self::Reconcile => Box::pin(async move { crate::reconciliation::run_reconcile(&outside).await }),
            Self::WarnOfDisputes => Box::pin(async move { crate::disputes::run_warn(&outside).await }),
            Self::Resume(account) => Box::pin(async move { run_resume(&outside, &account).await }),
            Self::PayPage(account, paid_for) => {
                Box::pin(async move { crate::pay_links::run_pay_page(&outside, &account, &paid_for).await })
            }
            Self::Find(account, claim) => {
                Box::pin(async move { crate::claims::run_find(&outside, &account, &claim).await })
            }
            Self::OpenCardPage(account) => {
                Box::pin(async move { crate::wallet::run_open_page(&outside, &account).await })
            }
            Self::ChooseCard(account, card) => {
                Box::pin(async move { crate::wallet::run_choose(&outside, &account, &card).await })
            }
            Self::RemoveCard(account, card) => {
                Box::pin(async move { crate::wallet::run_remove(&outside, &account, &card).await })
            }
            Self::Event(id, subject) => Box::pin(async move { run_event(&outside, &id, &subject).await }),
            Self::Notice(account, id) => Box::pin(async move { run_notice(&outside, &account, &id).await }),
            Self::Fold(account, seq) => Box::pin(async move { run_fold(&outside, &account, seq).await }),
            Self::Usage(account, granularity) => {
                Box::pin(async move { run_usage(&outside, &account, granularity).await })
            }
            Self::Adjust(account, adjustment, asked) => {
                Box::pin(async move { run_adjust(&outside, &account, &adjustment, &asked).await })
            }
            Self::Refund(account, paid_for, key, wanted) => {
                Box::pin(async move { crate::refunds::run_refund(&outside, &account, &paid_for, (&key, wanted)).await })
            }
            Self::Restrict(account, restriction) => {
                Box::pin(async move { run_restrict(&outside, &account, restriction.as_ref()).await })
            }
            Self::ResendNotice(account, id) => {
                Box::pin(async move { run_resend_notice(&outside, &account, &id).await })
            }
            Self::Import(line) => Box::pin(async move { run_import(&outside, &line).await }),
            Self::CloseDays => Box::pin(async move { run_close_days(&outside).await }),
            Self::SetContacts(account, list) => {
                Box::pin(async move { run_set_contacts(&outside, &account, &list).await })
            }
            Self::ConfirmContact(account, contact) => {
                Box::pin(async move { run_confirm_contact(&outside, &account, &contact).await })
            }
            Self::Report(report) => Box::pin(async move { run_report(&outside, &report).await }),
            Self::CheckTopUp(account) => Box::pin(async move { run_check_top_up(&outside, &account).await }),
            Self::Erase(account) => Box::pin(async move { run_erase(&outside, &account).await }),
            Self::Sweep(part) => Box::pin(async move { run_sweep(&outside, part).await }),
        }
    }
}

pub fn email(account: &AccountId) -> EmailAddress {
    EmailAddress::parse(format!("{account}@example.com")).expect("an account's id is a good local part")
}

async fn run_open_account(outside: &Outside, id: &AccountId) -> Ended {
    match open_account(&outside.context(), id, &email(id)).await {
        Ok(opened) => {
            let tables = outside.0.ledger.tables();
            let stored = tables.partitions.get(id).and_then(|partition| partition.account.as_ref());
            if stored.is_none_or(|stored| stored.customer != opened.account.customer) {
                return Wrong("the account in the answer is not the stored one".into());
            }
            outside.answered(format_args!("version {}", opened.account.version))
        }
        Err(OpenAccountError::Closed(closed)) if is_closed(outside, id) => outside.answered(closed),
        Err(OpenAccountError::Closed(_)) => Wrong("an account that is not closed is reported as closed".into()),
        Err(OpenAccountError::EmailDiffers) => Wrong("the account has another address".into()),
        Err(OpenAccountError::Outside(error)) => other(outside, &error),
    }
}

fn stored_entry(outside: &Outside, account: &AccountId, origin: &Origin) -> Option<Entry> {
    outside.0.ledger.tables().partitions.get(account)?.entries.get(origin).cloned()
}

fn is_closed(outside: &Outside, account: &AccountId) -> bool {
    let tables = outside.0.ledger.tables();
    let account = tables.partitions.get(account).and_then(|partition| partition.account.as_ref());
    account.is_some_and(|account| account.closed_at.is_some())
}

/// Whether both are the same entry, of which the texts may have been erased since.
fn is_same(entry: &Entry, other: Option<&Entry>) -> bool {
    let what = |entry: &Entry| (entry.seq, entry.origin(), entry.credits, entry.balance_after, entry.created_at);
    let hash = |entry: &Entry| entry.link.map(|link| link.hash);
    other.is_some_and(|other| what(entry) == what(other) && hash(entry) == hash(other))
}

fn is_deleted(outside: &Outside, account: &AccountId) -> bool {
    let tables = outside.0.ledger.tables();
    let account = tables.partitions.get(account).and_then(|partition| partition.account.as_ref());
    account.is_some_and(|account| outside.0.stripe().is_deleted(&account.customer))
}

fn is_open(outside: &Outside, account: &AccountId) -> bool {
    outside.0.ledger.tables().partitions.get(account).is_some_and(|partition| partition.account.is_some())
}

async fn run_charge(outside: &Outside, account: &AccountId, command: &ChargeCommand) -> Ended {
    let (task, refusals) = outside.refusals();
    let command = &ChargeCommand { request_id: RequestId::parse(task.to_string()).ok(), ..command.clone() };
    let before = BeforeCharge::of(outside, account, command);
    let context = outside.charging_context();
    let answer = charge(&context, account, command).await;
    let because = answer.as_ref().err().and_then(ChargeError::refused_because);
    let limit = answer.as_ref().err().and_then(ChargeError::limit_reached);
    let ended = check_charge(outside, &before, answer);
    if let Some(because) = because {
        let refused = RefusedRequest::of(command, because, "refused", outside.now()).limited_by(limit);
        refusals.keep(account, refused);
        write_refusals(&context, refusals).await;
    }
    ended
}

/// What was known about a charge when it was requested.
struct BeforeCharge<'a> {
    account: &'a AccountId,
    command: &'a ChargeCommand,
    entry: Option<Entry>,
    restore: Option<Entry>,
    was_open: bool,
    /// The number of the account's last entry, and its balance.
    standing: (u64, Credits),
    asked_at: Timestamp,
}

impl<'a> BeforeCharge<'a> {
    fn of(outside: &Outside, account: &'a AccountId, command: &'a ChargeCommand) -> Self {
        let key = &command.request.key;
        Self {
            account,
            command,
            entry: stored_entry(outside, account, &Origin::Charge(key.clone())),
            restore: stored_entry(outside, account, &Origin::Restore(key.clone())),
            was_open: is_open(outside, account),
            standing: standing(outside, account),
            asked_at: outside.now(),
        }
    }
}

/// Checks the answer to a charge, alone or in a batch.
fn check_charge(outside: &Outside, before: &BeforeCharge<'_>, answer: Result<Charged, ChargeError>) -> Ended {
    let BeforeCharge { account, command, entry: before, restore: restored_before, was_open, standing, asked_at } =
        before;
    let (seq_before, balance_before) = *standing;
    let key = &command.request.key;
    let stored = stored_entry(outside, account, &Origin::Charge(key.clone()));
    let restored = stored_entry(outside, account, &Origin::Restore(key.clone()));
    match answer {
        Ok(Charged { posted, .. }) if !is_same(&posted.entry, stored.as_ref()) => {
            Wrong("the charge in the answer is not the stored one".into())
        }
        Ok(Charged { posted, .. }) if !is_charge_of(&posted.entry, command) => {
            Wrong("the charge in the answer is not the requested one".into())
        }
        Ok(Charged { posted, .. }) if before.is_some() && !posted.is_replay => {
            Wrong("a replay is reported as a new charge".into())
        }
        Ok(Charged { restore: None, .. }) if restored_before.is_some() => {
            Wrong("a restored charge is reported as posted".into())
        }
        Ok(Charged { restore: Some(restore), .. }) if restored != Some(restore.clone()) => {
            Wrong("a charge is wrongly reported as restored".into())
        }
        Ok(Charged { posted, .. }) => {
            outside.answered(format_args!("{} credits, replay {}", posted.entry.credits, posted.is_replay))
        }
        Err(ChargeError::KeyReused(_)) => {
            if stored.as_ref().is_some_and(|stored| is_erased(stored) || !is_charge_of(stored, command)) {
                outside.answered("key reused")
            } else {
                Wrong("a key is wrongly reported as reused".into())
            }
        }
        Err(ChargeError::Refused(ChargeRefusal::Closed(_))) if !is_closed(outside, account) => {
            Wrong("a charge is refused by an account that is not closed".into())
        }
        // A closed account refuses another request under a used key like a new one.
        Err(ChargeError::Refused(ChargeRefusal::Closed(closed)))
            if before.as_ref().is_none_or(|before| !is_charge_of(before, command)) =>
        {
            outside.answered(closed)
        }
        Err(ChargeError::Refused(_)) if before.is_some() => Wrong("a posted charge is refused".into()),
        Err(ChargeError::Refused(ChargeRefusal::InsufficientCredits { balance, required, .. }))
            if balance >= required =>
        {
            Wrong("a charge is refused although the balance covers it".into())
        }
        Err(ChargeError::Refused(ChargeRefusal::InsufficientCredits { balance, .. }))
            if balance != balance_before && !was_balance(outside, account, balance, seq_before) =>
        {
            Wrong("a charge is refused for a balance that the account did not have since the request".into())
        }
        Err(ChargeError::Refused(ChargeRefusal::Restricted { until, .. })) if until <= *asked_at => {
            Wrong("a charge is refused by a restriction that has ended".into())
        }
        Err(ChargeError::Refused(ChargeRefusal::LimitReached(reached))) if reached.left >= reached.required => {
            Wrong("a charge is refused although the limit leaves it".into())
        }
        Err(ChargeError::Refused(ChargeRefusal::SpendingStopped { stopped_at }))
            if !was_stopped_at(outside, account, stopped_at) =>
        {
            Wrong("a charge is refused by a stop that nobody asked for".into())
        }
        Err(ChargeError::Refused(refusal)) => outside.answered(refusal),
        Err(ChargeError::NotFound(_)) if *was_open => Wrong("an open account is not found".into()),
        Err(ChargeError::NotFound(_)) => outside.answered("no such account"),
        Err(ChargeError::Store(error)) => store(outside, &error),
    }
}

/// The number of the account's last entry, and its balance; both are zero until it is open.
fn standing(outside: &Outside, account: &AccountId) -> (u64, Credits) {
    let tables = outside.0.ledger.tables();
    let stored = tables.partitions.get(account).and_then(|partition| partition.account.as_ref());
    stored.map_or((0, Credits::ZERO), |account| (account.seq, account.balance))
}

/// Whether an entry after this one left the account with this balance.
fn was_balance(outside: &Outside, account: &AccountId, balance: Credits, after_seq: u64) -> bool {
    let tables = outside.0.ledger.tables();
    let entries = tables.partitions.get(account).into_iter().flat_map(|partition| partition.entries.values());
    entries.filter(|entry| entry.seq > after_seq).any(|entry| entry.balance_after == balance)
}

/// Answered once every charge has a result.
async fn run_charge_batch(outside: &Outside, charges: &[BatchCharge]) -> Ended {
    let before: Vec<_> =
        charges.iter().map(|charge| BeforeCharge::of(outside, &charge.account, &charge.command)).collect();
    let context = outside.charging_context();
    let (mut parts, mut left) = (vec![], vec![]);
    charge_batch(&context, charges, BATCH_LIMITS, |part| {
        parts.push(part.answers);
        left.extend(part.unanswered);
    })
    .await;
    let mut counts = vec![0; charges.len()];
    let answered = parts.iter().flatten().map(|(position, _)| *position);
    answered.chain(left.iter().flat_map(|left| left.positions.iter().copied())).for_each(|place| counts[place] += 1);
    if counts.iter().any(|count| *count != 1) {
        return Wrong(format!("the charges of a batch have {counts:?} results"));
    }
    for mut part in parts {
        part.sort_by_key(|(position, _)| *position);
        if let Err(rule) = check_order(&part) {
            return Wrong(rule);
        }
        for (position, answer) in part {
            if let Wrong(rule) = check_charge(outside, &before[position], answer) {
                return Wrong(rule);
            }
        }
    }
    match left.first() {
        Some(left) => store(outside, &left.error),
        None => outside.answered(format_args!("{} results", charges.len())),
    }
}

/// The new charges of one transaction have consecutive entries in their order, and what is refused between them is
/// refused on the balance that its turn found.
fn check_order(part: &[(usize, Result<Charged, ChargeError>)]) -> Result<(), String> {
    let is_new = |charged: &&Charged| !charged.posted.is_replay;
    let new = part.iter().filter_map(|(_, answer)| answer.as_ref().ok().filter(is_new).map(|new| &new.posted.entry));
    let new: Vec<_> = new.collect();
    if new.windows(2).any(|pair| pair[0].seq + 1 != pair[1].seq) {
        return Err("the charges of a transaction are not posted in their order".into());
    }
    let Some(first) = new.first() else { return Ok(()) };
    let mut found = first.balance_after.get() - first.credits.get();
    for (_, answer) in part {
        match answer {
            Ok(charged) if is_new(&charged) => found = charged.posted.entry.balance_after.get(),
            Err(ChargeError::Refused(ChargeRefusal::InsufficientCredits { balance, .. })) if balance.get() != found => {
                return Err(format!("a charge is refused on a balance of {balance} where its turn found {found}"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_charge_of(entry: &Entry, command: &ChargeCommand) -> bool {
    let Cause::Charge { key, operation, reference, spender, expires_in, .. } = &entry.cause else { return false };
    let request = &command.request;
    // Of a text that was erased, nobody can tell what it was.
    let erased = entry.link.map(|link| link.erased).unwrap_or_default();
    let is_reference = *reference == request.reference || erased.reference.is_some();
    let is_spender = *spender == request.spender || erased.spender.is_some();
    let is_same = *operation == request.operation && *expires_in == request.expires_in;
    *key == request.key && is_same && is_reference && is_spender
}

fn stored_pending(outside: &Outside, account: &AccountId, key: &IdempotencyKey) -> Option<PendingCharge> {
    outside.0.ledger.tables().partitions.get(account)?.pending.get(key).cloned()
}

async fn run_capture(
    outside: &Outside,
    account: &AccountId,
    key: &IdempotencyKey,
    measured: Option<(Measure, i64)>,
) -> Ended {
    let before = stored_pending(outside, account, key);
    let is_wanted = |pending: &PendingCharge| {
        let wanted = measured.map_or(pending.operation.amount, |(_, amount)| amount);
        matches!(pending.end.map(|end| end.ending), Some(Ending::Captured { amount }) if amount == wanted)
    };
    match capture(&outside.charging_context(), account, key, measured).await {
        Ok(ended) if !is_wanted(&ended.charge) => Wrong("the capture in the answer is not the requested one".into()),
        Err(EndError::NotPending(_)) if before.as_ref().is_some_and(is_wanted) => {
            Wrong("a capture is refused when it is repeated".into())
        }
        Err(EndError::Refused(EndRefusal::AboveCharge(range)))
            if before.as_ref().is_some_and(|before| range.value <= before.operation.amount) =>
        {
            Wrong("a capture is refused although the charge covers it".into())
        }
        Err(EndError::Refused(refusal @ EndRefusal::AboveCharge(_))) => outside.answered(refusal),
        answer => ended(outside, account, before.as_ref(), answer),
    }
}

async fn run_void(outside: &Outside, account: &AccountId, key: &IdempotencyKey) -> Ended {
    let before = stored_pending(outside, account, key);
    let is_voided = |pending: &PendingCharge| pending.status() == ChargeStatus::Voided;
    match void(&outside.charging_context(), account, key).await {
        Ok(ended) if !is_voided(&ended.charge) => Wrong("the charge in the answer is not voided".into()),
        Err(EndError::NotPending(_)) if before.as_ref().is_some_and(is_voided) => {
            Wrong("a void is refused when it is repeated".into())
        }
        answer => ended(outside, account, before.as_ref(), answer),
    }
}

/// What captures and voids have in common.
fn ended(
    outside: &Outside,
    account: &AccountId,
    before: Option<&PendingCharge>,
    answer: Result<shared::use_cases::charging::Ended, EndError>,
) -> Ended {
    let was_pending = before.is_some_and(|before| before.end.is_none());
    match answer {
        Ok(ended) if stored_pending(outside, account, &ended.charge.charge).as_ref() != Some(&ended.charge) => {
            Wrong("the charge in the answer is not the stored one".into())
        }
        Ok(ended) if before.is_some() && !was_pending && !ended.is_replay => {
            Wrong("a replay is reported as a new end".into())
        }
        Ok(ended) => outside.answered(format_args!("{:?}, replay {}", ended.charge.end, ended.is_replay)),
        Err(EndError::NotPending(state)) if state.status == ChargeStatus::Pending => {
            Wrong("a pending charge is reported as not pending".into())
        }
        Err(EndError::NotPending(state)) => outside.answered(format_args!("{state:?}")),
        Err(EndError::NotFound(_)) if before.is_some() => Wrong("a pending charge is not found".into()),
        Err(EndError::NotFound(_)) => outside.answered("no such charge"),
        Err(EndError::Refused(refusal)) => Wrong(refusal.to_string()),
        Err(EndError::Store(error)) => store(outside, &error),
    }
}

async fn run_expire_charges(outside: &Outside) -> Ended {
    let begin_before = outside.now() + outside.0.desk().sweep_time;
    match expire_charges(&outside.context(), begin_before).await {
        Ok(summary) => outside.answered(format_args!("{summary:?}")),
        Err(error) => store(outside, &error),
    }
}

fn was_stopped_at(outside: &Outside, account: &AccountId, instant: Timestamp) -> bool {
    if is_closed(outside, account) {
        // Who stopped it and when is erased.
        return true;
    }
    let tables = outside.0.ledger.tables();
    let changes = tables.partitions.get(account).map(|partition| &partition.spending_changes);
    changes.and_then(|changes| changes.get(&instant)).is_some_and(|change| change.is_stopped)
}

async fn run_restore(outside: &Outside, account: &AccountId, key: &IdempotencyKey) -> Ended {
    let charged = stored_entry(outside, account, &Origin::Charge(key.clone()));
    match restore(&outside.charging_context(), account, key).await {
        Ok(posted) if stored_entry(outside, account, &posted.entry.origin()).as_ref() != Some(&posted.entry) => {
            Wrong("the restore in the answer is not the stored one".into())
        }
        Ok(posted) => outside.answered(format_args!("{} credits, replay {}", posted.entry.credits, posted.is_replay)),
        Err(RestoreError::NotFound(_)) if charged.is_some() => Wrong("a posted charge is not found".into()),
        Err(RestoreError::NotFound(_)) => outside.answered("no such charge"),
        Err(RestoreError::Refused(refusal @ RestoreRefusal::NotPosted(status))) if status != ChargeStatus::Posted => {
            outside.answered(refusal)
        }
        Err(RestoreError::Refused(refusal)) => Wrong(refusal.to_string()),
        Err(RestoreError::Store(error)) => store(outside, &error),
    }
}

async fn run_open_purchase(outside: &Outside, account: &AccountId, command: &PurchaseCommand) -> Ended {
    let was_open = is_open(outside, account);
    match open_purchase(&outside.context(), account, command).await {
        Ok(opened) => {
            let tables = outside.0.ledger.tables();
            let partition = tables.partitions.get(account);
            let known = partition.and_then(|partition| partition.purchase_keys.get(&command.key));
            let stored = known.and_then(|id| partition?.purchases.get(id));
            if stored.is_none_or(|stored| stored.id != opened.purchase.id || stored.package != command.package) {
                return Wrong("the purchase in the answer does not belong to the key".into());
            }
            let has_way = opened.purchase.checkout.is_some() || opened.purchase.issued().is_some();
            if opened.purchase.status == PurchaseStatus::Open && !has_way {
                return Wrong("an open purchase is reported without its page".into());
            }
            outside.answered(opened.purchase.id)
        }
        Err(OpenPurchaseError::NotFound(_)) if was_open => Wrong("an open account is not found".into()),
        Err(OpenPurchaseError::Closed(_)) if !is_closed(outside, account) => {
            Wrong("a purchase is refused by an account that is not closed".into())
        }
        Err(OpenPurchaseError::PackageNotFound(_)) => Wrong("a package that is sold is not found".into()),
        Err(OpenPurchaseError::InvoicesNotOffered) => Wrong("invoices are offered".into()),
        Err(error @ (OpenPurchaseError::TooManyUnpaid(_) | OpenPurchaseError::InvoiceRefused(_))) => {
            outside.answered(error)
        }
        Err(OpenPurchaseError::Outside(error)) => other(outside, &error),
        Err(OpenPurchaseError::CustomerDeleted) if !is_deleted(outside, account) => {
            Wrong("a customer is wrongly reported as deleted".into())
        }
        Err(error @ (OpenPurchaseError::CustomerDeleted | OpenPurchaseError::Closed(_))) => {
            let tables = outside.0.ledger.tables();
            let opened = tables.partitions.get(account).and_then(|known| known.purchase_keys.get(&command.key));
            outside.0.stripe().told.refused_purchases.extend(opened.cloned());
            outside.answered(error)
        }
        Err(error @ (OpenPurchaseError::NotFound(_) | OpenPurchaseError::KeyReused(_))) => outside.answered(error),
    }
}

async fn run_set_auto_top_up(outside: &Outside, account: &AccountId, command: &AutoTopUpCommand) -> Ended {
    match set_auto_top_up(&outside.context(), account, command).await {
        Ok(changed) => {
            let settings = changed.auto_top_up.as_ref();
            let cap = |settings: &AutoTopUp| settings.cap.map(|cap| cap.max.minor());
            let chosen = settings.map(|settings| (settings.is_enabled, settings.credits(), cap(settings)));
            let is_asked = match command {
                AutoTopUpCommand::Off { .. } => chosen.is_none_or(|(is_enabled, ..)| !is_enabled),
                AutoTopUpCommand::On { threshold, target, max_per_month, .. } => {
                    chosen == Some((true, (*threshold, *target), *max_per_month))
                }
            };
            if !is_asked {
                return Wrong("the settings in the answer are not the requested ones".into());
            }
            outside.answered(format_args!("version {}", changed.version))
        }
        Err(SetAutoTopUpError::Store(error)) => store(outside, &error),
        Err(error) => outside.answered(error),
    }
}

async fn run_set_spending(outside: &Outside, account: &AccountId, is_stopped: bool) -> Ended {
    let owner = Actor::parse("owner").expect("a good name");
    match set_spending(&outside.context(), account, is_stopped, &owner).await {
        Ok(changed) if changed.spending_stopped_at().is_some() != is_stopped => {
            Wrong("the stop in the answer is not the requested one".into())
        }
        Ok(changed) => outside.answered(format_args!("version {}", changed.version)),
        Err(error) => setting(outside, error),
    }
}

async fn run_set_limits(outside: &Outside, account: &AccountId, spender: Option<&Spender>, bounds: Bounds) -> Ended {
    let context = outside.context();
    let set = match spender {
        None => set_account_limits(&context, account, bounds.day, bounds.month).await.map(|account| account.limits),
        Some(spender) => set_spender_limits(&context, account, spender, bounds)
            .await
            .map(|(_, limits)| limits.map(|limits| limits.limits).unwrap_or_default()),
    };
    match set {
        Ok(limits) => {
            let max = |limit: Option<Limit>| limit.map(|limit| limit.max);
            let asked = (bounds.day, bounds.month, bounds.total);
            if (max(limits.day), max(limits.month), max(limits.total)) != asked {
                return Wrong("the limits in the answer are not the requested ones".into());
            }
            outside.answered(format_args!("{limits:?}"))
        }
        Err(error) => setting(outside, error),
    }
}

async fn run_set_alerts(outside: &Outside, account: &AccountId, levels: &ChosenLevels) -> Ended {
    match set_alerts(&outside.context(), account, levels).await {
        Ok(alerts) => {
            let set = alerts.levels.iter().map(|alert| LevelChoice { level: alert.level, is_on: alert.is_on });
            if set.collect::<Vec<_>>() != levels.choices() {
                return Wrong("the levels in the answer are not the requested ones".into());
            }
            outside.answered(format_args!("{alerts:?}"))
        }
        Err(SetAlertsError::NotFound(missing)) => outside.answered(missing),
        Err(SetAlertsError::Closed(closed)) => outside.answered(closed),
        Err(SetAlertsError::Store(error)) => store(outside, &error),
    }
}

async fn run_evaluate_alerts(outside: &Outside) -> Ended {
    let begin_before = outside.now() + outside.0.desk().sweep_time;
    match evaluate_alerts(&outside.context(), begin_before).await {
        Ok(summary) => outside.answered(format_args!("{summary:?}")),
        Err(error) => store(outside, &error),
    }
}

fn setting(outside: &Outside, error: SettingError) -> Ended {
    match error {
        SettingError::NotFound(missing) => outside.answered(missing),
        SettingError::Closed(closed) => outside.answered(closed),
        SettingError::Store(error) => store(outside, &error),
    }
}

async fn run_adjust(outside: &Outside, account: &AccountId, adjustment: &Adjustment, asked: &Asked) -> Ended {
    let origin = Origin::Adjustment(adjustment.key.clone());
    let is_asked = |entry: &Entry| {
        let is_of_reason = matches!(&entry.cause, Cause::Adjustment { reason, .. }
            if reason.as_ref().is_none_or(|reason| *reason == asked.reason));
        is_of_reason && entry.credits == adjustment.credits.get()
    };
    let (before, was_open) = (stored_entry(outside, account, &origin), is_open(outside, account));
    let answer = adjust(&outside.context(), account, adjustment, asked).await;
    let stored = stored_entry(outside, account, &origin);
    match answer {
        Ok(posted) if !is_same(&posted.entry, stored.as_ref()) => {
            Wrong("the adjustment in the answer is not the stored one".into())
        }
        Ok(posted) if !is_asked(&posted.entry) => Wrong("the adjustment in the answer is not the requested one".into()),
        Ok(posted) if before.is_some() && !posted.is_replay => Wrong("a replay is reported as new".into()),
        Ok(posted) => outside.answered(format_args!("{} credits, replay {}", posted.entry.credits, posted.is_replay)),
        Err(AdjustError::Refused(AdjustRefusal::Closed(_))) if !is_closed(outside, account) => {
            Wrong("an adjustment is refused by an account that is not closed".into())
        }
        Err(AdjustError::KeyReused(_))
            if stored.as_ref().is_none_or(|stored| !is_erased(stored) && is_asked(stored)) =>
        {
            Wrong("a key is wrongly reported as reused".into())
        }
        Err(AdjustError::Refused(_)) if before.is_some() => Wrong("a posted adjustment is refused".into()),
        Err(AdjustError::Refused(AdjustRefusal::BelowZero { balance, credits })) if balance >= credits => {
            Wrong("an adjustment is refused although the balance covers it".into())
        }
        Err(AdjustError::NotFound(_)) if was_open => Wrong("an open account is not found".into()),
        Err(AdjustError::Store(error)) => store(outside, &error),
        Err(error) => outside.answered(error),
    }
}

async fn run_import(outside: &Outside, line: &Import) -> Ended {
    let stored = || outside.0.ledger.tables().imported.get(&line.source).cloned();
    let is_asked = |imported: &Imported| (&imported.account, imported.credits) == (&line.account, line.credits.get());
    let (before, was_open) = (stored(), is_open(outside, &line.account));
    let answer = import(&outside.context(), line, &names::asked("Moved to us.")).await;
    match answer {
        Ok(outcome) if !stored().as_ref().is_some_and(is_asked) => {
            Wrong(format!("{outcome:?} is answered and not recorded"))
        }
        Ok(ImportOutcome::Opened { .. }) if was_open => Wrong("an open account is opened".into()),
        Ok(ImportOutcome::Opened { .. } | ImportOutcome::Credited { .. } | ImportOutcome::Exists { .. })
            if before.is_some() =>
        {
            Wrong("a replay is reported as new".into())
        }
        Ok(outcome) => outside.answered(format_args!("{outcome:?}")),
        Err(ImportError::Refused(ImportRefusal::OtherAccount | ImportRefusal::OtherCredits { .. }))
            if stored().is_some_and(|imported| !is_asked(&imported)) =>
        {
            outside.answered("a conflict")
        }
        Err(ImportError::Refused(refusal @ ImportRefusal::Closed(_))) if is_closed(outside, &line.account) => {
            outside.answered(refusal)
        }
        Err(ImportError::Refused(refusal)) => Wrong(refusal.to_string()),
        Err(ImportError::Outside(error)) => other(outside, &error),
    }
}

/// The index may be behind by moments, and not by the half hour after which a day is closed.
async fn run_close_days(outside: &Outside) -> Ended {
    outside.0.ledger.tables().catch_up(usize::MAX);
    let begin_before = outside.now() + outside.0.desk().sweep_time;
    match close_days(&outside.context(), CLOSE_LIMITS, begin_before).await {
        Ok(summary) if summary.disagreeing > 0 => Wrong(format!("a day does not agree: {summary:?}")),
        Ok(summary) => outside.answered(format_args!("{summary:?}")),
        Err(error @ CloseError::Missing { .. }) => Wrong(error.to_string()),
        Err(CloseError::Ledger(error)) if !error.is_retryable() => Wrong(error.to_string()),
        Err(error) => outside.not_now(error),
    }
}

async fn run_restrict(outside: &Outside, account: &AccountId, restriction: Option<&Restriction>) -> Ended {
    let (context, asked_at) = (outside.context(), outside.now());
    let Some(restriction) = restriction else {
        return match lift_restriction(&context, account, &names::asked("Looked into.")).await {
            Ok(changed) if changed.restriction_at(outside.now()).is_some() => {
                Wrong("a restriction is in force after it was lifted".into())
            }
            Ok(changed) => outside.answered(format_args!("version {}", changed.version)),
            Err(error) => setting(outside, error),
        };
    };
    match restrict(&context, account, restriction, &names::asked("Unusual consumption.")).await {
        Ok(changed) if changed.restriction.as_ref() != Some(restriction) => {
            Wrong("the restriction in the answer is not the requested one".into())
        }
        Ok(changed) => outside.answered(format_args!("version {}", changed.version)),
        Err(RestrictError::UntilOutOfRange(UntilOutOfRange { after, .. })) if after < asked_at => {
            Wrong("a restriction is refused for a time before the request".into())
        }
        Err(RestrictError::Store(error)) => store(outside, &error),
        Err(error) => outside.answered(error),
    }
}

async fn run_resend_notice(outside: &Outside, account: &AccountId, id: &NoticeId) -> Ended {
    match resend_notice(&outside.context(), account, id, &names::asked("It was not found.")).await {
        Ok(resent) => {
            let tables = outside.0.ledger.tables();
            let Some(partition) = tables.partitions.get(account) else {
                return Wrong("an e-mail of no account is sent again".into());
            };
            let is_erased = partition.erasure.is_some();
            let stored = partition.notices.get(&resent.id);
            if !is_erased && stored.is_none_or(|stored| stored.kind != resent.kind) {
                return Wrong("the e-mail in the answer is not stored".into());
            }
            outside.answered(resent.id)
        }
        Err(ResendError::NotFound(missing)) if is_closed(outside, account) => outside.answered(missing),
        Err(ResendError::NotFound(_)) => Wrong("a stored e-mail is not found".into()),
        Err(ResendError::Refused(refusal @ ResendRefusal::TooMany { .. })) if resends(outside, account) == 0 => {
            Wrong(refusal.to_string())
        }
        Err(ResendError::Store(error)) => store(outside, &error),
        Err(error) => outside.answered(error),
    }
}

/// It is repeated until it is complete, or refused because something is under way.
async fn run_erase(outside: &Outside, account: &AccountId) -> Ended {
    let was_open = is_open(outside, account);
    match erase(&outside.context(), account, &names::asked("The customer asks."), ERASURE_LIMITS).await {
        Ok(_) if !is_closed(outside, account) => Wrong("an account is erased and not closed".into()),
        Ok(Erased { erasure, .. }) if erasure.completed_at.is_none() => outside.not_now(format_args!("{erasure:?}")),
        Ok(Erased { erasure, .. }) => outside.answered(format_args!("{erasure:?}")),
        Err(EraseError::Refused(refusal)) => outside.answered(refusal),
        Err(EraseError::NotFound(_)) if was_open => Wrong("an open account is not found".into()),
        Err(EraseError::NotFound(missing)) => outside.answered(missing),
        Err(EraseError::Store(error)) => store(outside, &error),
    }
}

fn resends(outside: &Outside, account: &AccountId) -> usize {
    count_acts(outside, account, |kind| matches!(kind, ActKind::NoticeResent { .. }))
}

fn count_acts(outside: &Outside, account: &AccountId, is_such: fn(&ActKind) -> bool) -> usize {
    let tables = outside.0.ledger.tables();
    let acts = tables.partitions.get(account).into_iter().flat_map(|partition| partition.acts.values());
    acts.filter(|act| is_such(&act.kind)).count()
}

async fn run_check_top_up(outside: &Outside, account: &AccountId) -> Ended {
    let checks = || count_acts(outside, account, |kind| matches!(kind, ActKind::TopUpChecked));
    let (before, was_open) = (checks(), is_open(outside, account));
    match check_top_up(&outside.context(), account, &names::asked("The customer asks.")).await {
        Ok(_) if checks() == before => Wrong("a check is not recorded".into()),
        Ok(checked) => outside.answered(format_args!("{checked:?}")),
        Err(RecordOutcomeError::NotFound(missing)) if !was_open => outside.answered(missing),
        Err(error) => settled::<()>(outside, Err(error)),
    }
}

fn stored_account(outside: &Outside, account: &AccountId) -> Option<Account> {
    outside.0.ledger.tables().partitions.get(account)?.account.clone()
}

/// How often credits were taken back from the account, or given back again.
fn reversals(outside: &Outside, account: &AccountId) -> usize {
    let tables = outside.0.ledger.tables();
    let entries = tables.partitions.get(account).map(|partition| partition.entries.keys());
    entries.into_iter().flatten().filter(|origin| matches!(origin, Origin::Reversal(..))).count()
}

fn stored_retry(outside: &Outside, account: &AccountId, key: &IdempotencyKey) -> Option<TopUpRetry> {
    outside.0.ledger.tables().partitions.get(account)?.retries.get(key).cloned()
}

async fn run_follow_up(outside: &Outside) -> Ended {
    let begin_before = outside.now() + outside.0.desk().sweep_time;
    match follow_up(&outside.context(), begin_before).await {
        Ok(summary) => outside.answered(format_args!("{summary:?}")),
        Err(error) => store(outside, &error),
    }
}

async fn run_retry(outside: &Outside, account: &AccountId, command: &RetryCommand) -> Ended {
    let before = (stored_retry(outside, account, &command.key), stored_account(outside, account));
    let answer = retry_top_up(&outside.context(), account, command).await;
    let stored = stored_retry(outside, account, &command.key);
    let is_same_card = stored.as_ref().is_none_or(|stored| stored.named == command.card);
    match (answer, before) {
        (Ok(retried), _) if stored.as_ref() != Some(&retried.retry) => {
            Wrong("the retry in the answer is not the stored one".into())
        }
        (Ok(_), _) if !is_same_card => Wrong("a key answers the request for another card".into()),
        (Ok(retried), _) if retried.retry.status == TopUpStatus::Open => {
            Wrong("a retry is answered without an outcome".into())
        }
        (Ok(retried), (Some(before), _)) if before.status != TopUpStatus::Open && before != retried.retry => {
            Wrong("the same retry is answered otherwise".into())
        }
        (Ok(retried), (Some(_), _)) if !retried.is_replay => Wrong("a replay is reported as a new retry".into()),
        (Ok(retried), _)
            if matches!(retried.retry.status, TopUpStatus::Paid | TopUpStatus::PartlyPaid)
                && stored_entry(outside, account, &Origin::TopUp(retried.retry.top_up.clone())).is_none() =>
        {
            Wrong("a retry is reported as paid, and its credits are not granted".into())
        }
        (Ok(retried), _) => outside.answered(format_args!("{:?}, replay {}", retried.retry, retried.is_replay)),
        (Err(RetryError::Refused(RetryRefusal::KeyReused(_))), _) if is_same_card => {
            Wrong("a key is wrongly reported as reused".into())
        }
        (Err(RetryError::Refused(refusal)), (Some(_), _)) if is_same_card => {
            Wrong(format!("a stored retry is refused: {refusal}"))
        }
        (Err(RetryError::Refused(refusal @ RetryRefusal::NotPaused)), (_, Some(before)))
            if stored_account(outside, account)
                .is_some_and(|now| now.version == before.version && before.payment_issue.is_some()) =>
        {
            Wrong(refusal.to_string())
        }
        (Err(RetryError::Refused(refusal)), _) => outside.answered(refusal),
        (Err(RetryError::NotFound(missing)), _) => outside.answered(missing),
        (Err(RetryError::Mismatch(refusal)), _) => Wrong(refusal.to_string()),
        (Err(error @ RetryError::Unknown), _) => outside.not_now(error),
        (Err(RetryError::Outside(error)), _) => other(outside, &error),
    }
}

/// Nothing is armed again without a valid card, and a pause that is over is over.
async fn run_resume(outside: &Outside, account: &AccountId) -> Ended {
    let is_armed = |account: &Option<Account>| {
        account.as_ref().is_some_and(|account| account.auto_top_up.as_ref().is_some_and(|chosen| chosen.is_enabled))
    };
    let customer = stored_account(outside, account).map(|account| account.customer);
    let has_card = || customer.as_ref().is_some_and(|customer| outside.0.stripe().has_valid_card(customer));
    // The default may be another card for a moment, and Stripe shows that one.
    let shown = || customer.as_ref().and_then(|customer| outside.0.stripe().told.valid_cards.get(customer).copied());
    let (before, had_card, shown_before) = (stored_account(outside, account), has_card(), shown());
    let reversals_before = reversals(outside, account);
    let answer = resume_top_ups(&outside.context(), account).await;
    let after = stored_account(outside, account);
    // While the request waited to be begun, the invoice may have been paid and another payment refunded.
    let may_be_of_reversal = before.as_ref().is_some_and(|before| before.reversal_pause.is_some())
        || reversals(outside, account) > reversals_before;
    let issue = before.as_ref().and_then(|before| before.payment_issue.as_ref()).map(|issue| &issue.top_up);
    match answer {
        Ok(resumed)
            if resumed.ending == PauseEnding::Resumed
                && resumed.account.reversal_pause.is_some()
                && resumed.account.reversal_pause == before.as_ref().and_then(|before| before.reversal_pause) =>
        {
            Wrong("a pause is reported as over, and it lasts".into())
        }
        Ok(resumed) if resumed.ending == PauseEnding::Resumed && resumed.account.payment_issue.is_some() => {
            let issue_now = resumed.account.payment_issue.map(|issue| issue.top_up);
            if issue_now.as_ref() == issue {
                return Wrong("a pause is reported as over, and it lasts".into());
            }
            outside.answered("resumed, and paused again")
        }
        Ok(resumed)
            if resumed.ending == PauseEnding::Resumed
                && !may_be_of_reversal
                && issue.is_some_and(|issue| outside.0.stripe().has_received_for(issue)) =>
        {
            Wrong("a pause is reported as over without a payment, and its invoice is paid".into())
        }
        Ok(resumed)
            if resumed.ending == PauseEnding::Resumed
                && is_armed(&before)
                && is_armed(&after)
                && !had_card
                && !has_card()
                && shown() == shown_before =>
        {
            Wrong(format!("{account} is armed again without a valid card"))
        }
        Ok(resumed) => outside.answered(format_args!("{:?}", resumed.ending)),
        Err(ResumeError::Refused(refusal)) => outside.answered(refusal),
        Err(ResumeError::NotFound(missing)) => outside.answered(missing),
        Err(ResumeError::Mismatch(refusal)) => Wrong(refusal.to_string()),
        Err(error @ ResumeError::Unknown) => outside.not_now(error),
        Err(ResumeError::Outside(error)) => other(outside, &error),
    }
}

async fn run_event(outside: &Outside, id: &EventId, subject: &Subject) -> Ended {
    match apply_event(&outside.context(), id, subject).await {
        Ok(applied) => outside.answered(format_args!("{applied:?}")),
        Err(ApplyEventError::Mismatch(refusal)) => Wrong(refusal.to_string()),
        Err(ApplyEventError::BalanceOutOfRange(error)) => Wrong(error.to_string()),
        Err(ApplyEventError::Outside(error)) => other(outside, &error),
    }
}

async fn run_sweep(outside: &Outside, part: Option<SweepPart>) -> Ended {
    let now = outside.now();
    let part = part.unwrap_or_else(|| SweepPart::first(now, now));
    let begin_before = (now + outside.0.desk().sweep_time).min(part.ends_at());
    let limits = SweepLimits { concurrency: CONCURRENCY, begin_before };
    let context = outside.context();
    match sweep(&context, &part, limits).await {
        Ok(swept) => {
            let is_continued = sweep_continue(&context, &part, &swept, "top-up-sweep").await;
            outside.answered(format_args!("{:?}, continued {is_continued}", swept.summary))
        }
        Err(error) => store(outside, &error),
    }
}

async fn run_notice(outside: &Outside, account: &AccountId, id: &NoticeId) -> Ended {
    let render = |notice: &Notice, to| {
        let (subject, account) = (notice.id.to_string(), notice.account.clone());
        let (text, html) = (String::new(), String::new());
        Ok::<_, Infallible>(Email { to, subject, text, html, account, notice: notice.id.clone() })
    };
    match send_notice(&outside.context(), account, id, render).await {
        Ok(Sent::Undeliverable) if reachable(outside, account, id) => {
            Wrong(format!("{id} is sent to nobody although a contact takes e-mail"))
        }
        Ok(sent) => {
            if sent == Sent::Undeliverable {
                outside.0.readers().undeliverable.insert(id.clone());
            }
            outside.answered(format_args!("{sent:?}"))
        }
        Err(SendNoticeError::Unread(error) | SendNoticeError::Unmarked(error)) if !error.is_retryable() => {
            Wrong(error.to_string())
        }
        Err(error) => outside.not_now(error),
    }
}

/// Whether an account has a billing contact to which this notice was not sent in vain.
fn reachable(outside: &Outside, account: &AccountId, id: &NoticeId) -> bool {
    let tables = outside.0.ledger.tables();
    let Some(partition) = tables.partitions.get(account) else { return false };
    let tried = partition.notices.get(id).map(|notice| notice.tried.clone()).unwrap_or_default();
    let is_closed = partition.account.as_ref().is_some_and(|account| account.closed_at.is_some());
    let Some(contacts) = &partition.contacts else { return !is_closed };
    let mut usable = contacts.listed.iter().chain(&contacts.kept).filter(|contact| is_usable(contact));
    usable.any(|contact| !tried.contains(&contact.address))
}

/// Whether e-mails about payments may go to a contact.
pub fn is_usable(contact: &Contact) -> bool {
    contact.roles.contains(&Role::Billing) && contact.confirmed_at.is_some() && contact.problem.is_none()
}

async fn run_set_contacts(outside: &Outside, account: &AccountId, list: &ContactList) -> Ended {
    match set_contacts(&outside.context(), account, list).await {
        Ok(None) => Wrong("the contacts of a closed account are replaced".into()),
        Ok(Some(contacts)) => {
            let answered: Vec<_> = contacts.listed.iter().map(|contact| (&contact.address, &contact.roles)).collect();
            let asked: Vec<_> = list.contacts().iter().map(|contact| (&contact.address, &contact.roles)).collect();
            if answered != asked {
                return Wrong("the contacts in the answer are not the requested ones".into());
            }
            outside.answered(format_args!("{contacts:?}"))
        }
        Err(ContactsError::Refused(ContactsRefusal::Closed(_))) if !is_closed(outside, account) => {
            Wrong("contacts are refused by an account that is not closed".into())
        }
        Err(ContactsError::Refused(ContactsRefusal::TooManyAsked(refusal)))
            if !is_closed(outside, account) && confirmations(outside, account) < ASKS_PER_DAY_MAX / 2 =>
        {
            Wrong(refusal.to_string())
        }
        Err(ContactsError::Store(error)) => store(outside, &error),
        Err(error) => outside.answered(error),
    }
}

/// How many confirmations an account was ever owed.
fn confirmations(outside: &Outside, account: &AccountId) -> usize {
    let tables = outside.0.ledger.tables();
    let notices = tables.partitions.get(account).into_iter().flat_map(|partition| partition.notices.values());
    notices.filter(|notice| matches!(notice.kind, NoticeKind::ContactConfirmation { .. })).count()
}

/// The contact's stored state, while it is in the list.
fn listed(outside: &Outside, account: &AccountId, contact: &ContactId) -> Option<Contact> {
    let tables = outside.0.ledger.tables();
    let contacts = tables.partitions.get(account)?.contacts.as_ref()?;
    contacts.listed.iter().find(|known| known.id == *contact).cloned()
}

async fn run_confirm_contact(outside: &Outside, account: &AccountId, contact: &ContactId) -> Ended {
    if let Some(known) = listed(outside, account, contact) {
        outside.0.readers().confirmed.insert((account.clone(), known.address));
    }
    match confirm_contact(&outside.context(), account, contact).await {
        Ok(_) if listed(outside, account, contact).is_some_and(|known| known.confirmed_at.is_none()) => {
            Wrong("an address is not confirmed although the answer says so".into())
        }
        Ok(confirmed) => outside.answered(format_args!("{confirmed:?}")),
        Err(ConfirmError::UnknownContact(_))
            if listed(outside, account, contact).is_some() && !is_closed(outside, account) =>
        {
            Wrong("a listed contact is unknown".into())
        }
        Err(ConfirmError::Store(error)) => store(outside, &error),
        Err(error) => outside.answered(error),
    }
}

async fn run_report(outside: &Outside, report: &Report) -> Ended {
    let Report { account, notice, returned } = report;
    match record_returned_mail(&outside.context(), account, notice, returned).await {
        Ok(recorded) if is_closed(outside, account) => outside.answered(format_args!("{recorded:?}")),
        Ok(recorded) => {
            let tables = outside.0.ledger.tables();
            let Some(partition) = tables.partitions.get(account) else { return Wrong("the account is gone".into()) };
            let contacts = partition.contacts.iter().flat_map(|contacts| contacts.listed.iter().chain(&contacts.kept));
            let is_overlooked = |contact: &&Contact| {
                // An address that was added again is another contact, which is asked first.
                let since = contact.confirmed_at.or(contact.asked_at);
                let is_newer = since.is_some_and(|since| since > returned.problem.at);
                contact.address == returned.address && contact.problem.is_none() && !is_newer
            };
            if let Some(overlooked) = contacts.into_iter().find(is_overlooked) {
                return Wrong(format!("{} is not marked although an e-mail came back", overlooked.address));
            }
            let known = partition.notices.get(notice);
            if known
                .is_some_and(|known| known.sent_to.as_ref() == Some(&returned.address) && known.returned_at.is_none())
            {
                return Wrong(format!("{notice} came back, and nobody knows"));
            }
            outside.answered(format_args!("{recorded:?}"))
        }
        Err(error) => setting(outside, error),
    }
}

async fn run_fold(outside: &Outside, account: &AccountId, seq: u64) -> Ended {
    match fold_usage(&outside.context(), account, seq, FOLD_LIMITS).await {
        Ok(folded) if folded.through_seq < seq => outside.not_now(format_args!("{folded:?}")),
        Ok(folded) => outside.answered(format_args!("{folded:?}")),
        Err(error) if !error.is_retryable() => Wrong(error.to_string()),
        Err(error) => outside.not_now(error),
    }
}

/// The answer is the sum over all entries up to where it says, and hides none that two blocks behind the rows show.
async fn run_usage(outside: &Outside, account: &AccountId, granularity: Granularity) -> Ended {
    let dates = ["2026-01-01", "2027-12-31"].map(|date| date.parse().expect("a date"));
    let periods = Periods::new(granularity, dates[0], dates[1]).expect("in order");
    let (was_open, shown_before) = (is_open(outside, account), shown(outside, account));
    match read_usage(&outside.context(), account, periods, FOLD_LIMITS).await {
        Ok(usage) => {
            let tables = outside.0.ledger.tables();
            let Some(partition) = tables.partitions.get(account) else {
                return Wrong("there is usage of an account that does not exist".into());
            };
            let expected = Sums::of_entries(partition, usage.through_seq, &[granularity]);
            if let Some(difference) = Sums::of_rows(&usage.rows).difference_in(partition, expected) {
                return Wrong(format!("in the usage of {account}, {difference}"));
            }
            if usage.through_seq < shown_before {
                return Wrong(format!("the usage of {account} hides entries above {}", usage.through_seq));
            }
            outside.answered(format_args!("through {} as of {}", usage.through_seq, usage.as_of))
        }
        Err(ReadUsageError::NotFound(_)) if was_open => Wrong("an open account is not found".into()),
        Err(ReadUsageError::NotFound(missing)) => outside.answered(missing),
        Err(ReadUsageError::Ledger(error)) if !error.is_retryable() => Wrong(error.to_string()),
        Err(ReadUsageError::Ledger(error)) => outside.not_now(error),
    }
}

/// How far an answer that is begun now has to reach: through the rows, and two blocks of what the index shows.
fn shown(outside: &Outside, account: &AccountId) -> u64 {
    let tables = outside.0.ledger.tables();
    let cursor = tables.partitions.get(account).map_or(0, |partition| partition.usage_cursor.through_seq);
    let shown = tables.history.get(account).into_iter().flat_map(|entries| entries.range(cursor + 1..));
    let without_a_gap = (cursor + 1..).zip(shown).take_while(|(expected, (seq, _))| expected == *seq).count() as u64;
    cursor + without_a_gap.min(2 * FOLD_LIMITS.block)
}

fn settled<T>(outside: &Outside, answer: Result<T, RecordOutcomeError>) -> Ended {
    match answer {
        Ok(_) => outside.answered("settled"),
        Err(RecordOutcomeError::NotFound(_)) => Wrong("what is stored is not found".into()),
        Err(RecordOutcomeError::Mismatch(refusal)) => Wrong(refusal.to_string()),
        Err(RecordOutcomeError::Payments(error)) => other(outside, &error.into()),
        Err(RecordOutcomeError::Store(error)) => store(outside, &error),
    }
}

pub fn store(outside: &Outside, error: &StoreError) -> Ended {
    if error.is_retryable() { outside.not_now(error) } else { Wrong(error.to_string()) }
}

pub fn other(outside: &Outside, error: &OutsideError) -> Ended {
    if error.is_retryable() { outside.not_now(error) } else { Wrong(error.to_string()) }
}

/// Whether texts of the entry are erased. Before that, it may have been compared with a request by those texts.
fn is_erased(entry: &Entry) -> bool {
    entry.link.is_some_and(|link| link.erased != Default::default())
}
