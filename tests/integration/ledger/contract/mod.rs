//! The contract of every [`Ledger`](shared::ports::Ledger), whatever its storage.
//!
//! Each function takes an empty ledger whose pages of the index `due` hold [`DUE_PAGE_SIZE`] accounts or charges.
//! The module `stores` next to this one provides the ledgers and runs the functions; the fault simulation has its own.
//! Some engines lose charges to each other and forget a transaction's token, so both are part of the contract (R33).

mod commit;
mod concurrency;
mod due;
mod erasure;
mod history;
mod liability;
mod lists;
mod marks;
mod purchases;
mod reconciliation;
mod refusals;
mod round_trip;
mod spenders;
mod usage;

use super::stores;

pub const DUE_PAGE_SIZE: u16 = 3;

macro_rules! on_every_ledger {
    ($($contract:path => $name:ident,)*) => {$(
        #[test]
        fn $name() {
            stores::run(async {
                for ledger in stores::empty().await {
                    $contract(&ledger).await;
                }
                for ledger in stores::others_empty().await {
                    $contract(&ledger).await;
                }
            });
        }
    )*};
}

macro_rules! on_every_ledger_that_loses_answers {
    ($($contract:path => $name:ident,)*) => {$(
        #[test]
        fn $name() {
            stores::run(async {
                for ledger in stores::losing_answers().await {
                    $contract(&ledger).await;
                }
                for ledger in stores::others_losing_answers().await {
                    $contract(&ledger).await;
                }
            });
        }
    )*};
}

on_every_ledger_that_loses_answers! {
    commit::lost_answer => a_commit_whose_answer_was_lost_is_done_once_and_told_as_done,
}

on_every_ledger! {
    round_trip::nothing => what_was_never_written_is_none,
    round_trip::accounts => accounts_in_every_state_read_back_as_written,
    round_trip::entries => entries_of_every_cause_read_back_as_written,
    round_trip::pending_charges => pending_charges_in_every_state_read_back_as_written,
    round_trip::purchases => purchases_in_every_state_read_back_as_written,
    round_trip::top_ups => attempts_in_every_state_read_back_as_written,
    round_trip::notices => notices_of_every_kind_read_back_as_written,
    round_trip::links => consents_keys_customers_and_contacts_read_back_as_written,
    round_trip::asked_cards => what_is_known_of_the_asked_card_reads_back_and_is_listed_while_it_is_due,
    round_trip::alerts => alerts_read_back_as_written_and_are_listed_from_their_time_on,
    round_trip::claims => the_log_of_claims_is_replaced_revision_by_revision,
    round_trip::decisions => the_log_of_decisions_is_replaced_revision_by_revision,
    reconciliation::progress => how_far_the_reconciliation_got_is_replaced_revision_by_revision,
    reconciliation::failed_events => an_event_that_failed_is_kept_and_listed_until_it_is_applied,
    reconciliation::looks => what_is_under_way_is_listed_for_looks_and_what_has_ended_is_not,
    reconciliation::unknown_payments => an_unknown_payment_is_flagged_once,
    reconciliation::disputes => a_dispute_is_replaced_revision_by_revision_and_listed_while_it_is_open,
    commit::creation => an_account_is_opened_once,
    commit::taken_customer => a_customer_pays_for_one_account,
    commit::stale => a_change_of_an_old_version_returns_the_account_as_it_is,
    commit::stale_absent => a_change_of_an_account_that_is_not_there_says_so,
    commit::duplicate => an_entry_of_the_same_origin_is_returned_in_preference_to_a_race,
    commit::some_duplicates => of_several_entries_all_that_exist_are_returned_and_none_is_written,
    commit::many_entries => as_many_entries_as_a_batch_has_are_written_together,
    commit::all_or_nothing => a_refused_change_writes_nothing,
    commit::replaced_records => a_record_replaces_what_was_under_its_key,
    concurrency::oversell => sixty_four_at_once_sell_what_is_there_and_every_sale_has_its_entry,
    concurrency::one_key => one_key_used_sixty_four_times_at_once_is_written_once,
    history::pages => history_is_read_page_by_page_newest_first,
    history::stored => stored_entries_are_read_page_by_page_oldest_first,
    history::only_entries => history_holds_the_accounts_own_entries_and_nothing_else,
    purchases::pages => purchases_are_listed_page_by_page_newest_first,
    purchases::opened_meanwhile => what_is_bought_between_two_pages_leaves_no_gap_and_repeats_nothing,
    refusals::pages => refused_requests_are_listed_page_by_page_newest_first_and_replaced_in_their_place,
    refusals::round_trip => refused_requests_read_back_as_written,
    lists::acts => acts_are_listed_page_by_page_newest_first,
    lists::attempts => attempts_are_listed_page_by_page_newest_first,
    lists::flags => flags_are_listed_by_account_and_by_month_newest_first,
    lists::consents => consents_are_listed_page_by_page_newest_first,
    lists::notices => notices_are_listed_page_by_page_newest_first,
    spenders::pages => spenders_with_limits_are_listed_page_by_page_by_name,
    spenders::removed => a_spender_without_limits_is_gone_and_its_removal_obeys_the_version,
    concurrency::limit => sixty_four_at_once_spend_exactly_what_the_limit_leaves,
    purchases::only_own => an_accounts_list_holds_its_own_purchases_and_nothing_else,
    erasure::pages => everything_personal_of_an_account_is_listed_page_by_page,
    erasure::writes => what_is_erased_takes_the_place_of_what_was_there,
    due::membership => an_account_is_listed_only_while_it_is_due,
    due::order_and_pages => due_accounts_come_longest_due_first_page_by_page,
    due::charges => a_pending_charge_is_listed_from_its_expiry_until_it_has_ended,
    due::charge_pages => expired_charges_come_longest_due_first_page_by_page,
    due::unpaid => an_unpaid_attempt_is_listed_when_a_reminder_or_its_end_is_due,
    due::unpaid_pages => unpaid_attempts_come_longest_due_first_page_by_page,
    due::apart => what_is_due_for_another_reason_is_not_listed,
    liability::directory => accounts_are_listed_by_shard_page_by_page,
    liability::imports => a_source_is_imported_once_whichever_account_it_is_for,
    liability::rows => a_row_of_the_liability_is_replaced_only_as_it_was_read,
    liability::closed => days_are_closed_once_and_in_order,
    usage::unknown => an_account_that_was_never_folded_has_no_usage,
    usage::folds => a_fold_is_written_only_from_where_the_account_is_folded_to,
    usage::nameless => a_fold_that_began_before_names_were_erased_is_refused,
    usage::rows => rows_are_listed_by_their_periods_in_order,
    usage::entries => entries_are_listed_oldest_first_above_a_number,
    marks::events => an_event_is_applied_once_it_is_marked,
    marks::notices => marking_a_notice_twice_keeps_the_first_instant,
    marks::absent_notice => marking_a_notice_that_is_gone_makes_none,
}

/// Not part of [`Ledger`](shared::ports::Ledger): only the dashboard has it.
#[test]
fn a_link_into_the_dashboard_is_exchanged_once_and_an_ended_session_stays_ended() {
    stores::run(async {
        for ledger in stores::empty().await {
            round_trip::portal_passes(&ledger).await;
        }
        for ledger in stores::losing_answers().await {
            round_trip::portal_passes(&ledger).await;
        }
    });
}
