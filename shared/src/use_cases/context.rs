//! What every use case works with, and the only way to change an account.

use super::contention::{Contention, Refused};
use super::memory::Memory;
use super::{NotFound, StoreError};
use crate::clock::Clock;
use crate::domain::{Account, AccountId, Change, Entry, Salt};
use crate::ports::{Accounts, CommitError, IdGenerator, LedgerError, Pauses};
use jiff::Timestamp;
use std::future::{Future, ready};
use std::sync::Arc;

/// The types that implement the ports in one function, in a test or in the simulation.
///
/// A function that lacks a capability names [`Absent`] for it, so a use case that needs it does not compile there.
pub trait Capabilities: Send + Sync + 'static {
    type Ledger: Send + Sync;
    type Payments: Send + Sync;
    type Mailer: Send + Sync;
    type Timers: Send + Sync;
    type Clock: Clock;
    type Pauses: Pauses;
    type Ids: IdGenerator;
    type PriceBook: Send + Sync;
}

/// A capability that a function does not have. It implements no port.
#[derive(Clone, Copy, Debug, Default)]
pub struct Absent;

/// The ports that a function has.
#[derive(Debug)]
pub struct Context<C: Capabilities> {
    pub ledger: C::Ledger,
    pub payments: C::Payments,
    pub mailer: C::Mailer,
    pub timers: C::Timers,
    pub clock: C::Clock,
    pub pauses: C::Pauses,
    /// [`Memory::none`] in every function but `charging`.
    pub memory: Memory,
    pub ids: C::Ids,
    pub price_book: C::PriceBook,
}

impl<C: Capabilities> Context<C> {
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl<C: Capabilities> Context<C> {
    /// A new id of any kind, made of unique bits.
    pub(super) fn mint<I>(&self, id_of_bits: fn(u128) -> I, now: Timestamp) -> I {
        id_of_bits(self.ids.generate(now))
    }

    /// Unique bits for ids of any kind.
    pub(super) fn unique(&self, now: Timestamp) -> u128 {
        self.ids.generate(now)
    }

    pub(super) fn salt(&self) -> Salt {
        Salt::of(self.ids.unpredictable())
    }

    /// An account as it is stored, for a decision. An account of an earlier release gets its salt here, which the next
    /// change writes.
    fn stored(&self, account: Account) -> Seen {
        Seen { account: Arc::new(account.salted(|| self.salt())), recalled: None }
    }
}

/// The result of a decision about an account, and the record that was read with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Updated<R = ()> {
    Committed(Box<Change>, R),
    /// The same causes already made these entries of the change, so nothing of it was written.
    Duplicate(Vec<Entry>),
    /// There was nothing to change.
    Unchanged(Arc<Account>, R),
}

/// The account that a decision is made on.
struct Seen {
    account: Arc<Account>,
    /// How often in a row the account had held, if it was recalled and not read.
    recalled: Option<u32>,
}

impl Seen {
    fn is_recalled(&self) -> bool {
        self.recalled.is_some()
    }
}

impl<C: Capabilities<Ledger: Accounts>> Context<C> {
    /// Decides on the current account and commits the change.
    ///
    /// # Errors
    /// As [`Context::update_with`].
    pub(super) async fn update<E: From<NotFound> + From<StoreError>>(
        &self,
        account: &AccountId,
        mut decide: impl FnMut(&Account, Timestamp) -> Result<Option<Change>, E>,
    ) -> Result<Updated, E> {
        self.update_with(account, |_| ready(Ok(())), |account, (), now| decide(account, now)).await
    }

