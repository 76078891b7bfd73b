//! From the text of a provisioning file to a [`Plan`]. Pure: the environment and files it refers to are read by the
//! caller and handed in by name, so the same text means the same on either side of the admin socket.

use super::announced;
use super::cells;
use super::mistake::{At, Mistake, Place, suggest};
use super::plan::{ConnectionPlan, CrosswalkPlan, Plan, RetailerPlan, RoutePlan, SecretPlan};
use super::reader::{Reader, Section};
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::document::Entity;

/// Something outside the file that the file refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `env:NAME`, `file:PATH` (secrets) or `csv:PATH` (cells of a crosswalk).
    pub name: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

/// Everything the file refers to, in its order; or its mistakes.
pub fn references(toml: &str) -> Result<Vec<Reference>, Vec<Mistake>> {
    let (_, references) = read(toml, None)?;
    Ok(references)
}

/// The plan of a file; or all its mistakes. `inputs` holds the value of every reference by name: the secret itself,
/// and for `csv:` a JSON list of `[value, code, label or null]`.
pub fn parse(toml: &str, inputs: &BTreeMap<String, String>) -> Result<Plan, Vec<Mistake>> {
    let (plan, _) = read(toml, Some(inputs))?;
    Ok(plan)
}

fn read(
    toml: &str,
    inputs: Option<&BTreeMap<String, String>>,
) -> Result<(Plan, Vec<Reference>), Vec<Mistake>> {
    let (table, reader) = Reader::open(toml)?;
    let mut file = File {
        reader,
        inputs,
        references: Vec::new(),
    };
    let plan = file.plan(&Reader::root(&table));
    file.references.sort_by_key(|r| (r.line, r.column));
    file.reader.finish((plan, file.references))
}

/// The only version of the format so far.
const VERSION: u64 = 1;

pub(super) struct File<'a> {
    pub(super) reader: Reader<'a>,
    /// `None` while references are only collected.
    inputs: Option<&'a BTreeMap<String, String>>,
    references: Vec<Reference>,
}

