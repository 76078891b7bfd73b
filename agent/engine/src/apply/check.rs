//! A plan against what the loaded connectors say of themselves. Reads no store: connections that exist already are
//! handed in by name.

use super::address::{Address, address_of};
use super::mistake::{At, Mistake, suggest};
use super::plan::{AnnouncedPlan, ConnectionPlan, CrosswalkPlan, Pair, Plan, RoutePlan};
use crate::connecting::is_required_at_once;
use crate::mapping_rows::ANNOUNCES;
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::alerts::{self, alert_settings};
use waybill_model::contract::{Descriptor, Field, Setting};
use waybill_model::crosswalk::{ANY, CUSTOMERS, ITEMS, SHIPPING_METHODS, WAREHOUSES};
use waybill_model::decimal::Decimal;
use waybill_model::document::Entity;
use waybill_model::hours::Hours;
use waybill_model::practice::practice_settings;
use waybill_model::settings::{
    HOOKS_URL, HOURS, TIME_ZONE, agent_settings, connection_settings, stock_settings,
    timing_settings,
};

impl Plan {
    /// Every mistake the connectors' descriptors show, for a file that stands alone.
    pub fn check(&self, descriptors: &[Descriptor]) -> Vec<Mistake> {
        self.check_beside(descriptors, &BTreeMap::new())
    }

    /// The same beside connections that exist already: name and connector.
    pub fn check_beside(
        &self,
        descriptors: &[Descriptor],
        existing: &BTreeMap<String, String>,
    ) -> Vec<Mistake> {
        let mut check = Check {
            descriptors,
            connections: existing
                .iter()
                .map(|(name, connector)| (name.as_str(), connector.as_str()))
                .collect(),
            mistakes: Vec::new(),
        };
        for connection in &self.connections {
            let (name, connector) = (&connection.name.value, &connection.connector);
            if let Some(other) = existing
                .get(name)
                .filter(|other| **other != connector.value)
            {
                check.mistakes.push(
                    Mistake::new(
                        connector.place,
                        format!("connection `{name}` exists already and uses `{other}`"),
                    )
                    .hint("A connection keeps its connector: choose another name."),
                );
            }
            check.connections.insert(name, &connector.value);
        }
        let own: Vec<Setting> = agent_settings()
            .into_iter()
            .chain(timing_settings())
            .chain(stock_settings())
            .chain(alert_settings())
            .chain(practice_settings())
            .collect();
        check.settings(&self.settings, &own, "the agent", false);
        for retailer in &self.retailers {
            check.settings(&retailer.settings, &own, "the agent", true);
        }
        for connection in &self.connections {
            check.connection(connection);
        }
        for route in &self.routes {
            check.route(route);
        }
        check.one_sale(&self.routes);
        for crosswalk in &self.crosswalks {
            check.crosswalk(crosswalk);
        }
        for list in &self.announced {
            check.announced(list);
        }
        check.mistakes.sort();
        check.mistakes.dedup();
        check.mistakes
    }
}

struct Check<'a> {
    descriptors: &'a [Descriptor],
    /// Name and connector.
    connections: BTreeMap<&'a str, &'a str>,
    mistakes: Vec<Mistake>,
}

