//! How long an audio file plays: the number of samples of a full decode, without decoding.
//!
//! In every codec that is measured, the first bytes of each packet say how many samples it holds. So the packets are
//! counted, and what the container excludes (edit lists, pre-skip, padding) is subtracted.
//! Nothing is estimated from a bit rate, and a header is not trusted if the packets contradict it.
//!
//! Files are untrusted input: no module indexes, unwraps or lets an integer overflow. The lints below enforce this.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable
    )
)]

mod adts;
mod aiff;
mod amr;
mod au;
mod caf;
mod error;
mod flac;
mod length;
mod mp4;
mod mpeg;
mod ogg;
mod others;
mod pcm;
mod source;
mod tags;
mod wav;

pub use error::Unmeasurable;
pub use length::Length;

use source::Source;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek};
use std::path::Path;
use tags::Region;

/// The result of a measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    pub container: &'static str,
    /// The codec of the track that was measured.
    pub codec: String,
    /// The number of the measured track among the file's audio tracks, counted from 0.
    pub track: usize,
    /// The codec of every audio track, in the file's order. One track for a container without tracks.
    pub tracks: Vec<String>,
    pub length: Length,
}

impl Measurement {
    fn single(container: &'static str, codec: impl Into<String>, length: Length) -> Self {
        let codec = codec.into();
        Self { container, tracks: vec![codec.clone()], codec, track: 0, length }
    }
}

/// Measures the file at this path. Its name does not matter.
///
/// # Errors
/// [`Unmeasurable`], in words that follow the file's name.
pub fn measure_file(path: &Path) -> Result<Measurement, Unmeasurable> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Unmeasurable::NotThere,
        _ => Unmeasurable::Unreadable(error),
    })?;
    if !metadata.is_file() {
        return Err(Unmeasurable::NotAFile);
    }
    measure(File::open(path).map_err(Unmeasurable::Unreadable)?)
}

/// Measures everything that the reader contains.
///
/// # Errors
/// [`Unmeasurable`], which includes a length of zero.
pub fn measure(reader: impl Read + Seek) -> Result<Measurement, Unmeasurable> {
    let mut reader = reader;
    let mut source = Source::new(&mut reader)?;
    if source.len() == 0 {
        return Err(Unmeasurable::Empty);
    }
    let measurement = measure_source(&mut source)?;
    if measurement.length.is_zero() { Err(Unmeasurable::Empty) } else { Ok(measurement) }
}

fn measure_source(source: &mut Source<'_>) -> Result<Measurement, Unmeasurable> {
    let region = Region::without_tags(source)?;
    source.end_at(region.end);
    let head = source.up_to(region.start, 16)?.to_vec();
    let word = |at: usize| head.get(at..at.saturating_add(4)).unwrap_or_default();
    let is_at_start = region.start == 0;
    match (word(0), word(8)) {
        (b"RIFF" | b"RF64" | b"BW64", b"WAVE") if is_at_start => wav::measure(source, region),
        (b"FORM", b"AIFF" | b"AIFC") if is_at_start => aiff::measure(source, region),
        (b".snd", _) if is_at_start => au::measure(source, region),
        (b"caff", _) if is_at_start => caf::measure(source, region),
        (b"OggS", _) if is_at_start => ogg::measure(source, region),
        (b"fLaC", _) => flac::measure(source, region),
        (b"#!AM", _) if is_at_start => amr::measure(source, region),
        _ if is_at_start && mp4::is_likely(word(4)) => mp4::measure(source, region),
        _ => match others::recognize(source, region)? {
            Some((container, codec)) => Err(Unmeasurable::Unsupported { container, codec }),
            None => measure_bare_frames(source, region),
        },
    }
}

/// Frames without a container have no magic number, so they must be contiguous from the start to the end.
fn measure_bare_frames(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    if adts::is_frame(source, region.start)? {
        return adts::measure(source, region);
    }
    mpeg::measure(source, region)
}
