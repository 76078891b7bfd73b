//! `waybill mappings` and `waybill replay`: crosswalks as files, and trying again. Reads and writes the files it is told
//! to; what they mean is the agent's.

use crate::cli::{Export, Import, Replay};
use crate::commands::{Agent, client_failure, coded, list, text, time};
use crate::out::{Failure, InFile};
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;
use waybill_engine::apply::Mistake;
use waybill_http::ClientError;

/// A file, or standard input where it is called `-`.
pub(crate) fn file(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(path).map(|all| bytes = all)
    };
    let unreadable = |why: String| Failure::Usage {
        message: format!("`{}` cannot be read: {why}", path.display()),
        hint: Some("Save it as text in UTF-8.".to_owned()),
    };
    read.map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))
}

/// Writes a file that a person asked for.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::Usage {
        message: format!("`{}` cannot be written: {error}", path.display()),
        hint: None,
    })
}

/// The rows to correct, with the file they are in.
fn mistakes(path: &Path, found: &Value) -> Failure {
    let named = list(found).iter().map(|mistake| InFile {
        file: path.display().to_string(),
        mistake: Mistake {
            line: mistake["row"]
                .as_u64()
                .and_then(|row| usize::try_from(row).ok())
                .unwrap_or(1),
            column: 1,
            message: format!(
                "column `{}`: {}",
                text(&mistake["column"]),
                text(&mistake["message"])
            ),
            hint: mistake["hint"].as_str().map(str::to_owned),
        },
    });
    Failure::Mistakes(named.collect())
}

impl Agent {
    /// Writes a crosswalk as CSV.
    pub(crate) async fn export(&self, args: &Export) -> Result<(), Failure> {
        let answer = self
            .get(&format!("/api/v1/mappings/{}", coded(&args.table)))
            .await?;
        let csv = text(&answer);
        match &args.out {
            None => {
                self.out.line(&csv);
                self.out.value(&json!({"csv": csv}));
            }
            Some(path) => {
                write(path, &format!("{csv}\n"))?;
                let rows = csv.lines().count().saturating_sub(1);
                self.out
                    .line(format!("{rows} rows written to `{}`.", path.display()));
                self.out
                    .value(&json!({"rows": rows, "file": path.display().to_string()}));
            }
        }
        Ok(())
    }

    /// Applies a CSV file, or shows what it would change.
    pub(crate) async fn import(&self, args: &Import) -> Result<(), Failure> {
        let csv = file(&args.file)?;
        let place = format!("/api/v1/mappings/{}", coded(&args.table));
        let body = json!({"csv": csv, "dry_run": args.dry_run});
        let answer = match self.client.post_json(&place, &body).await {
            Ok(answer) => answer,
            Err(ClientError::Refused { answer, .. }) if answer["mistakes"].is_array() => {
                return Err(mistakes(&args.file, &answer["mistakes"]));
            }
            Err(error) => return Err(client_failure(&error)),
        };
        if answer["wrong"].as_u64() > Some(0) {
            return Err(mistakes(&args.file, &answer["mistakes"]));
        }
        let rows: Vec<Vec<String>> = list(&answer["changes"])
            .iter()
            .map(|change| {
                let retailer = change["retailer"].as_str().unwrap_or("all retailers");
                vec![
                    text(&change["row"]),
                    text(&change["effect"]),
                    retailer.to_owned(),
                    text(&change["value"]),
                    text(&change["old"]),
                    text(&change["new"]),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let heads = ["ROW", "WHAT", "RETAILER", "VALUE", "BEFORE", "AFTER"];
            self.out.table(&heads, &rows);
        }
        let applied = answer["applied"] == true;
        self.out.line(format!(
            "{} rows: {} new, {} changed, {} taken back, {} announced, {} as it is. Steps that {}: {}",
            text(&answer["rows"]),
            text(&answer["new"]),
            text(&answer["changed"]),
            text(&answer["taken_back"]),
            text(&answer["announced"]),
            text(&answer["same"]),
            if applied { "go on" } else { "wait for it" },
            text(&answer["released"]),
        ));
        if !applied {
            self.out.line("Nothing was changed.");
        }
        self.out.value(&answer);
        Ok(())
    }

    /// Tries again, or shows what would be tried.
    pub(crate) async fn replay(&self, args: &Replay) -> Result<(), Failure> {
        let mut body = json!({"dry_run": args.dry_run, "all_parked": args.all_parked});
        if let Some(order) = &args.order {
            let id: u64 = self.order_id(order).await?.parse().unwrap_or_default();
            body["order"] = json!(id);
        }
        if let Some(at) = args.since {
            body["since"] = json!(at);
        }
        if let Some(card) = &args.card {
            body["card"] = json!(card);
        }
        let answer = self.ask("/api/v1/replay", &body).await?;
        let rows: Vec<Vec<String>> = list(&answer["rows"])
            .iter()
            .map(|row| {
                vec![
                    text(&row["job"]),
                    text(&row["number"]),
                    text(&row["what"]),
                    time(&row["stopped_at"]),
                    text(&row["why"]),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let heads = ["STEP", "PO", "WHAT", "STOPPED", "WHY"];
            self.out.table(&heads, &rows);
        }
        let what = if args.dry_run {
            "Steps that would be tried again"
        } else {
            "Steps that are tried again"
        };
        self.out.line(format!("{what}: {}", text(&answer["again"])));
        for (field, words) in [
            ("finished", "Finished, not sent again"),
            ("under_way", "On their way already"),
            ("yours", "Need your own decision"),
            ("left_alone", "Left alone with a reason"),
        ] {
            if answer[field].as_u64() > Some(0) {
                self.out.line(format!("{words}: {}", text(&answer[field])));
            }
        }
        self.out.value(&answer);
        Ok(())
    }
}
