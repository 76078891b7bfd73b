//! An examination from the inside: the database, the secrets, and each connection from its settings to the vendor's
//! door and login. Changes nothing: calls are read-only, and knocks carry no secrets. The same for a running agent and
//! for one whose database was only looked into; what lies around it is the program's to look at.

use crate::core::{Core, Slot};
use crate::ensure;
use crate::finding::{Check, Finding, State};
use crate::handle::{CommandError, Handle};
use crate::offered;
use futures_util::future::join_all;
use std::sync::Arc;
use waybill_host::connector::{CallError, Connector, Mode};
use waybill_host::knock::{Heard, Knock, Silence};
use waybill_host::ports::EffectScope;
use waybill_model::contract::{Failure, Problem};
use waybill_model::ids::Millis;
use waybill_model::job::Priority;
use waybill_store::{Read, Rx, SCHEMA_VERSION, StoreError};

/// Vendors forgive some; signatures and tokens break at a few minutes.
const CLOCK_WARNING_MS: Millis = 30_000;
const CLOCK_PROBLEM_MS: Millis = 300_000;
/// Longest wait for a connector's own proof.
const PROBE_MS: u64 = 30_000;
/// Webhooks that came within this time prove their address.
const FRESH_MS: Millis = 86_400_000;

/// How far an examination goes.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// Also ask the vendors.
    pub vendors: bool,
    /// The agent runs: its own addresses can be tried.
    pub running: bool,
}

impl Handle {
    /// Looks at everything the engine knows. A problem is a finding, never an error.
    pub async fn examine(&self, wishes: Wishes) -> Vec<Finding> {
        let mut findings = match self.read(database).await {
            Ok(findings) => findings,
            Err(error) => vec![unread(&error)],
        };
        let desk = self.core.desk();
        if desk.slots.is_empty() {
            findings.push(
                Finding::ok(Check::Connection, "No connection is set up yet.")
                    .next("Declare them with `waybill apply`."),
            );
        }
        let each = desk
            .slots
            .values()
            .map(|slot| connection(&self.core, slot, wishes));
        findings.extend(join_all(each).await.into_iter().flatten());
        findings
    }
}

fn unread(error: &CommandError) -> Finding {
    let next = error.hint().unwrap_or("Look into the log.").to_owned();
    Finding::problem(Check::Database, format!("It cannot be read: {error}.")).next(next)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "for people, one digit behind the point"
)]
fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}

/// The database as it is open, and whether every secret opens.
fn database(core: &Core, rx: &Rx) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    let counters = rx.counters()?;
    let orders: u64 = counters.orders.values().sum();
    let size = mebibytes(core.store.stats().file_bytes);
    let found = core.store.found_schema();
    findings.push(if core.store.is_poisoned() {
        Finding::problem(
            Check::Database,
            "An earlier disk failure stopped all writes.",
        )
        .next("Check the disk and its free space, then restart the agent.")
    } else if found < SCHEMA_VERSION {
        Finding::ok(
            Check::Database,
            format!(
                "{orders} orders, {size}, schema version {found}; the next start brings it to {SCHEMA_VERSION}."
            ),
        )
    } else {
        Finding::ok(
            Check::Database,
            format!("{orders} orders, {size}, schema version {found}."),
        )
    });
    let (mut opened, mut closed) = (0, Vec::new());
    for row in rx.connections()? {
        for (slot, name, _) in rx.secret_names(row.id)? {
            match rx.secret(row.id, &slot, &name) {
                Ok(_) => opened += 1,
                Err(StoreError::Sealed(_)) => closed.push(format!("`{name}` of `{}`", row.name)),
                Err(other) => return Err(other),
            }
        }
    }
    findings.push(if closed.is_empty() {
        let text = match opened {
            0 => "No secret is stored yet.".to_owned(),
            1 => "The one stored secret opens with the key.".to_owned(),
            n => format!("All {n} stored secrets open with the key."),
        };
        Finding::ok(Check::SealingKey, text)
    } else {
        Finding::problem(
            Check::SealingKey,
            format!(
                "The key is not the one that the secrets were sealed with: {} does not open ({} of {}).",
                closed[0],
                closed.len(),
                closed.len() + opened
            ),
        )
        .at("secrets in the database")
        .next("Put the key back that belongs to this database (it is in the backup), or enter the credentials again on the connections' pages or with `waybill apply`.")
    });
    Ok(findings)
}

