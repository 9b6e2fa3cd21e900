//! Text from files, addresses and headers.

use crate::http::nobody_is_let_in;
use crate::store::Range;
use crate::view::View;
use crate::ws;
use axum::extract::Query;
use axum::http::{HeaderName, HeaderValue, Method, Request};
use config::{Layers, Plan};
use std::path::Path;

/// A file of options and some variables: taken, or refused with what is wrong.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut layers = Layers::default();
    let added = layers.add_file(Path::new("gilscope.toml"), &text);
    let variables = text.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(key, value)| (format!("GILSCOPE_{key}"), value.to_owned()));
    let added = added.and_then(|()| layers.add_variables(variables));
    if let Err(error) = added.and_then(|()| Plan::new(&layers).map(drop)) {
        assert!(!error.to_string().is_empty());
    }
}

/// The query of an address and a request over the socket: a range within the session, or a refusal.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = ws::parse(&text); // a refusal is a text for the page
    let Ok(uri) = format!("/x?{text}").parse() else { return };
    let Ok(Query(view)) = Query::<View>::try_from_uri(&uri) else { return };
    if let Ok(view) = view.checked() {
        let whole = Range::new(1_000, 5_000_000_000);
        let range = view.range_in(whole);
        assert!(range.is_empty() || whole.contains(&range), "{range:?}");
        assert!((1..=4000).contains(&view.px()));
    }
}

/// A request with any method, path and headers: nobody is let in without the token, and only under
/// one of our names.
pub fn access(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (method, target) = first.split_once(' ').unwrap_or(("GET", &first));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            request = request.header(name, value);
        }
    }
    let Ok(request) = request.body(axum::body::Body::empty()) else { return };
    nobody_is_let_in(&request);
}
