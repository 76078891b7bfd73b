//! `waybill settings`: everything that is set as one file, and versions compared and restored. Owns the wording of its
//! tables; importing is `provision.rs`'s.

use crate::cli::{ExportSettings, Settings};
use crate::commands::{Agent, list, text, time};
use crate::out::Failure;
use serde_json::{Value, json};

/// Runs one of its commands.
pub(crate) async fn run(agent: &Agent, command: &Settings) -> Result<(), Failure> {
    match command {
        Settings::Export(args) => export(agent, args).await,
        Settings::Versions => versions(agent).await,
        Settings::Compare(args) => compare(agent, args.version).await,
        Settings::Restore(args) if !args.yes => {
            compare(agent, args.to.version).await?;
            agent
                .out
                .line("Nothing was changed. `--yes` goes back to it.");
            Ok(())
        }
        Settings::Restore(args) => {
            let place = place(args.to.version);
            let answer = agent.ask(&place, &Value::Null).await?;
            agent.out.line(text(&answer["sentence"]));
            agent.out.value(&answer);
            Ok(())
        }
        Settings::Import(_) => Err(Failure::other("a file is applied, not asked for")),
    }
}

fn place(version: u64) -> String {
    format!("/api/v1/settings/versions/{version}")
}

async fn export(agent: &Agent, args: &ExportSettings) -> Result<(), Failure> {
    let file = text(&agent.get("/api/v1/settings/file").await?);
    let Some(path) = &args.out else {
        agent.out.line(&file);
        agent.out.value(&json!({"toml": file}));
        return Ok(());
    };
    crate::mappings::write(path, &file)?;
    agent.out.line(format!(
        "Everything that is set was written to `{}`.",
        path.display()
    ));
    agent
        .out
        .value(&json!({"file": path.display().to_string()}));
    Ok(())
}

async fn versions(agent: &Agent) -> Result<(), Failure> {
    let answer = agent.get("/api/v1/settings").await?;
    let changes = &answer["changes"];
    agent.out.value(changes);
    let rows: Vec<Vec<String>> = list(changes)
        .iter()
        .map(|change| {
            let told = [
                "version",
                "key",
                "connection",
                "retailer",
                "old",
                "new",
                "who",
            ];
            let mut row: Vec<String> = told.iter().map(|name| text(&change[name])).collect();
            row.push(time(&change["at"]));
            row
        })
        .collect();
    agent.out.table(
        &[
            "VERSION",
            "SETTING",
            "CONNECTION",
            "RETAILER",
            "FROM",
            "TO",
            "BY",
            "AT",
        ],
        &rows,
    );
    Ok(())
}

async fn compare(agent: &Agent, version: u64) -> Result<(), Failure> {
    let answer = agent.get(&place(version)).await?;
    agent.out.value(&answer);
    let rows: Vec<Vec<String>> = list(&answer["rows"])
        .iter()
        .map(|row| {
            let told = ["key", "connection", "retailer", "then", "now"];
            told.iter().map(|name| text(&row[name])).collect()
        })
        .collect();
    if rows.is_empty() {
        agent.out.line("Nothing differs.");
    }
    agent
        .out
        .table(&["SETTING", "CONNECTION", "RETAILER", "THEN", "NOW"], &rows);
    Ok(())
}
