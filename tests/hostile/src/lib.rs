//! What arrives from outside, whatever its bytes are: one function per door, each with what must hold behind it.
//!
//! A function takes any bytes, makes of them what would arrive, and panics where a rule is broken.
//! `tests/fuzz` looks for such bytes for as long as it is let; the test here tries the known good ones and their
//! neighbours. Everything is reached as it is deployed: by the functions' `handle`, the ledger on the SDK's client, the
//! public functions of `shared`, the reader of audio. Nothing here asks the machine for the time, for randomness, or for the network.

mod audio;
mod bodies;
mod callers;
mod history;
mod items;
mod links;
mod paths;
mod price_books;
mod streams;
mod table;
mod webhooks;
mod world;

pub use bodies::routes as body_routes;
pub use items::written_items;
pub use links::sample_token;
pub use webhooks::signed_delivery;

/// A door, by the name of its fuzz target and of its directory of seeds.
pub type Door = (&'static str, fn(&[u8]));

/// Every door.
pub const DOORS: &[Door] = &[
    ("audio", audio::audio),
    ("bodies", bodies::bodies),
    ("callers", callers::callers),
    ("history", history::history),
    ("items", items::items),
    ("links", links::links),
    ("paths", paths::paths),
    ("price_books", price_books::price_books),
    ("streams", streams::streams),
    ("webhooks", webhooks::webhooks),
];

/// Opens a door by its name.
///
/// # Panics
/// For a name that is none, and where a rule is broken.
pub fn open(name: &str, data: &[u8]) {
    let (_, door) = DOORS.iter().find(|(known, _)| *known == name).expect("a fuzz target is named as a door");
    door(data);
}
