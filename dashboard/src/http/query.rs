//! Takes a checked [`View`] from a request's query, or answers 400 with what would be right.

use super::error::ApiError;
use crate::view::View;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

impl<S: Send + Sync> FromRequestParts<S> for View {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let hint = "from_ns, to_ns, last_ns and px are whole numbers of 0 and up";
        let Query(view) = Query::<View>::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::bad_request(format!("{}; {hint}", error.body_text())))?;
        view.checked().map_err(ApiError::bad_request)
    }
}
