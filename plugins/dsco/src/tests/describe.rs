//! The descriptor agrees with itself, and settings are checked.

use super::settings;
use crate::describe::descriptor;
use crate::settings::{Config, Shipping};
use std::collections::BTreeSet;
use waybill_sdk::commerce::Entity;
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
            Scheme::SftpPassword | Scheme::SshKey => {}
            other @ Scheme::Oauth2Code(_) => panic!("an unexpected scheme: {other:?}"),
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
        ("ship-from", "Acme, Reno"),
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

#[test]
fn idle_feeds_stay_within_two_and_a_half_calls_a_minute() {
    let descriptor = descriptor();
    let a_day: u32 = descriptor
        .pulls
        .iter()
        .map(|feed| 86_400 / feed.poll_secs)
        .sum();
    assert!(a_day <= 1440 * 5 / 2, "{a_day}");
}

#[test]
fn shipments_are_taken_by_the_thousand_under_rules_of_their_retailer() {
    let descriptor = descriptor();
    let mut pushes = descriptor.pushes.iter();
    let intake = pushes.find(|i| i.entity == Entity::Shipment).unwrap();
    assert_eq!(intake.max_batch, 1000);
    let generic = descriptor
        .settings
        .iter()
        .find(|s| s.key == "generic-codes");
    let generic = generic.unwrap();
    assert!(generic.per_retailer);
    assert_eq!(generic.default.as_deref(), Some("GCG,GND,GSE,GCP,GCE"));
    let own = settings(&[("generic-codes", "none"), ("ship-cost", "zero")]);
    let all = settings(&[("generic-codes", "XYZ"), ("ship-to", "true")]);
    let config = Config::read(&all);
    let rules = Shipping::read(&config, &[]);
    assert!(rules.is_generic("xyz") && !rules.is_generic("GCG"));
    let rules = Shipping::read(&config, &own);
    assert!(!rules.is_generic("XYZ") && rules.zero_cost && rules.to && rules.warehouse);
}

#[test]
fn stock_is_taken_in_full_sets_and_lowered_by_dsco_itself() {
    let descriptor = descriptor();
    let mut pushes = descriptor.pushes.iter();
    let intake = pushes.find(|i| i.entity == Entity::InventoryLevel).unwrap();
    assert!(intake.self_decrementing && intake.max_batch == 25_000);
    assert!(Config::read(&[]).skip_unknown);
}
