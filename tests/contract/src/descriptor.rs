//! What a descriptor says, held against itself, and `describe` and `validate` as they answer. No vendor is called.

use crate::check::{Check, Outcome as Found, Report};
use crate::mangle::ODD;
use crate::stand::{Stand, misbehaved};
use std::collections::BTreeSet;
use std::sync::Arc;
use waybill_host::connector::Mode;
use waybill_host::generation::Generation;
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Credential, Descriptor, Field, OAuth, Pairs, Scheme, Setting};
use waybill_model::decimal::Decimal;

/// How often `describe` is asked in one store.
const TIMES: usize = 5;

/// `describe`, asked again in a new store and several times in one.
pub(crate) async fn pure(generation: &Arc<Generation>) -> Found {
    let first = generation.descriptor();
    for round in 0..2 {
        match generation.describe_repeatedly(TIMES).await {
            Err(error) => {
                return Found::Failed(format!("asked again, it did not answer: {error:?}"));
            }
            Ok(all) => {
                if let Some(at) = all.iter().position(|d| d != first) {
                    let times = round * TIMES + at + 2;
                    return Found::Failed(format!(
                        "asked for the {times}. time it said something else ({})",
                        first_difference(first, &all[at])
                    ));
                }
            }
        }
    }
    Found::Passed(format!("asked {} times, the same answer", 2 * TIMES + 1))
}

fn first_difference(one: &Descriptor, other: &Descriptor) -> &'static str {
    let parts = [
        (one.id == other.id, "its id"),
        (one.version == other.version, "its version"),
        (one.title == other.title, "its title"),
        (one.reach == other.reach, "its reach"),
        (one.credentials == other.credentials, "its credentials"),
        (one.settings == other.settings, "its settings"),
        (one.tables == other.tables, "its tables"),
        (one.pulls == other.pulls, "its pulls"),
    ];
    let differs = parts.iter().find(|(same, _)| !same);
    differs.map_or("its pushes", |(_, name)| *name)
}

/// The first thing in the descriptor that cannot be right.
pub(crate) fn holds(descriptor: &Descriptor) -> Found {
    match templates(descriptor).or_else(|| settings(descriptor)) {
        Some(why) => Found::Failed(why),
        None => Found::Passed(format!(
            "{} addresses, {} credentials, {} settings, {} tables",
            descriptor.reach.len(),
            descriptor.credentials.len(),
            descriptor.settings.len(),
            descriptor.tables.len()
        )),
    }
}

fn names_in(template: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some((_, tail)) = rest.split_once('{') {
        let closed = tail.split_once('}');
        let (name, after) =
            closed.ok_or_else(|| format!("`{template}` has a brace that is not closed"))?;
        names.push(name);
        rest = after;
    }
    Ok(names)
}

fn oauth_of(credential: &Credential) -> Option<&OAuth> {
    match &credential.scheme {
        Scheme::OAuth2Client(oauth) | Scheme::OAuth2Code(oauth) => Some(oauth),
        Scheme::Headers(_) | Scheme::SftpPassword | Scheme::SshKey => None,
    }
}

fn templates(descriptor: &Descriptor) -> Option<String> {
    let open: BTreeSet<String> = descriptor.settings.iter().map(|s| s.key.clone()).collect();
    let unknown = |template: &str, also: &BTreeSet<String>| {
        match names_in(template) {
        Err(why) => Some(why),
        Ok(names) => names
            .into_iter()
            // A field of a token is there once a token was fetched, if ever.
            .find(|name| !name.starts_with("token.") && !open.contains(*name) && !also.contains(*name))
            .map(|name| format!("`{template}` needs `{name}`, which is neither a setting nor a secret of its slot")),
    }
    };
    let nothing = BTreeSet::new();
    let reach = descriptor
        .reach
        .iter()
        .find_map(|r| unknown(&r.url, &nothing));
    reach.or_else(|| {
        descriptor.credentials.iter().find_map(|credential| {
            if credential.hosts.is_empty() {
                return Some(format!(
                    "the credential `{}` names no host it may be sent to",
                    credential.slot
                ));
            }
            let mut own: BTreeSet<String> = credential.secrets.iter().cloned().collect();
            own.insert("access_token".to_owned());
            let headers = |pairs: &Pairs| pairs.iter().find_map(|(_, value)| unknown(value, &own));
            let scheme = match &credential.scheme {
                Scheme::Headers(pairs) => headers(pairs),
                Scheme::OAuth2Client(oauth) | Scheme::OAuth2Code(oauth) => headers(&oauth.headers)
                    .or_else(|| headers(&oauth.form))
                    .or_else(|| unknown(&oauth.client_id, &own))
                    .or_else(|| unknown(&oauth.token_url, &nothing)),
                Scheme::SftpPassword | Scheme::SshKey => None,
            };
            let host = || {
                credential
                    .hosts
                    .iter()
                    .find_map(|host| unknown(host, &nothing))
            };
            scheme.or_else(host)
        })
    })
}

fn settings(descriptor: &Descriptor) -> Option<String> {
    let wrong = |setting: &Setting| {
        if setting.label.trim().is_empty() {
            return Some(format!("the setting `{}` has no label", setting.key));
        }
        let default = setting.default.as_deref()?;
        let fits = match &setting.field {
            Field::Integer => default.parse::<i64>().is_ok(),
            Field::Decimal => default.parse::<Decimal>().is_ok(),
            Field::Toggle => matches!(default, "true" | "false"),
            Field::OneOf(choices) => choices.iter().any(|c| c.value == default),
            Field::Text | Field::Url | Field::Lookup => true,
        };
        (!fits).then(|| {
            format!(
                "the default `{default}` of `{}` does not fit its field",
                setting.key
            )
        })
    };
    descriptor.settings.iter().find_map(wrong)
}

