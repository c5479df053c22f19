//! The chain of an account's entries: the hash of an entry covers the hash of the one before it and everything that the
//! entry says. So nobody can change, insert or remove an entry without changing the hash of every later one.
//!
//! Texts that may be personal enter a hash only as a salted digest. After such a text is erased, its digest is kept, and
//! the chain still holds. docs/verifying-the-ledger.md states the same rules for others.

use super::entry::{Cause, Entry};
use super::hash::{EntryHash, ErasedTexts, Hashed, Link, Salt, TextDigest};
use crate::domain::{AccountId, Operation, PriceLine};
use std::fmt;

/// Where an account's chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// To destroy it after an erasure, another one takes its place: erased texts have their digests in their entries.
    pub salt: Salt,
    /// The hash of the newest entry. `None` if there is no entry with a hash.
    pub head: Option<EntryHash>,
}

impl Chain {
    /// A chain without entries.
    pub fn starting(salt: Salt) -> Self {
        Self { salt, head: None }
    }

    /// The entry as the next one of the chain.
    pub(in crate::domain) fn extend(&mut self, account: &AccountId, entry: Entry) -> Entry {
        let hash = entry.hash_after(self.head, account, &self.salt);
        self.head = Some(hash);
        Entry { link: Some(Link { hash, erased: ErasedTexts::default() }), ..entry }
    }
}

/// The value of a field of an entry, as it enters the hash.
pub enum HashedValue<'a> {
    /// A number as decimal digits, any other value as its text.
    Text(&'a dyn fmt::Display),
    Digest(TextDigest),
}

impl Entry {
    /// The hash that this entry has behind another one. The salt is the account's.
    pub fn hash_after(&self, previous: Option<EntryHash>, account: &AccountId, salt: &Salt) -> EntryHash {
        let mut hashed = Hashed::of("prepaid entry 1");
        hashed.part(account.as_str().as_bytes());
        hashed.part(previous.as_ref().map_or(&[], EntryHash::as_bytes));
        self.visit(salt, |name, value| {
            hashed.part(name.as_bytes());
            match value {
                HashedValue::Text(text) => hashed.text(text),
                HashedValue::Digest(digest) => hashed.part(digest.as_bytes()),
            }
        });
        EntryHash::new(hashed.finish())
    }

    /// Everything that the entry says, field by field in the order in which it is hashed.
    pub fn visit(&self, salt: &Salt, mut field: impl FnMut(&'static str, HashedValue<'_>)) {
        // Every field is named, so that a new one cannot be left out of the hash by mistake.
        let Self { seq, credits, balance_after, created_at, cause, link } = self;
        let origin = cause.origin().to_string();
        let erased = link.map(|link| link.erased).unwrap_or_default();
        let digest = |name: &str, text: &str| salt.digest(&origin, name, text);
        let mut text = |name, value: &dyn fmt::Display| field(name, HashedValue::Text(value));
        text("entry", &origin);
        text("seq", seq);
        text("credits", credits);
        text("balance_after", balance_after);
        text("created_at", &created_at.as_millisecond());
        match cause {
            Cause::Charge { key: _, operation, price, reference, expires_in, spender, request_id } => {
                visit_operation(operation, &mut text);
                price.iter().for_each(|price| visit_price(price, &mut text));
                expires_in.iter().for_each(|expires_in| text("expires_in_seconds", &expires_in.seconds()));
                request_id.iter().for_each(|request_id| text("request_id", request_id));
                let reference = reference.as_ref().map(|text| digest("reference", text.as_str())).or(erased.reference);
                let spender = spender.as_ref().map(|text| digest("spender", text.as_str())).or(erased.spender);
                reference.into_iter().for_each(|digest| field("reference_digest", HashedValue::Digest(digest)));
                spender.into_iter().for_each(|digest| field("spender_digest", HashedValue::Digest(digest)));
            }
            Cause::Capture { charge: _, operation, price } => {
                visit_operation(operation, &mut text);
                visit_price(price, &mut text);
            }
            Cause::Purchase { purchase: _, package } => text("package", package),
            Cause::Reversal { paid_for: _, number: _, because } => text("because", because),
            Cause::Import { source: _, reference } => {
                let reference = reference.as_ref().map(|text| digest("reference", text.as_str())).or(erased.reference);
                reference.into_iter().for_each(|digest| field("reference_digest", HashedValue::Digest(digest)));
            }
            Cause::Adjustment { key: _, reason, operator } => {
                let reason = reason.as_ref().map(|text| digest("reason", text.as_str())).or(erased.reason);
                let operator = operator.as_ref().map(|text| digest("operator", text.as_str())).or(erased.operator);
                reason.into_iter().for_each(|digest| field("reason_digest", HashedValue::Digest(digest)));
                operator.into_iter().for_each(|digest| field("operator_digest", HashedValue::Digest(digest)));
            }
            Cause::Void { charge: _ }
            | Cause::Expiry { charge: _ }
            | Cause::Restore { charge: _ }
            | Cause::TopUp { top_up: _ } => {}
        }
    }

