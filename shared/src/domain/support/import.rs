//! Opening balances that are brought over from another system.

use super::{ActKind, Acting, Imported};
use crate::domain::{
    Account, AccountClosed, AccountId, BalanceOutOfRange, Cause, Change, Credits, EmailAddress, OutOfRange, PriceBook,
    Record, Reference, SourceId, within,
};
use jiff::Timestamp;

/// An opening balance: negative if the customer owes it, and at most [`PriceBook::IMPORT_MAX`] either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportedCredits(Credits);

impl ImportedCredits {
    /// # Errors
    /// [`OutOfRange`].
    pub fn new(credits: i64) -> Result<Self, OutOfRange> {
        let max = PriceBook::IMPORT_MAX.get();
        let out_of_range = OutOfRange { field: "credits", min: max.saturating_neg(), max, value: credits };
        let valid = within("credits", credits, out_of_range.min, max)?;
        Credits::new(valid).map(Self).ok_or(out_of_range)
    }

    pub fn get(self) -> Credits {
        self.0
    }
}

/// One line of an import: an account, and what it has in the other system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub account: AccountId,
    pub email: EmailAddress,
    pub credits: ImportedCredits,
    pub source: SourceId,
    /// The company's own words, which the customer is shown.
    pub reference: Option<Reference>,
}

/// Why a line is not imported, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefusal {
    /// The source was imported for another account.
    #[error("the source was imported for another account")]
    OtherAccount,
    /// The source was imported with other credits.
    #[error("the source was imported with {imported} credits")]
    OtherCredits { imported: Credits },
    /// The account was closed, and is never credited again.
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    /// The account exists with another address.
    #[error("the account exists with another e-mail address")]
    OtherEmail,
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

impl Import {
    /// Whether the source was imported before, as this line says.
    ///
    /// # Errors
    /// [`ImportRefusal`] if it was imported otherwise.
    pub fn is_imported(&self, imported: Option<&Imported>) -> Result<bool, ImportRefusal> {
        match imported {
            None => Ok(false),
            Some(imported) if imported.account != self.account => Err(ImportRefusal::OtherAccount),
            Some(Imported { credits, .. }) if *credits != self.credits.get() => {
                Err(ImportRefusal::OtherCredits { imported: *credits })
            }
            Some(_) => Ok(true),
        }
    }
}

/// What is stored about a line beside its account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportState {
    pub imported: Option<Imported>,
    /// Whether the account is in the directory. Accounts of the release before are not.
    pub is_listed: bool,
    /// Whether the line has an address of the account.
    pub is_its_email: bool,
}

