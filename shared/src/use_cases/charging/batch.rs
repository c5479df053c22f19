//! Charging many operations, of one account or of several.

use super::charge::{ChargeError, Charged, charge_again, earlier_or_refused, replay};
use super::limits_of;
use crate::domain::charging::{ChargeCommand, ChargeRefusal, count_together, decide_charges};
use crate::domain::spending::Payer;
use crate::domain::{Account, AccountId, Change, Entry, Origin, PriceBook, Record, Spender, SpenderLimits};
use crate::ports::{Accounts, Entries, PendingCharges, Spenders};
use crate::use_cases::{Capabilities, Context, NotFound, Posted, StoreError, Updated};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;

/// One charge of a batch. No two have the same account and the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchCharge {
    pub account: AccountId,
    pub command: ChargeCommand,
}

/// The limits of a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// The most charges of one account in one transaction, at most [`crate::domain::charging::CHARGES_TOGETHER_MAX`].
    pub together_max: usize,
    /// How many accounts are charged at once, at least 1.
    pub accounts_at_once: usize,
}

/// The results of charges that were decided together.
#[derive(Debug, Default)]
pub struct BatchPart {
    /// The position of each charge in the batch, with its result.
    pub answers: Vec<(usize, Result<Charged, ChargeError>)>,
    /// Why the others have no result.
    pub unanswered: Option<Unanswered>,
}

/// Charges that may have been posted or not. Repeated under the same keys, each is answered.
#[derive(Debug)]
pub struct Unanswered {
    pub positions: Vec<usize>,
    pub error: StoreError,
}

/// Takes what each operation costs, once for each key. Every charge has its result in exactly one part.
///
/// Charges of one account are decided in order and committed together, with one strongly consistent read and one
/// transaction if all of them are new. A refused charge needs another read, and a replay two. Once an account's charges
/// could not be committed, the rest of that account is left unanswered, because it would be decided out of order.
///
/// `answered` gets each part as soon as it is there, in any order. The future may be dropped at any time: a charge whose
/// part has not come is unanswered.
pub async fn charge_batch<
    C: Capabilities<Ledger: Accounts + Entries + PendingCharges + Spenders, PriceBook = PriceBook>,
>(
    context: &Context<C>,
    charges: &[BatchCharge],
    limits: BatchLimits,
    mut answered: impl FnMut(BatchPart),
) {
    let mut accounts = by_account(charges).into_iter();
    let mut under_way = FuturesUnordered::new();
    for account in accounts.by_ref().take(limits.accounts_at_once) {
        under_way.push(next_part(context, account, limits));
    }
    while let Some((part, rest)) = under_way.next().await {
        answered(part);
        let next = if rest.open.is_empty() { accounts.next() } else { Some(rest) };
        if let Some(account) = next {
            under_way.push(next_part(context, account, limits));
        }
    }
}

/// The charges of one account that have no result yet.
struct AccountCharges<'a> {
    account: &'a AccountId,
    open: Vec<Numbered<'a>>,
}

/// A charge with its position in the batch.
#[derive(Clone, Copy)]
struct Numbered<'a> {
    position: usize,
    command: &'a ChargeCommand,
}

impl Numbered<'_> {
    fn is_of(&self, entry: &Entry) -> bool {
        entry.origin() == Origin::Charge(self.command.request.key.clone())
    }
}

fn by_account(charges: &[BatchCharge]) -> Vec<AccountCharges<'_>> {
    let mut accounts: Vec<AccountCharges<'_>> = vec![];
    for (position, BatchCharge { account, command }) in charges.iter().enumerate() {
        let charge = Numbered { position, command };
        match accounts.iter_mut().find(|known| known.account == account) {
            Some(known) => known.open.push(charge),
            None => accounts.push(AccountCharges { account, open: vec![charge] }),
        }
    }
    accounts
}

/// Answers the next charges of an account, and returns those that are left.
async fn next_part<
    'a,
    C: Capabilities<Ledger: Accounts + Entries + PendingCharges + Spenders, PriceBook = PriceBook>,
>(
    context: &'a Context<C>,
    mut charges: AccountCharges<'a>,
    limits: BatchLimits,
) -> (BatchPart, AccountCharges<'a>) {
    let account = charges.account;
    let count = count_together(charges.open.iter().map(|charge| charge.command)).min(limits.together_max.max(1));
    let later = charges.open.split_off(count);
    let mut part = Part { context, account, open: charges.open, answers: vec![] };
    match part.answer().await {
        Ok(()) => (BatchPart { answers: part.answers, unanswered: None }, AccountCharges { account, open: later }),
        Err(error) => {
            let positions = part.open.iter().chain(&later).map(|charge| charge.position).collect();
            let unanswered = Some(Unanswered { positions, error });
            (BatchPart { answers: part.answers, unanswered }, AccountCharges { account, open: vec![] })
        }
    }
}

