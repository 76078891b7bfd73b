//! The program from outside: exit codes, messages, a real agent on real sockets. Waits on what the agent says, never on
//! time.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use waybill_store::SCHEMA_VERSION;

/// A folder with a configuration in it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        place.write(
            "agent.toml",
            "data-dir = \"data\"\nconnectors-dir = \"connectors\"\nsocket = \"s\"\nlisten = \"127.0.0.1:0\"\ngrace-secs = 5\n",
        );
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waybill"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("WAYBILL_CONFIG", self.path("agent.toml"))
            .env_remove("WAYBILL_LOG")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn start(&self) -> Agent {
        Self::started(self.command(&["run"]))
    }

    fn started(mut command: Command) -> Agent {
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
        Agent { child, seen, rest }
    }

    /// Every file below, but the tests' own.
    fn files(&self) -> BTreeSet<PathBuf> {
        fn walk(dir: &Path, into: &mut BTreeSet<PathBuf>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, into);
                }
                into.insert(path);
            }
        }
        let mut files = BTreeSet::new();
        walk(self.dir.path(), &mut files);
        files
    }
}

struct Agent {
    child: Child,
    /// What it logged until it was started.
    seen: Vec<String>,
    rest: std::thread::JoinHandle<Vec<String>>,
}

impl Agent {
    fn signal(mut self, signal: Signal) -> (Option<i32>, String) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, self.rest.join().unwrap().join("\n"))
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", stdout(output)))
}

const SETTINGS: &str = "version = 1\n[agent]\nstore-name = \"Northfold Goods\"\n[settings]\n\"items.source-id\" = \"upc\"\n";

