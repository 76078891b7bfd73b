//! `waybill apply`: reads what a provisioning file refers to in this process's own environment and folders, shows the
//! difference, asks, and hands the file to the agent. What the file means is `waybill_engine::apply`'s.

use crate::cli::Apply;
use crate::config::{Config, Environment, environment};
use crate::out::{Failure, InFile, Out};
use crate::wire;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use waybill_engine::apply::{self, Difference, Mistake, Place, Reference};
use waybill_http::{ClientError, LocalClient};

/// A provisioning file with everything it refers to.
pub(crate) struct File {
    /// As it was named.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
    /// Values of its references.
    pub(crate) inputs: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Answer {
    difference: Difference,
}

#[derive(Deserialize)]
struct Refused {
    mistakes: Vec<Mistake>,
}

/// Reads a file and what it refers to; every mistake of form at once, then every value that is missing at once.
pub(crate) fn read(path: &Path, environment: Environment<'_>) -> Result<File, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Failure::Usage {
        message: format!("`{name}` cannot be read: {error}"),
        hint: None,
    })?;
    let references =
        apply::references(&text).map_err(|mistakes| Failure::mistakes(&name, mistakes))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut inputs = BTreeMap::new();
    let mut mistakes = Vec::new();
    for reference in &references {
        match input(reference, &name, folder, environment) {
            Ok(Some(value)) => {
                inputs.insert(reference.name.clone(), value);
            }
            // Parsing says so, with the place.
            Ok(None) => {}
            Err(found) => mistakes.extend(found),
        }
    }
    if !mistakes.is_empty() {
        return Err(Failure::Mistakes(mistakes));
    }
    apply::parse(&text, &inputs).map_err(|mistakes| Failure::mistakes(&name, mistakes))?;
    Ok(File { name, text, inputs })
}

fn input(
    reference: &Reference,
    name: &str,
    folder: &Path,
    environment: Environment<'_>,
) -> Result<Option<String>, Vec<InFile>> {
    let (kind, what) = reference
        .name
        .split_once(':')
        .unwrap_or(("", &reference.name));
    if kind == "env" {
        return Ok(environment(what));
    }
    let path = folder.join(what);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let place = Place {
                line: reference.line,
                column: reference.column,
            };
            let mistake = Mistake::new(
                place,
                format!("`{}` cannot be read: {error}", path.display()),
            )
            .hint("A relative path starts at the folder of this file.");
            let file = name.to_owned();
            return Err(vec![InFile { file, mistake }]);
        }
    };
    if kind == "csv" {
        return rows(&text, &path).map(Some);
    }
    Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}

/// The rows of a CSV file with the columns value, code and, if there is one, label, as `apply::parse` wants them; or every bad row.
fn rows(text: &str, path: &Path) -> Result<String, Vec<InFile>> {
    let mut rows: Vec<(String, String, Option<String>)> = Vec::new();
    let mut mistakes = Vec::new();
    let mut note = |line: u64, message: String, hint: &str| {
        let place = Place {
            line: usize::try_from(line).unwrap_or(usize::MAX),
            column: 1,
        };
        mistakes.push(InFile {
            file: path.display().to_string(),
            mistake: Mistake::new(place, message).hint(hint),
        });
    };
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let heads: Vec<String> = match reader.headers() {
        Ok(heads) => heads.iter().map(str::to_lowercase).collect(),
        Err(error) => vec![error.to_string()],
    };
    if heads != ["value", "code"] && heads != ["value", "code", "label"] {
        let message = format!("the columns are `{}`", heads.join(","));
        note(
            1,
            message,
            "Begin the file with the line `value,code` or `value,code,label`.",
        );
        return Err(mistakes);
    }
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(1, csv::Position::line);
                note(
                    line,
                    "this row cannot be read".to_owned(),
                    "Save the file as CSV in UTF-8.",
                );
                continue;
            }
        };
        let line = record.position().map_or(1, csv::Position::line);
        if record.len() != heads.len() {
            let message = format!("this row has {} columns, not {}", record.len(), heads.len());
            note(line, message, "Put a text with a comma in quotes.");
            continue;
        }
        if record[0].is_empty() || record[1].is_empty() {
            let hint = "Leave the row out: an empty cell parks the orders that need it.";
            note(line, "a cell needs a value and a code".to_owned(), hint);
            continue;
        }
        let label = record.get(2).filter(|label| !label.is_empty());
        rows.push((
            record[0].to_owned(),
            record[1].to_owned(),
            label.map(str::to_owned),
        ));
    }
    if mistakes.is_empty() {
        Ok(json!(rows).to_string())
    } else {
        Err(mistakes)
    }
}

/// Who answers: the running agent, or its data folder while it is stopped.
enum Target {
    Agent(LocalClient),
    Folder(Box<wire::Offline>),
}

impl Target {
    fn close(self) -> Result<(), Failure> {
        match self {
            Self::Agent(_) => Ok(()),
            Self::Folder(offline) => offline.close(),
        }
    }

