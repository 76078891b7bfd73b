//! Every number a guest can run into, in one place, and the limiter that stops its memory. It knows no calls and no ports.

use wasmtime::ResourceLimiter;

/// Bytes of linear memory: no call may be given more.
pub(crate) const MEMORY: usize = 64 << 20;
/// Linear memories of a component.
pub(crate) const MEMORIES: u32 = 4;
/// Tables of a component.
pub(crate) const TABLES: u32 = 8;
/// Elements of one table: no call may be given more.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;

/// What one call may use. The defaults serve a connector that pages through a vendor's API.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of linear memory, all memories together.
    pub memory: usize,
    /// Elements of one table.
    pub table_elements: usize,
    /// Core instances, memories and tables, each.
    pub instances: usize,
    /// Resources (spools) held by the host.
    pub resources: usize,
    /// Bytes of a request's body.
    pub request_body: u64,
    /// Bytes of an answer's body, after decompression.
    pub answer_body: u64,
    /// HTTP requests of one call.
    pub requests: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Bytes of all headers and the URL of a request.
    pub head_bytes: usize,
    /// Log lines of one call; later ones are dropped.
    pub log_lines: usize,
    /// Keys of one read of the private space or of links, and of all writes of one call.
    pub keys: usize,
    /// Members that one effect names.
    pub members: usize,
    /// Bytes of a key.
    pub key_bytes: usize,
    /// Bytes of a value.
    pub value_bytes: usize,
    /// Bytes of all buffered writes.
    pub buffered: usize,
    /// Bytes of all spools, which lie on the disk.
    pub spooled: u64,
    /// Files of a folder on a server.
    pub files: usize,
    /// Documents of a page.
    pub documents: usize,
    /// Bytes of a cursor.
    pub cursor_bytes: usize,
    /// Bytes copied out of a guest for one host call or one answer.
    pub copied: usize,
    /// Milliseconds of the connector's own work between two waits for the network: more is a loop.
    pub own_ms: u64,
    /// Milliseconds for `describe`.
    pub describe_ms: u64,
    /// Milliseconds for one HTTP request.
    pub request_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: MEMORY,
            table_elements: TABLE_ELEMENTS,
            instances: 32,
            resources: 256,
            request_body: 8 << 20,
            answer_body: 16 << 20,
            requests: 5_000,
            headers: 100,
            head_bytes: 64 << 10,
            log_lines: 1_000,
            keys: 20_000,
            members: 100_000,
            key_bytes: 1_024,
            value_bytes: 1 << 20,
            buffered: 64 << 20,
            spooled: 512 << 20,
            files: 50_000,
            documents: 10_000,
            cursor_bytes: 64 << 10,
            copied: 64 << 20,
            own_ms: 5_000,
            describe_ms: 100,
            request_ms: 60_000,
        }
    }
}

/// Caps what a store allocates and remembers that it had to.
#[derive(Debug)]
pub(crate) struct MemoryCap {
    memory: usize,
    used: usize,
    elements: usize,
    instances: usize,
    /// A growth was refused; a trap that follows is for want of memory.
    pub(crate) refused: bool,
}

impl MemoryCap {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: limits.memory,
            used: 0,
            elements: limits.table_elements,
            instances: limits.instances,
            refused: false,
        }
    }
}

impl ResourceLimiter for MemoryCap {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.memory {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.elements)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}
