//! What a browser gets besides data: the embedded pages, the log-in step and the page that explains it.
//!
//! All of it is inside the binary; no path of a request ever becomes a path of a file.

use super::App;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

/// The pages as Vite built them.
#[derive(rust_embed::RustEmbed)]
#[folder = "$OUT_DIR/web/dist"]
struct Assets;

#[derive(Deserialize)]
pub struct Login {
    #[serde(default)]
    code: String,
}

/// Redeems the one-use code. A page with a refresh rather than a redirect: a `SameSite=Strict` cookie
/// is not sent along a redirect that another site began, and the address may have been a link there.
pub async fn login(State(app): State<App>, Query(login): Query<Login>) -> Response {
    match app.auth.redeem(&login.code, app.port) {
        Some(cookie) => ([(header::SET_COOKIE, cookie)], Html(LOGGED_IN)).into_response(),
        None if app.auth.failed_too_often() => StatusCode::TOO_MANY_REQUESTS.into_response(),
        None => (StatusCode::UNAUTHORIZED, not_logged_in()).into_response(),
    }
}

/// For a browser without the cookie.
pub fn not_logged_in() -> Html<&'static str> {
    Html(NOT_LOGGED_IN)
}

/// An embedded file by its exact name; `/` is `index.html`.
pub async fn asset(uri: Uri) -> Response {
    let name = match uri.path() {
        "/" => "index.html",
        path => path.trim_start_matches('/'),
    };
    let Some(file) = Assets::get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    };
    // Names under assets/ carry a hash of their content.
    let caching = if name.starts_with("assets/") {
        "private, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, caching)], file.data).into_response()
}

const LOGGED_IN: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>gilscope</title>\
    <link rel=icon href=\"data:,\">\
    <meta http-equiv=refresh content=\"0;url=/\"><p><a href=\"/\">Go on to the dashboard</a></html>\n";

const NOT_LOGGED_IN: &str = "<!doctype html><html lang=en><meta charset=utf-8>\
    <meta name=color-scheme content=\"light dark\"><title>gilscope: not logged in</title><link rel=icon href=\"data:,\">\
    <h1>Open the address that gilscope printed</h1>\
    <p>This dashboard shows what a process does, so it needs a key. The address in the terminal carries one \
    that works once and for 60 seconds.<p>If it is used or too old, <code>gilscope list</code> prints a new one.</html>\n";
