//! A one-page PDF of plain lines that any browser can open: ISO 32000-1 with one built-in font.

use std::fmt::Write;

/// Lines from the top of one A4 page. Characters outside Latin-1 become question marks.
pub(super) fn page_of(lines: &[String]) -> Vec<u8> {
    let mut content = String::from("BT /F1 12 Tf 60 780 Td 18 TL\n");
    for line in lines {
        writeln!(content, "({}) Tj T*", escaped(line)).expect("writing to a String cannot fail");
    }
    content.push_str("ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
    ];
    let mut document = String::from("%PDF-1.4\n");
    let mut offsets = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        offsets.push(document.len());
        write!(document, "{number} 0 obj\n{object}\nendobj\n").expect("writing to a String cannot fail");
    }
    let table_at = document.len();
    write!(document, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).expect("writing to a String cannot fail");
    for offset in offsets {
        writeln!(document, "{offset:010} 00000 n ").expect("writing to a String cannot fail");
    }
    write!(document, "trailer\n<< /Size {} /Root 1 0 R >>\nstartxref\n{table_at}\n%%EOF\n", objects.len() + 1)
        .expect("writing to a String cannot fail");
    document.into_bytes()
}

/// Octal escapes keep the file ASCII, so that byte offsets are the same as text offsets.
fn escaped(line: &str) -> String {
    let mut text = String::new();
    for character in line.chars() {
        match u32::from(character) {
            0x28 | 0x29 | 0x5C => text.extend(['\\', character]),
            0x20..=0x7E => text.push(character),
            code @ 0xA0..=0xFF => write!(text, "\\{code:03o}").expect("writing to a String cannot fail"),
            _ => text.push('?'),
        }
    }
    text
}
