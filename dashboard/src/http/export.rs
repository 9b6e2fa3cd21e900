//! Routes that give files: plots and the report, drawn by the same code as the command line's.

use super::App;
use super::error::ApiError;
use crate::view::View;
use axum::extract::{Path, State};
use axum::response::Response;

pub async fn report(State(_app): State<App>, Path(_id): Path<u32>) -> Result<Response, ApiError> {
    Err(ApiError::not_found("no report yet"))
}

pub async fn plot(
    State(_app): State<App>,
    Path((_id, _file)): Path<(u32, String)>,
    _view: View,
) -> Result<Response, ApiError> {
    Err(ApiError::not_found("no plots yet"))
}
