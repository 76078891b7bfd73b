//! What goes back by files: names that a second attempt makes again, rows by their columns, lost answers, mixed batches,
//! and what the folders tell of a file.

use super::disk::{Disk, Fate};
use super::ship::{delivery, origin, parcel};
use super::{CREATED, value, with};
use crate::bindings::exports::waybill::connector::levels::{Level, Place};
use crate::bindings::exports::waybill::connector::sink::Delivery;
use crate::files::{Pieces, Table};
use crate::{cancel, confirm, invoice, ship, stock};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::commerce::{CancelPhase, Decimal};
use waybill_sdk::types::{Failure, Outcome, Receipt, Verdict};

const FILES: [(&str, &str); 1] = [("transport", "files")];

/// Shipments by files, and the API beside them.
pub(super) const SHIPPED_BY_FILES: [(&str, &str); 2] =
    [("transport", "each"), ("shipments-by", "files")];

pub(super) fn push(disk: &Disk, attempt: u32, jobs: &[u64], commit: bool) -> Vec<Verdict> {
    push_as(disk, &FILES, attempt, jobs, commit)
}

pub(super) fn push_as(
    disk: &Disk,
    pairs: &[(&str, &str)],
    attempt: u32,
    jobs: &[u64],
    commit: bool,
) -> Vec<Verdict> {
    let batch: Vec<Delivery> = jobs
        .iter()
        .map(|job| {
            delivery(
                &format!("10{job}"),
                vec![parcel(&format!("1Z{job}"), &[("1", "2"), ("2", "1")])],
            )
        })
        .collect();
    disk.jobs.replace(jobs.to_vec());
    disk.call(pairs, commit, |api, _| Ok(ship::push(api, attempt, &batch)))
        .unwrap()
}

pub(super) fn handles(verdicts: &[Verdict]) -> Vec<String> {
    let handle = |verdict: &Verdict| match verdict {
        Ok(Outcome::Pending(ticket)) => ticket.handle.clone(),
        other => panic!("not queued: {other:?}"),
    };
    verdicts.iter().map(handle).collect()
}

struct Whole(Vec<u8>);

