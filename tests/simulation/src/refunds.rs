//! Refunds that support makes: what the simulated Stripe does with them, and the rules.

use crate::bugs::has_bug;
use crate::ledger::{Committed, Partition};
use crate::names;
use crate::outside::Outside;
use crate::request::{Ended, Request};
use crate::returns::{Paid, granted};
use crate::rules::Broken;
use crate::run::Run;
use crate::schedule::resume_task;
use crate::stripe::Stripe;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use shared::domain::payments::{PaidFor, Refund, RefundStatus, Returns, WantedRefund};
use shared::domain::support::{Act, ActKind};
use shared::domain::{AccountId, Change, Credits, IdempotencyKey, Record, RefundId};
use shared::ports::{MadeRefund, MadeRefundStatus, PaymentRefunds, PaymentsError, RefundError, RefundOrder};
use shared::use_cases::support::{MakeRefundError, refund};

/// Stripe forgets an idempotency key after a day.
const KEY_AGE_MAX: SignedDuration = SignedDuration::from_hours(24);
const LONGER_THAN_A_KEY: SignedDuration = SignedDuration::from_hours(25);
/// The calls in which a request has made its refund, and has not recorded anything since.
const CALLS_TO_REFUND: usize = 8;

/// A refund that was made for a request.
#[derive(Clone, Debug)]
pub struct OrderedRefund {
    pub id: RefundId,
    order: RefundOrder,
    made_at: Timestamp,
}

impl Stripe {
    fn refund_of(&self, order: &RefundOrder) -> Option<RefundId> {
        let is_of_order = |made: &&OrderedRefund| made.order == *order;
        self.ordered_refunds.iter().find(is_of_order).map(|made| made.id.clone())
    }

    /// Makes a refund, once for each key that is not forgotten. `None` if it is refused.
    fn refund_order(&mut self, order: &RefundOrder, now: Timestamp) -> Option<RefundId> {
        let is_known = |made: &&OrderedRefund| made.order == *order && now.duration_since(made.made_at) < KEY_AGE_MAX;
        if let Some(made) = self.ordered_refunds.iter().find(is_known) {
            return Some(made.id.clone());
        }
        let payment = self.payments().into_iter().find(|payment| payment.intent == order.payment)?;
        let id = self.refund_cents(&payment, order.amount)?;
        self.ordered_refunds.push(OrderedRefund { id: id.clone(), order: order.clone(), made_at: now });
        Some(id)
    }
}

impl PaymentRefunds for Outside {
    async fn refund_make(&self, order: &RefundOrder) -> Result<MadeRefund, RefundError> {
        let made = |id: RefundId| MadeRefund { id, status: MadeRefundStatus::Succeeded };
        if !has_bug("refund_is_made_without_a_look") {
            let order = order.clone();
            let known = self.refund_answer(move |stripe, _| stripe.refund_of(&order)).await?;
            if let Some(id) = known {
                return Ok(made(id));
            }
        }
        let order = order.clone();
        let answer = self.refund_answer(move |stripe, now| stripe.refund_order(&order, now)).await?;
        answer.map(made).ok_or(RefundError::Refused { code: None })
    }
}

impl Outside {
    async fn refund_answer(
        &self,
        ask: impl FnOnce(&mut Stripe, Timestamp) -> Option<RefundId> + Send + 'static,
    ) -> Result<Option<RefundId>, PaymentsError> {
        self.stripe_or_unavailable("refund_make", move |world| ask(&mut world.stripe(), world.time())).await
    }
}

// ── Rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The refunds of each purchase and attempt, with the credits taken back for it.
fn recorded(records: &[Record]) -> impl Iterator<Item = (PaidFor, &[Refund])> {
    records.iter().filter_map(|record| match record {
        Record::Purchase(purchase) => Some((PaidFor::Purchase(purchase.id.clone()), &purchase.refunds[..])),
        Record::TopUp(top_up) => Some((PaidFor::TopUp(top_up.id.clone()), &top_up.refunds[..])),
        _ => None,
    })
}

/// An act about a refund is written with the request for it.
pub fn is_asked_for(act: &Act, change: &Change) -> bool {
    let ActKind::Refunded { paid_for, key, amount } = &act.kind else { return false };
    recorded(&change.records).any(|(id, refunds)| {
        let is_such =
            |refund: &Refund| (&refund.key, refund.amount, &refund.status) == (key, *amount, &RefundStatus::Asked);
        id == *paid_for && refunds.last().is_some_and(is_such)
    })
}

