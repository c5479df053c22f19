//! The item of each domain value, one file per kind of item.
//!
//! Ids that are part of the key are not repeated among the attributes. Only entries carry an attribute `account`: with
//! `seq` it is the key of the index `history`, in which nothing but entries may appear.

mod account;
mod act;
mod alerts;
mod asked_card;
mod claim_log;
mod consent;
mod contacts;
mod dispute;
mod due;
mod entry;
mod erasure;
mod flag;
mod import;
mod liability;
mod links;
mod notice;
mod outbound_event;
mod pending_charge;
mod portal_pass;
mod purchase;
mod reconciliation;
mod refunds;
mod refusal;
mod reversed;
mod spending;
mod sweep_log;
mod top_up;
mod usage_row;

pub(super) use account::{account_from_item, account_to_item};
pub(super) use act::{act_from_item, act_to_item};
pub(super) use alerts::{alerts_due_from_item, alerts_due_to_item, alerts_from_item, alerts_to_item};
pub(super) use asked_card::{asked_card_from_item, asked_card_to_item};
pub(super) use claim_log::{claim_log_from_item, claim_log_to_item};
pub(super) use consent::{consent_from_item, consent_to_item};
pub(super) use contacts::{contacts_from_item, contacts_to_item};
pub(super) use dispute::{dispute_from_item, dispute_place, dispute_place_to_key, dispute_to_item};
pub(super) use due::{
    due_alert_to_key, due_card_to_key, due_charge_to_key, due_charges_page, due_cursor_to_key, due_page, unpaid_page,
    unpaid_to_key,
};
pub(super) use entry::{entry_from_item, entry_to_item, entry_to_verify};
pub(super) use erasure::{erasure_from_item, erasure_to_item, personal_item, stored_item};
pub(super) use flag::{flag_from_item, flag_to_item};
pub(super) use import::{imported_from_item, imported_to_item, listed_from_item, listed_to_item};
pub(super) use liability::{
    closed_days_from_item, closed_days_to_item, liability_row_from_item, liability_row_to_item,
};
pub(super) use links::{
    customer_from_item, customer_to_item, event_to_item, purchase_key_from_item, purchase_key_to_item,
};
pub(super) use notice::{notice_from_item, notice_to_item};
pub(super) use outbound_event::{outbound_event_from_item, outbound_event_to_item};
pub(super) use pending_charge::{pending_charge_from_item, pending_charge_to_item};
pub(super) use portal_pass::{
    portal_link_from_item, portal_link_to_item, portal_pass_key, portal_session_from_item, portal_session_to_item,
};
pub(super) use purchase::{purchase_from_item, purchase_to_item};
pub(super) use reconciliation::{
    failed_event_from_item, failed_event_id, failed_event_to_item, reconciled_from_item, reconciled_to_item,
    unknown_payment_to_item,
};
pub(super) use refusal::{refusal_from_item, refusal_to_item};
pub(super) use spending::{
    spender_limits_from_item, spender_limits_to_item, spending_change_from_item, spending_change_to_item,
};
pub(super) use sweep_log::{sweep_log_from_item, sweep_log_to_item};
pub(super) use top_up::{top_up_from_item, top_up_retry_from_item, top_up_retry_to_item, top_up_to_item};
pub(super) use usage_row::{usage_cursor_from_item, usage_cursor_to_item, usage_row_from_item, usage_row_to_item};
