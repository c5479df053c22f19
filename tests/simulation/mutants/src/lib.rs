//! A copy of the domain and the use cases with bugs that can be switched on one at a time.
//!
//! `build.rs` reads the unchanged sources of the crate `shared` and inserts the bugs listed in `mutants.toml`, so the
//! product's own files contain no trace of them. If a bug's code is no longer found, the build fails.
//! With no bug switched on, the copy behaves like the original.

#![allow(
    warnings,
    clippy::all,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "the sources are linted in their own crate; bugs are not"
)]

include!(concat!(env!("OUT_DIR"), "/shared.rs"));

/// One deliberate bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    pub name: &'static str,
    /// A description of the bug.
    pub bug: &'static str,
}

pub mod switch {
    //! Which bug is on in the current thread.

    use std::cell::Cell;

    thread_local! {
        static ON: Cell<&'static str> = const { Cell::new("") };
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }

    /// Switches this bug on in this thread, and all others off.
    pub fn turn_on(name: &'static str) {
        ON.set(name);
    }

    pub fn turn_off() {
        ON.set("");
    }

    pub fn is_on(name: &str) -> bool {
        ON.get() == name
    }

    /// A number that is different each time, for bugs that use another key for each request.
    pub fn number() -> u64 {
        NUMBER.set(NUMBER.get() + 1);
        NUMBER.get()
    }
}
