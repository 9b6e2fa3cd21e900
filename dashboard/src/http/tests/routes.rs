//! What the routes answer.

use super::*;
use serde_json::json;

#[tokio::test]
async fn a_session_tells_its_facts() {
    let server = Running::start().await;
    let list = server.request("GET", "/api/sessions").send().await.json();
    let one = server.request("GET", "/api/sessions/1").send().await.json();
    assert_eq!(list, json!([one]));
    assert_eq!(one["target"]["pid"], 42);
    assert_eq!(one["range"], json!({ "start_ns": 0, "end_ns": 2_000_000_000u64 }));
    assert_eq!(one["cpu_cores"], 0.5);
    assert_eq!(one["gil_utilization"], json!(null), "unknown is not zero");
    assert_eq!(one["marks"], json!([{ "id": 1, "name": "start", "at_ns": 0 }]));
}

#[tokio::test]
async fn a_range_in_pixels_is_answered() {
    let server = Running::start().await;
    let path = "/api/sessions/1/cpu?from_ns=500000000&to_ns=1500000000&px=5";
    let cpu = server.request("GET", path).send().await.json();
    assert_eq!(cpu["range"], json!({ "start_ns": 500_000_000, "end_ns": 1_500_000_000 }));
    let cores: Vec<f64> =
        cpu["bands"][0]["mean"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!(cores.len() <= 6 && cores.iter().all(|cores| (cores - 0.5).abs() < 1e-6), "{cores:?}");
}

#[tokio::test]
async fn every_reading_route_answers_even_without_the_probe() {
    let server = Running::start().await;
    for part in
        ["cpu", "gil", "process", "totals", "histograms", "threads", "blame", "handoffs", "events"]
    {
        let answer = server.request("GET", &format!("/api/sessions/1/{part}")).send().await;
        assert_eq!(answer.status, 200, "{part}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json();
        let missing = server.request("GET", &format!("/api/sessions/9/{part}")).send().await;
        assert_eq!(missing.status, 404, "{part}");
    }
    let gil = server.request("GET", "/api/sessions/1/gil").send().await;
    assert_eq!(gil.body, "null", "no probe is not zeros");
}

#[tokio::test]
async fn nonsense_is_400_with_a_reason() {
    let server = Running::start().await;
    for query in
        ["px=0", "px=5000", "px=NaN", "from_ns=-1", "from_ns=9&to_ns=3", "last_ns=1&to_ns=3"]
    {
        let answer = server.request("GET", &format!("/api/sessions/1/cpu?{query}")).send().await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.json()["error"].as_str().unwrap().len() > 10);
    }
    for body in ["", "{", "{}", r#"{"name":""}"#, r#"{"name":"a\nb"}"#, r#"{"name":"a","at":1}"#] {
        let answer = server.request("POST", "/api/sessions/1/marks").json(body).send().await;
        assert_eq!(answer.status, 400, "{body}");
    }
}

#[tokio::test]
async fn two_ranges_are_laid_side_by_side() {
    let server = Running::start().await;
    let path = "/api/sessions/1/compare?from_ns=1000000000&to_ns=2000000000";
    let before = "&before=1&before_from_ns=0&before_to_ns=1000000000";
    let answer = server.request("GET", &format!("{path}{before}")).send().await.json();
    let cpu = answer["figures"].as_array().unwrap().iter().find(|row| row["name"] == "cpu.total");
    let cpu = cpu.unwrap();
    assert_eq!((&cpu["before"], &cpu["difference"]), (&json!(0.5), &json!(0.0)));
    assert_eq!(answer["before"]["duration_ns"], 1_000_000_000);
    for (query, status) in [
        (String::new(), 400),
        (format!("{path}&before=1&before_from_ns=5&before_to_ns=5"), 400),
        (format!("{path}&before=9&before_from_ns=0&before_to_ns=5"), 404),
    ] {
        let path = if query.is_empty() { path.to_owned() } else { query };
        assert_eq!(server.request("GET", &path).send().await.status, status, "{path}");
    }
}

#[tokio::test]
async fn marks_come_and_go() {
    let server = Running::start().await;
    let add =
        server.request("POST", "/api/sessions/1/marks").json(r#"{"name":" after ","at_ns":7}"#);
    assert_eq!(add.send().await.json(), json!({ "id": 2, "name": "after", "at_ns": 7 }));
    let renamed = server.request("POST", "/api/sessions/1/marks/2").json(r#"{"name":"later"}"#);
    assert_eq!(renamed.send().await.json(), json!({ "id": 2, "name": "later", "at_ns": 7 }));
    let session = server.request("GET", "/api/sessions/1").send().await.json();
    assert_eq!(session["marks"].as_array().unwrap().len(), 2, "renamed, not doubled");
    for (mark, body, status) in [(9, r#"{"name":"x"}"#, 404), (2, r#"{"name":" "}"#, 400)] {
        let path = format!("/api/sessions/1/marks/{mark}");
        assert_eq!(server.request("POST", &path).json(body).send().await.status, status);
    }
    assert_eq!(server.request("DELETE", "/api/sessions/1/marks/2").send().await.status, 204);
    assert_eq!(server.request("DELETE", "/api/sessions/1/marks/2").send().await.status, 404);
}

#[tokio::test]
async fn what_a_recording_cannot_do_is_said() {
    let server = Running::start().await;
    let answer = server.request("POST", "/api/sessions/1/detach").send().await;
    assert_eq!(answer.status, 409);
    assert!(answer.json()["error"].as_str().unwrap().contains("recording"));
    let attach = server.request("POST", "/api/attach").json(r#"{"pid":1}"#).send().await;
    assert!(attach.json()["error"].as_str().unwrap().contains("gilscope attach"));
}

#[tokio::test]
async fn a_program_gets_a_new_address_and_a_browser_does_not() {
    let server = Running::start().await;
    let made = server.request("POST", "/api/logins").send().await.json();
    assert!(made["url"].as_str().unwrap().contains("/login?code="));
    let cookie = server.cookie().await;
    let browser =
        server.request("POST", "/api/logins").without("Authorization").header("Cookie", &cookie);
    let browser = browser.header("Origin", &format!("http://{}", server.address)).send().await;
    assert_eq!(browser.status, 409);
}

#[tokio::test]
async fn paths_never_become_files() {
    let server = Running::start().await;
    for path in [
        "/../Cargo.toml",
        "/..%2fCargo.toml",
        "/assets/../index.html",
        "//etc/passwd",
        "/%00",
        "/\\etc",
        "/.npmrc",
    ] {
        let answer = server.request("GET", path).send().await;
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
}

#[tokio::test]
async fn plots_and_the_report_come_as_attachments_in_a_sandbox() {
    let server = Running::start().await;
    for (file, kind) in [
        ("export/cpu.svg", "image/svg+xml"),
        ("export/cpu.csv", "text/csv; charset=utf-8"),
        ("report.json", "application/json"),
    ] {
        let answer = server.request("GET", &format!("/api/sessions/1/{file}")).send().await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{file}");
        assert!(
            answer
                .header("content-disposition")
                .unwrap()
                .starts_with("attachment; filename=\"gilscope-42-")
        );
        assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'; sandbox"));
    }
    let none = server.request("GET", "/api/sessions/1/export/gil-wait.svg").send().await;
    assert_eq!(none.status, 409, "a probe that is off has no plot");
    for file in ["cpu", "cpu.exe", "moon.svg", "..%2fcpu.svg", "cpu.svg.svg"] {
        let answer = server.request("GET", &format!("/api/sessions/1/export/{file}")).send().await;
        assert_eq!(answer.status, 404, "{file}");
    }
}
