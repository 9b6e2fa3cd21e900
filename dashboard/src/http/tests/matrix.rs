//! Every route with every method, host, origin and credential, against a rule that is written here a
//! second time. The requests go to the router itself, without sockets: there are thousands.

use super::*;
use crate::http::auth::cookie_name;
use crate::http::guard::LOGIN_PATH;
use crate::http::router;
use crate::http::routes::{ROUTES, Verb};
use axum::body::Body;
use axum::http::{Request as HttpRequest, header};
use tower::ServiceExt as _;

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    None,
    Token,
    WrongToken,
    Cookie,
    WrongCookie,
}

const CREDENTIALS: [Credential; 5] = [
    Credential::None,
    Credential::Token,
    Credential::WrongToken,
    Credential::Cookie,
    Credential::WrongCookie,
];

/// One request of the table.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    path: &'a str,
    socket: bool,
    method: &'a str,
    host: Option<&'a str>,
    origin: Option<&'a str>,
    credential: Credential,
}

/// The statuses that a case may be answered with; none: it is let through to its route.
fn refusal(case: &Case<'_>, ours: &[String]) -> Option<&'static [u16]> {
    let is_ours = |name: &str| ours.iter().any(|known| known == name);
    if !case.host.is_some_and(is_ours) {
        return Some(&[421]);
    }
    let origin_is_ours = |origin: &str| origin.strip_prefix("http://").is_some_and(is_ours);
    if case.origin.is_some_and(|origin| !origin_is_ours(origin)) {
        return Some(&[403]);
    }
    if case.path == LOGIN_PATH && case.method == "GET" {
        return Some(&[401, 429]); // a code that is wrong
    }
    if !METHODS[..4].contains(&case.method) {
        return Some(&[405]);
    }
    let reads = ["GET", "HEAD"].contains(&case.method) && !case.socket;
    match case.credential {
        Credential::Token => None,
        Credential::Cookie if reads || case.origin.is_some() => None,
        Credential::Cookie => Some(&[403]),
        _ => Some(&[401, 429]),
    }
}

fn request(case: &Case<'_>, token: &str, cookie: &str, port: u16) -> HttpRequest<Body> {
    let mut request = HttpRequest::builder().method(case.method).uri(case.path);
    request = request.header("x-gilscope", "1").header(header::CONTENT_TYPE, "application/json");
    for (name, value) in [(header::HOST, case.host), (header::ORIGIN, case.origin)] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    if case.socket {
        request = request.header(header::UPGRADE, "websocket");
    }
    request = match case.credential {
        Credential::None => request,
        Credential::Token => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        Credential::WrongToken => request.header(header::AUTHORIZATION, format!("Bearer {token}0")),
        Credential::Cookie => request.header(header::COOKIE, cookie),
        Credential::WrongCookie => {
            request.header(header::COOKIE, format!("{}={token}", cookie_name(port)))
        }
    };
    request.body(Body::from("{}")).unwrap()
}

#[tokio::test]
async fn every_route_method_host_origin_and_credential() {
    let hub = hub::spawn();
    let listen = "127.0.0.1:0".parse().unwrap();
    let (server, address) = Server::bind(listen, hub, Actions::none()).await.unwrap();
    let (port, handle) = (address.port(), server.handle());
    let cookie = handle.auth.redeem(&handle.auth.mint_code().unwrap(), port).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let router = router(server.app);
    let ours = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}"));
    let foreign = format!("evil.test:{port}");
    let hosts = [Some(ours[0].as_str()), Some(&ours[1]), Some(&ours[2]), Some(&foreign), None];
    let own_origin = format!("http://{}", ours[0]);
    let origins = [None, Some(own_origin.as_str()), Some("null"), Some("http://evil.test")];
    let routes = ROUTES.iter().map(|route| {
        let path = route.path.replace("{id}", "1").replace("{mark}", "1");
        (path.replace("{file}", "cpu.svg"), route.verb == Verb::Socket)
    });
    let pages = ["/", "/no/such/page"].map(|path| (path.to_owned(), false));
    let mut n_cases = 0;
    for (path, socket) in routes.chain(pages) {
        for (method, host) in METHODS.iter().flat_map(|m| hosts.map(|host| (*m, host))) {
            for (origin, credential) in origins.iter().flat_map(|o| CREDENTIALS.map(|c| (*o, c))) {
                let case = Case { path: &path, socket, method, host, origin, credential };
                let asked = request(&case, handle.token(), cookie, port);
                let answer = router.clone().oneshot(asked).await.unwrap();
                let status = answer.status().as_u16();
                match refusal(&case, &ours) {
                    Some(statuses) => assert!(statuses.contains(&status), "{status}: {case:?}"),
                    // Whoever is known already may redeem a code, too; this one is wrong.
                    None if case.path == LOGIN_PATH => {}
                    None => assert!(![401, 403, 421, 429].contains(&status), "{status}: {case:?}"),
                }
                for name in ["content-security-policy", "x-content-type-options"] {
                    assert!(answer.headers().contains_key(name), "{name}: {case:?}");
                }
                let cross_origin = header::ACCESS_CONTROL_ALLOW_ORIGIN;
                assert!(!answer.headers().contains_key(cross_origin), "{case:?}");
                n_cases += 1;
            }
        }
    }
    assert_eq!(n_cases, (ROUTES.len() + 2) * METHODS.len() * hosts.len() * origins.len() * 5);
    println!("{n_cases} cases");
}