/// A request asks for no more than is left, no more than the unused credits were paid with, and for nothing beside another
/// one. Once it counts as made, its money counts as gone back.
///
/// # Errors
/// The first broken rule.
pub fn check_commit(
    Committed { before, change, .. }: &Committed,
    partition: &Partition,
    stripe: &Stripe,
) -> Result<(), Broken> {
    for record in &change.records {
        let (id, payment, refunds, reversed) = match record {
            Record::Purchase(bought) => {
                let id = PaidFor::Purchase(bought.id.clone());
                (id, &bought.payment_intent, &bought.refunds, bought.reversed)
            }
            Record::TopUp(bought) => {
                let id = PaidFor::TopUp(bought.id.clone());
                (id, &bought.payment_intent, &bought.refunds, bought.reversed)
            }
            _ => continue,
        };
        let under_way = refunds.iter().filter(|refund| refund.status == RefundStatus::Asked);
        if under_way.clone().count() > 1 {
            return Err(format!("two refunds of {id} are under way"));
        }
        let is_new = change.records.iter().any(|record| matches!(record, Record::Act(_)));
        if let Some(asked) = under_way.clone().next().filter(|_| is_new) {
            let payments = stripe.payments();
            let payment = payments.iter().find(|paid| Some(&paid.intent) == payment.as_ref());
            let Some(payment) = payment else { return Err(format!("{id} is to be refunded without a payment")) };
            // It was decided by one of Stripe's reports.
            let granted = granted(partition, &id);
            let balance = before.as_ref().map_or(0, |before| before.balance.get());
            let reports = stripe.told.returns.iter().filter(|(intent, _)| *intent == payment.intent);
            let is_allowed = |returns: &Returns| {
                let left = payment.paid - returns.returned();
                let taken = returns.credits_of(Credits::constant(granted)).get() - reversed.taken.get();
                let unused = (balance - taken).min(granted);
                returns.disputed() == 0
                    && (1..=left).contains(&asked.amount)
                    && (asked.wanted != WantedRefund::UnusedCredits || asked.amount * granted <= unused * payment.paid)
            };
            if !reports.map(|(_, returns)| returns.merged(reversed.returns)).any(|returns| is_allowed(&returns)) {
                return Err(format!("{asked:?} of {id} is more than what is left or unused, or it is disputed"));
            }
        }
        for refund in refunds {
            if let RefundStatus::Made(made) = &refund.status
                && !stripe.ordered_refunds.iter().any(|known| known.id == *made && known.order.amount == refund.amount)
            {
                return Err(format!("{made} of {id} was never made"));
            }
        }
        let made = refunds.iter().filter(|refund| matches!(refund.status, RefundStatus::Made(_)));
        let (made, known) = (made.map(|refund| refund.amount).sum::<i64>(), reversed.returns.refunds);
        if made > known {
            return Err(format!("refunds of {id} count as made with {made} cents, and {known} went back"));
        }
    }
    Ok(())
}

/// What a request asked for never changes, and how it ended neither.
///
/// # Errors
/// The broken rule.
pub fn check_kept(id: &str, before: &[Refund], after: &[Refund]) -> Result<(), Broken> {
    let is_kept = |(before, after): (&Refund, &Refund)| {
        before == after
            || before.status == RefundStatus::Asked
                && *before == Refund { status: RefundStatus::Asked, ..after.clone() }
    };
    let is_longer = before.len() <= after.len();
    if is_longer && before.iter().zip(after).all(is_kept) {
        return Ok(());
    }
    Err(format!("the refunds of {id} were {before:?} and are {after:?}"))
}

/// Each request is made at most once.
///
/// # Errors
/// The first broken rule.
pub fn check_partition(partition: &Partition, stripe: &Stripe) -> Result<(), Broken> {
    let purchases = partition.purchases.values().map(|bought| (PaidFor::Purchase(bought.id.clone()), &bought.refunds));
    let top_ups = partition.top_ups.values().map(|bought| (PaidFor::TopUp(bought.id.clone()), &bought.refunds));
    for (id, refunds) in purchases.chain(top_ups) {
        for refund in refunds {
            let is_of_request = |made: &&OrderedRefund| made.order.paid_for == id && made.order.key == refund.key;
            let made = stripe.ordered_refunds.iter().filter(is_of_request).count();
            if made > usize::from(refund.status != RefundStatus::Refused) {
                return Err(format!("{id} is refunded {made} times for {}, which is {:?}", refund.key, refund.status));
            }
            let is_act = |act: &&Act| matches!(&act.kind, ActKind::Refunded { paid_for, key, .. } if *paid_for == id && *key == refund.key);
            let acts = partition.acts.values().filter(is_act).count();
            if acts != 1 {
                return Err(format!("{acts} acts tell of the refund {} of {id}", refund.key));
            }
        }
    }
    Ok(())
}

// ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Runs a request for a refund, and compares its answer with what is stored.
pub async fn run_refund(
    outside: &Outside,
    account: &AccountId,
    paid_for: &PaidFor,
    (key, wanted): (&IdempotencyKey, WantedRefund),
) -> Ended {
    let asked = names::asked("The customer asked for it.");
    let answer = refund(&outside.context(), (account, paid_for), (key, wanted), &asked).await;
    let stored = stored(outside, account, paid_for, key);
    match (answer, stored) {
        (Ok(refunded), Some(stored)) if refunded.refund == stored && stored.wanted == wanted => {
            outside.answered(format_args!("{} cents by {:?}", stored.amount, stored.status))
        }
        (Ok(refunded), stored) => Ended::Wrong(format!("{:?} is answered, and {stored:?} stored", refunded.refund)),
        (Err(MakeRefundError::RefusedByProvider { .. }), Some(stored)) if stored.status == RefundStatus::Refused => {
            outside.answered("Stripe refuses the refund")
        }
        (Err(MakeRefundError::RefusedByProvider { .. }), stored) => {
            Ended::Wrong(format!("a refund that Stripe refused is {stored:?}"))
        }
        (Err(MakeRefundError::Refused(refusal)), _) => outside.answered(refusal),
        (Err(MakeRefundError::NotFound(missing)), _) => outside.answered(missing),
        (Err(error @ (MakeRefundError::Applied(_) | MakeRefundError::Outside(_))), _) => {
            Ended::NotNow(error.to_string())
        }
    }
}

fn stored(outside: &Outside, account: &AccountId, paid_for: &PaidFor, key: &IdempotencyKey) -> Option<Refund> {
    let tables = outside.0.ledger.tables();
    let partition = tables.partitions.get(account)?;
    let refunds = match paid_for {
        PaidFor::Purchase(purchase) => &partition.purchases.get(purchase)?.refunds,
        PaidFor::TopUp(top_up) => &partition.top_ups.get(top_up)?.refunds,
    };
    refunds.iter().find(|refund| refund.key == *key).cloned()
}

fn request(payment: &Paid, number: u32, wanted: WantedRefund) -> Request {
    Request::Refund(payment.account.clone(), payment.paid_for.clone(), names::key("refund", number), wanted)
}

/// Support gives back a part of a payment, sometimes twice at once, and sometimes under a key that was used before.
pub fn use_refunds(run: &mut Run, rng: &mut Rng) -> bool {
    let payments = run.world().stripe().payments();
    let Some(payment) = rng.choice(&payments) else { return false };
    let wanted = match rng.u32(0..5) {
        0..2 => WantedRefund::UnusedCredits,
        2 => WantedRefund::Amount(1),
        3 => WantedRefund::Amount(payment.paid / 2),
        _ => WantedRefund::Amount(payment.paid + rng.i64(0..2)),
    };
    let number = if rng.bool() { rng.u32(0..3) } else { 10 + rng.u32(..) % 1_000 };
    let first = request(payment, number, wanted);
    match rng.u32(0..4) {
        0 => die_and_ask_again(run, &first, rng.usize(0..CALLS_TO_REFUND + 4)),
        1 => {
            let task = run.start(first);
            for _ in 0..rng.usize(0..CALLS_TO_REFUND) {
                resume_task(run, task);
            }
            run.run_now(request(payment, number + 1, wanted));
        }
        2 => drop(run.start(first)),
        _ => run.run_now(first),
    }
    true
}

/// A process dies, and its request comes again when Stripe has forgotten the key.
fn die_and_ask_again(run: &mut Run, request: &Request, calls: usize) {
    let task = run.start(request.clone());
    for _ in 0..calls {
        resume_task(run, task);
    }
    run.pass(LONGER_THAN_A_KEY);
    run.run_now(request.clone());
}

// ── Steps of workflows ──────────────────────────────────────────────────────────────────────────────────────────────

fn last_payment(run: &Run) -> Option<Paid> {
    run.world().stripe().payments().pop()
}

fn of_last(run: &Run, number: u32, wanted: WantedRefund) -> Request {
    last_payment(run).map_or(Request::Sweep(None), |payment| request(&payment, number, wanted))
}

pub fn refund_unused(run: &Run) -> Request {
    of_last(run, 1, WantedRefund::UnusedCredits)
}

pub fn refund_unused_again(run: &Run) -> Request {
    of_last(run, 2, WantedRefund::UnusedCredits)
}

pub fn refund_a_part(run: &Run) -> Request {
    of_last(run, 3, WantedRefund::Amount(100))
}

pub fn refund_too_much(run: &Run) -> Request {
    of_last(run, 4, WantedRefund::Amount(100_000))
}

/// Under the key of the refund of a part.
pub fn refund_another_part(run: &Run) -> Request {
    of_last(run, 3, WantedRefund::Amount(200))
}

pub fn die_after_the_refund(run: &mut Run) {
    let request = refund_a_part(run);
    die_and_ask_again(run, &request, CALLS_TO_REFUND);
}

/// Two operators refund the unused credits at once.
pub fn refund_unused_twice_at_once(run: &mut Run) {
    let task = {
        let first = refund_unused(run);
        run.start(first)
    };
    for _ in 0..CALLS_TO_REFUND - 2 {
        resume_task(run, task);
    }
    let second = refund_unused_again(run);
    run.run_now(second);
    while resume_task(run, task) {}
}
