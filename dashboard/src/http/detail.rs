//! Routes that show single events: what the store has let go of comes from the session's recording.
//!
//! Files are read on threads of their own, a few at a time, never on the hub's task. A recording that
//! cannot be read costs the old detail, not the answer.

use super::App;
use super::error::ApiError;
use crate::batch::Event;
use crate::hub::SessionId;
use crate::recording::{Recording, RecordingError};
use crate::store::lanes::{Detail, Missing};
use crate::store::{Range, Snapshot};
use crate::view::{self, View};
use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;
use tokio::sync::Semaphore;

/// Single events in one answer; the newest are kept.
const EVENTS_MAX: usize = 2000;
/// Answers that read a recording at once: each takes up to some tens of MB for a moment.
static READERS: Semaphore = Semaphore::const_new(2);

/// What a recording tells of what is `missing` in a session's store; null if nothing is, or without one.
pub async fn detail(
    app: &App,
    id: SessionId,
    missing: impl FnOnce(&Snapshot<'_>) -> Option<Missing> + Send + 'static,
) -> Result<Option<Detail>, ApiError> {
    let Some(missing) = app.hub.with(id, missing).await? else { return Ok(None) };
    Ok(read(app, id, move |recording| recording.detail(&missing)).await.flatten())
}

async fn read<T: Send + 'static>(
    app: &App,
    id: SessionId,
    look: impl FnOnce(&Recording) -> Result<T, RecordingError> + Send + 'static,
) -> Option<T> {
    let path = (app.actions.recordings.path_of)(id).await.ok().flatten()?;
    let _turn = READERS.acquire().await.ok()?;
    let work = move || look(&Recording::open(&path)?);
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            tracing::warn!(session = id.0, %error, "no detail of what the store has let go of");
            None
        }
        Err(error) => {
            tracing::error!(session = id.0, %error, "gilscope has a fault; this answer has no detail");
            None
        }
    }
}

/// `GET /api/sessions/{id}/events`: single events, oldest first.
pub async fn events(
    State(app): State<App>,
    Path(id): Path<u32>,
    view: View,
) -> Result<Json<Value>, ApiError> {
    let id = SessionId(id);
    let at_hand = app.hub.with(id, move |snapshot| {
        let range = view.range_in(snapshot.range());
        let found = snapshot.events(range, EVENTS_MAX);
        let all = found.left_out > 0 || snapshot.has_events_from(range.start_ns);
        (range, found.events.into_iter().cloned().collect(), found.left_out, all)
    });
    let (range, mut events, mut left_out, all): (Range, Vec<Event>, u64, bool) = at_hand.await?;
    if !all {
        let recorded = read(&app, id, move |file| file.newest_events(range, EVENTS_MAX)).await;
        let found = recorded.unwrap_or_default().with_later(&events, EVENTS_MAX);
        (events, left_out) = (found.events, found.left_out);
    }
    let named = app.hub.with(id, move |snapshot| view::events(snapshot, &events, left_out)).await?;
    Ok(Json(named))
}
