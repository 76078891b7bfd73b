//! What became of files where the API is not connected: DSCO moves a file to its archive when it has processed it, and says
//! no more. Sends nothing.

use super::depot::{Depot, SERVER};
use super::look::locate;
use crate::confirm::WAITS;
use std::collections::BTreeMap;
use waybill_sdk::types::{Failure, Problem};

/// How far a file came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// In the archive.
    Processed,
    /// It is asked again after so many seconds.
    Waits(u32),
    /// Nobody took it for too long.
    Stuck(Failure),
}

/// Where the files are now, by name and folder.
#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeMap<String, String>);

impl Seen {
    /// Looks once, for all kinds of files. That nobody can look now is no verdict on what was sent.
    pub(crate) fn look(depot: Depot<'_>) -> Result<Self, Failure> {
        let folder = depot.transfer.folder_in;
        let all =
            locate(folder, folder, |dir| depot.files(dir)).map_err(|failure| match failure {
                Failure::Rejected(problem) if problem.code == SERVER => Failure::Retry(None),
                other => other,
            })?;
        Ok(Self(
            all.into_iter()
                .map(|(name, file)| (name, file.path))
                .collect(),
        ))
    }

    /// How far a file came that was put `age` milliseconds ago and asked about so often.
    pub(crate) fn stage(
        &self,
        depot: Depot<'_>,
        name: &str,
        age: i64,
        asked: usize,
        limit_ms: i64,
    ) -> Stage {
        let archive = format!("{}/archive/", depot.transfer.folder_in);
        let path = self.0.get(name);
        if path.is_some_and(|path| path.starts_with(&archive)) {
            return Stage::Processed;
        }
        if age <= limit_ms {
            return Stage::Waits(WAITS[asked.min(WAITS.len() - 1)]);
        }
        Stage::Stuck(Failure::InDoubt(Problem::new(
            "file-not-processed",
            format!(
                "DSCO has not processed the file `{name}`: it is not in the archive of imports."
            ),
            "Look in the DSCO portal whether the import job runs and takes files of that name, then press Done or Retry.",
        )))
    }
}

/// The key of a record that went by this file.
pub(crate) fn key(name: &str, record: &str) -> String {
    format!("file:{name}#{record}")
}
