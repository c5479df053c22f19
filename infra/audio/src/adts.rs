//! AAC in ADTS: consecutive frames without a container, each with its own sample rate.

use crate::mpeg::Frames;
use crate::source::Source;
use crate::tags::Region;
use crate::{Measurement, Unmeasurable};

const ADTS: &str = "AAC";

pub const RATES: [u64; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

struct Header {
    rate: u64,
    bytes: u64,
    samples: u64,
}

fn header(source: &mut Source<'_>, at: u64) -> Result<Option<Header>, Unmeasurable> {
    let &[0xff, second, third, fourth, fifth, sixth, seventh] = source.up_to(at, 7)? else { return Ok(None) };
    let rate = RATES.get(usize::from(third >> 2 & 0x0f)).copied();
    let Some(rate) = rate.filter(|_| second & 0xf6 == 0xf0) else { return Ok(None) };
    let bytes = u64::from(fourth & 0x03) << 11 | u64::from(fifth) << 3 | u64::from(sixth >> 5);
    let header_bytes = if second & 1 == 0 { 9 } else { 7 };
    // A block decodes to 1,024 samples at this rate. With spectral band replication it has twice as many samples at
    // twice the rate, so its duration is the same.
    let samples = u64::from(seventh & 0x03).saturating_add(1).saturating_mul(1_024);
    Ok((bytes > header_bytes).then_some(Header { rate, bytes, samples }))
}

pub fn is_frame(source: &mut Source<'_>, at: u64) -> Result<bool, Unmeasurable> {
    Ok(header(source, at)?.is_some())
}

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    let mut frames = Frames::new(ADTS, region);
    while let Some(at) = frames.next(source)? {
        match header(source, at)? {
            Some(header) => frames.add(header.bytes, header.samples, header.rate)?,
            None => frames.skip(source)?,
        }
    }
    Ok(Measurement::single(ADTS, "AAC", frames.length()?))
}