#[test]
fn a_bad_configuration_is_told_whole_and_exits_64() {
    let place = Place::new();
    place.write(
        "agent.toml",
        "data_dir = \"x\"\nlisten = \"0.0.0.0:1\"\n[log]\nformat = 1\n",
    );
    let before = place.files();
    for args in [&["run"][..], &["check"], &["status"]] {
        let output = place.run(args);
        assert_eq!(code(&output), 64, "{args:?}");
        let told = stderr(&output);
        for part in [
            "agent.toml:1:1: unknown key `data_dir`",
            "agent.toml:2:10: ",
            "agent.toml:4:10: ",
            "3 mistakes",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
    assert_eq!(place.files(), before);
    let output = place.run(&["check", "--json"]);
    assert_eq!(json(&output)["mistakes"].as_array().unwrap().len(), 3);
    assert_eq!(code(&place.run(&["nonsense"])), 64);
    assert_eq!(code(&place.run(&["--help"])), 0);
}

#[test]
fn check_touches_nothing() {
    let place = Place::new();
    place.write("good.toml", SETTINGS);
    place.write(
        "bad.toml",
        "version = 1\n[settings]\n\"items.source-id\" = \"upcc\"\n[[connection]]\nname = \"net\"\nconnector = \"none\"\n",
    );
    let before = place.files();
    let output = place.run(&["check", "good.toml"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("No mistakes found. Nothing was changed."));
    let output = place.run(&["check", "bad.toml"]);
    assert_eq!(code(&output), 64);
    let told = stderr(&output);
    assert!(
        told.contains("bad.toml:3:21: `items.source-id` cannot be `upcc`"),
        "{told}"
    );
    assert!(told.contains("hint: Did you mean `upc`?"), "{told}");
    assert!(
        told.contains("bad.toml:6:13: no connector `none` is loaded"),
        "{told}"
    );
    assert_eq!(place.files(), before);
}

#[test]
fn commands_say_when_no_agent_runs() {
    let place = Place::new();
    place.write("good.toml", SETTINGS);
    for args in [
        &["status"][..],
        &["cards"],
        &["apply", "good.toml", "--yes"],
    ] {
        let output = place.run(args);
        assert_eq!(code(&output), 1, "{args:?}");
        assert!(
            stderr(&output).contains("no agent is running"),
            "{}",
            stderr(&output)
        );
        assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    }
}

#[test]
fn an_agent_starts_is_provisioned_and_stops() {
    let place = Place::new();
    place.write("good.toml", SETTINGS);
    place.write(
        "bad.toml",
        "version = 1\n[[connection]]\nname = \"net\"\nconnector = \"none\"\n[[route]]\nentity = \"order\"\nfrom = \"net\"\nto = \"erp\"\n",
    );
    let agent = place.start();

    let output = place.run(&["apply", "bad.toml", "--yes"]);
    assert_eq!(code(&output), 64, "{}", stderr(&output));
    assert!(stderr(&output).contains("bad.toml:4:13: no connector `none` is loaded"));
    assert!(stderr(&output).contains("bad.toml:8:6: there is no connection `erp`"));

    let output = place.run(&["apply", "good.toml"]);
    assert_eq!(code(&output), 64, "nobody can be asked here");
    let output = place.run(&["apply", "good.toml", "--dry-run"]);
    assert!(
        stdout(&output).contains("+ setting items.source-id: upc"),
        "{}",
        stdout(&output)
    );
    assert!(stdout(&output).contains("2 changes would be applied. Nothing was changed."));
    let output = place.run(&["apply", "good.toml", "--yes"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(
        stdout(&output).ends_with("Applied: 2 changes.\n"),
        "{}",
        stdout(&output)
    );
    let output = place.run(&["apply", "good.toml", "--yes", "--json"]);
    assert_eq!(
        json(&output)["difference"]["changes"],
        Value::Array(Vec::new())
    );

    let status = json(&place.run(&["status", "--json"]));
    assert_eq!(status["frame"]["store"], "Northfold Goods");
    let output = place.run(&["status"]);
    assert!(
        stdout(&output).starts_with("Northfold Goods: "),
        "{}",
        stdout(&output)
    );
    assert_eq!(code(&place.run(&["orders"])), 0);
    assert!(stdout(&place.run(&["cards"])).contains("Nothing waits for you."));
    let history = stdout(&place.run(&["history"]));
    assert!(
        history.contains("2 changes from a provisioning file"),
        "{history}"
    );
    let output = place.run(&["probe", "nowhere"]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("there is no connection `nowhere`"),
        "{}",
        stderr(&output)
    );

    let (code, log) = agent.signal(Signal::TERM);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("Agent stopped."), "{log}");
    assert!(!place.path("s").exists());
}

#[test]
fn a_killed_agent_starts_again_and_a_second_one_does_not() {
    let place = Place::new();
    place.write("good.toml", SETTINGS);
    let agent = place.start();
    assert_eq!(code(&place.run(&["apply", "good.toml", "--yes"])), 0);
    let second = place.run(&["run"]);
    assert_eq!(code(&second), 1);
    assert!(
        stderr(&second).contains("another agent answers at"),
        "{}",
        stderr(&second)
    );
    assert_eq!(agent.signal(Signal::KILL).0, None);
    assert!(place.path("s").exists(), "a kill leaves the socket behind");
    let agent = place.start();
    let status = json(&place.run(&["status", "--json"]));
    assert_eq!(status["frame"]["store"], "Northfold Goods");
    assert_eq!(agent.signal(Signal::INT).0, Some(0));
}

#[test]
fn a_stopped_agent_is_provisioned_through_its_folder() {
    let place = Place::new();
    place.write("good.toml", SETTINGS);
    let output = place.run(&["apply", "good.toml", "--yes", "--offline"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).ends_with("Applied: 2 changes.\n"));
    let agent = place.start();
    let output = place.run(&["apply", "good.toml", "--yes", "--offline"]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).contains("in use by another process"),
        "{}",
        stderr(&output)
    );
    let output = place.run(&["apply", "good.toml", "--yes"]);
    assert!(
        stdout(&output).contains("Nothing to change."),
        "{}",
        stdout(&output)
    );
    assert_eq!(agent.signal(Signal::TERM).0, Some(0));
}

#[test]
fn a_backup_of_a_running_agent_is_restored_on_another_machine() {
    let (old, new) = (Place::new(), Place::new());
    old.write("good.toml", SETTINGS);
    let agent = old.start();
    assert_eq!(code(&old.run(&["apply", "good.toml", "--yes"])), 0);
    old.write("a.backup", "of yesterday");
    let output = old.run(&["backup", "a.backup"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mode = std::fs::metadata(old.path("a.backup")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    assert!(!old.path("a.backup.new").exists());
    let output = old.run(&["backup", "verify", "a.backup", "--json"]);
    assert_eq!(json(&output)["manifest"]["schema"], SCHEMA_VERSION);
    let output = old.run(&["restore", "a.backup", "--yes"]);
    assert!(
        stderr(&output).contains("the agent is running"),
        "{}",
        stderr(&output)
    );
    let secret = std::fs::read(old.path("data/seal.key")).unwrap();
    let code_file = std::fs::read(old.path("data/first-password")).unwrap();
    let bytes = std::fs::read(old.path("a.backup")).unwrap();
    for hidden in [secret.trim_ascii(), code_file.trim_ascii()] {
        assert!(hidden.len() > 8 && !bytes.windows(hidden.len()).any(|part| part == hidden));
    }
    assert_eq!(agent.signal(Signal::KILL).0, None);
    // Stopped, it is the command that reads.
    let output = old.run(&["backup", "."]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));

    std::fs::copy(old.path("a.backup"), new.path("a.backup")).unwrap();
    let output = new.run(&["restore", "a.backup"]);
    assert!(
        stderr(&output).contains("seal.key` is missing"),
        "{}",
        stderr(&output)
    );
    let agent = new.start();
    assert_eq!(agent.signal(Signal::TERM).0, Some(0));
    let output = new.run(&["restore", "a.backup", "--yes"]);
    assert!(
        stderr(&output).contains("another key"),
        "{}",
        stderr(&output)
    );
    assert!(!new.path("data/kept").exists());
    std::fs::copy(old.path("data/seal.key"), new.path("data/seal.key")).unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 4;
    std::fs::write(new.path("b.backup"), damaged).unwrap();
    let output = new.run(&["restore", "b.backup", "--yes"]);
    assert!(
        stderr(&output).contains("is damaged before byte"),
        "{}",
        stderr(&output)
    );
    let output = new.run(&["restore", "a.backup"]);
    assert_eq!(code(&output), 64, "nobody can be asked");
    let output = new.run(&["restore", "a.backup", "--yes", "--json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let kept = json(&output)["kept"]["name"].as_str().unwrap().to_owned();
    let output = new.run(&["restore", "--list"]);
    assert!(stdout(&output).contains(&kept), "{}", stdout(&output));
    let agent = new.start();
    let output = new.run(&["status", "--json"]);
    assert_eq!(json(&output)["frame"]["store"], "Northfold Goods");
    let output = new.run(&["history", "--json"]);
    assert_eq!(json(&output)["rows"][0]["what"], "Restored the database");
    assert_eq!(agent.signal(Signal::TERM).0, Some(0));
    let output = new.run(&["restore", "--kept", &kept, "--yes"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let agent = new.start();
    let output = new.run(&["status", "--json"]);
    assert_eq!(json(&output)["frame"]["store"], "Waybill");
    assert_eq!(agent.signal(Signal::TERM).0, Some(0));
}

#[test]
fn a_file_that_is_no_connector_is_told_and_does_not_stop_the_agent() {
    let place = Place::new();
    std::fs::create_dir(place.path("connectors")).unwrap();
    place.write("connectors/broken.wasm", "this is no component");
    let output = place.run(&["connectors", "list"]);
    assert_eq!(code(&output), 1);
    assert!(
        stdout(&output).contains("broken.wasm  not loaded:"),
        "{}",
        stdout(&output)
    );
    let agent = place.start();
    assert_eq!(code(&place.run(&["status"])), 0);
    assert_eq!(agent.signal(Signal::TERM).0, Some(0));
}

#[test]
fn connectors_are_compiled_by_a_first_start_that_starts_over_once() {
    let place = Place::new();
    let config = std::fs::read_to_string(place.path("agent.toml")).unwrap();
    place.write(
        "agent.toml",
        &format!("{config}[connectors]\nallow-unsigned = true\n"),
    );
    let folder = place.path("connectors");
    waybill_pack::Pack::new()
        .into_dir(&folder)
        .build(&["waybill-hostile"])
        .unwrap();
    for times in [1, 0] {
        let agent = place.start();
        let over = agent.seen.iter().filter(|l| l.contains("Starting over"));
        assert_eq!(over.count(), times, "{:#?}", agent.seen);
        assert_eq!(code(&place.run(&["status"])), 0);
        // Still the process that was started: it hears the signal and says how it ended.
        assert_eq!(agent.signal(Signal::TERM).0, Some(0));
    }
}

#[test]
fn the_hooks_listener_is_there_when_asked_for_and_knows_no_stranger() {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    let address = waybill_sim::ports::free_address();
    let place = Place::new();
    let without = std::fs::read_to_string(place.path("agent.toml")).unwrap();
    let agent = place.start();
    assert!(TcpStream::connect(&*address).is_err());
    assert_eq!(agent.signal(Signal::TERM).0, Some(0));
    place.write(
        "agent.toml",
        &format!("{without}[hooks]\nlisten = \"{address}\"\n"),
    );
    let agent = place.start();
    for line in ["POST /hooks/erp/abc", "GET /login", "GET /live"] {
        let mut stream = TcpStream::connect(&*address).unwrap();
        let request = format!("{line} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        assert!(heard.starts_with("HTTP/1.1 404"), "{line}: {heard}");
    }
    let idle = TcpStream::connect(&*address).unwrap();
    let (ended, log) = agent.signal(Signal::TERM);
    assert_eq!(ended, Some(0), "{log}");
    drop(idle);
}

/// Both sides of the commit: before it nothing is there, after it everything is, and applying again mends the first.
#[test]
fn a_crash_while_applying_leaves_all_or_nothing() {
    for (point, kept) in [
        ("apply.before-commit:1", false),
        ("apply.committed:1", true),
    ] {
        let place = Place::new();
        place.write("good.toml", SETTINGS);
        let mut command = place.command(&["run"]);
        command.env("WAYBILL_CRASH", point);
        let mut agent = Place::started(command);
        let output = place.run(&["apply", "good.toml", "--yes"]);
        assert_eq!(code(&output), 1, "{point}: {}", stdout(&output));
        assert_eq!(
            agent.child.wait().unwrap().code(),
            None,
            "killed, not ended"
        );

        let agent = place.start();
        let output = place.run(&["apply", "good.toml", "--yes", "--json"]);
        let left = json(&output)["difference"]["changes"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(left, if kept { 0 } else { 2 }, "{point}");
        assert_eq!(agent.signal(Signal::TERM).0, Some(0));
    }
    let place = Place::new();
    let output = place
        .command(&["run"])
        .env("WAYBILL_CRASH", "apply.commited:1")
        .output()
        .unwrap();
    assert_eq!(code(&output), 64, "{}", stderr(&output));
}
