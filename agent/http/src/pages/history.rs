//! History: who did what, newest first.

use super::layout::Base;
use super::{base, render};
use crate::answer::{Answer, Failure};
use crate::html::Times;
use crate::site::Asked;
use askama::Template;
use hyper::StatusCode;

/// Lines of the page.
const ROWS: usize = 200;

struct Row {
    when: String,
    iso: String,
    who: String,
    what: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    base: Base,
    rows: Vec<Row>,
}

/// The page.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (base, times) = base(asked, "/history", "History").await?;
    let history = asked.site.handle.history(ROWS).await?;
    let rows = history
        .into_iter()
        .map(|row| Row {
            when: times.when(row.at),
            iso: Times::iso(row.at),
            who: row.who,
            what: row.what,
            detail: row.detail,
        })
        .collect();
    render(StatusCode::OK, &HistoryPage { base, rows })
}