    /// The entry without its personal texts, and with their digests instead. Its hash stays the same. An entry that has
    /// no hash only loses the texts.
    #[must_use]
    pub fn erased(&self, salt: &Salt) -> Self {
        let mut erased = self.clone();
        let origin = self.origin().to_string();
        let mut digests = erased.link.map(|link| link.erased).unwrap_or_default();
        let digest = |name: &str, text: &str| Some(salt.digest(&origin, name, text));
        match &mut erased.cause {
            Cause::Charge { reference, spender, .. } => {
                digests.reference =
                    reference.take().map_or(digests.reference, |text| digest("reference", text.as_str()));
                digests.spender = spender.take().map_or(digests.spender, |text| digest("spender", text.as_str()));
            }
            Cause::Import { reference, .. } => {
                digests.reference =
                    reference.take().map_or(digests.reference, |text| digest("reference", text.as_str()));
            }
            Cause::Adjustment { reason, operator, .. } => {
                digests.reason = reason.take().map_or(digests.reason, |text| digest("reason", text.as_str()));
                digests.operator = operator.take().map_or(digests.operator, |text| digest("operator", text.as_str()));
            }
            _ => {}
        }
        erased.link = erased.link.map(|link| Link { erased: digests, ..link });
        erased
    }
}

fn visit_operation(operation: &Operation, text: &mut impl FnMut(&'static str, &dyn fmt::Display)) {
    let Operation { name, measure, amount } = operation;
    text("operation", name);
    text(measure.name(), amount);
}

fn visit_price(price: &PriceLine, text: &mut impl FnMut(&'static str, &dyn fmt::Display)) {
    let PriceLine { version, credits_per_unit, unit_size, credits_min } = price;
    text("price_book", version);
    text("credits_per_unit", credits_per_unit);
    text("unit_size", unit_size);
    text("credits_min", credits_min);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::charging::{decide_charge, decide_charges, decide_restore};
    use crate::domain::samples::*;
    use crate::domain::{Account, Credits, PriceBook, Reference, Spender};

    fn rich() -> Account {
        Account { balance: Credits::constant(1_000), ..account() }
    }

    fn charged(account: &Account, key: &str) -> (Entry, Account) {
        let mut command = charge_command(key, "dubbing", 90_000);
        command.request.reference = Some(Reference::parse("episode-12").unwrap());
        command.request.spender = Some(Spender::parse("key-1").unwrap());
        let change = decide_charge(account, &PriceBook::reference(), &command, at(5)).unwrap();
        (only_entry(&change), change.account)
    }

    /// The worked example of docs/verifying-the-ledger.md. If this test fails, every hash that is stored is wrong: never
    /// change the expected values, but begin a new version of the rules.
    #[test]
    fn hashes_never_change() {
        let before = rich();
        assert_eq!(before.chain, Some(Chain::starting(Salt::of(7))));
        let (first, after) = charged(&before, "job-1");
        let Link { hash, erased } = first.link.unwrap();
        assert_eq!(erased, ErasedTexts::default());
        assert_eq!(after.chain.unwrap().head, Some(hash));
        let digest = Salt::of(7).digest("charge:job-1", "reference", "episode-12");
        assert_eq!(digest.to_string(), "ee655642e563042f0bac3d52d9d1a6bdbf802d552d0137c14b75b718ddc66c27");
        assert_eq!(hash.to_string(), "f762c5f0e1cf7b01371e8ba708ccbfe9021af219705786cf6e2cbc9288ecdfb5");
        let restored = only_entry(&decide_restore(&after, &first, None, at(6)).unwrap());
        assert_eq!(
            restored.link.unwrap().hash.to_string(),
            "44baf4e6162d2ca5491ec9f8d9d53927594fad94fd55ff85feb200eb9ef2464f"
        );
    }

    #[test]
    fn entries_of_one_change_follow_one_another() {
        let commands = ["a", "b", "c"].map(|key| charge_command(key, "training", 1));
        let decided = decide_charges((&rich()).into(), &PriceBook::reference(), &commands, at(5));
        let change = decided.change.unwrap();
        let mut previous = None;
        for entry in &change.entries {
            let hash = entry.hash_after(previous, &rich().id, &Salt::of(7));
            assert_eq!(entry.link.unwrap().hash, hash);
            previous = Some(hash);
        }
        assert_eq!(change.account.chain.unwrap().head, previous);
    }

    #[test]
    fn an_account_of_an_earlier_release_has_no_chain_until_it_gets_a_salt() {
        let (entry, after) = charged(&Account { chain: None, ..rich() }, "job-1");
        assert_eq!((entry.link, after.chain), (None, None));
        let (entry, after) = charged(&after.salted(|| Salt::of(9)), "job-2");
        assert_eq!(after.chain, Some(Chain { salt: Salt::of(9), head: Some(entry.link.unwrap().hash) }));
        assert_eq!(after.clone().salted(|| Salt::of(1)), after, "a salt is made once");
    }

    #[test]
    fn an_entry_keeps_its_hash_when_its_texts_are_erased() {
        let (entry, after) = charged(&rich(), "job-1");
        let erased = entry.erased(&after.chain.unwrap().salt);
        let Cause::Charge { reference: None, spender: None, .. } = &erased.cause else { panic!("{erased:?}") };
        let (id, other_salt) = (&rich().id, Salt::of(8));
        assert_eq!(erased.hash_after(None, id, &other_salt), entry.link.unwrap().hash, "without the salt of before");
        assert_ne!(entry.hash_after(None, id, &other_salt), entry.link.unwrap().hash);
        assert_eq!(erased.erased(&other_salt), erased, "to erase again changes nothing");
        let mut forged = erased;
        forged.link.as_mut().unwrap().erased.spender = None;
        assert_ne!(forged.hash_after(None, id, &other_salt), entry.link.unwrap().hash);
    }

    #[test]
    fn a_hash_is_parsed_from_its_one_form() {
        let hash = EntryHash::new(std::array::from_fn(|place| 7 * u8::try_from(place).unwrap()));
        let text = hash.to_string();
        assert_eq!(EntryHash::parse(&text), Some(hash));
        for other in [&text[1..], &format!("{text}0"), &text.to_uppercase(), &text.replace("07", "+7"), "", "ü"] {
            assert_eq!(EntryHash::parse(other), None, "{other}");
        }
    }

    #[test]
    fn equal_texts_have_different_digests_in_different_places() {
        let digest = |entry: &str, name: &str| Salt::of(7).digest(entry, name, "key-1");
        assert_ne!(digest("charge:a", "spender"), digest("charge:b", "spender"));
        assert_ne!(digest("charge:a", "spender"), digest("charge:a", "reference"));
        assert_eq!(format!("{:?}", Salt::of(7)), "Salt(…)");
    }
}
