//! The way of a customer's browser into the Billing Dashboard, and out of it.

mod end_sessions;
mod enter;
mod open_link;
mod visit;

pub use end_sessions::{end_session, end_sessions};
pub use enter::{EnterError, Entered, enter};
pub use open_link::{OpenLinkError, OpenedLink, open_link};
pub use visit::{VisitError, Visited, visit};
