//! What is done with files over a connection: listing, reading whole, putting whole, renaming. Several requests are on
//! their way at once, in pieces of a fixed size: the memory it takes does not grow with the file.

use super::error::SftpError;
use super::session::Session;
use crate::caps::blob::Spool;
use futures_util::stream::{self, StreamExt};
use russh_sftp::client::error::Error as Protocol;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};

/// Bytes of one request: what every server takes.
const PIECE: u32 = 32 << 10;
/// Requests on their way at once.
const AHEAD: usize = 16;
/// Ends the name of a file that is not whole yet. No import pattern of a vendor ends so.
const PART: &str = ".part";

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) modified_ms: i64,
}

/// Why a file may not have been put.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) error: SftpError,
    /// Whether it may be there under its name all the same.
    pub(crate) unknown: bool,
}

/// The files of a folder, without its folders, by name.
pub(crate) async fn entries(
    session: &Session,
    dir: &str,
    most: usize,
) -> Result<Vec<Entry>, SftpError> {
    let failed = |e| SftpError::of(dir, e);
    let handle = session
        .answer(session.sftp.opendir(dir))
        .await
        .map_err(failed)?
        .handle;
    let mut found = Vec::new();
    let listed = loop {
        match session.answer(session.sftp.readdir(&handle)).await {
            Ok(name) => {
                found.extend(name.files.iter().filter_map(|file| entry(dir, file)));
                if found.len() > most {
                    break Err(SftpError::Refused {
                        path: dir.to_owned(),
                        why: format!("it holds more than {most} files"),
                    });
                }
            }
            Err(Protocol::Status(status)) if status.status_code == StatusCode::Eof => {
                break Ok(());
            }
            Err(error) => break Err(failed(error)),
        }
    };
    drop(session.answer(session.sftp.close(handle)).await);
    listed?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn entry(dir: &str, file: &russh_sftp::protocol::File) -> Option<Entry> {
    let attrs = &file.attrs;
    // A server need not tell the kind; then the long name does, as of `ls -l`.
    let folder = match attrs.permissions {
        Some(_) => attrs.is_dir(),
        None => file.longname.starts_with('d'),
    };
    if folder || matches!(file.filename.as_str(), "." | "..") || file.filename.contains('/') {
        return None;
    }
    Some(Entry {
        path: format!("{}/{}", dir.trim_end_matches('/'), file.filename),
        size: attrs.size.unwrap_or(0),
        modified_ms: attrs.mtime.map_or(0, millis),
    })
}

/// Reads a file whole into the spool. One that changes while it is read is refused, not taken in part. When it was last
/// changed, if the server says so.
pub(crate) async fn get(
    session: &Session,
    path: &str,
    into: &mut Spool,
    most: u64,
) -> Result<Option<i64>, SftpError> {
    let failed = |e| SftpError::of(path, e);
    let sftp = &session.sftp;
    let handle = session
        .answer(sftp.open(path, OpenFlags::READ, FileAttributes::empty()))
        .await
        .map_err(failed)?
        .handle;
    let read = async {
        let before = session
            .answer(sftp.fstat(&handle))
            .await
            .map_err(failed)?
            .attrs;
        let size = before.size.unwrap_or(0);
        if size > most {
            return Err(SftpError::TooLarge(most));
        }
        let offsets = (0..size).step_by(PIECE as usize);
        let handle = handle.as_str();
        let mut pieces = stream::iter(offsets)
            .map(|offset| piece(session, handle, offset, size.min(offset + u64::from(PIECE))))
            .buffered(AHEAD);
        while let Some(bytes) = pieces.next().await {
            let bytes = bytes.map_err(failed)?;
            into.append(&bytes)
                .map_err(|e| SftpError::NoRoom(e.to_string()))?;
        }
        // It is whole when it ended where it said, and still says so.
        let after = session
            .answer(sftp.fstat(handle))
            .await
            .map_err(failed)?
            .attrs;
        let beyond = piece(session, handle, size, size + 1)
            .await
            .map_err(failed)?;
        let found = into.len() + beyond.len() as u64;
        if found != size || after.size != before.size || after.mtime != before.mtime {
            return Err(SftpError::Changed {
                path: path.to_owned(),
                expected: size,
                found: after.size.unwrap_or(found).max(into.len()),
            });
        }
        Ok(after.mtime.map(millis))
    }
    .await;
    // When all bytes are here, a goodbye that is lost changes nothing in them.
    drop(session.answer(sftp.close(handle)).await);
    read
}

fn millis(secs: u32) -> i64 {
    i64::from(secs) * 1_000
}

/// The bytes from here to there, fewer only where the file ends. A server may answer with less than was asked for.
async fn piece(session: &Session, handle: &str, from: u64, to: u64) -> Result<Vec<u8>, Protocol> {
    let mut bytes = Vec::new();
    let mut at = from;
    while at < to {
        let len = u32::try_from(to - at).unwrap_or(PIECE);
        match session.answer(session.sftp.read(handle, at, len)).await {
            Ok(data) if data.data.is_empty() => break,
            Ok(data) => {
                at += data.data.len() as u64;
                bytes.extend(data.data);
            }
            Err(Protocol::Status(status)) if status.status_code == StatusCode::Eof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Puts a file whole under its name: beside it under another first, then by one rename. Where the server takes no file
/// beside it or no rename, under its name at once. `replace`: a file of that name is what a lost attempt left.
pub(crate) async fn put(
    session: &Session,
    path: &str,
    spool: &Spool,
    replace: bool,
) -> Result<(), Put> {
    let nothing = |error| Put {
        error,
        unknown: false,
    };
    let there = size_of(session, path).await.map_err(nothing)?;
    if there.is_some() && !replace {
        return Err(nothing(SftpError::ThereAlready(path.to_owned())));
    }
    let part = format!("{path}{PART}");
    match upload(session, &part, spool).await {
        Ok(()) => {}
        // Whatever became of it: nothing looks at that name.
        Err(Upload::NotOpened(error)) if error.is_refusal() => {
            return put_at_once(session, path, spool).await;
        }
        Err(Upload::NotOpened(error)) => return Err(nothing(error)),
        Err(Upload::Broken(error)) => {
            tidy(session, &part, &error).await;
            return Err(nothing(error));
        }
    }
    let renamed = match there {
        None => rename(session, &part, path).await,
        Some(_) => rename_over(session, &part, path).await,
    };
    match renamed {
        Ok(()) => Ok(()),
        Err(error) if !error.is_refusal() => Err(Put {
            error,
            unknown: true,
        }),
        Err(error) => {
            tidy(session, &part, &error).await;
            // Somebody else's file of that name came in between, or the server renames nothing.
            match size_of(session, path).await {
                Ok(Some(_)) if !replace => Err(nothing(SftpError::ThereAlready(path.to_owned()))),
                Ok(_) => put_at_once(session, path, spool).await,
                Err(error) => Err(nothing(error)),
            }
        }
    }
}

/// Under its final name from the first byte on: the last resort, as half of it can be seen.
async fn put_at_once(session: &Session, path: &str, spool: &Spool) -> Result<(), Put> {
    match upload(session, path, spool).await {
        Ok(()) => Ok(()),
        Err(Upload::NotOpened(error)) => Err(Put {
            // An answer that was lost may have been a yes, and the empty file is there.
            unknown: !error.is_refusal(),
            error,
        }),
        Err(Upload::Broken(error)) => {
            let gone = tidy(session, path, &error).await;
            Err(Put {
                error,
                unknown: !gone,
            })
        }
    }
}

enum Upload {
    NotOpened(SftpError),
    Broken(SftpError),
}

/// Writes all bytes and asks how many there are.
async fn upload(session: &Session, path: &str, spool: &Spool) -> Result<(), Upload> {
    let failed = |e| SftpError::of(path, e);
    let sftp = &session.sftp;
    let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
    let handle = session
        .answer(sftp.open(path, flags, FileAttributes::empty()))
        .await
        .map_err(|e| Upload::NotOpened(failed(e)))?
        .handle;
    let size = spool.len();
    let written = async {
        let id = handle.as_str();
        let mut pieces = stream::iter((0..size).step_by(PIECE as usize))
            .map(|offset| async move {
                let bytes = spool
                    .read(offset, PIECE as usize)
                    .map_err(|e| SftpError::NoRoom(e.to_string()))?;
                let answer = session.answer(sftp.write(id, offset, bytes)).await;
                answer.map(drop).map_err(failed)
            })
            .buffer_unordered(AHEAD);
        while let Some(piece) = pieces.next().await {
            piece?;
        }
        Ok(())
    }
    .await;
    // Errors of writing may show only here.
    let closed = session
        .answer(sftp.close(handle))
        .await
        .map(drop)
        .map_err(failed);
    written.and(closed).map_err(Upload::Broken)?;
    match size_of(session, path).await {
        Ok(Some(found)) if found == size => Ok(()),
        Ok(found) => Err(Upload::Broken(SftpError::Changed {
            path: path.to_owned(),
            expected: size,
            found: found.unwrap_or(0),
        })),
        Err(error) => Err(Upload::Broken(error)),
    }
}

/// Removes what is left of an attempt, where the connection still stands; whether it is gone.
async fn tidy(session: &Session, path: &str, why: &SftpError) -> bool {
    why.leaves_connection() && session.answer(session.sftp.remove(path)).await.is_ok()
}

async fn size_of(session: &Session, path: &str) -> Result<Option<u64>, SftpError> {
    match session.answer(session.sftp.stat(path)).await {
        Ok(attrs) => Ok(Some(attrs.attrs.size.unwrap_or(0))),
        Err(error) => match SftpError::of(path, error) {
            SftpError::NotThere(_) => Ok(None),
            other => Err(other),
        },
    }
}

async fn rename(session: &Session, from: &str, to: &str) -> Result<(), SftpError> {
    let answer = session.answer(session.sftp.rename(from, to)).await;
    answer.map(drop).map_err(|e| SftpError::of(from, e))
}

/// In the other's place: in one step where the server can, else the other goes first.
async fn rename_over(session: &Session, from: &str, to: &str) -> Result<(), SftpError> {
    if session.replaces_by_rename() {
        let mut names = Vec::new();
        for name in [from, to] {
            let len = u32::try_from(name.len()).unwrap_or(0);
            names.extend(len.to_be_bytes());
            names.extend(name.as_bytes());
        }
        let answer = session
            .answer(session.sftp.extended("posix-rename@openssh.com", names))
            .await;
        return match answer {
            Ok(russh_sftp::protocol::Packet::Status(status)) => match status.status_code {
                StatusCode::Ok => Ok(()),
                _ => Err(SftpError::of(from, Protocol::Status(status))),
            },
            Ok(_) => Err(SftpError::Lost("an unexpected answer".to_owned())),
            Err(error) => Err(SftpError::of(from, error)),
        };
    }
    let removed = session.answer(session.sftp.remove(to)).await;
    removed.map(drop).map_err(|e| SftpError::of(to, e))?;
    rename(session, from, to).await
}

/// Gives a file another name. A file of that name is never replaced.
pub(crate) async fn move_to(session: &Session, path: &str, to: &str) -> Result<(), Put> {
    let nothing = |error| Put {
        error,
        unknown: false,
    };
    // OpenSSH refuses a taken name; not every server does.
    if size_of(session, to).await.map_err(nothing)?.is_some() {
        return Err(nothing(SftpError::ThereAlready(to.to_owned())));
    }
    rename(session, path, to).await.map_err(|error| Put {
        unknown: !error.is_refusal(),
        error,
    })
}
