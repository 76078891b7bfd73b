//! A backup of the running agent, handed on piece by piece as it is read. Owns who may hold it up and for how long;
//! the format is the store's.

use crate::handle::Handle;
use std::io::{self, Write};
use std::time::Duration;
use tokio::runtime;
use tokio::sync::mpsc;

/// Pieces that wait to be taken.
const WAITING: usize = 4;
/// Bytes of a piece.
const PIECE: usize = 256 * 1024;
/// Longest wait for somebody who takes nothing: until the backup ends, the database's file grows.
const PATIENCE: Duration = Duration::from_mins(1);

/// Hands bytes to a task.
struct Pieces {
    to: mpsc::Sender<Vec<u8>>,
    piece: Vec<u8>,
    runtime: runtime::Handle,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        let sent = tokio::time::timeout(PATIENCE, self.to.send(piece));
        match self.runtime.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::other("whoever asked for the backup went away")),
            Err(_) => Err(io::Error::other(
                "whoever asked for the backup did not take it",
            )),
        }
    }
}

impl Handle {
    /// A backup of what is committed now, while work goes on. It ends with its last piece; one that could not be
    /// finished says so in it, or is cut off.
    pub fn backup(&self, who: &str) -> mpsc::Receiver<Vec<u8>> {
        let (to, pieces) = mpsc::channel(WAITING);
        let (core, who, now) = (self.core.clone(), who.to_owned(), self.now());
        let mut out = Pieces {
            to,
            piece: Vec::with_capacity(PIECE),
            runtime: runtime::Handle::current(),
        };
        tokio::task::spawn_blocking(move || {
            let written = core.store.backup(&core.options.version, now, &mut out);
            // Also a backup that failed has told why, in what is left here.
            let handed_over = out.flush();
            match written.map(|totals| (totals, handed_over)) {
                Ok((totals, Ok(()))) => {
                    let detail = format!("{} orders", totals.orders());
                    let noted = core
                        .store
                        .write_blocking(move |tx| tx.audit(&who, "Backed up", &detail, now));
                    if let Err(error) = noted {
                        tracing::warn!(%error, "The backup could not be noted in the history.");
                    }
                    tracing::info!(bytes = totals.bytes, "Backup written.");
                }
                Ok((_, Err(error))) => tracing::warn!(%error, "A backup was not taken to its end."),
                Err(error) => tracing::warn!(%error, "A backup could not be finished."),
            }
        });
        pieces
    }
}
