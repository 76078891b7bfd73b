//! What axe-core says of a page: `cargo verify` fetches it; without it no page is looked at, and that is said.

use super::Browser;
use serde_json::{Value, json};
use std::path::Path;

/// The checker's own source.
pub(crate) struct Axe(String);

impl Axe {
    /// Where `cargo verify` puts it.
    pub(crate) fn find() -> Option<Self> {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
        let source = std::fs::read_to_string(tools.join("axe-core/package/axe.min.js"));
        #[expect(clippy::print_stderr, reason = "what was not looked at is said")]
        if source.is_err() {
            eprintln!("SKIPPED: no axe-core here: `cargo verify` fetches it");
        }
        source.ok().map(Self)
    }

    /// What it finds serious on the page that is open.
    pub(crate) fn serious(&self, browser: &mut Browser) -> Vec<String> {
        // What fades in is judged as it stands in the end.
        let still =
            "document.getAnimations().forEach(a => { try { a.finish(); } catch { a.cancel(); } })";
        browser.value(still).unwrap();
        // Evaluated by the browser's own protocol, which a page's policy does not bind.
        browser.value(&format!("{}; true", self.0)).unwrap();
        let found = browser
            .value("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
            .unwrap();
        let found = found.as_array().unwrap().iter();
        found.filter(|v| is_serious(v)).map(words).collect()
    }
}

fn is_serious(violation: &Value) -> bool {
    let impact = &violation["impact"];
    *impact == json!("serious") || *impact == json!("critical")
}

fn words(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().into_iter().flatten();
    let nodes: Vec<String> = nodes
        .map(|node| format!("{} {}", node["html"], node["failureSummary"]))
        .collect();
    format!(
        "{}: {}\n    {}",
        violation["id"],
        violation["help"],
        nodes.join("\n    ")
    )
}
