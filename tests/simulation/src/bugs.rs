//! The bugs of adapters in `mutants/mutants.toml`, which the model commits when one is switched on.

/// Whether this bug is switched on.
#[cfg(feature = "mutants")]
pub fn has_bug(name: &str) -> bool {
    mutants::switch::is_on(name)
}

/// Always false without the feature `mutants`.
#[cfg(not(feature = "mutants"))]
pub const fn has_bug(_name: &str) -> bool {
    false
}
