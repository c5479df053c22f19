//! See `hostile::callers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::open("callers", data));
