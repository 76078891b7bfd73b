//! Owns one agent process and its command line: started, asked, killed. Must not know the agent's types; it reads the
//! JSON that the command line prints for scripts.

use super::provisioning::{self, Pace, Scene};
use crate::play::house::House;
use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Where an agent's things are.
#[derive(Debug, Clone)]
pub struct Place {
    /// The `waybill` program.
    pub program: PathBuf,
    /// The connectors as they were built or packaged; the agent runs copies, signed with a key of its data folder.
    pub connectors: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// Address of the page; port 0 takes a free one.
    pub listen: String,
    /// Address of the hooks listener; `None`: none.
    pub hooks: Option<String>,
    /// Authorities beside the system's.
    pub roots: Option<PathBuf>,
}

/// What the service's unit puts into the agent's environment.
fn unit_environment() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("../../../../packaging/systemd/waybill.service")
        .lines()
        .filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
}

impl Place {
    fn config(&self) -> PathBuf {
        self.data.join("agent.toml")
    }

    /// Signs the connectors with a throw-away key and writes a configuration that trusts it.
    pub fn prepare(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.data)?;
        let key = self.data.join("signing.key");
        let public = self.data.join("signing.key.pub");
        if !public.exists() {
            self.make_key(&key, "throw-away key of a play")?;
        }
        self.sign_connectors()?;
        std::fs::write(
            self.config(),
            provisioning::configuration(
                &self.data,
                &self.installed(),
                std::fs::read_to_string(public)?.trim(),
                &self.listen,
                self.hooks.as_deref(),
                self.roots.as_deref(),
            ),
        )?;
        Ok(())
    }

    /// Where the agent finds its connectors.
    pub fn installed(&self) -> PathBuf {
        self.data.join("connectors")
    }

    /// Makes a signing key; its public half lies beside it.
    pub fn make_key(&self, key: &Path, name: &str) -> anyhow::Result<()> {
        self.sign_command(&[
            OsStr::new("keygen"),
            key.as_os_str(),
            "--name".as_ref(),
            name.as_ref(),
        ])
    }

    /// Signs components in their place; `None`: by the key that the agent trusts.
    pub fn sign(&self, key: Option<&Path>, files: &[impl AsRef<Path>]) -> anyhow::Result<()> {
        let own = self.data.join("signing.key");
        let key = key.unwrap_or(&own);
        let mut arguments = vec![OsStr::new("sign"), "--key".as_ref(), key.as_os_str()];
        arguments.extend(files.iter().map(|file| file.as_ref().as_os_str()));
        self.sign_command(&arguments)
    }

    /// Where the agent's own socket is.
    pub fn socket(&self) -> PathBuf {
        self.data.join("admin.sock")
    }

    fn sign_connectors(&self) -> anyhow::Result<()> {
        let installed = self.installed();
        std::fs::create_dir_all(&installed)?;
        let mut files = Vec::new();
        let entries = std::fs::read_dir(&self.connectors)
            .with_context(|| format!("no connectors in `{}`", self.connectors.display()))?;
        for entry in entries {
            let built = entry?.path();
            if built.extension().is_some_and(|ending| ending == "wasm") {
                let file = installed.join(built.file_name().context("a file has a name")?);
                std::fs::copy(&built, &file)?;
                files.push(file);
            }
        }
        ensure!(
            !files.is_empty(),
            "no connector is in `{}`",
            self.connectors.display()
        );
        self.sign(None, &files)
    }

    fn sign_command(&self, arguments: &[&OsStr]) -> anyhow::Result<()> {
        let output = std::process::Command::new(&self.program)
            .arg("connectors")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start `{}`", self.program.display()))?;
        ensure!(
            output.status.success(),
            "`waybill connectors` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.config());
        command
    }

    /// Starts `waybill run`, with what the service's unit sets besides.
    pub fn start(&self, environment: &[(&str, String)]) -> anyhow::Result<Agent> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.data.join("agent.log"))?;
        let child = self
            .command()
            .arg("run")
            .envs(unit_environment())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start `{} run`", self.program.display()))?;
        Ok(Agent { child })
    }

    /// Waits until the agent answers, or says why it does not.
    pub async fn wait_until_up(&self, agent: &mut Agent) -> anyhow::Result<()> {
        let mut waited = 0;
        while self.ask(&["status"]).await.is_err() {
            if let Some(status) = agent.child.try_wait()? {
                bail!("the agent ended with {status}; {}", self.last_words());
            }
            waited += 1;
            ensure!(
                waited < 600,
                "the agent does not answer; {}",
                self.last_words()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The end of the agent's log, which may be gone when somebody reads of it.
    fn last_words(&self) -> String {
        let file = self.data.join("agent.log");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(5)..).unwrap_or(&[]);
        format!("its log `{}` ends:\n{}", file.display(), last.join("\n"))
    }

    /// Titles of the cards that wait for a person.
    pub async fn cards(&self) -> anyhow::Result<Vec<String>> {
        let cards = self.ask(&["cards"]).await?;
        let all = cards.as_array().or_else(|| cards["cards"].as_array());
        let all = all.into_iter().flatten();
        let titles = all.filter_map(|card| card["title"].as_str());
        Ok(titles.map(str::to_owned).collect())
    }

    /// Asks the running agent by its command line, in JSON.
    pub async fn ask(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self
            .command()
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "`waybill {}` ended with {}: {}{}",
            arguments.join(" "),
            output.status,
            text,
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str(&text)
            .with_context(|| format!("`waybill {}` printed `{text}`", arguments.join(" ")))
    }

    /// Where the ERP reaches the hooks listener.
    pub fn hooks_url(&self) -> Option<String> {
        self.hooks
            .as_ref()
            .map(|address| format!("http://{address}"))
    }

    /// Applies the provisioning of these sandboxes, without webhooks.
    pub async fn provision(&self, house: &House, pace: &Pace) -> anyhow::Result<()> {
        self.provision_as(house, &Scene::of(pace)).await
    }

    /// Applies the provisioning of a scene.
    pub async fn provision_as(&self, house: &House, scene: &Scene<'_>) -> anyhow::Result<()> {
        let file = self.data.join("provisioning.toml");
        std::fs::write(&file, provisioning::plan(house, scene))?;
        let output = self
            .command()
            .args(["apply", "--yes"])
            .arg(&file)
            .envs(provisioning::SECRETS)
            .envs(provisioning::FILE_SECRETS)
            .stdin(Stdio::null())
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "`waybill apply` ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// The file that holds the code for the first login, while it is there.
    pub fn first_password(&self) -> Option<PathBuf> {
        let file = self.data.join("first-password");
        file.exists().then_some(file)
    }
}

/// A running agent; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
}

impl Agent {
    /// Kills it with SIGKILL and waits for its end.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// Waits for its end, at most that long; `None`: it still runs.
    pub async fn ended_within(
        &mut self,
        wait: Duration,
    ) -> anyhow::Result<Option<std::process::ExitStatus>> {
        match tokio::time::timeout(wait, self.child.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => Ok(None),
        }
    }

    /// Leaves it running after this program ends.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }
}

/// The folder of a program, for finding its neighbours.
pub fn beside(program: &Path, name: &str) -> PathBuf {
    program.parent().unwrap_or(Path::new("")).join(name)
}
