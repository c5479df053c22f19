//! What callers ask of the system, and whether its answers are true.

use crate::outside::Outside;
use jiff::SignedDuration;
use shared::clock::Clock;
use shared::domain::auto_top_up::AutoTopUpCommand;
use shared::domain::charge::{ChargeCommand, ChargeRefusal};
use shared::domain::{
    AccountId, EmailAddress, Entry, EventId, IdempotencyKey, Notice, NoticeId, Origin, PriceBook, PurchaseId, TopUpId,
};
use shared::use_cases::apply_event::{ApplyEventError, Subject, apply_event};
use shared::use_cases::auto_top_up::{SetAutoTopUpError, set_auto_top_up};
use shared::use_cases::charge::{ChargeError, charge};
use shared::use_cases::notify::{NotifyError, send_notice};
use shared::use_cases::open_account::{OpenAccountError, open_account};
use shared::use_cases::pay_page::{PayPageError, pay_page};
use shared::use_cases::ports::Mail;
use shared::use_cases::purchase::{OpenPurchaseError, PurchaseCommand, check_purchase, open_purchase};
use shared::use_cases::restore::{RestoreError, restore};
use shared::use_cases::settle::SettleError;
use shared::use_cases::sweep::{SweepLimits, SweepPart, sweep};
use shared::use_cases::{OutsideError, StoreError};
use std::convert::Infallible;

/// One request, to be repeated word for word until it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    OpenAccount(AccountId),
    Charge(AccountId, ChargeCommand),
    Restore(AccountId, IdempotencyKey),
    OpenPurchase(AccountId, PurchaseCommand),
    CheckPurchase(AccountId, PurchaseId),
    SetAutoTopUp(AccountId, AutoTopUpCommand),
    PayPage(AccountId, TopUpId),
    Event(EventId, Subject),
    Notice(AccountId, NoticeId),
    Sweep,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Answered(String),
    /// Whoever asked has to ask again.
    NotNow(String),
    /// The answer is not true.
    Wrong(String),
}

use Ended::{Answered, NotNow, Wrong};

/// Attempts that a sweep has under way at once.
const CONCURRENCY: usize = 2;

impl Request {
    /// Whether somebody repeats it until it is answered.
    pub fn is_repeated(&self) -> bool {
        match self {
            Self::OpenAccount(_)
            | Self::Charge(..)
            | Self::Restore(..)
            | Self::OpenPurchase(..)
            | Self::SetAutoTopUp(..) => true,
            // Events and notices have lists of their own; the others come again by themselves.
            Self::CheckPurchase(..) | Self::PayPage(..) | Self::Event(..) | Self::Notice(..) | Self::Sweep => false,
        }
    }

    pub async fn run(self, outside: Outside) -> Ended {
        let book = PriceBook::reference();
        match self {
            Self::OpenAccount(id) => run_open_account(&outside, &id).await,
            Self::Charge(account, command) => run_charge(&outside, &book, &account, &command).await,
            Self::Restore(account, key) => run_restore(&outside, &account, &key).await,
            Self::OpenPurchase(account, command) => run_open_purchase(&outside, &book, &account, &command).await,
            Self::CheckPurchase(account, id) => {
                settled(check_purchase(&outside, &outside, &outside, &outside, &account, &id).await)
            }
            Self::SetAutoTopUp(account, command) => {
                match set_auto_top_up(&outside, &book, &outside, &outside, &account, &command).await {
                    Ok(changed) => Answered(format!("version {}", changed.version)),
                    Err(SetAutoTopUpError::Store(error)) => store(&error),
                    Err(error) => Answered(error.to_string()),
                }
            }
            Self::PayPage(account, id) => match pay_page(&outside, &outside, &outside, &outside, &account, &id).await {
                Ok(page) => Answered(format!("{page:?}")),
                Err(PayPageError::NotFound) => Wrong("an attempt that is stored is not found".into()),
                Err(PayPageError::Outside(error)) => other(&error),
            },
            Self::Event(id, subject) => {
                match apply_event(&outside, &outside, &outside, &outside, &id, &subject).await {
                    Ok(applied) => Answered(format!("{applied:?}")),
                    Err(ApplyEventError::Mismatch(refusal)) => Wrong(refusal.to_string()),
                    Err(ApplyEventError::Outside(error)) => other(&error),
                }
            }
            Self::Notice(account, id) => run_notice(&outside, &account, &id).await,
            Self::Sweep => {
                let limits = SweepLimits {
                    concurrency: CONCURRENCY,
                    begin_before: outside.now() + SignedDuration::from_mins(14),
                };
                let part = SweepPart::first(outside.now(), outside.now());
                match sweep(&outside, &outside, &book, &outside, &outside, &part, limits).await {
                    Ok(swept) => Answered(format!("{:?}", swept.summary)),
                    Err(error) => store(&error),
                }
            }
        }
    }
}

pub fn email(account: &AccountId) -> EmailAddress {
    EmailAddress::parse(format!("{account}@example.com")).expect("an account's id is a good local part")
}

async fn run_open_account(outside: &Outside, id: &AccountId) -> Ended {
    match open_account(outside, outside, outside, id, &email(id)).await {
        Ok(opened) => {
            let tables = outside.0.ledger.tables();
            let stored = tables.partitions.get(id).and_then(|partition| partition.account.as_ref());
            if stored.is_none_or(|stored| stored.customer != opened.account.customer) {
                return Wrong("the account answered is not the one stored".into());
            }
            Answered(format!("version {}", opened.account.version))
        }
        Err(OpenAccountError::EmailDiffers) => Wrong("the account has another address".into()),
        Err(OpenAccountError::Outside(error)) => other(&error),
    }
}

