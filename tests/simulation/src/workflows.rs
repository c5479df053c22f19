//! Each workflow of the product, from its first call to its last e-mail, with every set of at most two faults.
//!
//! Where the schedules search deep, this is exhaustive: the calls of a workflow are numbered, and each call and each
//! pair of calls meets each fault. The recovery from a fault (a repeated request, a redelivered event, another sweep)
//! is part of the workflow, so the second fault may strike there.

use crate::contacts;
use crate::cores::on_all_cores;
use crate::invoices;
use crate::request::{FOLD_LIMITS, Request};
use crate::run::Run;
use crate::schedule::resume_task;
use crate::stripe::{InvoiceStatus, Mood, SessionStatus};
use crate::world::{Fate, SWEEP_TIME};
use crate::{Failure, claims, disputes, expiring, names, pay_links, reconciliation, refunds, returns, wallet};
use Act::{Ask, Deliver, Outside, Wake};
use jiff::SignedDuration;
use shared::domain::Granularity;
use shared::domain::payments::{AutoTopUpCommand, Invoiced, RefusalReason};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// A workflow of the product.
pub struct Workflow {
    pub name: &'static str,
    acts: &'static [Act],
}

/// What happens next in a workflow.
enum Act {
    /// A caller sends a request and repeats it until it is answered.
    Ask(fn(&Run) -> Request),
    /// Stripe's events and the stream's records are delivered until they are accepted.
    Deliver,
    /// The timers fire.
    Wake,
    /// Something outside: a customer at Stripe, an outage, time.
    Outside(fn(&mut Run)),
}

