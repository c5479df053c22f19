//! The chain of every account, by an implementation of docs/verifying-the-ledger.md of its own, and the verification that
//! the product itself offers.

use crate::ledger::{Committed, Partition};
use crate::outside::Outside;
use crate::rules::Broken;
use futures::FutureExt;
use sha2::{Digest, Sha256};
use shared::domain::account::TextDigest;
use shared::domain::{AccountId, Cause, Chain, Change, Entry, EntryHash, Operation, PriceLine, Record, Salt};
use shared::use_cases::accounts::{LedgerPosition, LedgerVerification, verify_ledger};

/// Small, so that even the few entries of a run are several parts.
const PART: u32 = 3;

/// Accounts whose name ends with this letter were opened by an earlier release: without a salt.
const OPENED_EARLIER: char = 't';

/// The change as the release that opened the account wrote it: without a salt, and not into the directory.
pub fn as_opened(change: &Change) -> Change {
    let is_opened_earlier = change.account.version == 1 && change.account.id.as_str().ends_with(OPENED_EARLIER);
    if !is_opened_earlier {
        return change.clone();
    }
    let mut change = change.clone();
    change.account.chain = None;
    change.records.retain(|record| !matches!(record, Record::Listed { .. }));
    change
}

/// Every change continues the chain where the one before it stopped, and keeps the salt.
///
/// # Errors
/// The first broken rule.
pub fn check_commit(Committed { before, change, .. }: &Committed) -> Result<(), Broken> {
    let (account, id) = (&change.account, &change.account.id);
    if account.version == 1 {
        return Ok(());
    }
    let Some(chain) = account.chain else { return Err(format!("{id} has no salt")) };
    let before = before.as_ref().and_then(|before| before.chain);
    let is_erased = change.erasure().is_some_and(|erasure| erasure.completed_at.is_some());
    if before.is_some_and(|before| (before.salt != chain.salt) != is_erased) {
        return Err(format!("the salt of {id} has changed, or stays after an erasure"));
    }
    let head = before.and_then(|before| before.head);
    check_entries(id, &chain, head, &change.entries)
}

fn check_entries(id: &AccountId, chain: &Chain, mut head: Option<EntryHash>, entries: &[Entry]) -> Result<(), Broken> {
    for entry in entries {
        let Some(link) = entry.link else { return Err(format!("{} of {id} has no hash", entry.origin())) };
        let expected = hash(id, &chain.salt, head, entry);
        if link.hash != expected {
            return Err(format!("{} of {id} has the hash {}, not {expected}", entry.origin(), link.hash));
        }
        head = Some(expected);
    }
    if chain.head == head { Ok(()) } else { Err(format!("{id} keeps the head {:?}, not {head:?}", chain.head)) }
}

/// All entries of an account.
///
/// # Errors
/// The first broken rule.
pub fn check_partition(partition: &Partition) -> Result<(), Broken> {
    let Some(account) = &partition.account else { return Ok(()) };
    let mut entries: Vec<Entry> = partition.entries.values().cloned().collect();
    entries.sort_by_key(|entry| entry.seq);
    account.chain.map_or(Ok(()), |chain| check_entries(&account.id, &chain, None, &entries))
}

/// At rest, the product itself finds that everything fits, in several parts.
///
/// # Errors
/// What it finds instead.
pub fn check_verification(outside: &Outside) -> Result<(), Broken> {
    let accounts: Vec<_> = outside.0.ledger.tables().accounts().cloned().collect();
    for account in accounts {
        let mut from = LedgerPosition::BEGINNING;
        let verified = loop {
            let part = verify_ledger(&outside.context(), &account.id, from, PART).now_or_never();
            match part.expect("nothing waits at rest").map_err(|error| error.to_string())? {
                LedgerVerification::Unfinished(position) => from = position,
                LedgerVerification::Verified(verified) => break verified,
                other => return Err(format!("the verification of {} ends with {other:?}", account.id)),
            }
        };
        if (verified.seq, verified.balance) != (account.seq, account.balance) {
            return Err(format!("{} is verified through {verified:?}", account.id));
        }
    }
    Ok(())
}

