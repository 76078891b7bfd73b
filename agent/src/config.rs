//! The agent's own configuration: where things are, never what a merchant changes. One file, a few environment
//! variables; every mistake at once, and nothing is opened or bound here. The environment enters the program here.

use crate::out::Failure;
use crate::trust::TrustConfig;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use waybill_engine::apply::reader::{Reader, Section};
use waybill_engine::apply::{At, Mistake};

/// Environment variable: the configuration file, where `--config` is not given.
pub(crate) const WAYBILL_CONFIG: &str = "WAYBILL_CONFIG";
/// Environment variable: the log filter, over the file's.
pub(crate) const WAYBILL_LOG: &str = "WAYBILL_LOG";
/// Environment variable of systemd: the folder of loaded credentials.
pub(crate) const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// Environment variable of systemd: the device and inode of the stream that leads to the journal.
pub(crate) const JOURNAL_STREAM: &str = "JOURNAL_STREAM";
/// Environment variable: set by the agent for itself when it starts over, so that it does so once.
pub(crate) const WAYBILL_STARTED_OVER: &str = "WAYBILL_STARTED_OVER";
/// Names a component: compile it into the folder for compiled code, and do nothing else.
pub(crate) const WAYBILL_COMPILE: &str = "WAYBILL_COMPILE";
/// Environment variable of builds for development and for the crash suite: `NAME:N` or `NAME=STEP:N`, die at the n-th hit of a crash point.
#[cfg(any(feature = "crash-points", debug_assertions))]
pub(crate) const WAYBILL_CRASH: &str = "WAYBILL_CRASH";

/// In the folder of a rehearsal: the connectors that it plays with.
pub(crate) const REHEARSED_CONNECTORS: &str = "connectors";
/// Read where no file is named, if it exists.
const DEFAULT_FILE: &str = "/etc/waybill/agent.toml";
/// Longest path of a socket that every system takes.
const LONGEST_SOCKET: usize = 100;

/// Where names are looked up: the process's environment, or a test's table.
pub(crate) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// The process's environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment enters here and nowhere else"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The configuration, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Holds the database, large bodies and the sealing key.
    pub(crate) data_dir: PathBuf,
    /// Holds the connectors.
    pub(crate) connectors_dir: PathBuf,
    /// Whose connectors are run.
    pub(crate) trust: TrustConfig,
    /// The connectors folder is looked at by the clock alone, that often; `None`: when the system tells of a change.
    pub(crate) connectors_poll: Option<Duration>,
    /// Address of the page.
    pub(crate) listen: SocketAddr,
    /// Address of the hooks listener; `None`: there is none.
    pub(crate) hooks: Option<SocketAddr>,
    /// Authorities (PEM) trusted beside the system's, for vendors behind a certificate of one's own.
    pub(crate) trusted_roots: Option<PathBuf>,
    /// The admin socket.
    pub(crate) socket: PathBuf,
    /// This agent plays in a rehearsal: it reaches this machine only, tells nobody, and ends with its standard input.
    pub(crate) rehearsal: bool,
    /// The sealing key, where no credential is handed over; `None`: in the data folder.
    pub(crate) key_file: Option<PathBuf>,
    /// What is logged.
    pub(crate) log_filter: String,
    /// How it is logged.
    pub(crate) log_format: LogFormat,
    /// How long running calls may go on after a stop.
    pub(crate) grace: Duration,
    /// Compiled connectors are kept here, so that only the first start compiles them. Who can write here runs code as
    /// the agent: it lies in the data folder unless the configuration says otherwise.
    pub(crate) compiled_dir: PathBuf,
    /// Most memory for cached pages of the database.
    pub(crate) store_cache_bytes: usize,
}

impl Config {
    /// The same trust in a folder of its own, which holds the builds in force, with nothing else that leads outside.
    pub(crate) fn rehearse_in(&mut self, folder: &Path) {
        folder.clone_into(&mut self.data_dir);
        self.connectors_dir = folder.join(REHEARSED_CONNECTORS);
        self.socket = folder.join("s");
        self.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        self.hooks = None;
        self.trusted_roots = None;
        self.key_file = None;
        self.grace = Duration::from_secs(1);
        self.rehearsal = true;
    }

    /// The database file.
    pub(crate) fn store_file(&self) -> PathBuf {
        self.data_dir.join("waybill.redb")
    }

    /// Where copies of accepted builds lie.
    pub(crate) fn builds_dir(&self) -> PathBuf {
        self.data_dir.join("builds")
    }

    /// Where large bodies lie.
    pub(crate) fn spool_dir(&self) -> PathBuf {
        self.data_dir.join("bodies")
    }
}

