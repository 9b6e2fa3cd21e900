//! Routes that read: each asks the hub for one part of one session, in the range and width given.

use super::App;
use super::error::ApiError;
use crate::compare::{Comparison, Side, compare as lay_side_by_side};
use crate::hub::SessionId;
use crate::report;
use crate::store::{Range, Snapshot};
use crate::view::{self, SessionView, View};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};

type Answer<T> = Result<Json<T>, ApiError>;

async fn ask<T, F>(app: &App, id: u32, question: F) -> Answer<T>
where
    T: Serialize + Send + 'static,
    F: FnOnce(&Snapshot<'_>) -> T + Send + 'static,
{
    Ok(Json(app.hub.with(SessionId(id), question).await?))
}

/// `GET /api/sessions`.
pub async fn sessions(State(app): State<App>) -> Answer<Vec<SessionView>> {
    Ok(Json(view::sessions(&app.hub).await?))
}

/// `GET /api/sessions/{id}`.
pub async fn session(State(app): State<App>, Path(id): Path<u32>) -> Answer<SessionView> {
    ask(&app, id, move |snapshot| SessionView::of(SessionId(id), snapshot)).await
}

/// `GET /api/sessions/{id}/cost`: what gilscope takes, here and in the target.
pub async fn cost(State(app): State<App>, Path(id): Path<u32>) -> Answer<crate::cost::CostView> {
    let living = app.hub.is_living(SessionId(id)).await?;
    let cost = app.cost.clone();
    ask(&app, id, move |snapshot| cost.view(snapshot, living)).await
}

/// `GET /api/sessions/{id}/experiments`: what was tried, with figures before and after.
pub async fn experiments(
    State(app): State<App>,
    Path(id): Path<u32>,
) -> Answer<Vec<ExperimentView>> {
    let show = |experiment| {
        let rows = report::experiments::rows(&experiment);
        ExperimentView { experiment, rows }
    };
    ask(&app, id, move |snapshot| view::experiments(snapshot).into_iter().map(show).collect()).await
}

/// An experiment with its figures as they are shown everywhere.
#[derive(Serialize)]
pub struct ExperimentView {
    #[serde(flatten)]
    experiment: view::Experiment,
    rows: Vec<report::experiments::Row>,
}

/// A route that answers one question about a range.
macro_rules! range_routes {
    ($($(#[$doc:meta])* $name:ident -> $answer:ty = |$snapshot:ident, $range:ident, $view:ident| $body:expr;)*) => {$(
        $(#[$doc])*
        pub async fn $name(State(app): State<App>, Path(id): Path<u32>, $view: View) -> Answer<$answer> {
            ask(&app, id, move |$snapshot| {
                let $range = $view.range_in($snapshot.range());
                $body
            }).await
        }
    )*};
}

range_routes! {
    /// `GET /api/sessions/{id}/cpu`: the stack of CPU per thread.
    cpu -> crate::store::CpuSeries = |snapshot, range, view| {
        let series = snapshot.cpu(range, view.px());
        match view.bands {
            Some(bands) => series.busiest(bands),
            None => series,
        }
    };
    /// `GET /api/sessions/{id}/gil`: utilization and waiters over time.
    gil -> Option<crate::store::GilSeries> = |snapshot, range, view| snapshot.gil(range, view.px());
    /// `GET /api/sessions/{id}/process`: memory and number of threads over time.
    process -> crate::store::ProcessSeries = |snapshot, range, view| snapshot.process(range, view.px());
    /// `GET /api/sessions/{id}/totals`: what the GIL did in the range.
    totals -> Option<crate::store::GilTotals> = |snapshot, range, _view| snapshot.totals(range);
    /// `GET /api/sessions/{id}/histograms`.
    histograms -> Option<crate::store::Histograms> = |snapshot, range, _view| snapshot.histograms(range);
    /// `GET /api/sessions/{id}/threads`.
    threads -> Vec<crate::store::ThreadRow> = |snapshot, range, _view| snapshot.thread_rows(range);
    /// `GET /api/sessions/{id}/blame`.
    blame -> Vec<crate::store::BlameRow> = |snapshot, range, _view| snapshot.blame(range);
    /// `GET /api/sessions/{id}/handoffs`.
    handoffs -> Vec<crate::store::HandoffRow> = |snapshot, range, _view| snapshot.handoffs(range);
    /// `GET /api/sessions/{id}/findings`: what stands out, the costliest first.
    findings -> Vec<crate::findings::Finding> = |snapshot, range, _view| crate::findings::findings(snapshot, range);
}

/// Two ranges: of the session of the path, and of another or the same one before.
#[derive(Deserialize)]
pub struct Ranges {
    from_ns: u64,
    to_ns: u64,
    /// A session.
    before: u32,
    before_from_ns: u64,
    before_to_ns: u64,
}

/// `GET /api/sessions/{id}/compare`: a range beside an earlier one.
pub async fn compare(
    State(app): State<App>,
    Path(id): Path<u32>,
    query: Result<Query<Ranges>, axum::extract::rejection::QueryRejection>,
) -> Answer<Comparison> {
    let hint = "from_ns, to_ns, before (a session), before_from_ns and before_to_ns are needed";
    let Query(ranges) =
        query.map_err(|error| ApiError::bad_request(format!("{}; {hint}", error.body_text())))?;
    if ranges.from_ns >= ranges.to_ns || ranges.before_from_ns >= ranges.before_to_ns {
        return Err(ApiError::bad_request("a range must end after it begins"));
    }
    let side = async |session, start_ns, end_ns| {
        let range = Range::new(start_ns, end_ns);
        app.hub.with(SessionId(session), move |snapshot| Side::of(snapshot, range)).await
    };
    let before = side(ranges.before, ranges.before_from_ns, ranges.before_to_ns).await?;
    let after = side(id, ranges.from_ns, ranges.to_ns).await?;
    Ok(Json(lay_side_by_side(before, after)))
}
