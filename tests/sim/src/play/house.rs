//! Owns the sandbox processes of a demonstration or a crash run: starts them, talks to their control sides, and ends
//! them with itself. Must not know what the orders mean.

use crate::client;
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A file server, and how one signs in to it.
#[derive(Debug, Clone)]
pub struct FileServer {
    /// Host and port.
    pub address: String,
    /// Files that hold the user and the private key; `None`: the sandbox's own user and password.
    pub key: Option<(PathBuf, PathBuf)>,
}

/// One running sandbox.
#[derive(Debug)]
pub struct SandboxProcess {
    /// Address of the vendor's API.
    pub api: String,
    /// Address of the control side.
    pub control: String,
    /// Its file server, if it has one. Another may be put in its place, on the same folder.
    pub files: Option<FileServer>,
    // Dropped with this value: the sandbox ends when its standard input does.
    _child: Child,
}

impl SandboxProcess {
    /// Starts `program VENDOR ARGUMENTS` and waits until it listens.
    pub async fn start(program: &Path, vendor: &str, arguments: &[String]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .arg(vendor)
            .arg("--exit-with-stdin")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start `{} {vendor}`", program.display()))?;
        let stdout = child.stdout.take().context("the sandbox has no output")?;
        let line = BufReader::new(stdout).lines().next_line().await?;
        let Some(line) = line else {
            bail!("the {vendor} sandbox ended before it listened")
        };
        let told: Value = serde_json::from_str(&line)
            .with_context(|| format!("the {vendor} sandbox said `{line}`"))?;
        let address = |name: &str| {
            told[name]
                .as_str()
                .map(str::to_owned)
                .with_context(|| format!("no `{name}` in `{line}`"))
        };
        Ok(Self {
            api: address("api")?,
            control: address("control")?,
            files: told["sftp"].as_str().map(|address| FileServer {
                address: address.to_owned(),
                key: None,
            }),
            _child: child,
        })
    }

    /// A control call; `path` begins after `/_sim/`.
    pub async fn control(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        client::json(method, &format!("{}/_sim/{path}", self.control), body).await
    }

    /// The ground truth.
    pub async fn truth(&self) -> anyhow::Result<Value> {
        self.control("GET", "truth", &Value::Null).await
    }

    /// All calls answered so far.
    pub async fn calls(&self) -> anyhow::Result<u64> {
        let counters = self.control("GET", "counters", &Value::Null).await?;
        let endpoints = counters["endpoints"].as_object();
        Ok(endpoints
            .into_iter()
            .flatten()
            .filter_map(|(_, c)| c["calls"].as_u64())
            .sum())
    }
}

/// Where a sandbox that speaks TLS leaves its authority, as its arguments say it.
fn authority(vendor: &str, tls: Option<&Path>) -> Vec<String> {
    let Some(folder) = tls else {
        return Vec::new();
    };
    let file = folder.join(format!("{vendor}-ca.pem"));
    vec!["--tls".to_owned(), file.display().to_string()]
}

/// Both sandboxes.
#[derive(Debug)]
pub struct House {
    /// The order network.
    pub network: SandboxProcess,
    /// The ERP.
    pub erp: SandboxProcess,
}

impl House {
    /// Starts both from this very program. With `tls` both speak TLS, each under an authority of its own whose PEM
    /// is left in that folder.
    pub async fn start(program: &Path, seed: u64, tls: Option<&Path>) -> anyhow::Result<Self> {
        Self::with_files(program, seed, tls, None).await
    }

    /// The same; with `files` the network exchanges files in that folder, too, and serves it.
    pub async fn with_files(
        program: &Path,
        seed: u64,
        tls: Option<&Path>,
        files: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let arguments = |vendor: &str| {
            let mut all = vec!["--seed".to_owned(), seed.to_string()];
            all.extend(authority(vendor, tls));
            all
        };
        let mut network = arguments("dsco");
        if let Some(folder) = files {
            network.extend(["--files".to_owned(), folder.display().to_string()]);
        }
        Ok(Self {
            network: SandboxProcess::start(program, "dsco", &network).await?,
            erp: SandboxProcess::start(program, "brightpearl", &arguments("brightpearl")).await?,
        })
    }

    /// Starts both, with so many products at the ERP, and the network knows them too. With `tls` as [`House::start`].
    pub async fn with_products(
        program: &Path,
        products: usize,
        tls: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let mut many = vec!["--products".to_owned(), products.to_string()];
        many.extend(authority("brightpearl", tls));
        let network = authority("dsco", tls);
        let house = Self {
            network: SandboxProcess::start(program, "dsco", &network).await?,
            erp: SandboxProcess::start(program, "brightpearl", &many).await?,
        };
        let wish = json!({ "catalogue": products });
        let network = &house.network;
        network.control("POST", "inventory/bulk", &wish).await?;
        Ok(house)
    }

