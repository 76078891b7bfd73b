//! Owns what the merchant entered, typed: base URL, ids, codes. Must not know what a setting looks like on a page
//! (`describe.rs`) or what the account holds (`probe.rs`).

use crate::describe;
use waybill_sdk::blank::trim;
use waybill_sdk::types::Problem;

/// Settings of one call, with a retailer's own before the connection's, and the defaults behind both.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    own: &'a [(String, String)],
    rest: &'a [(String, String)],
}

/// The keys that hold the id of a record of the account.
pub const IDS: [&str; 11] = [
    "order-status",
    "cancel-status",
    "channel",
    "warehouse",
    "price-list",
    "shipping-method",
    "lead-source",
    "team",
    "project",
    "owner",
    "instance-id",
];

/// Most minutes or hours that can be entered.
const MOST_OF_A_NUMBER: i64 = 1_440;

/// The keys that hold a number of minutes or hours.
const NUMBERS: [&str; 2] = ["shipment-overlap-mins", "shipment-sweep-hours"];

fn find<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs
        .iter()
        .rev()
        .find(|(k, _)| k == key)
        .map(|(_, v)| trim(v))
        .filter(|v| !v.is_empty())
}

impl<'a> Settings<'a> {
    /// The connection's settings.
    pub const fn of(settings: &'a [(String, String)]) -> Self {
        Self {
            own: &[],
            rest: settings,
        }
    }

    /// The same with a retailer's before them.
    #[must_use]
    pub const fn with(self, own: &'a [(String, String)]) -> Self {
        Self { own, ..self }
    }

    /// The value, else the default; blank counts as none.
    pub fn get(self, key: &str) -> Option<&'a str> {
        find(self.own, key)
            .or_else(|| find(self.rest, key))
            .or_else(|| describe::default_of(key))
    }

    /// The value as a positive id.
    pub fn id(self, key: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        match text.parse::<i64>() {
            Ok(id) if id > 0 => Ok(Some(id)),
            _ => Err(Problem::new(
                key,
                format!("The setting `{key}` is `{text}`, which is no id."),
                "Choose a value from the list, or enter the number Brightpearl shows.",
            )),
        }
    }

    /// Where the account's API is, without a slash at the end.
    pub fn base_url(self) -> String {
        if let Some(url) = self.get("base-url") {
            return url.trim_end_matches('/').to_owned();
        }
        // The token's answer knows best: an account can be moved.
        let domain = self.get("token.api_domain").filter(|domain| plain(domain));
        let domain = domain.or_else(|| self.get("api-domain"));
        describe::BASE_URL
            .replace("{api-domain}", domain.unwrap_or_default())
            .replace("{account}", self.get("account").unwrap_or_default())
    }

    /// The code of the account, as the API's address names it.
    pub fn account(self) -> String {
        let base = self.base_url();
        base.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// The slot of the credential in use.
    pub fn slot(self) -> String {
        self.get("auth").unwrap_or("staff").to_owned()
    }

    /// This app's installation, where the merchant entered it or the approval named it.
    pub fn instance(self) -> Result<Option<i64>, Problem> {
        let approved = self.slot() == "oauth";
        Ok(self.id("instance-id")?.or_else(|| {
            approved
                .then(|| self.get("token.installation_instance_id"))??
                .parse()
                .ok()
        }))
    }

    /// How long a search may trail a write, in milliseconds.
    pub fn settle_ms(self) -> u64 {
        let secs: u64 = self
            .get("search-settle-secs")
            .and_then(|s| s.parse().ok())
            .unwrap_or(30);
        secs.saturating_mul(1000)
    }

    /// Whether several sales may go in one call.
    pub fn multi_message(self) -> bool {
        self.get("multi-message") == Some("true")
    }

    /// How far behind the last round a round of shipments begins, in milliseconds.
    pub fn shipment_overlap_ms(self) -> i64 {
        self.number("shipment-overlap-mins", 15) * 60_000
    }

    /// How far back the hourly wide round looks, in milliseconds.
    pub fn shipment_sweep_ms(self) -> i64 {
        self.number("shipment-sweep-hours", 24) * 3_600_000
    }

    /// A number within what [`Settings::validate`] takes, else `otherwise`.
    fn number(self, key: &str, otherwise: i64) -> i64 {
        let text = self.get(key).and_then(|text| text.parse().ok());
        text.filter(|n| (1..=MOST_OF_A_NUMBER).contains(n))
            .unwrap_or(otherwise)
    }

    /// All that can be said against the settings without asking anybody.
    pub fn validate(self) -> Vec<Problem> {
        let mut found = self.validate_connection();
        for key in IDS {
            found.extend(self.id(key).err());
        }
        if let Some(secs) = self.get("search-settle-secs")
            && !secs.parse::<u64>().is_ok_and(|s| (1..=3600).contains(&s))
        {
            found.push(Problem::new(
                "search-settle-secs",
                format!("`{secs}` is no number of seconds from 1 to 3600."),
                "Leave it at 30 unless lost answers were sent twice.",
            ));
        }
        for key in NUMBERS {
            if let Some(text) = self.get(key)
                && !text
                    .parse::<i64>()
                    .is_ok_and(|n| (1..=MOST_OF_A_NUMBER).contains(&n))
            {
                found.push(Problem::new(
                    key,
                    format!("`{text}` is no number from 1 to {MOST_OF_A_NUMBER}."),
                    "Leave it empty unless shipments were missed.",
                ));
            }
        }
        if let Some(code) = self.get("tracking-field")
            && !code.starts_with("PCF_")
        {
            found.push(Problem::new(
                "tracking-field",
                format!("`{code}` is no code of a custom field."),
                "Enter the field's code, which begins with PCF_.",
            ));
        }
        if let Some(code) = self.get("currency")
            && !(code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()))
        {
            found.push(Problem::new(
                "currency",
                format!("`{code}` is no currency code."),
                "Enter three capital letters, for example USD.",
            ));
        }
        found
    }

    fn validate_connection(self) -> Vec<Problem> {
        let mut found = Vec::new();
        let account = self.get("account");
        if self.get("base-url").is_none() && account.is_none() {
            found.push(Problem::new(
                "account",
                "The account code is missing.",
                "Enter the code you type when you log in to Brightpearl.",
            ));
        }
        if let Some(code) = account.filter(|code| !plain(code)) {
            found.push(Problem::new(
                "account",
                format!("`{code}` is no account code."),
                "It has letters and digits only, for example `mystore`.",
            ));
        }
        if let Some(domain) = self.get("api-domain").filter(|domain| !plain(domain)) {
            found.push(Problem::new(
                "api-domain",
                format!("`{domain}` is no host name."),
                "Use `euw1.brightpearlconnect.com` or `use1.brightpearlconnect.com`.",
            ));
        }
        if let Some(url) = self.get("base-url").filter(|url| !is_base_url(url)) {
            found.push(Problem::new(
                "base-url",
                format!("`{url}` is no address of Brightpearl's API."),
                "It looks like `https://euw1.brightpearlconnect.com/public-api/mystore`.",
            ));
        }
        let slot = self.slot();
        if !["oauth", "staff", "account", "bearer"].contains(&slot.as_str()) {
            found.push(Problem::new(
                "auth",
                format!("`{slot}` is no way to sign in."),
                "Choose one of the list.",
            ));
        }
        if self.get("app-ref").is_none() {
            found.push(Problem::new(
                "app-ref",
                "The app reference is missing.",
                "Copy it from App Store, Private apps in Brightpearl.",
            ));
        }
        if matches!(&*slot, "bearer" | "oauth") && self.get("dev-ref").is_none() {
            found.push(Problem::new(
                "dev-ref",
                "The developer reference is missing.",
                "An access token is used together with the reference of your developer account.",
            ));
        }
        found
    }
}

