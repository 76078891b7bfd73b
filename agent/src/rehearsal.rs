//! Plays rehearsals by the sandbox program beside this one: starts it with a folder below the data folder, hands it the brief
//! and reads what it sees. Connectors are the builds in force of this agent, whatever lies in its connectors folder, and the
//! code they were compiled to is shared. Its end is never waited for: dropped, it is killed, and the agent it started ends
//! with it, since each child holds the reading end of a pipe whose other end dies with its parent. Knows no vendor and no page.

use crate::config::{Config, REHEARSED_CONNECTORS, environment};
use crate::run::SANDBOX;
use anyhow::Context as _;
use async_trait::async_trait;
use std::fmt::Display;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use waybill_engine::rehearsal::{Brief, InForce, Said, Stage, Theatre};
use waybill_model::contract::Problem;

/// Below the data folder: everything of a rehearsal.
const FOLDER: &str = "rehearsal";
/// What the children see of this process's environment: neither credentials nor the service manager.
const SEEN: [&str; 5] = ["PATH", "LANG", "TZ", "TMPDIR", "MALLOC_MMAP_THRESHOLD_"];
/// Longer lines are none of ours.
const LONGEST: usize = 1 << 20;

/// The sandbox program, and where it plays.
struct SandboxStage {
    /// This very program.
    own: PathBuf,
    sandbox: PathBuf,
    config: Option<PathBuf>,
    folder: PathBuf,
    /// Copies of the builds that were accepted.
    builds: PathBuf,
    plays: OnceCell<Vec<String>>,
    played: AtomicU32,
}

/// What plays rehearsals for this agent; nothing does for one that plays in a rehearsal itself.
pub(crate) fn theatre(config: &Config) -> Option<Theatre> {
    let own = std::env::current_exe().ok()?;
    (!config.rehearsal).then(|| {
        Theatre(Arc::new(SandboxStage {
            sandbox: own.with_file_name(SANDBOX),
            own,
            config: config.trust.file.clone(),
            folder: config.data_dir.join(FOLDER),
            builds: config.builds_dir(),
            plays: OnceCell::new(),
            played: AtomicU32::new(0),
        }))
    })
}

/// Removes what a rehearsal left that was cut short.
pub(crate) fn wipe(config: &Config) {
    if !config.rehearsal {
        remove(&config.data_dir.join(FOLDER));
    }
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "The folder of a rehearsal could not be removed.");
    }
}

/// A folder that goes with this value.
struct Fleeting(PathBuf);

impl Drop for Fleeting {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

fn failed(what: &str, error: impl Display) -> Problem {
    Problem::new(
        "rehearsal-failed",
        format!("The rehearsal {what}: {error}."),
        "Rehearse once more. If it happens again, send a support bundle.",
    )
}

impl SandboxStage {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.sandbox);
        let seen = SEEN
            .iter()
            .filter_map(|name| Some((name, environment(name)?)));
        command.env_clear().envs(seen).kill_on_drop(true);
        command
    }

    /// A new folder each time: an agent that is still ending must not meet the next one's.
    fn make_folder(&self) -> std::io::Result<Fleeting> {
        remove(&self.folder);
        let turn = self.played.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("{}-{turn}", std::process::id()));
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&folder)?;
        Ok(Fleeting(folder))
    }

    /// Puts the builds in force where the other agent looks for its connectors.
    fn give_builds(&self, brief: &Brief, folder: &Path) -> anyhow::Result<()> {
        let given = folder.join(REHEARSED_CONNECTORS);
        std::fs::DirBuilder::new().mode(0o700).create(&given)?;
        for InForce { connector, hash } in &brief.builds {
            let copy = self.builds.join(hash).with_extension("wasm");
            let file = given.join(format!("{connector}.wasm"));
            // The same file under another name, where the file system can.
            if std::fs::hard_link(&copy, &file).is_err() {
                std::fs::copy(&copy, &file).with_context(|| {
                    format!(
                        "the build in force of `{connector}`, `{}`, cannot be copied",
                        copy.display()
                    )
                })?;
            }
        }
        Ok(())
    }

    fn start(&self, folder: &Path) -> std::io::Result<Child> {
        let log = std::fs::File::create(folder.join("sandbox.log"))?;
        let mut command = self.command();
        command.arg("rehearse").arg("--agent").arg(&self.own);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.arg("--folder").arg(folder);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
    }
}

#[async_trait]
impl Stage for SandboxStage {
    async fn plays(&self) -> Result<Vec<String>, Problem> {
        let ask = || async {
            let missing = |why: String| {
                Problem::new(
                    "no-sandbox",
                    format!("The sandbox program `{}` {why}.", self.sandbox.display()),
                    "Install the complete package, or go on without a rehearsal: going live does not need it.",
                )
            };
            if !self.sandbox.is_file() {
                return Err(missing("is not there".to_owned()));
            }
            let output = self
                .command()
                .arg("plays")
                .stdin(Stdio::null())
                .output()
                .await;
            let output = output.map_err(|error| missing(format!("does not start: {error}")))?;
            serde_json::from_slice(&output.stdout)
                .map_err(|_| missing("is of another version than the agent".to_owned()))
        };
        self.plays.get_or_try_init(ask).await.cloned()
    }

    async fn perform(
        &self,
        brief: &Brief,
        say: &(dyn Fn(Said) + Send + Sync),
    ) -> Result<(), Problem> {
        let cannot = |error| failed("could not begin", error);
        let folder = self.make_folder().map_err(cannot)?;
        self.give_builds(brief, &folder.0)
            .map_err(|error| failed("could not begin", format!("{error:#}")))?;
        let mut child = self.start(&folder.0).map_err(cannot)?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("could not begin", "its program has no pipes"));
        };
        let mut line =
            serde_json::to_vec(brief).map_err(|error| failed("could not begin", error))?;
        line.push(b'\n');
        stdin.write_all(&line).await.map_err(cannot)?;
        stdin.flush().await.map_err(cannot)?;
        let mut lines = BufReader::new(stdout).lines();
        let mut ended = false;
        while !ended {
            let line = lines.next_line().await;
            let Some(line) = line.map_err(|error| failed("cannot be followed", error))? else {
                break;
            };
            let said = serde_json::from_str::<Said>(&line).ok();
            let said = said.filter(|_| line.len() <= LONGEST);
            let Some(said) = said else {
                return Err(failed(
                    "cannot be followed",
                    "its program is of another version",
                ));
            };
            ended = matches!(said, Said::End(_));
            say(said);
        }
        // The other end of its standard input: everything it started ends with it.
        drop(stdin);
        let status = child
            .wait()
            .await
            .map_err(|error| failed("did not end", error))?;
        if ended {
            return Ok(());
        }
        let log = std::fs::read_to_string(folder.0.join("sandbox.log")).unwrap_or_default();
        let last = log.lines().next_back().unwrap_or("nothing").to_owned();
        Err(failed(
            &format!("ended early ({status})"),
            format!("its program said `{last}`"),
        ))
    }
}
