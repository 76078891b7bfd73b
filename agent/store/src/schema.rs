//! The tables, by name. Every key and value is bytes (see `codec.rs`); the file of each noun says what is in them.
//! A table that is not listed here does not exist; none is ever given another meaning, only a new name.

use redb::TableDefinition;

/// Version of the schema this build reads and writes.
pub const SCHEMA_VERSION: u32 = 8;

macro_rules! tables {
    ($($case:ident = $name:literal : $doc:literal),* $(,)?) => {
        /// A table of the file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Tab { $(#[doc = $doc] $case),* }

        impl Tab {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$case),*];
            /// As in the file.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$case => $name),* }
            }
        }
    };
}

tables! {
    Meta = "meta": "name -> bytes; holds `schema`",
    Counters = "counters": "name -> number; sequences, orders by stage, jobs by state, cards",
    Days = "days": "day -> row: what happened on it",
    Connections = "connections": "connection -> row",
    ConnectionNames = "connection_names": "name -> connection",
    Routes = "routes": "entity, from, to -> row",
    Feeds = "feeds": "connection, entity -> row",
    Orders = "orders": "order -> row",
    OrderKeys = "order_keys": "connection, key -> order",
    OrderStages = "order_stages": "stage, order",
    OrderWords = "order_words": "word in lower case, order, source (0: the row; else a document)",
    OrderDocuments = "order_documents": "order, document",
    Deadlines = "deadlines": "time, kind, order: open ones only",
    Timeline = "timeline": "order, sequence -> row",
    Documents = "documents": "document -> head",
    Seen = "seen": "connection, entity, key, revision -> document",
    Latest = "latest": "connection, entity, key -> document",
    Bodies = "bodies": "body, chunk -> bytes",
    BodyAges = "body_ages": "owner kind, time, owner: bodies that retention may remove",
    SpoolFiles = "spool_files": "hash -> number of bodies kept in that file",
    Jobs = "jobs": "job -> row",
    JobOrders = "job_orders": "order, job",
    JobPlaces = "job_places": "place, kind of work, job (from version 7, before it by state alone)",
    JobRetailers = "job_retailers": "kind of work, retailer, place, job: what follows the sale (from version 7)",
    Retailers = "retailers": "connection, code -> number, name (from version 7)",
    OrderRetailers = "order_retailers": "retailer, order (from version 7)",
    JobOpen = "job_open": "work, from, to, entity, key -> job that is not done",
    JobDocuments = "job_documents": "document, job that is not done",
    Lanes = "lanes": "to, lane, job that is not done -> what it does to the lane, urgency",
    ReadyJobs = "ready_jobs": "to, urgency, job: the first ready job of every free lane",
    Due = "due": "time, job",
    Gaps = "gaps": "from, to, table, value, retailer, job",
    Cards = "cards": "card -> row without its counts",
    CardJobs = "card_jobs": "card, urgency, job",
    CardRanks = "card_ranks": "urgency, first time, card: not ignored",
    Batches = "batches": "batch -> row",
    OpenBatches = "open_batches": "batch",
    OrderBatches = "order_batches": "order, batch",
    Transcripts = "transcripts": "batch -> body",
    Effects = "effects": "effect -> row",
    EffectKeys = "effect_keys": "job, step or scope, step -> effect",
    Links = "links": "connection, entity, key, connection, entity, key: both ways",
    Cells = "cells": "from, to, table, retailer, value -> row",
    CellCodes = "cell_codes": "from, to, table, code, retailer, value (from version 5)",
    Items = "items": "connection, key -> title, identifiers, activity",
    ItemValues = "item_values": "connection, kind, value, key: active items only",
    ItemWords = "item_words": "connection, word of the title, key: active items only",
    NamedItems = "named_items": "from, to, retailer, value -> row: what orders call an item, and how it is matched",
    NamedStates = "named_states": "from, to, standing, retailer, value",
    NamedWords = "named_words": "to, class (0: identifier, 1: word of the title), word, from, retailer, value",
    NamedCounts = "named_counts": "from, to, retailer -> row: name, items by standing",
    Settings = "settings": "connection, retailer, key -> row",
    SettingLog = "setting_log": "sequence -> row",
    Vault = "vault": "connection, slot, name -> sealed secret",
    Audit = "audit": "sequence -> row",
    Kv = "kv": "connection, key -> bytes",
    Levels = "levels": "from, to, item of the receiving system -> row",
    DirtyLevels = "dirty_levels": "from, to, item: what was sent differs",
    RefusedLevels = "refused_levels": "from, to, item: wait for a person (from version 5)",
    LevelSources = "level_sources": "from, to, item of the sending system, item (from version 5)",
    LevelBatches = "level_batches": "from, to -> row; from, to, part -> its members: levels whose verdict is awaited (from version 5)",
    OnHand = "on_hand": "connection, item -> row: what a system holds (from version 5)",
    Taken = "taken": "connection, item, order, number -> row: units nobody has set aside yet (from version 5)",
    TakenBy = "taken_by": "connection, order, item (from version 5)",
    StockOrders = "stock_orders": "order that changed since its units were counted (from version 5)",
    KitParts = "kit_parts": "connection, component, kit (from version 5)",
    Hints = "hints": "connection, entity, key -> row (from version 2)",
    HintsDue = "hints_due": "connection, time, entity, key (from version 2)",
    Deliveries = "deliveries": "connection, delivery -> head of a webhook request (from version 2)",
    Hooks = "hooks": "connection -> what is known of its webhooks (from version 2)",
    Connectors = "connectors": "connector -> row: builds, grant, trial (from version 4)",
    Backfills = "backfills": "number -> row: orders from before, and where their reading stands (from version 6)",
    BackfillLines = "backfill_lines": "number, place -> row: an order that was found (from version 6)",
    Announced = "announced": "from, to, table, retailer, value -> row: values that may come, filled or not (from version 8)",
}

impl Tab {
    pub(crate) const fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(self.name())
    }
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}
