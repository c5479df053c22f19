//! The two forms of every kind of e-mail: that they say the same, and files of them to look at.

use super::samples::samples;
use super::tests::{mail, visible};
use shared::ports::Email;
use std::collections::BTreeSet;
use std::path::Path;

/// Only a page has a button, and only its reader has to be told what to do without it.
const WITHOUT_BUTTON: &str = "If the button does not work, open this address:";

fn mails() -> impl Iterator<Item = (&'static str, Email)> {
    samples().into_iter().map(|kind| (kind.name(), mail(kind)))
}

/// What stands between two tags of the page, without what only the page says.
fn pieces(html: &str) -> Vec<String> {
    let (_, body) = html.split_once("<body").unwrap();
    let pieces = body.split('<').filter_map(|piece| piece.split_once('>')).map(|(_, words)| words);
    let read = |words: &str| plain(&visible(&format!("<body>{words}")).replace(WITHOUT_BUTTON, ""));
    pieces.map(read).filter(|words| !words.is_empty()).collect()
}

/// The words alone. The text separates a name from its value with a colon, and the page with layout.
fn plain(text: &str) -> String {
    text.replace(':', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn addresses<'a>(text: &'a str, start: &str, end: &[char]) -> BTreeSet<&'a str> {
    text.split(start).skip(1).map(|rest| rest.split(end).next().unwrap_or_default()).collect()
}

#[test]
fn each_form_has_every_sentence_and_every_value_of_the_other() {
    for (name, mail) in mails() {
        let (text, pieces) = (plain(&mail.text), pieces(&mail.html));
        for piece in &pieces {
            assert!(text.contains(piece), "{name}: only the page says {piece:?}\n{}", mail.text);
        }
        let page = pieces.join(" ");
        // An address may be behind words of the page.
        for line in mail.text.lines().filter(|line| !line.starts_with("https://")) {
            assert!(page.contains(&plain(line)), "{name}: only the text says {line:?}\n{page}");
        }
    }
}

#[test]
fn both_forms_lead_to_the_same_addresses() {
    for (name, mail) in mails() {
        let in_text = addresses(&mail.text, "https://", &[' ', '\n']);
        assert_eq!(addresses(&mail.html, "href=\"https://", &['"']), in_text, "{name}");
    }
}

/// `make mails` takes the pictures, which people look at.
#[test]
fn there_is_a_picture_of_every_kind() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mails");
    let index = std::fs::read_to_string(pictures.join("README.md")).unwrap();
    for (name, mail) in mails() {
        assert!(pictures.join(format!("{name}.png")).exists(), "make mails takes the picture of {name}");
        assert!(
            index.contains(&format!("## `{name}`")),
            "docs/mails/README.md does not show {name} ({})",
            mail.subject
        );
    }
}

#[test]
#[ignore = "writes the files that make mails takes pictures of"]
fn write_every_mail() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/mails");
    std::fs::create_dir_all(&directory).unwrap();
    let mut written = BTreeSet::new();
    for (name, mail) in mails() {
        if written.insert(name) {
            std::fs::write(directory.join(format!("{name}.html")), mail.html).unwrap();
            std::fs::write(directory.join(format!("{name}.txt")), format!("{}\n\n{}", mail.subject, mail.text))
                .unwrap();
        }
    }
}
