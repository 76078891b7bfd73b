//! A shop that is set up: sandboxes of both vendors, the connectors, and a data folder that a provisioning file was
//! applied to. Each test gets a copy of its own and the real program. Knows no vendor by name.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses its part, and a test ends at the first surprise"
)]

use rustix::process::{Pid, Signal, kill_process};
use secrecy::SecretString;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::runtime::Runtime;
use waybill_sim::play::house::House;
use waybill_sim::play::provisioning::{self, SECRETS, SHIPPED, Scene};
use waybill_store::{Options, Place, Read as _, Scope, SealKey, Store, StoreError, Tx};

pub(crate) const WAYBILL: &str = env!("CARGO_BIN_EXE_waybill");

/// One test at a time: the tests of a process share a town, where calls are counted and two agents would sell each other's
/// orders.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What every test of this process shares.
pub(crate) struct Town {
    runtime: Runtime,
    pub(crate) house: House,
    pub(crate) connectors: PathBuf,
    pub(crate) sandbox: PathBuf,
    /// Compiled once for all agents.
    compiled: PathBuf,
    /// A data folder with everything applied.
    applied: PathBuf,
    /// Gone with the process; the system clears what a killed test leaves.
    folder: tempfile::TempDir,
}

/// Beside the agent's program. Built anew where it is not the newest: cargo builds no program of another package for a
/// test, and leaves the one of an earlier day there.
pub(crate) fn sandbox_program() -> PathBuf {
    waybill_pack::build_programs(&["waybill-sandbox"], &[]).unwrap();
    Path::new(WAYBILL).with_file_name("waybill-sandbox")
}

pub(crate) fn town() -> &'static Town {
    static TOWN: OnceLock<Town> = OnceLock::new();
    TOWN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = sandbox_program();
        let connectors = folder.path().join("connectors");
        waybill_pack::build_all(&connectors).unwrap();
        let runtime = Runtime::new().unwrap();
        let house = runtime.block_on(House::start(&sandbox, 1, None)).unwrap();
        let mut town = Town {
            runtime,
            house,
            connectors,
            sandbox,
            compiled: folder.path().join("compiled"),
            applied: folder.path().join("nowhere"),
            folder,
        };
        let shop = Shop::empty(&town);
        let plan = town.plan(None);
        let output = shop.apply(&plan, &SECRETS);
        assert!(output.status.success(), "{}", stderr(&output));
        let applied = town.folder.path().join("applied");
        copy(&shop.data(), &applied);
        town.applied = applied;
        town
    })
}

impl Town {
    pub(crate) fn plan(&self, hooks: Option<&str>) -> String {
        let scene = Scene {
            hooks,
            ..Scene::of(&SHIPPED)
        };
        provisioning::plan(&self.house, &scene)
    }

    /// Sandboxes that speak TLS under an authority of their own, left in that folder.
    pub(crate) fn secured(&self, folder: &Path) -> House {
        let started = House::start(&self.sandbox, 1, Some(folder));
        self.runtime.block_on(started).unwrap()
    }

    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let done = self.house.network.control(method, path, body);
        self.runtime.block_on(done).unwrap()
    }

    /// The same at the ERP.
    pub(crate) fn erp(&self, method: &str, path: &str, body: &Value) -> Value {
        let done = self.house.erp.control(method, path, body);
        self.runtime.block_on(done).unwrap()
    }

    /// Short delays on both sides.
    pub(crate) fn hurry(&self) {
        self.runtime.block_on(self.house.hurry()).unwrap();
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
    let mode = std::fs::metadata(from).unwrap().permissions();
    std::fs::set_permissions(to, mode).unwrap();
}

/// One agent's folders.
pub(crate) struct Shop {
    pub(crate) dir: tempfile::TempDir,
}

impl Shop {
    fn empty(town: &Town) -> Self {
        let shop = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        shop.configure(&town.connectors, "127.0.0.1:0", "", &town.compiled);
        shop
    }

    /// An empty data folder, as after an installation.
    pub(crate) fn nothing() -> Self {
        Self::empty(town())
    }

    /// Set up and stopped.
    pub(crate) fn new() -> Self {
        let town = town();
        let shop = Self::empty(town);
        copy(&town.applied, &shop.data());
        shop
    }

    /// The same without a connector: nothing is compiled for what does not need one.
    pub(crate) fn bare() -> Self {
        let shop = Self::new();
        std::fs::create_dir(shop.path("none")).unwrap();
        shop.with_connectors(&shop.path("none"));
        shop
    }

