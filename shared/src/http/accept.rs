//! What kind of answer a client would rather have. <https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1>

use super::csv::CSV;
use lambda_http::Request;
use lambda_http::http::header::ACCEPT;

/// Whether the client would rather have CSV than JSON.
pub fn wants_csv(request: &Request) -> bool {
    prefers(request, CSV)
}

/// Whether the client would rather have a page than JSON, as a browser would.
pub fn wants_html(request: &Request) -> bool {
    prefers(request, "text/html")
}

fn prefers(request: &Request, media_type: &str) -> bool {
    let accept: Vec<&str> = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges: Vec<(String, u32)> = accept.iter().flat_map(|value| value.split(',')).map(range).collect();
    let weight = |names: &[&str]| {
        let weights = ranges.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, weight)| *weight);
        weights.max().unwrap_or_default()
    };
    let wanted = weight(&[media_type]);
    wanted > 0 && wanted >= weight(&["application/json", "application/*"])
}

/// The name of a media range, and its weight in thousandths.
fn range(text: &str) -> (String, u32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = weight.map_or(1.0, |weight| weight.parse::<f32>().unwrap_or_default());
    (name, (weight.clamp(0.0, 1.0) * 1_000.0) as u32)
}
