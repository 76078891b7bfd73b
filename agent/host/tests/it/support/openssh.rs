//! OpenSSH's own server on a port of this machine, one process per connection, behind a line that can be cut after so
//! many bytes. Where the server is not installed the tests say so.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Pair;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

const SSHD: &str = "/usr/sbin/sshd";
const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// After how many bytes the next connections are cut: to the server, and from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) up: u64,
    pub(crate) down: u64,
    /// The line stands still instead, until the client is gone.
    pub(crate) holds: bool,
}

impl Cut {
    pub(crate) const NEVER: Self = Self {
        up: u64::MAX,
        down: u64::MAX,
        holds: false,
    };
}

/// A server; its files lie in `folder`.
pub(crate) struct Openssh {
    home: TempDir,
    pub(crate) port: u16,
    line: Arc<Line>,
}

#[derive(Debug)]
struct Line {
    cut: Mutex<Cut>,
    up: AtomicU64,
    down: AtomicU64,
    connections: AtomicU64,
    cuts: AtomicU64,
}

/// Whether OpenSSH's server is here; `cargo verify` installs it.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn is_there() -> bool {
    let there = Path::new(SSHD).exists() && Path::new(SFTP_SERVER).exists();
    if !there {
        eprintln!("SKIPPED: `{SSHD}` is missing: apt-get install openssh-server");
    }
    there
}

impl Openssh {
    /// A server that takes the key of `client_key`; `more` is put behind `internal-sftp`.
    pub(crate) async fn start(more: &str) -> Self {
        let home = TempDir::new().unwrap();
        for name in ["host", "client"] {
            make_key(&home.path().join(name), "");
        }
        let of = |name: &str| home.path().join(name).display().to_string();
        std::fs::copy(of("client.pub"), of("authorized_keys")).unwrap();
        std::fs::create_dir(of("files")).unwrap();
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\nStrictModes no\nLogLevel ERROR\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             Subsystem sftp internal-sftp -d {} {more}\n",
            of("host"),
            of("authorized_keys"),
            of("files"),
        );
        std::fs::write(of("config"), config).unwrap();
        // As root it gives up its rights in a folder that the service would have made.
        drop(std::fs::create_dir("/run/sshd"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = Arc::new(Line {
            cut: Mutex::new(Cut::NEVER),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
        });
        tokio::spawn(accept(
            listener,
            Arc::clone(&line),
            PathBuf::from(of("config")),
        ));
        Self { home, port, line }
    }

    pub(crate) fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.path().join("files").join(name)
    }

    /// The names in a folder.
    pub(crate) fn names(&self, dir: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.file(dir))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The private key that is let in.
    pub(crate) fn client_key(&self) -> String {
        std::fs::read_to_string(self.home.path().join("client")).unwrap()
    }

    /// The fingerprint of its host key, as OpenSSH prints it.
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint(&self.home.path().join("host.pub"))
    }

    /// Another host key from now on.
    pub(crate) fn change_host_key(&self) {
        let path = self.home.path().join("host");
        std::fs::remove_file(&path).unwrap();
        make_key(&path, "");
    }

    /// Cuts the next connections so.
    pub(crate) fn cut(&self, cut: Cut) {
        *self.line.cut.lock().unwrap() = cut;
        self.line.up.store(0, Ordering::SeqCst);
        self.line.down.store(0, Ordering::SeqCst);
    }

    /// Bytes since the last `cut`: to the server, and from it.
    pub(crate) fn passed(&self) -> (u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        (of(&self.line.up), of(&self.line.down))
    }

    /// How often a connection came to its cut.
    pub(crate) fn cuts(&self) -> u64 {
        self.line.cuts.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.line.connections.load(Ordering::SeqCst)
    }
}

/// A test that fails leaves its files there, to be looked at.
impl Drop for Openssh {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.home.disable_cleanup(true);
        }
    }
}

/// Makes a key pair with OpenSSH's own tool.
pub(crate) fn make_key(path: &Path, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "test", "-N", passphrase, "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
}

/// What OpenSSH's own tool says of a public key.
pub(crate) fn fingerprint(public: &Path) -> String {
    let told = Command::new("ssh-keygen")
        .args(["-l", "-E", "sha256", "-f"])
        .arg(public)
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    told.split(' ').nth(1).unwrap().to_owned()
}

/// Who the tests run as: the only one a server without rights lets in.
pub(crate) fn user() -> String {
    let told = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

async fn accept(listener: TcpListener, line: Arc<Line>, config: PathBuf) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        line.connections.fetch_add(1, Ordering::SeqCst);
        let (ours, theirs) = Pair::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let ours = UnixStream::from_std(ours).unwrap();
        let end = OwnedFd::from(theirs);
        let mut child = tokio::process::Command::new(SSHD)
            .args(["-i", "-f"])
            .arg(&config)
            .stdin(Stdio::from(end.try_clone().unwrap()))
            .stdout(Stdio::from(end))
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let line = Arc::clone(&line);
        let cut = *line.cut.lock().unwrap();
        tokio::spawn(async move {
            let (from_client, to_client) = stream.into_split();
            let (from_server, to_server) = ours.into_split();
            // One that is cut ends the other: both ends see the line go dead.
            tokio::select! {
                () = pass(from_client, to_server, &line, &line.up, (cut.up, cut.holds)) => {}
                () = pass(from_server, to_client, &line, &line.down, (cut.down, cut.holds)) => {}
            }
            drop(child.kill().await);
        });
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    line: &Line,
    count: &AtomicU64,
    (most, holds): (u64, bool),
) {
    let mut buffer = [0; 8 << 10];
    loop {
        let left = most.saturating_sub(count.load(Ordering::SeqCst));
        let Ok(read @ 1..) = from.read(&mut buffer).await else {
            return;
        };
        let passed = read.min(usize::try_from(left).unwrap_or(usize::MAX));
        if to.write_all(&buffer[..passed]).await.is_err() {
            return;
        }
        count.fetch_add(passed as u64, Ordering::SeqCst);
        if passed < read {
            drop(to.flush().await);
            line.cuts.fetch_add(1, Ordering::SeqCst);
            if holds {
                // Only the client's end is noticed, by whoever reads from it.
                while matches!(from.read(&mut buffer).await, Ok(1..)) {}
            }
            return;
        }
    }
}
