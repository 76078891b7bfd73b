//! A server that takes a user and a password, over OpenSSH's own file service: the real sshd asks the system for
//! passwords, and tests make no users.

use russh::keys::{PrivateKey, decode_secret_key};
use russh::server::{self, Auth, Msg, Response, Session};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// How it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Password,
    /// By questions and answers only.
    Questions,
}

pub(crate) struct PasswordServer {
    pub(crate) port: u16,
    /// What somebody tried to sign in with.
    pub(crate) tried: Arc<Mutex<Vec<String>>>,
    pub(crate) open: Arc<AtomicUsize>,
}

impl PasswordServer {
    /// Lets `merchant` in with `correct horse`; shows the host key of that file; its files lie in `folder`.
    pub(crate) async fn start(host_key: &Path, folder: &Path, asks: Asks) -> Self {
        let key = std::fs::read_to_string(host_key).unwrap();
        let key: PrivateKey = decode_secret_key(&key, None).unwrap();
        let methods = match asks {
            Asks::Password => MethodKind::Password,
            Asks::Questions => MethodKind::KeyboardInteractive,
        };
        let config = Arc::new(server::Config {
            keys: vec![key],
            methods: MethodSet::from(&[methods][..]),
            auth_rejection_time: std::time::Duration::ZERO,
            ..server::Config::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tried, open) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
        let started = Self {
            port,
            tried: Arc::clone(&tried),
            open: Arc::clone(&open),
        };
        let folder = folder.to_owned();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let visitor = Visitor {
                    folder: folder.clone(),
                    tried: Arc::clone(&tried),
                    channel: None,
                    asks,
                };
                let (config, open) = (Arc::clone(&config), Arc::clone(&open));
                tokio::spawn(async move {
                    open.fetch_add(1, Ordering::SeqCst);
                    if let Ok(session) = server::run_stream(config, stream, visitor).await {
                        drop(session.await);
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        started
    }
}

struct Visitor {
    folder: PathBuf,
    tried: Arc<Mutex<Vec<String>>>,
    channel: Option<Channel<Msg>>,
    asks: Asks,
}

impl Visitor {
    fn judge(&self, user: &str, password: &str) -> Auth {
        let tried = format!("{user}/{password}");
        let right = tried == "merchant/correct horse";
        self.tried.lock().unwrap().push(tried);
        if right { Auth::Accept } else { Auth::reject() }
    }
}

impl server::Handler for Visitor {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(match self.asks {
            Asks::Password => self.judge(user, password),
            Asks::Questions => Auth::reject(),
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let answers: Vec<String> = response
            .into_iter()
            .flatten()
            .map(|answer| String::from_utf8(answer.to_vec()).unwrap())
            .collect();
        if answers.is_empty() {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            });
        }
        Ok(self.judge(user, &answers[0]))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: server::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        assert_eq!(name, "sftp");
        let channel = self.channel.take().unwrap();
        session.channel_success(id)?;
        let mut child = tokio::process::Command::new("/usr/lib/openssh/sftp-server")
            .args(["-d".as_ref(), self.folder.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        tokio::spawn(async move {
            let (mut from, mut to) = tokio::io::split(channel.into_stream());
            tokio::select! {
                _ = tokio::io::copy(&mut from, &mut input) => {}
                _ = tokio::io::copy(&mut output, &mut to) => {}
            }
            drop(child);
        });
        Ok(())
    }
}
