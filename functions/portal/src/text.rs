//! Texts as pages and their addresses write them.

/// The name of an operation as a title: `speech_synthesis` → `Speech synthesis`.
pub fn capitalized(name: &str) -> String {
    let name = name.replace(['_', '-'], " ");
    let mut characters = name.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

/// Safe in a query.
pub fn in_query(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
