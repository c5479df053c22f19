//! See `hostile::purchases`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::open("purchases", data));