async fn connection(core: &Core, slot: &Slot, wishes: Wishes) -> Vec<Finding> {
    let name = slot.row.name.as_str();
    let mut findings = Vec::new();
    let connector = match &slot.connector {
        Ok(connector) => connector,
        Err(why) => {
            findings.push(
                Finding::problem(Check::Connection, format!("It has no connector: {why}."))
                    .at(format!("connector `{}`", slot.row.connector))
                    .next("Put the connector's file into the connectors folder; `waybill connectors list` says what is there and what is refused."),
            );
            return named(findings, name);
        }
    };
    if slot.row.paused {
        findings.push(
            Finding::warning(Check::Connection, "It is paused by a person.")
                .next(format!("`waybill resume {name}` lets it go on.")),
        );
    }
    let sound = settings(core, slot, connector, &mut findings).await;
    if wishes.vendors {
        let knocks = connector.knock().await;
        // One way may stand for another: an address that was entered, for that of the account.
        let reached = knocks.is_empty() || knocks.iter().any(|knock| knock.outcome.is_ok());
        let (login, values) = if sound && reached {
            let login = login(core, slot, connector).await;
            let values = values(core, slot, &login).await;
            (login, values)
        } else {
            let words = "Not tried: what is named above comes first.";
            (Finding::skipped(Check::Login, words), Vec::new())
        };
        findings.extend(addresses(&knocks, &login));
        findings.extend(clock(&knocks));
        findings.push(login);
        findings.extend(values);
    } else {
        findings.push(Finding::skipped(
            Check::Address,
            "Not asked: nothing was to leave this machine.",
        ));
    }
    if ensure::is_webhook(slot) {
        findings.extend(webhooks(core, slot, connector, wishes).await);
    }
    named(findings, name)
}

fn named(findings: Vec<Finding>, name: &str) -> Vec<Finding> {
    let named = |finding: Finding| finding.about(name);
    findings.into_iter().map(named).collect()
}

fn call(core: &Core, slot: &Slot) -> waybill_host::connector::Call {
    let scope = EffectScope::Setup("doctor".to_owned());
    let mut call = core.call(slot, scope, Priority::NearDeadline, Mode::ReadOnly, 1);
    call.limit_ms = call.limit_ms.min(PROBE_MS);
    call
}

fn setting(slot: &Slot, problem: &Problem) -> Finding {
    let finding = Finding::problem(Check::Settings, problem.message.clone()).at(format!(
        "setting `{}` of connection `{}`",
        problem.code, slot.row.name
    ));
    match &problem.hint {
        Some(hint) => finding.next(hint.clone()),
        None => finding.next("Change it on the connection's page, or with `waybill apply`."),
    }
}

/// What the connector says of its settings, without network. Whether they will do.
async fn settings(
    core: &Core,
    slot: &Slot,
    connector: &Arc<dyn Connector>,
    findings: &mut Vec<Finding>,
) -> bool {
    let answer = connector.validate(call(core, slot)).await;
    match answer.value {
        Ok(problems) if problems.is_empty() => {
            findings.push(Finding::ok(
                Check::Settings,
                "The connector takes its settings.",
            ));
            true
        }
        Ok(problems) => {
            findings.extend(problems.iter().map(|problem| setting(slot, problem)));
            false
        }
        Err(error) => {
            findings.push(stopped(Check::Settings, &error));
            false
        }
    }
}

fn stopped(check: Check, error: &CallError) -> Finding {
    let text = crate::calls::sentence(error);
    Finding::problem(check, text)
        .next("Install a build of the connector that works; `waybill connectors list` names the one in use.")
}

