//! Tables as CSV (RFC 4180): for spreadsheets, and from them. <https://www.rfc-editor.org/rfc/rfc4180>

use super::{BODY_BYTES_MAX, FieldError, Problem, Reply};
use csv::{ReaderBuilder, StringRecord, Terminator, Writer, WriterBuilder};
use lambda_http::Request;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::{LINK, VARY};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::ops::RangeInclusive;

pub(super) const CSV: &str = "text/csv";

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Empty,
    Number(i64),
    Text(String),
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl From<Option<i64>> for Cell {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Empty, Self::Number)
    }
}

impl From<Option<&str>> for Cell {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Empty, Self::text)
    }
}

/// A page of a table, row by row.
pub struct CsvTable {
    writer: Writer<Vec<u8>>,
    has_header: bool,
}

impl CsvTable {
    /// The first page has the names of the columns. The others have none, so that the pages together are one file.
    ///
    /// # Errors
    /// A 500 if it cannot be written.
    pub fn page(columns: &[&str], is_first: bool) -> Result<Self, Problem> {
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(vec![]);
        if is_first {
            writer.write_record(columns).map_err(Problem::internal)?;
        }
        Ok(Self { writer, has_header: is_first })
    }

    /// # Errors
    /// A 500 if it cannot be written.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> Result<(), Problem> {
        self.writer.write_record(cells.into_iter().map(written)).map_err(Problem::internal)
    }

    /// The table, with the query of the page that follows as a link.
    /// <https://www.rfc-editor.org/rfc/rfc8288>
    ///
    /// # Errors
    /// A 500 if it cannot be written.
    pub fn into_reply(self, next: Option<&str>) -> Result<Reply, Problem> {
        let bytes = self.writer.into_inner().map_err(|error| Problem::internal(error.into_error()))?;
        let text = String::from_utf8(bytes).map_err(Problem::internal)?;
        let header = if self.has_header { "present" } else { "absent" };
        let reply = Reply::text(&format!("{CSV}; charset=utf-8; header={header}"), text)?
            .with_header(VARY, HeaderValue::from_static("accept"));
        let Some(query) = next else { return Ok(reply) };
        let link = HeaderValue::try_from(format!("<?{query}>; rel=\"next\"")).map_err(Problem::internal)?;
        Ok(reply.with_header(LINK, link))
    }
}

/// A spreadsheet takes a text that begins with one of these for a formula, and runs it. An apostrophe before it makes it
/// a text again. <https://owasp.org/www-community/attacks/CSV_Injection>
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// Numbers stay numbers, also negative ones: they are ours, and no formula.
fn written(cell: Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Number(number) => number.to_string(),
        Cell::Text(text) if text.starts_with(FORMULA) => format!("'{text}"),
        Cell::Text(text) => text,
    }
}

/// The query of the same request with another cursor.
pub fn query_with_cursor(request: &Request, cursor: &str) -> String {
    let query = request.uri().query().unwrap_or_default();
    let others = query.split('&').filter(|pair| !pair.is_empty() && pair.split('=').next() != Some("cursor"));
    let cursor = format!("cursor={}", utf8_percent_encode(cursor, NON_ALPHANUMERIC));
    others.chain([cursor.as_str()]).collect::<Vec<_>>().join("&")
}

/// The columns of a table that is sent to us, in any order.
#[derive(Clone, Copy, Debug)]
pub struct Columns {
    pub required: &'static [&'static str],
    pub optional: &'static [&'static str],
}

/// One line of such a table. Each is read and answered on its own.
#[derive(Clone, Debug)]
pub struct CsvLine {
    /// As an editor counts it: the names of the columns are on line 1.
    pub number: u64,
    names: Vec<&'static str>,
    values: StringRecord,
    errors: Vec<FieldError>,
}

/// Spreadsheets write it before the first column. <https://www.unicode.org/faq/utf_bom.html#bom1>
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Reads a body with the names of the columns and a number of lines.
///
/// # Errors
/// A 413 for a body that is too large, a 400 if it is not CSV in UTF-8, a 422 for other columns or another number of
/// lines.
pub fn parse_csv(request: &Request, columns: Columns, count: RangeInclusive<usize>) -> Result<Vec<CsvLine>, Problem> {
    let body: &[u8] = request.body().as_ref();
    if body.len() > BODY_BYTES_MAX {
        return Err(Problem::body_too_large(BODY_BYTES_MAX));
    }
    let text = std::str::from_utf8(body).map_err(|_| Problem::malformed_csv())?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|_| Problem::malformed_csv())?.clone();
    let names = columns.named(&header).ok_or_else(|| columns.refused())?;
    let mut lines = vec![];
    for record in reader.records().take(count.end().saturating_add(1)) {
        let values = record.map_err(|_| Problem::malformed_csv())?;
        let number = values.position().map_or(0, csv::Position::line);
        lines.push(CsvLine { number, names: names.clone(), values, errors: vec![] });
    }
    if !count.contains(&lines.len()) {
        let message = format!("must have {} to {} lines below the names of the columns", count.start(), count.end());
        return Err(Problem::invalid(vec![FieldError::new("body", message)]));
    }
    Ok(lines)
}

