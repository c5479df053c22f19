//! The records of the table's stream.

use crate::world::{account_id, ledger_with, link_key, now};
use aws_lambda_events::event::dynamodb::Event;
use lambda_runtime::{Context, LambdaEvent};
use notifications::App;
use shared::ports::{Mail, Mailer, MailerError};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes as an event of the stream: nothing is sent that is not owed, and what fails is named.
pub fn streams(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Event>(data) else { return };
    let numbers: Vec<Option<String>> =
        event.records.iter().map(|record| record.change.sequence_number.clone()).collect();
    let app = App {
        ledger: ledger_with(&[500]),
        mailer: Counting::default(),
        clock: now as fn() -> _,
        links: link_key(),
        public_url: "https://api.example.com".to_owned(),
    };
    assert!(app.ledger.tables().partitions[&account_id()].notices.is_empty());
    let handled = futures::executor::block_on(notifications::handle(&app, LambdaEvent::new(event, Context::default())));
    assert_eq!(app.mailer.0.load(Ordering::Relaxed), 0, "no notice is stored, so none is owed");
    for failure in handled.map(|response| response.batch_item_failures).unwrap_or_default() {
        assert!(numbers.contains(&failure.item_identifier), "what failed is one of what came");
    }
}

#[derive(Default)]
struct Counting(AtomicUsize);

impl Mailer for Counting {
    async fn send(&self, _: &Mail) -> Result<(), MailerError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
