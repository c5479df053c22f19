//! What the system does, one file per thing: read → decide → commit → call out → decide → commit.
//!
//! Nothing here knows DynamoDB, Stripe, SES or HTTP; the outside is reached through the traits of [`ports`].

pub mod ports;
