//! What is kept of disputes: that it is what Stripe shows, and that the operator is warned before an answer is due.

use crate::bugs::has_bug;
use crate::ledger::{MemoryLedger, Tables};
use crate::outside::{Outside, at_once};
use crate::request::{Ended, Request, store};
use crate::run::Run;
use crate::schedule::resume_task;
use crate::stripe::Stripe;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use shared::domain::DisputeId;
use shared::domain::payments::{Dispute, DisputeStatus, PaidFor};
use shared::ports::{DisputePlace, Disputes, DisputesPage, LedgerError, OpenDisputes};
use shared::use_cases::payments::warn_of_due_disputes;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The calls of a run that warns, which may be interrupted.
const CALLS_TO_WARN: usize = 4;
/// So small that a few disputes are several pages.
const PAGE: usize = 2;

pub async fn run_warn(outside: &Outside) -> Ended {
    match warn_of_due_disputes(&outside.context()).await {
        Ok(warned) => {
            outside.0.ledger.tables().kept.warned_last = warned;
            outside.answered(format_args!("{warned} disputes are due"))
        }
        Err(error) => store(outside, &error.into()),
    }
}

impl Disputes for MemoryLedger {
    async fn dispute_get(&self, dispute: &DisputeId) -> Result<Option<Dispute>, LedgerError> {
        Ok(self.tables().kept.disputes.get(dispute).cloned())
    }

    async fn dispute_put(&self, dispute: &Dispute) -> Result<bool, LedgerError> {
        let mut tables = self.tables();
        let revision = tables.kept.disputes.get(&dispute.id).map_or(0, |known| known.revision);
        let is_first = revision + 1 == dispute.revision || has_bug("dispute_is_written_from_any_revision");
        if is_first {
            tables.kept.disputes.insert(dispute.id.clone(), dispute.clone());
        }
        Ok(is_first)
    }
}

impl OpenDisputes for MemoryLedger {
    async fn open_disputes(&self, until: Timestamp, after: Option<&DisputePlace>) -> Result<DisputesPage, LedgerError> {
        let tables = self.tables();
        let open = tables.kept.disputes.values();
        let open =
            open.filter_map(|dispute| Some(DisputePlace { due_at: dispute.due_at()?, dispute: dispute.id.clone() }));
        let mut open: Vec<_> =
            open.filter(|place| place.due_at <= until && after.is_none_or(|after| place > after)).collect();
        open.sort();
        let has_more = open.len() > PAGE;
        open.truncate(PAGE);
        let next = open.last().filter(|_| has_more).cloned();
        Ok(DisputesPage { places: open, next })
    }
}

impl Disputes for Outside {
    async fn dispute_get(&self, dispute: &DisputeId) -> Result<Option<Dispute>, LedgerError> {
        let dispute = dispute.clone();
        self.read("dispute_get", move |ledger| at_once(ledger.dispute_get(&dispute))).await
    }

    async fn dispute_put(&self, dispute: &Dispute) -> Result<bool, LedgerError> {
        let dispute = dispute.clone();
        self.read("dispute_put", move |ledger| at_once(ledger.dispute_put(&dispute))).await
    }
}

impl OpenDisputes for Outside {
    async fn open_disputes(&self, until: Timestamp, after: Option<&DisputePlace>) -> Result<DisputesPage, LedgerError> {
        let after = after.cloned();
        self.read("open_disputes", move |ledger| at_once(ledger.open_disputes(until, after.as_ref()))).await
    }
}

// ── Rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

fn is_stored(tables: &Tables, dispute: &Dispute) -> bool {
    let Some(partition) = tables.partitions.get(&dispute.account) else { return false };
    match &dispute.paid_for {
        PaidFor::Purchase(purchase) => partition.purchases.contains_key(purchase),
        PaidFor::TopUp(top_up) => partition.top_ups.contains_key(top_up),
    }
}

/// Once everything was delivered, each dispute is kept as Stripe shows it, and the operator was warned of each that is due.
///
/// # Errors
/// The first broken rule.
pub fn check_at_rest(tables: &Tables, stripe: &Stripe, now: Timestamp) -> Result<(), String> {
    for expected in stripe.shown_disputes() {
        let id = &expected.id;
        let kept = tables.kept.disputes.get(id);
        if !is_stored(tables, &expected) {
            if kept.is_some() {
                return Err(format!("{id} is kept, and no row knows its payment"));
            }
            continue;
        }
        let Some(kept) = kept else { return Err(format!("{id} is not kept")) };
        let told = (&kept.account, &kept.paid_for, &kept.payment, &kept.shown);
        if told != (&expected.account, &expected.paid_for, &expected.payment, &expected.shown) {
            return Err(format!("{kept:?} is kept, and Stripe shows {expected:?}"));
        }
        let is_unanswered =
            matches!(kept.shown.status, DisputeStatus::NeedsResponse | DisputeStatus::WarningNeedsResponse);
        let due_by = kept.shown.due_by.filter(|_| is_unanswered);
        if due_by.is_some_and(|due_by| due_by.duration_since(now) <= DAY * 3) && kept.warned_of != due_by {
            return Err(format!("{id} has to be answered by {due_by:?}, and nobody was warned"));
        }
        let is_early = |warned_of: Timestamp| warned_of.duration_since(now) > DAY * 3;
        if kept.warned_of.is_some_and(is_early) {
            return Err(format!("the operator was warned of {id} more than three days before"));
        }
    }
    Ok(())
}

/// A run warns of all that is due, and the next one of nothing.
pub fn warn_at_rest(run: &mut Run) {
    run.run_now(Request::WarnOfDisputes);
    run.run_now(Request::WarnOfDisputes);
    let warned = run.world().ledger.tables().kept.warned_last;
    if warned > 0 {
        run.world().violate("the operator is warned again of a dispute");
    }
}

// ── What a run does ──────────────────────────────────────────────────────────────────────────────────────────────────

/// Days pass, and the run that warns comes, sometimes twice at once.
pub fn use_disputes(run: &mut Run, rng: &mut Rng) -> bool {
    if run.world().stripe().shown_disputes().is_empty() {
        return false;
    }
    run.pass(DAY * rng.i32(1..6));
    if rng.bool() {
        let task = run.start(Request::WarnOfDisputes);
        for _ in 0..rng.usize(0..CALLS_TO_WARN) {
            resume_task(run, task);
        }
    }
    run.run_now(Request::WarnOfDisputes);
    true
}

/// Until less than three days are left.
pub fn pass_five_days(run: &mut Run) {
    run.pass(DAY * 5);
}