/// Letters, digits and the marks of names.
fn plain(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// `http(s)://host[:port]/public-api/ACCOUNT`, with nothing behind it.
fn is_base_url(url: &str) -> bool {
    let Some(rest) = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
    else {
        return false;
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._:/[]".contains(&b);
    let Some((host, path)) = rest.split_once('/') else {
        return false;
    };
    let account = path
        .trim_end_matches('/')
        .strip_prefix("public-api/")
        .unwrap_or_default();
    !host.is_empty() && !account.is_empty() && !account.contains('/') && rest.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
        list.iter().map(own).collect()
    }

    fn codes(list: &[(&str, &str)]) -> Vec<String> {
        let all = pairs(list);
        let found = Settings::of(&all).validate();
        found.into_iter().map(|p| p.code).collect()
    }

    #[test]
    fn the_address_is_computed_or_given() {
        let all = pairs(&[
            ("account", "mystore"),
            ("api-domain", "use1.brightpearlconnect.com"),
        ]);
        let settings = Settings::of(&all);
        assert_eq!(
            settings.base_url(),
            "https://use1.brightpearlconnect.com/public-api/mystore"
        );
        let moved = pairs(&[
            ("account", "mystore"),
            ("api-domain", "euw1.brightpearlconnect.com"),
            ("token.api_domain", "use1.brightpearlconnect.com"),
        ]);
        assert_eq!(Settings::of(&moved).base_url(), settings.base_url());
        let all = pairs(&[("base-url", "http://127.0.0.1:4100/public-api/simaccount/")]);
        assert_eq!(
            Settings::of(&all).base_url(),
            "http://127.0.0.1:4100/public-api/simaccount"
        );
    }

    #[test]
    fn a_retailers_own_value_wins_and_blank_is_none() {
        let rest = pairs(&[("channel", "1"), ("warehouse", "2")]);
        let own = pairs(&[("channel", "7"), ("warehouse", " ")]);
        let settings = Settings::of(&rest).with(&own);
        assert_eq!(settings.get("channel"), Some("7"));
        assert_eq!(settings.get("warehouse"), Some("2"));
        assert_eq!(settings.get("search-settle-secs"), Some("30"));
    }

    #[test]
    fn good_settings_have_no_problem() {
        let full = [
            ("account", "mystore"),
            ("app-ref", "mystore_waybill"),
            ("order-status", "22"),
            ("currency", "USD"),
        ];
        assert!(codes(&full).is_empty());
        let sim = [
            ("base-url", "http://127.0.0.1:4100/public-api/simaccount"),
            ("app-ref", "a"),
        ];
        assert!(codes(&sim).is_empty());
    }

    #[test]
    fn each_problem_names_its_setting() {
        assert_eq!(codes(&[]), ["account", "app-ref"]);
        let wrong = [
            ("account", "my store"),
            ("base-url", "ftp://x"),
            ("auth", "magic"),
            ("app-ref", "a"),
            ("order-status", "New"),
            ("search-settle-secs", "0"),
            ("currency", "usd"),
        ];
        assert_eq!(
            codes(&wrong),
            [
                "account",
                "base-url",
                "auth",
                "order-status",
                "search-settle-secs",
                "currency"
            ]
        );
        let bearer = [("account", "a"), ("app-ref", "a"), ("auth", "bearer")];
        assert_eq!(codes(&bearer), ["dev-ref"]);
        for url in [
            "https://h/public-api/a/b",
            "https://h/public-api/",
            "https://h?x=/public-api/a",
        ] {
            assert_eq!(
                codes(&[("base-url", url), ("app-ref", "a")]),
                ["base-url"],
                "{url}"
            );
        }
    }
}