fn named_file(named: Option<&Path>, environment: Environment<'_>) -> Option<PathBuf> {
    named
        .map(Path::to_owned)
        .or_else(|| environment(WAYBILL_CONFIG).map(PathBuf::from))
}

/// The file that is read: named on the command line, by the environment, or the usual one.
pub(crate) fn file(named: Option<&Path>, environment: Environment<'_>) -> PathBuf {
    named_file(named, environment).unwrap_or_else(|| PathBuf::from(DEFAULT_FILE))
}

/// Reads the configuration named on the command line, by the environment, or the usual one.
pub(crate) fn load(named: Option<&Path>, environment: Environment<'_>) -> Result<Config, Failure> {
    let named = named_file(named, environment);
    let (path, text) = match named {
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|error| Failure::Usage {
                message: format!(
                    "the configuration `{}` cannot be read: {error}",
                    path.display()
                ),
                hint: Some(format!(
                    "Name another file with --config or {WAYBILL_CONFIG}."
                )),
            })?;
            (path, text)
        }
        None => match std::fs::read_to_string(DEFAULT_FILE) {
            Ok(text) => (PathBuf::from(DEFAULT_FILE), text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                (PathBuf::from(DEFAULT_FILE), String::new())
            }
            Err(error) => {
                return Err(Failure::Usage {
                    message: format!("the configuration `{DEFAULT_FILE}` cannot be read: {error}"),
                    hint: None,
                });
            }
        },
    };
    let base = path.parent().unwrap_or(Path::new("")).to_owned();
    let base = std::path::absolute(if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        &base
    })
    .unwrap_or(base);
    let mut config = parse(&text, &base)
        .map_err(|mistakes| Failure::mistakes(path.display().to_string(), mistakes))?;
    config.trust.file = path.exists().then_some(path);
    if let Some(filter) = environment(WAYBILL_LOG) {
        if let Some(why) = bad_filter(&filter) {
            return Err(Failure::Usage {
                message: format!("the log filter in {WAYBILL_LOG} is wrong: {why}"),
                hint: Some(FILTER_HINT.to_owned()),
            });
        }
        config.log_filter = filter;
    }
    Ok(config)
}

const FILTER_HINT: &str =
    "Write a level such as `info`, or parts such as `info,waybill_engine=debug`.";

/// The configuration in a text; relative paths start at `base`.
pub(crate) fn parse(text: &str, base: &Path) -> Result<Config, Vec<Mistake>> {
    let (table, mut reader) = Reader::open(text)?;
    let root = Reader::root(&table);
    reader.only(
        &root,
        &[
            "data-dir",
            "connectors-dir",
            "connectors-poll-secs",
            "listen",
            "socket",
            "key-file",
            "grace-secs",
            "trusted-roots",
            "log",
            "cache",
            "hooks",
            "connectors",
        ],
    );
    let data_dir = path(&mut reader, &root, "data-dir", base, "/var/lib/waybill");
    let connectors_dir = path(
        &mut reader,
        &root,
        "connectors-dir",
        base,
        "/usr/lib/waybill/connectors",
    );
    let connectors_poll = poll(&mut reader, &root);
    let socket = socket(&mut reader, &root, base);
    let listen = listen(&mut reader, &root);
    let hooks = hooks(&mut reader, &root);
    let trusted_roots = Reader::has(&root, "trusted-roots")
        .then(|| path(&mut reader, &root, "trusted-roots", base, ""));
    let key_file =
        Reader::has(&root, "key-file").then(|| path(&mut reader, &root, "key-file", base, ""));
    let grace = number(&mut reader, &root, "grace-secs", 1..=600, 20);
    let trust = TrustConfig::read(&mut reader, &root, base);
    let (log_filter, log_format) = log(&mut reader, &root);
    let cache = reader.section(&root, "cache");
    let mut compiled_dir = data_dir.join("compiled");
    let mut store_mib = 8;
    if let Some(cache) = &cache {
        reader.only(cache, &["compiled-dir", "store-mib"]);
        if Reader::has(cache, "compiled-dir") {
            compiled_dir = path(&mut reader, cache, "compiled-dir", base, "");
        }
        store_mib = number(&mut reader, cache, "store-mib", 1..=4096, 8);
    }
    reader.finish(Config {
        data_dir,
        connectors_dir,
        trust,
        connectors_poll,
        listen,
        hooks,
        trusted_roots,
        socket,
        rehearsal: false,
        key_file,
        log_filter,
        log_format,
        grace: Duration::from_secs(grace),
        compiled_dir,
        store_cache_bytes: usize::try_from(store_mib).unwrap_or(8) * 1024 * 1024,
    })
}

