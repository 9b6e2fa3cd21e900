//! Every route, the socket among them, is denied by default. Walks the one list of routes.

use super::client::Request;
use super::*;
use crate::http::guard::LOGIN_PATH;
use crate::http::routes::{ROUTES, Verb};

/// Each route as a request that would be let through, with all that is needed.
fn all_routes(server: &Running) -> Vec<Request> {
    let pages = ["/", "/index.html", "/no/such/page"].map(|path| server.request("GET", path));
    let routes = ROUTES.iter().filter(|route| route.path != LOGIN_PATH).map(|route| {
        let path = route
            .path
            .replace("{id}", "1")
            .replace("{mark}", "1")
            .replace("{name}", "a.gilscope")
            .replace("{file}", "cpu.svg");
        match route.verb {
            Verb::Get => server.request("GET", &path),
            Verb::Post => server.request("POST", &path).json("{}"),
            Verb::Delete => server.request("DELETE", &path),
            Verb::Socket => server.request("GET", &path).upgrade(),
        }
    });
    routes.chain(pages).collect()
}

/// Asserts that each route, changed so, answers with one of `statuses`, and lets no data out.
async fn denied(statuses: &[u16], change: impl Fn(&Running, Request) -> Request) {
    let server = Running::start().await;
    let routes = all_routes(&server);
    assert!(routes.len() > 20, "the list of routes was walked");
    for request in routes {
        let answer = change(&server, request.clone()).send().await;
        assert!(statuses.contains(&answer.status), "{} for {:?}", answer.status, answer);
        assert!(
            !answer.body.contains("MainThread") && !answer.body.contains("<script"),
            "{answer:?}"
        );
        assert!(
            answer.header("content-security-policy").unwrap().starts_with("default-src 'none'")
        );
        let admitted = request.send().await;
        assert!(
            ![401, 403, 421, 429].contains(&admitted.status),
            "the unchanged request: {admitted:?}"
        );
    }
}

#[tokio::test]
async fn without_a_token() {
    // Ten failures a second are told so; from then on the answer is 429.
    denied(&[401, 429], |_, request| request.without("Authorization")).await;
}

#[tokio::test]
async fn with_a_wrong_token() {
    denied(&[401, 429], |server, request| {
        let (first, rest) = server.handle.token().split_at(1);
        let wrong = if first == "0" { "1" } else { "0" };
        request.replace("Authorization", &format!("Bearer {wrong}{rest}"))
    })
    .await;
}

#[tokio::test]
async fn with_a_wrong_cookie() {
    denied(&[401, 429], |server, request| {
        let name = crate::http::auth::cookie_name(server.address.port());
        request
            .without("Authorization")
            .header("Cookie", &format!("{name}={}", server.handle.token()))
    })
    .await;
}

#[tokio::test]
async fn with_a_foreign_host() {
    denied(&[421], |server, request| {
        request.replace("Host", &format!("evil.test:{}", server.address.port()))
    })
    .await;
}

#[tokio::test]
async fn with_two_hosts() {
    denied(&[421], |server, request| request.header("Host", &server.address.to_string())).await;
}

#[tokio::test]
async fn with_a_foreign_origin() {
    denied(&[403], |_, request| request.header("Origin", "http://evil.test")).await;
}

#[tokio::test]
async fn from_another_port_of_this_machine() {
    denied(&[403], |_, request| request.header("Sec-Fetch-Site", "same-site")).await;
}

#[tokio::test]
async fn a_browser_needs_its_origin_and_the_own_header_to_change_anything() {
    let server = Running::start().await;
    let cookie = server.cookie().await;
    let origin = format!("http://{}", server.address);
    let path = "/api/sessions/1/marks";
    let browser = server.request("POST", path).without("Authorization").header("Cookie", &cookie);
    let browser = browser.json(r#"{"name":"m"}"#).header("Origin", &origin);
    assert_eq!(browser.clone().without("X-Gilscope").send().await.status, 403);
    assert_eq!(browser.clone().without("Origin").send().await.status, 403);
    assert_eq!(browser.send().await.status, 201);
    let socket =
        server.request("GET", "/ws").without("Authorization").header("Cookie", &cookie).upgrade();
    assert_eq!(socket.send().await.status, 403, "a socket without Origin");
    assert_eq!(socket.header("Origin", &origin).send().await.status, 101);
}

#[tokio::test]
async fn odd_methods_are_refused_before_any_route() {
    let server = Running::start().await;
    for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"] {
        let answer = server.request(method, "/api/sessions").send().await;
        assert!([405, 421].contains(&answer.status), "{method}: {answer:?}");
    }
}

#[tokio::test]
async fn the_printed_address_works_once() {
    let server = Running::start().await;
    let url = server.handle.login_url(server.address).unwrap();
    let path = &url[url.find("/login").unwrap()..];
    let visit =
        Request::new(server.address, "GET", path).header("Host", &server.address.to_string());
    let first = visit.send().await;
    assert_eq!(first.status, 200);
    let cookie = first.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
    let second = visit.send().await;
    assert_eq!((second.status, second.header("set-cookie")), (401, None));
    let cookie = cookie.split(';').next().unwrap();
    let page =
        server.request("GET", "/").without("Authorization").header("Cookie", cookie).send().await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("<script type=\"module\""));
}

#[tokio::test]
async fn a_browser_without_a_cookie_is_told_what_to_do() {
    let server = Running::start().await;
    let visit = server
        .request("GET", "/")
        .without("Authorization")
        .header("Accept", "text/html")
        .send()
        .await;
    assert_eq!(visit.status, 401);
    assert!(visit.body.contains("Open the address that gilscope printed"));
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let error = Server::bind("0.0.0.0:0".parse().unwrap(), hub::spawn(), Actions::none())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("ssh -L"), "{error}");
}