/// All workflows. Each starts with a customer who has 500 credits, a card, and top-ups below 200.
pub const WORKFLOWS: [Workflow; 143] = [
    Workflow {
        name: "claim a purchase of which no webhook tells, and reconcile it",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Ask(buy),
            Outside(pay_page),
            Ask(claims::claim_last),
            Ask(claims::claim_last),
            Outside(reconciliation::catch_up),
            Ask(reconcile),
            Outside(reconciliation::check_applied),
        ],
    },
    Workflow {
        name: "claim a purchase whose webhook comes later",
        acts: &[Ask(buy), Outside(pay_page), Ask(claims::claim_last), Deliver, Ask(claims::claim_last)],
    },
    Workflow {
        name: "claim a purchase of another account",
        acts: &[Ask(buy), Outside(pay_page), Ask(claims::claim_last_of_another), Deliver],
    },
    Workflow {
        name: "claim a purchase that was refunded before it was granted",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Outside(returns::refund_last),
            Ask(claims::claim_last),
            Ask(claims::claim_last),
            Deliver,
        ],
    },
    Workflow {
        name: "claim a declined top-up that was paid on its page",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Ask(claims::claim_last),
            Outside(pay_invoice),
            Ask(claims::claim_last),
            Deliver,
        ],
    },
    Workflow {
        name: "claim a payment that nobody made, twice at once, again and again",
        acts: &[Outside(claims::claim_in_pairs)],
    },
    Workflow {
        name: "claim the same payment again and again",
        acts: &[Ask(buy), Outside(pay_page), Outside(claims::claim_too_often), Deliver],
    },
    Workflow {
        name: "reconcile a purchase of which no webhook tells",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Ask(buy),
            Outside(pay_page),
            Outside(reconciliation::catch_up),
            Ask(reconcile),
            Outside(reconciliation::check_applied),
        ],
    },
    Workflow {
        name: "reconcile a refund and a dispute of which no webhook tells",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Outside(reconciliation::switch_off_webhooks),
            Outside(returns::refund_a_third),
            Ask(reconcile),
            Outside(returns::dispute_last),
            Outside(reconciliation::check_applied),
            Outside(returns::win_dispute),
            Outside(reconciliation::check_applied),
        ],
    },
    Workflow {
        name: "reconcile an invoice that is paid days later, of which no webhook tells",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Ask(invoices::buy_first),
            Outside(invoices::pass_two_days),
            Outside(invoices::pay),
            Ask(reconcile),
            Outside(reconciliation::check_applied),
        ],
    },
    Workflow {
        name: "reconcile a declined top-up that is paid on its page, of which no webhook tells",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(pay_invoice),
            Ask(reconcile),
            Outside(reconciliation::check_applied),
            Deliver,
        ],
    },
    Workflow {
        name: "reconcile two purchases of which one is listed late",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Outside(reconciliation::list_late),
            Ask(buy),
            Ask(buy_again),
            Outside(pay_page),
            Outside(pay_page),
            Ask(reconcile),
            Outside(reconciliation::pass_ten_minutes),
            Ask(reconcile),
            Outside(reconciliation::check_applied),
        ],
    },
    Workflow {
        name: "reconcile two purchases with time for one",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Ask(buy),
            Ask(buy_again),
            Outside(pay_page),
            Outside(pay_page),
            Outside(reconciliation::hurry),
            Ask(reconcile),
            Outside(reconciliation::take_time),
            Outside(reconciliation::pass_an_hour),
            Ask(reconcile),
            Outside(reconciliation::check_applied),
        ],
    },
    Workflow {
        name: "reconcile two purchases of which Stripe cannot show one for hours",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Outside(reconciliation::hide_list),
            Ask(buy),
            Outside(pay_page),
            Outside(reconciliation::break_page),
            Ask(buy_again),
            Outside(pay_page),
            Outside(reconciliation::show_list),
            Ask(reconcile),
            Outside(reconciliation::pass_an_hour),
            Ask(reconcile),
            Outside(reconciliation::mend_pages),
            Outside(reconciliation::check_applied),
        ],
    },
    Workflow {
        name: "look at a page that was paid, of which no event tells",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Outside(reconciliation::hide_list),
            Ask(buy),
            Outside(pay_page),
            Outside(reconciliation::pass_an_hour),
            Ask(reconcile),
            Outside(reconciliation::check_looked),
        ],
    },
    Workflow {
        name: "look at a page whose debit took longer than a day, of which no event tells",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Outside(reconciliation::hide_list),
            Ask(buy),
            Outside(debit_page),
            Ask(reconcile),
            Outside(pass_a_day),
            Ask(reconcile),
            Outside(pass_a_day),
            Outside(reconciliation::check_looked),
        ],
    },
    Workflow {
        name: "look at an attempt whose debit took longer than a day, of which no event tells",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Outside(reconciliation::hide_list),
            Outside(take_days),
            Ask(charge_400),
            Ask(sweep),
            Outside(reconciliation::pass_an_hour),
            Ask(reconcile),
            Outside(pass_a_day),
            Outside(pass_a_day),
            Outside(reconciliation::check_looked),
        ],
    },
    Workflow {
        name: "look at an invoice that was paid after days, of which no event tells",
        acts: &[
            Outside(reconciliation::switch_off_webhooks),
            Outside(reconciliation::hide_list),
            Ask(invoices::buy_first),
            Outside(invoices::pass_two_days),
            Outside(invoices::pay),
            Ask(reconcile),
            Outside(reconciliation::check_looked),
        ],
    },
    Workflow {
        name: "flag a payment that no row knows, and leave that of another deployment",
        acts: &[
            Outside(reconciliation::pay_unknown_page),
            Outside(reconciliation::pay_page_of_other_deployment),
            Ask(reconcile),
            Deliver,
            Ask(reconcile),
        ],
    },
    Workflow {
        name: "have support refund the unused credits of a purchase, twice under one key",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Ask(charge_150),
            Ask(refunds::refund_unused),
            Ask(refunds::refund_unused),
            Deliver,
        ],
    },
    Workflow {
        name: "have support refund a part of a purchase, then too much, then what is unused",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Ask(refunds::refund_a_part),
            Ask(refunds::refund_another_part),
            Ask(refunds::refund_too_much),
            Ask(charge_150),
            Ask(refunds::refund_unused),
            Deliver,
            Ask(refunds::refund_unused_again),
        ],
    },
    Workflow {
        name: "have support refund a part, and ask again a day after the process died",
        acts: &[Ask(buy), Outside(pay_page), Deliver, Outside(refunds::die_after_the_refund), Deliver],
    },
    Workflow {
        name: "have two operators refund what is unused at once",
        acts: &[Ask(buy), Outside(pay_page), Deliver, Outside(refunds::refund_unused_twice_at_once), Deliver],
    },
    Workflow {
        name: "have support refund a purchase that is disputed, and after that was won",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Outside(returns::dispute_last),
            Ask(refunds::refund_a_part),
            Deliver,
            Outside(returns::win_dispute),
            Deliver,
            Ask(refunds::refund_a_part),
            Deliver,
        ],
    },
    Workflow {
        name: "refund a part of a purchase, then the rest, and have the rest fail",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Outside(returns::refund_a_third),
            Deliver,
            Outside(returns::refund_last),
            Deliver,
            Outside(returns::refund_fails),
            Deliver,
        ],
    },
    Workflow {
        name: "refund a purchase before its payment is heard of",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Outside(returns::refund_a_third),
            Outside(returns::hear_of_money_back),
            Deliver,
            Ask(look),
        ],
    },
    Workflow {
        name: "refund a purchase whose credits are spent, and sweep until the customer resumes",
        acts: &[
            Ask(charge_290),
            Outside(returns::refund_first),
            Deliver,
            Ask(sweep),
            Deliver,
            Ask(resume),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "refund a purchase whose credits are spent, and buy for more than the debt",
        acts: &[
            Ask(charge_290),
            Outside(returns::refund_first),
            Deliver,
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Ask(charge_290),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "dispute a purchase after a refund, and win",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Outside(returns::refund_a_third),
            Outside(returns::dispute_last),
            Deliver,
            Ask(charge_290),
            Ask(sweep),
            Outside(returns::win_dispute),
            Deliver,
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "refund a part of a purchase, and dispute the whole",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Outside(returns::refund_a_third),
            Deliver,
            Outside(returns::dispute_whole),
            Deliver,
            Outside(returns::win_dispute),
            Deliver,
        ],
    },
    Workflow {
        name: "check a top-up by hand after a refund of credits that are spent, and buy less than the debt",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Ask(charge_400),
            Ask(charge_290),
            Outside(returns::refund_all),
            Deliver,
            Ask(check),
            Ask(buy_again),
            Outside(pay_page),
            Deliver,
            Ask(check),
            Deliver,
        ],
    },
    Workflow {
        name: "refund a purchase while a top-up is under way that nobody has paid yet",
        acts: &[
            Ask(charge_400),
            Outside(stripe_goes_down),
            Ask(sweep),
            Outside(stripe_comes_up),
            Outside(returns::refund_first),
            Deliver,
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "refund a top-up whose debit nobody has heard of",
        acts: &[
            Outside(take_days),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_a_day),
            Outside(pass_a_day),
            Outside(returns::refund_last),
            Outside(returns::hear_of_money_back),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "inquire about a purchase, dispute it, and lose",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Outside(returns::inquire_last),
            Deliver,
            Outside(returns::lose_dispute),
            Deliver,
            Outside(returns::lose_dispute),
            Deliver,
        ],
    },
    Workflow {
        name: "be warned of a dispute that nobody answers, and lose",
        acts: &[
            Ask(buy),
            Outside(pay_page),
            Deliver,
            Outside(returns::dispute_last),
            Deliver,
            Outside(disputes::pass_five_days),
            Ask(warn_of_disputes),
            Ask(warn_of_disputes),
            Outside(returns::lose_dispute),
            Deliver,
            Ask(warn_of_disputes),
        ],
    },
    Workflow {
        name: "dispute a top-up, and lose in part",
        acts: &[
            Ask(charge_400),
            Ask(sweep),
            Deliver,
            Outside(returns::dispute_last),
            Deliver,
            Ask(charge_290),
            Ask(sweep),
            Outside(returns::lose_dispute_in_part),
            Deliver,
        ],
    },
    Workflow {
        name: "buy by invoice, and pay by a transfer that arrives days later",
        acts: &[Ask(invoices::buy_first), Deliver, Outside(invoices::pass_two_days), Outside(invoices::pay), Deliver],
    },
    Workflow {
        name: "buy by invoice, and look at a payment of which no event came",
        acts: &[Ask(invoices::buy_first), Outside(invoices::pay), Ask(look), Ask(look), Deliver],
    },
    Workflow {
        name: "buy by invoice, be reminded before and after it is due, and pay",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::pass_to_three_days_before),
            Ask(follow_up),
            Ask(follow_up),
            Outside(invoices::pass_to_a_day_after),
            Ask(follow_up),
            Outside(invoices::pass_to_a_week_after),
            Ask(follow_up),
            Deliver,
            Outside(invoices::pay),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "buy by invoice, and leave it unpaid until it is voided",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::pass_to_a_week_after),
            Ask(follow_up),
            Ask(follow_up),
            Outside(invoices::pass_to_the_end),
            Ask(follow_up),
            Ask(follow_up),
            Deliver,
            Ask(invoices::buy_first),
        ],
    },
    Workflow {
        name: "buy by invoice, and pay while the run voids it",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::pass_to_the_end),
            Ask(follow_up),
            Outside(invoices::pay),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "buy by invoice, and pay it in the moment before it is voided",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::pass_to_the_end),
            Outside(invoices::pay),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "buy by invoice, and order a debit that is under way when it would be voided",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::pass_to_the_end),
            Outside(invoices::order_a_debit),
            Ask(follow_up),
            Outside(invoices::pass_two_days),
            Deliver,
            Ask(follow_up),
        ],
    },
    Workflow {
        name: "buy by two invoices, and order debits of which one fails",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::order_a_debit_of_the_first),
            Ask(look),
            Ask(invoices::buy_second),
            Outside(invoices::order_a_debit),
            Ask(look),
            Outside(invoices::pass_two_days),
            Deliver,
            Ask(look),
        ],
    },
    Workflow {
        name: "pay a part of an invoice, and the rest",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::pay_a_part),
            Ask(look),
            Outside(invoices::pay_the_rest),
            Deliver,
            Ask(look),
        ],
    },
    Workflow {
        name: "pay a part of an invoice, and nothing more until it would be voided",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::pay_a_part),
            Ask(look),
            Outside(invoices::pass_to_the_end),
            Ask(follow_up),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "pay a part of an invoice of which the company credits the rest",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::pay_a_part),
            Outside(invoices::credit_the_rest),
            Deliver,
            Ask(look),
        ],
    },
    Workflow {
        name: "buy by more invoices than are allowed, and by one more after one is paid",
        acts: &[
            Ask(invoices::buy_first),
            Ask(invoices::buy_second),
            Ask(invoices::buy_third),
            Ask(invoices::buy_fourth),
            Outside(invoices::pay_too_much),
            Deliver,
            Ask(invoices::buy_fourth),
            Outside(invoices::void),
            Deliver,
            Outside(invoices::pay_out_of_band),
        ],
    },
    Workflow {
        name: "pay invoices while a run is about to remind of them",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::pass_to_three_days_before),
            Outside(invoices::pay_before_the_run_records),
            Ask(invoices::buy_second),
            Outside(invoices::pass_to_three_days_before),
            Outside(invoices::pay_before_the_run_reminds),
            Ask(invoices::buy_third),
            Outside(invoices::pass_to_three_days_before),
            Outside(invoices::pay_while_the_run_reminds),
            Deliver,
        ],
    },
    Workflow {
        name: "buy by an invoice that the company voids, and look for it days later",
        acts: &[
            Ask(invoices::buy_first),
            Outside(invoices::void),
            Outside(invoices::pass_two_days),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "buy by an invoice that the next run has to make",
        acts: &[Ask(invoices::buy_first), Outside(invoices::pass_an_hour), Ask(follow_up), Deliver],
    },
    Workflow {
        name: "have a card that expires, and be told a month and a week before",
        acts: &[
            Outside(expiring::expire_soon),
            Deliver,
            Ask(expiring::warn),
            Deliver,
            Ask(expiring::warn),
            Outside(expiring::pass_to_the_last_week),
            Ask(expiring::warn),
            Ask(expiring::warn),
            Deliver,
        ],
    },
    Workflow {
        name: "have a card that expires, and be told late and once",
        acts: &[
            Outside(expiring::expire_soon),
            Deliver,
            Outside(expiring::pass_to_the_last_week),
            Ask(expiring::warn),
            Ask(expiring::warn),
            Deliver,
        ],
    },
    Workflow {
        name: "have a card that expires before anybody is told",
        acts: &[
            Outside(expiring::expire_soon),
            Deliver,
            Outside(expiring::pass_to_the_next_month),
            Ask(expiring::warn),
            Deliver,
        ],
    },
    Workflow {
        name: "be told that a card expires, and save the same card again",
        acts: &[
            Outside(expiring::expire_soon),
            Deliver,
            Ask(expiring::warn),
            Ask(wallet::open_page),
            Outside(wallet::save_the_same),
            Outside(expiring::expire_the_same),
            Deliver,
            Ask(expiring::warn),
            Deliver,
        ],
    },
    Workflow {
        name: "be told that a card expires, buy with another one, and go back to the first",
        acts: &[
            Outside(expiring::expire_soon),
            Deliver,
            Ask(expiring::warn),
            Ask(buy),
            Outside(pay_page),
            Ask(look),
            Ask(expiring::warn),
            Deliver,
            Ask(wallet::choose_first),
            Ask(expiring::warn),
            Deliver,
        ],
    },
    Workflow {
        name: "have a card that expires prolonged before anybody is told",
        acts: &[
            Outside(expiring::expire_soon),
            Deliver,
            Outside(expiring::prolong),
            Deliver,
            Ask(expiring::warn),
            Outside(expiring::pass_to_the_last_week),
            Ask(expiring::warn),
            Deliver,
        ],
    },
    Workflow {
        name: "have a card that expires while top-ups are off, and turn them on again",
        acts: &[
            Outside(expiring::expire_soon),
            Ask(off),
            Deliver,
            Ask(expiring::warn),
            Ask(on),
            Ask(off),
            Ask(expiring::warn),
            Ask(on),
            Ask(expiring::warn),
            Deliver,
        ],
    },
    Workflow {
        name: "close an account whose card expires",
        acts: &[Outside(expiring::expire_soon), Deliver, Ask(close), Ask(expiring::warn), Deliver],
    },
    Workflow {
        name: "remove the only card, and charge below the threshold",
        acts: &[Ask(wallet::remove_first), Ask(charge_400), Ask(sweep), Deliver, Outside(pass_a_day), Ask(sweep)],
    },
    Workflow {
        name: "remove the only card on a page of Stripe's, and charge below the threshold",
        acts: &[Outside(wallet::remove_on_page), Deliver, Ask(charge_400), Ask(sweep), Deliver],
    },
    Workflow {
        name: "save another card, remove the first, and top up",
        acts: &[
            Ask(wallet::open_page),
            Outside(wallet::save_another),
            Deliver,
            Ask(wallet::choose_first),
            Ask(wallet::remove_first),
            Ask(charge_400),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "save the same card again, remove it, and charge below the threshold",
        acts: &[
            Ask(wallet::open_page),
            Outside(wallet::save_the_same),
            Deliver,
            Ask(wallet::remove_first),
            Ask(charge_400),
            Ask(on),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "save another card, and choose a third one before the event comes",
        acts: &[
            Ask(wallet::open_page),
            Outside(wallet::save_another),
            Outside(choose_fourth),
            Deliver,
            Ask(charge_400),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "try to remove the card of another customer",
        acts: &[Outside(open_another), Ask(wallet::remove_of_another), Ask(charge_another), Ask(sweep), Deliver],
    },
    Workflow {
        name: "replace the address, confirm the new one, and top up",
        acts: &[
            Ask(|_| contacts::choose(false)),
            Deliver,
            Ask(contacts::confirm),
            Ask(charge_400),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "confirm an address that bounces, top up, and follow the old link",
        acts: &[
            Ask(|_| contacts::choose(true)),
            Deliver,
            Ask(contacts::confirm),
            Outside(contacts::break_mailbox),
            Ask(charge_400),
            Ask(sweep),
            Deliver,
            Deliver,
            Outside(contacts::repair_mailbox),
            Ask(contacts::confirm),
        ],
    },
    Workflow {
        name: "top up under a monthly cap until it is used up, and again in the next month",
        acts: &[
            Ask(cap_1_500),
            Ask(charge_400),
            Ask(sweep),
            Deliver,
            Ask(spend_1_000),
            Outside(pass_a_day),
            Ask(sweep),
            Outside(pass_a_month),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "top up for what a monthly cap leaves",
        acts: &[
            Ask(charge_400),
            Ask(sweep),
            Deliver,
            Ask(spend_1_000),
            Ask(cap_2_120),
            Outside(pass_a_day),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "top up under a monthly cap with a card that is declined, have the invoice voided, and top up again",
        acts: &[
            Ask(cap_1_500),
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Deliver,
            Outside(void_invoice),
            Deliver,
            Outside(accept_card),
            Outside(pass_a_day),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "set a monthly cap while a top-up is under way that Stripe refuses",
        acts: &[
            Outside(give_discount),
            Ask(charge_400),
            Outside(stripe_goes_down),
            Ask(sweep),
            Ask(cap_1_500),
            Outside(stripe_comes_up),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
            Outside(accept_again),
            Ask(cap_1_500),
            Outside(pass_a_day),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "be told at a level, rise a little above it, and fall again on another day",
        acts: &[
            Ask(off),
            Ask(choose_levels),
            Ask(evaluate),
            Ask(charge_290),
            Ask(evaluate),
            Deliver,
            Ask(give),
            Ask(evaluate),
            Ask(charge_20),
            Outside(pass_a_day),
            Ask(evaluate),
            Deliver,
        ],
    },
    Workflow {
        name: "be told at a level, rise far above it, fall again at once, and be told when six hours are over",
        acts: &[
            Ask(off),
            Ask(choose_levels),
            Ask(charge_290),
            Ask(evaluate),
            Ask(give_200),
            Ask(evaluate),
            Ask(charge_150),
            Ask(evaluate),
            Outside(pass_a_day),
            Ask(evaluate),
            Deliver,
        ],
    },
    Workflow {
        name: "be told at one level, and at a lower one when the credits run out",
        acts: &[
            Ask(off),
            Ask(choose_levels),
            Ask(charge_290),
            Ask(evaluate),
            Ask(charge_150),
            Ask(evaluate),
            Ask(charge_50),
            Ask(evaluate),
            Deliver,
        ],
    },
    Workflow {
        name: "fall below a level while a top-up is due, and be told after an hour because Stripe is down",
        acts: &[
            Ask(choose_levels),
            Ask(evaluate),
            Outside(stripe_goes_down),
            Ask(charge_400),
            Ask(evaluate),
            Ask(sweep),
            Outside(pass_an_hour),
            Ask(evaluate),
            Outside(stripe_comes_up),
            Ask(sweep),
            Ask(evaluate),
            Deliver,
        ],
    },
    Workflow {
        name: "choose levels, and close the account before they are evaluated",
        acts: &[Ask(charge_290), Ask(choose_levels), Ask(close), Ask(evaluate)],
    },
    Workflow { name: "open an account", acts: &[Ask(|_| Request::OpenAccount(names::account("cora")))] },
    Workflow { name: "charge", acts: &[Ask(charge_10), Ask(charge_10)] },
    Workflow { name: "charge more than there is", acts: &[Ask(charge_400), Ask(charge_290), Ask(charge_400)] },
    Workflow { name: "charge a batch", acts: &[Ask(batch), Ask(batch), Ask(charge_10), Ask(batch_in_other_order)] },
    Workflow {
        name: "charge a batch of two accounts, one of them in several transactions",
        acts: &[Outside(open_another), Ask(long_batch), Ask(restore_10), Ask(long_batch)],
    },
    Workflow {
        name: "charge a batch that was charged in part, and whose rest does not fit",
        acts: &[Ask(charge_400), Ask(batch), Ask(batch)],
    },
    Workflow {
        name: "stop spending, and allow it again",
        acts: &[
            Ask(charge_400),
            Ask(stop),
            Ask(charge_10),
            Ask(sweep),
            Outside(pass_half_an_hour),
            Ask(allow),
            Ask(charge_10),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "stop spending while a top-up is under way",
        acts: &[
            Ask(charge_400),
            Outside(stripe_goes_down),
            Ask(sweep),
            Ask(stop),
            Outside(stripe_comes_up),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "limit the account, and charge until the limit is reached and again on the next day",
        acts: &[Ask(limit_account), Ask(charge_10), Ask(charge_290), Outside(pass_a_day), Ask(charge_290)],
    },
    Workflow {
        name: "limit a spender, charge for it, restore the charge, and remove the limit",
        acts: &[
            Ask(limit_spender),
            Ask(charge_10_for_spender),
            Ask(charge_290_for_spender),
            Ask(restore_10),
            Ask(charge_290_for_spender),
            Ask(unlimit_spender),
        ],
    },
    Workflow {
        name: "fold the usage of an account, again, and read it",
        acts: &[Ask(long_batch_of_one), Ask(fold), Ask(read_months), Ask(batch), Ask(fold), Ask(read_days)],
    },
    Workflow {
        name: "read usage that nobody has folded yet, over two days",
        acts: &[
            Ask(batch),
            Ask(restore_10),
            Outside(pass_a_day),
            Ask(long_batch_of_one),
            Ask(read_days),
            Ask(read_months),
            Deliver,
            Ask(read_days),
        ],
    },
    Workflow {
        name: "give credits by hand, take more than there are, and take them nevertheless",
        acts: &[Ask(give), Ask(give), Ask(take_too_much), Ask(take_below_zero), Ask(take_below_zero), Ask(charge_10)],
    },
    Workflow {
        name: "restrict, wait until it ends, restrict again, and lift it",
        acts: &[
            Ask(restrict_for_an_hour),
            Ask(charge_10),
            Outside(pass_an_hour),
            Ask(charge_10),
            Ask(restrict_for_an_hour),
            Ask(lift),
            Ask(charge_290),
        ],
    },
    Workflow {
        name: "send the last e-mail again, twice",
        acts: &[Ask(buy), Outside(pay_page), Deliver, Ask(resend), Ask(resend), Deliver],
    },
    Workflow {
        name: "check a top-up by hand, and once more within six hours",
        acts: &[Ask(check), Ask(charge_400), Ask(check), Deliver, Ask(charge_400), Ask(check), Deliver],
    },
    Workflow {
        name: "import an account, again, with another balance, and for another account",
        acts: &[Ask(import_cora), Ask(import_cora), Ask(import_more), Ask(import_for_another), Ask(charge_10)],
    },
    Workflow {
        name: "close a day, and the next one twice",
        acts: &[
            Ask(close_days),
            Ask(charge_10),
            Outside(pass_a_day),
            Ask(close_days),
            Ask(import_another),
            Outside(pass_a_day),
            Ask(close_days),
            Ask(close_days),
        ],
    },
    Workflow { name: "restore", acts: &[Ask(charge_10), Ask(restore_10), Ask(restore_10)] },
    Workflow {
        name: "charge pending, capture less, and restore",
        acts: &[Ask(hold), Ask(capture_less), Ask(capture_less), Ask(restore_10), Ask(capture_less)],
    },
    Workflow { name: "charge pending, and capture all", acts: &[Ask(hold), Ask(capture_all), Ask(hold), Ask(void)] },
    Workflow { name: "charge pending, and void", acts: &[Ask(hold), Ask(void), Ask(void), Ask(capture_less)] },
    Workflow {
        name: "charge pending, and let it expire",
        acts: &[Ask(hold), Outside(pass_half_an_hour), Ask(expire), Ask(expire), Ask(hold), Ask(capture_less)],
    },
    Workflow {
        name: "charge pending, and capture after its time",
        acts: &[Ask(hold), Outside(pass_half_an_hour), Ask(capture_all), Ask(restore_10), Ask(expire)],
    },
    Workflow { name: "buy", acts: &[Ask(buy), Outside(pay_page), Deliver] },
    Workflow { name: "buy, and look before the event comes", acts: &[Ask(buy), Outside(pay_page), Ask(look), Deliver] },
    Workflow {
        name: "buy, and hand the link on to somebody who pays by it",
        acts: &[
            Ask(buy),
            Ask(pay_links::follow),
            Outside(pay_page),
            Ask(pay_links::follow),
            Deliver,
            Ask(pay_links::follow),
        ],
    },
    Workflow {
        name: "buy by invoice, and hand the link on to somebody who pays by it",
        acts: &[
            Ask(invoices::buy_first),
            Ask(pay_links::follow),
            Outside(invoices::pay),
            Ask(pay_links::follow),
            Deliver,
            Ask(pay_links::follow),
        ],
    },
    Workflow {
        name: "buy, and follow the link after its page has expired",
        acts: &[Ask(buy), Outside(pass_a_day), Ask(pay_links::follow), Deliver, Ask(pay_links::follow)],
    },
    Workflow {
        name: "buy by a bank debit, and follow the link while it is under way",
        acts: &[
            Ask(buy),
            Outside(debit_page),
            Ask(pay_links::follow),
            Outside(pass_a_day),
            Ask(pay_links::follow),
            Deliver,
        ],
    },
    Workflow {
        name: "buy, and choose another card before the event comes",
        acts: &[Ask(buy), Outside(pay_page), Outside(choose_card), Ask(look), Deliver],
    },
    Workflow {
        name: "buy twice with two cards",
        acts: &[Ask(buy), Ask(buy_again), Outside(pay_last_page), Outside(pay_page), Deliver],
    },
    Workflow {
        name: "buy by a bank debit, and look while it is under way",
        acts: &[Ask(buy), Outside(debit_page), Ask(look), Deliver, Outside(pass_a_day), Ask(look), Deliver],
    },
    Workflow {
        name: "buy by a bank debit that fails",
        acts: &[
            Ask(buy),
            Outside(debit_page),
            Deliver,
            Outside(decline_debit),
            Outside(pass_a_day),
            Ask(look),
            Deliver,
        ],
    },
    Workflow {
        name: "buy, and pay in another currency",
        acts: &[Ask(buy), Outside(pay_page_in_euros), Ask(look), Deliver],
    },
    Workflow { name: "leave a payment page", acts: &[Ask(buy), Outside(pass_a_day), Deliver] },
    Workflow { name: "choose another card", acts: &[Outside(choose_card), Deliver] },
    Workflow { name: "switch top-ups off and on", acts: &[Ask(off), Ask(on)] },
    Workflow {
        name: "top up",
        acts: &[Ask(charge_400), Ask(sweep), Deliver, Outside(pass_half_an_hour), Ask(sweep), Deliver],
    },
    Workflow {
        name: "top up in a sweep that runs out of time and is continued by a timer",
        acts: &[
            Outside(open_another),
            Ask(charge_400),
            Ask(charge_another),
            Outside(give_little_time),
            Ask(sweep),
            Outside(give_time),
            Wake,
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "top up with a card that is declined, and pay by the link",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Deliver,
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
            Ask(link),
            Outside(pay_invoice),
            Deliver,
            Ask(charge_290),
        ],
    },
    Workflow {
        name: "top up with a card that asks for confirmation, and look at the link before the event comes",
        acts: &[
            Outside(ask_for_confirmation),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
            Outside(pay_invoice),
            Ask(link),
            Deliver,
        ],
    },
    Workflow {
        name: "top up with a card that is declined, and have the invoice voided",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
            Outside(void_invoice),
            Deliver,
        ],
    },
    Workflow {
        name: "top up with a card that is declined, and lose every answer until the attempt is closed",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(stripe_goes_down),
            Outside(pass_a_day),
            Ask(sweep),
            Outside(stripe_comes_up),
            Ask(sweep),
            Deliver,
            Ask(link),
            Outside(pay_invoice),
            Deliver,
        ],
    },
    Workflow {
        name: "top up with a card that is declined, and retry with another one, twice",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(know_another_card),
            Deliver,
            Ask(retry_with_another),
            Ask(retry_with_another),
            Deliver,
            Ask(charge_290),
        ],
    },
    Workflow {
        name: "top up with a card that is declined, retry it in vain, and pay on the page",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Ask(retry),
            Ask(retry_under_the_same_key),
            Ask(retry_once_more),
            Outside(pay_invoice),
            Ask(retry),
            Ask(resume),
            Deliver,
        ],
    },
    Workflow {
        name: "top up with a card that is declined, and resume after the invoice was paid on its page",
        acts: &[Outside(decline), Ask(charge_400), Ask(sweep), Outside(pay_invoice), Ask(resume), Deliver],
    },
    Workflow {
        name: "top up with a card that is declined, and pay on its page just before a resume voids the invoice",
        acts: &[Outside(decline), Ask(charge_400), Ask(sweep), Outside(pay_before_the_void), Deliver],
    },
    Workflow {
        name: "top up with a card that is declined, resume with another one, and top up again",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(expire_card),
            Ask(resume),
            Outside(choose_card),
            Deliver,
            Ask(resume),
            Ask(retry),
            Ask(resume),
            Outside(pass_a_day),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "retry through an outage longer than Stripe keeps a key",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Deliver,
            Outside(lose_answers_to_retries),
            Ask(retry),
            Outside(pass_a_day),
            Outside(hear_answers_to_retries),
            Ask(retry),
            Deliver,
        ],
    },
    Workflow {
        name: "end the pause of a customer who has a discount, and buy for a while without top-ups",
        acts: &[
            Outside(give_discount),
            Ask(charge_400),
            Ask(sweep),
            Ask(retry),
            Ask(resume),
            Outside(accept_again),
            Outside(pass_a_day),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "be reminded of a declined card after a day, twice, and pay",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Ask(follow_up),
            Outside(pass_a_day),
            Ask(follow_up),
            Ask(follow_up),
            Deliver,
            Outside(pay_invoice),
            Outside(pass_a_week),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "be reminded only once Stripe says that the invoice is unpaid",
        acts: &[
            Outside(ask_for_confirmation),
            Ask(charge_400),
            Ask(sweep),
            Outside(stripe_goes_down),
            Outside(pass_a_day),
            Ask(follow_up),
            Outside(stripe_comes_up),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "leave an invoice unpaid for a month, and top up again only when the customer wants it",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_a_month),
            Ask(follow_up),
            Deliver,
            Outside(pass_a_day),
            Ask(sweep),
            Outside(choose_card),
            Deliver,
            Ask(on),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "be reminded late, and only of what is due since",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_a_day),
            Outside(pass_a_day),
            Outside(pass_a_day),
            Ask(follow_up),
            Ask(follow_up),
            Deliver,
            Outside(pass_a_week),
            Ask(follow_up),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "retry in vain, and be reminded as before",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_an_hour),
            Ask(retry),
            Outside(pass_a_day),
            Ask(follow_up),
            Deliver,
            Outside(pass_a_month),
            Ask(retry_once_more),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "retry with another card and resume when a month is over",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(know_another_card),
            Deliver,
            Outside(pass_a_month),
            Ask(retry_with_another),
            Ask(follow_up),
            Ask(resume),
            Deliver,
        ],
    },
    Workflow {
        name: "pay an invoice on its page when a month is over",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_a_month),
            Outside(pay_invoice),
            Ask(follow_up),
            Deliver,
        ],
    },
    Workflow {
        name: "top up by a debit that takes two days",
        acts: &[
            Outside(take_days),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Outside(pass_a_day),
            Ask(sweep),
            Outside(pass_a_day),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "top up by a debit, and switch off while it is under way",
        acts: &[
            Outside(take_days),
            Ask(charge_400),
            Ask(sweep),
            Ask(off),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Outside(pass_a_day),
            Outside(pass_a_day),
            Deliver,
        ],
    },
    Workflow {
        name: "top up a customer who has a discount, and once more without it",
        acts: &[
            Outside(give_discount),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
            Outside(accept_again),
            Ask(on),
            Outside(pass_a_day),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "buy for a customer who was deleted",
        acts: &[Outside(delete_customer), Ask(buy), Ask(buy), Ask(buy_again), Deliver],
    },
    Workflow {
        name: "top up a customer who was deleted",
        acts: &[Outside(delete_customer), Ask(charge_400), Ask(sweep), Outside(pass_half_an_hour), Ask(sweep), Deliver],
    },
    Workflow {
        name: "top up with a card that is declined, and have the invoice credited in full",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
            Outside(credit_all),
            Ask(link),
            Deliver,
        ],
    },
    Workflow {
        name: "top up with a card that is declined, have a part of the invoice credited, and pay the rest",
        acts: &[
            Outside(decline),
            Ask(charge_400),
            Ask(sweep),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
            Outside(credit_a_part),
            Outside(pay_invoice),
            Ask(link),
            Deliver,
        ],
    },
    Workflow {
        name: "top up, and switch off before the outcome is known",
        acts: &[
            Ask(charge_400),
            Outside(stripe_goes_down),
            Ask(sweep),
            Outside(stripe_comes_up),
            Ask(off),
            Outside(pass_half_an_hour),
            Ask(sweep),
            Deliver,
        ],
    },
    Workflow {
        name: "top up through an outage longer than Stripe keeps a key",
        acts: &[
            Ask(charge_400),
            Ask(sweep),
            Outside(stripe_goes_down),
            Outside(pass_a_day),
            Ask(sweep),
            Outside(stripe_comes_up),
            Ask(sweep),
            Deliver,
        ],
    },
];

fn import_cora(_: &Run) -> Request {
    names::import("cora", 1, 300)
}

fn import_more(_: &Run) -> Request {
    names::import("cora", 1, 301)
}

fn import_for_another(_: &Run) -> Request {
    names::import("acme", 1, 300)
}

fn import_another(_: &Run) -> Request {
    names::import("bolt", 2, -40)
}

fn close_days(_: &Run) -> Request {
    Request::CloseDays
}

fn give(_: &Run) -> Request {
    names::adjust("acme", 10, 100, false)
}

fn take_too_much(_: &Run) -> Request {
    names::adjust("acme", 11, -700, false)
}

fn take_below_zero(_: &Run) -> Request {
    names::adjust("acme", 12, -700, true)
}

fn restrict_for_an_hour(run: &Run) -> Request {
    names::restrict("acme", run.world().time() + SignedDuration::from_hours(1))
}

fn lift(_: &Run) -> Request {
    names::lift("acme")
}

fn check(_: &Run) -> Request {
    Request::CheckTopUp(names::account("acme"))
}

/// Support sends the last e-mail again. If none was sent, a sweep does no harm.
fn resend(run: &Run) -> Request {
    let tables = run.world().ledger.tables();
    let notices = tables.partitions.values().flat_map(|partition| partition.notices.values());
    notices.last().map_or(Request::Sweep(None), |last| Request::ResendNotice(last.account.clone(), last.id.clone()))
}

fn charge_10(_: &Run) -> Request {
    names::charge("acme", 10, 1)
}

fn charge_290(_: &Run) -> Request {
    names::charge("acme", 11, 29)
}

fn charge_400(_: &Run) -> Request {
    names::charge("acme", 12, 40)
}

fn stop(_: &Run) -> Request {
    Request::SetSpending(names::account("acme"), true)
}

fn allow(_: &Run) -> Request {
    Request::SetSpending(names::account("acme"), false)
}

fn limit_account(_: &Run) -> Request {
    names::limits("acme", None, [Some(290), Some(300), None])
}

fn limit_spender(_: &Run) -> Request {
    names::limits("acme", Some(names::spender("key-1")), [None, Some(290), Some(290)])
}

fn unlimit_spender(_: &Run) -> Request {
    names::limits("acme", Some(names::spender("key-1")), [None, None, None])
}

fn charge_10_for_spender(_: &Run) -> Request {
    names::charge_for("acme", 10, 1, Some(names::spender("key-1")))
}

fn charge_290_for_spender(_: &Run) -> Request {
    names::charge_for("acme", 11, 29, Some(names::spender("key-1")))
}

/// One account does not exist, and the other one's third charge does not fit, while the one after it does.
fn batch(_: &Run) -> Request {
    names::batch([("acme", 10, 1), ("acme", 12, 40), ("cora", 10, 1), ("acme", 13, 45), ("acme", 14, 5)])
}

fn batch_in_other_order(_: &Run) -> Request {
    names::batch([("acme", 14, 5), ("cora", 10, 1), ("acme", 15, 4), ("acme", 12, 40), ("acme", 10, 1)])
}

fn long_batch(_: &Run) -> Request {
    let acme = (10..18).map(|number| ("acme", number, 1));
    names::batch(acme.chain([("bolt", 10, 1), ("bolt", 11, 60), ("bolt", 12, 2)]))
}

/// Seven charges of one account, so that three blocks are complete.
fn long_batch_of_one(_: &Run) -> Request {
    names::batch([21, 22, 23, 24, 25, 26, 27].map(|number| ("acme", number, 1)))
}

/// The end of the last complete block of the account.
fn fold(run: &Run) -> Request {
    let mut tables = run.world().ledger.tables();
    tables.catch_up(usize::MAX);
    let account = tables.accounts().find(|account| account.id.as_str() == "acme");
    let seq = account.map_or(0, |account| FOLD_LIMITS.last_block_end(account.seq));
    Request::Fold(names::account("acme"), seq)
}

fn read_days(_: &Run) -> Request {
    Request::Usage(names::account("acme"), Granularity::Day)
}

fn read_months(_: &Run) -> Request {
    Request::Usage(names::account("acme"), Granularity::Month)
}

fn restore_10(_: &Run) -> Request {
    names::restore("acme", 10)
}

fn hold(_: &Run) -> Request {
    names::pending_charge("acme", 10, 20, 1_200)
}

fn capture_less(_: &Run) -> Request {
    names::capture("acme", 10, Some(7))
}

fn capture_all(_: &Run) -> Request {
    names::capture("acme", 10, None)
}

fn void(_: &Run) -> Request {
    names::void("acme", 10)
}

fn expire(_: &Run) -> Request {
    Request::ExpireCharges
}

fn buy(_: &Run) -> Request {
    Request::OpenPurchase(names::account("acme"), names::buy(10, "credits_500"))
}

fn buy_again(_: &Run) -> Request {
    Request::OpenPurchase(names::account("acme"), names::buy(11, "credits_500"))
}

fn off(_: &Run) -> Request {
    Request::SetAutoTopUp(names::account("acme"), AutoTopUpCommand::Off { changed_by: None })
}

fn on(_: &Run) -> Request {
    Request::SetAutoTopUp(names::account("acme"), names::settings(THRESHOLD, THRESHOLD + 1_000))
}

fn cap_1_500(_: &Run) -> Request {
    Request::SetAutoTopUp(names::account("acme"), names::capped(THRESHOLD, THRESHOLD + 1_000, Some(1_500)))
}

fn cap_2_120(_: &Run) -> Request {
    Request::SetAutoTopUp(names::account("acme"), names::capped(THRESHOLD, THRESHOLD + 1_000, Some(2_120)))
}

/// All but a few credits of an account that was topped up.
fn spend_1_000(_: &Run) -> Request {
    names::batch((20..25).map(|number| ("acme", number, 21)))
}

fn choose_levels(_: &Run) -> Request {
    Request::SetAlerts(names::account("acme"), names::levels(vec![names::level(300, true), names::level(150, true)]))
}

fn evaluate(_: &Run) -> Request {
    Request::EvaluateAlerts
}

fn close(_: &Run) -> Request {
    Request::Erase(names::account("acme"))
}

fn give_200(_: &Run) -> Request {
    names::adjust("acme", 13, 200, false)
}

fn charge_20(_: &Run) -> Request {
    names::charge("acme", 13, 2)
}

fn charge_50(_: &Run) -> Request {
    names::charge("acme", 14, 5)
}

fn charge_150(_: &Run) -> Request {
    names::charge("acme", 15, 15)
}

fn sweep(_: &Run) -> Request {
    Request::Sweep(None)
}

fn retry(_: &Run) -> Request {
    names::retry("acme", 20, None)
}

fn warn_of_disputes(_: &Run) -> Request {
    Request::WarnOfDisputes
}

/// For another card.
fn retry_under_the_same_key(_: &Run) -> Request {
    names::retry("acme", 20, Some(3))
}

fn retry_once_more(_: &Run) -> Request {
    names::retry("acme", 21, None)
}

fn retry_with_another(_: &Run) -> Request {
    names::retry("acme", 22, Some(3))
}

fn follow_up(_: &Run) -> Request {
    Request::FollowUp
}

fn reconcile(_: &Run) -> Request {
    Request::Reconcile
}

fn resume(_: &Run) -> Request {
    names::resume("acme")
}

/// The number of calls in which a resume has looked at the open invoice. Without it, a mutant is not found.
const CALLS_BEFORE_THE_VOID: usize = 4;

/// The customer resumes top-ups, and pays on the page just before the void reaches Stripe.
fn pay_before_the_void(run: &mut Run) {
    let task = run.start(names::resume("acme"));
    for _ in 0..CALLS_BEFORE_THE_VOID {
        resume_task(run, task);
    }
    pay_invoice(run);
    while resume_task(run, task) {}
}

/// The customer checks the last purchase.
fn look(run: &Run) -> Request {
    let tables = run.world().ledger.tables();
    let purchases = tables.partitions.values().flat_map(|partition| partition.purchases.values());
    let last = purchases.last().expect("the workflow has opened a purchase");
    Request::CheckPurchase(last.account.clone(), last.id.clone())
}

/// The customer follows the link in the last e-mail. If there is no top-up there is no link, and a sweep does no harm.
fn link(run: &Run) -> Request {
    let tables = run.world().ledger.tables();
    let top_ups = tables.partitions.values().flat_map(|partition| partition.top_ups.values());
    let Some(last) = top_ups.last() else { return Request::Sweep(None) };
    Request::PayPage(last.account.clone(), Invoiced::TopUp(last.id.clone()))
}

fn pay_page(run: &mut Run) {
    let mut stripe = run.world().stripe();
    let open = stripe.sessions.iter().position(|session| session.status == SessionStatus::Open);
    if let Some(open) = open {
        stripe.session_pay(open, &names::card(2));
    }
}

fn pay_page_in_euros(run: &mut Run) {
    let mut stripe = run.world().stripe();
    let open = stripe.sessions.iter().position(|session| session.status == SessionStatus::Open);
    if let Some(open) = open {
        stripe.session_pay_in_euros(open, &names::card(2));
    }
}

fn debit_page(run: &mut Run) {
    let now = run.world().time();
    let mut stripe = run.world().stripe();
    let open = stripe.sessions.iter().position(|session| session.status == SessionStatus::Open);
    if let Some(open) = open {
        stripe.session_debit(open, &names::card(5), now);
    }
}

fn decline_debit(run: &mut Run) {
    run.world().stripe().set_mood(&names::card(5), Mood::Declines);
}

fn pay_last_page(run: &mut Run) {
    let mut stripe = run.world().stripe();
    let open = stripe.sessions.iter().rposition(|session| session.status == SessionStatus::Open);
    if let Some(open) = open {
        stripe.session_pay(open, &names::card(4));
    }
}

fn pay_invoice(run: &mut Run) {
    let mut stripe = run.world().stripe();
    let open = stripe.invoices.iter().position(|invoice| invoice.status == InvoiceStatus::Open);
    if let Some(open) = open {
        stripe.invoice_pay_by_customer(open, &names::card(2));
    }
}

fn void_invoice(run: &mut Run) {
    let mut stripe = run.world().stripe();
    let open = stripe.invoices.iter().find(|invoice| invoice.status == InvoiceStatus::Open);
    if let Some(open) = open.map(|invoice| invoice.id.clone()) {
        stripe.invoice_void(&open);
    }
}

fn credit_all(run: &mut Run) {
    credit(run, i64::MAX);
}

fn credit_a_part(run: &mut Run) {
    credit(run, 900);
}

fn credit(run: &mut Run, cents: i64) {
    let mut stripe = run.world().stripe();
    let open = stripe.invoices.iter().position(|invoice| invoice.status == InvoiceStatus::Open);
    if let Some(open) = open {
        stripe.invoice_credit(open, cents);
    }
}

fn give_discount(run: &mut Run) {
    refuse(run, Some(RefusalReason::OtherPrice));
}

fn delete_customer(run: &mut Run) {
    refuse(run, Some(RefusalReason::CustomerDeleted));
}

fn accept_again(run: &mut Run) {
    refuse(run, None);
}

fn refuse(run: &mut Run, reason: Option<RefusalReason>) {
    let customer = {
        let tables = run.world().ledger.tables();
        tables.accounts().next().expect("every workflow starts with an account").customer.clone()
    };
    run.world().stripe().refuse(customer, reason);
}

fn choose_card(run: &mut Run) {
    let customer = {
        let tables = run.world().ledger.tables();
        tables.accounts().next().expect("every workflow starts with an account").customer.clone()
    };
    let now = run.world().time();
    run.world().stripe().choose_default_card(&customer, &names::card(3), now);
}

fn choose_fourth(run: &mut Run) {
    let customer = {
        let tables = run.world().ledger.tables();
        tables.accounts().next().expect("every workflow starts with an account").customer.clone()
    };
    let now = run.world().time();
    run.world().stripe().choose_default_card(&customer, &names::card(4), now);
}

fn decline(run: &mut Run) {
    run.world().stripe().set_mood(&names::card(1), Mood::Declines);
}

fn accept_card(run: &mut Run) {
    run.world().stripe().set_mood(&names::card(1), Mood::Pays);
}

/// Another card was the default once, so that it is saved.
fn know_another_card(run: &mut Run) {
    choose_card(run);
}

fn expire_card(run: &mut Run) {
    run.world().stripe().set_expired(&names::card(1), true);
}

/// The bank is asked, and the answer never arrives.
fn lose_answers_to_retries(run: &mut Run) {
    run.world().desk().is_retry_unheard = true;
}

fn hear_answers_to_retries(run: &mut Run) {
    run.world().desk().is_retry_unheard = false;
}

fn take_days(run: &mut Run) {
    run.world().stripe().set_mood(&names::card(1), Mood::TakesDays);
}

fn ask_for_confirmation(run: &mut Run) {
    run.world().stripe().set_mood(&names::card(1), Mood::AsksForConfirmation);
}

fn stripe_goes_down(run: &mut Run) {
    run.world().desk().is_stripe_down = true;
}

fn stripe_comes_up(run: &mut Run) {
    run.world().desk().is_stripe_down = false;
}

/// A second customer, in another shard.
fn open_another(run: &mut Run) {
    if let Err(rule) = run.prepare(&names::account("bolt"), 2, names::settings(THRESHOLD, THRESHOLD + 1_000)) {
        run.world().violate(rule);
    }
}

fn charge_another(_: &Run) -> Request {
    names::charge("bolt", 12, 40)
}

/// So little time that a sweep only processes the first account.
fn give_little_time(run: &mut Run) {
    run.world().desk().sweep_time = A_CALL * 12;
}

fn give_time(run: &mut Run) {
    run.world().desk().sweep_time = SWEEP_TIME;
}

fn pass_an_hour(run: &mut Run) {
    run.pass(SignedDuration::from_hours(1));
}

fn pass_half_an_hour(run: &mut Run) {
    run.pass(SignedDuration::from_mins(30));
}

fn pass_a_month(run: &mut Run) {
    run.pass(SignedDuration::from_hours(31 * 24));
}

fn pass_a_day(run: &mut Run) {
    run.pass(SignedDuration::from_hours(25));
}

fn pass_a_week(run: &mut Run) {
    run.pass(SignedDuration::from_hours(7 * 24));
}

const THRESHOLD: i64 = 200;
/// The duration of a call.
const A_CALL: SignedDuration = SignedDuration::from_millis(1);

// ── Faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A fault at one call of a workflow; calls are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub call: usize,
    pub fate: Fate,
}

/// With at most two faults, everything is answered within this many tries.
const TRIES_MAX: u32 = 6;

/// The extent of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enumerated {
    /// The number of calls of the workflow without faults.
    pub calls: usize,
    pub runs: u64,
}

