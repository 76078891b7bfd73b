//! Connectors swapped by copying files into the packaged folder, as root would, while orders flow.

use super::{Life, PAGE};
use crate::browser::Browser;
use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};

const CONNECTOR: &str = "brightpearl";
const FILE: &str = "/usr/lib/waybill/connectors/brightpearl.wasm";

impl Life<'_> {
    /// What the agent says of the connector.
    fn connector(&self) -> anyhow::Result<Value> {
        let view = self.waybill_value(&["connectors", "list"])?;
        let all = view["connectors"].as_array();
        let mut all = all.context("no connectors are listed")?.iter();
        all.find(|connector| connector["id"] == CONNECTOR)
            .cloned()
            .with_context(|| format!("`{CONNECTOR}` is not listed"))
    }

    pub(super) fn at_work(&self) -> anyhow::Result<String> {
        let hash = self.connector()?["running"]["hash"]
            .as_str()
            .map(str::to_owned);
        hash.context("no build is at work")
    }

    /// Copies a build over the packaged one.
    pub(super) fn copy_build(&self, build: &Path) -> anyhow::Result<()> {
        let there = self.system.root().join("srv/build.wasm");
        std::fs::copy(build, &there)?;
        self.system.ok(&["cp", "/srv/build.wasm", FILE])?;
        std::fs::remove_file(there)?;
        Ok(())
    }

    pub(super) async fn swapped(&mut self) -> anyhow::Result<()> {
        self.proof.begin(
            "a build copied into the folder takes over on trial, page and command line say so, nothing is lost",
        );
        let (first, pid) = (self.at_work()?, self.property("MainPID")?);
        let code = self
            .system
            .ok(&["cat", "/var/lib/waybill/first-password"])?;
        let browser = Browser::first_login(PAGE, code.trim()).await?;
        self.trade.orders(8).await?;
        self.copy_build(&self.builds.next)?;
        self.until("the new build is at work", || Ok(self.at_work()? != first))
            .await?;
        let view = self.connector()?;
        ensure!(view["state"] == "trial", "it is not on trial: {view}");
        let said = self.system.ok(&["waybill", "connectors", "list"])?;
        ensure!(
            said.contains("On trial:"),
            "the command line does not say so: {said}"
        );
        let page = browser.page("/connectors").await?;
        ensure!(
            page.contains("On trial"),
            "the page does not say so: {page}"
        );
        self.trade.orders(4).await?;
        self.trade.settled().await?;
        ensure!(
            self.property("MainPID")? == pid,
            "the service was started again"
        );
        self.proof.done();
        Ok(())
    }

    pub(super) async fn refused(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("builds that a stranger or nobody signed are refused with the reason; the old one works on");
        let work = self.at_work()?;
        let wrong: [(PathBuf, &str); 2] = [
            (self.builds.stranger.clone(), "not trusted"),
            (self.builds.unsigned.clone(), "not signed"),
        ];
        for (build, reason) in wrong {
            self.copy_build(&build)?;
            self.until(&format!("it is refused as {reason}"), || {
                let refused = self.connector()?["refused"]["reason"].to_string();
                Ok(refused.contains(reason))
            })
            .await?;
            let said = self.system.ok(&["waybill", "connectors", "list"])?;
            ensure!(
                said.contains("Not taken:") && said.contains(reason),
                "the command line does not say so: {said}"
            );
            ensure!(self.at_work()? == work, "another build is at work");
        }
        self.trade.orders(2).await?;
        self.trade.settled().await?;
        self.proof.done();
        Ok(())
    }

    pub(super) async fn rolled_back(&mut self) -> anyhow::Result<()> {
        self.proof
            .begin("`waybill connectors rollback` goes back to the packaged build, and it stays so over a restart");
        let left = self.at_work()?;
        self.system
            .ok(&["waybill", "connectors", "rollback", CONNECTOR])?;
        let back = self.at_work()?;
        ensure!(back != left, "the build is still at work");
        self.copy_build(&self.builds.next)?;
        self.system.ok(&["systemctl", "restart", super::UNIT])?;
        self.running()?;
        ensure!(
            self.at_work()? == back,
            "the build that was left came back with the restart"
        );
        self.copy_build(&self.builds.packaged)?;
        self.trade.orders(2).await?;
        self.trade.settled().await?;
        ensure!(self.at_work()? == back, "another build is at work");
        self.proof.done();
        Ok(())
    }
}
