//! Stand-ins for the AWS services the product calls: DynamoDB, EventBridge, its Scheduler, SES and Secrets Manager.
//!
//! Each one speaks the service's wire format, so production code keeps its ordinary SDK client, and only the
//! [`SharedHttpClient`](aws_smithy_runtime_api::client::http::SharedHttpClient) or the endpoint differs. They can be
//! called in process (no port, one database per test) or through [`server`] on one port of the loopback interface.
//!
//! Nothing here may be linked into a deployed function. Signatures are not checked: any client that can reach the port
//! can do everything, unless its request uses the key of a role ([`access`]).

use std::sync::Arc;

pub mod access;
pub mod dynamodb;
pub mod event_bus;
mod page;
pub mod scheduler;
pub mod secrets;
pub mod server;
pub mod ses;
pub mod wire;

/// The region of every stand-in.
pub const REGION: &str = "us-east-1";

/// The account of every stand-in.
pub const ACCOUNT: &str = "000000000000";

/// The local cloud's movable clock.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
