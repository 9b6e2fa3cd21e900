//! The one list of routes. The router is made from it and the access tests walk it, so a route that is
//! not denied by default cannot be added unnoticed.

use super::{App, actions, api, detail, export, guard, pages, recordings, timeline};
use crate::ws;
use axum::routing::{MethodRouter, delete, get, post};

/// How a route is reached, for the tests that walk the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Delete,
    /// A GET that becomes a WebSocket.
    Socket,
}

/// One route.
pub struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "only the access tests ask"))]
    pub verb: Verb,
    pub path: &'static str,
    pub handler: fn() -> MethodRouter<App>,
}

const fn route(verb: Verb, path: &'static str, handler: fn() -> MethodRouter<App>) -> Route {
    Route { verb, path, handler }
}

/// All routes but the embedded pages, which are the router's fallback.
pub const ROUTES: &[Route] = &[
    route(Verb::Get, guard::LOGIN_PATH, || get(pages::login)),
    route(Verb::Post, "/api/logins", || post(actions::mint_login)),
    route(Verb::Get, "/api/processes", || get(actions::processes)),
    route(Verb::Post, "/api/attach", || post(actions::attach)),
    route(Verb::Get, "/api/sessions", || get(api::sessions)),
    route(Verb::Get, "/api/sessions/{id}", || get(api::session)),
    route(Verb::Get, "/api/sessions/{id}/cpu", || get(api::cpu)),
    route(Verb::Get, "/api/sessions/{id}/gil", || get(api::gil)),
    route(Verb::Get, "/api/sessions/{id}/process", || get(api::process)),
    route(Verb::Get, "/api/sessions/{id}/totals", || get(api::totals)),
    route(Verb::Get, "/api/sessions/{id}/histograms", || get(api::histograms)),
    route(Verb::Get, "/api/sessions/{id}/threads", || get(api::threads)),
    route(Verb::Get, "/api/sessions/{id}/blame", || get(api::blame)),
    route(Verb::Get, "/api/sessions/{id}/handoffs", || get(api::handoffs)),
    route(Verb::Get, "/api/sessions/{id}/cost", || get(api::cost)),
    route(Verb::Get, "/api/sessions/{id}/findings", || get(api::findings)),
    route(Verb::Get, "/api/sessions/{id}/events", || get(detail::events)),
    route(Verb::Get, "/api/sessions/{id}/lanes", || get(timeline::lanes)),
    route(Verb::Get, "/api/sessions/{id}/compare", || get(api::compare)),
    route(Verb::Get, "/api/sessions/{id}/report.json", || get(export::report)),
    route(Verb::Get, "/api/sessions/{id}/export/{file}", || get(export::plot)),
    route(Verb::Post, "/api/sessions/{id}/marks", || post(actions::add_mark)),
    route(Verb::Post, "/api/sessions/{id}/marks/{mark}", || post(actions::rename_mark)),
    route(Verb::Delete, "/api/sessions/{id}/marks/{mark}", || delete(actions::remove_mark)),
    route(Verb::Get, "/api/sessions/{id}/experiments", || get(api::experiments)),
    route(Verb::Post, "/api/sessions/{id}/tries", || post(actions::add_try)),
    route(Verb::Delete, "/api/sessions/{id}/tries/{remedy}", || delete(actions::undo_try)),
    route(Verb::Post, "/api/sessions/{id}/detach", || post(actions::detach)),
    route(Verb::Post, "/api/sessions/{id}/recording", || post(recordings::begin)),
    route(Verb::Delete, "/api/sessions/{id}/recording", || delete(recordings::end)),
    route(Verb::Get, "/api/recordings", || get(recordings::list)),
    route(Verb::Get, "/api/recordings/{name}", || get(recordings::download)),
    route(Verb::Post, "/api/recordings/{name}/open", || post(recordings::open)),
    route(Verb::Socket, "/ws", || get(ws::upgrade)),
];