fn stored_entry(outside: &Outside, account: &AccountId, origin: &Origin) -> Option<Entry> {
    outside.0.ledger.tables().partitions.get(account)?.entries.get(origin).cloned()
}

fn is_open(outside: &Outside, account: &AccountId) -> bool {
    outside.0.ledger.tables().partitions.get(account).is_some_and(|partition| partition.account.is_some())
}

async fn run_charge(outside: &Outside, book: &PriceBook, account: &AccountId, command: &ChargeCommand) -> Ended {
    let origin = Origin::Charge(command.key.clone());
    let before = stored_entry(outside, account, &origin);
    let was_open = is_open(outside, account);
    let answer = charge(outside, book, outside, account, command).await;
    let stored = stored_entry(outside, account, &origin);
    match answer {
        Ok(posted) if stored.as_ref() != Some(&posted.entry) => {
            Wrong("the charge answered is not the one stored".into())
        }
        Ok(posted) if before.is_some() && !posted.is_replay => Wrong("a replay is answered as a new charge".into()),
        Ok(posted) => Answered(format!("{} credits, replay {}", posted.entry.credits, posted.is_replay)),
        Err(ChargeError::KeyReused(_)) => {
            let is_other = |entry: &Entry| shared::domain::charge::check_replay(entry, command).is_err();
            if stored.as_ref().is_some_and(is_other) {
                Answered("key reused".into())
            } else {
                Wrong("a key is called reused that is not".into())
            }
        }
        Err(ChargeError::Refused(_)) if before.is_some() => Wrong("a charge that was posted is refused".into()),
        Err(ChargeError::Refused(ChargeRefusal::InsufficientCredits { balance, required })) if balance >= required => {
            Wrong("a charge is refused that the balance covers".into())
        }
        Err(ChargeError::Refused(refusal)) => Answered(refusal.to_string()),
        Err(ChargeError::AccountNotFound) if was_open => Wrong("an open account is not found".into()),
        Err(ChargeError::AccountNotFound) => Answered("no such account".into()),
        Err(ChargeError::Store(error)) => store(&error),
    }
}

async fn run_restore(outside: &Outside, account: &AccountId, key: &IdempotencyKey) -> Ended {
    let charged = stored_entry(outside, account, &Origin::Charge(key.clone()));
    match restore(outside, outside, account, key).await {
        Ok(posted) if stored_entry(outside, account, &posted.entry.origin()).as_ref() != Some(&posted.entry) => {
            Wrong("the restore answered is not the one stored".into())
        }
        Ok(posted) => Answered(format!("{} credits, replay {}", posted.entry.credits, posted.is_replay)),
        Err(RestoreError::AccountNotFound | RestoreError::ChargeNotFound) if charged.is_some() => {
            Wrong("a charge that was posted is not found".into())
        }
        Err(RestoreError::AccountNotFound | RestoreError::ChargeNotFound) => Answered("no such charge".into()),
        Err(RestoreError::Refused(refusal)) => Wrong(refusal.to_string()),
        Err(RestoreError::Store(error)) => store(&error),
    }
}

async fn run_open_purchase(
    outside: &Outside,
    book: &PriceBook,
    account: &AccountId,
    command: &PurchaseCommand,
) -> Ended {
    let was_open = is_open(outside, account);
    match open_purchase(outside, outside, book, outside, outside, account, command).await {
        Ok(opened) => {
            let tables = outside.0.ledger.tables();
            let partition = tables.partitions.get(account);
            let known = partition.and_then(|partition| partition.purchase_keys.get(&command.key));
            let stored = known.and_then(|id| partition?.purchases.get(id));
            if stored.is_none_or(|stored| stored.id != opened.purchase.id || stored.package != command.package) {
                return Wrong("the purchase answered is not the one of its key".into());
            }
            Answered(opened.purchase.id.to_string())
        }
        Err(OpenPurchaseError::AccountNotFound) if was_open => Wrong("an open account is not found".into()),
        Err(OpenPurchaseError::PackageNotFound) => Wrong("a package that is sold is not found".into()),
        Err(OpenPurchaseError::Outside(error)) => other(&error),
        Err(error @ (OpenPurchaseError::AccountNotFound | OpenPurchaseError::KeyReused(_))) => {
            Answered(error.to_string())
        }
    }
}

async fn run_notice(outside: &Outside, account: &AccountId, id: &NoticeId) -> Ended {
    let render = |notice: &Notice| {
        let subject = notice.id.to_string();
        Ok::<_, Infallible>(Mail { to: notice.to.clone(), subject, text: String::new(), html: String::new() })
    };
    match send_notice(outside, outside, outside, account, id, render).await {
        Ok(sent) => Answered(format!("{sent:?}")),
        Err(NotifyError::Unread(error) | NotifyError::Unmarked(error)) if !error.is_retryable() => {
            Wrong(error.to_string())
        }
        Err(error) => NotNow(error.to_string()),
    }
}

fn settled<T>(answer: Result<T, SettleError>) -> Ended {
    match answer {
        Ok(_) => Answered("settled".into()),
        Err(SettleError::NotFound) => Wrong("what is stored is not found".into()),
        Err(SettleError::Mismatch(refusal)) => Wrong(refusal.to_string()),
        Err(SettleError::Store(error)) => store(&error),
    }
}

fn store(error: &StoreError) -> Ended {
    if error.is_retryable() { NotNow(error.to_string()) } else { Wrong(error.to_string()) }
}

fn other(error: &OutsideError) -> Ended {
    if error.is_retryable() { NotNow(error.to_string()) } else { Wrong(error.to_string()) }
}
