//! Makes the fixture file of the current schema version. Run it once when a version is released, never again:
//! `cargo run -p waybill-store --example fixture -- agent/store/tests/fixtures/v1.redb.gz`

#[path = "../tests/sample/mod.rs"]
mod sample;

use flate2::Compression;
use flate2::write::GzEncoder;
use sample::{SOURCE, TARGET, exchange, in_file, take_order, with_connections};
use secrecy::SecretString;
use std::error::Error;
use std::io::Write;
use waybill_model::contract::Gap;
use waybill_model::document::Entity;
use waybill_model::ids::Generation;
use waybill_model::job::{Ending, JobState, Reason, Work};
use waybill_model::order_state::OrderStage;
use waybill_store::{BegunRow, FeedRow, NoteKind, NoteRow, Read, RouteRow, Scope, StoreError, Tx};

#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn fill(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let first = take_order(tx, "1001", 1_000)?;
    let second = take_order(tx, "1002", 1_001)?;
    let jobs = [first, second].map(|order| tx.jobs_of_order(order).map(|jobs| jobs[0].id));
    let [job, other] = jobs;
    let (job, other) = (job?, other?);
    tx.put_route(&RouteRow::new(Entity::Order, SOURCE, TARGET))?;
    let batch = tx.create_batch(
        TARGET,
        Work::Push(Entity::Order),
        Entity::Order,
        &[job],
        Generation(1),
        1_002,
    )?;
    if let BegunRow::Fresh(effect) =
        tx.begin_effect(TARGET, "", &[job], "create-order", None, 1_003)?
    {
        tx.finish_effect(effect, Some(b"{\"id\":900}"), 1_004)?;
    }
    tx.set_state(
        job,
        JobState::Done(Ending::Written("900".to_owned())),
        1_005,
    )?;
    tx.close_batch(batch, &[exchange("created")])?;
    tx.link(SOURCE, Entity::Order, "1001", TARGET, Entity::Order, "900")?;
    if let Some(mut row) = tx.order(first)? {
        row.stage = OrderStage::Created;
        row.sale_key = Some("900".to_owned());
        row.sale_number = Some("SO-900".to_owned());
        row.delivered_at = Some(1_005);
        tx.put_order(&row)?;
    }
    let note = NoteRow {
        at: 1_005,
        kind: NoteKind::Ok,
        icon: "check".to_owned(),
        text: "Created as SO-900.".to_owned(),
        words: None,
    };
    tx.note(first, note)?;
    let gap = Gap {
        table: "items".to_owned(),
        retailer: Some("r1".to_owned()),
        value: "1".to_owned(),
    };
    tx.set_state(other, JobState::Parked(Reason::Gaps(vec![gap])), 1_006)?;
    tx.set_cell(
        SOURCE,
        TARGET,
        "warehouses",
        None,
        "WH1",
        Some("3"),
        Some("Main"),
        "ann",
        1_007,
    )?;
    tx.put_feed(&FeedRow {
        connection: SOURCE,
        entity: Entity::Order,
        cursor: Some(vec![1, 2, 3]),
        last_ok: Some(1_000),
        caught_up_at: Some(1_000),
        next_due: 61_000,
        failures: 0,
        taken: 0,
    })?;
    let retailer = Scope {
        connection: None,
        retailer: Some("r1".to_owned()),
    };
    tx.set_setting(
        &retailer,
        "orders.default-country",
        Some("GB"),
        "ann",
        1_008,
    )?;
    tx.set_secret(
        SOURCE,
        "api",
        "token",
        &SecretString::from("kept since v1"),
        1_009,
    )
}

fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::args_os()
        .nth(1)
        .ok_or("say where the fixture goes")?;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("fixture.redb");
    let store = in_file(&path);
    with_connections(&store);
    store.write_blocking(fill)?;
    store.close()?;
    let mut out = GzEncoder::new(std::fs::File::create(target)?, Compression::best());
    out.write_all(&std::fs::read(&path)?)?;
    out.finish()?;
    Ok(())
}