impl Columns {
    /// `None` if a required column is missing, or one is unknown or there twice.
    fn named(&self, header: &StringRecord) -> Option<Vec<&'static str>> {
        let known = || self.required.iter().chain(self.optional).copied();
        let names = header.iter().map(|name| known().find(|known| *known == name)).collect::<Option<Vec<_>>>()?;
        let count = |name: &str| names.iter().filter(|known| **known == name).count();
        let is_good = self.required.iter().all(|name| count(name) == 1) && known().all(|name| count(name) <= 1);
        is_good.then_some(names)
    }

    fn refused(&self) -> Problem {
        let optional = self.optional.join(", ");
        let message = format!(
            "must be a table in CSV that begins with the names of its columns, separated by commas: {}, and optionally {optional}",
            self.required.join(", ")
        );
        Problem::invalid(vec![FieldError::new("body", message)])
    }
}

impl CsvLine {
    /// The text of a column, as far as there is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        let place = self.names.iter().position(|known| *known == name)?;
        self.values.get(place).filter(|text| !text.is_empty())
    }

    /// The value of a required column. `None` if it is missing or not as `expected`, which is then reported.
    pub fn required<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if self.text(name).is_none() {
            self.refuse(name, format!("is required: {expected}"));
            return None;
        }
        self.optional(name, expected, read)
    }

    /// The value of an optional column. `None` if it is missing or not as `expected`, which is then reported.
    pub fn optional<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = read(self.text(name)?);
        if value.is_none() {
            self.refuse(name, format!("must be {expected}"));
        }
        value
    }

    /// Refuses a value that is valid by itself.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(name, message));
    }

    /// What is wrong with the line.
    pub fn into_errors(mut self) -> Vec<FieldError> {
        if self.values.len() != self.names.len() {
            let message =
                format!("must have {} values, as there are columns, and has {}", self.names.len(), self.values.len());
            self.errors.insert(0, FieldError::new("line", message));
        }
        self.errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{respond, wants_csv};
    use lambda_http::http::header::ACCEPT;

    fn asking(accept: &[&'static str], query: &str) -> Request {
        let mut request = Request::default();
        for value in accept {
            request.headers_mut().append(ACCEPT, HeaderValue::from_static(value));
        }
        *request.uri_mut() = format!("/v1/accounts/acme/history?{query}").parse().unwrap();
        request
    }

    #[test]
    fn csv_is_answered_to_those_who_would_rather_have_it() {
        for (accept, expected) in [
            (&[][..], false),
            (&["*/*"], false),
            (&["application/json"], false),
            (&["text/csv"], true),
            (&["TEXT/CSV; charset=utf-8"], true),
            (&["text/csv", "*/*;q=0.1"], true),
            (&["text/csv, application/json"], true),
            (&["text/csv;q=0.5, application/json"], false),
            (&["application/json;q=0.5, text/csv;q=0.9"], true),
            (&["text/csv;q=0"], false),
            (&["text/csv;q=x"], false),
            (&["text/*"], false),
        ] {
            assert_eq!(wants_csv(&asking(accept, "")), expected, "{accept:?}");
        }
    }

    #[test]
    fn no_text_is_a_formula_and_a_number_stays_one() {
        for (cell, expected) in [
            (Cell::text("=1+1"), "'=1+1"),
            (Cell::text("+49"), "'+49"),
            (Cell::text("-1"), "'-1"),
            (Cell::text("@SUM(A1)"), "'@SUM(A1)"),
            (Cell::text("\tx"), "'\tx"),
            (Cell::text("\r=1"), "'\r=1"),
            (Cell::text("＝1"), "'＝1"),
            (Cell::text("a=1"), "a=1"),
            (Cell::text(""), ""),
            (Cell::Number(-16), "-16"),
            (Cell::Empty, ""),
        ] {
            assert_eq!(written(cell.clone()), expected, "{cell:?}");
        }
    }

    #[test]
    fn pages_are_one_file_and_link_to_one_another() {
        let page = |is_first, next| {
            let mut table = CsvTable::page(&["seq", "reference"], is_first).unwrap();
            table.row([Cell::Number(7), Cell::text("a \"b\", c")]).unwrap();
            respond(&Request::default(), table.into_reply(next))
        };
        let first = page(true, Some("kind=charge&cursor=7"));
        assert_eq!(first.headers()["content-type"], "text/csv; charset=utf-8; header=present");
        assert_eq!(first.headers()["link"], "<?kind=charge&cursor=7>; rel=\"next\"");
        assert_eq!(first.body().as_ref(), b"seq,reference\r\n7,\"a \"\"b\"\", c\"\r\n");
        let last = page(false, None);
        assert_eq!(last.headers()["content-type"], "text/csv; charset=utf-8; header=absent");
        assert!(!last.headers().contains_key("link"));
        assert_eq!(last.body().as_ref(), b"7,\"a \"\"b\"\", c\"\r\n");
    }

    #[test]
    fn the_next_page_has_the_same_query_with_another_cursor() {
        for (query, expected) in [
            ("", "cursor=7"),
            ("cursor=9", "cursor=7"),
            ("reference=%3Da%26b&cursor=9&kind=charge", "reference=%3Da%26b&kind=charge&cursor=7"),
        ] {
            assert_eq!(query_with_cursor(&asking(&[], query), "7"), expected);
        }
    }

    const COLUMNS: Columns = Columns { required: &["account", "credits"], optional: &["reference"] };

    fn parsed(body: &str) -> Result<Vec<CsvLine>, Problem> {
        parse_csv(&Request::new(lambda_http::Body::from(body)), COLUMNS, 1..=2)
    }

    #[test]
    fn a_table_is_read_by_the_names_of_its_columns() {
        for body in [
            "account,credits\nacme,5\n",
            "credits,account,reference\r\n5,acme,\r\n",
            "\u{feff}account,credits,reference\n\nacme,5,",
            "\"account\",\"credits\"\n\"acme\",\"5\"",
        ] {
            let lines = parsed(body).unwrap_or_else(|problem| panic!("{body}: {problem:?}"));
            let [line] = &lines[..] else { panic!("{body}") };
            let read = (line.text("account"), line.text("credits"), line.text("reference"));
            assert_eq!(read, (Some("acme"), Some("5"), None), "{body}");
            assert!(line.clone().into_errors().is_empty(), "{body}");
        }
        let second = &parsed("account,credits\n\"a\nb\",5\nc,6").unwrap()[1];
        assert_eq!((second.number, second.text("account")), (4, Some("c")));
    }

    #[test]
    fn a_table_with_other_columns_or_too_many_lines_is_refused() {
        for (body, status) in [
            ("", 422),
            ("account;credits\nacme;5", 422),
            ("account\nacme", 422),
            ("account,credits,credits\nacme,5,5", 422),
            ("account,credits,other\nacme,5,x", 422),
            ("Account,credits\nacme,5", 422),
            ("account,credits", 422),
            ("account,credits\na,1\nb,2\nc,3", 422),
        ] {
            assert_eq!(parsed(body).err().map(|problem| problem.status()), Some(status), "{body}");
        }
        let not_utf8 = Request::new(lambda_http::Body::from(vec![0xff]));
        assert_eq!(parse_csv(&not_utf8, COLUMNS, 1..=2).unwrap_err().status(), 400);
        let too_large = format!("account,credits\nacme,{}", "5".repeat(BODY_BYTES_MAX));
        assert_eq!(parsed(&too_large).unwrap_err().status(), 413);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named_by_its_column() {
        let mut line = parsed("account,credits,reference\n,x").unwrap().remove(0);
        let number = |text: &str| text.parse::<i64>().ok();
        assert_eq!(line.required("account", "an id", |text| Some(text.to_owned())), None);
        assert_eq!(line.required("credits", "a number", number), None);
        assert_eq!(line.optional("reference", "a text", |text| Some(text.to_owned())), None);
        let errors = line.into_errors().into_iter().map(|error| format!("{} {}", error.field, error.message));
        let expected = [
            "line must have 3 values, as there are columns, and has 2",
            "account is required: an id",
            "credits must be a number",
        ];
        assert_eq!(errors.collect::<Vec<_>>(), expected);
    }
}