    /// Writes the configuration; `more` is added as it is.
    pub(crate) fn configure(&self, connectors: &Path, listen: &str, more: &str, compiled: &Path) {
        let text = format!(
            "data-dir = \"data\"\nconnectors-dir = {:?}\nsocket = \"s\"\nlisten = {listen:?}\ngrace-secs = 5\n{more}\n[cache]\ncompiled-dir = {:?}\n[connectors]\nallow-unsigned = true\n",
            connectors.display().to_string(),
            compiled.display().to_string(),
        );
        std::fs::write(self.config(), text).unwrap();
    }

    /// The same with the usual connectors.
    pub(crate) fn listen(&self, listen: &str, more: &str) {
        let town = town();
        self.configure(&town.connectors, listen, more, &town.compiled);
    }

    pub(crate) fn with_connectors(&self, folder: &Path) {
        self.configure(folder, "127.0.0.1:0", "", &town().compiled);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("agent.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data().join("waybill.redb")
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(WAYBILL);
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("WAYBILL_CONFIG", self.config())
            .env_remove("WAYBILL_LOG")
            .env_remove("NOTIFY_SOCKET")
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Applies a plan to the stopped agent.
    pub(crate) fn apply(&self, plan: &str, secrets: &[(&str, &str)]) -> Output {
        std::fs::write(self.path("plan.toml"), plan).unwrap();
        let mut command = self.command(&["apply", "--offline", "--yes", "plan.toml"]);
        command.envs(secrets.iter().copied()).output().unwrap()
    }

    /// Sets a setting of a connection in the database of the stopped agent, past every check.
    pub(crate) fn set(&self, connection: &'static str, key: &'static str, value: &str) {
        let value = value.to_owned();
        self.change(move |tx| {
            let row = tx.connection_by_name(connection)?.unwrap();
            let scope = Scope {
                connection: Some(row.id),
                retailer: None,
            };
            tx.set_setting(&scope, key, Some(&value), "test", 1)
        });
    }

    /// Seals other secrets than the right ones.
    pub(crate) fn forget_credentials(&self) {
        self.change(|tx| {
            for row in tx.connections()? {
                for (slot, name, _) in tx.secret_names(row.id)? {
                    let wrong = SecretString::from("wrong-one");
                    tx.set_secret(row.id, &slot, &name, &wrong, 1)?;
                }
            }
            Ok(())
        });
    }

    fn change(
        &self,
        change: impl Fn(&mut Tx<'_>) -> Result<(), StoreError> + Send + Sync + 'static,
    ) {
        let text = std::fs::read_to_string(self.data().join("seal.key")).unwrap();
        let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
        let key = SealKey::from_bytes(std::array::from_fn(byte));
        let store = Store::open(Options::new(Place::File(self.database()), key)).unwrap();
        store.write_blocking(change).unwrap();
        store.close().unwrap();
    }

    /// The same; it must be taken.
    pub(crate) fn applied(&self, plan: &str, secrets: &[(&str, &str)]) {
        let output = self.apply(plan, secrets);
        assert!(output.status.success(), "{}", stderr(&output));
    }

    pub(crate) fn start(&self) -> Agent {
        let mut command = self.command(&["run"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains("Agent started.") => break,
                Some(Ok(line)) => seen.push(line),
                _ => panic!("the agent did not start:\n{}", seen.join("\n")),
            }
        }
        // The pipe must be read on, or a chatty agent would stop at a full one.
        let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect());
        Agent {
            child,
            seen,
            rest: Some(rest),
        }
    }
}

/// A running agent; killed when dropped.
pub(crate) struct Agent {
    child: Child,
    /// What it logged until it was started.
    pub(crate) seen: Vec<String>,
    rest: Option<std::thread::JoinHandle<Vec<String>>>,
}

impl Agent {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it, or kills it; what it logged after its start.
    pub(crate) fn end(mut self, signal: Signal) -> String {
        self.signal(signal);
        self.child.wait().unwrap();
        self.rest.take().unwrap().join().unwrap().join("\n")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", stdout(output), stderr(output)))
}

/// Looks before a wait counts as stuck.
const LOOKS: usize = 1_800;

/// Looks at another process until there is what is waited for.
#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at other processes; the state is what is waited for"
)]
pub(crate) fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("{what} never came");
}

/// The members of a list; none of anything else.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
