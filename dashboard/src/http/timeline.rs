//! The route of the timeline: which threads, which range, how many pixels; the answer is binary.

use super::App;
use super::detail::detail;
use super::error::ApiError;
use crate::batch::ThreadKey;
use crate::hub::SessionId;
use crate::store::Snapshot;
use crate::view::{self, View};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// Lanes in one answer: as many threads as a page knows (`view::parts`).
const THREADS_MAX: usize = 500;

#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// Keys of threads, "1,2,3".
    threads: String,
}

impl Wanted {
    fn keys(&self) -> Result<Vec<ThreadKey>, ApiError> {
        let parts = self.threads.split(',').filter(|part| !part.is_empty());
        let keys: Result<Vec<_>, _> = parts.map(|part| part.parse().map(ThreadKey)).collect();
        match keys {
            Ok(keys) if keys.len() <= THREADS_MAX => Ok(keys),
            _ => Err(ApiError::bad_request(format!(
                "threads must be up to {THREADS_MAX} keys of threads, as in threads=1,2,3"
            ))),
        }
    }
}

/// `GET /api/sessions/{id}/lanes?threads=1,2,3`: see `view::lanes` for the bytes.
pub async fn lanes(
    State(app): State<App>,
    Path(id): Path<u32>,
    view: View,
    Query(wanted): Query<Wanted>,
) -> Result<Response, ApiError> {
    let (keys, id) = (wanted.keys()?, SessionId(id));
    let missing =
        move |snapshot: &Snapshot<'_>| snapshot.missing(view.range_in(snapshot.range()), view.px());
    let detail = detail(&app, id, missing).await?;
    let bytes = app.hub.with(id, move |snapshot| {
        let range = view.range_in(snapshot.range());
        let lanes = snapshot.lanes(range, view.px(), &keys, detail.as_ref());
        view::lanes(id, snapshot, &lanes)
    });
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes.await?).into_response())
}
