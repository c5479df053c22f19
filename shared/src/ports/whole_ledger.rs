//! The whole store, for tests and for the simulation. A function names the traits that its role allows.

use super::*;

/// All the traits together, for code that may use the whole store.
pub trait Ledger:
    Accounts
    + Entries
    + PendingCharges
    + PendingChargeList
    + RefusalRows
    + RefusalList
    + History
    + StoredEntries
    + Purchases
    + PurchaseList
    + TopUps
    + TopUpList
    + Acts
    + Erasures
    + Flags
    + NoticeList
    + Consents
    + SpendingChanges
    + Spenders
    + SpenderList
    + ContactRecords
    + Customers
    + Imports
    + Directory
    + LiabilityRows
    + Events
    + Notices
    + OutboundEvents
    + DueIndex
    + DueCharges
    + UsageRows
    + EntryList
    + UsageFolds
{
}

impl<L> Ledger for L where
    L: Accounts
        + Entries
        + PendingCharges
        + PendingChargeList
        + RefusalRows
        + RefusalList
        + History
        + StoredEntries
        + Purchases
        + PurchaseList
        + TopUps
        + TopUpList
        + Acts
        + Erasures
        + Flags
        + NoticeList
        + Consents
        + SpendingChanges
        + Spenders
        + SpenderList
        + ContactRecords
        + Customers
        + Imports
        + Directory
        + LiabilityRows
        + Events
        + Notices
        + OutboundEvents
        + DueIndex
        + DueCharges
        + UsageRows
        + EntryList
        + UsageFolds
{
}
