//! Prints the length of each file that is named: milliseconds, frames, rate, container and codec.

#![expect(clippy::print_stdout, reason = "a program that prints")]

use std::path::Path;

fn main() {
    for file in std::env::args().skip(1) {
        match audio_length::measure_file(Path::new(&file)) {
            Ok(found) => {
                let (length, codec) = (found.length, found.codec);
                let (ms, frames, rate) = (length.milliseconds(), length.frames(), length.rate());
                println!("{file}\t{ms}\t{frames}\t{rate}\t{}\t{codec}", found.container);
            }
            Err(error) => println!("{file}\t-\t-\t-\t-\t{error}"),
        }
    }
}
