//! How long an audio file plays, which determines its price: the length that `audio-length` measures, within the bounds
//! of an operation.

use audio_length::{Measurement, Unmeasurable};
use shared::domain::{Measure, PriceBook, PricedOperation};
use std::path::{Path, PathBuf};

/// A file that cannot be priced by its length.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct AudioError {
    pub path: PathBuf,
    pub reason: Unpriceable,
}

/// Why a file cannot be priced by its length, in words that follow its name.
#[derive(Debug, thiserror::Error)]
pub enum Unpriceable {
    #[error(transparent)]
    Unmeasurable(#[from] Unmeasurable),
    #[error("no operation of the price book is paid by duration_ms")]
    NotSold,
    #[error("it plays for {duration_ms} ms, and {operation} takes {min} to {max} ms")]
    OutOfBounds { duration_ms: i64, operation: String, min: i64, max: i64 },
}

/// The price of a file, by its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PricedAudio {
    /// The first operation of the price book that is paid by `duration_ms`, rounded up to a whole millisecond.
    pub operation: PricedOperation,
    /// The measured track and the number of tracks, if the file has several.
    pub track: Option<String>,
}

/// # Errors
/// [`AudioError`] with the file and the reason.
pub fn priced(path: &Path, price_book: &PriceBook) -> Result<PricedAudio, AudioError> {
    let measured = audio_length::measure_file(path).map_err(Unpriceable::from);
    let priced = measured.and_then(|measured| price_of(measured, price_book));
    priced.map_err(|reason| AudioError { path: path.to_owned(), reason })
}

fn price_of(measured: Measurement, price_book: &PriceBook) -> Result<PricedAudio, Unpriceable> {
    let by_duration = price_book.operations.iter().find(|operation| operation.measure == Measure::DurationMs);
    let sold = by_duration.ok_or(Unpriceable::NotSold)?;
    let duration_ms = i64::try_from(measured.length.milliseconds()).unwrap_or(i64::MAX);
    let operation = price_book.price(sold, duration_ms).map_err(|bounds| Unpriceable::OutOfBounds {
        duration_ms,
        operation: sold.name.to_string(),
        min: bounds.min,
        max: bounds.max,
    })?;
    let Measurement { track, tracks, .. } = measured;
    let number = track.saturating_add(1);
    let track = (tracks.len() > 1).then(|| format!("audio track {number} of {} ({})", tracks.len(), tracks.join(", ")));
    Ok(PricedAudio { operation, track })
}

#[cfg(test)]
mod tests {
    use super::*;
    use audio_length::Length;

    fn measured(frames: u64, tracks: &[&str]) -> Measurement {
        let tracks: Vec<String> = tracks.iter().map(|track| (*track).to_owned()).collect();
        let codec = tracks[0].clone();
        Measurement { container: "MP4", codec, track: 0, tracks, length: Length::new(frames, 1_000).unwrap() }
    }

    fn price(measured: Measurement) -> Result<PricedAudio, Unpriceable> {
        price_of(measured, &PriceBook::reference())
    }

    #[test]
    fn one_day_is_the_most() {
        let day = price(measured(86_400_000, &["AAC"])).unwrap();
        assert_eq!((day.operation.operation.amount, day.track), (86_400_000, None));
        let error = price(measured(86_400_001, &["AAC"])).unwrap_err().to_string();
        assert_eq!(error, "it plays for 86400001 ms, and dubbing takes 1 to 86400000 ms");
        assert!(matches!(price(measured(u64::MAX, &["AAC"])), Err(Unpriceable::OutOfBounds { .. })));
    }

    #[test]
    fn a_book_without_an_operation_by_length_prices_no_file() {
        let mut book = PriceBook::reference();
        book.operations.remove(0);
        assert!(matches!(price_of(measured(1_000, &["AAC"]), &book), Err(Unpriceable::NotSold)));
    }

    #[test]
    fn of_several_tracks_the_measured_one_is_named() {
        let track = price(measured(1_000, &["AAC", "AC-3"])).unwrap().track;
        assert_eq!(track.as_deref(), Some("audio track 1 of 2 (AAC, AC-3)"));
    }

    #[test]
    fn a_reason_follows_the_files_name() {
        let error = priced(Path::new("gone.wav"), &PriceBook::reference()).unwrap_err();
        assert_eq!(error.to_string(), "gone.wav: there is no such file");
    }
}