    /// The authorities of both sandboxes as one file beside theirs.
    pub fn roots(folder: &Path) -> anyhow::Result<std::path::PathBuf> {
        let mut all = String::new();
        for vendor in ["dsco", "brightpearl"] {
            all.push_str(&std::fs::read_to_string(
                folder.join(format!("{vendor}-ca.pem")),
            )?);
        }
        let file = folder.join("roots.pem");
        std::fs::write(&file, all)?;
        Ok(file)
    }

    /// Short delays and no throttle: for runs whose length matters more than the vendors' pace.
    pub async fn hurry(&self) -> anyhow::Result<()> {
        let network = json!({"d1_ms": 100, "d2_ms": 150, "d3_ms": 100, "d3_max_ms": 400, "log_lag_ms": 50, "limits": false});
        self.network.control("POST", "settings", &network).await?;
        self.erp
            .control(
                "POST",
                "settings",
                &json!({"throttle": false, "searchLagMs": 500, "hookBatchMs": 100,
                    "hookRetryMs": [100, 200, 500, 1000, 2000, 5000, 10_000]}),
            )
            .await?;
        Ok(())
    }

    /// Retailers that refuse generic and unknown codes; one wants the warehouse and the line numbers as well.
    pub async fn strict(&self) -> anyhow::Result<()> {
        self.strict_about(&[]).await
    }

    /// The same, and they take invoices of one kind only; what does not add up is refused.
    pub async fn strict_about(&self, invoices: &[(&str, &str)]) -> anyhow::Result<()> {
        let codes = json!({"refuse_generic_codes": true, "refuse_unknown_codes": true});
        let mut all = codes.clone();
        all["require_warehouse"] = json!(true);
        all["require"] = json!([
            "poNumber",
            "sku",
            "lineNumber",
            "shipDate",
            "shippingServiceLevelCode"
        ]);
        let mut rules =
            json!({"retailers": {"1000007001": codes, "1000007002": codes, "1000007003": all}});
        for (retailer, policy) in invoices {
            let word = if *policy == "lines" {
                "whole-lines"
            } else {
                policy
            };
            let rules = &mut rules["retailers"][*retailer];
            rules["invoices"] = json!(word);
            rules["refuse_wrong_totals"] = json!(true);
            rules["require_invoice"] = json!(["lineNumber", "sku", "ship.trackingNumber"]);
        }
        self.network.control("POST", "settings", &rules).await?;
        Ok(())
    }

    /// Webhooks are lost, doubled and put out of order; those that are not taken are sent again soon.
    pub async fn stray_webhooks(&self) -> anyhow::Result<()> {
        let stray = json!({"hookLose": 0.3, "hookDouble": 0.3, "hookDelayMs": 2000, "hookBatchMs": 300,
            "hookRetryMs": [300, 1000, 3000, 10_000, 30_000]});
        self.erp.control("POST", "settings", &stray).await?;
        Ok(())
    }

    /// Failures of every kind on both sides, each with that probability.
    pub async fn spoil(&self, probability: f64) -> anyhow::Result<()> {
        self.spoil_with(probability, &json!([])).await
    }

    /// The same, but who is turned away for calling too often is told to wait a second. Without a word both vendors mean
    /// a minute, and at many calls a second such a minute would never end.
    pub async fn spoil_briefly(&self, probability: f64) -> anyhow::Result<()> {
        let soon = json!([
            ["Retry-After", "1"],
            ["Brightpearl-Next-Throttle-Period", "1000"]
        ]);
        self.spoil_with(probability, &soon).await
    }

    async fn spoil_with(&self, probability: f64, headers: &Value) -> anyhow::Result<()> {
        for sandbox in [&self.network, &self.erp] {
            for kind in ["cut-before", "cut-after", "truncate", "html"] {
                let rule = json!({"endpoint": "*", "kind": kind, "probability": probability});
                sandbox.control("POST", "faults", &rule).await?;
            }
            for status in [429, 500, 503] {
                let rule = json!({"endpoint": "*", "kind": "status", "status": status, "probability": probability / 2.0,
                    "body": "{\"response\":\"temporarily out of order\"}", "headers": headers});
                sandbox.control("POST", "faults", &rule).await?;
            }
        }
        let messy = json!({"messy": true, "encoded_positions": true, "duplicate_chance": 0.1, "pending_first": true});
        self.network.control("POST", "settings", &messy).await?;
        let partial = json!({"multiFailChance": probability});
        self.erp.control("POST", "settings", &partial).await?;
        Ok(())
    }

    /// All is well again.
    pub async fn mend(&self) -> anyhow::Result<()> {
        let whole =
            json!({"multiFailChance": 0.0, "hookLose": 0.0, "hookDouble": 0.0, "hookDelayMs": 0});
        self.erp.control("POST", "settings", &whole).await?;
        for sandbox in [&self.network, &self.erp] {
            sandbox.control("DELETE", "faults", &Value::Null).await?;
        }
        Ok(())
    }
}
