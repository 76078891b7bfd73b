//! `waybill connectors` from outside: keys, signatures, and what a running agent makes of files it should not trust.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

/// A folder with a configuration that trusts one key, `it.key`, and no connectors.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(place.path("connectors")).unwrap();
        place.configure("");
        place.good(&["connectors", "keygen", "it.key", "--name", "Northfold IT"]);
        let line = std::fs::read_to_string(place.path("it.key.pub")).unwrap();
        place.configure(&format!("trusted-keys = [{:?}]\n", line.trim()));
        place
    }

    fn configure(&self, trust: &str) {
        let text = format!(
            "data-dir = \"data\"\nconnectors-dir = \"connectors\"\nsocket = \"s\"\nlisten = \"127.0.0.1:0\"\n\
             [connectors]\ntrusted-keys-dir = \"keys\"\n{trust}"
        );
        std::fs::write(self.path("agent.toml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
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

    fn good(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let (out, err) = told(&output);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {out}{err}");
        out
    }

    fn bad(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let (out, err) = told(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {out}{err}");
        err
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        let (out, err) = told(&output);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"))
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn sign(&self, name: &str, bytes: &[u8]) -> Vec<u8> {
        self.put(name, bytes);
        self.good(&["connectors", "sign", "--key", "it.key", name]);
        std::fs::read(self.path(name)).unwrap()
    }

    /// A build that calls another address than `{base}/slow`.
    fn newer(&self, name: &str, address: &str) -> Vec<u8> {
        self.sign(name, &altered("{base}/slow", address))
    }

    /// The connector under another id.
    fn renamed(&self, name: &str, id: &str) -> Vec<u8> {
        self.sign(name, &altered("hostile", id))
    }

    /// A connector that this place's key signed.
    fn signed(&self, name: &str) -> Vec<u8> {
        self.sign(name, component())
    }
}

/// A component with a text replaced by another of the same length.
fn altered(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = component().to_vec();
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from.as_bytes()))
        .collect();
    assert!(!places.is_empty(), "`{from}` is not in the component");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

fn told(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn component() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/hostile");
        let pack = waybill_pack::Pack::new().into_dir(&out);
        let built = pack.build(&["waybill-hostile"]).unwrap();
        std::fs::read(&built[0]).unwrap()
    })
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_is_a_private_file_and_a_line_to_trust() {
    let place = Place::new();
    assert_eq!(mode(&place.path("it.key")), 0o600);
    assert_eq!(mode(&place.path("it.key.pub")), 0o644);
    let line = std::fs::read_to_string(place.path("it.key.pub")).unwrap();
    assert!(line.starts_with("ed25519:") && line.ends_with(" Northfold IT\n"));
    let again = place.bad(&["connectors", "keygen", "it.key", "--name", "x"], 1);
    assert!(again.contains("exists already"), "{again}");
    place.bad(&["connectors", "keygen", "other", "--name", " "], 64);
    assert!(!place.path("other").exists() && !place.path("other.pub").exists());
    let made = place.json(&["--json", "connectors", "keygen", "two", "--name", "Two"]);
    let line = std::fs::read_to_string(place.path("two.pub")).unwrap();
    assert_eq!(made["public"], line.trim());
    let private = std::fs::read_to_string(place.path("two")).unwrap();
    assert!(private.starts_with("ed25519-private:"));
    assert!(!made.to_string().contains(&private[16..80]), "never shown");
}

#[test]
fn signing_needs_a_key_that_nobody_else_can_read() {
    let place = Place::new();
    place.put("c.wasm", component());
    let sign = ["connectors", "sign", "--key", "it.key", "c.wasm"];
    for open in [0o644, 0o640, 0o604] {
        set_mode(&place.path("it.key"), open);
        let refused = place.bad(&sign, 1);
        assert!(refused.contains("read by other users"), "{refused}");
    }
    assert_eq!(std::fs::read(place.path("c.wasm")).unwrap(), component());
    set_mode(&place.path("it.key"), 0o600);
    set_mode(&place.path("it.key.pub"), 0o600);
    let public = place.bad(&["connectors", "sign", "--key", "it.key.pub", "c.wasm"], 1);
    assert!(public.contains("this is a public key"), "{public}");

    set_mode(&place.path("c.wasm"), 0o640);
    let said = place.good(&sign);
    assert!(
        said.contains("`c.wasm` is signed by Northfold IT"),
        "{said}"
    );
    assert_eq!(mode(&place.path("c.wasm")), 0o640);
    let signed = std::fs::read(place.path("c.wasm")).unwrap();
    assert_eq!(signed.len(), component().len() + 93);
    // Signing is repeatable, and another key takes the first one's place.
    place.good(&sign);
    assert_eq!(std::fs::read(place.path("c.wasm")).unwrap(), signed);
    place.good(&["connectors", "keygen", "two", "--name", "Two"]);
    let said = place.good(&["connectors", "sign", "--key", "two", "c.wasm"]);
    assert!(said.contains("in place of key `"), "{said}");
    let left = std::fs::read(place.path("c.wasm")).unwrap();
    assert_eq!(left.len(), signed.len());

    // Of several files none is written when one cannot be signed.
    place.put("a.wasm", component());
    place.put("b.wasm", b"no component");
    place.bad(
        &["connectors", "sign", "--key", "two", "a.wasm", "b.wasm"],
        1,
    );
    assert_eq!(std::fs::read(place.path("a.wasm")).unwrap(), component());
}

#[test]
fn verify_says_who_signed_and_what_it_may_do() {
    let place = Place::new();
    place.signed("c.wasm");
    let said = place.good(&["connectors", "verify", "c.wasm"]);
    for part in [
        "signed by  Northfold IT (key ",
        "SHA-256    ",
        "built for  waybill:commerce 0.1.0",
        "- calls web addresses",
        "- writes documents into its system",
        "Nothing of it was run.",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let value = place.json(&["--json", "connectors", "verify", "c.wasm"]);
    assert_eq!(value["signer"]["name"], "Northfold IT");
    assert_eq!(value["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(value["permissions"].as_array().unwrap().len(), 9);

    place.good(&["connectors", "keygen", "two", "--name", "Two"]);
    let refused = place.bad(&["connectors", "verify", "--key", "two.pub", "c.wasm"], 1);
    assert!(refused.contains("not trusted here"), "{refused}");
    place.good(&["connectors", "verify", "--key", "it.key.pub", "c.wasm"]);
    place.bad(&["connectors", "verify", "gone.wasm"], 1);
}

/// What is wrong with a file, and a part of the sentence that says so.
fn wrong_files(place: &Place) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = place.signed("good.wasm");
    let signature = good[good.len() - 93..].to_vec();
    let mut foreign = component().to_vec();
    place.good(&["connectors", "keygen", "foreign", "--name", "Somebody"]);
    place.put("f.wasm", &foreign);
    place.good(&["connectors", "sign", "--key", "foreign", "f.wasm"]);
    foreign = std::fs::read(place.path("f.wasm")).unwrap();
    let mut middle = good.clone();
    middle[good.len() / 2] ^= 4;
    vec![
        ("unsigned", component().to_vec(), "is not signed"),
        ("foreign", foreign, "not trusted here"),
        ("tampered", middle, "is not as `Northfold IT`"),
        (
            "short",
            good[..good.len() - 1].to_vec(),
            "ends in the middle",
        ),
        (
            "twice",
            [good.as_slice(), &signature].concat(),
            "2 signatures",
        ),
        (
            "appended",
            [good.as_slice(), b"\n"].concat(),
            "goes on for 1 bytes",
        ),
    ]
}

#[test]
fn what_is_not_as_a_trusted_key_signed_it_is_refused_by_every_command() {
    let place = Place::new();
    let wrong = wrong_files(&place);
    for (name, bytes, part) in &wrong {
        let file = format!("connectors/{name}.wasm");
        place.put(&file, bytes);
        let refused = place.bad(&["connectors", "verify", &file], 1);
        assert!(refused.contains(part), "{name}: {refused}");
        assert!(refused.contains("hint: "), "{name}: {refused}");
    }
    let checked = place.json(&["--json", "check"]);
    for (name, _, part) in &wrong {
        let told = checked["connectors"].as_array().unwrap().iter().find(|c| {
            c["file"]
                .as_str()
                .unwrap()
                .ends_with(&format!("/{name}.wasm"))
        });
        let error = told.unwrap()["error"].as_str().unwrap();
        assert!(error.contains(part), "{name}: {error}");
    }
    // The agent itself starts without them, and says of each why.
    let log = started(&place, wrong.len());
    for (name, _, part) in &wrong {
        let line = log.iter().find(|l| l.contains(&format!("{name}.wasm")));
        let line = line.unwrap_or_else(|| panic!("nothing about {name} in {log:#?}"));
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn the_switch_for_development_takes_unsigned_files_and_says_so() {
    let place = Place::new();
    place.put("connectors/c.wasm", component());
    place.put("c.wasm", component());
    place.bad(&["connectors", "list"], 1);
    let key = std::fs::read_to_string(place.path("it.key.pub")).unwrap();
    place.configure(&format!(
        "trusted-keys = [{:?}]\nallow-unsigned = true\n",
        key.trim()
    ));
    place.good(&["connectors", "list"]);
    let said = place.good(&["check", "--quick"]);
    assert!(said.contains("note: Unsigned connectors are run"), "{said}");
    let said = place.good(&["connectors", "verify", "c.wasm"]);
    assert!(said.contains("signed by  nobody"), "{said}");
    for (name, bytes, part) in wrong_files(&place) {
        place.put("w.wasm", &bytes);
        let output = place.run(&["connectors", "verify", "w.wasm"]);
        if name == "unsigned" {
            assert_eq!(output.status.code(), Some(0));
        } else {
            assert_eq!(output.status.code(), Some(1), "{name}");
            assert!(told(&output).1.contains(part), "{name}: {output:?}");
        }
    }
}

#[test]
fn keys_of_the_packages_folder_count_too() {
    let place = Place::new();
    place.signed("c.wasm");
    place.configure("");
    place.bad(&["connectors", "verify", "c.wasm"], 1);
    std::fs::create_dir(place.path("keys")).unwrap();
    std::fs::copy(place.path("it.key.pub"), place.path("keys/it.pub")).unwrap();
    place.good(&["connectors", "verify", "c.wasm"]);
    set_mode(&place.path("keys"), 0o777);
    let refused = place.bad(&["check", "--quick"], 1);
    assert!(refused.contains("chmod o-w"), "{refused}");
}

#[test]
fn a_folder_that_everybody_can_write_to_stops_the_start() {
    let place = Place::new();
    set_mode(&place.path("connectors"), 0o777);
    for args in [&["check"][..], &["check", "--quick"], &["run"]] {
        let refused = place.bad(args, 1);
        assert!(refused.contains("everybody on this machine"), "{refused}");
    }
    set_mode(&place.path("connectors"), 0o755);
    set_mode(&place.path("agent.toml"), 0o666);
    let refused = place.bad(&["run"], 1);
    assert!(refused.contains("agent.toml"), "{refused}");
    assert!(
        !place.path("data").exists(),
        "nothing was made before the look"
    );
}

#[test]
fn installing_looks_first_and_keeps_the_name() {
    let place = Place::new();
    std::fs::remove_dir(place.path("connectors")).unwrap();
    place.signed("new.wasm");
    place.put("unsigned.wasm", component());
    let refused = place.bad(&["connectors", "install", "unsigned.wasm"], 1);
    assert!(refused.contains("is not signed"), "{refused}");
    let said = place.good(&["connectors", "install", "--dry-run", "new.wasm"]);
    assert!(said.contains("Nothing was changed."), "{said}");
    assert!(!place.path("connectors").exists());

    set_mode(&place.path("new.wasm"), 0o600);
    let said = place.good(&["connectors", "install", "new.wasm"]);
    for part in [
        "Hostile (`hostile`) 0.1.0",
        "signed by  Northfold IT",
        "- calls web addresses",
        "- {base}/api",
        "secrets \"",
        "connectors/hostile.wasm`. No agent runs here",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let installed = place.path("connectors/hostile.wasm");
    assert_eq!(mode(&installed), 0o644);
    assert_eq!(mode(&place.path("connectors")) & 0o022, 0);

    // A newer build takes the place of the older one, whatever that one's file is called.
    std::fs::rename(&installed, place.path("connectors/warehouse.wasm")).unwrap();
    let again = place.good(&["connectors", "install", "new.wasm"]);
    assert!(again.contains("exactly this file"), "{again}");
    let newer = place.newer("newer.wasm", "{base}/more");
    let said = place.good(&["connectors", "install", "newer.wasm"]);
    assert!(said.contains("{base}/more (new)"), "{said}");
    assert!(said.contains("replaces   0.1.0 in "), "{said}");
    assert!(!installed.exists());
    let bytes = std::fs::read(place.path("connectors/warehouse.wasm")).unwrap();
    assert_eq!(bytes, newer);
    let names: Vec<_> = std::fs::read_dir(place.path("connectors"))
        .unwrap()
        .collect();
    assert_eq!(names.len(), 1, "nothing half-written is left");

    // Another connector's file is not written over.
    place.good(&["connectors", "remove", "hostile"]);
    let other = place.renamed("connectors/hostile.wasm", "gentler");
    let refused = place.bad(&["connectors", "install", "new.wasm"], 1);
    assert!(
        refused.contains("holds another connector, `gentler`"),
        "{refused}"
    );
    assert_eq!(std::fs::read(&installed).unwrap(), other);
}

#[test]
fn a_connector_in_use_is_removed_only_by_force() {
    let place = Place::new();
    place.signed("new.wasm");
    place.good(&["connectors", "install", "new.wasm"]);
    std::fs::write(
        place.path("plan.toml"),
        "version = 1\n[[connection]]\nname = \"net\"\nconnector = \"hostile\"\n[connection.settings]\n\"base\" = \"http://127.0.0.1:1\"\n",
    )
    .unwrap();
    place.good(&["apply", "plan.toml", "--yes", "--offline"]);
    let file = place.path("connectors/hostile.wasm");
    let unknown = place.bad(&["connectors", "remove", "gone"], 1);
    assert!(unknown.contains("no connector `gone`"), "{unknown}");
    {
        let (_running, _log) = running(&place);
        let refused = place.bad(&["connectors", "remove", "hostile"], 1);
        assert!(
            refused.contains("the connection `net` uses `hostile`"),
            "{refused}"
        );
    }
    let refused = place.bad(&["connectors", "remove", "hostile.wasm"], 1);
    assert!(refused.contains("hint: ") && file.exists(), "{refused}");
    let said = place.good(&["connectors", "remove", "hostile", "--force"]);
    assert!(said.contains("The connection `net` uses it"), "{said}");
    assert!(!file.exists());
    // What cannot be loaded is nobody's.
    place.put("connectors/odd.wasm", b"no component");
    place.good(&["connectors", "remove", "odd.wasm"]);
    assert!(!place.path("connectors/odd.wasm").exists());
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts an agent, and gives what it logged until it was up; it must have refused that many files.
fn started(place: &Place, refused: usize) -> Vec<String> {
    let (_running, seen) = running(place);
    let not_loaded = seen.iter().filter(|l| l.contains("Connector not loaded."));
    assert_eq!(not_loaded.count(), refused, "{seen:#?}");
    seen
}

/// Starts an agent, and gives what it logged until it was up.
fn running(place: &Place) -> (Running, Vec<String>) {
    let child = place.command(&["run"]).stderr(Stdio::piped()).spawn();
    let mut running = Running(child.unwrap());
    let lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let mut seen = Vec::new();
    for line in lines.map_while(Result::ok) {
        let up = line.contains("Agent started.");
        seen.push(line);
        if up {
            return (running, seen);
        }
    }
    panic!("the agent did not start: {seen:#?}");
}
