//! Matches by spreadsheet, of every table alike: the download, the preview of an upload, and the upload saved, all of it or
//! nothing.

use super::layout::{Base, sentence};
use super::matching::TABLES;
use super::{base, render};
use crate::answer::{self, Answer, Failure};
use crate::html::{Mark, count};
use crate::session::Notice;
use crate::site::{Asked, Staged, locked};
use askama::Template;
use hyper::StatusCode;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;
use waybill_engine::mappings::{MappingsView, RowChange, RowEffect};
use waybill_engine::view::Tone;

/// A line of the preview.
struct Line {
    row: u64,
    retailer: String,
    value: String,
    code: String,
    what: Mark,
}

#[derive(Template)]
#[template(path = "matching_preview.html")]
struct PreviewPage {
    base: Base,
    table: String,
    title: String,
    back: String,
    file: String,
    summary: String,
    release: String,
    mistakes: Vec<(u64, String, String, Option<String>)>,
    more_mistakes: u64,
    changes: Vec<Line>,
    more_changes: u64,
    id: Option<String>,
}

fn place(table: &str) -> String {
    format!("/matching/{table}")
}

/// The download.
pub(crate) async fn download(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let table = asked.param("table");
    let csv = asked.site.handle.export_mappings(table).await?;
    // The table is known by now, so its name is harmless.
    Ok(answer::csv(&format!("{table}.csv"), csv))
}

/// The preview of an upload.
pub(crate) async fn check(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let table = asked.param("table");
    let Some(file) = &asked.file else {
        let notice = Notice {
            bad: true,
            text: "No file was chosen.".to_owned(),
            hint: Some("Choose a CSV file, then check it.".to_owned()),
            ..Notice::default()
        };
        return Ok(asked.say(&place(table), notice));
    };
    let Ok(text) = std::str::from_utf8(&file.bytes) else {
        let notice = Notice {
            bad: true,
            text: format!("{} is not written in UTF-8.", file.name),
            hint: Some("Save it as \"CSV UTF-8\" in your spreadsheet program.".to_owned()),
            ..Notice::default()
        };
        return Ok(asked.say(&place(table), notice));
    };
    let text: Arc<str> = Arc::from(text);
    let view = asked
        .site
        .handle
        .import_mappings(table, text.clone(), true, &asked.who)
        .await?;
    let mut id = None;
    if let (true, Ok(browsers), Some(visitor)) = (view.wrong == 0, asked.browsers(), &asked.visitor)
    {
        let mut tag = String::new();
        for byte in Sha256::digest(text.as_bytes()).iter().take(12) {
            // Writing to a string cannot fail.
            let _ = write!(tag, "{byte:02x}");
        }
        *locked(&browsers.staged) = Some(Staged {
            key: visitor.key,
            table: table.to_owned(),
            id: tag.clone(),
            text,
        });
        id = Some(tag);
    }
    let (base, _) = base(asked, "/matching/items", "Preview").await?;
    render(StatusCode::OK, &preview(base, &file.name, &view, id))
}

/// Applies the upload that was previewed.
pub(crate) async fn apply(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let table = asked.param("table");
    let id = asked.form.filled("file").unwrap_or_default();
    let key = asked.visitor.as_ref().map(|visitor| visitor.key);
    let staged = locked(&asked.browsers()?.staged).take();
    let Some(staged) = staged.filter(|s| s.id == id && s.table == table && Some(s.key) == key)
    else {
        let notice = Notice {
            bad: true,
            text: "This file is not kept any more. Nothing was changed.".to_owned(),
            hint: Some("Choose it and check it again.".to_owned()),
            ..Notice::default()
        };
        return Ok(asked.say(&place(table), notice));
    };
    let view = asked
        .site
        .handle
        .import_mappings(table, staged.text, false, &asked.who)
        .await?;
    let notice = if view.applied {
        Notice {
            text: format!(
                "Saved: {}. {} on.",
                summary(&view),
                count(view.released, "document goes", "documents go")
            ),
            ..Notice::default()
        }
    } else {
        Notice {
            bad: true,
            text: "What can be matched changed meanwhile, and rows of the file do not fit any more. Nothing was changed."
                .to_owned(),
            hint: Some("Check the file again; it names the rows.".to_owned()),
            ..Notice::default()
        }
    };
    Ok(asked.say(&place(table), notice))
}

fn summary(view: &MappingsView) -> String {
    let mut parts = vec![
        count(view.new, "new match", "new matches"),
        format!("{} changed", view.changed),
    ];
    if view.taken_back > 0 {
        parts.push(format!("{} taken back", view.taken_back));
    }
    if view.announced > 0 {
        parts.push(format!("{} announced", view.announced));
    }
    parts.push(format!("{} as it is", view.same));
    parts.join(", ")
}

fn line(change: &RowChange) -> Line {
    let named = |code: &str| match &change.label {
        Some(label) => format!("{code} ({label})"),
        None => code.to_owned(),
    };
    let what = match (change.effect, &change.old) {
        (RowEffect::New, _) => Mark::of(Tone::Ok, "New match"),
        (RowEffect::Changed, Some(old)) => Mark::of(Tone::Soon, format!("Changed, was {old}")),
        (RowEffect::Changed, None) => Mark::of(Tone::Soon, "Changed"),
        (RowEffect::TakenBack, old) => Mark::of(
            Tone::Soon,
            format!("Taken back, was {}", old.as_deref().unwrap_or_default()),
        ),
        (RowEffect::Announced, _) => Mark::of(Tone::Ok, "Announced"),
        (RowEffect::Required, _) => Mark::of(Tone::Ok, "Announced, and required"),
        (RowEffect::TakenOff, _) => Mark::of(Tone::Soon, "Not announced any more"),
    };
    Line {
        row: change.row,
        retailer: change
            .retailer
            .clone()
            .unwrap_or_else(|| "all retailers".to_owned()),
        value: change.value.clone(),
        code: change.new.as_deref().map_or_else(String::new, named),
        what,
    }
}

fn preview(base: Base, file: &str, view: &MappingsView, id: Option<String>) -> PreviewPage {
    let shown = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let changes = view.new + view.changed + view.taken_back + view.announced;
    let title = TABLES.iter().find(|(table, _)| *table == view.table);
    PreviewPage {
        file: file.to_owned(),
        summary: format!("{}: {}", count(view.rows, "row", "rows"), summary(view)),
        release: match view.released {
            0 => "Nothing waits for these matches.".to_owned(),
            n => format!("{} on.", count(n, "document goes", "documents go")),
        },
        mistakes: view
            .mistakes
            .iter()
            .map(|m| {
                (
                    m.row,
                    m.column.clone(),
                    sentence(&m.message),
                    m.hint.clone(),
                )
            })
            .collect(),
        more_mistakes: view.wrong.saturating_sub(shown(view.mistakes.len())),
        changes: view.changes.iter().map(line).collect(),
        more_changes: changes.saturating_sub(shown(view.changes.len())),
        id: id.filter(|_| changes > 0),
        back: place(&view.table),
        title: title.map_or_else(String::new, |(_, words)| words.to_lowercase()),
        table: view.table.clone(),
        base,
    }
}

#[cfg(test)]
#[path = "spreadsheet_tests.rs"]
mod tests;
