//! The narrow traits for everything outside the system, and the errors that an adapter must return.

mod claims;
mod disputes;
mod event_bus;
mod ids;
mod items;
mod ledger;
mod ledger_error;
mod liability;
mod mailer;
mod pauses;
mod payments;
mod portal;
mod reconciliation;
mod returns;
mod sweep_part;
mod timers;
mod whole_ledger;

pub use claims::{ClaimLogs, ClaimedPayment, ClaimedPayments, PaidInvoiceOf, PaidInvoices, PaidInvoicesPage, ToldBy};
pub use disputes::{DisputePlace, Disputes, DisputesPage, OpenDisputes};
pub use event_bus::{EventBus, EventBusError, StoredEvent};
pub use ids::{IdGenerator, RandomIds};
pub use items::{StoredItem, StoredItems, StoredItemsPage, StoredValue};
pub use ledger::{
    Accounts, Acts, AlertRows, AskedCards, ConsentList, Consents, ContactRecords, Customers, DueAlerts, DueCards,
    DueCharge, DueCharges, DueChargesPage, DueCursor, DueIndex, DuePage, DueUnpaid, Entries, EntryList, Erasures,
    Events, Flags, History, NewestFirst, NoticeList, Notices, OutboundEvents, PendingChargeList, PendingCharges,
    PendingChargesPage, PurchaseList, Purchases, PurchasesPage, RefusalList, RefusalRows, RefusalsPage, Shard,
    SpenderList, Spenders, SpendersPage, SpendingChanges, StoredEntries, StoredEntriesPage, SweepLogs, TopUpList,
    TopUpRetries, TopUps, Unpaid, UnpaidPage, UnreadableEntry, UsageFolds, UsageRows,
};
pub use ledger_error::{CommitError, FoldError, LedgerError};
pub use liability::{AccountsPage, Directory, Imports, LiabilityRows, ListedAccount, ReplaceError};
pub use mailer::{Email, Mailer, MailerError};
pub use pauses::{NoPauses, Pauses};
pub use payments::{
    CardPage, CardWallet, CheckoutReport, CustomerBilling, CustomerInvoices, InvoiceError, InvoiceReport, InvoicesPage,
    Paid, PaymentSearch, Payments, PaymentsError, ReplaceDetailsError,
};
pub use portal::PortalPasses;
pub use reconciliation::{
    DueLooks, EventList, EventsPage, EventsPass, EventsPlace, FailedEvent, FailedEvents, ListedEvent, LooksRest,
    Reconciled, Reconciliations, Subject, UnknownPayments,
};
pub use returns::{
    DisputeReport, MadeRefund, MadeRefundStatus, PaymentRefunds, PaymentReturns, RefundError, RefundOrder,
    ReturnedObject, ReturnsReport,
};
pub use sweep_part::{Remainder, SWEEP_PERIOD, SweepPart, Turn};
pub use timers::{Timer, TimerName, Timers, TimersError, Wake};
pub use whole_ledger::Ledger;
