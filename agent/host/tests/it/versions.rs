//! Versions of the contract: what of `wit/` may change under one version, and that connectors of a lower or higher last
//! number are served.

use crate::support::contract::{Contract, breaks, wit};
use crate::support::guest::{altered, component, engine, limits, load, unsigned};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Config, Engine, Store};
use waybill_host::load::{LoadError, Loader};
use waybill_model::ids::Generation;

fn current() -> Contract {
    Contract::read(&wit(), str::to_owned)
}

/// The newest folder of `frozen/`.
fn frozen() -> Contract {
    let numbers =
        |name: &str| -> Vec<u32> { name.split('.').map(|n| n.parse().unwrap()).collect() };
    let folder = wit().join("frozen");
    let newest = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .max_by_key(|path| numbers(path.file_name().unwrap().to_str().unwrap()))
        .expect("a version is frozen");
    let contract = Contract::read(&newest, str::to_owned);
    assert_eq!(
        newest.file_name().unwrap().to_str(),
        Some(contract.version.as_str())
    );
    contract
}

#[test]
fn the_agent_says_the_version_that_the_contract_has() {
    assert_eq!(current().version, waybill_host::passport::CONTRACT);
    assert_eq!(current().line(), waybill_host::passport::SERVED);
}

#[test]
fn the_contract_breaks_no_connector_of_the_frozen_one() {
    let (old, new) = (frozen(), current());
    assert!(old.items.len() > 100, "{}", old.items.len());
    if old.line() != new.line() {
        return; // a new line of versions has bindings of its own, beside those of the old one
    }
    let breaks = breaks(&old, &new);
    assert!(
        breaks.is_empty(),
        "`wit/` breaks connectors that were built against {}; read wit/frozen/README.md:\n{}",
        old.version,
        breaks.join("\n")
    );
    if old.version == new.version {
        let added: Vec<_> = new
            .items
            .keys()
            .filter(|name| !old.items.contains_key(*name))
            .collect();
        assert!(
            added.is_empty(),
            "{} grew without another number: {added:?}",
            new.version
        );
    }
}

#[test]
fn what_is_added_is_no_break_and_what_changes_is() {
    let old = current();
    let with = |from: &str, to: &str| {
        let text = |text: &str| text.replacen(from, to, 1);
        let new = Contract::read(&wit(), text);
        assert!(
            new.items != old.items,
            "`{from}` is not in the contract any more: change this test"
        );
        breaks(&old, &new)
    };
    for (from, to) in [
        // A function and a type more that a connector may call; a role more that it may have.
        (
            "now-ms: func() -> s64;",
            "now-ms: func() -> s64;\n  zone: func() -> string;",
        ),
        (
            "interface log {",
            "interface tea { boil: func(); }\ninterface log {",
        ),
        (
            "interface source {",
            "interface oven { bake: func(); }\ninterface source {",
        ),
        (
            "interface types {",
            "interface types {\n  record spare { one: u8 }",
        ),
    ] {
        assert!(with(from, to).is_empty(), "{to}");
    }
    for (from, to, part) in [
        (
            "now-ms: func() -> s64;",
            "",
            "`waybill:host/clock.now-ms` is gone",
        ),
        (
            "now-ms: func() -> s64;",
            "now-ms: func() -> u64;",
            "was func() -> s64",
        ),
        (
            "set: func(key: string, value: list<u8>);",
            "set: func(key: string, value: string);",
            "host/kv.set",
        ),
        (
            "record problem { code: string,",
            "record problem { code: string, more: bool,",
            "types#problem",
        ),
        (
            "enum level { debug, info",
            "enum level { info, debug",
            "log#level",
        ),
        (
            "describe: func()",
            "describe: func();\n  excuse: func()",
            "connector/base.excuse` is new",
        ),
    ] {
        let breaks = with(from, to);
        assert!(breaks.iter().any(|b| b.contains(part)), "{to}: {breaks:?}");
    }
}

/// A connector of a later last number that uses nothing new.
#[tokio::test]
async fn a_connector_of_a_later_number_is_served_while_it_uses_nothing_new() {
    let generation = load(altered("@0.1.0", "@0.1.7")).await.unwrap();
    assert_eq!(generation.passport().versions["waybill:host"], "0.1.7");
    assert_eq!(generation.descriptor().id, "hostile");
}

#[tokio::test]
async fn a_connector_that_uses_something_newer_is_refused_with_both_versions() {
    // The real component, told to import a function that this agent does not have.
    let mut bytes = altered("@0.1.0", "@0.1.7");
    let (from, to) = (b"remaining-ms", b"remaining-us");
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    let error = Loader::new(engine(), limits(), unsigned())
        .load(bytes, Generation(1))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LoadError::Newer { .. }), "{text}");
    for part in ["0.1.7", "0.1.0", "remaining-us"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(error.hint().unwrap().contains("upgrade the agent"));
}

fn unforeseen() -> wasmtime::Error {
    wasmtime::Error::msg("this call needs an answer")
}

/// An agent of a later last number, with a function more, and a real connector of today's: names are matched by what
/// they are compatible with, both ways. The host's own linker is wasmtime's; this one is only told other names.
#[tokio::test]
async fn an_agent_of_a_later_number_serves_todays_connectors() {
    let mut config = Config::new();
    config.wasm_component_model(true);
    let engine = Engine::new(&config).unwrap();
    let today = Component::from_binary(&engine, &component()).unwrap();
    let mut linker: Linker<u32> = Linker::new(&engine);
    for (name, import) in today.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else {
            panic!("`{name}` is no interface");
        };
        let later = name.replace("@0.1.0", "@0.1.1");
        assert_ne!(later, name);
        let mut later = linker.instance(&later).unwrap();
        for (function, item) in instance.exports(&engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => later
                    .func_new(function, |mut store, _, _, results| {
                        *store.data_mut() += 1;
                        let nothing = results.is_empty();
                        nothing.then_some(()).ok_or(unforeseen())
                    })
                    .unwrap(),
                ComponentItem::Resource(ty) => {
                    later.resource(function, ty, |_, _| Ok(())).unwrap();
                }
                _ => {}
            }
        }
        later
            .func_new("added-later", |_, _, _, _| Err(unforeseen()))
            .unwrap();
    }
    let mut store = Store::new(&engine, 0);
    let instance = linker.instantiate(&mut store, &today).unwrap();
    let base = instance
        .get_export_index(&mut store, None, "waybill:connector/base@0.1.1")
        .expect("found under the later number");
    let describe = instance
        .get_export_index(&mut store, Some(&base), "describe")
        .unwrap();
    let describe = instance.get_func(&mut store, describe).unwrap();
    let mut answer = [Val::Bool(false)];
    describe.call(&mut store, &[], &mut answer).unwrap();
    assert_eq!(*store.data(), 1, "it wrote one line to the log");
    let Val::Record(fields) = &answer[0] else {
        panic!("{answer:?}");
    };
    assert_eq!(
        fields[0],
        ("id".to_owned(), Val::String("hostile".to_owned()))
    );
}
