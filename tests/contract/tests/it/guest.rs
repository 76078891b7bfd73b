//! Components built once, and the contract test run on them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use waybill_contract::Report;
use waybill_host::engine::HostEngine;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The settings file of the example, which the broken ones share.
pub(crate) fn settings() -> PathBuf {
    root().join("tests/guests/example/contract.toml")
}

/// The component of that package; apart from the connectors that a demonstration loads.
pub(crate) fn component(package: &str) -> Vec<u8> {
    static BUILT: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let all = BUILT.get_or_init(|| {
        let packages = [
            "waybill-broken",
            "waybill-example",
            "waybill-brightpearl",
            "waybill-dsco",
        ];
        let pack = waybill_pack::Pack::new().into_dir(&root().join("target/contract"));
        let built = pack.build(&packages).expect("the connectors build");
        packages
            .iter()
            .zip(built)
            .map(|(name, path)| {
                (
                    (*name).to_owned(),
                    std::fs::read(path).expect("it was built"),
                )
            })
            .collect()
    });
    let found = all.iter().find(|(name, _)| name == package);
    found.expect("one of the four").1.clone()
}

/// One engine for all tests; compiled code is kept for the next run.
pub(crate) fn engine() -> HostEngine {
    static ENGINE: OnceLock<HostEngine> = OnceLock::new();
    ENGINE
        .get_or_init(|| {
            HostEngine::new(Some(&root().join("target/contract/compiled")))
                .expect("the engine starts")
        })
        .clone()
}

pub(crate) async fn tested(bytes: Vec<u8>, settings: Option<&Path>) -> Report {
    waybill_contract::run(engine(), &bytes, settings)
        .await
        .expect("the test itself runs")
        .0
}
