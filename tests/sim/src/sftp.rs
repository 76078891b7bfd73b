//! An SFTP server on a folder of this machine: one user, one password, and what the vendor does to a file that was read to
//! its end. Must not know what the files hold.

use std::collections::HashMap;
use std::io::SeekFrom;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{self, Auth, Msg, Session};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use russh_sftp::protocol::{
    Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode,
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Who is let in. It opens nothing but the sandbox.
pub const LOGIN: (&str, &str) = ("account1000012345", "sandbox-files");

/// Serves the folder as long as this program runs, under a host key of its own; the address it listens on.
///
/// # Errors
/// When the address is taken.
pub async fn serve(listen: SocketAddr, folder: &Path) -> anyhow::Result<SocketAddr> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    let config = Arc::new(server::Config {
        keys: vec![key],
        methods: MethodSet::from(&[MethodKind::Password][..]),
        auth_rejection_time: std::time::Duration::ZERO,
        ..server::Config::default()
    });
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on `{listen}`"))?;
    let address = listener.local_addr()?;
    let folder = folder.to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let visitor = Visitor {
                folder: folder.clone(),
                channel: None,
            };
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(session) = server::run_stream(config, stream, visitor).await {
                    drop(session.await);
                }
            });
        }
    });
    Ok(address)
}

struct Visitor {
    folder: PathBuf,
    channel: Option<Channel<Msg>>,
}

impl server::Handler for Visitor {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if (user, password) == LOGIN {
            Auth::Accept
        } else {
            Auth::reject()
        })
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
        match self.channel.take().filter(|_| name == "sftp") {
            Some(channel) => {
                session.channel_success(id)?;
                let desk = Desk {
                    folder: self.folder.clone(),
                    next: 0,
                    open: HashMap::new(),
                };
                russh_sftp::server::run(channel.into_stream(), desk).await;
            }
            None => session.channel_failure(id)?,
        }
        Ok(())
    }
}

/// An open file or folder.
enum Open {
    File {
        file: tokio::fs::File,
        path: String,
        /// Bytes read from its beginning on, without a gap.
        read: u64,
        reads: bool,
    },
    Folder(Option<Vec<File>>),
}

struct Desk {
    folder: PathBuf,
    next: u64,
    open: HashMap<String, Open>,
}

type Answer<T> = Result<T, StatusCode>;

fn failed(error: &std::io::Error) -> StatusCode {
    match error.kind() {
        std::io::ErrorKind::NotFound => StatusCode::NoSuchFile,
        std::io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        _ => StatusCode::Failure,
    }
}

fn done(id: u32) -> Status {
    Status {
        id,
        status_code: StatusCode::Ok,
        error_message: "Ok".to_owned(),
        language_tag: "en".to_owned(),
    }
}

impl Desk {
    fn real(&self, path: &str) -> Answer<PathBuf> {
        let inside = path.trim_start_matches('/');
        if inside.split('/').any(|part| part == "..") {
            return Err(StatusCode::PermissionDenied);
        }
        Ok(self.folder.join(inside))
    }

    fn keep(&mut self, id: u32, open: Open) -> Handle {
        self.next += 1;
        let handle = self.next.to_string();
        self.open.insert(handle.clone(), open);
        Handle { id, handle }
    }

    async fn attributes(&self, id: u32, path: &str) -> Answer<Attrs> {
        let found = tokio::fs::metadata(self.real(path)?).await;
        let attrs = FileAttributes::from(&found.map_err(|e| failed(&e))?);
        Ok(Attrs { id, attrs })
    }

    /// An export that somebody has read to its end is moved.
    async fn archive(&self, path: &str) -> Answer<()> {
        let Some(name) = path.trim_start_matches('/').strip_prefix("out/") else {
            return Ok(());
        };
        if name.contains('/') {
            return Ok(());
        }
        let to = self.real(&format!("out/archive/{name}"))?;
        let moved = tokio::fs::rename(self.real(path)?, to).await;
        moved.map_err(|e| failed(&e))
    }
}

impl russh_sftp::server::Handler for Desk {
    type Error = StatusCode;

