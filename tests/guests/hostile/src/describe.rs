//! What the connector says of itself. Settings do not exist yet when it is asked, so the tests choose a flavour by
//! overwriting a text of this file in the finished component.

use crate::act::{eat_memory, never_return};
use waybill_sdk::bindings::waybill::host::{clock, http, kv, log};
use waybill_sdk::commerce::Entity;
use waybill_sdk::http::Request;
use waybill_sdk::types::{
    Credential, Descriptor, Feed, Field, Intake, Moment, Oauth, Reach, Scheme, Setting,
};

/// Sixteen bytes of flavour; tests write others over them.
static FLAVOUR: &str = "describe:plain  ";

/// What the connector says of itself.
pub(crate) fn descriptor() -> Descriptor {
    log::write(log::Level::Info, "asked to describe", &[]);
    let mut descriptor = plain();
    if flavour().starts_with("swap:") {
        // A feed that is read whatever routes there are.
        descriptor.pulls[0].entity = Entity::Warehouse;
        descriptor.pulls[0].settles.clear();
    }
    match flavour() {
        "describe:loop" => never_return(),
        "describe:memory" => eat_memory(),
        "describe:trap" => panic!("told to"),
        "describe:kv" => kv::set("key", b"value"),
        "describe:clock" => drop(clock::now_ms()),
        "describe:http" => drop(http::send(&Request::get("https://example.test/"))),
        "describe:nopush" => descriptor.pushes.clear(),
        "describe:twice" => descriptor.pushes.extend(descriptor.pushes.clone()),
        "swap:host" => descriptor.reach.push(reach("https://new.example", 10)),
        _ => {}
    }
    descriptor
}

/// How this build behaves.
pub(crate) fn flavour() -> &'static str {
    core::hint::black_box(FLAVOUR).trim_end()
}

fn plain() -> Descriptor {
    let owned = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    Descriptor {
        id: "hostile".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: "Hostile".to_owned(),
        reach: vec![
            reach("{base}/api", 0),
            reach("{base}/slow", 2),
            reach("{secure}/api", 0),
        ],
        credentials: vec![
            credential("key", key("x-api-key"), &["key"], owned(&["{base}"])),
            credential("other", key("x-other"), &["key"], owned(&["other.test"])),
            credential(
                "token",
                Scheme::Oauth2Client(Oauth {
                    authorize_url: String::new(),
                    token_url: "{base}/oauth/token".to_owned(),
                    client_id: "{client-id}".to_owned(),
                    form: vec![("scope".to_owned(), "orders & more".to_owned())],
                    headers: vec![("x-domain".to_owned(), "{token.domain}".to_owned())],
                    expose: owned(&["domain"]),
                }),
                &["client-id", "client-secret"],
                owned(&["{base}"]),
            ),
            credential(
                "astray",
                Scheme::Oauth2Client(Oauth {
                    authorize_url: String::new(),
                    token_url: "https://astray.test/token".to_owned(),
                    client_id: "me".to_owned(),
                    form: Vec::new(),
                    headers: Vec::new(),
                    expose: Vec::new(),
                }),
                &[],
                owned(&["{base}"]),
            ),
            credential("approval", approval(), &[], owned(&["{base}"])),
            credential(
                "files",
                Scheme::SftpPassword,
                &["user", "password"],
                owned(&["{server}"]),
            ),
            credential(
                "files-key",
                Scheme::SshKey,
                &["user", "key", "passphrase"],
                owned(&["{server}"]),
            ),
        ],
        settings: vec![
            setting("do", Some("nothing")),
            setting("base", None),
            setting("server", None),
        ],
        tables: Vec::new(),
        pulls: vec![Feed {
            entity: Entity::Order,
            poll_secs: 60,
            settles: vec![Moment::Accepted],
        }],
        pushes: vec![Intake {
            entity: Entity::Warehouse,
            max_batch: 10,
            self_decrementing: false,
        }],
    }
}

fn approval() -> Scheme {
    Scheme::Oauth2Code(Oauth {
        authorize_url: "{base}/approve?kind=app".to_owned(),
        token_url: "{base}/oauth/token".to_owned(),
        client_id: "me & mine".to_owned(),
        form: Vec::new(),
        headers: Vec::new(),
        expose: vec!["domain".to_owned(), "place".to_owned()],
    })
}

fn reach(url: &str, per_minute: u32) -> Reach {
    Reach {
        url: url.to_owned(),
        per_minute,
        per_second: 0,
    }
}

fn key(header: &str) -> Scheme {
    Scheme::Headers(vec![(header.to_owned(), "{key}".to_owned())])
}

fn credential(slot: &str, scheme: Scheme, secrets: &[&str], hosts: Vec<String>) -> Credential {
    Credential {
        slot: slot.to_owned(),
        label: slot.to_owned(),
        help: String::new(),
        scheme,
        secrets: secrets.iter().map(|s| (*s).to_owned()).collect(),
        hosts,
        steps: Vec::new(),
    }
}

fn setting(key: &str, default: Option<&str>) -> Setting {
    Setting {
        key: key.to_owned(),
        label: key.to_owned(),
        help: String::new(),
        group: "test".to_owned(),
        required: false,
        per_retailer: false,
        default: default.map(str::to_owned),
        field: Field::Text,
        was: Vec::new(),
    }
}
