//! Owns what the connector says of itself: settings, credentials, reach, tables, feeds and intakes.
//! Must not know the values a merchant entered.

use waybill_sdk::commerce::Entity;
use waybill_sdk::types::{
    Choice, Credential, Descriptor, Feed, Field, Intake, Oauth, Reach, Scheme, Setting, Table,
};

/// Where the API of an account is, unless the merchant enters a whole address.
pub const BASE_URL: &str = "https://{api-domain}/public-api/{account}";

/// The same where the token's answer names the data centre: an account can be moved.
const MOVED_URL: &str = "https://{token.api_domain}/public-api/{account}";

/// Brightpearl allows 200 calls a minute; a few are left to the merchant's other apps.
const CALLS_PER_MINUTE: u32 = 190;

/// Most members of one push: so many sales go in one call. Contacts are calls of their own, and a call of the agent
/// should not take minutes.
const MAX_BATCH: u32 = 10;

/// The default of a setting.
pub fn default_of(key: &str) -> Option<&'static str> {
    Some(match key {
        "api-domain" => "euw1.brightpearlconnect.com",
        "auth" => "staff",
        "oauth-url" => "https://oauth.brightpearl.com",
        "delivery-date" => "none",
        "customer-prefix" => "WAYBILL-",
        "search-settle-secs" => "30",
        "multi-message" => "true",
        "shipment-overlap-mins" => "15",
        "shipment-sweep-hours" => "24",
        _ => return None,
    })
}

/// What the connector says of itself.
pub fn descriptor() -> Descriptor {
    Descriptor {
        id: "brightpearl".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Brightpearl".to_owned(),
        // The first counts where the merchant entered an address, the others where the account code is enough.
        reach: ["{base-url}", BASE_URL, MOVED_URL].map(reach).to_vec(),
        credentials: credentials(),
        settings: settings(),
        tables: tables(),
        pulls: vec![
            feed(Entity::Shipment, 60),
            feed(Entity::OrderState, 60),
            feed(Entity::Invoice, 300),
            feed(Entity::Item, 900),
            feed(Entity::InventoryLevel, 900),
            feed(Entity::Warehouse, 3600),
            feed(Entity::ShippingMethod, 3600),
        ],
        pushes: vec![
            intake(Entity::Customer),
            intake(Entity::Order),
            intake(Entity::Cancellation),
        ],
    }
}

fn reach(url: &str) -> Reach {
    Reach {
        url: url.to_owned(),
        per_minute: CALLS_PER_MINUTE,
        per_second: 0,
    }
}

fn feed(entity: Entity, poll_secs: u32) -> Feed {
    Feed {
        entity,
        poll_secs,
        settles: Vec::new(),
    }
}

fn intake(entity: Entity) -> Intake {
    Intake {
        entity,
        max_batch: MAX_BATCH,
        self_decrementing: false,
    }
}

/// Where tokens of an approval come from.
const OAUTH_URL: &str = "{oauth-url}/token/{account}";

fn credentials() -> Vec<Credential> {
    vec![
        approval(),
        credential(
            "staff",
            "Private app, staff token",
            "The token of one user of a private app.",
            &[
                ("brightpearl-app-ref", "{app-ref}"),
                ("brightpearl-staff-token", "{token}"),
            ],
            &[
                "In Brightpearl, open App Store, then Private apps, and add a staff app.",
                "Copy its reference into \"App reference\".",
                "Choose Manage users and create a token for the user that sales are to be made by.",
                "Copy the token at once: Brightpearl shows it once.",
            ],
        ),
        credential(
            "account",
            "Private app, account token",
            "The token of a system app that exists already.",
            &[
                ("brightpearl-app-ref", "{app-ref}"),
                ("brightpearl-account-token", "{token}"),
            ],
            &[
                "Brightpearl gives out no new system apps: use this only where you have one.",
                "In Brightpearl, open App Store, then Private apps; the app's page has its reference and its token.",
            ],
        ),
        credential(
            "bearer",
            "Access token",
            "An OAuth access token of an app of your own developer account.",
            &[
                ("Authorization", "Bearer {token}"),
                ("brightpearl-dev-ref", "{dev-ref}"),
                ("brightpearl-app-ref", "{app-ref}"),
            ],
            &["It ends after a week and is not renewed: for trials only."],
        ),
    ]
}

