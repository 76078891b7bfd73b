//! What a connector asks for, what a person accepted, and the difference in words. Pure: it reads names and the
//! descriptor, and decides nothing but whether one is more than the other.

use crate::contract::{Descriptor, OAuth, Reach, Role, Scheme};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything a build may use, or wants to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Capabilities of the host it imports.
    pub permissions: BTreeSet<String>,
    /// What it exports.
    pub roles: BTreeSet<Role>,
    /// Addresses with their call limits.
    pub reach: Vec<Reach>,
    /// Slots for secrets, and where the secrets may go.
    pub slots: Vec<Slot>,
    /// Defaults of settings that stand inside addresses: another default is another address.
    pub fixed: BTreeMap<String, String>,
}

/// A slot for secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its name.
    pub slot: String,
    /// Shown to people.
    pub label: String,
    /// What a merchant enters.
    pub secrets: BTreeSet<String>,
    /// Where they may be sent.
    pub hosts: BTreeSet<String>,
    /// Where a login sends them.
    pub logins: BTreeSet<String>,
    /// Parts of a login's answer that the connector may read.
    pub exposed: BTreeSet<String>,
}

impl Grant {
    /// What a build asks for.
    pub fn asked(
        descriptor: &Descriptor,
        permissions: &BTreeSet<String>,
        roles: &BTreeSet<Role>,
    ) -> Self {
        let slots: Vec<Slot> = descriptor
            .credentials
            .iter()
            .map(|credential| {
                let oauth = oauth(&credential.scheme);
                Slot {
                    slot: credential.slot.clone(),
                    label: credential.label.clone(),
                    secrets: credential.secrets.iter().cloned().collect(),
                    hosts: credential.hosts.iter().cloned().collect(),
                    logins: oauth.iter().flat_map(|o| logins(o)).collect(),
                    exposed: oauth.iter().flat_map(|o| o.expose.clone()).collect(),
                }
            })
            .collect();
        let addresses = descriptor.reach.iter().map(|r| r.url.as_str()).chain(
            slots
                .iter()
                .flat_map(|s| s.hosts.iter().chain(&s.logins))
                .map(String::as_str),
        );
        let named: BTreeSet<&str> = addresses.flat_map(placeholders).collect();
        let fixed = descriptor
            .settings
            .iter()
            .filter(|setting| named.contains(setting.key.as_str()))
            .filter_map(|setting| Some((setting.key.clone(), setting.default.clone()?)))
            .collect();
        Self {
            permissions: permissions.clone(),
            roles: roles.clone(),
            reach: descriptor.reach.clone(),
            slots,
            fixed,
        }
    }

    /// What this asks beyond what was accepted, one sentence each; empty: the same or less.
    pub fn beyond(&self, accepted: &Self) -> Vec<String> {
        let mut more = Vec::new();
        for permission in self.permissions.difference(&accepted.permissions) {
            more.push(format!(
                "It also wants to {}.",
                permission_words(permission)
            ));
        }
        for role in self.roles.difference(&accepted.roles) {
            more.push(format!("It also wants to {}.", role_words(*role)));
        }
        for reach in &self.reach {
            more.extend(reach_beyond(reach, &accepted.reach));
        }
        for slot in &self.slots {
            slot_beyond(slot, accepted, &mut more);
        }
        for (key, value) in &self.fixed {
            if accepted.fixed.get(key) != Some(value) {
                more.push(format!(
                    "Its addresses hold `{value}` where `{key}` is not set."
                ));
            }
        }
        more
    }

    /// Both together: what a person accepted once is not asked again for a build one goes back to.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.permissions.extend(other.permissions.iter().cloned());
        joined.roles.extend(&other.roles);
        for reach in &other.reach {
            match joined.reach.iter_mut().find(|r| r.url == reach.url) {
                Some(same) => {
                    let higher = |a: u32, b: u32| if above(b, a) { b } else { a };
                    same.per_minute = higher(same.per_minute, reach.per_minute);
                    same.per_second = higher(same.per_second, reach.per_second);
                }
                None => joined.reach.push(reach.clone()),
            }
        }
        for slot in &other.slots {
            match joined.slots.iter_mut().find(|s| s.slot == slot.slot) {
                Some(same) => {
                    same.label.clone_from(&slot.label);
                    same.secrets.extend(slot.secrets.iter().cloned());
                    same.hosts.extend(slot.hosts.iter().cloned());
                    same.logins.extend(slot.logins.iter().cloned());
                    same.exposed.extend(slot.exposed.iter().cloned());
                }
                None => joined.slots.push(slot.clone()),
            }
        }
        joined.fixed.extend(other.fixed.clone());
        joined
    }

    /// The passport: what it may do, one sentence each.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self
            .roles
            .iter()
            .map(|role| capital(role_words(*role)))
            .chain(
                self.permissions
                    .iter()
                    .map(|p| capital(permission_words(p))),
            )
            .collect();
        for reach in &self.reach {
            words.push(format!("Reaches {}{}", reach.url, rate_words(reach)));
        }
        for slot in &self.slots {
            let to: Vec<&str> = slot
                .hosts
                .iter()
                .chain(&slot.logins)
                .map(String::as_str)
                .collect();
            let to = if to.is_empty() {
                "nobody".to_owned()
            } else {
                to.join(", ")
            };
            words.push(format!(
                "Uses {} without ever seeing it; it goes to {to}",
                slot.label
            ));
        }
        words
    }
}

