//! Where pulling of each entity of each connection stands. The cursor is the connector's and opaque.

use crate::access::{Access, Tx};
use crate::codec::{Key, Span};
use crate::error::StoreError;
use crate::rows::FeedRow;
use crate::schema::Tab;
use waybill_model::document::Entity;
use waybill_model::ids::ConnectionId;

fn key(connection: ConnectionId, entity: Entity) -> Key {
    Key::new().u32(connection.0).text(entity.word())
}

pub(crate) fn feed(
    a: &dyn Access,
    connection: ConnectionId,
    entity: Entity,
) -> Result<Option<FeedRow>, StoreError> {
    a.row(Tab::Feeds, &key(connection, entity).0)
}

pub(crate) fn feeds(a: &dyn Access) -> Result<Vec<FeedRow>, StoreError> {
    a.rows(Tab::Feeds, &Span::all(), usize::MAX)
}

impl Tx<'_> {
    /// Stores where pulling stands. In the same closure as the page's documents, so that neither is ahead.
    pub fn put_feed(&mut self, row: &FeedRow) -> Result<(), StoreError> {
        self.put_row(Tab::Feeds, &key(row.connection, row.entity).0, row)
    }

    /// Forgets where pulling stands: the next pull starts at the beginning.
    pub fn remove_feed(
        &mut self,
        connection: ConnectionId,
        entity: Entity,
    ) -> Result<bool, StoreError> {
        self.del(Tab::Feeds, &key(connection, entity).0)
    }
}
