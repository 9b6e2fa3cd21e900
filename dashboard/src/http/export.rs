//! Routes that give files: plots and the report, drawn by the same code as the command line's.
//!
//! They come as attachments under a policy of their own (`sandbox`): an SVG with a target's names in
//! it must never run as a page of ours.

use super::App;
use super::detail::detail;
use super::error::ApiError;
use crate::hub::SessionId;
use crate::plot::{self, Format, Plot, PlotError};
use crate::report;
use crate::store::Snapshot;
use crate::view::View;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// `GET /api/sessions/{id}/report.json`: of the range, by default of the whole session.
pub async fn report(
    State(app): State<App>,
    Path(id): Path<u32>,
    view: View,
) -> Result<Response, ApiError> {
    let written = app.hub.with(SessionId(id), move |snapshot| {
        let mut out = Vec::new();
        let range = view.range_in(snapshot.range());
        let pid = snapshot.target().pid;
        report::write(snapshot, range, report::Format::Json, &mut out).map(|()| (out, pid))
    });
    let (bytes, pid) = written.await?.map_err(ApiError::internal)?;
    Ok(attachment(bytes, "application/json", &format!("gilscope-{pid}-report.json")))
}

/// `GET /api/sessions/{id}/export/{plot}.{svg|png|csv}`: of the range, by default of the whole session.
pub async fn plot(
    State(app): State<App>,
    Path((id, file)): Path<(u32, String)>,
    view: View,
) -> Result<Response, ApiError> {
    let (plot, format) = plot_and_format(&file)?;
    // The hub draws, which takes a moment; pixels take far longer and hold up nobody here.
    let drawing = if format == Format::Png { Format::Svg } else { format };
    let id = SessionId(id);
    let missing =
        move |snapshot: &Snapshot<'_>| plot.missing(snapshot, view.range_in(snapshot.range()));
    let detail = detail(&app, id, missing).await?;
    let drawn = app.hub.with(id, move |snapshot| {
        let mut out = Vec::new();
        let range = view.range_in(snapshot.range());
        let pid = snapshot.target().pid;
        plot::write(snapshot, plot, range, detail.as_ref(), drawing, &mut out).map(|()| (out, pid))
    });
    let (mut bytes, pid) = drawn.await?.map_err(plot_error)?;
    if format == Format::Png {
        let rendered = tokio::task::spawn_blocking(move || plot::png(&bytes)).await;
        bytes = rendered.map_err(ApiError::internal)?.map_err(plot_error)?;
    }
    Ok(attachment(bytes, format.media_type(), &format!("gilscope-{pid}-{file}")))
}

fn plot_error(error: PlotError) -> ApiError {
    match error {
        PlotError::NoData { .. } => ApiError::refused(error.to_string()),
        other => ApiError::internal(other),
    }
}

fn plot_and_format(file: &str) -> Result<(Plot, Format), ApiError> {
    let (name, extension) = file.split_once('.').unwrap_or((file, ""));
    Plot::from_name(name).zip(Format::from_extension(extension)).ok_or_else(|| {
        let names = Plot::ALL.map(Plot::name).join(", ");
        ApiError::not_found(format!(
            "there is no such plot; plots are {names}, each as .svg, .png or .csv"
        ))
    })
}

/// `name` consists of our own words and numbers only.
fn attachment(bytes: Vec<u8>, media_type: &'static str, name: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
    ];
    (headers, bytes).into_response()
}