impl Pieces for Whole {
    fn next(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

/// The rows of every file in the folder of imports, wherever DSCO put it.
fn rows(disk: &Disk) -> Vec<BTreeMap<String, String>> {
    let mut all = Vec::new();
    for (path, (bytes, _)) in disk.files.borrow().iter() {
        if !path.starts_with("in/") {
            continue;
        }
        let mut table = Table::open(Whole(bytes.clone()), b',', &[]).unwrap();
        while let Some(row) = table.next().unwrap() {
            let cells = row.filled();
            all.push(
                cells
                    .map(|(column, cell)| (column.to_owned(), cell.to_owned()))
                    .collect(),
            );
        }
    }
    all
}

/// How often each parcel's line is in a file.
pub(super) fn told(disk: &Disk) -> BTreeMap<(String, String), usize> {
    let mut all = BTreeMap::new();
    for row in rows(disk) {
        let key = (
            row["package_tracking_number"].clone(),
            row["line_item_line_number"].clone(),
        );
        *all.entry(key).or_default() += 1;
    }
    all
}

pub(super) fn once(jobs: &[u64]) -> BTreeMap<(String, String), usize> {
    let lines = |job: &u64| ["1", "2"].map(|line| ((format!("1Z{job}"), line.to_owned()), 1));
    jobs.iter().flat_map(lines).collect()
}

/// DSCO has imported everything.
pub(super) fn import(disk: &Disk) {
    let mut files = disk.files.borrow_mut();
    let paths: Vec<String> = files
        .keys()
        .filter(|p| p.matches('/').count() == 1)
        .cloned()
        .collect();
    for path in paths {
        if let Some(name) = path.strip_prefix("in/") {
            let content = files.remove(&path).unwrap();
            files.insert(format!("in/archive/{name}"), content);
        }
    }
}

#[test]
fn a_batch_is_one_file_and_the_archive_says_that_it_was_processed() {
    let disk = Disk::new();
    let verdicts = push(&disk, 1, &[1, 2], true);
    assert_eq!(told(&disk), once(&[1, 2]));
    let names = disk.names();
    assert_eq!(names.len(), 1);
    assert!(
        names[0].starts_with("in/Shipment_20251121090000_"),
        "{names:?}"
    );
    let row = &rows(&disk)[0];
    for (column, cell) in [
        ("po_number", "PO-1001"),
        ("dsco_order_id", "101"),
        ("package_tracking_number", "1Z1"),
        ("package_ship_carrier", "UPS"),
        ("shipping_service_level_code", "UPCG"),
        ("package_ship_date", "2025-11-21T09:05:00+00:00"),
        ("package_warehouse_code", "WH01"),
        ("line_item_line_number", "1"),
        ("line_item_quantity", "2"),
    ] {
        assert_eq!(row.get(column).map(String::as_str), Some(cell), "{column}");
    }
    let ask = |handles: &[String]| {
        disk.call(&FILES, true, |api, _| confirm::confirm(api, handles))
            .unwrap()
    };
    let waiting = ask(&handles(&verdicts));
    let waiting = handles(&waiting);
    import(&disk);
    let done: Vec<Receipt> = ask(&waiting)
        .into_iter()
        .map(|verdict| match verdict {
            Ok(Outcome::Done(receipt)) => receipt,
            other => panic!("{other:?}"),
        })
        .collect();
    let name = names[0].strip_prefix("in/").unwrap();
    assert_eq!(
        done[0].key,
        format!("file:{name}#101/1Z1"),
        "nobody confirmed the shipment itself"
    );
    assert_eq!(done[1].number.as_deref(), Some("1Z2"));
}

#[test]
fn a_file_that_nobody_takes_is_said() {
    let disk = Disk::new();
    let verdicts = push(&disk, 1, &[1], true);
    disk.pass(7_300);
    let handles = handles(&verdicts);
    let verdict = disk
        .call(&FILES, true, |api, _| confirm::confirm(api, &handles))
        .unwrap()
        .remove(0);
    assert!(
        matches!(verdict, Err(Failure::InDoubt(problem)) if problem.code == "file-not-processed")
    );
}

#[test]
fn lost_answers_lose_and_double_nothing() {
    for fate in [Fate::Nothing, Fate::Lost, Fate::Vanished] {
        for imported in [false, true] {
            for crashed in [false, true] {
                let disk = Disk::new();
                disk.fates.borrow_mut().push(fate);
                let first = push(&disk, 1, &[1, 2], !crashed);
                assert!(
                    first.iter().all(|v| matches!(v, Err(Failure::Retry(_)))),
                    "{first:?}"
                );
                if imported {
                    import(&disk);
                }
                let case = format!("{fate:?} imported={imported} crashed={crashed}");
                // After a crash the same batch comes again; else its members come again in any company.
                let batches: &[&[u64]] = if crashed {
                    &[&[1, 2]]
                } else {
                    &[&[3, 1], &[2]]
                };
                let mut settled = BTreeSet::new();
                for round in 0..4 {
                    disk.pass(20);
                    for batch in batches {
                        let left: Vec<u64> = batch
                            .iter()
                            .copied()
                            .filter(|job| !settled.contains(job))
                            .collect();
                        if left.is_empty() {
                            continue;
                        }
                        let verdicts = push(&disk, round + 2, &left, true);
                        for (job, verdict) in left.iter().zip(verdicts) {
                            if verdict.is_ok() {
                                settled.insert(*job);
                            }
                        }
                    }
                }
                let all: Vec<u64> = batches.concat();
                assert_eq!(settled, all.iter().copied().collect(), "{case}");
                assert_eq!(told(&disk), once(&all), "{case}");
            }
        }
    }
}

#[test]
fn what_a_lost_database_sent_is_found_under_another_name() {
    for processing in [false, true] {
        let disk = Disk::new();
        push(&disk, 1, &[1, 2], true);
        if processing {
            let (path, content) = disk.files.borrow_mut().pop_first().unwrap();
            let path = path.replace("in/", "in/processing/");
            disk.files.borrow_mut().insert(path, content);
        }
        disk.restore();
        // DSCO's imports run by a schedule of their own: hours later it still lies there.
        disk.pass(3 * 3_600);
        let verdicts = push(&disk, 1, &[2, 3], true);
        assert_eq!(handles(&verdicts).len(), 2);
        assert_eq!(told(&disk), once(&[1, 2, 3]));
    }
}

#[test]
fn what_a_lost_database_sent_and_dsco_took_is_seen_on_its_order() {
    let disk = Disk::new();
    push_as(&disk, &SHIPPED_BY_FILES, 1, &[1, 2], true);
    import(&disk);
    disk.restore();
    let items =
        [(1, 2), (2, 1)].map(|(line, units)| json!({"lineNumber": line, "quantity": units}));
    let taken = origin_as_shown("102", &json!([{"trackingNumber": "1Z2", "items": items}]));
    let open = origin_as_shown("103", &json!([]));
    disk.orders.borrow_mut().extend([taken, open]);
    disk.pass(3_600);
    let verdicts = push_as(&disk, &SHIPPED_BY_FILES, 1, &[2, 3], true);
    assert!(
        matches!(&verdicts[0], Ok(Outcome::Done(receipt)) if receipt.duplicate),
        "{verdicts:?}"
    );
    handles(&verdicts[1..]);
    assert_eq!(told(&disk), once(&[1, 2, 3]));
}

/// An order as the API shows it, by its id.
pub(super) fn origin_as_shown(
    id: &str,
    packages: &serde_json::Value,
) -> (String, serde_json::Value) {
    let changes = json!({"dscoOrderId": id, "packages": packages});
    (id.to_owned(), value(&with(CREATED, changes)))
}

#[test]
fn what_the_log_refused_before_a_file_was_found_is_its_answer() {
    // Put, taken and refused; our answer was lost, and the look comes minutes later.
    let disk = Disk::new();
    disk.fates.borrow_mut().push(Fate::Lost);
    push_as(&disk, &SHIPPED_BY_FILES, 1, &[1], true);
    let put_at = disk.now.get();
    import(&disk);
    disk.pass(300);
    let verdicts = push_as(&disk, &SHIPPED_BY_FILES, 2, &[1], true);
    let handle: serde_json::Value = serde_json::from_str(&handles(&verdicts)[0]).unwrap();
    assert_eq!(handle["t"], put_at, "its entries are looked for since then");
}

#[test]
fn a_look_that_fails_is_no_proof() {
    let disk = Disk::new();
    disk.fates.borrow_mut().push(Fate::Lost);
    push(&disk, 1, &[1], true);
    import(&disk);
    for _ in 0..20 {
        disk.pass(60);
        disk.broken.set(2);
        let verdict = push(&disk, 2, &[1], true).remove(0);
        assert!(matches!(verdict, Err(Failure::Retry(_))), "{verdict:?}");
        disk.broken.set(0);
    }
    assert!(push(&disk, 2, &[1], true)[0].is_ok());
    assert_eq!(told(&disk), once(&[1]));
}

#[test]
fn a_file_that_is_there_in_part_waits_for_a_person() {
    let disk = Disk::new();
    disk.fates.borrow_mut().push(Fate::Lost);
    push(&disk, 1, &[1], true);
    let path = disk.names().remove(0);
    let whole = disk.files.borrow()[&path].0.clone();
    let mut seen = BTreeSet::new();
    let rows = whole.iter().position(|byte| *byte == b'\n').unwrap() + 2;
    for cut in rows..whole.len() {
        disk.write(&path, &whole[..cut]);
        disk.pass(60);
        match push(&disk, 2, &[1], false).remove(0) {
            Err(Failure::InDoubt(problem)) => seen.insert(problem.code),
            Ok(_) => seen.insert("there".to_owned()),
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(
        seen,
        BTreeSet::from(["file-not-whole".to_owned(), "there".to_owned()])
    );
}

#[test]
fn invoices_and_cancels_have_their_columns() {
    let disk = Disk::new();
    disk.jobs.replace(vec![1]);
    let order = origin("77", json!({}));
    let bill = super::invoice::invoice(
        &order,
        "SI-1",
        &[("1", "2", "9.50"), ("2", "1", "6.00")],
        "25.00",
    );
    disk.call(&FILES, true, |api, _| Ok(invoice::push(api, 1, &[bill])))
        .unwrap();
    let row = rows(&disk).remove(0);
    for (column, cell) in [
        ("invoice_id", "SI-1"),
        ("po_number", "PO-1001"),
        ("invoice_total_amount", "25"),
        ("line_item_line_number", "1"),
        ("line_item_quantity", "2"),
        ("line_item_unit_price", "9.5"),
    ] {
        assert_eq!(
            row.get(column).map(|c| c
                .trim_end_matches(".0")
                .trim_end_matches('0')
                .trim_end_matches('.')),
            Some(cell.trim_end_matches('0').trim_end_matches('.')),
            "{column}"
        );
    }
    disk.files.borrow_mut().clear();
    let cancel =
        super::sandbox_cancel::cancel(&order, CancelPhase::Ordered, Some("CXSO"), &[("1", 1)]);
    let pairs = [
        ("transport", "files"),
        ("cancel-code-column", "order_cancel_code"),
    ];
    disk.jobs.replace(vec![2]);
    disk.call(&pairs, true, |api, _| Ok(cancel::push(api, 1, &[cancel])))
        .unwrap();
    let row = rows(&disk).remove(0);
    assert_eq!(row["line_item_status_quantity"], "1");
    assert_eq!(row["order_cancel_code"], "CXSO");
    assert_eq!(row["dsco_order_id"], "77");
}

#[test]
fn stock_goes_in_files_whose_names_follow_their_time() {
    let disk = Disk::new();
    disk.jobs.replace(vec![1, 2]);
    let place = |warehouse: &str, units| Place {
        warehouse: warehouse.to_owned(),
        available: Decimal::whole(units),
        expected_at: None,
    };
    let level = |item: &str, places| Level {
        item: item.to_owned(),
        places,
    };
    let batch = [
        level("A,1", vec![place("WH01", 3), place("WH02", 0)]),
        level("B", vec![place("WH01", 7)]),
    ];
    disk.fates.borrow_mut().push(Fate::Lost);
    let send = || {
        disk.call(&FILES, true, |api, _| Ok(stock::push(api, &batch)))
            .unwrap()
    };
    assert!(
        send()
            .iter()
            .all(|v| matches!(v, Err(Failure::Retry(None))))
    );
    disk.broken.set(0);
    disk.pass(1);
    let verdicts = send();
    let names = disk.names();
    assert_eq!(
        names,
        [
            "in/Inventory_20251121100000000_1.csv",
            "in/Inventory_20251121100001000_1.csv"
        ]
    );
    let text = String::from_utf8(disk.files.borrow()[&names[1]].0.clone()).unwrap();
    assert_eq!(
        text,
        "sku,quantity_available,status,warehouse_code_1,warehouse_quantity_1,warehouse_code_2,warehouse_quantity_2\r\n\
         \"A,1\",3,in-stock,WH01,3,WH02,0\r\nB,7,in-stock,WH01,7,,\r\n"
    );
    import(&disk);
    let handles = handles(&verdicts);
    let done = disk
        .call(&FILES, true, |api, _| confirm::confirm(api, &handles))
        .unwrap();
    assert!(done.iter().all(|v| matches!(v, Ok(Outcome::Done(_)))));
}

#[test]
fn a_line_that_breaks_once_more_asks_no_person() {
    let disk = Disk::new();
    // Late attempts, as there are many on a bad line: the server lists its files, and takes this one the second time.
    disk.fates.borrow_mut().push(Fate::Nothing);
    let verdicts = push(&disk, 7, &[1, 2], true);
    let asked = handles(&verdicts);
    disk.broken.set(1);
    let lost = disk.call(&FILES, true, |api, _| confirm::confirm(api, &asked));
    assert!(
        matches!(lost, Err(Failure::Retry(_))),
        "nobody knows what became of them: {lost:?}"
    );
    // What it refuses twice, it refuses.
    disk.fates.borrow_mut().extend([Fate::Nothing; 2]);
    let refused = push(&disk, 7, &[3], true).remove(0);
    assert!(matches!(refused, Err(Failure::Rejected(problem)) if problem.code == "file-server"));
    disk.fates.borrow_mut().push(Fate::Nothing);
    let early = push(&disk, 1, &[4], true).remove(0);
    assert!(matches!(early, Err(Failure::Retry(_))));
}

/// Stock by files, and the API beside them.
const BOTH: [(&str, &str); 2] = [("transport", "each"), ("stock-by", "files")];

/// Sends seven units of A and five of B by a file, of which the log says this; the answers to one question.
fn told_by_file(disk: &Disk, log: &serde_json::Value) -> Vec<String> {
    disk.stock_log.replace(Some(log.clone()));
    disk.jobs.replace(vec![1, 2]);
    let level = |item: &str, units| Level {
        item: item.to_owned(),
        places: vec![Place {
            warehouse: "WH01".to_owned(),
            available: Decimal::whole(units),
            expected_at: None,
        }],
    };
    let batch = [level("A", 7), level("B", 5)];
    let sent = disk.call(&BOTH, true, |api, _| Ok(stock::push(api, &batch)));
    handles(&sent.unwrap())
}

fn asked(disk: &Disk, handles: &[String]) -> Vec<Verdict> {
    disk.call(&BOTH, true, |api, _| confirm::confirm(api, handles))
        .unwrap()
}

fn entry(sku: &str, units: i64, status: &str) -> serde_json::Value {
    json!({"status": status, "dateProcessed": "2025-11-21T10:00:00Z",
        "payload": {"sku": sku, "quantityAvailable": units}})
}

#[test]
fn an_item_that_dsco_passes_over_does_not_hold_up_the_stock_of_the_others() {
    let disk = Disk::new();
    let sent = told_by_file(&disk, &json!({"logs": [entry("A", 7, "success")]}));
    import(&disk);
    disk.pass(3);
    let first = asked(&disk, &sent);
    assert!(matches!(first[0], Ok(Outcome::Done(_))), "{first:?}");
    // The log may only be late.
    let silent = handles(&first[1..]);
    disk.pass(29);
    let silent = handles(&asked(&disk, &silent));
    disk.pass(1);
    let last = asked(&disk, &silent);
    assert!(matches!(last[0], Ok(Outcome::Done(_))), "{last:?}");
}

#[test]
fn what_the_log_says_of_an_earlier_file_is_no_answer() {
    let disk = Disk::new();
    let earlier = json!({"logs": [entry("A", 8, "success"), entry("B", 4, "failure")]});
    let sent = told_by_file(&disk, &earlier);
    disk.pass(60);
    let sent = handles(&asked(&disk, &sent));
    import(&disk);
    let sent = handles(&asked(&disk, &sent));
    let all = json!({"logs": [entry("A", 8, "success"), entry("B", 4, "failure"),
        entry("A", 7, "failure"), entry("B", 5, "success")]});
    disk.stock_log.replace(Some(all));
    let last = asked(&disk, &sent);
    assert!(matches!(last[0], Err(Failure::Rejected(_))), "{last:?}");
    assert!(matches!(last[1], Ok(Outcome::Done(_))), "{last:?}");
}

#[test]
fn what_the_log_says_of_a_file_that_is_not_processed_is_no_answer() {
    let disk = Disk::new();
    let log = json!({"logs": [entry("A", 7, "success"), entry("B", 5, "success")]});
    let sent = told_by_file(&disk, &log);
    disk.pass(60);
    let sent = handles(&asked(&disk, &sent));
    import(&disk);
    let last = asked(&disk, &sent);
    assert!(last.iter().all(|v| matches!(v, Ok(Outcome::Done(_)))));
}

#[test]
fn what_the_log_says_of_a_call_is_no_answer_about_a_file() {
    let disk = Disk::new();
    let mut of_call = entry("A", 7, "failure");
    of_call["requestMethod"] = json!("api");
    let mut of_file = entry("A", 7, "success");
    of_file["requestMethod"] = json!("file");
    of_file["processId"] = json!("p-1");
    let log = json!({"logs": [of_call, of_file, entry("B", 5, "success")]});
    let sent = told_by_file(&disk, &log);
    import(&disk);
    let last = asked(&disk, &sent);
    assert!(last.iter().all(|v| matches!(v, Ok(Outcome::Done(_)))));
}
