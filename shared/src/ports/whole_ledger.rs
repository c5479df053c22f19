//! The whole store, for tests and for the simulation. A function names the traits that its role allows.

use super::*;

macro_rules! whole_ledger {
    ($($port:ident,)+) => {
        /// All the traits together, for code that may use the whole store.
        pub trait Ledger: $($port +)+ {}

        impl<L: $($port +)+> Ledger for L {}
    };
}

whole_ledger! {
    Accounts,
    Entries,
    PendingCharges,
    PendingChargeList,
    RefusalRows,
    RefusalList,
    History,
    StoredEntries,
    Purchases,
    PurchaseList,
    TopUps,
    TopUpList,
    SweepLogs,
    ClaimLogs,
    TopUpRetries,
    Acts,
    Erasures,
    Flags,
    NoticeList,
    Consents,
    ConsentList,
    SpendingChanges,
    Spenders,
    SpenderList,
    ContactRecords,
    Customers,
    Imports,
    Directory,
    LiabilityRows,
    Events,
    Notices,
    OutboundEvents,
    AlertRows,
    DueAlerts,
    AskedCards,
    DueCards,
    DueIndex,
    DueCharges,
    DueUnpaid,
    DueLooks,
    Reconciliations,
    FailedEvents,
    UnknownPayments,
    Disputes,
    OpenDisputes,
    UsageRows,
    EntryList,
    UsageFolds,
}