impl Workflow {
    /// Plays the workflow with every set of at most `faults_max` (0, 1 or 2) faults, on all cores.
    ///
    /// # Errors
    /// The first set seen that breaks a rule, with its story.
    pub fn enumerate(&self, faults_max: usize) -> Result<Enumerated, (Vec<Fault>, Failure)> {
        let broken = |faults: &[Fault]| {
            let mut failure = self.play(faults).expect_err("a run is deterministic");
            failure.story = self.story(faults);
            (faults.to_vec(), failure)
        };
        let calls = self.play(&[]).map_err(|_| broken(&[]))?;
        let (runs, next, is_over) = (AtomicU64::new(1), AtomicUsize::new(0), AtomicBool::new(false));
        let search = || {
            while faults_max > 0 && !is_over.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let first =
                    Fault { call: number / Fate::FAULTS.len(), fate: Fate::FAULTS[number % Fate::FAULTS.len()] };
                if first.call >= calls {
                    break;
                }
                let played = self.play_with(first, faults_max - 1);
                match played {
                    Ok(count) => drop(runs.fetch_add(count, Ordering::Relaxed)),
                    Err(faults) => {
                        is_over.store(true, Ordering::Relaxed);
                        return Some(faults);
                    }
                }
            }
            None
        };
        match on_all_cores(search).into_iter().flatten().next() {
            Some(faults) => Err(broken(&faults)),
            None => Ok(Enumerated { calls, runs: runs.into_inner() }),
        }
    }

    /// The log of the run with these faults, line by line.
    pub fn story(&self, faults: &[Fault]) -> Vec<String> {
        let mut run = Run::new(true);
        let played = self.play_acts(&mut run, faults, &mut 0);
        let mut story = run.world().desk().story.take().unwrap_or_default();
        story.extend(played.err());
        story
    }

    /// Plays one fault, and each second fault after it. Returns the number of runs.
    fn play_with(&self, first: Fault, more: usize) -> Result<u64, Vec<Fault>> {
        let calls = self.play(&[first]).map_err(|_| vec![first])?;
        let mut runs = 1;
        if more > 0 {
            for call in first.call + 1..calls {
                for fate in Fate::FAULTS {
                    let faults = [first, Fault { call, fate }];
                    self.play(&faults).map_err(|_| faults.to_vec())?;
                    runs += 1;
                }
            }
        }
        Ok(runs)
    }

    /// Plays it once. Returns the number of calls.
    fn play(&self, faults: &[Fault]) -> Result<usize, Failure> {
        let mut calls = 0;
        let played = self.play_acts(&mut Run::new(false), faults, &mut calls);
        played.map(|()| calls).map_err(|rule| Failure { rule, story: vec![] })
    }

    fn play_acts(&self, run: &mut Run, faults: &[Fault], calls: &mut usize) -> Result<(), String> {
        run.prepare(&names::account("acme"), 1, names::settings(THRESHOLD, THRESHOLD + 1_000))?;
        for act in self.acts {
            run.world().ledger.tables().catch_up(usize::MAX);
            match act {
                Ask(request) => {
                    let request = request(run);
                    ask(run, request, faults, calls)?;
                }
                Outside(happens) => happens(run),
                Wake => {
                    while let Some(request) = run.wake(0) {
                        ask(run, request, faults, calls)?;
                    }
                }
                Deliver => {
                    for _ in 0..TRIES_MAX {
                        for request in run.to_be_delivered() {
                            ask(run, request, faults, calls)?;
                        }
                    }
                }
            }
        }
        run.finish()
    }
}

/// Repeats a request until it is answered or the caller gives up.
fn ask(run: &mut Run, request: Request, faults: &[Fault], calls: &mut usize) -> Result<(), String> {
    run.unanswered.push(request);
    for _ in 0..TRIES_MAX {
        let Some(request) = run.unanswered.pop() else { break };
        run.start(request);
        while run.waiting() > 0 {
            let fault = faults.iter().find(|fault| fault.call == *calls);
            run.world().advance(A_CALL);
            run.resume(0, fault.map_or(Fate::Works, |fault| fault.fate));
            *calls += 1;
            run.check()?;
        }
    }
    Ok(())
}
