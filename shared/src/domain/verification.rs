//! Checking the entries of an account one after the other: their numbers, their sums and their chain.

use super::account::{Account, Chain, Entry, EntryHash};
use super::{AccountId, Credits};

/// How far the entries of an account are verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number of the last entry that fits, 0 at the beginning.
    pub seq: u64,
    /// The sum of the credits of all entries so far.
    pub balance: Credits,
    /// The hash of that entry. `None` before the first entry with a hash.
    pub hash: Option<EntryHash>,
}

/// Why an entry does not fit behind those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// No entry has the next number.
    #[error("the entry is missing")]
    Missing,
    /// Another entry has the same number.
    #[error("the number is used by more than one entry")]
    Repeated,
    #[error("the balance after the entry is {stated}, and the sum of all entries up to it is {sum}")]
    BalanceAfter { stated: Credits, sum: Credits },
    /// The chain has begun, so this entry must have a hash.
    #[error("the entry has no hash, although one before it has")]
    NoHash,
    /// The entry, or one before it, does not say what it said when it was written.
    #[error("the hash is not that of the entry's content and of the hash before it")]
    Hash,
    /// The account does not count the entry.
    #[error("the account has only {entries} entries")]
    NotCounted { entries: u64 },
    #[error("the sum of all entries is {sum}, and the account's balance is {balance}")]
    Balance { sum: Credits, balance: Credits },
    #[error("the hash of the newest entry is not the one that the account keeps")]
    Head,
}

impl Misfit {
    /// Its name in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Repeated => "repeated",
            Self::BalanceAfter { .. } => "balance_after",
            Self::NoHash => "no_hash",
            Self::Hash => "hash",
            Self::NotCounted { .. } => "not_counted",
            Self::Balance { .. } => "balance",
            Self::Head => "head",
        }
    }
}

impl Verified {
    /// Before the first entry.
    pub const NOTHING: Self = Self { seq: 0, balance: Credits::ZERO, hash: None };

    /// The entries up to and including this one, if it is the next one.
    ///
    /// Entries of releases without hashes have none; from the first hash on, every entry has one.
    ///
    /// # Errors
    /// [`Misfit`], in order of precedence: its number, the sum, the chain.
    pub fn then(self, account: &AccountId, chain: Option<&Chain>, entry: &Entry) -> Result<Self, Misfit> {
        if entry.seq <= self.seq {
            return Err(Misfit::Repeated);
        }
        if entry.seq > self.seq.saturating_add(1) {
            return Err(Misfit::Missing);
        }
        let (sum, stated) = (self.balance.plus(entry.credits), entry.balance_after);
        if sum != Some(stated) {
            return Err(Misfit::BalanceAfter { stated, sum: sum.unwrap_or(Credits::MAX) });
        }
        let hash = match (entry.link, chain) {
            (None, _) if self.hash.is_none() => None,
            (None, _) => return Err(Misfit::NoHash),
            (Some(link), Some(chain)) if entry.hash_after(self.hash, account, &chain.salt) == link.hash => {
                Some(link.hash)
            }
            (Some(_), _) => return Err(Misfit::Hash),
        };
        Ok(Self { seq: entry.seq, balance: stated, hash })
    }

    /// Whether this entry is the last one that was verified, unchanged.
    pub fn ends_with(&self, entry: &Entry) -> bool {
        let hash = entry.link.map(|link| link.hash);
        (self.seq, self.balance, self.hash) == (entry.seq, entry.balance_after, hash)
    }

