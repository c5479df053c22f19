//! The stylesheet and the one script, which only adds comfort.

use crate::branding::Branding;
use lambda_http::http::HeaderValue;
use lambda_http::http::header::CACHE_CONTROL;
use shared::http::{Problem, Reply};

const STYLE: &str = include_str!("../assets/portal.css");
const SCRIPT: &str = include_str!("../assets/portal.js");

pub fn style(branding: &Branding) -> Result<Reply, Problem> {
    Ok(kept(Reply::text("text/css; charset=utf-8", format!("{}{STYLE}", branding.style()))?))
}

pub fn script() -> Result<Reply, Problem> {
    Ok(kept(Reply::text("text/javascript; charset=utf-8", SCRIPT.to_owned())?))
}

/// They hold nothing of a customer's, so browsers may keep them for an hour.
fn kept(reply: Reply) -> Reply {
    reply.with_header(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"))
}
