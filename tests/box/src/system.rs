//! One booted system: a folder that systemd-nspawn boots, asked through the namespaces of its first process. Works where
//! this machine's own first process is not systemd, and leaves nothing running. Must not know Waybill.

use anyhow::{Context as _, bail, ensure};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tokio::time::Instant;

/// Control group hierarchies in which each system gets a group of its own.
const HIERARCHIES: [&str; 2] = ["unified", "systemd"];
const CGROUPS: &str = "/sys/fs/cgroup";
const BOOT: Duration = Duration::from_mins(1);
const PATH: &str = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/// A system, booted or not.
pub(crate) struct System {
    root: PathBuf,
    name: String,
    folder: PathBuf,
    container: Option<Child>,
}

impl System {
    /// The system in that folder; nothing is started. `folder`: where its console and its leader are noted.
    pub(crate) fn new(root: PathBuf, folder: &Path) -> Self {
        Self {
            root,
            name: format!("waybill-box-{}", std::process::id()),
            folder: folder.to_owned(),
            container: None,
        }
    }

    /// The folder that it sees as `/`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What it wrote to its console.
    pub(crate) fn console(&self) -> PathBuf {
        self.folder.join("console")
    }

    fn leader_file(&self) -> PathBuf {
        self.folder.join("leader")
    }

    /// Boots and waits until every unit has started or failed.
    pub(crate) async fn boot(&mut self) -> anyhow::Result<()> {
        let console = File::create(self.console())?;
        let groups: Vec<String> = HIERARCHIES
            .iter()
            .map(|h| format!("{CGROUPS}/{h}"))
            .filter(|group| Path::new(group).is_dir())
            .map(|group| {
                format!(
                    "mkdir -p {group}/{0} && echo $$ > {group}/{0}/cgroup.procs",
                    self.name
                )
            })
            .collect();
        // Where systemd rules this machine, it hands the container a scope; elsewhere the groups above stand in.
        let scope = if Path::new("/run/systemd/system").is_dir() {
            format!(
                "systemd-run --quiet --scope --property=Delegate=yes --unit={} ",
                self.name
            )
        } else {
            String::new()
        };
        let script = format!(
            "{}\nexec setsid {scope}systemd-nspawn -q -b -D \"$0\" -M {} --register=no --keep-unit --console=pipe \
             --capability=all --system-call-filter=bpf",
            groups.join("\n"),
            self.name
        );
        let child = Command::new("sh")
            .args(["-c", &script])
            .arg(&self.root)
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .stdin(Stdio::null())
            .stdout(console.try_clone()?)
            .stderr(console)
            .spawn()
            .context("cannot start systemd-nspawn")?;
        self.container = Some(child);
        self.wait_for_boot().await.with_context(|| {
            let console = std::fs::read_to_string(self.console()).unwrap_or_default();
            format!("the system did not boot; its console:\n{console}")
        })
    }

    async fn wait_for_boot(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + BOOT;
        loop {
            let ended = self.container.as_mut().map(Child::try_wait).transpose()?;
            if let Some(Some(status)) = ended {
                bail!("systemd-nspawn ended with {status}");
            }
            if let Some(leader) = self.find_leader() {
                std::fs::write(self.leader_file(), leader.to_string())?;
                let state = self.run(&["systemctl", "is-system-running", "--wait"])?;
                match String::from_utf8_lossy(&state.stdout).trim() {
                    "running" => return Ok(()),
                    "degraded" => {
                        bail!(
                            "units failed: {}",
                            self.ok(&["systemctl", "--failed", "--plain"])?
                        )
                    }
                    _ => {}
                }
            }
            ensure!(
                Instant::now() < until,
                "it took more than {} s",
                BOOT.as_secs()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The process that is the system's first.
    fn find_leader(&self) -> Option<u32> {
        let parent = self.container.as_ref()?.id();
        let output = Command::new("pgrep")
            .args(["-P", &parent.to_string()])
            .output()
            .ok()?;
        let leader = String::from_utf8(output.stdout).ok()?;
        let leader: u32 = leader.lines().next()?.parse().ok()?;
        let name = std::fs::read_to_string(format!("/proc/{leader}/comm")).ok()?;
        (name.trim() == "systemd").then_some(leader)
    }

    /// Runs a command inside.
    pub(crate) fn run(&self, command: &[&str]) -> anyhow::Result<Output> {
        self.run_with(&[], command)
    }

    /// Runs a command inside with that environment.
    pub(crate) fn run_with(
        &self,
        environment: &[(&str, &str)],
        command: &[&str],
    ) -> anyhow::Result<Output> {
        let leader = std::fs::read_to_string(self.leader_file()).context("it is not booted")?;
        let output = Command::new("nsenter")
            .args(["-t", leader.trim(), "-a", "env", "-i", PATH])
            .args([
                "HOME=/root",
                "LANG=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive",
            ])
            .args(
                environment
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            )
            .args(command)
            .stdin(Stdio::null())
            .output()
            .context("cannot start nsenter")?;
        Ok(output)
    }

    /// Runs a command inside to its good end; what it printed.
    pub(crate) fn ok(&self, command: &[&str]) -> anyhow::Result<String> {
        let output = self.run(command)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "`{}` ended with {}: {said}{}",
            command.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// Reboots, as its user would.
    pub(crate) async fn reboot(&mut self) -> anyhow::Result<()> {
        self.run(&["systemctl", "reboot"])?;
        self.ended().await?;
        self.boot().await
    }

    /// Powers it off.
    pub(crate) async fn power_off(&mut self) -> anyhow::Result<()> {
        self.run(&["systemctl", "poweroff"])?;
        self.ended().await
    }

    async fn ended(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + BOOT;
        if let Some(container) = &mut self.container {
            while container.try_wait()?.is_none() {
                ensure!(Instant::now() < until, "the system does not stop");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        self.container = None;
        drop(std::fs::remove_file(self.leader_file()));
        self.remove_groups();
        Ok(())
    }

    fn remove_groups(&self) {
        for hierarchy in HIERARCHIES {
            let group = Path::new(CGROUPS).join(hierarchy).join(&self.name);
            if group.is_dir() {
                // Children first; one that is still busy stays, and is empty.
                drop(
                    Command::new("find")
                        .arg(&group)
                        .args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"])
                        .stderr(Stdio::null())
                        .status(),
                );
            }
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // The first process before its container: else it would live on without one.
        let leader = self.find_leader();
        if let Some(mut container) = self.container.take() {
            if let Some(leader) = leader {
                drop(
                    Command::new("kill")
                        .args(["-9", &leader.to_string()])
                        .status(),
                );
            }
            drop(container.kill());
            drop(container.wait());
            self.remove_groups();
        }
        drop(std::fs::remove_file(self.leader_file()));
    }
}
