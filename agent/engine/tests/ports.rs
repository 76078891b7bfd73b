//! The store as the host's ports: what an effect of a scope is looked up by, and which key of a server counts.

use async_trait::async_trait;
use std::sync::Arc;
use waybill_engine::ports::StorePorts;
use waybill_host::ports::{Begun, Clock, EffectScope, HostKeys, Journal};
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

fn ports() -> StorePorts {
    let mut options = Options::new(
        Place::Backend(SimDisk::new(1).backend()),
        SealKey::from_bytes([7; 32]),
    );
    options.writer = Writer::Inline;
    let store = Store::open(options).expect("an empty disk is opened");
    StorePorts::new(store, Arc::new(Stopped))
}

#[tokio::test]
async fn a_scope_without_members_belongs_to_one_connection_and_kind() {
    let ports = ports();
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

#[tokio::test]
async fn the_first_key_of_a_server_stays_the_one_that_counts() {
    let ports = ports();
    let of = |connection: u32, place: &'static str| ports.known(ConnectionId(connection), place);
    assert_eq!(of(1, "a.test:22").await.unwrap(), None);
    for shown in ["SHA256:first", "SHA256:second"] {
        let kept = ports.keep(ConnectionId(1), "a.test:22", shown).await;
        assert_eq!(kept.unwrap(), "SHA256:first");
    }
    let known = of(1, "a.test:22").await.unwrap();
    assert_eq!(known.as_deref(), Some("SHA256:first"));
    assert_eq!(of(1, "a.test:2222").await.unwrap(), None);
    assert_eq!(of(2, "a.test:22").await.unwrap(), None);
}
