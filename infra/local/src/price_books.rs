//! A company's price book in a file.

use shared::config::{PriceBookError, parse_price_book};
use shared::domain::PriceBook;
use std::io;
use std::path::{Path, PathBuf};

/// All variables of a function together have at most 4 KB, and the others need their share:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const BYTES_MAX: usize = 3_072;

/// A valid price book.
#[derive(Clone, Debug)]
pub struct PriceBookFile {
    pub book: PriceBook,
    /// The same JSON without spaces, as the template's parameter `PriceBook` takes it.
    pub json: String,
}

/// A price book that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct UnusableFile {
    pub path: PathBuf,
    pub reason: Unusable,
}

/// What is wrong with a price book, in words that follow its name.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error(transparent)]
    Invalid(#[from] PriceBookError),
    #[error("without spaces it has {0} bytes, and a function has room for {BYTES_MAX}")]
    TooLong(usize),
}

/// # Errors
/// [`UnusableFile`] with the file, and the place within it.
pub fn read(path: &Path) -> Result<PriceBookFile, UnusableFile> {
    parse(path).map_err(|reason| UnusableFile { path: path.to_owned(), reason })
}

fn parse(path: &Path) -> Result<PriceBookFile, Unusable> {
    let text = std::fs::read_to_string(path)?;
    let book = parse_price_book(&text)?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(PriceBookError::from)?;
    let json = value.to_string();
    if json.len() > BYTES_MAX { Err(Unusable::TooLong(json.len())) } else { Ok(PriceBookFile { book, json }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<PriceBookFile, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        read(file.path()).map_err(|error| error.reason.to_string())
    }

    #[test]
    fn a_valid_book_is_compacted_for_the_deployment() {
        let read = read_text("{\n  \"version\": \"7\",\n  \"price_per_credit\": 2\n}\n").unwrap();
        assert_eq!(read.book.price_per_credit.minor(), 2);
        assert_eq!(parse_price_book(&read.json).unwrap(), read.book);
        assert!(!read.json.contains(char::is_whitespace));
    }

    #[test]
    fn a_book_that_cannot_be_sold_from_is_refused_with_its_line() {
        for (text, why) in [
            (
                "{\n\"version\": \"7\",\n\"price_per_credit\": \"2\"\n}",
                "price_per_credit: invalid type: string \"2\", expected i64 at line 3 column 23",
            ),
            (r#"{"version":"7","price_per_credit":0}"#, "price_per_credit must be from 1 to 1000000000, not 0"),
        ] {
            assert_eq!(read_text(text).unwrap_err(), why);
        }
        let operation = |number| {
            format!(
                r#"{{"operation":"o{number}","description":"An operation","measure":"quantity","credits_per_unit":1}}"#
            )
        };
        let operations: Vec<_> = (0..40).map(operation).collect();
        let long = format!(r#"{{"version":"7","operations":[{}]}}"#, operations.join(","));
        assert!(read_text(&long).unwrap_err().contains("a function has room for 3072"));
        assert!(
            read(Path::new("gone.json")).unwrap_err().to_string().starts_with("gone.json: the file cannot be read")
        );
    }
}
