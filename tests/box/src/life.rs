//! The life of a service on a booted system: installed, working, killed, hanging, upgraded, broken, rebooted, removed,
//! purged. Orders flow against both sandboxes all the while, and in the end the truth of both is compared. Must not know
//! how the system is booted, nor the agent's types: it reads what people and scripts read. The scenes of connectors,
//! upgrades and backups lie in the folder beside.

use crate::builds::Builds;
use crate::proof::Proof;
use crate::system::System;
use crate::trade::{SECRETS, Trade};
use crate::{Problem, base, deb, folder, say};
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;
use waybill_sim::client;

mod saved;
mod swap;
mod upgrade;

const UNIT: &str = "waybill.service";
const PAGE: &str = "http://127.0.0.1:7878";
const HOOKS: &str = "\n[hooks]\nlisten = \"127.0.0.1:7879\"\n";
const DATA: &str = "var/lib/private/waybill";
/// Longest wait for a state that must come by itself.
const PATIENCE: Duration = Duration::from_secs(90);
/// What every system writes of its own accord; nothing of ours may hide here.
const OTHERS: [&str; 7] = [
    "var/lib/dpkg/",
    "var/lib/systemd/",
    "var/lib/dbus",
    "var/log/",
    "var/cache/ldconfig",
    "var/tmp/systemd-private-",
    "etc/machine-id",
];

/// Everything that one life needs.
struct Life<'p> {
    proof: &'p Proof,
    system: System,
    trade: Trade,
    debs: [PathBuf; 4],
    builds: Builds,
    /// The file of the backup, inside.
    backup: String,
}

/// Whether a bare system boots on this machine at all.
pub(crate) fn boots() -> Result<(), Problem> {
    let own = folder().join("boots");
    let tried = tried(&own);
    drop(std::fs::remove_dir_all(&own));
    tried.map_err(|error| Problem::Skipped(format!("{error:#}")))
}

