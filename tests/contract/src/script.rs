//! A vendor written down in a settings file: which request is answered how, which one makes a record, which one finds
//! records again. The sandboxes' server puts it on a socket. Knows no connector.

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use waybill_model::document::{Document, Entity};
use waybill_sim::fault::glob;
use waybill_sim::vendor::{Req, Resp, Vendor};

/// What the author of a connector says about it: settings, secrets, documents, and the vendor.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Script {
    /// Settings of the connection; `{vendor}` is the vendor's address.
    pub settings: BTreeMap<String, String>,
    /// Secrets by slot and name.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// How long a new record stays invisible to searches.
    pub search_lag_secs: Option<u32>,
    /// What the vendor answers; the first that fits counts.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
    /// What is pushed.
    #[serde(rename = "push")]
    pub pushes: Vec<Push>,
    /// Nobody wrote this one: what it cannot tell is skipped.
    #[serde(skip)]
    pub(crate) generic: bool,
}

/// One answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// `METHOD /path`; `*` stands for anything.
    pub request: String,
    /// Query parameters that must be there with these values.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// The answer's status.
    #[serde(default = "ok")]
    pub status: u16,
    /// The answer's body. `{id}` and `{key}` of the record it makes, `{items}` of those it finds.
    #[serde(default)]
    pub body: String,
    /// The request makes a record, named by this field of its JSON body.
    pub makes: Option<String>,
    /// The request finds the records whose name equals this query parameter.
    pub finds: Option<String>,
    /// One found record, with its `{id}` and `{key}`.
    #[serde(default)]
    pub item: String,
}

/// One kind of document that is pushed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Push {
    /// For example `order`.
    pub entity: String,
    /// Files with documents as JSON; without them, samples are made.
    #[serde(default)]
    pub documents: Vec<PathBuf>,
}

const fn ok() -> u16 {
    200
}

/// Longer than a hasty connector waits.
const SEARCH_LAG_SECS: u32 = 5;

impl Script {
    /// Reads a settings file; documents are looked for beside it.
    ///
    /// # Errors
    /// When it cannot be read, or names what does not exist.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        let mut script: Self = toml::from_str(&text)
            .with_context(|| format!("`{}` is no settings file", path.display()))?;
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        for push in &mut script.pushes {
            push.entity()?;
            for document in &mut push.documents {
                *document = folder.join(&*document);
            }
        }
        ensure!(
            !script.rules.is_empty(),
            "`{}` has no `[[rule]]`: the vendor would answer nothing",
            path.display()
        );
        Ok(script)
    }

    /// Answers everything with little: for a connector nobody wrote a file for.
    pub(crate) fn generic() -> Self {
        let rule = |request: &str, status, body: &str, makes: Option<&str>| Rule {
            request: request.to_owned(),
            query: BTreeMap::new(),
            status,
            body: body.to_owned(),
            makes: makes.map(str::to_owned),
            finds: None,
            item: String::new(),
        };
        let token =
            r#"{"id": "{id}", "access_token": "contract-access-token", "expires_in": 3600}"#;
        Self {
            rules: vec![
                rule("POST *", 201, token, Some("")),
                rule("PUT *", 200, token, Some("")),
                rule("*", 200, "{}", None),
            ],
            generic: true,
            ..Self::default()
        }
    }
}

impl Push {
    pub(crate) fn entity(&self) -> anyhow::Result<Entity> {
        Entity::from_word(&self.entity)
            .with_context(|| format!("`{}` is no kind of document", self.entity))
    }

    pub(crate) fn read(&self) -> anyhow::Result<Vec<Document>> {
        let read = |path: &PathBuf| {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read `{}`", path.display()))?;
            serde_json::from_str(&text)
                .with_context(|| format!("`{}` is no document", path.display()))
        };
        self.documents.iter().map(read).collect()
    }
}

#[derive(Debug)]
struct Record {
    id: usize,
    rule: usize,
    key: String,
    at: i64,
}

/// The vendor of a script.
#[derive(Debug)]
pub(crate) struct Scripted {
    script: Script,
    records: Vec<Record>,
}

impl Scripted {
    pub(crate) const fn new(script: Script) -> Self {
        Self {
            script,
            records: Vec::new(),
        }
    }
}

