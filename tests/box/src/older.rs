//! A database as an earlier version left it, made from one of today: the tables that came later are taken out and the
//! version is written back. No row of a table that stays was stored in another form then. Knows redb, not the store.

use anyhow::{Context as _, ensure};
use redb::{Database, ReadableDatabase as _, TableDefinition, TableHandle as _};
use std::path::Path;

/// The version that is made.
pub(crate) const VERSION: u32 = 3;
/// Its tables; this list never changes again.
const TABLES: &str = "meta counters days connections connection_names routes feeds orders order_keys order_stages \
    order_words order_documents deadlines timeline documents seen latest bodies body_ages spool_files jobs job_orders \
    job_states job_open job_documents lanes ready_jobs due gaps cards card_jobs card_ranks batches open_batches \
    order_batches transcripts effects effect_keys links cells items item_values item_words named_items named_states \
    named_words named_counts settings setting_log vault audit kv levels dirty_levels hints hints_due deliveries hooks";
const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");
const SCHEMA: &[u8] = b"schema";
/// Came with the backups, after that version.
const INSTALL: &[u8] = b"install";

/// Turns a closed database into an older one.
pub(crate) fn made(file: &Path) -> anyhow::Result<()> {
    let database = Database::open(file).context("cannot open the database")?;
    let txn = database.begin_write()?;
    let kept: Vec<&str> = TABLES.split_whitespace().collect();
    let later: Vec<_> = txn
        .list_tables()?
        .filter(|table| !kept.contains(&table.name()))
        .collect();
    ensure!(!later.is_empty(), "nothing came after version {VERSION}");
    for table in later {
        txn.delete_table(table)?;
    }
    {
        let mut meta = txn.open_table(META)?;
        meta.insert(SCHEMA, VERSION.to_be_bytes().as_slice())?;
        meta.remove(INSTALL)?;
    }
    txn.commit()?;
    Ok(())
}

/// Makes sure that a closed database is that of the older version.
pub(crate) fn is_there(file: &Path) -> anyhow::Result<()> {
    let database = Database::open(file).context("cannot open the database")?;
    let found = database
        .begin_read()?
        .open_table(META)?
        .get(SCHEMA)?
        .map(|value| value.value().to_vec());
    ensure!(
        found.as_deref() == Some(VERSION.to_be_bytes().as_slice()),
        "the database has version {found:?}, not {VERSION}"
    );
    Ok(())
}
