//! What the merchant wants to hear, read from settings and secrets. Must not know what happened.

use crate::core::Core;
use crate::flow;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use secrecy::SecretString;
use waybill_model::alerts::{self, alert_settings};
use waybill_model::contract::Setting;
use waybill_model::hours::Hours;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::settings::{self, Values};
use waybill_store::{DeadlineKind, Read, Rx, StoreError};

/// Where the secrets of alerts lie: no connection has that number.
pub(crate) const NOBODY: ConnectionId = ConnectionId(0);

const MINUTE_MS: Millis = 60_000;
const HOUR_MS: Millis = 60 * MINUTE_MS;

/// A mail server, and who is told.
#[derive(Debug, Clone)]
pub(crate) struct MailWish {
    pub(crate) to: Vec<String>,
    pub(crate) from: String,
    pub(crate) server: String,
    pub(crate) tls: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<SecretString>,
}

/// A webhook, and the form it wants.
#[derive(Debug, Clone)]
pub(crate) struct HookWish {
    pub(crate) form: String,
    pub(crate) url: Option<SecretString>,
}

/// What the merchant wants.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    pub(crate) mail: Option<MailWish>,
    pub(crate) hook: Option<HookWish>,
    pub(crate) private: bool,
    /// Time before a deadline.
    acknowledge: Millis,
    ship: Millis,
    invoice: Millis,
    pub(crate) down: Millis,
    quiet: Option<Hours>,
    digest_hour: Option<i8>,
    pub(crate) ping: Option<SecretString>,
    pub(crate) ping_every: Millis,
    pub(crate) zone: TimeZone,
    pub(crate) store: String,
}

/// What is set, and what holds where nothing is.
struct Set {
    values: Values,
    defaults: Vec<Setting>,
}

impl Set {
    fn text(&self, key: &str) -> String {
        let value = settings::value(&self.values, key, &self.defaults);
        value.unwrap_or_default().trim().to_owned()
    }

    fn number(&self, key: &str) -> Millis {
        let number = self.text(key).parse::<Millis>();
        number.unwrap_or(0).clamp(0, 10_000)
    }
}

fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl Wishes {
    /// As they are stored now.
    pub(crate) fn read(core: &Core, rx: &Rx) -> Result<Self, StoreError> {
        let set = Set {
            values: rx.effective(None, None)?,
            defaults: alert_settings(),
        };
        let secret = |name: &str| rx.secret(NOBODY, alerts::SLOT, name);
        let to: Vec<String> = set
            .text(alerts::MAIL_TO)
            .split(',')
            .filter_map(|to| filled(to.trim().to_owned()))
            .collect();
        let mail = if to.is_empty() {
            None
        } else {
            Some(MailWish {
                to,
                from: set.text(alerts::MAIL_FROM),
                server: set.text(alerts::SMTP),
                tls: set.text(alerts::SMTP_TLS),
                user: filled(set.text(alerts::SMTP_USER)),
                password: secret(alerts::SMTP_PASSWORD)?,
            })
        };
        let form = set.text(alerts::WEBHOOK);
        let hook = if form == "off" {
            None
        } else {
            let url = secret(alerts::WEBHOOK_URL)?;
            Some(HookWish { form, url })
        };
        let hour = set.text(alerts::DIGEST_HOUR).parse::<i8>().ok();
        Ok(Self {
            mail,
            hook,
            private: set.text(alerts::PRIVATE) == "true",
            acknowledge: set.number(alerts::ACKNOWLEDGE_HOURS) * HOUR_MS,
            ship: set.number(alerts::SHIP_HOURS) * HOUR_MS,
            invoice: set.number(alerts::INVOICE_HOURS) * HOUR_MS,
            down: set.number(alerts::DOWN_MINUTES).max(1) * MINUTE_MS,
            // What cannot be read was refused when it was set.
            quiet: filled(set.text(alerts::QUIET)).and_then(|text| Hours::parse(&text).ok()),
            digest_hour: hour.filter(|hour| (0..24).contains(hour)),
            ping: secret(alerts::PING_URL)?,
            ping_every: set.number(alerts::PING_MINUTES).max(1) * MINUTE_MS,
            zone: core.desk().zone.clone(),
            store: crate::status::store_name(core, rx)?,
        })
    }

    #[cfg(test)]
    pub(crate) fn nobody(zone: TimeZone, quiet: &str, digest_hour: Option<i8>) -> Self {
        Self {
            mail: None,
            hook: None,
            private: false,
            acknowledge: 0,
            ship: 0,
            invoice: 0,
            down: 0,
            quiet: Hours::parse(quiet).ok(),
            digest_hour,
            ping: None,
            ping_every: MINUTE_MS,
            zone,
            store: "Shop".to_owned(),
        }
    }

    /// Whether anybody is told anything.
    pub(crate) const fn is_any(&self) -> bool {
        self.mail.is_some() || self.hook.is_some()
    }

    /// How long before a deadline it is told.
    pub(crate) const fn lead(&self, kind: DeadlineKind) -> Millis {
        match kind {
            DeadlineKind::Acknowledge => self.acknowledge,
            DeadlineKind::Ship => self.ship,
            DeadlineKind::Invoice => self.invoice,
        }
    }

    /// The longest of these.
    pub(crate) fn longest_lead(&self) -> Millis {
        self.acknowledge.max(self.ship).max(self.invoice)
    }

    /// That moment where the merchant is.
    pub(crate) fn local(&self, at: Millis) -> Option<Zoned> {
        let at = Timestamp::from_millisecond(at).ok()?;
        Some(at.to_zoned(self.zone.clone()))
    }

    /// A moment in words.
    pub(crate) fn when(&self, at: Millis) -> String {
        let local = self
            .local(at)
            .map(|at| at.strftime("%a %d %b, %H:%M").to_string());
        local.unwrap_or_else(|| at.to_string())
    }

    /// When the quiet hours end in which this moment is.
    pub(crate) fn quiet_until(&self, now: Millis) -> Option<Millis> {
        const STEP: i64 = 5;
        const WEEK: i64 = 7 * 24 * 60;
        let quiet = self.quiet.as_ref()?;
        let local = self.local(now)?;
        let within = |at: &Zoned| {
            let (day, minute) = flow::day_and_minute(at);
            quiet.contains(day, minute)
        };
        let mut later = (0..=WEEK / STEP)
            .map_while(|steps| local.checked_add(Span::new().minutes(steps * STEP)).ok());
        if !within(&local) {
            return None;
        }
        let end = later.find(|at| !within(at));
        Some(end.map_or(Millis::MAX, |at| at.timestamp().as_millisecond()))
    }

    /// The day whose digest is due at that moment, as a date.
    pub(crate) fn digest_day(&self, now: Millis) -> Option<String> {
        let local = self.local(now)?;
        (local.hour() >= self.digest_hour?).then(|| local.date().to_string())
    }
}