    /// Compares the whole of the entries with what the account says about them.
    ///
    /// # Errors
    /// [`Misfit::Balance`] and [`Misfit::Head`].
    pub fn check_end(&self, account: &Account) -> Result<(), Misfit> {
        if self.balance != account.balance {
            return Err(Misfit::Balance { sum: self.balance, balance: account.balance });
        }
        if self.hash != account.chain.and_then(|chain| chain.head) {
            return Err(Misfit::Head);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::charging::decide_charges;
    use crate::domain::samples::*;
    use crate::domain::{PriceBook, Salt};

    /// An account with four entries, which take 10, 20, 30 and 40 credits.
    fn written(chain: Option<Chain>) -> (Account, Vec<Entry>) {
        let before = Account { balance: Credits::constant(0), chain, ..account() };
        let generous = Account { balance: Credits::constant(1_000), ..before };
        let commands = [1, 2, 3, 4].map(|minutes| charge_command(&format!("job-{minutes}"), "training", minutes));
        let decided = decide_charges((&generous).into(), &PriceBook::reference(), &commands, at(5));
        let change = decided.change.unwrap();
        (change.account, change.entries)
    }

    /// As if the first entry was written behind a purchase of 1,000 credits without a hash.
    fn verify(account: &Account, entries: &[Entry]) -> Result<Verified, (u64, Misfit)> {
        let mut verified = Verified { balance: Credits::constant(1_000), ..Verified::NOTHING };
        for entry in entries {
            verified = verified
                .then(&account.id, account.chain.as_ref(), entry)
                .map_err(|misfit| (verified.seq + 1, misfit))?;
        }
        verified.check_end(account).map(|()| verified).map_err(|misfit| (0, misfit))
    }

    #[test]
    fn entries_fit_with_and_without_hashes() {
        for chain in [None, Some(Chain::starting(Salt::of(1)))] {
            let (account, entries) = written(chain);
            let head = account.chain.and_then(|chain| chain.head);
            let end = Verified { seq: 4, balance: Credits::constant(900), hash: head };
            assert_eq!(verify(&account, &entries), Ok(end));
        }
        let (mut account, mut entries) = written(Some(Chain::starting(Salt::of(1))));
        let chain = account.chain.unwrap();
        entries[0].link = None;
        let later = &mut entries[1..];
        let mut previous = None;
        for entry in later {
            previous = Some(entry.hash_after(previous, &account.id, &chain.salt));
            entry.link.as_mut().unwrap().hash = previous.unwrap();
        }
        account.chain = Some(Chain { head: previous, ..chain });
        assert!(verify(&account, &entries).is_ok(), "the chain begins with the second entry");
    }

    /// In order of precedence.
    #[test]
    fn the_first_entry_that_does_not_fit_is_named() {
        type Tampering = fn(&mut Account, &mut Vec<Entry>);
        let cases: [(&str, Tampering, u64, &str); 13] = [
            ("removed", |_, entries| drop(entries.remove(1)), 2, "missing"),
            ("renumbered", |_, entries| entries[1].seq = 7, 2, "missing"),
            ("twice", |_, entries| entries.insert(1, entries[0].clone()), 2, "repeated"),
            ("in another order", |_, entries| entries.swap(1, 2), 2, "missing"),
            ("other credits", |_, entries| entries[1].credits = Credits::constant(-21), 2, "balance_after"),
            ("another balance", |_, entries| entries[1].balance_after = Credits::constant(1), 2, "balance_after"),
            (
                "other credits and balances",
                |account, entries| {
                    entries[3].credits = Credits::constant(-50);
                    entries[3].balance_after = Credits::constant(890);
                    account.balance = Credits::constant(890);
                },
                4,
                "hash",
            ),
            ("another time", |_, entries| entries[1].created_at = at(6), 2, "hash"),
            ("no hash", |_, entries| entries[1].link = None, 2, "no_hash"),
            ("the first without a hash", |_, entries| entries[0].link = None, 2, "hash"),
            ("another account's balance", |account, _| account.balance = Credits::ZERO, 0, "balance"),
            (
                "the last is missing",
                |account, entries| {
                    entries.pop();
                    account.balance = Credits::constant(940);
                },
                0,
                "head",
            ),
            ("no salt", |account, _| account.chain = None, 1, "hash"),
        ];
        for (name, tamper, seq, expected) in cases {
            let (mut account, mut entries) = written(Some(Chain::starting(Salt::of(1))));
            tamper(&mut account, &mut entries);
            let found = verify(&account, &entries).map_err(|(seq, misfit)| (seq, misfit.name()));
            assert_eq!(found, Err((seq, expected)), "{name}");
        }
    }

    #[test]
    fn a_part_ends_with_an_entry_that_has_not_changed() {
        let (account, entries) = written(Some(Chain::starting(Salt::of(1))));
        let verified = verify(&account, &entries).unwrap();
        assert!(verified.ends_with(&entries[3]) && !verified.ends_with(&entries[2]));
        assert!(!verified.ends_with(&Entry { link: None, ..entries[3].clone() }));
    }
}