    fn unimplemented(&self) -> Self::Error {
        StatusCode::OpUnsupported
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        pflags: OpenFlags,
        _: FileAttributes,
    ) -> Answer<Handle> {
        let writes = pflags.contains(OpenFlags::WRITE);
        let file = tokio::fs::OpenOptions::new()
            .read(pflags.contains(OpenFlags::READ))
            .write(writes)
            .create(pflags.contains(OpenFlags::CREATE))
            .create_new(pflags.contains(OpenFlags::EXCLUDE))
            .truncate(pflags.contains(OpenFlags::TRUNCATE))
            .open(self.real(&filename)?)
            .await
            .map_err(|e| failed(&e))?;
        Ok(self.keep(
            id,
            Open::File {
                file,
                path: filename,
                read: 0,
                reads: !writes,
            },
        ))
    }

    async fn close(&mut self, id: u32, handle: String) -> Answer<Status> {
        if let Some(Open::File {
            mut file,
            path,
            read,
            reads,
        }) = self.open.remove(&handle)
        {
            file.flush().await.map_err(|e| failed(&e))?;
            let size = file.metadata().await.map_err(|e| failed(&e))?.len();
            if reads && read >= size {
                self.archive(&path).await?;
            }
        }
        Ok(done(id))
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Answer<Data> {
        let Some(Open::File { file, read, .. }) = self.open.get_mut(&handle) else {
            return Err(StatusCode::Failure);
        };
        let moved = file.seek(SeekFrom::Start(offset)).await;
        moved.map_err(|e| failed(&e))?;
        let mut data = Vec::new();
        let taken = file.take(u64::from(len)).read_to_end(&mut data).await;
        taken.map_err(|e| failed(&e))?;
        if data.is_empty() {
            return Err(StatusCode::Eof);
        }
        *read = (*read).max(offset + data.len() as u64);
        Ok(Data { id, data })
    }

    async fn write(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        data: Vec<u8>,
    ) -> Answer<Status> {
        let Some(Open::File { file, .. }) = self.open.get_mut(&handle) else {
            return Err(StatusCode::Failure);
        };
        let moved = file.seek(SeekFrom::Start(offset)).await;
        moved.map_err(|e| failed(&e))?;
        file.write_all(&data).await.map_err(|e| failed(&e))?;
        file.flush().await.map_err(|e| failed(&e))?;
        Ok(done(id))
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Answer<Attrs> {
        let Some(Open::File { file, .. }) = self.open.get_mut(&handle) else {
            return Err(StatusCode::Failure);
        };
        let found = file.metadata().await.map_err(|e| failed(&e))?;
        Ok(Attrs {
            id,
            attrs: FileAttributes::from(&found),
        })
    }

    async fn stat(&mut self, id: u32, path: String) -> Answer<Attrs> {
        self.attributes(id, &path).await
    }

    async fn lstat(&mut self, id: u32, path: String) -> Answer<Attrs> {
        self.attributes(id, &path).await
    }

    async fn opendir(&mut self, id: u32, path: String) -> Answer<Handle> {
        let mut entries = tokio::fs::read_dir(self.real(&path)?)
            .await
            .map_err(|e| failed(&e))?;
        let mut files = Vec::new();
        while let Some(entry) = entries.next_entry().await.map_err(|e| failed(&e))? {
            // One that was moved meanwhile is not there any more.
            if let Ok(found) = entry.metadata().await {
                let name = entry.file_name().to_string_lossy().into_owned();
                files.push(File::new(name, FileAttributes::from(&found)));
            }
        }
        Ok(self.keep(id, Open::Folder(Some(files))))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Answer<Name> {
        match self.open.get_mut(&handle) {
            Some(Open::Folder(files)) => match files.take() {
                Some(files) if !files.is_empty() => Ok(Name { id, files }),
                _ => Err(StatusCode::Eof),
            },
            _ => Err(StatusCode::Failure),
        }
    }

    async fn remove(&mut self, id: u32, filename: String) -> Answer<Status> {
        let gone = tokio::fs::remove_file(self.real(&filename)?).await;
        gone.map_err(|e| failed(&e)).map(|()| done(id))
    }

    async fn rename(&mut self, id: u32, oldpath: String, newpath: String) -> Answer<Status> {
        let (from, to) = (self.real(&oldpath)?, self.real(&newpath)?);
        // As version 3 of the protocol wants it: nothing is overwritten.
        if tokio::fs::try_exists(&to).await.map_err(|e| failed(&e))? {
            return Err(StatusCode::Failure);
        }
        let moved = tokio::fs::rename(from, to).await;
        moved.map_err(|e| failed(&e)).map(|()| done(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Answer<Name> {
        let files = vec![File::dummy(format!("/{}", path.trim_matches(['/', '.'])))];
        Ok(Name { id, files })
    }
}
