//! A backup of the live database, its restore by a fresh installation after a purge, and letting go of the vendors.

use super::{Life, UNIT, private};
use crate::folder;
use anyhow::{Context as _, ensure};
use std::path::PathBuf;

const FOLDER: &str = "srv/backups";
const KEY: &str = "/etc/waybill/seal.key";

/// Where the backup lies meanwhile.
fn away() -> PathBuf {
    folder().join("life/backups")
}

impl Life<'_> {
    pub(super) async fn backed_up(&mut self) -> anyhow::Result<()> {
        self.proof.begin(
            "`waybill backup` writes the live database while orders flow; it is whole and private",
        );
        let folder = format!("/{FOLDER}");
        std::fs::create_dir_all(self.system.root().join(FOLDER))?;
        // At work then is a build that the package has not: another machine will have to do with the packaged one.
        let packaged = self.at_work()?;
        self.copy_build(&self.builds.next)?;
        self.until("another build is at work", || {
            Ok(self.at_work()? != packaged)
        })
        .await?;
        self.trade.orders(6).await?;
        let said = self.waybill_value(&["backup", &folder])?;
        let file = said["file"].as_str().context("no file is named")?;
        private(
            &self.system.root().join(file.trim_start_matches('/')),
            Some(0),
        )?;
        self.waybill_value(&["backup", "verify", file])?;
        // The other half of a backup: by hand, to another place.
        self.system.ok(&["cp", "-p", KEY, &folder])?;
        file.clone_into(&mut self.backup);
        // Off the machine, as backups should be.
        std::fs::rename(self.system.root().join(FOLDER), away())?;
        self.trade.settled().await?;
        self.proof.done();
        Ok(())
    }

    pub(super) async fn restored(&mut self) -> anyhow::Result<()> {
        self.proof.begin(
            "a fresh installation restores that backup: paused, and once resumed nothing is lost or doubled",
        );
        std::fs::rename(away(), self.system.root().join(FOLDER))?;
        self.install_deb(1)?;
        self.listening()?;
        ensure!(self.count()? == 0, "a fresh installation has orders");
        self.system.ok(&["systemctl", "stop", UNIT])?;
        let refused = self
            .system
            .run(&["waybill", "restore", "--yes", &self.backup])?;
        let why = String::from_utf8_lossy(&refused.stderr);
        ensure!(
            !refused.status.success() && why.contains("key"),
            "without its key the backup is not refused: {why}"
        );
        let key = format!("/{FOLDER}/seal.key");
        self.system.ok(&["cp", "-p", &key, KEY])?;
        self.system
            .ok(&["waybill", "restore", "--yes", &self.backup])?;
        self.system.ok(&["systemctl", "start", UNIT])?;
        self.running()?;
        ensure!(self.count()? > 0, "the orders are not there");
        self.resumed().await?;
        std::fs::remove_dir_all(self.system.root().join(FOLDER))?;
        self.proof.done();
        Ok(())
    }

    pub(super) async fn disconnected(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("`waybill disconnect` takes its webhooks away at the vendor and pauses");
        let before = self.trade.registered().await?;
        ensure!(before > 0, "no webhook was registered");
        let said = self.system.ok(&["waybill", "disconnect"])?;
        let left = self.trade.registered().await?;
        ensure!(left == 0, "{left} webhooks are left at the vendor: {said}");
        let status = self.waybill_value(&["status"])?;
        let paused = status["frame"]["paused"].as_array().map_or(0, Vec::len);
        ensure!(paused >= 2, "not both are paused: {}", status["frame"]);
        self.proof.done();
        Ok(())
    }
}
