//! Both sandboxes beside the booted system, what an IT person would write to connect them, and the comparison of both
//! truths. Must not know how the agent runs.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use waybill_sim::catalogue::WAREHOUSES;
use waybill_sim::check;
use waybill_sim::play::house::SandboxProcess;

/// Longest wait until every order is where it belongs.
const PATIENCE: Duration = Duration::from_mins(2);
/// The secrets by the environment names of the plan. They open nothing but the sandboxes.
pub(crate) const SECRETS: [(&str, &str); 3] = [
    ("NETWORK_CLIENT_ID", "sandbox-client"),
    ("NETWORK_CLIENT_SECRET", "sandbox-secret"),
    ("ERP_STAFF_TOKEN", "sim-staff-token"),
];

/// Both sandboxes.
pub(crate) struct Trade {
    network: SandboxProcess,
    erp: SandboxProcess,
    rounds: u32,
}

impl Trade {
    /// Starts both.
    pub(crate) async fn start(program: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            network: SandboxProcess::start(program, "dsco", &[]).await?,
            erp: SandboxProcess::start(program, "brightpearl", &[]).await?,
            rounds: 0,
        })
    }

    /// The provisioning file.
    pub(crate) fn plan(&self) -> String {
        let mut text = include_str!("plan.toml")
            .replace("{NETWORK}", &self.network.api)
            .replace("{ERP}", &self.erp.api);
        for warehouse in WAREHOUSES {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "{} = \"{}\"", warehouse.code, warehouse.erp_id);
        }
        text
    }

    /// How many webhooks are registered at the ERP.
    pub(crate) async fn registered(&self) -> anyhow::Result<usize> {
        let truth = self.erp.truth().await?;
        let registered = truth["webhooks"]["registered"].as_array();
        Ok(registered.context("the sandbox tells no webhooks")?.len())
    }

    /// So many ordinary orders come in.
    pub(crate) async fn orders(&mut self, count: u32) -> anyhow::Result<()> {
        self.rounds += 1;
        let wish = json!({"count": count, "seed": self.rounds, "mix": {}});
        self.network.control("POST", "generate", &wish).await?;
        Ok(())
    }

    /// Waits until every order is exactly one sale and acknowledged with its number; how many there are.
    pub(crate) async fn settled(&self) -> anyhow::Result<usize> {
        let until = Instant::now() + PATIENCE;
        loop {
            let (network, erp) = (self.network.truth().await?, self.erp.truth().await?);
            let orders = list(&network);
            let open = orders.iter().filter(|order| !told(order)).count();
            let report = check::check(&network, &erp, &BTreeSet::new());
            if open == 0 && report.ok() {
                let mut sales: BTreeMap<&str, usize> = BTreeMap::new();
                for sale in list(&erp) {
                    *sales
                        .entry(sale["externalRef"].as_str().unwrap_or_default())
                        .or_default() += 1;
                }
                if sales.len() != orders.len() || sales.values().any(|n| *n != 1) {
                    bail!("{} orders, but these sales: {sales:?}", orders.len());
                }
                return Ok(orders.len());
            }
            if Instant::now() > until {
                let findings: Vec<String> = report
                    .problems()
                    .map(|(list, finding)| format!("{list}: {}: {}", finding.key, finding.what))
                    .collect();
                bail!(
                    "{open} of {} orders are not where they belong: {}",
                    orders.len(),
                    findings.join("; ")
                );
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

fn list(truth: &Value) -> &[Value] {
    truth["orders"].as_array().map_or(&[], Vec::as_slice)
}

/// The network knows that it was taken, and the sale's number.
fn told(order: &Value) -> bool {
    order["acknowledgedAt"].is_string() && order["supplierOrderNumber"].is_string()
}