/// The hash of an entry by the documented rules.
fn hash(account: &AccountId, salt: &Salt, previous: Option<EntryHash>, entry: &Entry) -> EntryHash {
    let mut parts: Vec<Vec<u8>> = vec!["prepaid entry 1".into(), account.as_str().into()];
    parts.push(previous.map(|hash| hash.as_bytes().to_vec()).unwrap_or_default());
    let origin = entry.origin().to_string();
    let mut field = |name: &str, value: Vec<u8>| parts.extend([name.into(), value]);
    field("entry", origin.clone().into());
    field("seq", entry.seq.to_string().into());
    field("credits", entry.credits.to_string().into());
    field("balance_after", entry.balance_after.to_string().into());
    field("created_at", entry.created_at.as_millisecond().to_string().into());
    let (operation, price) = match &entry.cause {
        Cause::Charge { operation, price, .. } => (Some(operation), price.as_ref()),
        Cause::Capture { operation, price, .. } => (Some(operation), Some(price)),
        _ => (None, None),
    };
    if let Some(Operation { name, measure, amount }) = operation {
        field("operation", name.as_str().into());
        field(measure.name(), amount.to_string().into());
    }
    if let Some(PriceLine { version, credits_per_unit, unit_size, credits_min }) = price {
        field("price_book", version.as_str().into());
        field("credits_per_unit", credits_per_unit.to_string().into());
        field("unit_size", unit_size.to_string().into());
        field("credits_min", credits_min.to_string().into());
    }
    let digest = |name: &str, text: &str| {
        let parts =
            ["prepaid text 1".into(), salt.as_bytes().to_vec(), origin.clone().into(), name.into(), text.into()];
        sha256(&parts).to_vec()
    };
    let erased = entry.link.map(|link| link.erased).unwrap_or_default();
    let kept = |digest: Option<TextDigest>| digest.map(|digest| digest.as_bytes().to_vec());
    match &entry.cause {
        Cause::Charge { expires_in, reference, spender, request_id, .. } => {
            expires_in.iter().for_each(|time| field("expires_in_seconds", time.seconds().to_string().into()));
            request_id.iter().for_each(|id| field("request_id", id.as_str().into()));
            let reference = reference.as_ref().map(|text| digest("reference", text.as_str()));
            let reference = reference.or(kept(erased.reference));
            reference.into_iter().for_each(|digest| field("reference_digest", digest));
            let spender = spender.as_ref().map(|text| digest("spender", text.as_str())).or(kept(erased.spender));
            spender.into_iter().for_each(|digest| field("spender_digest", digest));
        }
        Cause::Purchase { package, .. } => field("package", package.as_str().into()),
        Cause::Adjustment { reason, operator, .. } => {
            let reason = reason.as_ref().map(|text| digest("reason", text.as_str())).or(kept(erased.reason));
            reason.into_iter().for_each(|digest| field("reason_digest", digest));
            let operator = operator.as_ref().map(|text| digest("operator", text.as_str()));
            let operator = operator.or(kept(erased.operator));
            operator.into_iter().for_each(|digest| field("operator_digest", digest));
        }
        Cause::Import { reference, .. } => {
            let reference = reference.as_ref().map(|text| digest("reference", text.as_str()));
            let reference = reference.or(kept(erased.reference));
            reference.into_iter().for_each(|digest| field("reference_digest", digest));
        }
        Cause::Reversal { because, .. } => field("because", because.name().into()),
        Cause::Capture { .. }
        | Cause::Void { .. }
        | Cause::Expiry { .. }
        | Cause::Restore { .. }
        | Cause::TopUp { .. } => {}
    }
    EntryHash::new(sha256(&parts))
}

/// Each part behind its length in two bytes.
fn sha256(parts: &[Vec<u8>]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u16::try_from(part.len()).expect("no part is that long").to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