fn tried(own: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(own)?;
    let root = own.join("root");
    base::copy(&folder().join("base"), &root)?;
    runtime()?.block_on(async {
        let mut system = System::new(root, own);
        system.boot().await?;
        system.power_off().await
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// Lives it, inside a network of its own. `stage` holds the sandboxes' program.
pub(crate) fn inside(proof: &Proof, built: &Path, stage: &Path) -> Result<(), Problem> {
    Ok(runtime()?.block_on(live(proof, built, stage))?)
}

async fn live(proof: &Proof, built: &Path, stage: &Path) -> anyhow::Result<()> {
    let own = folder().join("life");
    drop(std::fs::remove_dir_all(&own));
    std::fs::create_dir_all(&own)?;
    let root = own.join("root");
    base::copy(&folder().join("base"), &root)?;

    proof.begin("a bare Debian boots");
    let mut system = System::new(root, &own);
    system.boot().await?;
    proof.done();

    let trade = Trade::start(&stage.join("bin/waybill-sandbox")).await?;
    let debs = [
        built.to_owned(),
        deb::revised(built, &own, 2)?,
        deb::broken(built, &own, 3)?,
        deb::revised(built, &own, 4)?,
    ];
    let builds = Builds::make(stage, &own)?;
    let mut life = Life {
        proof,
        system,
        trade,
        debs,
        builds,
        backup: String::new(),
    };
    let lived = life.all().await;
    if lived.is_err() {
        say("The service's journal:");
        if let Ok(output) = life
            .system
            .run(&["journalctl", "-u", UNIT, "-n", "60", "--no-pager"])
        {
            say(&String::from_utf8_lossy(&output.stdout));
        }
        return lived;
    }
    life.system.power_off().await?;
    std::fs::remove_dir_all(&own)?;
    Ok(())
}

impl Life<'_> {
    async fn all(&mut self) -> anyhow::Result<()> {
        let before = files(self.system.root())?;
        self.install().await?;
        self.orders_flow().await?;
        self.rehearsed()?;
        self.killed().await?;
        self.hanging().await?;
        self.stopped().await?;
        self.swapped().await?;
        self.refused().await?;
        self.rolled_back().await?;
        self.upgraded().await?;
        self.broken().await?;
        self.no_room()?;
        self.brought_up().await?;
        self.backed_up().await?;
        self.rebooted().await?;
        self.removed().await?;
        self.journal()?;
        self.purged(&before)?;
        self.restored().await?;
        self.disconnected().await?;
        self.purged(&before)
    }

    fn install_deb(&self, number: usize) -> anyhow::Result<String> {
        let name = format!("srv/waybill-{number}.deb");
        std::fs::copy(&self.debs[number], self.system.root().join(&name))?;
        let output = self.system.run(&["dpkg", "-i", &format!("/{name}")])?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(
            output.status.success(),
            "dpkg -i ended with {}: {said}",
            output.status
        );
        std::fs::remove_file(self.system.root().join(&name))?;
        Ok(said)
    }

    fn property(&self, name: &str) -> anyhow::Result<String> {
        let said = self.system.ok(&["systemctl", "show", "-P", name, UNIT])?;
        Ok(said.trim().to_owned())
    }

    fn running(&self) -> anyhow::Result<()> {
        let (active, sub) = (self.property("ActiveState")?, self.property("SubState")?);
        ensure!(
            active == "active" && sub == "running",
            "the service is {active} ({sub}), result {}",
            self.property("Result")?
        );
        Ok(())
    }

    /// Waits until the service runs as another process than this one.
    async fn other_than(&self, pid: &str) -> anyhow::Result<()> {
        self.until("the service runs again", || {
            Ok(self.property("MainPID")? != pid && self.running().is_ok())
        })
        .await
    }

    async fn until(
        &self,
        what: &str,
        mut seen: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while !seen()? {
            ensure!(
                Instant::now() < until,
                "not within {} s: {what}",
                PATIENCE.as_secs()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    async fn install(&mut self) -> anyhow::Result<()> {
        self.proof.begin("the .deb installs, is enabled and ready");
        let said = self.install_deb(0)?;
        self.running()?;
        ensure!(
            said.contains("first-password"),
            "the way to the first login is not told: {said}"
        );
        self.system.ok(&["systemctl", "is-enabled", UNIT])?;
        for place in ["/live", "/ready"] {
            let reply = client::call("GET", &format!("{PAGE}{place}"), &[], Vec::new()).await?;
            ensure!(reply.status == 200, "{place} answers {}", reply.status);
        }
        let output = self
            .system
            .run(&["systemd-analyze", "verify", "--man=no", UNIT])?;
        ensure!(
            output.status.success() && output.stderr.is_empty(),
            "systemd-analyze verify: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        self.proof.done();

        self.proof
            .begin("key, first code, data and process belong to nobody else");
        let key = self.system.root().join("etc/waybill/seal.key");
        private(&key, Some(0))?;
        ensure!(
            std::fs::metadata(&key)?.len() == 65,
            "the key is not 64 digits and a line end"
        );
        let data = self.system.root().join(DATA);
        private(&data, None)?;
        private(&data.join("first-password"), None)?;
        ensure!(
            !data.join("seal.key").exists(),
            "there is a second key in the data folder"
        );
        let code = self
            .system
            .ok(&["cat", "/var/lib/waybill/first-password"])?;
        ensure!(
            code.trim().len() >= 8,
            "the code of the first login is `{}`",
            code.trim()
        );
        let pid = self.property("MainPID")?;
        let status = self.system.ok(&["cat", &format!("/proc/{pid}/status")])?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        ensure!(
            !field("Uid:").starts_with("0\t"),
            "the service runs as root"
        );
        ensure!(
            field("CapEff:").trim_matches('0').is_empty()
                && field("NoNewPrivs:") == "1"
                && field("Seccomp:") == "2",
            "the process is not confined: {status}"
        );
        self.proof.done();
        Ok(())
    }

    /// Lets the agent take webhooks, as the documentation says.
    fn listening(&self) -> anyhow::Result<()> {
        let config = self.system.root().join("etc/waybill/agent.toml");
        let text = std::fs::read_to_string(&config)? + HOOKS;
        std::fs::write(&config, text)?;
        self.system.ok(&["systemctl", "restart", UNIT])?;
        Ok(())
    }

    async fn orders_flow(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("`waybill apply` connects both sandboxes, webhooks are registered, orders flow");
        self.listening()?;
        std::fs::write(self.system.root().join("srv/plan.toml"), self.trade.plan())?;
        let output = self
            .system
            .run_with(&SECRETS, &["waybill", "apply", "--yes", "/srv/plan.toml"])?;
        ensure!(
            output.status.success(),
            "waybill apply: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::remove_file(self.system.root().join("srv/plan.toml"))?;
        self.trade.orders(12).await?;
        self.trade.settled().await?;
        ensure!(
            self.trade.registered().await? > 0,
            "no webhook is registered"
        );
        self.proof.done();
        Ok(())
    }

    fn rehearsed(&self) -> anyhow::Result<()> {
        self.proof.begin(
            "`waybill rehearse` sends an order all the way under the unit, and nothing of it stays",
        );
        let orders = self.count()?;
        let said = self.system.ok(&["waybill", "rehearse"])?;
        ensure!(said.contains("went all the way"), "{said}");
        ensure!(
            self.count()? == orders,
            "a rehearsed order is among the real ones"
        );
        self.proof.done();
        Ok(())
    }

    /// The agent's own count of orders.
    fn count(&self) -> anyhow::Result<usize> {
        let said = self
            .system
            .ok(&["waybill", "--json", "orders", "--limit", "500"])?;
        let orders: Value =
            serde_json::from_str(&said).context("`waybill orders` gives no JSON")?;
        let rows = orders["rows"]
            .as_array()
            .context("`waybill orders` has no rows")?;
        Ok(rows.len())
    }

    async fn killed(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("killed with SIGKILL in the middle of work, it comes back and loses nothing");
        self.trade.orders(8).await?;
        let pid = self.property("MainPID")?;
        self.system.ok(&["kill", "-9", &pid])?;
        self.other_than(&pid).await?;
        ensure!(
            self.property("NRestarts")? == "1",
            "systemd counts no restart"
        );
        self.trade.settled().await?;
        self.proof.done();
        Ok(())
    }

    async fn hanging(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("hanging, it is ended by the watchdog and comes back");
        ensure!(
            self.property("WatchdogUSec")? == "30s",
            "the packaged watchdog is not 30 s"
        );
        // The packaged half minute is too long to wait here.
        let drop_in = self
            .system
            .root()
            .join("etc/systemd/system/waybill.service.d");
        std::fs::create_dir_all(&drop_in)?;
        std::fs::write(drop_in.join("short.conf"), "[Service]\nWatchdogSec=3\n")?;
        self.system.ok(&["systemctl", "daemon-reload"])?;
        self.system.ok(&["systemctl", "restart", UNIT])?;
        self.trade.orders(4).await?;
        let pid = self.property("MainPID")?;
        self.system.ok(&["kill", "-STOP", &pid])?;
        self.other_than(&pid).await?;
        let said = self.system.ok(&["journalctl", "-u", UNIT, "--no-pager"])?;
        ensure!(
            said.contains("Watchdog timeout"),
            "systemd saw no watchdog:\n{said}"
        );
        std::fs::remove_dir_all(&drop_in)?;
        self.system.ok(&["systemctl", "daemon-reload"])?;
        self.system.ok(&["systemctl", "restart", UNIT])?;
        self.trade.settled().await?;
        self.proof.done();
        Ok(())
    }

    async fn stopped(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("stopped, it ends well within its time, and starts again");
        self.trade.orders(4).await?;
        let since = Instant::now();
        self.system.ok(&["systemctl", "stop", UNIT])?;
        ensure!(
            since.elapsed() < Duration::from_secs(30),
            "it took {:?}",
            since.elapsed()
        );
        let (state, result) = (self.property("ActiveState")?, self.property("Result")?);
        ensure!(
            state == "inactive" && result == "success",
            "it is {state}, {result}"
        );
        self.system.ok(&["systemctl", "start", UNIT])?;
        self.running()?;
        self.trade.settled().await?;
        self.proof.done();
        Ok(())
    }

    fn journal(&self) -> anyhow::Result<()> {
        self.proof
            .begin("the journal reads well and holds no secret");
        let said = self.said()?;
        for sentence in ["Agent started.", "Told to stop.", "Agent stopped."] {
            ensure!(
                said.contains(sentence),
                "the journal does not say `{sentence}`:\n{said}"
            );
        }
        let key = std::fs::read_to_string(self.system.root().join("etc/waybill/seal.key"))?;
        let secrets = SECRETS.iter().map(|(_, secret)| *secret);
        for secret in secrets.chain([key.trim()]) {
            ensure!(!said.contains(secret), "a secret is in the journal");
        }
        self.proof.done();
        Ok(())
    }

    async fn rebooted(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("after a reboot it runs by itself and goes on");
        let orders = self.count()?;
        self.trade.orders(4).await?;
        self.system.reboot().await?;
        self.until("the service runs after the boot", || {
            Ok(self.running().is_ok())
        })
        .await?;
        self.trade.settled().await?;
        ensure!(self.count()? >= orders + 4, "orders are missing");
        self.proof.done();
        Ok(())
    }

    async fn removed(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("removed, it leaves data and key; installed again, it goes on");
        let orders = self.count()?;
        self.system.ok(&["dpkg", "-r", "waybill"])?;
        let state = self.property("ActiveState")?;
        ensure!(state == "inactive", "after removal the service is {state}");
        let root = self.system.root();
        ensure!(
            root.join(DATA).join("waybill.redb").exists(),
            "the database is gone"
        );
        ensure!(
            root.join("etc/waybill/seal.key").exists(),
            "the key is gone"
        );
        ensure!(
            !root.join("usr/bin/waybill").exists(),
            "the program is still there"
        );
        self.install_deb(1)?;
        self.running()?;
        ensure!(self.count()? == orders, "orders are missing");
        self.trade.orders(2).await?;
        self.trade.settled().await?;
        self.proof.done();
        Ok(())
    }

    fn purged(&mut self, before: &BTreeSet<String>) -> anyhow::Result<()> {
        self.proof.begin("purged, it leaves no file");
        self.system.ok(&["dpkg", "-P", "waybill"])?;
        let now = files(self.system.root())?;
        let left: Vec<&String> = now
            .difference(before)
            .filter(|file| {
                file.contains("waybill") || !OTHERS.iter().any(|other| file.starts_with(other))
            })
            .collect();
        ensure!(left.is_empty(), "left behind: {left:#?}");
        let gone: Vec<&String> = before
            .difference(&now)
            .filter(|file| !OTHERS.iter().any(|other| file.starts_with(other)))
            .collect();
        ensure!(gone.is_empty(), "taken along: {gone:#?}");
        let units = self
            .system
            .ok(&["systemctl", "list-unit-files", "--plain"])?;
        ensure!(!units.contains("waybill"), "systemd still knows the unit");
        self.proof.done();
        Ok(())
    }
}

/// Nobody but its owner can use it.
fn private(path: &Path, owner: Option<u32>) -> anyhow::Result<()> {
    let about =
        std::fs::symlink_metadata(path).with_context(|| format!("no `{}`", path.display()))?;
    let mode = about.permissions().mode() & 0o777;
    ensure!(
        mode.trailing_zeros() >= 6,
        "`{}` has mode {mode:o}",
        path.display()
    );
    if let Some(owner) = owner {
        ensure!(
            about.uid() == owner,
            "`{}` belongs to {}",
            path.display(),
            about.uid()
        );
    } else {
        ensure!(about.uid() != 0, "`{}` belongs to root", path.display());
    }
    Ok(())
}

/// Every file, folder and link below, without what exists only while the system runs.
fn files(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
            if ["run", "proc", "sys", "dev", "tmp"].contains(&name.as_str()) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                open.push(path);
            }
            found.insert(name);
        }
    }
    Ok(found)
}
