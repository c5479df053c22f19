//! MP4, M4A, MOV and 3GP: the packets of one audio track, with or without fragments, minus what its edit list excludes.

mod boxes;
mod edits;
mod entry;
mod fragments;
mod samples;

use crate::source::Source;
use crate::tags::Region;
use crate::{Length, Measurement, Unmeasurable};
use boxes::{Atom, child, children};
use entry::{Entry, Packets};
use samples::Samples;

const MP4: &str = "MP4";

/// Whether the second word of a file is the name of a box that files begin with.
pub fn is_likely(kind: &[u8]) -> bool {
    matches!(kind, b"ftyp" | b"styp" | b"moov" | b"mdat" | b"moof" | b"free" | b"skip" | b"wide" | b"pnot" | b"sidx")
}

/// An audio track.
struct Track {
    id: u32,
    is_enabled: bool,
    timescale: u64,
    entry: Entry,
    edits: Vec<edits::Edit>,
    table: Atom,
}

pub fn measure(source: &mut Source<'_>, region: Region) -> Result<Measurement, Unmeasurable> {
    let Some(top) = top(source, region).map_err(|error| error.within(MP4))? else { return Err(Unmeasurable::NotAudio) };
    let tracks = audio_tracks(source, &top.moov).map_err(malformed)?;
    let names: Vec<String> = tracks.iter().map(|track| track.entry.codec.clone()).collect();
    let chosen = tracks.iter().position(|track| track.is_enabled).unwrap_or(0);
    let Some(track) = tracks.get(chosen) else { return Err(Unmeasurable::NoAudioTrack) };
    let length = measure_track(source, &top, track).map_err(malformed)?;
    Ok(Measurement { container: MP4, codec: track.entry.codec.clone(), track: chosen, tracks: names, length })
}

/// All boxes are within the file, so a table that extends beyond its box is damage and not a file that was cut short.
fn malformed(error: Unmeasurable) -> Unmeasurable {
    match error {
        Unmeasurable::CutShort { container } if container != MP4 => {
            Unmeasurable::damaged(MP4, "one of its tables is incomplete")
        }
        other => other,
    }
}

struct Top {
    moov: Atom,
    moofs: Vec<Atom>,
}

/// The file's top-level boxes, or `None` if they are not those of a recording.
fn top(source: &mut Source<'_>, region: Region) -> Result<Option<Top>, Unmeasurable> {
    let (mut moov, mut moofs, mut has_data, mut at) = (None, vec![], false, region.start);
    while region.end.saturating_sub(at) >= 8 {
        // Bytes after the last box, mostly zeros, are ignored.
        if at > region.start && source.is_zero(at, region.end.min(at.saturating_add(8)))? {
            break;
        }
        let found = boxes::read(source, at, region.end)?;
        match &found.kind {
            b"moov" if moov.is_some() => return Err(Unmeasurable::Chained),
            b"moov" => moov = Some(found),
            b"moof" => moofs.push(found),
            b"mdat" => has_data = true,
            kind if !boxes::is_name(kind) => {
                return if at == region.start {
                    Ok(None)
                } else {
                    Err(Unmeasurable::damaged(MP4, format!("no box begins at byte {at}")))
                };
            }
            _ => {}
        }
        at = found.end;
    }
    match moov {
        Some(moov) => Ok(Some(Top { moov, moofs })),
        None if !moofs.is_empty() => Err(Unmeasurable::damaged(
            MP4,
            "it is a segment of a stream; put the stream's initialization segment before it",
        )),
        None if has_data
            && source.starts_with(region.start.saturating_add(4), b"ftyp")?
            && !is_picture(source, region)? =>
        {
            Err(Unmeasurable::damaged(MP4, "its index (moov) is missing, so the recording was not finished"))
        }
        None => Ok(None),
    }
}

fn is_picture(source: &mut Source<'_>, region: Region) -> Result<bool, Unmeasurable> {
    let brand: [u8; 4] = source.array(region.start.saturating_add(8))?;
    Ok(matches!(&brand, b"heic" | b"heix" | b"mif1" | b"msf1" | b"avif" | b"avis" | b"hevc"))
}

fn audio_tracks(source: &mut Source<'_>, moov: &Atom) -> Result<Vec<Track>, Unmeasurable> {
    let movie_scale = match child(source, moov, b"mvhd")? {
        Some(mvhd) => u64::from(boxes::after_times(source, &mvhd)?),
        None => 0,
    };
    let mut tracks = vec![];
    for trak in children(source, moov)?.into_iter().filter(|found| found.kind == *b"trak") {
        if let Some(track) = audio_track(source, &trak, movie_scale)? {
            tracks.push(track);
        }
    }
    if let Some(edit) = edits::itunes(source, moov)? {
        for track in &mut tracks {
            track.edits = track.with_itunes(edit);
        }
    }
    Ok(tracks)
}

impl Track {
    /// The iTunes padding applies if an edit list does not state it.
    fn with_itunes(&self, edit: edits::Edit) -> Vec<edits::Edit> {
        if self.edits.iter().any(|edit| edit.start > 0) { self.edits.clone() } else { vec![edit] }
    }
}

