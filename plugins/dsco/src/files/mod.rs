//! DSCO's files: tables of text, read by the names of their columns and written the same way, and the server they lie on.
//! `feed.rs` reads orders, `upload.rs` writes what goes back and `look.rs` finds it again, `verdict.rs` tells how far it came.

mod depot;
pub(crate) mod describe;
mod feed;
mod followed;
mod look;
mod named;
mod orders;
pub(crate) mod sheet;
mod table;
pub(crate) mod upload;
pub(crate) mod verdict;
mod write;

pub(crate) use depot::{Depot, NotPut, split};
pub(crate) use followed::pull;
use waybill_sdk::types::{Failure, Settings};

/// Proof that server, login and folders are right.
pub(crate) fn probe(depot: Depot<'_>) -> Result<Settings, Failure> {
    let transfer = depot.transfer;
    let mut facts = vec![("file-server".to_owned(), transfer.host.to_owned())];
    for dir in [&transfer.folder_in, &transfer.folder_out] {
        let files = depot.files(dir)?.len();
        facts.push((format!("files-in-{dir}"), files.to_string()));
    }
    Ok(facts)
}

#[cfg(test)]
pub(crate) use orders::Orders;
#[cfg(test)]
pub(crate) use table::{Mistake, Pieces, Table};
pub(crate) use write::table;
