//! See `hostile::price_books`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::open("price_books", data));