/// The vendor's doors. One that stays shut is none of this connection's where the login went in by another.
fn addresses(knocks: &[Knock], login: &Finding) -> Vec<Finding> {
    let found = knocks.iter().map(|knock| {
        if knock.outcome.is_err() && login.state == State::Ok {
            let words = "It does not answer, and the login works without it.";
            return Finding::skipped(Check::Address, words).at(&knock.address);
        }
        address(knock)
    });
    found.collect()
}

/// One door.
fn address(knock: &Knock) -> Finding {
    let silence = match &knock.outcome {
        Ok(Heard { status, .. }) => {
            return Finding::ok(
                Check::Address,
                format!("Somebody answers (status {status})."),
            )
            .at(&knock.address);
        }
        Err(silence) => silence,
    };
    let next = match silence {
        Silence::NotSet(_) => "Set it on the connection's page, or with `waybill apply`.",
        Silence::NoName(_) => {
            "Check the address in the connection's settings, and that this machine resolves names (`getent hosts NAME`)."
        }
        Silence::NotGranted(_) => {
            "Check the address; where the system does stand in a private network, allow that: tick \"Private addresses\" under More settings of the connection, or set `private-addresses = true` for it and `waybill apply`."
        }
        Silence::Closed(_) => {
            "Check the address and its port; the other side may be down, or a firewall turns the connection away."
        }
        Silence::NotTrusted(_) => {
            "If it is your own authority, name its certificate in `trusted-roots` of the agent's configuration. If not, somebody stands between: do not go on. A clock that is far off has the same effect."
        }
        Silence::Slow => {
            "Check that this machine may reach the internet by HTTPS (firewall, route); otherwise the vendor is slow or down."
        }
        Silence::Other(_) => "Check the address in the connection's settings.",
    };
    Finding::problem(Check::Address, sentence(&silence.to_string()))
        .at(&knock.address)
        .next(next)
}

fn sentence(text: &str) -> String {
    let mut text = text.trim_end_matches('.').to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text.push('.');
    text
}

/// The widest difference that the answers show.
fn clock(knocks: &[Knock]) -> Option<Finding> {
    let told = knocks.iter().filter_map(|knock| {
        let heard = knock.outcome.as_ref().ok()?;
        Some((heard.clock_ms?, &knock.address))
    });
    let (off, at) = told.max_by_key(|(off, _)| off.abs())?;
    if off.abs() < CLOCK_WARNING_MS {
        return Some(Finding::ok(Check::Clock, "It agrees with the vendor's.").at(at));
    }
    let (secs, side) = (
        off.abs() / 1_000,
        if off > 0 { "behind" } else { "ahead of" },
    );
    let text = format!("This machine's clock is {secs} s {side} the vendor's.");
    let state = if off.abs() < CLOCK_PROBLEM_MS {
        State::Warning
    } else {
        State::Problem
    };
    let finding = Finding {
        state,
        ..Finding::problem(Check::Clock, text)
    };
    Some(finding.at(at).next(
        "Set the clock by the network: `timedatectl set-ntp true`, then look at `timedatectl`.",
    ))
}

/// The connector's own proof: reads only, with the credentials.
async fn login(core: &Core, slot: &Slot, connector: &Arc<dyn Connector>) -> Finding {
    let answer = connector.probe(call(core, slot)).await;
    let credentials = format!("credentials of connection `{}`", slot.row.name);
    match answer.value {
        Ok(facts) => {
            let facts: Vec<String> = facts.iter().map(|(k, v)| format!("{k}: {v}")).collect();
            Finding::ok(Check::Login, format!("Signed in. {}.", facts.join(", ")))
        }
        Err(CallError::Failure(Failure::Unauthorized(problem))) => {
            let hint = problem.hint.unwrap_or_else(|| {
                "Enter the credentials again on the connection's page, or in the provisioning file and `waybill apply` it."
                    .to_owned()
            });
            Finding::problem(Check::Login, sentence(&problem.message))
                .at(credentials)
                .next(hint)
        }
        Err(CallError::Failure(Failure::Rejected(problem))) => setting(slot, &problem),
        Err(CallError::Failure(Failure::Retry(wait))) => {
            let wait = wait.map_or_else(String::new, |s| format!(" It asks to wait {s} s."));
            Finding::warning(
                Check::Login,
                format!("The vendor did not answer properly now.{wait}"),
            )
            .next("Try again in a few minutes; the agent does so by itself.")
        }
        Err(error) => stopped(Check::Login, &error),
    }
}

