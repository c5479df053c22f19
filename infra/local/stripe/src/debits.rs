//! Stripe's test bank accounts, one row each. Their money moves days after the request.
//!
//! <https://docs.stripe.com/payments/ach-direct-debit/accept-a-payment#test-account-numbers>,
//! <https://docs.stripe.com/payments/sepa-debit/accept-a-payment#test-integration>

use jiff::SignedDuration;

use crate::instruments::{Decline, Instrument, Kind, Settlement, Verdict, instrument, refused_by_bank};

/// This takes several business days: <https://docs.stripe.com/payments/ach-direct-debit#timing>.
const AUTOMATED_CLEARING_HOUSE: SignedDuration = SignedDuration::from_hours(4 * 24);
const SEPA: SignedDuration = SignedDuration::from_hours(5 * 24);

static FUNDS: Decline = refused_by_bank("insufficient_funds", "The account has insufficient funds.");
static NO_ACCOUNT: Decline = refused_by_bank("no_account", "The bank has no such account.");
static CLOSED: Decline = refused_by_bank("account_closed", "The account is closed.");
static NOT_AUTHORIZED: Decline =
    refused_by_bank("debit_not_authorized", "The account's holder did not authorize the debit.");

const fn american(name: &'static str, number: &'static str) -> Instrument {
    Instrument {
        kind: Kind::UsBankAccount,
        settlement: Settlement::After(AUTOMATED_CLEARING_HOUSE),
        ..instrument(name, number, "STRIPE TEST BANK")
    }
}

const fn european(name: &'static str, number: &'static str) -> Instrument {
    Instrument { kind: Kind::SepaDebit, settlement: Settlement::After(SEPA), ..instrument(name, number, "TEST BANK") }
}

const fn returned(instrument: Instrument, decline: &'static Decline) -> Instrument {
    Instrument { on_payment: Verdict::Decline(decline), ..instrument }
}

pub(crate) static DEBITS: &[Instrument] = &[
    american("pm_usBankAccount", "000123456789"),
    american("pm_usBankAccount_success", "000123456789"),
    Instrument { settlement: Settlement::Never, ..american("pm_usBankAccount_processing", "000000000009") },
    returned(american("pm_usBankAccount_accountClosed", "000111111113"), &CLOSED),
    returned(american("pm_usBankAccount_noAccount", "000111111116"), &NO_ACCOUNT),
    returned(american("pm_usBankAccount_insufficientFunds", "000222222227"), &FUNDS),
    returned(american("pm_usBankAccount_debitNotAuthorized", "000333333335"), &NOT_AUTHORIZED),
    european("pm_success_at", "AT611904300234573201"),
    returned(european("pm_failed_at", "AT861904300235473202"), &FUNDS),
    returned(european("pm_failed_it", "IT60X0542811101000000123456"), &FUNDS),
];