/// The charges of one transaction.
struct Part<'a, C: Capabilities> {
    context: &'a Context<C>,
    account: &'a AccountId,
    /// Those that have no result yet, in order.
    open: Vec<Numbered<'a>>,
    answers: Vec<(usize, Result<Charged, ChargeError>)>,
}

/// A charge that does not fit.
type Refused<'a> = (Numbered<'a>, ChargeRefusal);

/// What concerns all charges of an account.
#[derive(Debug, thiserror::Error)]
enum PartError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<'a, C: Capabilities<Ledger: Accounts + Entries + PendingCharges + Spenders, PriceBook = PriceBook>> Part<'a, C> {
    /// Answers all of them.
    ///
    /// A charge that was posted before shows itself when its entry cannot be written again. It is answered as a replay,
    /// and the others are decided again without it, on an account that is read again: a replay takes no credits, so
    /// more of the others may fit.
    async fn answer(&mut self) -> Result<(), StoreError> {
        while !self.open.is_empty() {
            let mut refused: Vec<Refused<'a>> = vec![];
            let (context, spenders) = (self.context, self.spenders());
            let read = |current| async { Ok(limits_of(context, current, spenders.iter().copied()).await?) };
            let decide = |account: &Account, limits: &Vec<SpenderLimits>, now| {
                let commands = self.open.iter().map(|charge| charge.command);
                let decided = decide_charges(Payer { account, limits }, &context.price_book, commands, now);
                let results = self.open.iter().copied().zip(decided.refusals);
                refused = results.filter_map(|(charge, refusal)| Some((charge, refusal?))).collect();
                Ok(decided.change)
            };
            let updated = context.update_with(self.account, read, decide);
            match updated.await {
                Ok(Updated::Committed(change, _)) => {
                    self.answer_posted(*change)?;
                    return self.answer_refused(refused).await;
                }
                Ok(Updated::Unchanged(..)) => return self.answer_refused(refused).await,
                Ok(Updated::Duplicate(entries)) => self.answer_replays(entries, refused).await?,
                Err(PartError::NotFound(error)) => self.answer_all(&error)?,
                Err(PartError::Store(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn spenders(&self) -> BTreeSet<&'a Spender> {
        self.open.iter().filter_map(|charge| charge.command.request.spender.as_ref()).collect()
    }

    fn answer_posted(&mut self, change: Change) -> Result<(), StoreError> {
        let Change { entries, records, .. } = change;
        for entry in entries {
            let charge = self.charge_of(&entry)?;
            let pending = records.iter().find_map(|record| match record {
                Record::PendingCharge(pending) if pending.charge == charge.command.request.key => Some(pending.clone()),
                _ => None,
            });
            self.settle(charge, Ok(Charged { posted: Posted { entry, is_replay: false }, pending, restore: None }))?;
        }
        Ok(())
    }

    /// What did not fit may have been posted before as well: its own entry took the credits that are missing now.
    async fn answer_replays(&mut self, entries: Vec<Entry>, refused: Vec<Refused<'a>>) -> Result<(), StoreError> {
        for entry in entries {
            let charge = self.charge_of(&entry)?;
            let replayed = replay(self.context, self.account, &charge.command.request, entry).await;
            self.settle(charge, replayed)?;
        }
        for (charge, _) in refused {
            if let Some(answer) = self.earlier_answer(charge).await {
                self.settle(charge, answer)?;
            }
        }
        Ok(())
    }

    /// A key that took credits before gets its first answer again, even if a new charge would be refused.
    async fn answer_refused(&mut self, refused: Vec<Refused<'a>>) -> Result<(), StoreError> {
        for (charge, refusal) in refused {
            let earlier = self.earlier_answer(charge).await.transpose();
            self.settle(charge, earlier_or_refused(earlier, refusal))?;
        }
        Ok(())
    }

    fn answer_all(&mut self, error: &NotFound) -> Result<(), StoreError> {
        for charge in self.open.clone() {
            self.settle(charge, Err(ChargeError::NotFound(error.clone())))?;
        }
        Ok(())
    }

    async fn earlier_answer(&self, charge: Numbered<'a>) -> Option<Result<Charged, ChargeError>> {
        charge_again(self.context, self.account, &charge.command.request).await.transpose()
    }

    /// The ledger returns no other entries than those that it was given.
    fn charge_of(&self, entry: &Entry) -> Result<Numbered<'a>, StoreError> {
        self.open.iter().copied().find(|charge| charge.is_of(entry)).ok_or(StoreError::NoEntry)
    }

    /// Keeps a result. A failure of the store is none.
    fn settle(&mut self, charge: Numbered<'a>, answer: Result<Charged, ChargeError>) -> Result<(), StoreError> {
        if let Err(ChargeError::Store(error)) = answer {
            return Err(error);
        }
        self.open.retain(|open| open.position != charge.position);
        self.answers.push((charge.position, answer));
        Ok(())
    }
}