    async fn ask(&self, file: &File, dry_run: bool) -> Result<Difference, Failure> {
        match self {
            Self::Folder(offline) => offline.apply(file, dry_run).await,
            Self::Agent(client) => {
                let body = json!({"toml": file.text, "secrets": file.inputs, "dry_run": dry_run});
                let answer = client.post_json("/api/v1/apply", &body).await;
                let answer = answer.map_err(|error| refused(&file.name, &error))?;
                let answer: Answer = serde_json::from_value(answer).map_err(anyhow::Error::from)?;
                Ok(answer.difference)
            }
        }
    }
}

fn refused(name: &str, error: &ClientError) -> Failure {
    if let ClientError::Refused { answer, .. } = error
        && let Ok(refused) = serde_json::from_value::<Refused>(answer.clone())
    {
        return Failure::mistakes(name, refused.mistakes);
    }
    crate::commands::client_failure(error)
}

/// Applies a file.
pub(crate) async fn run(out: Out, config: &Config, args: &Apply) -> Result<(), Failure> {
    let file = read(&args.file, &environment)?;
    let target = if args.offline {
        Target::Folder(Box::new(wire::Offline::open(config).await?))
    } else {
        let client = LocalClient::connect(&config.socket).await;
        Target::Agent(client.map_err(|error| crate::commands::client_failure(&error))?)
    };
    let done = converse(out, args, &file, &target).await;
    target.close()?;
    done
}

async fn converse(out: Out, args: &Apply, file: &File, target: &Target) -> Result<(), Failure> {
    let wanted = target.ask(file, true).await?;
    if wanted.changes.is_empty() {
        out.line("Nothing to change.");
        out.value(&json!({"applied": false, "difference": wanted}));
        return Ok(());
    }
    for change in &wanted.changes {
        out.line(change.to_string());
    }
    if args.dry_run {
        out.line(format!(
            "{} would be applied. Nothing was changed.",
            changes(&wanted)
        ));
        out.value(&json!({"applied": false, "difference": wanted}));
        return Ok(());
    }
    let question = format!("Apply {}?", changes(&wanted));
    let unasked = "Say --yes, or --dry-run to see the difference only.";
    if !args.yes && !out.ask(&question, unasked)? {
        out.line("Nothing was changed.");
        return Ok(());
    }
    let done = target.ask(file, false).await?;
    out.line(format!("Applied: {}.", changes(&done)));
    out.value(&json!({"applied": true, "difference": done}));
    Ok(())
}

fn changes(difference: &Difference) -> String {
    match difference.changes.len() {
        1 => "1 change".to_owned(),
        many => format!("{many} changes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version = 1\n[[connection]]\nname = \"net\"\nconnector = \"net\"\n[connection.credentials.client]\nid = { env = \"ID\" }\nsecret = { file = \"secret\" }\n[[crosswalk]]\nfrom = \"net\"\nto = \"erp\"\ntable = \"items\"\ncsv = \"items.csv\"\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    fn messages(failure: &Failure) -> Vec<String> {
        match failure {
            Failure::Mistakes(mistakes) => {
                let shown = mistakes.iter().map(|m| {
                    let file = Path::new(&m.file)
                        .file_name()
                        .unwrap()
                        .display()
                        .to_string();
                    format!("{file}:{}: {}", m.mistake.line, m.mistake.message)
                });
                shown.collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn environment_files_and_tables_are_read_here() {
        let csv = "\u{feff}Value,Code,Label\nAB-1,501,\"Mug, blue\"\nAB-2,502,\n";
        let dir = folder(&[("f.toml", FILE), ("secret", "s3cret\n"), ("items.csv", csv)]);
        let env = |name: &str| (name == "ID").then(|| "id-1".to_owned());
        let file = read(&dir.path().join("f.toml"), &env).unwrap_or_else(|f| panic!("{f:?}"));
        assert_eq!(file.inputs["env:ID"], "id-1");
        assert_eq!(file.inputs["file:secret"], "s3cret");
        let plan = apply::parse(&file.text, &file.inputs).unwrap();
        let cells = &plan.crosswalks[0].cells;
        assert_eq!(cells[0].label.as_deref(), Some("Mug, blue"));
        assert_eq!((cells[1].code.as_str(), &cells[1].label), ("502", &None));
    }

    #[test]
    fn every_missing_value_and_bad_row_is_told_at_once() {
        let csv = "value,code\nAB-1\n,7\nAB-3,503\n";
        let dir = folder(&[("f.toml", FILE), ("items.csv", csv)]);
        let failure = read(&dir.path().join("f.toml"), &|_| None).err().unwrap();
        let found = messages(&failure);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("f.toml:7: ") && found[0].contains("secret` cannot be read"));
        assert_eq!(found[1], "items.csv:2: this row has 1 columns, not 2");
        assert_eq!(found[2], "items.csv:3: a cell needs a value and a code");
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        std::fs::write(dir.path().join("items.csv"), "value,code\nA,1\n").unwrap();
        let failure = read(&dir.path().join("f.toml"), &|_| None).err().unwrap();
        assert_eq!(
            messages(&failure),
            ["f.toml:6: the environment variable `ID` is not set"]
        );
    }
}
