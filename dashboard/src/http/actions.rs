//! Routes that change something, and the seam to what only the command line's side can do.

use super::error::ApiError;
use super::guard::LOGIN_PATH;
use super::recordings::RecordingActions;
use super::{App, auth::Identity};
use crate::batch::Mark;
use crate::hub::SessionId;
use crate::remedy::{self, Remedy};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest name of a mark, in characters; a longer one does not fit on a plot.
const MARK_NAME_MAX: usize = 80;
/// How long a target may take to be left.
const DETACH_TIMEOUT: Duration = Duration::from_secs(8);

/// A Python process that is or could be a target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttachableProcess {
    pub pid: u32,
    pub python_version: Option<String>,
    pub n_threads: u32,
    pub cmdline: Vec<String>,
    /// The session that watches it, if one does.
    pub session: Option<SessionId>,
    /// Why it cannot be attached, with the least powerful remedy; null if it can.
    pub obstacle: Option<String>,
}

pub type Outcome<T> = BoxFuture<'static, Result<T, String>>;
type ReadRemedy = dyn Fn(&str) -> Result<Remedy, String> + Send + Sync;

/// What the server cannot do by itself. Errors are one line for a person, with a remedy.
pub struct Actions {
    pub processes: Box<dyn Fn() -> Outcome<Vec<AttachableProcess>> + Send + Sync>,
    pub attach: Box<dyn Fn(u32) -> Outcome<SessionId> + Send + Sync>,
    pub recordings: RecordingActions,
    /// What a remedy's text means under this gilscope's options.
    pub remedy: Box<ReadRemedy>,
}

#[cfg(test)]
impl Actions {
    /// For a server that only shows what it was started with.
    pub fn none() -> Self {
        let why = || {
            "this gilscope only shows what it was started with; use `gilscope attach PID`"
                .to_owned()
        };
        Self {
            processes: Box::new(move || Box::pin(async move { Err(why()) })),
            attach: Box::new(move |_| Box::pin(async move { Err(why()) })),
            recordings: RecordingActions::none(why),
            remedy: Box::new(move |_| Err(why())),
        }
    }
}

/// `POST /api/logins`: a new address for a browser; only for programs that know the token.
pub async fn mint_login(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, ApiError> {
    if app.auth.identify(&headers, app.port) != Some(Identity::Bearer) {
        return Err(ApiError::refused("only the token can make a log-in address"));
    }
    let code = app.auth.mint_code().map_err(ApiError::internal)?;
    let url = format!("http://127.0.0.1:{}{LOGIN_PATH}?code={code}", app.port);
    Ok(Json(serde_json::json!({ "url": url })))
}

/// `GET /api/processes`.
pub async fn processes(State(app): State<App>) -> Result<Json<Vec<AttachableProcess>>, ApiError> {
    (app.actions.processes)().await.map(Json).map_err(ApiError::refused)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attach {
    pid: u32,
}

/// `POST /api/attach {"pid": 1}`.
pub async fn attach(
    State(app): State<App>,
    body: Body<Attach>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let session = (app.actions.attach)(body?.0.pid).await.map_err(ApiError::refused)?;
    Ok(Json(serde_json::json!({ "session": session })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMark {
    name: String,
    at_ns: Option<u64>,
}

type Body<T> = Result<Json<T>, axum::extract::rejection::JsonRejection>;

impl From<axum::extract::rejection::JsonRejection> for ApiError {
    fn from(error: axum::extract::rejection::JsonRejection) -> Self {
        Self::bad_request(error.body_text())
    }
}

/// `POST /api/sessions/{id}/marks {"name": "after", "at_ns": 5}`; `at_ns` is now by default.
pub async fn add_mark(
    State(app): State<App>,
    Path(id): Path<u32>,
    body: Body<NewMark>,
) -> Result<(StatusCode, Json<Mark>), ApiError> {
    let Json(mark) = body?;
    let name = mark_name(&mark.name)?;
    let mark = app.hub.mark(SessionId(id), name, mark.at_ns).await?;
    Ok((StatusCode::CREATED, Json(mark)))
}

fn mark_name(text: &str) -> Result<String, ApiError> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MARK_NAME_MAX || name.chars().any(char::is_control)
    {
        return Err(ApiError::bad_request(format!(
            "a mark's name is 1 to {MARK_NAME_MAX} characters without control characters"
        )));
    }
    Ok(name.to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkName {
    name: String,
}

/// `POST /api/sessions/{id}/marks/{mark} {"name": "warm"}`: gives it another name.
pub async fn rename_mark(
    State(app): State<App>,
    Path((id, mark)): Path<(u32, u32)>,
    body: Body<MarkName>,
) -> Result<Json<Mark>, ApiError> {
    let name = mark_name(&body?.0.name)?;
    Ok(Json(app.hub.rename_mark(SessionId(id), mark, name).await?))
}

/// `DELETE /api/sessions/{id}/marks/{mark}`.
pub async fn remove_mark(
    State(app): State<App>,
    Path((id, mark)): Path<(u32, u32)>,
) -> Result<StatusCode, ApiError> {
    app.hub.unmark(SessionId(id), mark).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/sessions/{id}/detach`: answers once the target is left.
pub async fn detach(
    State(app): State<App>,
    Path(id): Path<u32>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let by = match app.auth.identify(&headers, app.port) {
        Some(Identity::Bearer) => "by `gilscope detach`",
        _ => "on the dashboard",
    };
    let outcome = tokio::time::timeout(DETACH_TIMEOUT, app.hub.detach(SessionId(id), by)).await;
    outcome.map_err(|_| {
        ApiError::refused("the target has not been left yet; gilscope keeps trying")
    })??;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTry {
    remedy: String,
}

/// `POST /api/sessions/{id}/tries {"remedy": "io-priority"}`: puts a remedy on the target.
pub async fn add_try(
    State(app): State<App>,
    Path(id): Path<u32>,
    body: Body<NewTry>,
) -> Result<(StatusCode, Json<serde_json::Value>), ApiError> {
    let remedy = (app.actions.remedy)(body?.remedy.trim()).map_err(ApiError::bad_request)?;
    let setting = app.hub.try_remedy(SessionId(id), remedy).await?;
    let told = serde_json::json!({ "remedy": remedy.name(), "setting": setting });
    Ok((StatusCode::CREATED, Json(told)))
}

/// `DELETE /api/sessions/{id}/tries/{remedy}`: takes it back.
pub async fn undo_try(
    State(app): State<App>,
    Path((id, name)): Path<(u32, String)>,
) -> Result<StatusCode, ApiError> {
    let name = remedy::name_of(&name).map_err(ApiError::bad_request)?;
    app.hub.undo_remedy(SessionId(id), name).await?;
    Ok(StatusCode::NO_CONTENT)
}
