//! Upgrades: one that works, one that does not start, one that has no room, one that brings an older database up, and the
//! ways back. Must not know what is in the database.

use super::{DATA, Life, UNIT};
use crate::older;
use anyhow::{Context as _, ensure};
use serde_json::Value;

/// What the log holds for the way back.
const WAY_BACK: &str = "waybill restore --kept ";
const DATABASE: &str = "waybill.redb";

impl Life<'_> {
    pub(super) async fn upgraded(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("an upgrade restarts it and keeps data, key and an edited configuration");
        let config = self.system.root().join("etc/waybill/agent.toml");
        let edited = std::fs::read_to_string(&config)? + "# own line\n";
        std::fs::write(&config, &edited)?;
        let key = std::fs::read(self.system.root().join("etc/waybill/seal.key"))?;
        let (orders, pid) = (self.count()?, self.property("MainPID")?);
        self.install_deb(1)?;
        self.running()?;
        ensure!(
            self.property("MainPID")? != pid,
            "the old process still runs"
        );
        ensure!(
            self.version()?.ends_with("-2"),
            "the version is {}",
            self.version()?
        );
        ensure!(
            self.count()? == orders,
            "{orders} orders before, {} after",
            self.count()?
        );
        ensure!(
            std::fs::read_to_string(&config)? == edited,
            "the configuration changed"
        );
        let kept = std::fs::read(self.system.root().join("etc/waybill/seal.key"))?;
        ensure!(kept == key, "the key changed");
        self.trade.orders(4).await?;
        self.trade.settled().await?;
        self.proof.done();
        Ok(())
    }

    fn version(&self) -> anyhow::Result<String> {
        self.system
            .ok(&["dpkg-query", "-W", "-f", "${Version}", "waybill"])
    }

    pub(super) async fn broken(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("an upgrade that does not start says so; the version before brings all back");
        let orders = self.count()?;
        let said = self.install_deb(2)?;
        ensure!(self.running().is_err(), "a program that ends at once runs");
        ensure!(
            said.contains("Waybill does not run") && said.contains("0.1.0-2"),
            "the way back is not told: {said}"
        );
        self.install_deb(1)?;
        self.running()?;
        ensure!(self.count()? == orders, "orders are missing");
        self.trade.orders(2).await?;
        self.trade.settled().await?;
        self.proof.done();
        Ok(())
    }

    /// A database as the version before left it, with a disk that holds no second one.
    pub(super) fn no_room(&mut self) -> anyhow::Result<()> {
        self.proof.begin(
            "an upgrade without room for a snapshot names the bytes and leaves the older database as it is",
        );
        self.system.ok(&["systemctl", "stop", UNIT])?;
        let before = self.said()?.len();
        older::made(&self.system.root().join(DATA).join(DATABASE))?;
        let data = format!("/{DATA}");
        let whole = self.system.ok(&["du", "-sk", &data])?;
        let whole = whole.split_whitespace().next().unwrap_or_default();
        let size: u64 = whole.parse().context("`du` says no number")?;
        let size = format!("size={}k,mode=0700", size + 2_048);
        self.system.ok(&["cp", "-a", &data, "/srv/data"])?;
        self.system
            .ok(&["mount", "-t", "tmpfs", "-o", &size, "tmpfs", &data])?;
        self.system.ok(&["cp", "-a", "/srv/data/.", &data])?;
        let said = self.install_deb(3)?;
        ensure!(
            self.running().is_err() && said.contains("Waybill does not run"),
            "it runs without a snapshot: {said}"
        );
        self.system.ok(&["systemctl", "stop", UNIT])?;
        let said = self.said()?;
        let said = said.get(before..).unwrap_or_default();
        let told = said
            .lines()
            .any(|line| line.contains("bytes are needed in"));
        ensure!(told, "the bytes that are missing are not named:\n{said}");
        let kept = self.kept()?;
        ensure!(kept.is_empty(), "something is kept: {kept:?}");
        let left = format!("{data}/{DATABASE}");
        self.system.ok(&["cp", &left, "/srv/left.redb"])?;
        let left = self.system.root().join("srv/left.redb");
        older::is_there(&left)?;
        std::fs::remove_file(left)?;
        self.system.ok(&["umount", &data])?;
        self.system.ok(&["rm", "-r", "/srv/data"])?;
        self.proof.done();
        Ok(())
    }

    /// Names of the kept databases.
    fn kept(&self) -> anyhow::Result<Vec<String>> {
        let said = self.waybill_value(&["restore", "--list"])?;
        let kept = said["kept"]
            .as_array()
            .context("nothing lists what is kept")?;
        Ok(kept
            .iter()
            .filter_map(|kept| Some(kept["name"].as_str()?.to_owned()))
            .collect())
    }

    /// After [`Self::no_room`]: the same database, with room.
    pub(super) async fn brought_up(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("with room it brings the older database up, keeps a snapshot, and orders flow");
        let before = self.said()?.len();
        self.system.ok(&["systemctl", "start", UNIT])?;
        self.running()?;
        ensure!(
            self.version()?.ends_with("-4"),
            "the version is {}",
            self.version()?
        );
        let kept = self.kept()?;
        ensure!(
            kept.len() == 1 && kept[0].starts_with(&format!("schema-{}-at-", older::VERSION)),
            "kept is {kept:?}"
        );
        self.trade.orders(4).await?;
        self.trade.settled().await?;
        self.proof.done();

        self.proof.begin(
            "the command that its log holds brings the older database back; the version before goes on, nothing is doubled",
        );
        let said = self.said()?;
        let command = printed(said.get(before..).unwrap_or_default())
            .with_context(|| format!("the log holds no way back:\n{said}"))?;
        self.system.ok(&["systemctl", "stop", UNIT])?;
        let mut words: Vec<&str> = command.split_whitespace().collect();
        words.push("--yes");
        self.system.ok(&words)?;
        older::is_there(&self.system.root().join(DATA).join(DATABASE))?;
        self.install_deb(1)?;
        self.system.ok(&["systemctl", "start", UNIT])?;
        self.running()?;
        ensure!(
            self.version()?.ends_with("-2"),
            "the version is {}",
            self.version()?
        );
        self.resumed().await?;
        self.proof.done();
        Ok(())
    }

    /// Everything is paused, as after every restore; once resumed, what happened since is found again.
    pub(super) async fn resumed(&mut self) -> anyhow::Result<()> {
        let status = self.waybill_value(&["status"])?;
        let paused = status["frame"]["paused"].as_array().map_or(0, Vec::len);
        ensure!(
            paused >= 2,
            "not both connections are paused: {}",
            status["frame"]
        );
        self.trade.orders(3).await?;
        for connection in ["network", "erp"] {
            self.system.ok(&["waybill", "resume", connection])?;
        }
        let orders = self.trade.settled().await?;
        let mine = self.count()?;
        ensure!(
            mine == orders,
            "{orders} orders at the network, {mine} here"
        );
        Ok(())
    }

    /// What a command answers to a script.
    pub(super) fn waybill_value(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let command = [&["waybill", "--json"], arguments].concat();
        let said = self.system.ok(&command)?;
        serde_json::from_str(&said)
            .with_context(|| format!("`{}` gives no JSON: {said}", command.join(" ")))
    }

    /// Everything the service said since it was installed.
    pub(super) fn said(&self) -> anyhow::Result<String> {
        self.system
            .ok(&["journalctl", "-u", UNIT, "-o", "cat", "--no-pager"])
    }
}

/// The command in the log.
fn printed(log: &str) -> Option<String> {
    let (_, rest) = log.split_once(WAY_BACK)?;
    let name: String = rest
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    Some(format!("{WAY_BACK}{name}"))
}
