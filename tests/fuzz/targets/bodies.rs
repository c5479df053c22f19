//! See `hostile::bodies`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::open("bodies", data));
