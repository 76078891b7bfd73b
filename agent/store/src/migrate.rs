//! The schema version in the file: makes the tables of a new file, refuses a newer one, brings an older one up.
//! A migration is a function from one version to the next, in one commit, with a fixture file of the old version in
//! `tests/fixtures`. Version 2 added tables (hints, webhook requests), version 3 the words
//! of items and the items that orders name, version 4 the connectors, version 5 stock: what
//! items are made of is read from their documents, version 6 back-fills, version 7 lists of jobs by kind and retailer, whose
//! rows say the retailer, version 8 values of crosswalks that are announced before they come; no other row of version 1 changed.

use crate::access::Access;
use crate::backup::INSTALL;
use crate::error::{OpenError, StoreError};
use crate::schema::{SCHEMA_VERSION, Tab};
use crate::writer::Engine;
use redb::{ReadableDatabase, TableError};

pub(crate) const SCHEMA: &[u8] = b"schema";

/// The version of a file that has to be brought up.
pub(crate) fn older(engine: &Engine) -> Result<Option<u32>, OpenError> {
    Ok(stored(engine)?.filter(|found| (1..SCHEMA_VERSION).contains(found)))
}

/// The version that was found; a new file has the newest.
pub(crate) fn prepare(engine: &Engine) -> Result<u32, OpenError> {
    let stored = stored(engine)?;
    match stored {
        Some(SCHEMA_VERSION) => {}
        None | Some(1..=7) => add_tables(engine)?,
        Some(found) if found > SCHEMA_VERSION => {
            return Err(OpenError::Newer {
                found,
                known: SCHEMA_VERSION,
            });
        }
        // No version below the first was ever released.
        Some(found) => {
            return Err(OpenError::Damaged {
                what: "schema version".to_owned(),
                why: format!("version {found} was never released"),
            });
        }
    }
    Ok(stored.unwrap_or(SCHEMA_VERSION))
}

fn stored(engine: &Engine) -> Result<Option<u32>, StoreError> {
    let txn = engine.db.begin_read()?;
    let table = match txn.open_table(Tab::Meta.definition()) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(other) => return Err(other.into()),
    };
    let Some(value) = table.get(SCHEMA)? else {
        return Ok(None);
    };
    <[u8; 4]>::try_from(value.value())
        .map(|b| Some(u32::from_be_bytes(b)))
        .map_err(|_| crate::codec::corrupt(Tab::Meta.name(), SCHEMA, "not a version"))
}

/// From nothing or from an older version: makes the tables that are missing, and the entries that follow from rows.
fn add_tables(engine: &Engine) -> Result<(), StoreError> {
    engine.inline(&|tx| {
        for tab in Tab::ALL {
            // Opening makes the table, so that readers find every one of them.
            tx.dynamic().has(*tab, b"")?;
        }
        crate::items::complete(tx)?;
        crate::crosswalk::index_codes(tx)?;
        crate::items::index_words(tx)?;
        crate::places::index_jobs(tx)?;
        if tx.dynamic().bytes(Tab::Meta, INSTALL)?.is_none() {
            // Tells backups of two installations apart.
            let mut name = [0; 8];
            getrandom::fill(&mut name).map_err(crate::vault::no_random)?;
            tx.put_bytes(Tab::Meta, INSTALL, crate::codec::hex(&name).as_bytes())?;
        }
        tx.put_bytes(Tab::Meta, SCHEMA, &SCHEMA_VERSION.to_be_bytes())
    })
}

/// Reads before the store is handed out.
pub(crate) fn read<R>(
    engine: &Engine,
    f: impl FnOnce(&crate::access::Rx) -> Result<R, StoreError>,
) -> Result<R, StoreError> {
    let txn = engine.db.begin_read()?;
    f(&crate::access::Rx::new(
        txn,
        std::sync::Arc::clone(&engine.env),
    ))
}
