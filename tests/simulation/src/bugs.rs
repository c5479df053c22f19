//! The bugs of adapters that the model commits where `mutants/mutants.toml` lists them and one is switched on.

/// Whether the model is to do wrong, in this way, now.
#[cfg(feature = "mutants")]
pub fn has_bug(name: &str) -> bool {
    mutants::switch::is_on(name)
}

/// Without the feature `mutants`, never.
#[cfg(not(feature = "mutants"))]
pub const fn has_bug(_name: &str) -> bool {
    false
}