impl<'a> Check<'a> {
    fn descriptor(&self, id: &str) -> Option<&'a Descriptor> {
        self.descriptors.iter().find(|d| d.id == id)
    }

    fn unknown(&mut self, name: &At<String>, message: String, known: &[&str]) {
        let mut mistake = Mistake::new(name.place, message);
        mistake.hint = suggest(&name.value, known);
        self.mistakes.push(mistake);
    }

    fn connection(&mut self, connection: &ConnectionPlan) {
        let name = &connection.connector;
        let Some(descriptor) = self.descriptor(&name.value) else {
            let known: Vec<&str> = self.descriptors.iter().map(|d| d.id.as_str()).collect();
            self.unknown(
                name,
                format!("no connector `{}` is loaded", name.value),
                &known,
            );
            if known.is_empty()
                && let Some(mistake) = self.mistakes.last_mut()
            {
                mistake.hint = Some("Put its `.wasm` file into the connectors folder.".to_owned());
            }
            return;
        };
        let mut known = descriptor.settings.clone();
        known.extend(agent_settings());
        known.extend(timing_settings().into_iter().filter(|s| s.key != TIME_ZONE));
        known.extend(stock_settings());
        known.extend(connection_settings());
        self.settings(&connection.settings, &known, &descriptor.title, false);
        for retailer in &connection.retailers {
            self.settings(&retailer.settings, &known, &descriptor.title, true);
            self.private(connection, &retailer.settings, &descriptor.settings);
        }
        self.private(connection, &connection.settings, &descriptor.settings);
        self.hooks(connection);
        self.required(connection, descriptor);
        self.secrets(connection, descriptor);
    }

    fn settings(&mut self, given: &[Pair], known: &[Setting], whose: &str, retailer: bool) {
        let mut seen = BTreeSet::new();
        for pair in given {
            let (key, value) = (&pair.key, &pair.value);
            if !seen.insert(&key.value) {
                self.mistakes.push(Mistake::new(
                    key.place,
                    format!("`{}` is set twice", key.value),
                ));
            }
            let Some(setting) = known.iter().find(|s| s.key == key.value) else {
                let keys: Vec<&str> = known.iter().map(|s| s.key.as_str()).collect();
                self.unknown(
                    key,
                    format!("{whose} has no setting `{}`", key.value),
                    &keys,
                );
                continue;
            };
            if retailer && !setting.per_retailer {
                self.mistakes.push(
                    Mistake::new(
                        key.place,
                        format!("`{}` cannot differ by retailer", key.value),
                    )
                    .hint("Set it for the whole connection."),
                );
            }
            let misfit = misfit(&setting.field, &value.value)
                .or_else(|| unreadable(&key.value, &value.value));
            if let Some((why, hint)) = misfit {
                let mut mistake = Mistake::new(
                    value.place,
                    format!("`{}` cannot be `{}`: {why}", key.value, value.value),
                );
                mistake.hint = hint;
                self.mistakes.push(mistake);
            }
        }
    }

    fn private(&mut self, connection: &ConnectionPlan, given: &[Pair], known: &[Setting]) {
        if connection.allow_private {
            return;
        }
        for pair in given {
            let is_url = known
                .iter()
                .any(|s| s.key == pair.key.value && matches!(s.field, Field::Url));
            if is_url && let Address::Private(host) = address_of(&pair.value.value) {
                self.mistakes.push(
                    Mistake::new(
                        pair.value.place,
                        format!(
                            "`{}` is this machine or in a private network, which connection `{}` is not granted",
                            host, connection.name.value
                        ),
                    )
                    .hint(
                        "If that is meant, allow it: tick \"Private addresses\" under More settings of the connection, or set `private-addresses = true` for it in the file.",
                    ),
                );
            }
        }
    }

    /// The address for webhooks carries a secret: over the open network only encrypted.
    fn hooks(&mut self, connection: &ConnectionPlan) {
        for pair in &connection.settings {
            let value = &pair.value.value;
            if pair.key.value == HOOKS_URL
                && matches!(address_of(value), Address::Public(_))
                && !value.starts_with("https://")
            {
                self.mistakes.push(
                    Mistake::new(
                        pair.value.place,
                        format!("`{HOOKS_URL}` must start with https://: it is followed by a secret"),
                    )
                    .hint("Put a reverse proxy or a tunnel with a certificate in front of the hooks listener."),
                );
            }
        }
    }

    fn required(&mut self, connection: &ConnectionPlan, descriptor: &Descriptor) {
        for setting in &descriptor.settings {
            let given = connection
                .settings
                .iter()
                .any(|p| p.key.value == setting.key && !p.value.value.is_empty());
            if is_required_at_once(setting) && setting.default.is_none() && !given {
                self.mistakes.push(
                    Mistake::new(
                        connection.name.place,
                        format!(
                            "connection `{}` lacks the setting `{}` ({})",
                            connection.name.value, setting.key, setting.label
                        ),
                    )
                    .hint(setting.help.clone()),
                );
            }
        }
    }

    fn secrets(&mut self, connection: &ConnectionPlan, descriptor: &Descriptor) {
        for secret in &connection.secrets {
            let slot = &secret.slot;
            let Some(credential) = descriptor.credentials.iter().find(|c| c.slot == slot.value)
            else {
                let slots: Vec<&str> = descriptor
                    .credentials
                    .iter()
                    .map(|c| c.slot.as_str())
                    .collect();
                let message = format!("{} has no credentials `{}`", descriptor.title, slot.value);
                self.unknown(slot, message, &slots);
                continue;
            };
            if !credential.secrets.contains(&secret.name.value) {
                let names: Vec<&str> = credential.secrets.iter().map(String::as_str).collect();
                let message = format!("`{}` has no secret `{}`", slot.value, secret.name.value);
                self.unknown(&secret.name, message, &names);
            }
        }
    }

    /// The descriptor behind a connection's name; an unknown name is a mistake, an unloaded connector was one before.
    fn behind(&mut self, name: &At<String>) -> Option<&'a Descriptor> {
        if let Some(connector) = self.connections.get(name.value.as_str()) {
            return self.descriptor(connector);
        }
        let known: Vec<&str> = self.connections.keys().copied().collect();
        self.unknown(
            name,
            format!("there is no connection `{}`", name.value),
            &known,
        );
        None
    }

    fn route(&mut self, route: &RoutePlan) {
        let entity = route.entity.value;
        if let Some(from) = self.behind(&route.from)
            && from.feed(entity).is_none()
            // A merchant's cancel shows in the state of the sale.
            && !(entity == Entity::Cancellation && from.feed(Entity::OrderState).is_some())
        {
            let gives: Vec<&str> = from.pulls.iter().map(|f| f.entity.word()).collect();
            self.mistakes.push(
                Mistake::new(
                    route.from.place,
                    format!("{} gives no `{entity}` documents", from.title),
                )
                .hint(format!("It gives: {}.", list(&gives))),
            );
        }
        if let Some(to) = self.behind(&route.to)
            && to.intake(entity).is_none()
        {
            let takes: Vec<&str> = to.pushes.iter().map(|p| p.entity.word()).collect();
            self.mistakes.push(
                Mistake::new(
                    route.to.place,
                    format!("{} takes no `{entity}` documents", to.title),
                )
                .hint(format!("It takes: {}.", list(&takes))),
            );
        }
    }

    /// An order makes one sale.
    fn one_sale(&mut self, routes: &[RoutePlan]) {
        let mut seen = BTreeMap::new();
        for route in routes.iter().filter(|r| r.entity.value == Entity::Order) {
            let (from, to) = (&route.from.value, &route.to.value);
            let first = *seen.entry(from).or_insert(to);
            if first != to {
                self.mistakes.push(
                    Mistake::new(
                        route.to.place,
                        format!("orders of `{from}` go to `{first}` already"),
                    )
                    .hint("An order makes one sale: name one receiving connection."),
                );
            }
        }
    }

    fn crosswalk(&mut self, crosswalk: &CrosswalkPlan) {
        let from = self.behind(&crosswalk.from);
        let to = self.behind(&crosswalk.to);
        let (Some(from), Some(to)) = (from, to) else {
            return;
        };
        let tables = || from.tables.iter().chain(&to.tables);
        let mut names = vec![ITEMS, CUSTOMERS, SHIPPING_METHODS, WAREHOUSES];
        names.extend(tables().map(|t| t.name.as_str()));
        names.sort_unstable();
        names.dedup();
        let table = &crosswalk.table;
        if !names.contains(&table.value.as_str()) {
            self.unknown(
                table,
                format!("there is no table `{}`", table.value),
                &names,
            );
        }
        if matches!(table.value.as_str(), ITEMS | CUSTOMERS) {
            for cell in crosswalk.cells.iter().filter(|cell| cell.value == ANY) {
                self.mistakes.push(
                    Mistake::new(
                        cell.place,
                        format!("`*` means nothing in table `{}`", table.value),
                    )
                    .hint("Items and customers are never guessed: name each one."),
                );
            }
        }
        self.for_all(&[from, to], table, crosswalk.retailer.as_ref());
    }

    /// Refuses a retailer where the table is one for all of them.
    fn for_all(&mut self, of: &[&Descriptor], table: &At<String>, retailer: Option<&At<String>>) {
        let tables = || of.iter().flat_map(|descriptor| &descriptor.tables);
        // The contact of a retailer is kept as his own, whoever made it.
        if let Some(retailer) = retailer
            && table.value != CUSTOMERS
            && tables().any(|t| t.name == table.value)
            && !tables().any(|t| t.name == table.value && t.per_retailer)
        {
            self.mistakes.push(
                Mistake::new(
                    retailer.place,
                    format!("table `{}` cannot differ by retailer", table.value),
                )
                .hint("Leave `retailer` out."),
            );
        }
    }

    fn announced(&mut self, list: &AnnouncedPlan) {
        let from = self.behind(&list.from);
        let to = self.behind(&list.to);
        let (Some(from), Some(to)) = (from, to) else {
            return;
        };
        if !ANNOUNCES.contains(&list.table.value.as_str()) {
            let message = format!("codes of `{}` are not announced", list.table.value);
            self.unknown(&list.table, message, &ANNOUNCES);
        }
        self.for_all(&[from, to], &list.table, list.retailer.as_ref());
    }
}

