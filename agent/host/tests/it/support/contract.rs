//! A contract as a table: one line for each type and function, so that two versions can be compared item by item. Knows
//! WIT, and nothing of what the items mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wit_parser::{Function, Handle, Resolve, Type, TypeDef, TypeDefKind, TypeId, TypeOwner};

/// The packages of the contract, each after those it uses.
const PACKAGES: [&str; 3] = ["commerce", "host", "connector"];
/// Whose functions the agent calls: an older connector cannot have a newer one.
const EXPORTED: &str = "waybill:connector/";

/// A version of the contract.
#[derive(Debug, Clone)]
pub(crate) struct Contract {
    /// As in `0.1.0`.
    pub(crate) version: String,
    /// What each item is, by its name: `waybill:host/clock.now-ms` is a function, `waybill:host/http#request` a type.
    pub(crate) items: BTreeMap<String, String>,
}

pub(crate) fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

impl Contract {
    /// Reads the contract of a folder; `edit` changes a file's text first.
    pub(crate) fn read(folder: &Path, edit: impl Fn(&str) -> String) -> Self {
        let mut resolve = Resolve::default();
        for package in PACKAGES {
            for entry in std::fs::read_dir(folder.join(package)).unwrap() {
                let path = entry.unwrap().path();
                let text = edit(&std::fs::read_to_string(&path).unwrap());
                resolve.push_str(&path, &text).unwrap();
            }
        }
        let versions: Vec<String> = resolve
            .packages
            .iter()
            .map(|(_, package)| package.name.version.as_ref().unwrap().to_string())
            .collect();
        assert!(
            versions.windows(2).all(|two| two[0] == two[1]),
            "{versions:?}"
        );
        let mut items = BTreeMap::new();
        for (_, interface) in &resolve.interfaces {
            let package = &resolve.packages[interface.package.unwrap()].name;
            let name = format!(
                "{}:{}/{}",
                package.namespace,
                package.name,
                interface.name.as_ref().unwrap()
            );
            items.insert(name.clone(), "interface".to_owned());
            for (item, id) in &interface.types {
                items.insert(
                    format!("{name}#{item}"),
                    definition(&resolve, &resolve.types[*id]),
                );
            }
            for (item, function) in &interface.functions {
                items.insert(format!("{name}.{item}"), signature(&resolve, function));
            }
        }
        let version = versions[0].clone();
        Self { version, items }
    }

    /// Numbers that a connector and an agent must share.
    pub(crate) fn line(&self) -> &str {
        self.version.rsplit_once('.').unwrap().0
    }
}

/// What of `old` a connector relies on and `new` does not give; nothing: it is served.
pub(crate) fn breaks(old: &Contract, new: &Contract) -> Vec<String> {
    let mut breaks = Vec::new();
    for (name, was) in &old.items {
        match new.items.get(name) {
            None => breaks.push(format!("`{name}` is gone")),
            Some(is) if is != was => breaks.push(format!("`{name}` was {was}, and is {is}")),
            Some(_) => {}
        }
    }
    for name in new
        .items
        .keys()
        .filter(|name| !old.items.contains_key(*name))
    {
        let interface = name.split_once('.').map(|(interface, _)| interface);
        let asked = interface.is_some_and(|i| i.starts_with(EXPORTED) && old.items.contains_key(i));
        if asked {
            breaks.push(format!(
                "`{name}` is new: connectors of before do not have it"
            ));
        }
    }
    breaks
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let parameters: Vec<String> = function
        .params
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, named(resolve, &parameter.ty)))
        .collect();
    let result = function
        .result
        .as_ref()
        .map_or_else(String::new, |ty| format!(" -> {}", named(resolve, ty)));
    format!("func({}){result}", parameters.join(", "))
}

fn named(resolve: &Resolve, ty: &Type) -> String {
    let Type::Id(id) = ty else {
        return format!("{ty:?}").to_lowercase();
    };
    by_id(resolve, *id)
}

fn by_id(resolve: &Resolve, id: TypeId) -> String {
    let ty = &resolve.types[id];
    match (&ty.name, ty.owner) {
        (Some(name), TypeOwner::Interface(owner)) => {
            let interface = &resolve.interfaces[owner];
            let package = &resolve.packages[interface.package.unwrap()].name.name;
            format!("{package}/{}#{name}", interface.name.as_ref().unwrap())
        }
        _ => definition(resolve, ty),
    }
}

fn definition(resolve: &Resolve, ty: &TypeDef) -> String {
    let name = |ty: &Type| named(resolve, ty);
    let maybe = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), name);
    let list = |items: Vec<String>| items.join(", ");
    match &ty.kind {
        TypeDefKind::Record(record) => {
            let fields = record
                .fields
                .iter()
                .map(|f| format!("{}: {}", f.name, name(&f.ty)));
            format!("record {{ {} }}", list(fields.collect()))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant
                .cases
                .iter()
                .map(|c| format!("{}({})", c.name, maybe(&c.ty)));
            format!("variant {{ {} }}", list(cases.collect()))
        }
        TypeDefKind::Enum(cases) => {
            let cases = cases.cases.iter().map(|c| c.name.clone());
            format!("enum {{ {} }}", list(cases.collect()))
        }
        TypeDefKind::Flags(flags) => {
            let flags = flags.flags.iter().map(|f| f.name.clone());
            format!("flags {{ {} }}", list(flags.collect()))
        }
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", list(tuple.types.iter().map(name).collect()))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", name(ty)),
        TypeDefKind::Result(result) => {
            format!("result<{}, {}>", maybe(&result.ok), maybe(&result.err))
        }
        TypeDefKind::List(ty) => format!("list<{}>", name(ty)),
        TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", by_id(resolve, *id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", by_id(resolve, *id)),
        TypeDefKind::Resource => "resource".to_owned(),
        TypeDefKind::Type(ty) => name(ty),
        other => panic!(
            "the contract uses `{}`, which nobody compares yet",
            other.as_str()
        ),
    }
}
