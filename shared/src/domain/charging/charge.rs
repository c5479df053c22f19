//! Taking credits for one operation.

use super::pending_charge::{ExpiresIn, PendingCharge};
use crate::domain::payments::{ReturnReason, TopUpOutlook, top_up_outlook};
use crate::domain::spending::{Counters, Payer};
use crate::domain::{
    Account, AccountClosed, BalanceOutOfRange, Cause, Change, Credits, Entry, IdempotencyKey, KeyReused, LimitReached,
    Operation, PriceBook, PriceLine, Record, Reference, RequestId, RestrictionReason, Spender,
};
use jiff::Timestamp;

/// What a caller asks for: one operation of the company's service that the account pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeRequest {
    pub key: IdempotencyKey,
    pub operation: Operation,
    pub reference: Option<Reference>,
    /// For whom the account spends.
    pub spender: Option<Spender>,
    /// Makes the charge pending: unless it is captured or voided within this time, its credits come back.
    pub expires_in: Option<ExpiresIn>,
}

/// A request at the price of this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeCommand {
    pub request: ChargeRequest,
    pub price: PriceLine,
    /// The HTTP request that asks. It says nothing about what is asked, so a replay may have another one.
    pub request_id: Option<RequestId>,
}

impl ChargeCommand {
    /// What the operation costs.
    pub fn credits(&self) -> Credits {
        self.price.price_of(self.request.operation.amount)
    }

    fn cause(&self) -> Cause {
        let ChargeRequest { key, operation, reference, spender, expires_in } = self.request.clone();
        let (price, request_id) = (Some(self.price.clone()), self.request_id.clone());
        Cause::Charge { key, operation, price, reference, spender, expires_in, request_id }
    }

    /// The record of a charge that waits to be captured, once its entry is made.
    fn pending(&self, account: &Account, now: Timestamp) -> Option<PendingCharge> {
        let ChargeRequest { key, operation, spender, expires_in, .. } = self.request.clone();
        Some(PendingCharge {
            account: account.id.clone(),
            charge: key,
            seq: account.seq,
            operation,
            price: self.price.clone(),
            credits: self.credits(),
            spender,
            created_at: now,
            expires_in: expires_in?,
            end: None,
        })
    }
}

/// Why a charge is refused, in order of precedence. Nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChargeRefusal {
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error("charges are blocked until {until}: {reason}")]
    Restricted { reason: RestrictionReason, until: Timestamp },
    #[error("the customer stopped spending at {stopped_at}")]
    SpendingStopped { stopped_at: Timestamp },
    #[error(transparent)]
    LimitReached(#[from] LimitReached),
    #[error("the operation costs {required} credits, the balance is {balance}")]
    InsufficientCredits {
        balance: Credits,
        required: Credits,
        top_up: TopUpOutlook,
        /// Why the balance is below zero, if a payment went back.
        reversal: Option<ReturnReason>,
    },
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

/// Takes what the operation costs, if nothing stops it, every limit leaves it and the balance covers it. A pending charge
/// takes it just the same. The price book says whether a top-up follows a refusal.
///
/// # Errors
/// [`ChargeRefusal`]; nothing must be written then.
pub fn decide_charge<'a>(
    payer: impl Into<Payer<'a>>,
    price_book: &PriceBook,
    command: &ChargeCommand,
    now: Timestamp,
) -> Result<Change, ChargeRefusal> {
    let payer = payer.into().narrowed_to(command.request.spender.as_ref());
    let required = command.credits();
    check_charge(payer, price_book, required, now)?;
    let mut change = Change::on(payer.account, now);
    change.post(required.negated(), command.cause(), now)?;
    Counters::at(payer, now).count(required, &mut change);
    if let Some(pending) = command.pending(&change.account, now) {
        change.account.pending = change.account.pending.plus(required).ok_or(BalanceOutOfRange)?;
        change.records.push(Record::PendingCharge(pending));
    }
    Ok(change)
}

