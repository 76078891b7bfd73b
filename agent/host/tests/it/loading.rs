//! What is loaded and what is refused, and with which words.

use crate::support::guest::{altered, component, engine, hostile, limits, load, unsigned};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use waybill_host::engine::HostEngine;
use waybill_host::limits::Limits;
use waybill_host::load::{LoadError, Loader};
use waybill_model::contract::Role;
use waybill_model::ids::Generation;

async fn flavour(name: &str) -> LoadError {
    let wanted = format!("{:16}", format!("describe:{name}"));
    load(altered("describe:plain  ", &wanted))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_connector_is_loaded_with_its_roles_and_permissions() {
    let generation = hostile().await;
    assert_eq!(generation.descriptor().id, "hostile");
    assert_eq!(
        generation.passport().roles,
        BTreeSet::from([Role::Source, Role::Listing, Role::Sink, Role::Tickets])
    );
    let permissions: Vec<&str> = generation
        .passport()
        .permissions
        .iter()
        .map(String::as_str)
        .collect();
    assert_eq!(
        permissions,
        [
            "blob", "clock", "effects", "folder", "http", "kv", "links", "log", "sftp"
        ]
    );
    assert_eq!(generation.passport().versions["waybill:host"], "0.1.0");
    assert_eq!(generation.hash().len(), 64);
}

#[tokio::test]
async fn another_contract_is_refused_with_both_versions_and_a_hint() {
    let newer = load(altered("@0.1.0", "@0.9.0")).await.unwrap_err();
    let text = newer.to_string();
    assert!(
        text.contains("0.9.0") && text.contains("serves 0.1.x"),
        "{text}"
    );
    assert!(
        newer.hint().unwrap().contains("upgrade the agent"),
        "{:?}",
        newer.hint()
    );
    let older = load(altered("@0.1.0", "@0.0.9")).await.unwrap_err();
    assert!(
        older.hint().unwrap().contains("build of the connector"),
        "{:?}",
        older.hint()
    );
}

#[tokio::test]
async fn other_shapes_under_the_same_names_are_refused() {
    // A field of a record that goes to the host, and fields of records that come from the connector.
    for (field, other, part) in [
        ("verified-absent", "verified-absend", "verified-absent"),
        ("check-in-secs", "check-in-mins", "role `source`"),
        ("self-decrementing", "self-incrementing", "role `base`"),
    ] {
        let Err(error) = load(altered(field, other)).await else {
            panic!("`{other}` was loaded");
        };
        assert!(matches!(error, LoadError::Shape(_)), "{error}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.hint().unwrap().contains("bindings"));
    }
}

#[tokio::test]
async fn bytes_that_are_no_component_are_refused() {
    let cut = component()[..5_000].to_vec();
    for (bytes, part) in [
        (b"#!/bin/sh\n".to_vec(), "no WebAssembly"),
        (b"\0asm\x01\0\0\0".to_vec(), "a core WebAssembly module"),
        (Vec::new(), "no WebAssembly"),
        (cut, "ends in the middle of a section"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "no connector"),
    ] {
        let text = load(bytes).await.unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn describe_has_no_power_but_its_own_thought() {
    for name in ["kv", "clock", "http"] {
        let text = flavour(name).await.to_string();
        assert!(text.contains("only `log` is answered"), "{name}: {text}");
    }
    let text = flavour("trap").await.to_string();
    assert!(
        text.contains("could not describe itself") && text.contains("unreachable"),
        "{text}"
    );
    let text = flavour("memory").await.to_string();
    assert!(text.contains("bytes of memory"), "{text}");
}

#[tokio::test]
async fn an_endless_describe_is_stopped() {
    let bytes = altered("describe:plain  ", "describe:loop   ");
    let short = Limits {
        describe_ms: 100,
        ..limits()
    };
    let error = Loader::new(engine(), short, unsigned())
        .load(bytes, Generation(2))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("stopped after 100 ms"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("100 ms"));
}

#[tokio::test]
async fn a_descriptor_must_agree_with_the_exports() {
    let text = flavour("nopush").await.to_string();
    assert!(
        text.contains("exports `sink` but describes no `pushes`"),
        "{text}"
    );
    let text = flavour("twice").await.to_string();
    assert!(text.contains("`warehouse` twice"), "{text}");
}

#[tokio::test]
async fn compiled_code_is_kept_in_a_private_folder() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("deep/code");
    let engine = HostEngine::new(Some(&cache)).unwrap();
    let mode = || std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o700);
    let load = async |engine: &HostEngine| {
        let loader = Loader::new(engine.clone(), limits(), unsigned());
        loader.load(component(), Generation(3)).await.unwrap();
        engine.compiled()
    };
    assert_eq!(load(&engine).await, 1, "the first one compiles");
    assert!(std::fs::read_dir(&cache).unwrap().count() > 0);
    let second = HostEngine::new(Some(&cache)).unwrap();
    assert_eq!(load(&second).await, 0, "the second one finds it compiled");
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    HostEngine::new(Some(&cache)).unwrap();
    assert_eq!(mode(), 0o700, "an open folder is closed");
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let error = HostEngine::new(Some(&folder.path().join("file")))
        .err()
        .unwrap();
    assert!(error.hint().unwrap().contains("0700"), "{error}");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let loader = Loader::new(engine(), limits(), unsigned());
    let error = loader
        .load_file(std::path::Path::new("/nowhere/x.wasm"), Generation(4))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`/nowhere/x.wasm`"), "{error}");
}
