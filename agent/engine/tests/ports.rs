//! The store as the host's ports: what an effect of a scope is looked up by.

use async_trait::async_trait;
use std::sync::Arc;
use waybill_engine::ports::StorePorts;
use waybill_host::ports::{Begun, Clock, EffectScope, Journal};
use waybill_model::ids::{ConnectionId, Millis};
use waybill_store::sim_disk::SimDisk;
use waybill_store::{Options, Place, SealKey, Store, Writer};

struct Stopped;

#[async_trait]
impl Clock for Stopped {
    fn now_ms(&self) -> Millis {
        5
    }
    async fn sleep_ms(&self, _: u64) {}
}

#[tokio::test]
async fn a_scope_without_members_belongs_to_one_connection_and_kind() {
    let mut options = Options::new(
        Place::Backend(SimDisk::new(1).backend()),
        SealKey::from_bytes([7; 32]),
    );
    options.writer = Writer::Inline;
    let ports = StorePorts::new(Store::open(options).unwrap(), Arc::new(Stopped));
    let setup = EffectScope::Setup("stream".to_owned());
    let poll = EffectScope::Poll("stream".to_owned());
    let begin = async |connection: u32, scope: &EffectScope| {
        ports
            .begin(ConnectionId(connection), scope, "create", &[], None)
            .await
            .unwrap()
    };
    assert!(matches!(begin(1, &setup).await, Begun::Fresh(_)));
    assert!(matches!(begin(2, &setup).await, Begun::Fresh(_)));
    assert!(matches!(begin(1, &poll).await, Begun::Fresh(_)));
    assert_eq!(begin(1, &setup).await, Begun::InDoubt { since: 5 });
    ports
        .retract(ConnectionId(1), &setup, "create", &[])
        .await
        .unwrap();
    assert_eq!(begin(2, &setup).await, Begun::InDoubt { since: 5 });
    assert!(matches!(begin(1, &setup).await, Begun::Fresh(_)));
}
