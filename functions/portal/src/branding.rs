//! What makes the pages the company's own: its name and one color.

use shared::config::{ConfigError, Environment};

/// The company's name and the color of its buttons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branding {
    pub company: String,
    accent: [u8; 3],
}

impl Branding {
    const ACCENT: &'static str = "PORTAL_ACCENT_COLOR";

    /// # Errors
    /// [`ConfigError`] if the color is not `#` and six hexadecimal digits, or the company has no name.
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        let invalid = ConfigError::Invalid { name: Self::ACCENT, expected: "a color such as #1d4ed8" };
        let accent = environment.required(Self::ACCENT)?;
        let accent = color(&accent).ok_or(invalid)?;
        Ok(Self { company: environment.required("COMPANY_NAME")?, accent })
    }

    /// The custom properties that the stylesheet is written with. Of black and white, the text on a button has the color
    /// with the higher contrast, which is at least 4.5 on any color.
    /// <https://www.w3.org/TR/WCAG22/#contrast-minimum>
    pub fn style(&self) -> String {
        let [red, green, blue] = self.accent;
        let text = if contrast(luminance(self.accent), 1.0) >= 4.5 { "#fff" } else { "#000" };
        format!(":root{{--accent:#{red:02x}{green:02x}{blue:02x};--on-accent:{text}}}\n")
    }
}

fn color(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let channel = |place: usize| u8::from_str_radix(digits.get(place..place + 2)?, 16).ok();
    Some([channel(0)?, channel(2)?, channel(4)?])
}

/// <https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>
fn luminance(color: [u8; 3]) -> f64 {
    let [red, green, blue] = color.map(|channel| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// <https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>
fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}
