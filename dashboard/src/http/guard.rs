//! The one layer before all routes: whatever comes through here is answered, everything else denied.
//!
//! Order: host, origin, cross-site, method, credentials, mutation rules. It knows no route but the two
//! that must work without credentials (`/login`, which redeems a code, and the page that says how).

use super::auth::{Auth, Identity};
use super::seats::Seat;
use super::{App, pages};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Own header that mutations must carry; a form or an image cannot send it, and no CORS answer allows it.
pub const MUTATION_HEADER: &str = "x-gilscope";
/// The only path that is answered without credentials.
pub const LOGIN_PATH: &str = "/login";

const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Lets a request through to its route, or answers it here.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = match admit(&app.auth, app.port, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal,
    };
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[expect(clippy::result_large_err, reason = "the refusal is the response itself, once a request")]
fn admit(auth: &Auth, port: u16, request: &Request) -> Result<(), Response> {
    let headers = request.headers();
    let refuse = |status: StatusCode, why: &'static str| Err((status, why).into_response());
    if !host_is_ours(headers, request.uri(), port) {
        return refuse(StatusCode::MISDIRECTED_REQUEST, "this host name is not served here\n");
    }
    let origin = origin(headers, port);
    if origin == Origin::Foreign {
        return refuse(StatusCode::FORBIDDEN, "requests from other pages are refused\n");
    }
    let method = request.method();
    if request.uri().path() == LOGIN_PATH && method == Method::GET {
        return Ok(()); // a link in a chat or a terminal page may lead here: the code is the proof
    }
    if !fetch_site_is_ours(headers) {
        return refuse(StatusCode::FORBIDDEN, "requests from other pages are refused\n");
    }
    if ![Method::GET, Method::HEAD, Method::POST, Method::DELETE].contains(method) {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD, POST and DELETE are served\n");
    }
    let Some(identity) = auth.identify(headers, port) else {
        return Err(deny(auth, headers));
    };
    if let Some(seat) = request.extensions().get::<Seat>() {
        seat.keep();
    }
    let safe =
        [Method::GET, Method::HEAD].contains(method) && !headers.contains_key(header::UPGRADE);
    if !safe && identity == Identity::Cookie && origin != Origin::Ours {
        return refuse(StatusCode::FORBIDDEN, "Origin is missing\n");
    }
    let mutation = ![Method::GET, Method::HEAD].contains(method);
    if mutation && !headers.contains_key(MUTATION_HEADER) {
        return refuse(StatusCode::FORBIDDEN, "the header X-Gilscope is missing\n");
    }
    Ok(())
}

fn deny(auth: &Auth, headers: &HeaderMap) -> Response {
    if auth.failed_too_often() {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response();
    }
    let accepts_html = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if accepts_html.is_some_and(|accept| accept.contains("text/html")) {
        return (StatusCode::UNAUTHORIZED, pages::not_logged_in()).into_response();
    }
    StatusCode::UNAUTHORIZED.into_response()
}

/// Exactly one of our three names, with the port, in `Host` and, if there, in the request line.
fn host_is_ours(headers: &HeaderMap, uri: &Uri, port: u16) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let named = uri.authority().is_none_or(|authority| is_our_name(authority.as_str(), port));
    named && host.to_str().is_ok_and(|host| is_our_name(host, port))
}

fn is_our_name(name: &str, port: u16) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| name == format!("{host}:{port}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Absent,
    Ours,
    Foreign,
}

fn origin(headers: &HeaderMap, port: u16) -> Origin {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return Origin::Absent;
    };
    let name = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    match name {
        Some(name) if is_our_name(name, port) && origins.next().is_none() => Origin::Ours,
        _ => Origin::Foreign,
    }
}

/// Browsers say where a request comes from; `same-site` is another port of this machine.
fn fetch_site_is_ours(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

/// For fuzzing: whatever a request says, without one of the secrets it gets no further than the log-in
/// page, and that only under one of our names.
#[cfg(any(test, feature = "fuzz"))]
pub fn nobody_is_let_in(request: &Request) {
    static AUTH: std::sync::LazyLock<Auth> =
        std::sync::LazyLock::new(|| Auth::new().expect("random bytes"));
    const PORT: u16 = 7676;
    let admitted = admit(&AUTH, PORT, request).is_ok();
    let login = request.uri().path() == LOGIN_PATH && request.method() == Method::GET;
    assert!(!admitted || login, "let in: {request:?}");
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    assert!(!admitted || host.is_some_and(|host| is_our_name(host, PORT)), "{host:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn only_three_spellings_of_the_host_are_ours() {
        for good in ["127.0.0.1:7676", "localhost:7676", "[::1]:7676"] {
            assert!(
                host_is_ours(&with(header::HOST, good), &Uri::from_static("/"), 7676),
                "{good}"
            );
        }
        for bad in [
            "",
            "127.0.0.1",
            "127.0.0.1:80",
            "localhost:7676.",
            "localhost.:7676",
            "LOCALHOST:7676",
            "localhost6:7676",
            "localhost.evil.test:7676",
            "evil.test:7676",
            "127.0.0.1.nip.io:7676",
            "2130706433:7676",
            "0177.0.0.1:7676",
            "0.0.0.0:7676",
            "127.1:7676",
            "::1:7676",
            "[::]:7676",
            "user@localhost:7676",
            "localhost:07676",
            "localhost:7676, evil.test",
            "127.0.0.2:7676",
        ] {
            assert!(!host_is_ours(&with(header::HOST, bad), &Uri::from_static("/"), 7676), "{bad}");
        }
        let foreign_line = Uri::from_static("http://evil.test/");
        assert!(!host_is_ours(&with(header::HOST, "localhost:7676"), &foreign_line, 7676));
        assert!(!host_is_ours(&HeaderMap::new(), &Uri::from_static("/"), 7676));
        let mut twice = with(header::HOST, "localhost:7676");
        twice.append(header::HOST, "localhost:7676".parse().unwrap());
        assert!(!host_is_ours(&twice, &Uri::from_static("/"), 7676));
    }

    #[test]
    fn only_our_own_origin_is_ours() {
        assert_eq!(origin(&HeaderMap::new(), 7676), Origin::Absent);
        assert_eq!(origin(&with(header::ORIGIN, "http://localhost:7676"), 7676), Origin::Ours);
        for bad in [
            "null",
            "",
            "http://localhost",
            "http://localhost:7677",
            "https://localhost:7676",
            "http://localhost:7676.evil.test",
            "http://localhost:7676/",
            "http://evil.test",
            "HTTP://localhost:7676",
        ] {
            assert_eq!(origin(&with(header::ORIGIN, bad), 7676), Origin::Foreign, "{bad}");
        }
    }
}