impl File<'_> {
    fn plan(&mut self, root: &Section<'_>) -> Plan {
        self.reader.only(
            root,
            &[
                "version",
                "agent",
                "settings",
                "retailer",
                "connection",
                "route",
                "crosswalk",
                "announced",
            ],
        );
        self.version(root);
        let mut plan = Plan::default();
        if let Some(agent) = self.reader.section(root, "agent") {
            self.reader.only(&agent, &["store-name"]);
            plan.store_name = self
                .reader
                .text(&agent, "store-name")
                .map(|name| name.value);
        }
        plan.settings = self.reader.pairs(root, "settings");
        plan.retailers = self.retailers(root);
        for section in self.reader.sections(root, "connection") {
            plan.connections.extend(self.connection(&section));
        }
        self.each_once("connection", plan.connections.iter().map(|c| &c.name));
        for section in self.reader.sections(root, "route") {
            plan.routes.extend(self.route(&section));
        }
        for section in self.reader.sections(root, "crosswalk") {
            plan.crosswalks.extend(self.crosswalk(&section));
        }
        self.routes_once(&plan.routes);
        cells::once(&mut self.reader, &plan.crosswalks);
        for section in self.reader.sections(root, "announced") {
            plan.announced.extend(announced::read(self, &section));
        }
        announced::once(&mut self.reader, &plan.announced);
        plan
    }

    fn version(&mut self, root: &Section<'_>) {
        if !Reader::has(root, "version") {
            self.reader.note(
                Mistake::new(root.place, "`version` is missing")
                    .hint(format!("Begin the file with `version = {VERSION}`.")),
            );
        } else if let Some(version) = self.reader.number(root, "version")
            && version.value != VERSION
        {
            self.reader.note(
                Mistake::new(
                    version.place,
                    format!("version {} is not known", version.value),
                )
                .hint(format!("This agent reads version {VERSION}.")),
            );
        }
    }

    fn retailers(&mut self, section: &Section<'_>) -> Vec<RetailerPlan> {
        let mut retailers = Vec::new();
        for retailer in self.reader.sections(section, "retailer") {
            self.reader.only(&retailer, &["code", "settings"]);
            let code = self.reader.need_text(&retailer, "code");
            let settings = self.reader.pairs(&retailer, "settings");
            retailers.extend(code.map(|code| RetailerPlan { code, settings }));
        }
        self.each_once("retailer", retailers.iter().map(|r| &r.code));
        retailers
    }

    fn connection(&mut self, section: &Section<'_>) -> Option<ConnectionPlan> {
        self.reader.only(
            section,
            &[
                "name",
                "connector",
                "title",
                "private-addresses",
                "grants",
                "settings",
                "credentials",
                "retailer",
            ],
        );
        let name = self.reader.need_text(section, "name");
        if let Some(name) = &name {
            self.connection_name(name);
        }
        let connector = self.reader.need_text(section, "connector");
        let title = self.reader.text(section, "title").map(|t| t.value);
        let allow_private = self.reader.toggle(section, "private-addresses");
        let grants = self.reader.texts(section, "grants");
        for grant in &grants {
            self.grant(grant);
        }
        let settings = self.reader.pairs(section, "settings");
        let secrets = self.secrets(section);
        let retailers = self.retailers(section);
        Some(ConnectionPlan {
            name: name?,
            connector: connector?,
            title,
            default_title: None,
            allow_private: allow_private.is_some_and(|given| given.value),
            grants,
            settings,
            secrets,
            retailers,
        })
    }

    fn connection_name(&mut self, name: &At<String>) {
        let fits = name.value.len() <= 32
            && name
                .value
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits {
            self.reader.note(
                Mistake::new(
                    name.place,
                    format!("`{}` cannot be a connection's name", name.value),
                )
                .hint("Use 1 to 32 of a-z, 0-9 and `-`."),
            );
        }
    }

    fn grant(&mut self, grant: &At<String>) {
        let (host, port) = match grant.value.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (grant.value.as_str(), None),
        };
        let host_fits = !host.is_empty()
            && host.bytes().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'[' | b']' | b':')
            });
        let port_fits = port.is_none_or(|p| p.parse::<u16>().is_ok_and(|p| p > 0));
        if !host_fits || !port_fits {
            self.reader.note(
                Mistake::new(grant.place, format!("`{}` is not a host", grant.value))
                    .hint("Write `host` or `host:port`, without `https://` and without a path."),
            );
        }
    }

    fn secrets(&mut self, section: &Section<'_>) -> Vec<SecretPlan> {
        let mut secrets = Vec::new();
        let Some(slots) = self.reader.section(section, "credentials") else {
            return secrets;
        };
        for (slot, names) in self.reader.named_sections(&slots) {
            for (name, source) in self.reader.named_sections(&names) {
                self.reader.only(&source, &["env", "file"]);
                let place = source.place;
                let env = self.reader.text(&source, "env");
                let file = self.reader.text(&source, "file");
                let reference = match (env, file) {
                    (Some(env), None) => format!("env:{}", env.value),
                    (None, Some(file)) => format!("file:{}", file.value),
                    _ => {
                        self.reader.note(
                            Mistake::new(
                                place,
                                format!("`{}` needs either `env` or `file`", name.value),
                            )
                            .hint("A secret is never written into this file: name the environment variable or the file that holds it."),
                        );
                        continue;
                    }
                };
                let value = self.input(&reference, place).unwrap_or_default();
                secrets.push(SecretPlan {
                    slot: slot.clone(),
                    name,
                    value: SecretString::from(value),
                });
            }
        }
        secrets
    }

    /// The value of a reference, noted where it is missing; `None` as well while references are only collected.
    pub(super) fn input(&mut self, name: &str, place: Place) -> Option<String> {
        let Some(inputs) = self.inputs else {
            self.references.push(Reference {
                name: name.to_owned(),
                line: place.line,
                column: place.column,
            });
            return None;
        };
        let value = inputs.get(name).filter(|value| !value.is_empty()).cloned();
        if value.is_none() {
            let (kind, what) = name.split_once(':').unwrap_or(("", name));
            let (message, hint) = if kind == "env" {
                (
                    format!("the environment variable `{what}` is not set"),
                    "Set it for the command that applies this file.",
                )
            } else {
                (
                    format!("the file `{what}` is empty or cannot be read"),
                    "A relative path starts at the folder of this file.",
                )
            };
            self.reader.note(Mistake::new(place, message).hint(hint));
        }
        value
    }

    fn route(&mut self, section: &Section<'_>) -> Option<RoutePlan> {
        self.reader.only(section, &["entity", "from", "to"]);
        let entity = self.reader.need_text(section, "entity").and_then(|word| {
            let place = word.place;
            let entity = Entity::from_word(&word.value);
            if entity.is_none() {
                let words: Vec<&str> = Entity::ALL.iter().map(|e| e.word()).collect();
                let mut mistake =
                    Mistake::new(place, format!("`{}` is no kind of document", word.value));
                mistake.hint = suggest(&word.value, &words);
                self.reader.note(mistake);
            }
            entity.map(|value| At { value, place })
        });
        let from = self.reader.need_text(section, "from");
        let to = self.reader.need_text(section, "to");
        let route = RoutePlan {
            entity: entity?,
            from: from?,
            to: to?,
        };
        if route.from.value == route.to.value {
            self.reader.note(
                Mistake::new(route.to.place, "a route must lead to another connection")
                    .hint("Name the receiving connection in `to`."),
            );
        }
        Some(route)
    }

    fn crosswalk(&mut self, section: &Section<'_>) -> Option<CrosswalkPlan> {
        self.reader.only(
            section,
            &["from", "to", "table", "retailer", "pairs", "csv"],
        );
        let from = self.reader.need_text(section, "from");
        let to = self.reader.need_text(section, "to");
        let table = self.reader.need_text(section, "table");
        let retailer = if Reader::has(section, "retailer") {
            self.reader.need_text(section, "retailer")
        } else {
            None
        };
        let name = table.as_ref().map_or("", |t| t.value.as_str());
        let cells = cells::read(self, section, name);
        Some(CrosswalkPlan {
            place: section.place,
            from: from?,
            to: to?,
            table: table?,
            retailer,
            cells,
        })
    }

    fn each_once<'n>(&mut self, what: &str, names: impl Iterator<Item = &'n At<String>>) {
        let mut seen = BTreeMap::new();
        for name in names {
            if let Some(first) = seen.insert(name.value.as_str(), name.place.line) {
                self.reader.note(Mistake::new(
                    name.place,
                    format!(
                        "{what} `{}` is declared twice, first on line {first}",
                        name.value
                    ),
                ));
            }
        }
    }

    fn routes_once(&mut self, routes: &[RoutePlan]) {
        let mut seen = BTreeSet::new();
        for route in routes {
            if !seen.insert((route.entity.value, &route.from.value, &route.to.value)) {
                self.reader.note(Mistake::new(
                    route.entity.place,
                    format!(
                        "the route of `{}` from `{}` to `{}` is declared twice",
                        route.entity.value, route.from.value, route.to.value
                    ),
                ));
            }
        }
    }
}