/// Words in the key of a setting that is a secret.
const SECRET_WORDS: [&str; 5] = ["password", "secret", "passphrase", "private-key", "api-key"];
/// Fields of a token answer that are the token.
const TOKENS: [&str; 3] = ["access_token", "refresh_token", "id_token"];

/// Whether it asks for a secret where it would see it.
pub(crate) fn asks_for_secrets(descriptor: &Descriptor) -> Option<String> {
    let setting = descriptor
        .settings
        .iter()
        .find(|s| SECRET_WORDS.iter().any(|word| s.key.contains(word)));
    if let Some(setting) = setting {
        return Some(format!(
            "it asks for the setting `{}`, which it would be handed",
            setting.key
        ));
    }
    descriptor.credentials.iter().find_map(|credential| {
        let exposed = &oauth_of(credential)?.expose;
        let token = exposed
            .iter()
            .find(|field| TOKENS.contains(&field.as_str()))?;
        Some(format!(
            "the credential `{}` exposes `{token}` to it",
            credential.slot
        ))
    })
}

/// How the addresses end where tokens are fetched.
pub(crate) fn token_paths(descriptor: &Descriptor) -> Vec<String> {
    let oauths = descriptor.credentials.iter().filter_map(oauth_of);
    oauths
        .map(|oauth| {
            oauth
                .token_url
                .rsplit('}')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .filter(|path| !path.is_empty())
        .collect()
}

/// `validate`: good settings have no problem, and whatever else it is given, it answers with keys of settings.
pub(crate) async fn validate(report: &mut Report, stand: &Stand, known_good: bool) {
    let descriptor = stand.connector.descriptor();
    let keys: BTreeSet<&str> = descriptor.settings.iter().map(|s| s.key.as_str()).collect();
    let good = stand.call(Mode::ReadOnly, EffectScope::Setup("validate".to_owned()), 1);
    let mut tries = vec![(
        true,
        "the given settings".to_owned(),
        good.context.settings.clone(),
    )];
    tries.push((false, "no settings".to_owned(), Vec::new()));
    let long = "é".repeat(100_000);
    for key in &keys {
        for value in [
            "",
            " ",
            ODD,
            "-1",
            "99999999999999999999",
            "http://",
            "http://[::",
            "1e400",
            long.as_str(),
        ] {
            let mut pairs = good.context.settings.clone();
            pairs.retain(|(name, _)| name != key);
            pairs.push(((*key).to_owned(), value.to_owned()));
            let shown: String = value.chars().take(20).collect();
            tries.push((false, format!("`{key}` = {shown:?}"), pairs));
        }
    }
    let count = tries.len();
    for (is_good, told, settings) in tries {
        let mut call = good.clone();
        call.context.settings = settings;
        let value = stand.forget(stand.connector.validate(call).await);
        let wrong = match &value {
            Ok(problems) => problems
                .iter()
                .find(|p| !keys.contains(p.code.as_str()))
                .map(|p| format!("it complains about `{}`, which is no setting", p.code))
                .or_else(|| {
                    let first = problems.first().filter(|_| is_good && known_good)?;
                    Some(format!(
                        "it complains about `{}`: {}",
                        first.code, first.message
                    ))
                }),
            Err(_) => {
                Some(misbehaved(&value).unwrap_or_else(|| format!("it gave no answer: {value:?}")))
            }
        };
        if let Some(why) = wrong {
            report.put(
                Check::ValidateNamesSettings,
                Found::Failed(format!("{told}: {why}")),
            );
            return;
        }
    }
    if let Some(first) = stand.take_seen().exchanges.first() {
        let why = format!(
            "it called {} {}: `validate` has no network",
            first.method, first.url
        );
        report.put(Check::ValidateNamesSettings, Found::Failed(why));
        return;
    }
    report.put(
        Check::ValidateNamesSettings,
        Found::Passed(format!("{count} sets of settings")),
    );
}

/// `probe` and `choices`, with a host that lets nothing but reads through.
pub(crate) async fn probe(report: &mut Report, stand: &Stand, known_good: bool) {
    let call = || stand.call(Mode::ReadOnly, EffectScope::Setup("probe".to_owned()), 1);
    let answer = stand.forget(stand.connector.probe(call()).await);
    let mut lookups: BTreeSet<String> = stand
        .connector
        .descriptor()
        .settings
        .iter()
        .filter(|s| matches!(s.field, Field::Lookup))
        .map(|s| s.key.clone())
        .collect();
    lookups.extend(
        stand
            .connector
            .descriptor()
            .tables
            .iter()
            .filter_map(|t| t.lookup.clone()),
    );
    let mut wrong = misbehaved(&answer).or_else(|| match &answer {
        Err(error) if known_good => Some(format!("with good settings it failed: {error:?}")),
        _ => None,
    });
    let offered = lookups.len();
    for key in lookups {
        let value = stand.forget(stand.connector.choices(call(), key.clone(), None).await);
        let why = misbehaved(&value).or_else(|| match &value {
            Err(error) if known_good => Some(format!("it gave no choices: {error:?}")),
            _ => None,
        });
        wrong = wrong.or(why.map(|why| format!("`{key}`: {why}")));
    }
    let seen = stand.take_seen().exchanges;
    let wrote = seen
        .iter()
        .find(|e| {
            e.answer == "denied: this call may only read" || (e.step.is_some() && e.status != 0)
        })
        .map(|e| format!("it tried {} {}", e.method, e.url));
    report.put(
        Check::ProbeOnlyReads,
        match wrote.or(wrong) {
            Some(why) => Found::Failed(why),
            None => Found::Passed(format!(
                "{} reads, {offered} lists to choose from",
                seen.len()
            )),
        },
    );
    crate::pushes::judge(report, &seen);
}
