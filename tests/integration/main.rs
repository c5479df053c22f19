//! The product's parts against each other and against stand-ins of the outside.

mod ledger;
mod payments;
mod support;