const fn oauth(scheme: &Scheme) -> Option<&OAuth> {
    match scheme {
        Scheme::OAuth2Client(oauth) | Scheme::OAuth2Code(oauth) => Some(oauth),
        Scheme::Headers(_) | Scheme::SftpPassword | Scheme::SshKey => None,
    }
}

fn logins(oauth: &OAuth) -> Vec<String> {
    [&oauth.authorize_url, &oauth.token_url]
        .into_iter()
        .filter(|url| !url.is_empty())
        .cloned()
        .collect()
}

/// The names in `{braces}`.
fn placeholders(template: &str) -> Vec<&str> {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('}')?.0))
        .collect()
}

/// Whether every address under `url` lies under `prefix`.
fn covers(prefix: &str, url: &str) -> bool {
    url.strip_prefix(prefix).is_some_and(|rest| {
        rest.is_empty() || prefix.ends_with('/') || rest.starts_with(['/', '?'])
    })
}

/// 0 is no limit, so the highest.
const fn above(asked: u32, accepted: u32) -> bool {
    accepted != 0 && (asked == 0 || asked > accepted)
}

fn reach_beyond(reach: &Reach, accepted: &[Reach]) -> Option<String> {
    let over: Vec<&Reach> = accepted
        .iter()
        .filter(|a| covers(&a.url, &reach.url))
        .collect();
    // The longest prefix counts, as in the host.
    let Some(nearest) = over.into_iter().max_by_key(|a| a.url.len()) else {
        return Some(format!(
            "It also wants to reach {}{}.",
            reach.url,
            rate_words(reach)
        ));
    };
    let more =
        above(reach.per_minute, nearest.per_minute) || above(reach.per_second, nearest.per_second);
    more.then(|| {
        format!(
            "It wants to make more calls to {}:{}; accepted were{}.",
            reach.url,
            rate_words(reach),
            rate_words(nearest)
        )
    })
}

fn slot_beyond(slot: &Slot, accepted: &Grant, more: &mut Vec<String>) {
    let label = &slot.label;
    let Some(old) = accepted.slots.iter().find(|old| old.slot == slot.slot) else {
        let names: Vec<&str> = slot.secrets.iter().map(String::as_str).collect();
        more.push(format!(
            "It wants secrets for {label} ({}).",
            names.join(", ")
        ));
        return;
    };
    for secret in slot.secrets.difference(&old.secrets) {
        more.push(format!("It wants one more secret for {label}: {secret}."));
    }
    let known: BTreeSet<&String> = old.hosts.iter().chain(&old.logins).collect();
    for host in slot.hosts.iter().filter(|h| !old.hosts.contains(*h)) {
        more.push(format!(
            "It wants to send the secrets of {label} to {host}."
        ));
    }
    for login in slot.logins.iter().filter(|l| !known.contains(l)) {
        more.push(format!("It wants to log in with {label} at {login}."));
    }
    for field in slot.exposed.difference(&old.exposed) {
        more.push(format!(
            "It wants to read `{field}` of the answer to the login of {label}."
        ));
    }
}

fn rate_words(reach: &Reach) -> String {
    let mut words = Vec::new();
    if reach.per_minute > 0 {
        words.push(format!("{} calls a minute", reach.per_minute));
    }
    if reach.per_second > 0 {
        words.push(format!("{} calls a second", reach.per_second));
    }
    if words.is_empty() {
        ", any number of calls".to_owned()
    } else {
        format!(", at most {}", words.join(" and "))
    }
}

const fn role_words(role: Role) -> &'static str {
    match role {
        Role::Source => "read documents from its system and tell it what became of them",
        Role::Listing => "list what its system holds, for comparison",
        Role::Sink => "write documents into its system",
        Role::Levels => "tell its system the stock of very many items at once",
        Role::Tickets => "ask what became of what it wrote",
        Role::Webhook => "register webhooks at its system and read what they bring",
    }
}

