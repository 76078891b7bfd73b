//! A real agent, a real folder, real components: a build is copied there and takes over, traps and is undone, asks for
//! more and waits. Waits on what the agent says, never on time.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// More answers than any wait takes.
const LOOKS: usize = 20_000;
const CONFIG: &str = "data-dir = \"data\"\nconnectors-dir = \"connectors\"\nsocket = \"s\"\nlisten = \"127.0.0.1:0\"\ngrace-secs = 5\n[connectors]\nallow-unsigned = true\n";
const PLAN: &str = r#"version = 1
[[connection]]
name = "one"
connector = "hostile"
[connection.settings]
do = "nothing"
base = "https://example.test"
"poll-secs.warehouse" = "0.2"
"#;

struct Place {
    dir: tempfile::TempDir,
    plain: Vec<u8>,
}

impl Place {
    /// A folder with one good build in it.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let built = waybill_pack::Pack::new()
            .into_dir(&dir.path().join("built"))
            .build(&["waybill-hostile"])
            .unwrap();
        let place = Self {
            plain: std::fs::read(&built[0]).unwrap(),
            dir,
        };
        std::fs::create_dir(place.path("connectors")).unwrap();
        std::fs::write(place.path("agent.toml"), CONFIG).unwrap();
        std::fs::write(place.path("plan.toml"), PLAN).unwrap();
        place.drop_in("swap:good", 0);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The component with another behaviour, and a section of its own that makes other bytes of it.
    fn build(&self, flavour: &str, number: u8) -> Vec<u8> {
        let old = b"describe:plain  ";
        let new = format!("{flavour:16}");
        let at = self.plain.windows(16).position(|w| w == old).unwrap();
        let mut bytes = self.plain.clone();
        bytes[at..at + 16].copy_from_slice(new.as_bytes());
        bytes.extend([0, 3, 1, b'n', number]);
        bytes
    }

    /// Written beside and renamed, as a careful person does.
    fn drop_in(&self, flavour: &str, number: u8) {
        let (beside, file) = (self.path("connectors/new"), self.file());
        std::fs::write(&beside, self.build(flavour, number)).unwrap();
        std::fs::rename(beside, file).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.path("connectors/hostile.wasm")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("WAYBILL_CONFIG", self.path("agent.toml"))
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null());
        command
    }

    fn start(&self) -> Agent {
        let log = std::fs::File::create(self.path("log")).unwrap();
        let child = self.command(&["run"]).stderr(log).spawn().unwrap();
        let agent = Agent(child);
        for _ in 0..LOOKS {
            if self.command(&["status"]).output().unwrap().status.success() {
                return agent;
            }
        }
        panic!("the agent does not start: {}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn ask(&self, args: &[&str]) -> Value {
        let output = self.command(args).arg("--json").output().unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The connector as soon as it is as wanted.
    fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..LOOKS {
            last = self.ask(&["connectors", "list"])["connectors"][0].clone();
            if wanted(&last) {
                return last;
            }
        }
        panic!("never {what}: {last:#}\n{}", self.log());
    }

    fn copies(&self) -> usize {
        std::fs::read_dir(self.path("data/builds")).unwrap().count()
    }
}

struct Agent(Child);

impl Agent {
    fn stop(mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn is(state: &'static str) -> impl Fn(&Value) -> bool {
    move |connector| connector["state"] == state
}

fn hash(connector: &Value) -> &str {
    connector["running"]["hash"].as_str().unwrap()
}

#[test]
fn a_copied_file_takes_over_and_one_that_traps_is_undone_for_good() {
    let place = Place::new();
    let agent = place.start();
    let first = place.until("running", is("running"));
    place.ask(&["apply", "plan.toml", "--yes"]);

    place.drop_in("swap:good", 1);
    let second = place.until("swapped", |c| is("trial")(c) && hash(c) != hash(&first));
    assert_eq!(second["previous"][0]["hash"], hash(&first));

    // Half a copy is refused and changes nothing; the whole one is taken.
    let whole = place.build("swap:good", 2);
    std::fs::write(place.file(), &whole[..whole.len() / 2]).unwrap();
    place.until("refused", |c| c["refused"].is_object());
    std::fs::write(place.file(), &whole).unwrap();
    let third = place.until("taken, and its trial over", |c| {
        c["refused"].is_null() && hash(c) != hash(&second) && c["trial"].is_null()
    });

    // One that traps is swapped in, and taken back at its third bad batch.
    place.drop_in("swap:trap", 3);
    let back = place.until("undone", |c| {
        c["bad"].as_array().is_some_and(|b| !b.is_empty())
    });
    assert_eq!(hash(&back), hash(&third), "{back:#}");
    assert_eq!(back["state"], "rolled-back");
    assert!(
        back["bad"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("told to")
            || back["bad"][0]["reason"]
                .as_str()
                .unwrap()
                .contains("stopped"),
        "{back:#}"
    );
    assert!(place.copies() <= 3, "{}", place.copies());

    // A kill, and a start on the folder with the bad file in it.
    agent.stop(Signal::KILL);
    let agent = place.start();
    let again = place.until("there", |c| c["running"].is_object());
    assert_eq!(hash(&again), hash(&third));

    // By hand: one further back, and the file that is left is not taken again.
    let said = place.ask(&["connectors", "rollback", "hostile"]);
    assert!(said["sentence"].as_str().unwrap().contains("at work"));
    let by_hand = place.until("gone back", |c| hash(c) == hash(&first));
    assert_eq!(by_hand["bad"][0]["hash"], hash(&third));
    let history = place.ask(&["history"]).to_string();
    assert!(history.contains("Swapped a connector"), "{history}");
    agent.stop(Signal::TERM);
}

#[test]
fn a_build_that_asks_for_a_host_waits_for_yes() {
    let place = Place::new();
    let agent = place.start();
    let first = place.until("running", is("running"));
    place.drop_in("swap:host", 1);
    let waits = place.until("waiting", is("waiting"));
    assert_eq!(hash(&waits), hash(&first));
    let asks = waits["waiting"]["asks"][0].as_str().unwrap();
    assert!(asks.contains("https://new.example"), "{asks}");
    let refused = place.command(&["connectors", "accept", "hostile"]).output();
    assert!(!refused.unwrap().status.success(), "nobody said yes");
    place.ask(&["connectors", "accept", "hostile", "--yes"]);
    place.until("swapped", |c| hash(c) != hash(&first));
    // The file goes: what runs runs on, also after a start.
    std::fs::remove_file(place.file()).unwrap();
    place.until("noticed", |c| c["file"]["name"].is_null());
    agent.stop(Signal::TERM);
    let agent = place.start();
    let left = place.until("there", |c| c["running"].is_object());
    assert_ne!(hash(&left), hash(&first));
    assert!(Path::new(&place.path("data/builds")).is_dir());
    agent.stop(Signal::TERM);
}
