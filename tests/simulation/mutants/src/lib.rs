//! The domain and the use cases once more, with bugs in them that can be switched on one at a time.
//!
//! `build.rs` takes the sources of the crate `shared` as they are and weaves in what `mutants.toml` lists, so the
//! product's own files hold no trace of it. A mutant whose place is not found any more fails the build.
//! With none switched on, this is the same code.

#![allow(
    warnings,
    clippy::all,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the sources are linted where they stand; bugs are not"
)]

include!(concat!(env!("OUT_DIR"), "/shared.rs"));

/// One deliberate bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    pub name: &'static str,
    /// What it does wrong, in words.
    pub bug: &'static str,
}

pub mod switch {
    //! Which bug is on, for the thread that asks.

    use std::cell::Cell;

    thread_local! {
        static ON: Cell<&'static str> = const { Cell::new("") };
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }

    /// Switches this bug on for this thread, and every other off.
    pub fn turn_on(name: &'static str) {
        ON.set(name);
    }

    pub fn turn_off() {
        ON.set("");
    }

    pub fn is_on(name: &str) -> bool {
        ON.get() == name
    }

    /// A number that was not there before, for bugs that make a key of something else each time.
    pub fn number() -> u64 {
        NUMBER.set(NUMBER.get() + 1);
        NUMBER.get()
    }
}
