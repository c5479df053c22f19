//! `prepaid prove`: proves every payment of a period against the table and the Stripe that the environment names, in both
//! directions, and names the first gap.

use jiff::civil::Date;
use lambda_http::Error;
use shared::clock::Clock;
use shared::domain::{start_of, start_of_next_day};
use shared::ledger::DynamoLedger;
use shared::pauses::RandomPauses;
use shared::ports::RandomIds;
use shared::stripe::StripePayments;
use shared::surroundings::Surroundings;
use shared::use_cases::payments::{ProvenLine, prove_period};
use shared::use_cases::{Absent, Capabilities, Context, Memory};
use std::io::Write;
use std::marker::PhantomData;

/// DynamoDB and Stripe, of which nothing is changed.
struct Proving<C>(PhantomData<C>);

impl<C: Clock> Capabilities for Proving<C> {
    type Ledger = DynamoLedger;
    type Payments = StripePayments;
    type Mailer = Absent;
    type Timers = Absent;
    type Clock = C;
    type Pauses = RandomPauses;
    type Ids = RandomIds;
    type PriceBook = Absent;
}

/// Proves the payments from the first to the last day (UTC), both included. Returns whether every link holds.
///
/// # Errors
/// If a setting is missing, or the table or Stripe does not answer.
pub async fn prove<C: Clock>(
    surroundings: Surroundings<C>,
    (from, to): (Date, Date),
    out: &mut impl Write,
) -> Result<bool, Error> {
    let (Some(begin), Some(end)) = (start_of(from), start_of_next_day(to)) else {
        return Err("a day is outside of the calendar".into());
    };
    if begin >= end {
        return Err("--from must not be after --to".into());
    }
    let stripe = surroundings.stripe_secret().await?;
    let context = Context::<Proving<C>> {
        ledger: surroundings.ledger()?,
        payments: surroundings.interactive_payments(stripe.api_key)?,
        mailer: Absent,
        timers: Absent,
        ids: RandomIds,
        price_book: Absent,
        pauses: RandomPauses,
        memory: Memory::none(),
        clock: surroundings.clock,
    };
    let mut written = Ok(());
    let sum = prove_period(&context, (begin, end), |line| {
        if written.is_ok() {
            written = write_line(out, line);
        }
    })
    .await?;
    written?;
    let (payments, owing_nothing, grants) = (sum.payments, sum.owing_nothing, sum.grants);
    writeln!(out, "{from} to {to}: {payments} payments, {owing_nothing} of them owe nothing, and {grants} grants.")?;
    match &sum.gap {
        None => writeln!(out, "Every link holds.")?,
        Some(ProvenLine { account, paid_for, named, gap, .. }) => {
            let gap = gap.as_deref().unwrap_or_default();
            writeln!(out, "First gap: {named} of {account} for {paid_for}: {gap}.")?;
        }
    }
    Ok(sum.gap.is_none())
}

fn write_line(out: &mut impl Write, line: &ProvenLine) -> std::io::Result<()> {
    let ProvenLine { account, paid_for, named, gap, owes_nothing } = line;
    let outcome = match gap {
        Some(gap) => gap,
        None if *owes_nothing => "owes nothing",
        None => "holds",
    };
    writeln!(out, "{named} {account} {paid_for} {outcome}")
}