fn audio_track(source: &mut Source<'_>, trak: &Atom, movie_scale: u64) -> Result<Option<Track>, Unmeasurable> {
    let Some(mdia) = child(source, trak, b"mdia")? else { return Ok(None) };
    let Some(hdlr) = child(source, &mdia, b"hdlr")? else { return Ok(None) };
    if !source.starts_with(hdlr.start.saturating_add(8), b"soun")? {
        return Ok(None);
    }
    let missing = |name: &str| Unmeasurable::damaged(MP4, format!("its box {name} is missing"));
    let tkhd = child(source, trak, b"tkhd")?.ok_or_else(|| missing("tkhd"))?;
    let mdhd = child(source, &mdia, b"mdhd")?.ok_or_else(|| missing("mdhd"))?;
    let minf = child(source, &mdia, b"minf")?.ok_or_else(|| missing("minf"))?;
    let table = child(source, &minf, b"stbl")?.ok_or_else(|| missing("stbl"))?;
    let timescale = u64::from(boxes::after_times(source, &mdhd)?);
    Ok(Some(Track {
        id: boxes::after_times(source, &tkhd)?,
        is_enabled: source.be32(tkhd.start)? & 1 == 1,
        timescale,
        entry: entry::read(source, &table)?,
        edits: edits::read(source, trak, movie_scale, timescale)?,
        table,
    }))
}

fn measure_track(source: &mut Source<'_>, top: &Top, track: &Track) -> Result<Length, Unmeasurable> {
    if let Packets::Unsupported = track.entry.packets {
        let codec = track.entry.codec.clone();
        return Err(Unmeasurable::Unsupported { container: MP4, codec });
    }
    let mut samples = samples::read(source, &track.table, &track.entry)?;
    fragments::add(source, &top.moov, &top.moofs, track, &mut samples)?;
    if samples.count == 0 || samples.ticks == 0 {
        return Err(Unmeasurable::Empty);
    }
    let declared = ticks(samples.ticks, track.timescale)?;
    let shown = edits::shown(&track.edits, samples.ticks);
    match hold_against_packets(&samples, declared, track)? {
        Agreement::Close => ticks(shown, track.timescale),
        Agreement::Drifting(found) => {
            // The same share of the packets is played as of the times.
            let frames = u128::from(shown).saturating_mul(u128::from(found.frames()));
            let frames = frames.checked_div(u128::from(samples.ticks)).and_then(|frames| u64::try_from(frames).ok());
            let length = frames.and_then(|frames| Length::new(frames, found.rate()));
            length.ok_or_else(|| Unmeasurable::contradictory(declared, found))
        }
    }
}

/// How the table of times and the packets agree.
enum Agreement {
    Close,
    /// A recorder took the times from a clock that runs faster or slower than the microphone's. The packets count.
    Drifting(Length),
}

/// A recorder's two clocks differ by at most one part in this many.
const DRIFT_MAX: u64 = 50;

fn ticks(count: u64, timescale: u64) -> Result<Length, Unmeasurable> {
    Length::new(count, timescale).ok_or_else(|| Unmeasurable::damaged(MP4, "its time scale is 0"))
}

/// The table of times must match what the packets decode to, except for the padding of the last packet.
fn hold_against_packets(samples: &Samples, declared: Length, track: &Track) -> Result<Agreement, Unmeasurable> {
    let length = |frames, rate| Length::new(frames, rate).ok_or_else(|| Unmeasurable::damaged(MP4, "its rate is 0"));
    // The time of each packet may be rounded to the time scale.
    let rounding = ticks(samples.count, track.timescale)?;
    let (found, tolerance) = match track.entry.packets {
        Packets::Fixed { frames, rate } => {
            (length(samples.count.saturating_mul(frames), rate)?, length(frames, rate)?.plus(rounding))
        }
        Packets::Opus => (length(samples.opus_frames, 48_000)?, length(5_760, 48_000)?.plus(rounding)),
        Packets::Pcm { rate, .. } | Packets::Blocks { rate, .. } => {
            (length(samples.frames, rate)?, length(2, rate)?.plus(ticks(2, track.timescale)?))
        }
        Packets::AtMost { frames, rate } => {
            let most = length(samples.count.saturating_mul(frames), rate)?;
            let is_possible = declared.is_at_most(most, rounding);
            return if is_possible { Ok(Agreement::Close) } else { Err(Unmeasurable::contradictory(declared, most)) };
        }
        Packets::Unsupported => return Ok(Agreement::Close),
    };
    if tolerance.is_some_and(|tolerance| declared.is_within(tolerance, found)) {
        return Ok(Agreement::Close);
    }
    let drift = length(found.frames().checked_div(DRIFT_MAX).unwrap_or(0), found.rate())?;
    if matches!(track.entry.packets, Packets::Fixed { .. } | Packets::Opus) && declared.is_within(drift, found) {
        return Ok(Agreement::Drifting(found));
    }
    Err(Unmeasurable::contradictory(declared, found))
}