fn permission_words(permission: &str) -> &str {
    match permission {
        "log" => "write lines into the agent's log",
        "clock" => "ask for the time",
        "kv" => "keep small notes of its own in the agent's database",
        "links" => "see which records belong together",
        "effects" => "make changes at its system, each written into the journal first",
        "http" => "make web requests, to the addresses below only",
        "blob" => "hold large files while a call lasts",
        "sftp" => "move files by SFTP, with the addresses below only",
        "folder" => "read and write one folder that you name",
        other => other,
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Credential, Field, Setting};

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "demo".to_owned(),
            version: "1".to_owned(),
            title: "Demo".to_owned(),
            reach: vec![Reach {
                url: "https://{domain}/v1".to_owned(),
                per_minute: 200,
                per_second: 0,
            }],
            credentials: vec![Credential {
                slot: "api".to_owned(),
                label: "API access".to_owned(),
                help: String::new(),
                scheme: Scheme::OAuth2Client(OAuth {
                    authorize_url: String::new(),
                    token_url: "https://{domain}/token".to_owned(),
                    client_id: "me".to_owned(),
                    form: Vec::new(),
                    headers: Vec::new(),
                    expose: Vec::new(),
                }),
                secrets: vec!["key".to_owned()],
                hosts: vec!["{domain}".to_owned()],
                steps: Vec::new(),
            }],
            settings: vec![Setting {
                key: "domain".to_owned(),
                label: "Domain".to_owned(),
                help: String::new(),
                group: String::new(),
                required: true,
                per_retailer: false,
                default: Some("api.example".to_owned()),
                field: Field::Text,
                was: Vec::new(),
            }],
            tables: vec![],
            pulls: vec![],
            pushes: vec![],
        }
    }

    fn asked(change: impl FnOnce(&mut Descriptor)) -> Grant {
        let mut changed = descriptor();
        change(&mut changed);
        let permissions = BTreeSet::from(["http".to_owned()]);
        Grant::asked(&changed, &permissions, &BTreeSet::from([Role::Sink]))
    }

    fn more(change: impl FnOnce(&mut Descriptor)) -> Vec<String> {
        asked(change).beyond(&asked(|_| {}))
    }

    #[test]
    fn the_same_or_less_asks_for_nothing() {
        assert!(more(|_| {}).is_empty());
        assert!(more(|d| d.reach.clear()).is_empty());
        assert!(more(|d| d.credentials.clear()).is_empty());
        assert!(more(|d| d.reach[0].per_minute = 100).is_empty());
        assert!(more(|d| d.reach[0].url += "/orders").is_empty());
        assert!(more(|d| d.version = "2".to_owned()).is_empty());
    }

    #[test]
    fn each_kind_of_more_has_its_sentence() {
        let reach = |url: &str| Reach {
            url: url.to_owned(),
            per_minute: 10,
            per_second: 0,
        };
        let cases: [(Vec<String>, &str); 9] = [
            (
                more(|d| d.reach.push(reach("https://other.example"))),
                "reach https://other.example, at most 10 calls a minute",
            ),
            // A longer name is another host, not a path of the old one.
            (
                more(|d| d.reach[0].url = "https://{domain}/v12".to_owned()),
                "reach https://{domain}/v12",
            ),
            (more(|d| d.reach[0].per_minute = 300), "more calls"),
            (more(|d| d.reach[0].per_minute = 0), "any number of calls"),
            (
                more(|d| d.credentials[0].hosts.push("x.example".to_owned())),
                "send the secrets of API access to x.example",
            ),
            (
                more(|d| d.credentials[0].secrets.push("pin".to_owned())),
                "one more secret for API access: pin",
            ),
            (
                more(|d| d.credentials[0].slot = "two".to_owned()),
                "secrets for API access (key)",
            ),
            (
                more(|d| {
                    if let Scheme::OAuth2Client(o) = &mut d.credentials[0].scheme {
                        o.token_url = "https://evil.example/token".to_owned();
                    }
                }),
                "log in with API access at https://evil.example/token",
            ),
            (
                more(|d| d.settings[0].default = Some("evil.example".to_owned())),
                "`evil.example` where `domain` is not set",
            ),
        ];
        for (found, wanted) in cases {
            assert_eq!(found.len(), 1, "{wanted}: {found:?}");
            assert!(found[0].contains(wanted), "{found:?}");
        }
    }

    #[test]
    fn what_was_accepted_asks_for_nothing_any_more() {
        let old = asked(|_| {});
        let new = asked(|d| {
            d.reach[0].per_minute = 0;
            d.reach.push(Reach {
                url: "https://other.example".to_owned(),
                per_minute: 1,
                per_second: 0,
            });
            d.credentials[0].secrets.push("pin".to_owned());
            d.settings[0].default = Some("new.example".to_owned());
        });
        assert_eq!(new.beyond(&old).len(), 4);
        assert!(new.beyond(&old.joined(&new)).is_empty());
        assert_eq!(old.joined(&new).reach[0].per_minute, 0);
    }

    #[test]
    fn new_permissions_and_roles_are_more() {
        let old = asked(|_| {});
        let permissions = BTreeSet::from(["http".to_owned(), "folder".to_owned()]);
        let roles = BTreeSet::from([Role::Sink, Role::Webhook]);
        let more = Grant::asked(&descriptor(), &permissions, &roles).beyond(&old);
        assert_eq!(more.len(), 2, "{more:?}");
        assert!(more[0].contains("one folder"), "{more:?}");
        assert!(more[1].contains("webhooks"), "{more:?}");
        assert!(old.words().iter().any(|w| w.contains("200 calls a minute")));
    }
}