/// A path that starts at `base` unless it is absolute.
pub(crate) fn path(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    base: &Path,
    default: &str,
) -> PathBuf {
    if !Reader::has(section, key) {
        return PathBuf::from(default);
    }
    let given = reader.need_text(section, key);
    given.map_or_else(PathBuf::new, |given| base.join(given.value))
}

/// The admin socket; systems cut long paths off.
fn socket(reader: &mut Reader<'_>, root: &Section<'_>, base: &Path) -> PathBuf {
    let socket = path(reader, root, "socket", base, "/run/waybill/admin.sock");
    if socket.as_os_str().len() > LONGEST_SOCKET {
        let place = reader
            .text(root, "socket")
            .map_or(root.place, |at| at.place);
        reader.note(
            Mistake::new(
                place,
                format!("`socket` is longer than {LONGEST_SOCKET} bytes"),
            )
            .hint("Systems cut longer ones off: choose a shorter path."),
        );
    }
    socket
}

/// How often the connectors folder is looked at by the clock; `None`: when the system tells of a change.
fn poll(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Duration> {
    const KEY: &str = "connectors-poll-secs";
    let given = Reader::has(root, KEY);
    given.then(|| Duration::from_secs(number(reader, root, KEY, 1..=3600, 30)))
}

fn number(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    range: std::ops::RangeInclusive<u64>,
    default: u64,
) -> u64 {
    let Some(At { value, place }) = reader.number(section, key) else {
        return default;
    };
    if !range.contains(&value) {
        reader.note(Mistake::new(
            place,
            format!(
                "`{key}` must be from {} to {}, not {value}",
                range.start(),
                range.end()
            ),
        ));
    }
    value
}

fn listen(reader: &mut Reader<'_>, root: &Section<'_>) -> SocketAddr {
    let default = SocketAddr::from(([127, 0, 0, 1], 7878));
    let Some(At { value, place }) = reader.text(root, "listen") else {
        return default;
    };
    match value.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => address,
        Ok(address) => {
            reader.note(
                Mistake::new(place, format!("`listen` is {address}, which other machines can reach"))
                    .hint("The page has no TLS of its own: listen on 127.0.0.1 or [::1] and put a TLS proxy or an SSH tunnel in front."),
            );
            default
        }
        Err(_) => {
            reader.note(
                Mistake::new(place, format!("`listen` is no address: `{value}`"))
                    .hint("Write address and port, as in \"127.0.0.1:7878\"."),
            );
            default
        }
    }
}

/// Where webhooks are taken. Their addresses hold secrets, so other machines reach it only when that is said outright.
fn hooks(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<SocketAddr> {
    let hooks = reader.section(root, "hooks")?;
    reader.only(&hooks, &["listen", "allow-remote"]);
    let remote = reader.toggle(&hooks, "allow-remote");
    let At { value, place } = reader.need_text(&hooks, "listen")?;
    match value.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() || remote.is_some_and(|at| at.value) => {
            Some(address)
        }
        Ok(address) => {
            reader.note(
                Mistake::new(place, format!("`listen` is {address}, which other machines can reach"))
                    .hint("The hooks listener has no TLS of its own. Listen on 127.0.0.1 behind a reverse proxy or a tunnel; where the proxy runs on another machine, add `allow-remote = true`."),
            );
            None
        }
        Err(_) => {
            reader.note(
                Mistake::new(place, format!("`listen` is no address: `{value}`"))
                    .hint("Write address and port, as in \"127.0.0.1:7879\"."),
            );
            None
        }
    }
}

fn log(reader: &mut Reader<'_>, root: &Section<'_>) -> (String, LogFormat) {
    let mut filter = "info".to_owned();
    let mut format = LogFormat::Text;
    let Some(log) = reader.section(root, "log") else {
        return (filter, format);
    };
    reader.only(&log, &["filter", "format"]);
    if let Some(given) = reader.text(&log, "filter") {
        if let Some(why) = bad_filter(&given.value) {
            let message = format!("`filter` is wrong: {why}");
            reader.note(Mistake::new(given.place, message).hint(FILTER_HINT));
        }
        filter = given.value;
    }
    if let Some(given) = reader.text(&log, "format") {
        match given.value.as_str() {
            "text" => {}
            "json" => format = LogFormat::Json,
            other => reader.note(
                Mistake::new(given.place, format!("`format` cannot be `{other}`"))
                    .hint("Write \"text\" or \"json\"."),
            ),
        }
    }
    (filter, format)
}

