//! What a program gets when a request cannot be served: a status and `{"error": "one line"}`.

use crate::hub::HubError;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// An answer that is not data.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    error: String,
}

impl ApiError {
    /// The request itself is wrong; `error` says which part and what would be right.
    pub fn bad_request(error: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error: error.into() }
    }

    /// There is no such thing.
    pub fn not_found(error: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, error: error.into() }
    }

    /// The request is right, but the target or this machine does not allow it.
    pub fn refused(error: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, error: error.into() }
    }

    /// Our own fault; the cause goes to the log as well.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "request failed");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, error: error.to_string() }
    }
}

impl From<HubError> for ApiError {
    fn from(error: HubError) -> Self {
        let text = error.to_string();
        match error {
            HubError::NoSuchSession(_) | HubError::NoSuchMark(_) => Self::not_found(text),
            HubError::Fault => Self::internal(text),
            HubError::Stopped => Self { status: StatusCode::SERVICE_UNAVAILABLE, error: text },
            HubError::TooManyMarks(_)
            | HubError::NoTarget
            | HubError::Shown
            | HubError::Ended
            | HubError::Recorded
            | HubError::NotRecorded
            | HubError::Refused(_) => Self::refused(text),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(serde_json::json!({ "error": self.error }))).into_response()
    }
}