/// The field `a.b` of a JSON body, as text; the whole body where there is none.
fn name_of(body: &[u8], field: &str) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let found = field.split('.').try_fold(&value, |v, part| match v {
        Value::Array(all) => all.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    });
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::from_utf8_lossy(body).into_owned(),
        Some(other) => other.to_string(),
    }
}

/// Quotes would break the template they are put into.
fn filled(template: &str, record: &Record) -> String {
    let key = Value::String(record.key.clone()).to_string();
    template
        .replace("{id}", &record.id.to_string())
        .replace("{key}", key.trim_matches('"'))
}

impl Vendor for Scripted {
    fn handle(&mut self, now_ms: i64, req: &Req) -> Resp {
        let line = format!("{} {}", req.method, req.path);
        let fits = |rule: &&Rule| {
            glob(&rule.request, &line)
                && rule
                    .query
                    .iter()
                    .all(|(name, value)| req.param(name) == Some(value))
        };
        let Some(at) = self.script.rules.iter().position(|rule| fits(&rule)) else {
            return Resp::json(404, &json!({"error": format!("no rule for {line}")}));
        };
        let rule = self.script.rules[at].clone();
        let mut body = rule.body.clone();
        if let Some(field) = &rule.makes {
            let record = Record {
                id: self.records.len() + 1,
                rule: at,
                key: name_of(&req.body, field),
                at: now_ms,
            };
            body = filled(&body, &record);
            self.records.push(record);
        }
        if let Some(parameter) = &rule.finds {
            let wanted = req.param(parameter).unwrap_or_default();
            let lag = self.script.search_lag_secs.unwrap_or(SEARCH_LAG_SECS);
            let seen = now_ms - i64::from(lag) * 1_000;
            let found: Vec<String> = self
                .records
                .iter()
                .filter(|r| r.key == wanted && r.at <= seen)
                .map(|r| filled(&rule.item, r))
                .collect();
            body = body.replace("{items}", &found.join(","));
        }
        let mut answer = Resp::text(rule.status, &body);
        answer.headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        answer
    }

    fn control(&mut self, _: i64, _: &Req) -> Resp {
        Resp::json(
            404,
            &json!({"error": "a scripted vendor has no such control call"}),
        )
    }

    fn tick(&mut self, _: i64) {}

    fn endpoint(&self, req: &Req) -> String {
        format!("{} {}", req.method, req.path)
    }

    fn truth(&self) -> Value {
        let mut made: BTreeMap<String, u64> = BTreeMap::new();
        for record in &self.records {
            let name = format!(
                "{} `{}`",
                self.script.rules[record.rule].request, record.key
            );
            *made.entry(name).or_default() += 1;
        }
        json!({ "records": made })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> Script {
        toml::from_str(
            r#"
            [[rule]]
            request = "POST /orders"
            makes = "order.ref"
            status = 201
            body = '{"id": {id}}'
            [[rule]]
            request = "GET /orders"
            finds = "ref"
            item = '{"id": {id}, "ref": "{key}"}'
            body = '[{items}]'
            "#,
        )
        .unwrap()
    }

    #[test]
    fn what_is_made_is_found_once_searches_have_caught_up() {
        let mut vendor = Scripted::new(script());
        let make = Req::new("POST", "/orders").with_json(&json!({"order": {"ref": "a\"b"}}));
        assert_eq!(vendor.handle(0, &make).value(), json!({"id": 1}));
        vendor.handle(0, &make);
        let find = Req::new("GET", "/orders?ref=a%22b");
        assert_eq!(vendor.handle(4_999, &find).value(), json!([]));
        let found = json!([{"id": 1, "ref": "a\"b"}, {"id": 2, "ref": "a\"b"}]);
        assert_eq!(vendor.handle(5_000, &find).value(), found);
        assert_eq!(vendor.truth()["records"]["POST /orders `a\"b`"], 2);
        assert_eq!(vendor.handle(0, &Req::new("GET", "/x")).status, 404);
    }

    #[test]
    fn unknown_words_are_refused() {
        assert!(toml::from_str::<Script>("[setings]").is_err());
        assert!(
            toml::from_str::<Script>("[[push]]\nentity = \"x\"")
                .unwrap()
                .pushes[0]
                .entity()
                .is_err()
        );
    }
}