    /// Decides on the account and on what `read` finds with it, and commits the change.
    ///
    /// The first decision may be made on a remembered account, which saves the read. It can only end in a commit, whose
    /// condition tells whether the account is still that: whatever else memory would answer is decided on the stored
    /// account.
    ///
    /// After every refusal, a lost race and a conflict alike, it waits, reads the account again, and runs `read` and
    /// `decide` again. Without the wait, all those who lost a race would collide again at once; without the read, they
    /// would decide on an account that another one has changed while they waited.
    /// The record may be newer than the account. The commit is then stale, since a record changes only together with
    /// its account's version.
    ///
    /// # Errors
    /// [`NotFound`] if there is no such account, the errors of `read` and `decide`, and [`StoreError`]. After
    /// [`StoreError::Ledger`] the change may have been written.
    pub(super) async fn update_with<R, E, F>(
        &self,
        account: &AccountId,
        read: impl Fn(Arc<Account>) -> F,
        mut decide: impl FnMut(&Account, &R, Timestamp) -> Result<Option<Change>, E>,
    ) -> Result<Updated<R>, E>
    where
        E: From<NotFound> + From<StoreError>,
        F: Future<Output = Result<R, E>>,
    {
        let mut contention = Contention::new(self.now());
        let mut seen = self.recall_or_read::<E>(account).await?;
        loop {
            let decided = match read(Arc::clone(&seen.account)).await {
                Ok(record) => {
                    let now = self.now();
                    let change = decide(&seen.account, &record, now);
                    change.map(|change| (change.map(|change| change.telling(&seen.account, now)), record))
                }
                Err(error) => Err(error),
            };
            let (change, record) = match decided {
                Ok((Some(change), record)) => (change, record),
                _ if seen.is_recalled() => {
                    seen = self.read::<E>(account).await?;
                    continue;
                }
                Ok((None, record)) => return Ok(Updated::Unchanged(seen.account, record)),
                Err(error) => return Err(error),
            };
            let refused = match self.ledger.commit(&change).await {
                Ok(()) => {
                    self.memory.keep(&change.account, seen.recalled, self.now());
                    return Ok(Updated::Committed(Box::new(change), record));
                }
                Err(CommitError::Duplicate { entries }) => return Ok(Updated::Duplicate(entries)),
                Err(CommitError::Stale { current: None }) => return Err(NotFound::Account(account.clone()).into()),
                Err(CommitError::Failed(error)) => return Err(StoreError::from(error).into()),
                Err(CommitError::Stale { current: Some(fresh) }) if seen.is_recalled() => {
                    self.memory.count_stale(self.now());
                    seen = self.stored(*fresh);
                    continue;
                }
                Err(CommitError::Stale { current: Some(_) }) => Refused::LostRace,
                Err(CommitError::Contended(error)) => Refused::Conflict(error),
            };
            self.wait(&mut contention, refused).await?;
            seen = self.read::<E>(account).await?;
        }
    }

    /// Commits the change that opens an account. Returns the existing account if there is one.
    ///
    /// # Errors
    /// [`StoreError`]; the account may have been opened.
    pub(super) async fn create(&self, change: &Change) -> Result<Option<Account>, StoreError> {
        let mut contention = Contention::new(self.now());
        loop {
            let conflict = match self.ledger.commit(change).await {
                Ok(()) => return Ok(None),
                Err(CommitError::Stale { current: Some(account) }) => return Ok(Some(*account)),
                Err(CommitError::Stale { current: None } | CommitError::Duplicate { .. }) => {
                    return Err(StoreError::Contended);
                }
                Err(CommitError::Failed(error)) => return Err(error.into()),
                Err(CommitError::Contended(error)) => error,
            };
            self.wait(&mut contention, Refused::Conflict(conflict)).await?;
        }
    }

    async fn recall_or_read<E: From<NotFound> + From<StoreError>>(&self, account: &AccountId) -> Result<Seen, E> {
        match self.memory.recall(account, self.now()) {
            Some(known) => Ok(Seen { account: Arc::new(known.account), recalled: Some(known.holds) }),
            None => self.read(account).await,
        }
    }

    /// The account as it is stored now.
    pub(super) async fn account<E: From<NotFound> + From<LedgerError>>(&self, id: &AccountId) -> Result<Account, E> {
        let stored = self.ledger.account_get(id).await?;
        Ok(stored.ok_or_else(|| NotFound::Account(id.clone()))?)
    }

    async fn read<E: From<NotFound> + From<StoreError>>(&self, account: &AccountId) -> Result<Seen, E> {
        let stored = self.ledger.account_get(account).await.map_err(StoreError::from)?;
        let stored = stored.ok_or_else(|| NotFound::Account(account.clone()))?;
        self.memory.compare(&stored, self.now());
        Ok(self.stored(stored))
    }

    /// The only place that waits for other changes of an account.
    async fn wait(&self, contention: &mut Contention, refused: Refused) -> Result<(), StoreError> {
        let longest = contention.next_pause(refused, self.now())?;
        self.pauses.pause(longest).await;
        Ok(())
    }
}