/// Settings that the vendor does not offer any more, those of single retailers too; without what its proof named already.
async fn values(core: &Core, slot: &Slot, login: &Finding) -> Vec<Finding> {
    let chosen = match core.store.read(|rx| offered::chosen(rx, slot)) {
        Ok(chosen) => chosen,
        Err(error) => return vec![unread(&error.into())],
    };
    let looked = offered::look(core, slot, chosen).await;
    let named = |key: &str| login.text.contains(&format!("`{key}`"));
    let wrong = looked.wrong.into_iter();
    let wrong = wrong.filter(|w| w.chosen.retailer.is_some() || !named(&w.chosen.key));
    let finding = wrong.map(|wrong| {
        let problem = wrong.problem(&slot.row.title);
        let whose = wrong.chosen.retailer.as_ref();
        let whose = whose.map(|code| format!(", retailer {code}"));
        let place = format!(
            "setting `{}` of connection `{}`{}",
            wrong.chosen.key,
            slot.row.name,
            whose.unwrap_or_default()
        );
        let found = Finding::problem(Check::Settings, problem.message).at(place);
        found.next(problem.hint.unwrap_or_default())
    });
    finding.collect()
}

async fn webhooks(
    core: &Core,
    slot: &Slot,
    connector: &Arc<dyn Connector>,
    wishes: Wishes,
) -> Vec<Finding> {
    let setting = format!(
        "setting `{}` of connection `{}`",
        waybill_model::settings::HOOKS_URL,
        slot.row.name
    );
    let row = match core.store.read(|rx| {
        let newest = rx.newest_delivery(slot.row.id)?;
        Ok((rx.hooks(slot.row.id)?, newest))
    }) {
        Ok(row) => row,
        Err(error) => return vec![unread(&error.into())],
    };
    let last = row.0.as_ref().and_then(|row| row.last_delivery).max(row.1);
    let asked = slot
        .settings
        .get(waybill_model::settings::HOOKS_URL)
        .is_some_and(|url| !url.trim().is_empty());
    let Some(url) = ensure::wanted(core, slot) else {
        return vec![if asked {
            Finding::problem(
                Check::Webhooks,
                "They are wanted, and the agent does not listen for them.",
            )
            .at(setting)
            .next("Add `[hooks] listen = \"127.0.0.1:7879\"` to the agent's configuration and restart it, or empty the setting.")
        } else {
            Finding::ok(Check::Webhooks, "Off; polling does it all.")
        }];
    };
    let mut findings = Vec::new();
    let standing = row
        .0
        .as_ref()
        .filter(|row| row.public_url.as_ref() == Some(&url));
    findings.push(match standing {
        Some(row) if row.problem.is_some() => {
            let why = row.problem.as_deref().unwrap_or_default();
            Finding::problem(
                Check::Webhooks,
                format!("They are not registered: {}", sentence(why)),
            )
            .at(setting.clone())
            .next("Mend what the vendor says; the agent tries again by itself, and polling goes on meanwhile.")
        }
        Some(row) if row.ensured_at.is_some() => Finding::ok(
            Check::Webhooks,
            format!("{} registered.", row.standing.len()),
        ),
        _ => Finding::problem(Check::Webhooks, "They are not registered yet.")
            .at(setting.clone())
            .next("A running agent registers them by itself within a minute; if not, its log says why."),
    });
    if wishes.running {
        findings.extend(own_door(core, slot, connector, &url, last).await);
    }
    findings
}

