//! The places that running guests take: memory, tables and stacks reserved once, and used again by one call after the
//! other. What a call wrote is wiped before the next one gets the place. Where an address space is too small for that, a
//! call maps its own. It knows no calls.

use crate::limits::{MEMORIES, MEMORY, TABLE_ELEMENTS, TABLES};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::Component;
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig};

/// Memories in use at once, and so calls: more wait for one to end.
const PLACES: u32 = 32;

/// Address space of one place. Every address that a guest can name lies inside: its code then needs no check of its own
/// before it reads or writes, what it must not touch is a page that is not there.
const RESERVED: u64 = 4 << 30;

/// What a place keeps between calls, where the kernel says which pages a call has written (since 6.7): wiping these few
/// is cheaper than to give them back and to be given them again.
const RESIDENT: usize = 256 << 10;

/// Places that stay ready for the connector that had them last.
const READY: u32 = 8;

/// Room for calls.
#[derive(Clone)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACES as usize)))
    }
}

/// A place taken. Dropped after the store that uses it.
pub(crate) struct Taken {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// As many places as a component of so many memories needs.
    pub(crate) async fn take(&self, memories: u32) -> Taken {
        let permit = Arc::clone(&self.0).acquire_many_owned(memories).await;
        // Nobody closes the semaphore.
        Taken {
            _permit: permit.ok(),
        }
    }
}

/// How many memories every call of this component has.
pub(crate) fn memories(component: &Component) -> u32 {
    let required = component.resources_required();
    // More than are allowed are refused when it is instantiated.
    required.map_or(1, |r| r.num_memories.clamp(1, MEMORIES))
}

/// An engine with its places, else one whose calls map their own memory.
pub(crate) fn engine(common: &Config) -> wasmtime::Result<Engine> {
    let mut reserving = common.clone();
    reserving
        .memory_reservation(RESERVED)
        .memory_may_move(false)
        .allocation_strategy(pool());
    // A limit of the address space (a container's, an old board's) is no reason not to run.
    Engine::new(&reserving).or_else(|_| {
        let mut mapping = common.clone();
        mapping
            .memory_reservation(MEMORY as u64)
            .memory_guard_size(64 << 10)
            .memory_reservation_for_growth(1 << 20);
        Engine::new(&mapping)
    })
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(PLACES)
        .total_core_instances(PLACES * 32)
        .max_core_instances_per_component(32)
        .total_memories(PLACES)
        .max_memories_per_component(MEMORIES)
        .max_memory_size(MEMORY)
        .total_tables(PLACES * TABLES)
        .max_tables_per_component(TABLES)
        .table_elements(TABLE_ELEMENTS)
        // Of a call that starts and of one that ends at that moment.
        .total_stacks(PLACES * 2)
        .max_unused_warm_slots(READY);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(RESIDENT)
            .table_keep_resident(RESIDENT);
    }
    pool
}
