//! Webhook requests as they came, kept until they were read, and what stands at the vendor. A request is committed
//! before it is answered; one that was read leaves its hints in the commit that removes it. Never holds a secret.

use crate::access::{Access, Tx};
use crate::codec::{Key, Span, corrupt, decode, tail_u64};
use crate::error::StoreError;
use crate::schema::Tab;
use crate::{bodies, codec};
use serde::{Deserialize, Serialize};
use waybill_model::contract::{Delivered, Pairs};
use waybill_model::ids::{ConnectionId, DeliveryId, Millis};

/// A webhook request that is not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Ascending in the order of arrival.
    pub id: DeliveryId,
    /// Whose.
    pub connection: ConnectionId,
    /// When it came.
    pub at: Millis,
    /// As it came.
    pub delivered: Delivered,
}

/// What is known of the webhooks of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HooksRow {
    /// Of which connection.
    pub connection: ConnectionId,
    /// Address of this agent under which the vendor calls, without path and secret; `None`: nothing stands there.
    pub public_url: Option<String>,
    /// What stands at the vendor, in its connector's words.
    pub standing: Vec<String>,
    /// Goes up each time that was put in order, so that each time has effects of its own.
    pub round: u64,
    /// When that was last put in order.
    pub ensured_at: Option<Millis>,
    /// When to put it in order next.
    pub next_due: Millis,
    /// Failed attempts in a row.
    pub failures: u32,
    /// Why the last attempt failed, for people.
    pub problem: Option<String>,
    /// When the last request that was read had come.
    pub last_delivery: Option<Millis>,
    /// Requests that could not be understood, and the last reason.
    pub refused: u64,
    /// Why the last of them could not be understood.
    pub last_refusal: Option<String>,
}

impl HooksRow {
    /// Of a connection that never had any.
    pub const fn new(connection: ConnectionId) -> Self {
        Self {
            connection,
            public_url: None,
            standing: Vec::new(),
            round: 0,
            ensured_at: None,
            next_due: 0,
            failures: 0,
            problem: None,
            last_delivery: None,
            refused: 0,
            last_refusal: None,
        }
    }
}

/// A delivery as stored; its body is apart.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    at: Millis,
    headers: Pairs,
    pub(crate) body: u64,
}

fn place(connection: ConnectionId, id: DeliveryId) -> Key {
    Key::new().u32(connection.0).u64(id.0)
}

pub(crate) fn counter(connection: ConnectionId) -> String {
    format!("{COUNTER}{connection}")
}

/// Start of the names of the counters of waiting deliveries.
pub(crate) const COUNTER: &str = "deliveries:";

/// Bodies read at once, in bytes: the first is always read.
const MOST_BYTES: usize = 1024 * 1024;

pub(crate) fn deliveries(
    a: &dyn Access,
    connection: ConnectionId,
    limit: usize,
) -> Result<Vec<DeliveryRow>, StoreError> {
    let mut heads = Vec::new();
    if limit > 0 {
        let span = Span::prefix(Key::new().u32(connection.0));
        a.scan(Tab::Deliveries, &span, &mut |key, value| {
            let head: Head = decode(Tab::Deliveries.name(), key, value)?;
            heads.push((tail_u64(Tab::Deliveries.name(), key)?, head));
            Ok(heads.len() < limit)
        })?;
    }
    let mut rows = Vec::new();
    let mut bytes = 0;
    for (id, head) in heads {
        let body = bodies::body(a, head.body)?.ok_or_else(|| {
            corrupt(
                Tab::Deliveries.name(),
                &id.to_be_bytes(),
                "its body is missing",
            )
        })?;
        bytes += body.len();
        if bytes > MOST_BYTES && !rows.is_empty() {
            break;
        }
        rows.push(DeliveryRow {
            id: DeliveryId(id),
            connection,
            at: head.at,
            delivered: Delivered {
                headers: head.headers,
                body,
            },
        });
    }
    Ok(rows)
}

pub(crate) fn backlog(a: &dyn Access, connection: ConnectionId) -> Result<u64, StoreError> {
    let waiting = a.number(Tab::Counters, counter(connection).as_bytes())?;
    Ok(waiting.unwrap_or(0))
}

pub(crate) fn hooks(
    a: &dyn Access,
    connection: ConnectionId,
) -> Result<Option<HooksRow>, StoreError> {
    a.row(Tab::Hooks, &Key::new().u32(connection.0).0)
}

/// When the newest waiting delivery came.
pub(crate) fn newest(
    a: &dyn Access,
    connection: ConnectionId,
) -> Result<Option<Millis>, StoreError> {
    let span = Span::prefix(Key::new().u32(connection.0)).newest_first();
    let heads: Vec<Head> = a.rows(Tab::Deliveries, &span, 1)?;
    Ok(heads.first().map(|head| head.at))
}

impl Tx<'_> {
    /// Keeps a webhook request as it came. The connection must be there.
    pub fn put_delivery(
        &mut self,
        connection: ConnectionId,
        delivered: &Delivered,
        at: Millis,
    ) -> Result<DeliveryId, StoreError> {
        if crate::connections::connection(self, connection)?.is_none() {
            return Err(StoreError::not_found(format!("connection {connection}")));
        }
        let id = DeliveryId(self.next("delivery")?);
        let head = Head {
            at,
            headers: delivered.headers.clone(),
            body: self.put_body(&delivered.body)?,
        };
        self.put_row(Tab::Deliveries, &place(connection, id).0, &head)?;
        self.count(&counter(connection), 1)?;
        Ok(id)
    }

    /// Removes requests that were read. In the same closure as their hints.
    pub fn remove_deliveries(
        &mut self,
        connection: ConnectionId,
        ids: &[DeliveryId],
    ) -> Result<(), StoreError> {
        for id in ids {
            self.remove_delivery(connection, &place(connection, *id).0)?;
        }
        Ok(())
    }

    fn remove_delivery(&mut self, connection: ConnectionId, key: &[u8]) -> Result<(), StoreError> {
        let head = self.dynamic().row::<Head>(Tab::Deliveries, key)?;
        if let Some(head) = head {
            self.drop_body(head.body)?;
            self.del(Tab::Deliveries, key)?;
            self.count(&counter(connection), -1)?;
        }
        Ok(())
    }

    /// Keeps what is known of the webhooks of a connection.
    pub fn put_hooks(&mut self, row: &HooksRow) -> Result<(), StoreError> {
        self.put_row(Tab::Hooks, &Key::new().u32(row.connection.0).0, row)
    }

    pub(crate) fn drop_hooks(&mut self, connection: ConnectionId) -> Result<(), StoreError> {
        let key = Key::new().u32(connection.0);
        let span = Span::prefix(key.clone());
        for delivery in self.dynamic().keys(Tab::Deliveries, &span, usize::MAX)? {
            self.remove_delivery(connection, &delivery)?;
        }
        self.del(Tab::Hooks, &key.0).map(drop)
    }
}

/// Connection and head of every waiting delivery, for `verify`.
pub(crate) fn all(a: &dyn Access) -> Result<Vec<(ConnectionId, Vec<u8>, Head)>, StoreError> {
    let mut out = Vec::new();
    a.scan(Tab::Deliveries, &Span::all(), &mut |key, value| {
        let connection = codec::Parts::of(Tab::Deliveries.name(), key).u32()?;
        let head = decode(Tab::Deliveries.name(), key, value)?;
        out.push((ConnectionId(connection), key.to_vec(), head));
        Ok(true)
    })?;
    Ok(out)
}
