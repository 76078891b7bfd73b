//! The descriptor agrees with itself, and settings are checked.

use super::settings;
use crate::describe::descriptor;
use crate::settings::Config;
use std::collections::BTreeSet;
use waybill_sdk::types::{Field, Scheme};

#[test]
fn every_template_names_a_setting_or_a_secret() {
    let descriptor = descriptor();
    let mut known: BTreeSet<String> = descriptor.settings.iter().map(|s| s.key.clone()).collect();
    assert_eq!(
        known.len(),
        descriptor.settings.len(),
        "a key is there twice"
    );
    known.insert("access_token".to_owned());
    for credential in &descriptor.credentials {
        known.extend(credential.secrets.iter().cloned());
    }
    let mut templates: Vec<String> = descriptor.reach.iter().map(|r| r.url.clone()).collect();
    for credential in &descriptor.credentials {
        templates.extend(credential.hosts.iter().cloned());
        match &credential.scheme {
            Scheme::Headers(headers) => templates.extend(headers.iter().map(|(_, v)| v.clone())),
            Scheme::Oauth2Client(oauth) => {
                templates.extend([oauth.token_url.clone(), oauth.client_id.clone()]);
                let pairs = oauth.form.iter().chain(&oauth.headers);
                templates.extend(pairs.map(|(_, v)| v.clone()));
            }
            other => panic!("an unexpected scheme: {other:?}"),
        }
    }
    for template in templates {
        for part in template.split('{').skip(1) {
            let name = part.split('}').next().unwrap_or_default();
            assert!(known.contains(name), "`{template}` names `{name}`");
        }
    }
}

#[test]
fn every_default_is_valid() {
    let descriptor = descriptor();
    let defaults: Vec<(String, String)> = descriptor
        .settings
        .iter()
        .filter_map(|s| Some((s.key.clone(), s.default.clone()?)))
        .collect();
    assert_eq!(Config::read(&defaults).problems(), []);
    assert_eq!(Config::read(&[]).problems(), []);
    for setting in &descriptor.settings {
        assert!(!setting.help.is_empty() && !setting.label.is_empty());
        if let (Field::OneOf(choices), Some(default)) = (&setting.field, &setting.default) {
            assert!(
                choices.iter().any(|choice| choice.value == *default),
                "{}",
                setting.key
            );
        }
    }
}

#[test]
fn wrong_values_are_named_by_their_key() {
    for (key, value) in [
        ("api-url", "api.dsco.io"),
        ("api-url", "https://api.dsco.io/?x=1"),
        ("install-id", "a b"),
        ("stream-id", "x/y"),
        ("total-field", "consumerPrice"),
        ("page-size", "5"),
        ("page-size", "many"),
        ("search-lag-secs", "3"),
    ] {
        let pairs = settings(&[(key, value)]);
        let codes: Vec<_> = Config::read(&pairs)
            .problems()
            .into_iter()
            .map(|p| p.code)
            .collect();
        assert!(codes.contains(&key.to_owned()), "{key}={value}: {codes:?}");
    }
}

#[test]
fn an_install_has_one_stream_for_ever() {
    let pairs = settings(&[("install-id", "shop1")]);
    assert_eq!(Config::read(&pairs).stream_id(), "waybill-shop1-orders");
    let pairs = settings(&[("install-id", "shop1"), ("stream-id", "own")]);
    assert_eq!(Config::read(&pairs).stream_id(), "own");
}
