//! Fuzz targets for all input from outside: one function per door, each with the rules that must hold for any bytes.
//!
//! A function turns any bytes into input of its door, and panics if a rule is broken.
//! `tests/fuzz` searches for such bytes for as long as it runs; the test here tries the seeds and small mutations of
//! them. Everything is called as deployed: the functions' `handle`, the ledger on the SDK's client, the public
//! functions of `shared`, the audio parser. Nothing here uses the system clock, system randomness, or the network.

mod audio;
mod bodies;
mod callers;
mod history;
mod items;
mod links;
mod paths;
mod price_books;
mod purchases;
mod streams;
mod table;
mod webhooks;
mod world;

pub use bodies::routes as body_routes;
pub use items::written_items;
pub use links::sample_token;
pub use webhooks::signed_delivery;

/// A door, with the name of its fuzz target and its directory of seeds.
pub type Door = (&'static str, fn(&[u8]));

/// All doors.
pub const DOORS: &[Door] = &[
    ("audio", audio::audio),
    ("bodies", bodies::bodies),
    ("callers", callers::callers),
    ("history", history::history),
    ("items", items::items),
    ("links", links::links),
    ("paths", paths::paths),
    ("price_books", price_books::price_books),
    ("purchases", purchases::purchases),
    ("streams", streams::streams),
    ("webhooks", webhooks::webhooks),
];

/// Calls a door by its name.
///
/// # Panics
/// If the name is unknown, or a rule is broken.
pub fn open(name: &str, data: &[u8]) {
    let (_, door) = DOORS.iter().find(|(known, _)| *known == name).expect("a fuzz target has the name of a door");
    door(data);
}
