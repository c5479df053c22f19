//! The six fields of `cron(…)` in EventBridge Scheduler's documented syntax. Undocumented syntax is refused.
//!
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based>

/// The valid values of one field.
struct Field {
    name: &'static str,
    min: u16,
    max: u16,
    /// Names of the values, starting with `min`.
    words: &'static [&'static str],
    /// Wildcards in addition to `,`, `-` and `*`.
    wildcards: &'static str,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// The last day of a week that begins on Sunday.
const SATURDAY: &str = "7";
const DAY_OF_MONTH: usize = 2;
const DAY_OF_WEEK: usize = 4;

const FIELDS: [Field; 6] = [
    Field { name: "minutes", min: 0, max: 59, words: &[], wildcards: "/" },
    Field { name: "hours", min: 0, max: 23, words: &[], wildcards: "/" },
    Field { name: "day of month", min: 1, max: 31, words: &[], wildcards: "/?LW" },
    Field { name: "month", min: 1, max: 12, words: &MONTHS, wildcards: "/" },
    Field { name: "day of week", min: 1, max: 7, words: &WEEKDAYS, wildcards: "?L#" },
    Field { name: "year", min: 1970, max: 2199, words: &[], wildcards: "/" },
];

/// The fields in the calendar parser's syntax, without seconds.
///
/// # Errors
/// Which field is invalid, in words that follow the expression.
pub(super) fn read(text: &str) -> Result<String, String> {
    let given: Vec<_> = text.split_whitespace().collect();
    if given.len() != FIELDS.len() {
        return Err("cron takes minutes, hours, day of month, month, day of week and year".to_owned());
    }
    if (given[DAY_OF_MONTH] == "?") == (given[DAY_OF_WEEK] == "?") {
        return Err("one of day of month and day of week must be ?".to_owned());
    }
    let read = FIELDS.iter().zip(given).map(|(field, text)| field.read(&text.to_ascii_uppercase()));
    Ok(read.collect::<Result<Vec<_>, _>>()?.join(" "))
}

impl Field {
    fn read(&self, text: &str) -> Result<String, String> {
        let is_single = !text.contains(',');
        let values = text.split(',').map(|value| self.read_value(value, is_single));
        let values: Option<Vec<_>> = values.collect();
        values.map(|values| values.join(",")).ok_or_else(|| format!("{text} is not a valid {}", self.name))
    }

    fn read_value(&self, value: &str, is_single: bool) -> Option<String> {
        if let Some((from, step)) = value.split_once('/') {
            return self.stepped(from, step);
        }
        if let Some((day, number)) = value.split_once('#') {
            let is_meant = is_single && self.allows('#') && self.number(day).is_some();
            return (is_meant && ["1", "2", "3", "4", "5"].contains(&number)).then(|| value.to_owned());
        }
        match value {
            "*" => return is_single.then(|| self.all()),
            "?" => return (is_single && self.allows('?')).then(|| "?".to_owned()),
            "L" if self.allows('#') => return Some(SATURDAY.to_owned()),
            "L" => return self.allows('L').then(|| "L".to_owned()),
            _ => {}
        }
        // The last such weekday of the month, and the working day nearest to such a day.
        if let Some(day) = value.strip_suffix('L').filter(|_| self.allows('#')) {
            return self.number(day).map(|_| format!("{day}#L"));
        }
        if let Some(day) = value.strip_suffix('W').filter(|_| self.allows('W')) {
            return self.number(day).map(|_| value.to_owned());
        }
        self.range(value)
    }

    fn allows(&self, wildcard: char) -> bool {
        self.wildcards.contains(wildcard)
    }

    /// A year starts at the first valid one, not at year 1.
    fn all(&self) -> String {
        if self.min == 1970 { format!("{}-{}", self.min, self.max) } else { "*".to_owned() }
    }

    /// Every so many values, from a given value or from the first one.
    fn stepped(&self, from: &str, step: &str) -> Option<String> {
        let step = digits(step).filter(|step| self.allows('/') && (1..=self.max).contains(step))?;
        let from = match from {
            "*" => format!("{}-{}", self.min, self.max),
            range if range.contains('-') => self.range(range)?,
            value => format!("{}-{}", self.number(value)?, self.max),
        };
        Some(format!("{from}/{step}"))
    }

    /// One value, or a range of values.
    fn range(&self, text: &str) -> Option<String> {
        match text.split_once('-') {
            None => self.number(text).map(|number| number.to_string()),
            Some((from, to)) => {
                let (from, to) = (self.number(from)?, self.number(to)?);
                (from <= to).then(|| format!("{from}-{to}"))
            }
        }
    }

    fn number(&self, text: &str) -> Option<u16> {
        let word = self.words.iter().position(|word| *word == text).and_then(|position| u16::try_from(position).ok());
        let number = word.map(|position| position + self.min).or_else(|| digits(text))?;
        (self.min..=self.max).contains(&number).then_some(number)
    }
}

/// A number without a sign.
fn digits(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