/// Whether this much could be charged now. The payer has at most the limits of the charge's spender.
///
/// # Errors
/// Why not: the first [`ChargeRefusal`] in order of precedence.
pub fn check_charge(
    payer: Payer<'_>,
    price_book: &PriceBook,
    required: Credits,
    now: Timestamp,
) -> Result<(), ChargeRefusal> {
    let account = payer.account;
    account.check_not_closed()?;
    if let Some(restriction) = account.restriction_at(now) {
        return Err(ChargeRefusal::Restricted { reason: restriction.reason.clone(), until: restriction.until });
    }
    if let Some(stopped_at) = account.spending_stopped_at() {
        return Err(ChargeRefusal::SpendingStopped { stopped_at });
    }
    Counters::at(payer, now).check(required)?;
    if account.balance < required {
        let top_up = top_up_outlook(account, price_book, required, now);
        let below_zero = account.reversal_pause.filter(|_| account.balance.is_negative());
        let (balance, reversal) = (account.balance, below_zero.map(|pause| pause.because));
        return Err(ChargeRefusal::InsufficientCredits { balance, required, top_up, reversal });
    }
    Ok(())
}

/// Whether an entry under the request's key answers this same request. The price may have changed since. What was erased
/// cannot be compared any more: any text is then the same one.
///
/// # Errors
/// [`KeyReused`] when the key took credits for another request.
pub fn check_charge_replay(entry: &Entry, request: &ChargeRequest) -> Result<(), KeyReused> {
    let erased = entry.link.map(|link| link.erased).unwrap_or_default();
    let is_same = match &entry.cause {
        Cause::Charge { operation, reference, spender, expires_in, .. } => {
            *operation == request.operation
                && (*reference == request.reference || erased.reference.is_some())
                && (*spender == request.spender || erased.spender.is_some())
                && *expires_in == request.expires_in
        }
        _ => false,
    };
    if is_same { Ok(()) } else { Err(KeyReused { key: request.key.clone() }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Restriction;
    use crate::domain::payments::NoTopUp;
    use crate::domain::samples::*;
    use crate::domain::spending::LimitName;

    fn command(duration_ms: i64) -> ChargeCommand {
        charge_command("job-1", "dubbing", duration_ms)
    }

    /// In order of precedence: a closed account, a restriction, the customer's stop, a limit, an insufficient balance.
    #[test]
    fn charges_are_refused_in_order_of_precedence_and_taken_otherwise() {
        let reason = RestrictionReason::parse("review").unwrap();
        let restriction = Restriction { reason: reason.clone(), until: at(100) };
        let restricted = Err(ChargeRefusal::Restricted { reason, until: at(100) });
        let insufficient = |balance: i64| {
            Err(ChargeRefusal::InsufficientCredits {
                balance: Credits::constant(balance),
                required: Credits::constant(10),
                top_up: TopUpOutlook::Off(NoTopUp::NotTurnedOn),
                reversal: None,
            })
        };
        let with = |balance: i64| Account { balance: Credits::constant(balance), ..account() };
        let restrict = |account: Account| Account { restriction: Some(restriction.clone()), ..account };
        let stop = |account: Account| Account { spending: Some(stopped_at(7)), ..account };
        let stopped = Err(ChargeRefusal::SpendingStopped { stopped_at: at(7) });
        let limit = |account: Account| Account { limits: limits([Some((9, 0)), None, None]), ..account };
        let limited = Err(ChargeRefusal::LimitReached(LimitReached {
            limit: LimitName::AccountDay,
            required: Credits::constant(10),
            left: Credits::constant(9),
            max: Credits::constant(9),
            starts_again_at: Some(at(86_400)),
        }));
        let closed = Err(ChargeRefusal::Closed(AccountClosed { closed_at: at(3) }));
        let close = |account: Account| Account { closed_at: Some(at(3)), ..account };
        for (name, account, now, expected) in [
            ("closed and everything else", close(restrict(stop(limit(with(0))))), at(99), closed.clone()),
            ("closed", close(with(100)), at(99), closed),
            ("restricted, stopped, limited and poor", restrict(stop(limit(with(0)))), at(99), restricted.clone()),
            ("restricted", restrict(with(100)), at(99), restricted),
            ("the restriction has ended, stopped", restrict(stop(limit(with(0)))), at(100), stopped.clone()),
            ("stopped", stop(with(100)), at(100), stopped),
            ("limited and poor", limit(with(0)), at(0), limited.clone()),
            ("limited", limit(with(100)), at(0), limited),
            ("the restriction has ended, poor", restrict(with(9)), at(100), insufficient(9)),
            ("the restriction has ended", restrict(with(10)), at(100), Ok(0)),
            ("nothing", with(0), at(0), insufficient(0)),
            ("one short", with(9), at(0), insufficient(9)),
            ("clawed back", with(-5), at(0), insufficient(-5)),
            ("exactly enough", with(10), at(0), Ok(0)),
            ("plenty", with(1_000), at(0), Ok(990)),
        ] {
            let decided = decide_charge(&account, &PriceBook::reference(), &command(30_000), now);
            assert_eq!(decided.map(|change| change.account.balance.get()), expected, "{name}");
        }
    }

    #[test]
    fn a_charge_makes_the_next_entry_and_nothing_else() {
        let before = Account { balance: Credits::constant(100), seq: 7, version: 11, ..account() };
        let change = decide_charge(&before, &PriceBook::reference(), &command(90_000), at(5)).unwrap();
        let entry = only_entry(&change);
        assert_eq!((entry.seq, entry.credits.get(), entry.balance_after.get(), entry.created_at), (8, -15, 85, at(5)));
        assert_eq!((change.account.seq, change.account.version, change.account.balance.get()), (8, 12, 85));
        assert!(change.records.is_empty() && change.notices.is_empty());
        let Cause::Charge { price: Some(price), .. } = entry.cause else { panic!("a charge keeps its price") };
        assert_eq!(price, command(90_000).price);
    }

    #[test]
    fn the_first_charge_after_midnight_writes_nothing_more_than_any_other() {
        let before = Account { balance: Credits::constant(100), ..account() };
        let first = decide_charge(&before, &PriceBook::reference(), &command(1), at(0)).unwrap().account;
        let change = decide_charge(&first, &PriceBook::reference(), &command(1), at(86_400)).unwrap();
        assert_eq!((change.entries.len(), change.records, change.notices), (1, vec![], vec![]));
        assert_eq!(change.account.limits_date, None, "an account without limits does not know the day");
    }

    #[test]
    fn only_the_same_request_is_a_replay_whatever_its_price_is_now() {
        let account = Account { balance: Credits::constant(100), ..account() };
        let entry = only_entry(&decide_charge(&account, &PriceBook::reference(), &command(30_000), at(0)).unwrap());
        let same = command(30_000).request;
        assert_eq!(check_charge_replay(&entry, &same), Ok(()));
        let of_request = ChargeCommand { request_id: RequestId::parse("r-1").ok(), ..command(30_000) };
        let asked = only_entry(&decide_charge(&account, &PriceBook::reference(), &of_request, at(0)).unwrap());
        assert!(matches!(&asked.cause, Cause::Charge { request_id, .. } if *request_id == of_request.request_id));
        assert_eq!(check_charge_replay(&asked, &same), Ok(()), "another request may ask the same");
        for other in [
            command(30_001).request,
            charge_command("job-1", "training", 1).request,
            ChargeRequest { reference: Some(Reference::parse("file").unwrap()), ..same.clone() },
            ChargeRequest { spender: Some(Spender::parse("key-1").unwrap()), ..same.clone() },
            ChargeRequest { expires_in: ExpiresIn::new(60).ok(), ..same },
        ] {
            assert_eq!(check_charge_replay(&entry, &other), Err(KeyReused { key: key("job-1") }));
        }
    }
}
