//! The file server: where files lie there, what is listed, read and written, and what its refusals mean. Knows no content.

use crate::settings::{Config, Transfer};
use waybill_sdk::effects::{Denial, Effect, IoError};
use waybill_sdk::types::{Failure, Outcome, Problem, Verdict};
use waybill_sdk::{Files, Spool};

use super::table::Pieces;

/// The server, or the line to it, did not do what was asked.
pub(crate) const SERVER: &str = "file-server";
/// A file that the agent does not take.
pub(crate) const TOO_LARGE: &str = "file-too-large";
/// Bytes handed over at once: few at first, as it may be for a single row.
const FIRST: u32 = 8 << 10;
const MOST: u32 = 256 << 10;

/// One call's access to the server.
#[derive(Clone, Copy)]
pub(crate) struct Depot<'a> {
    files: &'a dyn Files,
    pub(crate) transfer: &'a Transfer<'a>,
}

/// A file there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) modified: i64,
}

/// Why a file was not put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotPut {
    /// Practice mode: it was recorded.
    Practice,
    /// It was tried so many milliseconds ago, and may be there.
    InDoubt(u64),
    /// It is not there.
    Failed(Failure),
    /// It is not there, and the server says why.
    Refused(String),
}

impl NotPut {
    /// The verdict of each member of the file.
    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Practice => Ok(Outcome::Recorded),
            Self::InDoubt(_) | Self::Refused(_) => Err(Failure::Retry(None)),
            Self::Failed(failure) => Err(failure),
        }
    }
}

impl<'a> Depot<'a> {
    pub(crate) const fn new(files: &'a dyn Files, config: &'a Config<'a>) -> Self {
        Self {
            files,
            transfer: &config.transfer,
        }
    }

    /// The files of a folder.
    pub(crate) fn files(&self, dir: &str) -> Result<Vec<File>, Failure> {
        let all = self.files.entries(self.transfer.credential, dir);
        let all = all.map_err(failure)?;
        Ok(all
            .into_iter()
            .map(|entry| File {
                name: entry.path.rsplit('/').next().unwrap_or_default().to_owned(),
                path: entry.path,
                size: entry.size,
                modified: entry.modified_ms,
            })
            .collect())
    }

    /// A file, read whole.
    pub(crate) fn read(&self, path: &str, effect: &Effect) -> Result<Box<dyn Spool>, Failure> {
        let read = self.files.get(self.transfer.credential, path, effect);
        read.map_err(failure)
    }

    /// Puts a file under its name.
    pub(crate) fn put(&self, path: &str, body: &[u8], effect: &Effect) -> Result<(), NotPut> {
        let put = self.files.put(self.transfer.credential, path, body, effect);
        put.map_err(|error| match error {
            IoError::Denied(Denial::Practice) => NotPut::Practice,
            IoError::InDoubt(age) => NotPut::InDoubt(age),
            IoError::Refused(why) => NotPut::Refused(why),
            other => NotPut::Failed(failure(other)),
        })
    }
}

fn failure(error: IoError) -> Failure {
    Failure::Rejected(match error {
        IoError::TimedOut | IoError::InDoubt(_) => return Failure::Retry(None),
        IoError::Refused(why) => refused(&why),
        IoError::TooLarge(bytes) => Problem::new(
            TOO_LARGE,
            format!("A file on DSCO's file server is larger than {bytes} bytes."),
            "Have the export job in the DSCO portal write smaller files.",
        ),
        IoError::Denied(Denial::NotGranted(what)) => Problem::new(
            "not-granted",
            format!("This connector may not reach {what}."),
            "Grant it on the Connectors page, or correct the file server in this connection's settings.",
        ),
        // The server moves a file away once it was read: whoever still reads there would miss it.
        IoError::Denied(Denial::Practice) => Problem::new(
            "practice-leaves-files",
            "Practice: files are left on DSCO's file server, since reading one takes it away there.",
            "Read orders by the API while you practise, or go live.",
        ),
        IoError::Denied(_) => Problem::new(
            "read-only-call",
            "The connector tried to change a file during a read-only call.",
            "This is a fault of the connector: report it to its author.",
        ),
    })
}

/// What the server said no to.
pub(crate) fn refused(why: &str) -> Problem {
    Problem::new(
        SERVER,
        format!("DSCO's file server: {why}."),
        "Check host, login and folders of the file server in this connection's settings, then press Test.",
    )
}

/// The folder, and how names of that kind begin in it: what is entered may hold a sub-folder.
pub(crate) fn split<'f>(dir: &str, file: &'f str) -> (String, &'f str) {
    match file.rsplit_once('/') {
        Some((folder, prefix)) => (format!("{dir}/{}", folder.trim_matches('/')), prefix),
        None => (dir.to_owned(), file),
    }
}

/// A file that was read, in pieces from there on.
pub(crate) struct Reading<'a> {
    spool: &'a dyn Spool,
    at: u64,
    piece: u32,
}

impl<'a> Reading<'a> {
    pub(crate) const fn new(spool: &'a dyn Spool, at: u64) -> Self {
        Self {
            spool,
            at,
            piece: FIRST,
        }
    }
}

impl Pieces for Reading<'_> {
    fn next(&mut self) -> Vec<u8> {
        let piece = self.spool.read(self.at, self.piece);
        self.at += piece.len() as u64;
        self.piece = MOST.min(self.piece * 2);
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn practice_says_why_files_stay_where_they_are() {
        let Failure::Rejected(problem) = failure(IoError::Denied(Denial::Practice)) else {
            panic!("it is no failure that goes by itself");
        };
        assert_eq!(problem.code, "practice-leaves-files");
    }
}