/// Why a text that follows a grammar cannot be read.
fn unreadable(key: &str, value: &str) -> Option<(String, Option<String>)> {
    let value = value.trim();
    if value.is_empty() {
        return None;
    }
    if key.starts_with(HOURS) || key == alerts::QUIET {
        let why = Hours::parse(value).err()?;
        let hint = "Write days and hours, as in mon-fri 06:00-20:00, sat 08:00-12:00.";
        return Some((why, Some(hint.to_owned())));
    }
    let number = |value: &str| value.parse::<u8>().is_ok_and(|hour| hour < 24);
    if key == alerts::DIGEST_HOUR && !number(value) {
        let hint = "Write an hour of the day, as in 18, or nothing.".to_owned();
        return Some(("it is no hour from 0 to 23".to_owned(), Some(hint)));
    }
    let is_mail = |to: &str| {
        let (name, host) = to.trim().split_once('@').unwrap_or_default();
        !name.is_empty() && host.contains('.') && !to.trim().contains(char::is_whitespace)
    };
    if matches!(key, alerts::MAIL_TO | alerts::MAIL_FROM) && !value.split(',').all(is_mail) {
        let hint = "Write addresses as in desk@example.com, separated by commas.".to_owned();
        return Some(("it is no mail address".to_owned(), Some(hint)));
    }
    let is_server = |at: &str| {
        let (host, port) = at.rsplit_once(':').unwrap_or_default();
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if key == alerts::SMTP && !is_server(value) {
        let hint = "Write name and port, as in smtp.example.com:465.".to_owned();
        return Some(("it is no mail server with its port".to_owned(), Some(hint)));
    }
    if key == TIME_ZONE && jiff::tz::TimeZone::get(value).is_err() {
        let hint = "Write a name as in Europe/Berlin or America/New_York.".to_owned();
        let why = "this machine knows no such time zone".to_owned();
        return Some((why, Some(hint)));
    }
    None
}

/// Why a value does not fit a field, and what would.
pub(crate) fn misfit(field: &Field, value: &str) -> Option<(String, Option<String>)> {
    match field {
        Field::Text | Field::Lookup => None,
        // Empty means none; `required` says where that will not do.
        Field::Url if value.is_empty() => None,
        Field::Url => match address_of(value) {
            Address::Bad(why) => Some((why.to_owned(), None)),
            Address::Private(_) | Address::Public(_) => None,
        },
        Field::Integer => value
            .parse::<i64>()
            .is_err()
            .then(|| ("it must be a whole number".to_owned(), None)),
        Field::Decimal => value.parse::<Decimal>().is_err().then(|| {
            let hint = "Write a point, as in 0.5, and at most 9 digits behind it.".to_owned();
            ("it must be a decimal number".to_owned(), Some(hint))
        }),
        Field::Toggle => (value != "true" && value != "false")
            .then(|| ("it must be true or false".to_owned(), None)),
        Field::OneOf(choices) => {
            let values: Vec<&str> = choices
                .iter()
                .filter(|c| !c.disabled)
                .map(|c| c.value.as_str())
                .collect();
            (!values.contains(&value)).then(|| {
                (
                    "it is none of the choices".to_owned(),
                    suggest(value, &values),
                )
            })
        }
    }
}

fn list(words: &[&str]) -> String {
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}
