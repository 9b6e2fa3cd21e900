//! Routes for the folder of recordings: list, open, download, begin and end one.
//!
//! A recording is named by its file name within that one folder, never by a path; what is in the folder
//! and what may be opened is [`RecordingActions`]' to say.

use super::App;
use super::actions::Outcome;
use super::error::ApiError;
use crate::hub::SessionId;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

/// Bytes that go to a download at a time.
const PIECE_BYTES: usize = 256 * 1024;

/// The folder as a page shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Folder {
    pub folder: String,
    /// Newest first.
    pub files: Vec<RecordingFile>,
    /// Files that there are besides.
    pub left_out: usize,
    /// Sessions that are being recorded, here or by the command line's `-o`.
    pub recorded: Vec<SessionId>,
}

/// One recording in the folder.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordingFile {
    pub name: String,
    pub bytes: u64,
    pub modified_unix_ns: u64,
    /// What it is a recording of; null while that cannot be read.
    pub pid: Option<u32>,
    pub cmdline: Option<Vec<String>>,
    /// The session that is being recorded to it now.
    pub recording: Option<SessionId>,
    /// The session that shows it.
    pub session: Option<SessionId>,
}

/// What the command line's side does with recordings. Errors are one line for a person.
pub struct RecordingActions {
    pub list: Box<dyn Fn() -> Outcome<Folder> + Send + Sync>,
    pub open: Box<dyn Fn(String) -> Outcome<SessionId> + Send + Sync>,
    /// The path of a file that may be given away.
    pub file: Box<dyn Fn(String) -> Outcome<PathBuf> + Send + Sync>,
    /// The file with what a session's store has let go of, if there is one.
    pub path_of: Box<dyn Fn(SessionId) -> Outcome<Option<PathBuf>> + Send + Sync>,
    /// Begins to record a session; gives the file's name.
    pub begin: Box<dyn Fn(SessionId) -> Outcome<String> + Send + Sync>,
    /// Ends that; the file is complete when it answers. Gives its name, if it is one of the folder's.
    pub end: Box<dyn Fn(SessionId) -> Outcome<Option<String>> + Send + Sync>,
}

#[cfg(any(test, feature = "generator"))]
impl RecordingActions {
    /// For a server without a folder: there is nothing in it, and nothing can be done.
    pub fn none(why: fn() -> String) -> Self {
        Self {
            list: Box::new(move || Box::pin(async move { Ok(Folder::default()) })),
            open: Box::new(move |_| Box::pin(async move { Err(why()) })),
            file: Box::new(move |_| Box::pin(async move { Err(why()) })),
            path_of: Box::new(move |_| Box::pin(async move { Ok(None) })),
            begin: Box::new(move |_| Box::pin(async move { Err(why()) })),
            end: Box::new(move |_| Box::pin(async move { Err(why()) })),
        }
    }
}

/// `GET /api/recordings`.
pub async fn list(State(app): State<App>) -> Result<Json<Folder>, ApiError> {
    (app.actions.recordings.list)().await.map(Json).map_err(ApiError::refused)
}

/// `POST /api/recordings/{name}/open`: the session that shows it, which fills up from then on.
pub async fn open(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let session = (app.actions.recordings.open)(name).await.map_err(ApiError::refused)?;
    Ok(Json(json!({ "session": session })))
}

/// `GET /api/recordings/{name}`: the file itself.
pub async fn download(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let path = (app.actions.recordings.file)(name.clone()).await.map_err(ApiError::refused)?;
    let file = File::open(&path)
        .await
        .map_err(|error| ApiError::refused(format!("cannot read {}: {error}", path.display())))?;
    let length = file.metadata().await.map_err(ApiError::internal)?.len();
    // What is longer by the time that it is read is not sent: the length was promised.
    let pieces = stream::try_unfold(file.take(length), |mut file| async move {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let n = (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece).await?;
        Ok::<_, std::io::Error>((n > 0).then(|| (Bytes::from(piece), file)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// `POST /api/sessions/{id}/recording`.
pub async fn begin(State(app): State<App>, Path(id): Path<u32>) -> Result<Json<Value>, ApiError> {
    let name = (app.actions.recordings.begin)(SessionId(id)).await.map_err(ApiError::refused)?;
    Ok(Json(json!({ "name": name })))
}

/// `DELETE /api/sessions/{id}/recording`: answers when the file is complete.
pub async fn end(State(app): State<App>, Path(id): Path<u32>) -> Result<Json<Value>, ApiError> {
    let name = (app.actions.recordings.end)(SessionId(id)).await.map_err(ApiError::refused)?;
    Ok(Json(json!({ "name": name })))
}