/// Brings the opening balance over. `None` if that was done before.
///
/// The record of the source ensures that this happens at most once, and so does the entry's key. A balance of zero makes
/// no entry. An import is neither a purchase nor an adjustment: it counts neither as usage nor against a limit.
///
/// # Errors
/// [`ImportRefusal`]; nothing must be written then.
pub fn decide_import(
    account: &Account,
    import: &Import,
    state: &ImportState,
    acting: Acting,
    now: Timestamp,
) -> Result<Option<Change>, ImportRefusal> {
    if import.is_imported(state.imported.as_ref())? {
        return Ok(None);
    }
    account.check_not_closed()?;
    if !state.is_its_email {
        return Err(ImportRefusal::OtherEmail);
    }
    let (source, credits) = (import.source.clone(), import.credits.get());
    let mut change = Change::on(account, now);
    if credits != Credits::ZERO {
        let cause = Cause::Import { source: source.clone(), reference: import.reference.clone() };
        change.post(credits, cause, now)?;
    }
    let imported = Imported { source: source.clone(), account: account.id.clone(), credits, at: now };
    change.records.push(Record::Imported(imported));
    change.records.push(acting.record(ActKind::Imported { source, credits }, now));
    if !state.is_listed {
        change.records.push(Record::Listed { at: now });
    }
    Ok(Some(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::*;

    fn import(credits: i64) -> Import {
        Import {
            account: account().id,
            email: account().email.unwrap(),
            credits: ImportedCredits::new(credits).unwrap(),
            source: SourceId::parse("row-1").unwrap(),
            reference: Reference::parse("Balance of 2026-01-01").ok(),
        }
    }

    fn listed(imported: Option<Imported>) -> ImportState {
        ImportState { imported, is_listed: true, is_its_email: true }
    }

    fn imported(change: &Change) -> Imported {
        let imported = change.records.iter().find_map(|record| match record {
            Record::Imported(imported) => Some(imported.clone()),
            _ => None,
        });
        imported.unwrap()
    }

    #[test]
    fn an_opening_balance_is_bounded_and_may_be_owed() {
        for credits in [0, 1, -1, 1_000_000_000, -1_000_000_000] {
            assert_eq!(ImportedCredits::new(credits).unwrap().get().get(), credits);
        }
        for credits in [1_000_000_001, -1_000_000_001, i64::MAX, i64::MIN] {
            let refused = ImportedCredits::new(credits).unwrap_err();
            assert_eq!((refused.min, refused.max, refused.value), (-1_000_000_000, 1_000_000_000, credits));
        }
    }

    #[test]
    fn an_import_moves_its_credits_once_and_says_who_did_it() {
        for credits in [500, -70] {
            let change = decide_import(&account(), &import(credits), &listed(None), acting(), at(9)).unwrap().unwrap();
            let entry = only_entry(&change);
            let cause = Cause::Import { source: import(1).source, reference: import(1).reference };
            assert_eq!((entry.credits.get(), entry.balance_after.get(), entry.cause), (credits, credits, cause));
            let kind = ActKind::Imported { source: import(1).source, credits: Credits::constant(credits) };
            assert_eq!(change.records[1..], [acting().record(kind, at(9))]);
            let state = listed(Some(imported(&change)));
            let again = decide_import(&change.account, &import(credits), &state, acting(), at(10));
            assert_eq!(again, Ok(None));
        }
    }

    #[test]
    fn a_balance_of_zero_makes_no_entry_and_is_recorded_once() {
        let change = decide_import(&account(), &import(0), &listed(None), acting(), at(9)).unwrap().unwrap();
        assert_eq!((change.entries.len(), change.account.balance), (0, Credits::ZERO));
        let state = listed(Some(imported(&change)));
        assert_eq!(decide_import(&change.account, &import(0), &state, acting(), at(10)), Ok(None));
    }

    #[test]
    fn an_account_of_the_release_before_is_listed_with_its_import() {
        let change =
            decide_import(&account(), &import(0), &ImportState { is_listed: false, ..listed(None) }, acting(), at(9))
                .unwrap()
                .unwrap();
        assert_eq!(change.records.last(), Some(&Record::Listed { at: at(9) }));
    }

    #[test]
    fn a_line_that_says_something_else_is_refused_in_order_of_precedence() {
        let first = decide_import(&account(), &import(5), &listed(None), acting(), at(9)).unwrap().unwrap();
        let state = listed(Some(imported(&first)));
        let elsewhere = Import { account: AccountId::parse("globex").unwrap(), ..import(6) };
        let moved = Import { email: EmailAddress::parse("new@example.com").unwrap(), ..import(5) };
        let decide = |import: &Import, state: &ImportState| {
            decide_import(&first.account, import, state, acting(), at(10)).map(|change| change.is_some())
        };
        assert_eq!(decide(&elsewhere, &state), Err(ImportRefusal::OtherAccount));
        let other = ImportRefusal::OtherCredits { imported: Credits::constant(5) };
        assert_eq!(decide(&import(6), &state), Err(other));
        assert_eq!(decide(&moved, &state), Ok(false), "imported before the address changed");
        assert_eq!(
            decide(&moved, &ImportState { is_its_email: false, ..listed(None) }),
            Err(ImportRefusal::OtherEmail)
        );
        let closed = Account { closed_at: Some(at(3)), ..account() };
        let refused = decide_import(&closed, &moved, &listed(None), acting(), at(10));
        assert_eq!(refused, Err(AccountClosed { closed_at: at(3) }.into()));
        let full = Account { balance: Credits::MAX, ..account() };
        let refused = decide_import(&full, &import(1), &listed(None), acting(), at(1));
        assert_eq!(refused, Err(BalanceOutOfRange.into()));
    }
}