/// Whether the address that the vendor calls leads to this very agent: a word nobody else knows is sent there, and has
/// to arrive here.
async fn own_door(
    core: &Core,
    slot: &Slot,
    connector: &Arc<dyn Connector>,
    url: &str,
    last: Option<Millis>,
) -> Option<Finding> {
    let shown = ensure::address(url, &slot.row.name);
    let word = format!("{:016x}{:016x}", core.rng.next_u64(), core.rng.next_u64());
    core.hooks.expect(&word);
    let knock = connector
        .knock_at(&format!("{shown}{word}"), shown.clone())
        .await;
    let heard = core.hooks.was_heard(&word);
    let knock = knock?;
    if heard {
        return Some(Finding::ok(Check::Webhooks, "Their address leads to this agent.").at(shown));
    }
    let text = match &knock.outcome {
        Ok(answer) => format!(
            "Their address leads to somebody else, who answers with status {}.",
            answer.status
        ),
        Err(silence) => format!(
            "Their address cannot be reached from this machine: {}",
            sentence(&silence.to_string())
        ),
    };
    let fresh = last.is_some_and(|at| core.now() - at < FRESH_MS);
    let finding = if fresh && knock.outcome.is_err() {
        // Some routers lead nobody back inside; the vendor comes from outside.
        Finding::warning(
            Check::Webhooks,
            format!("{text} Requests do arrive from outside."),
        )
    } else {
        Finding::problem(Check::Webhooks, text)
    };
    Some(finding.at(shown).next(
        "Check the reverse proxy or tunnel: it has to pass `/hooks/` on to the hooks listener of this machine. Polling goes on meanwhile.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knocked(outcome: Result<Heard, Silence>) -> Knock {
        Knock {
            address: "https://api.example.com".to_owned(),
            outcome,
        }
    }

    #[test]
    fn clocks_are_judged_by_their_widest_difference() {
        let at = |clock_ms| {
            knocked(Ok(Heard {
                status: 401,
                clock_ms,
            }))
        };
        assert_eq!(clock(&[at(None)]), None);
        assert_eq!(clock(&[at(Some(0))]).unwrap().state, State::Ok);
        assert_eq!(
            clock(&[at(Some(0)), at(Some(-40_000))]).unwrap().state,
            State::Warning
        );
        let off = clock(&[at(Some(3_600_000)), at(None)]).unwrap();
        assert_eq!(off.state, State::Problem);
        assert_eq!(
            off.text,
            "This machine's clock is 3600 s behind the vendor's."
        );
        assert!(off.next.unwrap().contains("timedatectl"));
    }

    #[test]
    fn an_address_that_another_stands_for_is_no_problem_where_the_login_works() {
        let open = knocked(Ok(Heard {
            status: 404,
            clock_ms: None,
        }));
        let knocks = [open, knocked(Err(Silence::NoName("x".to_owned())))];
        let states = |login: &Finding| {
            let found = addresses(&knocks, login).into_iter();
            found.map(|finding| finding.state).collect::<Vec<_>>()
        };
        let signed_in = Finding::ok(Check::Login, "Signed in.");
        assert_eq!(states(&signed_in), [State::Ok, State::Skipped]);
        let refused = Finding::problem(Check::Login, "Refused.");
        assert_eq!(states(&refused), [State::Ok, State::Problem]);
    }

    #[test]
    fn every_silence_has_a_next_step_of_its_own() {
        let silences = [
            Silence::NotSet("x".to_owned()),
            Silence::NoName("x".to_owned()),
            Silence::NotGranted("x".to_owned()),
            Silence::Closed("x".to_owned()),
            Silence::NotTrusted("x".to_owned()),
            Silence::Slow,
            Silence::Other("x".to_owned()),
        ];
        let steps: std::collections::BTreeSet<String> = silences
            .into_iter()
            .map(|silence| {
                let found = address(&knocked(Err(silence)));
                assert_eq!(found.state, State::Problem);
                assert!(found.text.ends_with('.') && !found.text.ends_with(".."));
                found.next.unwrap()
            })
            .collect();
        assert_eq!(steps.len(), 7);
    }
}
