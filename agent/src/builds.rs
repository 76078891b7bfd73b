//! `waybill connectors list|accept|rollback|choose|retry`: what the running agent says of its connectors, and what a
//! person decides about them. Owns the wording of tables; the decisions are the engine's.

use crate::check;
use crate::cli::{AcceptBuild, ChooseBuild};
use crate::commands::{Agent, coded, list as rows_of, text, time};
use crate::config::Config;
use crate::out::{Failure, Out};
use serde_json::{Value, json};
use waybill_http::LocalClient;

/// Digits of a hash that people are shown.
const DIGITS: usize = 12;

fn short(hash: &Value) -> String {
    text(hash).chars().take(DIGITS).collect()
}

/// What the running agent says; where none answers, what lies in the folder.
pub(crate) async fn list(out: Out, config: &Config, folder: bool) -> Result<(), Failure> {
    if folder {
        return check::connectors(out, config).await;
    }
    if let Ok(client) = LocalClient::connect(&config.socket).await {
        return Agent { out, client }.connectors().await;
    }
    out.line("No agent answers; this lies in the folder:");
    check::connectors(out, config).await
}

impl Agent {
    /// Every connector with its builds, its passport, and what waits.
    pub(crate) async fn connectors(&self) -> Result<(), Failure> {
        let view = self.get("/api/v1/connectors").await?;
        self.out.value(&view);
        let connectors = rows_of(&view["connectors"]);
        if !view["folder"].is_null() {
            self.out.line(text(&view["folder"]));
        }
        if connectors.is_empty() {
            self.out
                .line("No connector is installed: put its file into the connectors folder.");
        }
        for connector in connectors {
            self.connector(connector);
        }
        for stranger in rows_of(&view["strangers"]) {
            self.refused("", stranger);
        }
        Ok(())
    }

    fn connector(&self, connector: &Value) {
        let running = &connector["running"];
        self.out.line(format!(
            "{} ({}) {}: {}",
            text(&connector["title"]),
            text(&connector["id"]),
            text(&running["version"]),
            text(&connector["sentence"])
        ));
        let trial = &connector["trial"];
        if !trial.is_null() {
            self.out.line(format!(
                "  On trial: {} of {} batches without a problem",
                text(&trial["good"]),
                text(&trial["of"])
            ));
            for bad in rows_of(&trial["bad"]) {
                self.out.line(format!("  Bad: {}", text(bad)));
            }
        }
        self.waiting(&connector["waiting"]);
        if !connector["refused"].is_null() {
            self.refused("  ", &connector["refused"]);
        }
        let mut rows = Vec::new();
        let mut row = |state: &str, build: &Value, since: &str, detail: String| {
            rows.push(vec![
                state.to_owned(),
                text(&build["version"]),
                short(&build["hash"]),
                time(&build[since]),
                detail,
            ]);
        };
        if running.is_object() {
            row("in use", running, "since", text(&running["who"]));
        }
        for build in rows_of(&connector["previous"]) {
            row("before", build, "since", text(&build["who"]));
        }
        for build in rows_of(&connector["bad"]) {
            row("taken back", build, "at", text(&build["reason"]));
        }
        self.out
            .table(&["BUILD", "VERSION", "HASH", "SINCE", "BY, OR WHY"], &rows);
        for line in rows_of(&connector["passport"]) {
            self.out.line(format!("  {}", text(line)));
        }
    }

    fn waiting(&self, waiting: &Value) {
        if waiting.is_null() {
            return;
        }
        self.out.line(format!(
            "  Version {} ({}, {}) asks for:",
            text(&waiting["version"]),
            text(&waiting["file"]),
            short(&waiting["hash"])
        ));
        for ask in rows_of(&waiting["asks"]) {
            self.out.line(format!("  - {}", text(ask)));
        }
        for setting in rows_of(&waiting["settings"]) {
            self.out.line(format!(
                "  - `{}.{}`: {}. {}",
                text(&setting["connection"]),
                text(&setting["key"]),
                text(&setting["label"]),
                text(&setting["help"])
            ));
        }
        if !waiting["accepted"].is_null() {
            let who = text(&waiting["accepted"]);
            self.out
                .line(format!("  Accepted by {who}; it is being tested."));
        }
    }

    fn refused(&self, indent: &str, refused: &Value) {
        self.out.line(format!(
            "{indent}Not taken: {}: {}",
            text(&refused["file"]),
            text(&refused["reason"])
        ));
        if !refused["hint"].is_null() {
            self.out
                .line(format!("{indent}  {}", text(&refused["hint"])));
        }
    }

    /// Shows what a waiting build asks for, and grants it once that is said with `--yes`.
    pub(crate) async fn accept_build(&self, args: &AcceptBuild) -> Result<(), Failure> {
        let view = self.get("/api/v1/connectors").await?;
        let found = rows_of(&view["connectors"])
            .iter()
            .find(|connector| connector["id"] == args.connector.as_str());
        let waiting = found.map_or(&Value::Null, |connector| &connector["waiting"]);
        if waiting.is_null() {
            return Err(Failure::hinted(
                format!("no build of `{}` waits", args.connector),
                "`waybill connectors list` shows what does.",
            ));
        }
        self.waiting(waiting);
        if !args.yes && !self.out.ask("Grant this?", "Say --yes to grant it.")? {
            self.out.line("Nothing was granted.");
            return Ok(());
        }
        let settings: Vec<Value> = args
            .set
            .iter()
            .map(|set| json!({"connection": set.connection, "key": set.key, "value": set.value}))
            .collect();
        // What was shown, or named: another build that came meanwhile is not accepted unseen.
        let hash = args.hash.clone().unwrap_or_else(|| text(&waiting["hash"]));
        let place = format!("/api/v1/connectors/{}/accept", coded(&args.connector));
        self.said(&place, &json!({"hash": hash, "settings": settings}))
            .await
    }

    /// Goes back to the build before.
    pub(crate) async fn roll_back(&self, connector: &str) -> Result<(), Failure> {
        let place = format!("/api/v1/connectors/{}/rollback", coded(connector));
        self.said(&place, &Value::Null).await
    }

    /// Chooses a build by its hash.
    pub(crate) async fn choose_build(&self, args: &ChooseBuild) -> Result<(), Failure> {
        let place = format!("/api/v1/connectors/{}/choose", coded(&args.connector));
        self.said(&place, &json!({"hash": args.hash})).await
    }

    /// Looks again at a refused file.
    pub(crate) async fn retry_build(&self, file: &str) -> Result<(), Failure> {
        self.said("/api/v1/connectors-retry", &json!({"file": file}))
            .await
    }

    async fn said(&self, place: &str, body: &Value) -> Result<(), Failure> {
        let answer = self.ask(place, body).await?;
        self.out.line(text(&answer["sentence"]));
        self.out.value(&answer);
        Ok(())
    }
}