/// An app that the merchant approves in the browser. Brightpearl knows no scopes, and a public client has no secret.
fn approval() -> Credential {
    let hosts = ["{oauth-url}", "{base-url}", BASE_URL, MOVED_URL];
    let headers = [
        ("Authorization", "Bearer {access_token}"),
        ("brightpearl-dev-ref", "{dev-ref}"),
        ("brightpearl-app-ref", "{app-ref}"),
    ];
    Credential {
        slot: "oauth".to_owned(),
        label: "Approve at Brightpearl".to_owned(),
        help: "You log in at Brightpearl and approve; no token is typed anywhere.".to_owned(),
        scheme: Scheme::Oauth2Code(Oauth {
            authorize_url: "{oauth-url}/authorize/{account}".to_owned(),
            token_url: OAUTH_URL.to_owned(),
            client_id: "{app-ref}".to_owned(),
            form: Vec::new(),
            headers: pairs(&headers),
            expose: vec![
                "api_domain".to_owned(),
                "installation_instance_id".to_owned(),
            ],
        }),
        secrets: Vec::new(),
        hosts: hosts.map(str::to_owned).to_vec(),
        steps: [
            "Register once as a Brightpearl developer: you get a developer reference.",
            "Add an app named Waybill, of the kind \"public\". It can stay \"in development\".",
            "As its redirect address, copy this, with the name of this connection at its end: {redirect}",
            "Add your account code as an early-access account of the app.",
            "Copy developer reference and app reference into the fields here, and save.",
            "Then connect: you approve at Brightpearl and come back here.",
        ]
        .map(str::to_owned)
        .to_vec(),
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    list.iter().map(pair).collect()
}

fn credential(
    slot: &str,
    label: &str,
    help: &str,
    headers: &[(&str, &str)],
    steps: &[&str],
) -> Credential {
    Credential {
        slot: slot.to_owned(),
        label: label.to_owned(),
        help: help.to_owned(),
        scheme: Scheme::Headers(pairs(headers)),
        secrets: vec!["token".to_owned()],
        hosts: ["{base-url}", BASE_URL, MOVED_URL]
            .map(str::to_owned)
            .to_vec(),
        steps: steps.iter().map(|step| (*step).to_owned()).collect(),
    }
}

fn tables() -> Vec<Table> {
    let table = |name: &str, label: &str, per_retailer: bool, lookup: &str| Table {
        name: name.to_owned(),
        label: label.to_owned(),
        columns: vec!["id".to_owned(), "name".to_owned()],
        per_retailer,
        lookup: Some(lookup.to_owned()),
    };
    vec![
        table("items", "Products", true, "item"),
        table("customers", "Contacts", false, "customer"),
        table(
            "shipping-methods",
            "Shipping methods",
            true,
            "shipping-method",
        ),
        table("warehouses", "Warehouses", true, "warehouse"),
    ]
}

/// One setting; the rest of its fields are set by the methods below.
fn setting(group: &str, key: &str, label: &str, help: &str, field: Field) -> Setting {
    Setting {
        key: key.to_owned(),
        label: label.to_owned(),
        help: help.to_owned(),
        group: group.to_owned(),
        required: false,
        per_retailer: group == ORDERS,
        default: default_of(key).map(str::to_owned),
        field,
        was: Vec::new(),
    }
}

fn one_of(list: &[(&str, &str)]) -> Field {
    let choice = |(value, label): &(&str, &str)| Choice {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        disabled: false,
    };
    Field::OneOf(list.iter().map(choice).collect())
}

const CONNECTION: &str = "connection";
const ORDERS: &str = "orders";
const CUSTOMERS: &str = "customers";
const CATALOGUE: &str = "catalogue";
const CANCELS: &str = "cancellations";
const SHIPMENTS: &str = "shipments";

fn settings() -> Vec<Setting> {
    let mut all = connection_settings();
    all.extend(sale_settings());
    all.extend(money_settings());
    all.extend(shipment_settings());
    all.push(setting(
        CANCELS,
        "cancelled-statuses",
        "Other statuses that mean cancelled",
        "Ids separated by commas. A sale that you set to one of them is cancelled at the network too, under the reason code that Matching says for that status.",
        Field::Text,
    ));
    all.push(Setting {
        per_retailer: true,
        ..setting(
            CUSTOMERS,
            "customer-prefix",
            "Account reference of new contacts",
            "Contacts made for a retailer get this and the retailer's code as their account reference, those of a consumer the order's id behind both; that is how they are found again.",
            Field::Text,
        )
    });
    all.push(setting(
        CATALOGUE,
        "custom-id-field",
        "Custom field with an item id",
        "Where your products carry the other side's item number: the code of that custom field, for example PCF_NETWORK. Products can then be matched by custom: and this code.",
        Field::Lookup,
    ));
    all
}

fn connection_settings() -> Vec<Setting> {
    vec![
        setting(
            CONNECTION,
            "account",
            "Account code",
            "The code you type when you log in; it also stands at the bottom right of every page.",
            Field::Text,
        ),
        setting(
            CONNECTION,
            "api-domain",
            "Data centre",
            "Log in at Brightpearl and look at the address: use1 in it means use1.brightpearlconnect.com, euw1 means euw1.brightpearlconnect.com. Left empty, it is the latter.",
            Field::Text,
        ),
        setting(
            CONNECTION,
            "base-url",
            "API address",
            "Leave it empty: it follows from the account code and from the data centre under More settings. Only a sandbox needs a whole address, such as http://127.0.0.1:4100/public-api/simaccount, and with it the tick at Private addresses.",
            Field::Url,
        ),
        setting(
            CONNECTION,
            "auth",
            "Sign in with",
            "For your own account the staff token of a private app is the quickest. Brightpearl itself prefers that you approve there, which takes a developer account.",
            one_of(&[
                ("oauth", "Approve at Brightpearl"),
                ("staff", "Private app, staff token"),
                ("account", "Private app, account token"),
                ("bearer", "Access token"),
            ]),
        ),
        Setting {
            required: true,
            ..setting(
                CONNECTION,
                "app-ref",
                "App reference",
                "The reference of your app at Brightpearl, for example mystore_waybill. \"How to get it\" says where it stands.",
                Field::Text,
            )
        },
        setting(
            CONNECTION,
            "dev-ref",
            "Developer reference",
            "Only where you approve at Brightpearl or use an access token: the reference of your developer account. Otherwise leave it empty.",
            Field::Text,
        ),
        setting(
            CONNECTION,
            "oauth-url",
            "Sign-in address",
            "Where you approve. Another one is only for trials against a sandbox.",
            Field::Url,
        ),
        setting(
            CONNECTION,
            "instance-id",
            "App instance",
            "Number of this app's installation. Left empty, it is learnt from the first answer. Brightpearl then refuses a second sale with the same reference.",
            Field::Integer,
        ),
        setting(
            CONNECTION,
            "search-settle-secs",
            "Seconds a search may trail",
            "When an answer was lost, a sale is looked up before it is sent again, and not before this time has passed.",
            Field::Integer,
        ),
        setting(
            CONNECTION,
            "multi-message",
            "Ten sales in one call",
            "Brightpearl counts up to ten new sales sent together as one call. Switched off, each sale is a call of its own; where an account does not offer it, that happens by itself.",
            Field::Toggle,
        ),
    ]
}

fn sale_settings() -> Vec<Setting> {
    let lookup = |key, label, help| setting(ORDERS, key, label, help, Field::Lookup);
    let number = |key, label, help| setting(ORDERS, key, label, help, Field::Integer);
    vec![
        lookup(
            "order-status",
            "Status of new sales",
            "Left empty, the account's own status for new orders.",
        ),
        lookup(
            "cancel-status",
            "Status of cancelled sales",
            "What a sale is set to when its order is cancelled. Choose the account's own status for cancelled sales.",
        ),
        lookup("channel", "Channel", "Sales channel of new sales."),
        lookup(
            "warehouse",
            "Warehouse",
            "For orders that name no warehouse.",
        ),
        lookup(
            "shipping-method",
            "Shipping method",
            "For orders that ask for none.",
        ),
        setting(
            ORDERS,
            "delivery-date",
            "Delivery date",
            "What stands as the wanted delivery date of a sale.",
            one_of(&[("none", "None"), ("ship-by", "The order's ship-by date")]),
        ),
        lookup("lead-source", "Lead source", "Lead source of new sales."),
        number(
            "team",
            "Team",
            "Id of the team. Brightpearl gives out no list of teams: a wrong one shows with the first sale.",
        ),
        number(
            "project",
            "Project",
            "Id of the project. Brightpearl gives out no list of projects: a wrong one shows with the first sale.",
        ),
        lookup(
            "owner",
            "Owner",
            "The member of staff who looks after new sales.",
        ),
    ]
}

fn shipment_settings() -> Vec<Setting> {
    let number = |key, label, help| setting(SHIPMENTS, key, label, help, Field::Integer);
    vec![
        number(
            "shipment-overlap-mins",
            "Minutes looked back each time",
            "Each look at shipped goods-out notes begins so many minutes before the last one: a search may trail what happened.",
        ),
        number(
            "shipment-sweep-hours",
            "Hours looked back once an hour",
            "For notes whose shipping was dated back, and for tracking numbers that were changed. More hours cost more calls.",
        ),
        setting(
            SHIPMENTS,
            "tracking-field",
            "Custom field of tracking numbers",
            "Code of the sales' custom field, such as PCF_TRACK. For sales that are reported at a status and have no goods-out note.",
            Field::Text,
        ),
    ]
}

fn money_settings() -> Vec<Setting> {
    let lookup = |key, label, help| setting(ORDERS, key, label, help, Field::Lookup);
    vec![
        lookup(
            "price-list",
            "Price list",
            "Left empty, the customer's. Prices always come from the order.",
        ),
        setting(
            ORDERS,
            "price-mode",
            "Prices shown",
            "How Brightpearl shows the prices of a sale; the amounts are the same.",
            one_of(&[("EXC", "Without tax"), ("INC", "With tax")]),
        ),
        setting(
            ORDERS,
            "currency",
            "Currency",
            "For orders that name none, for example USD.",
            Field::Text,
        ),
        Setting {
            required: true,
            ..lookup(
                "tax-code",
                "Tax code",
                "Every row of a sale has one. Wholesale orders are mostly exempt.",
            )
        },
        lookup(
            "charge-tax-code",
            "Tax code of charges",
            "Shipping, handling, discounts and surcharges. Left empty, the tax code above.",
        ),
        lookup(
            "nominal-code",
            "Nominal code",
            "Left empty, the one of the product.",
        ),
        lookup(
            "nominal-shipping",
            "Nominal code of shipping",
            "Left empty, the nominal code above.",
        ),
        lookup(
            "nominal-handling",
            "Nominal code of handling",
            "Left empty, the nominal code above.",
        ),
        lookup(
            "nominal-discount",
            "Nominal code of discounts",
            "Left empty, the nominal code above.",
        ),
        lookup(
            "nominal-surcharge",
            "Nominal code of surcharges",
            "Left empty, the nominal code above.",
        ),
        lookup(
            "nominal-tax",
            "Nominal code of tax rows",
            "Where tax is a row of its own. Left empty, the nominal code above.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_are_unique_and_explained() {
        let all = descriptor();
        let keys: BTreeSet<&str> = all.settings.iter().map(|s| s.key.as_str()).collect();
        assert_eq!(keys.len(), all.settings.len());
        assert!(
            all.settings
                .iter()
                .all(|s| !s.help.is_empty() && !s.label.is_empty())
        );
        assert!(crate::settings::IDS.iter().all(|key| keys.contains(key)));
    }

    #[test]
    fn a_whole_batch_fits_one_call() {
        assert_eq!(MAX_BATCH as usize, crate::wire::message::MOST);
    }

    #[test]
    fn all_feeds_together_leave_most_calls_to_others() {
        // Calls of an idle round: the catalogue asks what is new and what changed, every other feed asks once; once an
        // hour shipments are asked for again.
        let a_minute: f64 = descriptor()
            .pulls
            .iter()
            .map(|feed| {
                let calls = if feed.entity == Entity::Item {
                    2.0
                } else {
                    1.0
                };
                calls * 60.0 / f64::from(feed.poll_secs)
            })
            .sum();
        assert!(a_minute + 2.0 / 60.0 <= 2.5, "{a_minute}");
    }

    #[test]
    fn secrets_go_nowhere_but_to_the_account() {
        let all = descriptor();
        let reach: Vec<&str> = all.reach.iter().map(|r| r.url.as_str()).collect();
        for credential in &all.credentials {
            // Brightpearl's own page and nobody else gets what an approval is about.
            let known =
                |h: &&str| reach.contains(h) || *h == "{oauth-url}" && credential.slot == "oauth";
            assert!(
                credential
                    .hosts
                    .iter()
                    .map(String::as_str)
                    .all(|h| known(&h))
            );
        }
        assert!(all.reach.iter().all(|r| r.per_minute < 200));
    }

    #[test]
    fn sales_can_differ_by_retailer_and_the_connection_cannot() {
        for setting in descriptor().settings {
            let by_retailer = setting.group == ORDERS || setting.group == CUSTOMERS;
            assert_eq!(setting.per_retailer, by_retailer, "{}", setting.key);
        }
    }
}