fn bad_filter(filter: &str) -> Option<String> {
    if filter.trim().is_empty() {
        return Some("it is empty".to_owned());
    }
    EnvFilter::builder()
        .parse(filter)
        .err()
        .map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, Vec<Mistake>> {
        parse(text, Path::new("/base"))
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        let config = read("").unwrap();
        assert_eq!(config.data_dir, Path::new("/var/lib/waybill"));
        assert_eq!(config.listen.to_string(), "127.0.0.1:7878");
        assert_eq!(config.grace, Duration::from_secs(20));
        assert_eq!(config.compiled_dir, Path::new("/var/lib/waybill/compiled"));
        assert_eq!(config.store_cache_bytes, 8 << 20);
    }

    #[test]
    fn a_full_file_is_read_and_paths_start_at_its_folder() {
        let config = read(
            r#"
data-dir = "data"
connectors-dir = "/opt/connectors"
connectors-poll-secs = 15
listen = "[::1]:0"
socket = "run/admin.sock"
key-file = "/etc/seal.key"
grace-secs = 3
[log]
filter = "warn,waybill_engine=debug"
format = "json"
[cache]
compiled-dir = "compiled"
store-mib = 16
"#,
        )
        .unwrap();
        assert_eq!(config.data_dir, Path::new("/base/data"));
        assert_eq!(config.connectors_dir, Path::new("/opt/connectors"));
        assert_eq!(config.connectors_poll, Some(Duration::from_secs(15)));
        assert_eq!(config.socket, Path::new("/base/run/admin.sock"));
        assert_eq!(config.compiled_dir, Path::new("/base/compiled"));
        assert_eq!(config.key_file.as_deref(), Some(Path::new("/etc/seal.key")));
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.grace, Duration::from_secs(3));
        assert_eq!(config.store_file(), Path::new("/base/data/waybill.redb"));
    }

    #[test]
    fn webhooks_are_taken_where_it_is_said_and_from_outside_only_outright() {
        let hooks = |text: &str| read(text).map(|config| config.hooks);
        assert_eq!(hooks("").unwrap(), None);
        let address = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
        let local = hooks("[hooks]\nlisten = \"127.0.0.1:7879\"\n").unwrap();
        assert_eq!(local, address("127.0.0.1:7879"));
        let outside = "[hooks]\nlisten = \"0.0.0.0:7879\"\n";
        let mistakes = hooks(outside).unwrap_err();
        assert!(
            mistakes[0]
                .hint
                .as_deref()
                .unwrap()
                .contains("allow-remote")
        );
        let said = hooks(&format!("{outside}allow-remote = true\n")).unwrap();
        assert_eq!(said, address("0.0.0.0:7879"));
        for wrong in [
            "[hooks]\n",
            "[hooks]\nlisten = \"7879\"\n",
            "[hooks]\nlisten = 1\n",
            "[hooks]\nlisten = \"127.0.0.1:1\"\nallow-remote = \"yes\"\n",
            "[hooks]\nlisten = \"127.0.0.1:1\"\nport = 2\n",
        ] {
            assert_eq!(hooks(wrong).unwrap_err().len(), 1, "{wrong}");
        }
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let mistakes = read(
            r#"data_dir = "x"
listen = "0.0.0.0:7878"
grace-secs = 0
connectors-dir = 7
[log]
filter = "waybill=lod"
format = "xml"
[cache]
store-mib = "8"
"#,
        )
        .unwrap_err();
        let lines: Vec<usize> = mistakes.iter().map(|m| m.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 6, 7, 9], "{mistakes:#?}");
        assert_eq!(
            mistakes[0].hint.as_deref(),
            Some("Did you mean `data-dir`?")
        );
    }

    #[test]
    fn the_environment_names_the_file_and_overrides_the_filter() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("agent.toml");
        std::fs::write(&file, "data-dir = \"d\"\n").unwrap();
        let named = file.display().to_string();
        let with = |filter: &'static str| {
            let named = named.clone();
            move |name: &str| match name {
                WAYBILL_CONFIG => Some(named.clone()),
                WAYBILL_LOG => Some(filter.to_owned()),
                _ => None,
            }
        };
        let config = load(None, &with("debug")).unwrap();
        assert_eq!(config.log_filter, "debug");
        assert_eq!(config.data_dir, dir.path().join("d"));
        assert!(matches!(
            load(None, &with("waybill=lod")),
            Err(Failure::Usage { .. })
        ));
        let missing = load(Some(Path::new("/nowhere/agent.toml")), &|_| None).unwrap_err();
        assert_eq!(missing.code(), crate::out::USAGE);
    }
}
