//! Settings of alerts: who is told what, when, over which way. Addresses that are secrets (a webhook, a ping, the mail
//! server's password) are no settings; they lie sealed in the vault.

use crate::contract::{Choice, Field, Setting};

/// Key of the setting: who gets mail, addresses separated by commas. Empty: nobody.
pub const MAIL_TO: &str = "alerts.mail-to";
/// Key of the setting: who the mail is from.
pub const MAIL_FROM: &str = "alerts.mail-from";
/// Key of the setting: the mail server, `HOST:PORT`.
pub const SMTP: &str = "alerts.smtp";
/// Key of the setting: how the connection to it is protected.
pub const SMTP_TLS: &str = "alerts.smtp-tls";
/// Key of the setting: the user at the mail server. Empty: no login.
pub const SMTP_USER: &str = "alerts.smtp-user";
/// Key of the setting: the form of messages to the webhook.
pub const WEBHOOK: &str = "alerts.webhook";
/// Key of the setting: whether alerts may go to this machine or a private network.
pub const PRIVATE: &str = "alerts.private";
/// Key of the setting: hours before an acknowledge-by.
pub const ACKNOWLEDGE_HOURS: &str = "alerts.acknowledge-hours";
/// Key of the setting: hours before a ship-by.
pub const SHIP_HOURS: &str = "alerts.ship-hours";
/// Key of the setting: hours before an invoice-by.
pub const INVOICE_HOURS: &str = "alerts.invoice-hours";
/// Key of the setting: minutes without an answer of a side.
pub const DOWN_MINUTES: &str = "alerts.down-minutes";
/// Key of the setting: hours of the week in which only what cannot wait is told.
pub const QUIET: &str = "alerts.quiet";
/// Key of the setting: hour of the day of the digest. Empty: none.
pub const DIGEST_HOUR: &str = "alerts.digest-hour";
/// Key of the setting: minutes between two pings.
pub const PING_MINUTES: &str = "alerts.ping-minutes";

/// Slot of the vault, under the connection 0, which no connection has.
pub const SLOT: &str = "alerts";
/// Name of the secret: the password at the mail server.
pub const SMTP_PASSWORD: &str = "smtp-password";
/// Name of the secret: where messages are posted.
pub const WEBHOOK_URL: &str = "webhook-url";
/// Name of the secret: what is asked as long as all is well.
pub const PING_URL: &str = "ping-url";
/// All of them.
pub const SECRETS: [&str; 3] = [SMTP_PASSWORD, WEBHOOK_URL, PING_URL];

fn one(key: &str, label: &str, help: &str, default: Option<&str>, field: Field) -> Setting {
    Setting {
        key: key.to_owned(),
        label: label.to_owned(),
        help: help.to_owned(),
        group: "alerts".to_owned(),
        required: false,
        per_retailer: false,
        default: default.map(str::to_owned),
        field,
        was: Vec::new(),
    }
}

fn choices(of: &[(&str, &str)]) -> Field {
    let choice = |(value, label): &(&str, &str)| Choice {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        disabled: false,
    };
    Field::OneOf(of.iter().map(choice).collect())
}

fn ways() -> Vec<Setting> {
    let tls = [
        ("tls", "TLS from the start (mostly port 465)"),
        ("starttls", "STARTTLS (mostly port 587)"),
        ("none", "None, only to a private address"),
    ];
    let forms = [
        ("off", "None"),
        ("slack", "Slack"),
        ("teams", "Microsoft Teams"),
        ("json", "Plain JSON"),
    ];
    vec![
        one(
            MAIL_TO,
            "Mail to",
            "Addresses, separated by commas. Empty: no mail.",
            None,
            Field::Text,
        ),
        one(
            MAIL_FROM,
            "Mail from",
            "The address that mail comes from; your mail server must allow it.",
            None,
            Field::Text,
        ),
        one(
            SMTP,
            "Mail server",
            "Name and port, as in smtp.example.com:465.",
            None,
            Field::Text,
        ),
        one(
            SMTP_TLS,
            "Protection of mail",
            "Without TLS anybody on the way could read it and the password.",
            Some("tls"),
            choices(&tls),
        ),
        one(
            SMTP_USER,
            "User at the mail server",
            "Empty: no login. The password is stored sealed on the page Alerts.",
            None,
            Field::Text,
        ),
        one(
            WEBHOOK,
            "Messages to a webhook",
            "Their form. The address is a secret: it is stored sealed on the page Alerts.",
            Some("off"),
            choices(&forms),
        ),
        one(
            PRIVATE,
            "Alerts to private addresses",
            "Whether mail server, webhook and ping may be on this machine or in a private network.",
            Some("false"),
            Field::Toggle,
        ),
    ]
}

/// All settings of alerts, agent-wide.
pub fn alert_settings() -> Vec<Setting> {
    let number = |key, label, help, default| one(key, label, help, Some(default), Field::Integer);
    let mut all = ways();
    all.extend([
        number(
            ACKNOWLEDGE_HOURS,
            "Hours before an acknowledge-by",
            "An order that is not acknowledged so shortly before is told. 0: none is.",
            "2",
        ),
        number(
            SHIP_HOURS,
            "Hours before a ship-by",
            "An order that has not shipped so shortly before is told. 0: none is.",
            "4",
        ),
        number(
            INVOICE_HOURS,
            "Hours before an invoice-by",
            "An order that is not invoiced so shortly before is told. 0: none is.",
            "24",
        ),
        number(
            DOWN_MINUTES,
            "Minutes without an answer",
            "A side that does not answer for so long is told, and when it answers again. A refused login is told at once.",
            "15",
        ),
        one(
            QUIET,
            "Quiet hours",
            "As in mon-fri 20:00-06:00, sat-sun 00:00-24:00. Then only deadlines that end within them are told; the rest waits. Empty: none.",
            None,
            Field::Text,
        ),
        one(
            DIGEST_HOUR,
            "Hour of the daily digest",
            "At this hour of your day, 0 to 23, the figures of the day are told. Empty: none.",
            None,
            Field::Text,
        ),
        number(
            PING_MINUTES,
            "Minutes between two pings",
            "The ping's address is asked as long as the agent works; whoever watches it tells you when that ends.",
            "5",
        ),
    ]);
    all
}
