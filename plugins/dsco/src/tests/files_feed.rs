//! Orders from a file server: what is read, when, and what a crash, a half-written file or a broken one leaves.

use super::disk::Disk;
use super::order;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use waybill_sdk::commerce::Document;
use waybill_sdk::types::{Failure, Problem};

const HEAD: &str = "po_number,number_of_line_items,dsco_order_id,dsco_retailer_id,dsco_retailer_name,line_item_line_number,line_item_sku,line_item_quantity,dsco_last_update_date\n";

/// A file of that many orders of two lines each.
fn export(orders: std::ops::Range<u64>) -> String {
    let mut text = HEAD.to_owned();
    for order in orders {
        for line in 1..=2 {
            writeln!(
                text,
                "PO-{order},2,{order},1000007001,Acme,{line},SKU-{line},1,2025-11-21T09:00:00+00:00"
            )
            .unwrap();
        }
    }
    text
}

/// Polls until nothing more is there.
fn drain(disk: &Disk, cursor: &mut Option<Vec<u8>>) -> Vec<Document> {
    let mut all = Vec::new();
    for _ in 0..100 {
        let page = disk.pull(cursor.as_deref(), true).unwrap();
        all.extend(page.documents);
        *cursor = Some(page.cursor);
        if !page.more {
            return all;
        }
    }
    panic!("the feed never ends");
}

fn keys(documents: &[Document]) -> Vec<&str> {
    documents.iter().map(|d| d.key.as_str()).collect()
}

/// A connection that was used before.
fn used(disk: &Disk) -> Option<Vec<u8>> {
    let mut cursor = None;
    assert!(drain(disk, &mut cursor).is_empty());
    cursor
}

#[test]
fn an_export_is_read_once_and_what_was_archived_before_is_not() {
    let disk = Disk::new();
    disk.write("out/archive/Purchase_Order_0.csv", export(1..5));
    disk.write("out/Purchase_Order_1.csv", export(10..12));
    disk.write("out/packing_slips.pdf", "%PDF");
    disk.write("out/Purchase_Order_2.csv.part", export(20..22));
    disk.write("out/Shipment_1.csv", "x");
    let mut cursor = used(&disk);
    assert!(
        drain(&disk, &mut cursor).is_empty(),
        "it may still be written"
    );
    disk.pass(10);
    let read = drain(&disk, &mut cursor);
    assert_eq!(keys(&read), ["10", "11"]);
    assert_eq!(order(&read[0]).retailer_name, "Acme");
    for _ in 0..3 {
        disk.pass(700);
        assert!(drain(&disk, &mut cursor).is_empty());
    }
    assert_eq!(disk.reads.get(), 1);
    assert!(
        disk.names()
            .contains(&"out/archive/Purchase_Order_1.csv".to_owned())
    );
}

#[test]
fn the_same_name_with_other_content_is_read_again() {
    let disk = Disk::new();
    disk.archives.set(false);
    let mut cursor = used(&disk);
    for orders in [1..3, 3..9, 1..3] {
        disk.write("out/Purchase_Order_all.csv", export(orders.clone()));
        assert!(drain(&disk, &mut cursor).is_empty());
        disk.pass(10);
        assert_eq!(drain(&disk, &mut cursor).len(), orders.count());
    }
}

#[test]
fn a_file_that_grows_is_left_until_it_rests() {
    let disk = Disk::new();
    let mut cursor = used(&disk);
    let whole = export(1..4);
    for cut in [
        5,
        HEAD.len() - 1,
        HEAD.len(),
        HEAD.len() + 40,
        whole.len() - 1,
    ] {
        disk.write("out/Purchase_Order_1.csv", &whole[..cut]);
        assert!(drain(&disk, &mut cursor).is_empty(), "{cut}");
        disk.pass(9);
        assert!(drain(&disk, &mut cursor).is_empty(), "{cut}");
    }
    disk.write("out/Purchase_Order_1.csv", whole);
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    assert_eq!(keys(&drain(&disk, &mut cursor)), ["1", "2", "3"]);
}

#[test]
fn a_writer_that_died_half_way_loses_nothing_at_any_byte() {
    // What its next attempt writes under the same name is read, whatever the first one left.
    let whole = export(1..4);
    for cut in 0..whole.len() {
        let disk = Disk::new();
        disk.archives.set(cut % 2 == 0);
        let mut cursor = used(&disk);
        disk.write("out/Purchase_Order_1.csv", &whole[..cut]);
        let mut found = BTreeSet::new();
        let mut poll = |cursor: &mut Option<Vec<u8>>| {
            disk.pass(10);
            let page = disk.pull(cursor.as_deref(), true).unwrap();
            *cursor = Some(page.cursor);
            for document in &page.documents {
                found.insert((document.key.clone(), order(document).lines.len()));
            }
        };
        for _ in 0..4 {
            poll(&mut cursor);
        }
        disk.write("out/Purchase_Order_1.csv", whole.clone());
        for _ in 0..4 {
            poll(&mut cursor);
        }
        let whole: BTreeSet<(String, usize)> =
            ["1", "2", "3"].map(|key| (key.to_owned(), 2)).into();
        assert_eq!(found, whole, "cut at {cut}");
    }
}

#[test]
fn a_crash_before_the_commit_reads_the_archived_file_again() {
    let disk = Disk::new();
    let mut cursor = used(&disk);
    disk.write("out/Purchase_Order_1.csv", export(1..3));
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    // Read, moved away by the server, and never committed.
    assert_eq!(
        disk.pull(cursor.as_deref(), false).unwrap().documents.len(),
        2
    );
    assert_eq!(disk.names(), ["out/archive/Purchase_Order_1.csv"]);
    disk.pass(1);
    assert_eq!(keys(&drain(&disk, &mut cursor)), ["1", "2"]);
    disk.pass(700);
    assert!(drain(&disk, &mut cursor).is_empty());
}

#[test]
fn what_another_client_downloaded_is_found_in_the_archive() {
    let disk = Disk::new();
    let mut cursor = used(&disk);
    disk.pass(700);
    disk.write("out/archive/Purchase_Order_1.csv", export(1..3));
    disk.pass(700);
    assert_eq!(keys(&drain(&disk, &mut cursor)), ["1", "2"]);
}

#[test]
fn archived_files_of_some_days_are_read_at_first_where_that_is_wanted() {
    let disk = Disk::new();
    disk.write("out/archive/Purchase_Order_1.csv", export(1..2));
    disk.pass(3 * 86_400);
    disk.write("out/archive/Purchase_Order_2.csv", export(2..3));
    disk.pass(86_400);
    let pairs = [("transport", "files"), ("archive-days", "2")];
    let mut cursor: Option<Vec<u8>> = None;
    let mut found = Vec::new();
    for _ in 0..4 {
        let page = disk
            .call(&pairs, true, |api, depot| {
                crate::files::pull(api, depot, cursor.as_deref())
            })
            .unwrap();
        found.extend(page.documents);
        cursor = Some(page.cursor);
        disk.pass(700);
    }
    assert_eq!(keys(&found), ["2"]);
}

#[test]
fn a_large_file_is_read_in_pages_and_a_crash_in_the_middle_goes_on_there() {
    for archives in [true, false] {
        let disk = Disk::new();
        disk.archives.set(archives);
        let mut cursor = used(&disk);
        disk.write("out/Purchase_Order_1.csv", export(0..4_500));
        assert!(drain(&disk, &mut cursor).is_empty());
        disk.pass(10);
        let mut sizes = Vec::new();
        let mut seen = BTreeSet::new();
        for _ in 0..10 {
            // Each page is lost once.
            let lost = disk.pull(cursor.as_deref(), false).unwrap();
            let page = disk.pull(cursor.as_deref(), true).unwrap();
            assert_eq!(keys(&lost.documents), keys(&page.documents));
            sizes.push(page.documents.len());
            for document in &page.documents {
                assert_eq!(order(document).lines.len(), 2);
                assert!(seen.insert(document.key.clone()), "{}", document.key);
            }
            cursor = Some(page.cursor);
            if !page.more {
                break;
            }
        }
        assert_eq!(sizes, [1_000, 1_000, 1_000, 1_000, 500, 0]);
        assert_eq!(seen.len(), 4_500);
    }
}

#[test]
fn orders_that_lie_among_each_other_are_read_in_pages_too() {
    let disk = Disk::new();
    let mut cursor = used(&disk);
    let mut text = HEAD.to_owned();
    for line in 1..=2 {
        for order in 0..4_100 {
            writeln!(
                text,
                "PO-{order},2,{order},1,Acme,{line},S,1,2025-11-21T09:00:00+00:00"
            )
            .unwrap();
        }
    }
    disk.write("out/Purchase_Order_1.csv", text);
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    let all = drain(&disk, &mut cursor);
    let unique: BTreeSet<&str> = keys(&all).into_iter().collect();
    assert_eq!((all.len(), unique.len()), (4_100, 4_100));
    assert!(all.iter().all(|document| order(document).lines.len() == 2));
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_is_said_and_the_new_one_read() {
    let disk = Disk::new();
    disk.archives.set(false);
    let mut cursor = used(&disk);
    disk.write("out/Purchase_Order_1.csv", export(0..3_000));
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    let page = disk.pull(cursor.as_deref(), true).unwrap();
    assert_eq!(page.documents.len(), 1_000);
    cursor = Some(page.cursor);
    disk.write("out/Purchase_Order_1.csv", export(5_000..5_002));
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    assert_eq!(keys(&drain(&disk, &mut cursor)), ["5000", "5001"]);
    let said = disk.cards();
    assert!(
        said[0].contains("after 1000 of its orders were read") && said.len() == 1,
        "{said:?}"
    );
    disk.pass(86_400);
    assert!(drain(&disk, &mut cursor).is_empty());
    assert!(disk.cards().is_empty(), "not for ever");
}

fn problem(failure: Failure) -> Problem {
    match failure {
        Failure::Rejected(problem) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_broken_file_is_named_by_row_and_column_and_the_others_are_read() {
    let disk = Disk::new();
    let mut cursor = used(&disk);
    let broken = export(1..3).replace(
        "PO-2,2,2,1000007001,Acme,2,SKU-2,1",
        "PO-2,2,2,1000007001,Acme,2,SKU-2,many",
    );
    disk.write("out/Purchase_Order_1.csv", broken);
    disk.write("out/Purchase_Order_2.csv", export(7..8));
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    // Order 1 of the broken file is whole, and not taken either.
    assert_eq!(keys(&drain(&disk, &mut cursor)), ["7"]);
    let said = "Nothing of this file of orders was taken: `Purchase_Order_1.csv`: row 5, column `line_item_quantity`: `many` is no number.";
    assert_eq!(disk.cards(), [said]);
    // New ones are read all the same.
    disk.write("out/Purchase_Order_3.csv", export(9..10));
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    assert_eq!(keys(&drain(&disk, &mut cursor)), ["9"]);
    disk.pass(700);
    assert!(drain(&disk, &mut cursor).is_empty());
    assert_eq!(disk.cards(), [said], "as long as it is there");
    assert_eq!(disk.reads.get(), 3, "and is not read again by itself");
}

/// A connection that was used before, and refused a file since.
fn with_a_broken_file(disk: &Disk) -> Option<Vec<u8>> {
    let mut cursor = used(disk);
    disk.write(
        "out/Purchase_Order_1.csv",
        export(1..3).replace("SKU-2,1,", "SKU-2,,"),
    );
    assert!(drain(disk, &mut cursor).is_empty());
    disk.pass(10);
    assert!(drain(disk, &mut cursor).is_empty());
    assert_eq!(disk.cards().len(), 1);
    cursor
}

#[test]
fn the_card_of_a_broken_file_goes_with_it() {
    let disk = Disk::new();
    let mut cursor = with_a_broken_file(&disk);
    disk.remove("out/archive/Purchase_Order_1.csv");
    assert!(drain(&disk, &mut cursor).is_empty());
    assert!(disk.cards().is_empty());
}

#[test]
fn the_card_of_a_broken_file_goes_when_it_is_to_be_left_alone() {
    let disk = Disk::new();
    let cursor = with_a_broken_file(&disk);
    let pairs = [
        ("transport", "files"),
        ("ignored-files", "Purchase_Order_1.csv"),
    ];
    disk.call(&pairs, true, |api, depot| {
        crate::files::pull(api, depot, cursor.as_deref())
    })
    .unwrap();
    assert!(disk.cards().is_empty());
}

#[test]
fn a_broken_file_is_read_again_when_a_person_says_so() {
    let disk = Disk::new();
    let mut cursor = with_a_broken_file(&disk);
    let said = disk.cards();
    disk.retry();
    assert!(drain(&disk, &mut cursor).is_empty());
    assert_eq!((disk.cards(), disk.reads.get()), (said, 2));
}

#[test]
fn a_file_that_the_server_keeps_back_or_that_is_too_large_holds_up_no_other() {
    let disk = Disk::new();
    let mut cursor = used(&disk);
    disk.write("out/Purchase_Order_0_locked.csv", export(1..2));
    disk.write("out/Purchase_Order_1_huge.csv", export(2..3));
    disk.write("out/Purchase_Order_2.csv", export(3..4));
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    let mut found = Vec::new();
    let mut failed = 0;
    for _ in 0..5 {
        match disk.pull(cursor.as_deref(), true) {
            Ok(page) => {
                found.extend(page.documents);
                cursor = Some(page.cursor);
            }
            Err(failure) => {
                assert_eq!(problem(failure).code, "file-server");
                failed += 1;
            }
        }
    }
    assert_eq!(keys(&found), ["3"]);
    assert!(failed > 0, "what the server refuses is said");
    let said = disk.cards();
    assert!(
        said.len() == 1 && said[0].contains("more than are read at once"),
        "{said:?}"
    );
}

/// A quantity, a date or a name that is none, somewhere in a file of many orders.
#[test]
fn nothing_of_a_file_is_taken_whatever_is_wrong_with_it_and_wherever() {
    let whole = export(0..2_500);
    let header_again = format!("{whole}{HEAD}");
    let latin = [whole.as_bytes(), b"PO-\xe9,1,9999,1,Acme,1,S,1,\n"].concat();
    let utf16: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let formula = format!("{whole}=HYPERLINK(\"x\"),1,9999,1,Acme,1,S,1,\n");
    let double = whole.replacen("dsco_retailer_name", "po_number", 1);
    let line = format!("{whole}\"{}", "x".repeat(2 << 20));
    let broken: [(&str, Vec<u8>, &str); 7] = [
        ("no header", whole[HEAD.len()..].into(), "row 1, column"),
        (
            "a header in the middle",
            header_again.into(),
            "row 5002, column `number_of_line_items`",
        ),
        (
            "another encoding",
            latin,
            "row 5002, column `po_number`: it is not written in UTF-8",
        ),
        (
            "UTF-16",
            [&b"\xff\xfe"[..], &utf16].concat(),
            "row 1, column `1`: the file is written in UTF-16",
        ),
        (
            "a formula",
            formula.into(),
            "row 5002, column `po_number`: it holds a formula",
        ),
        (
            "two columns of a name",
            double.into(),
            "row 1, column `po_number`: there are two",
        ),
        (
            "a line without an end",
            line.into(),
            "row 5002, column `po_number`: it does not end",
        ),
    ];
    for (what, bytes, said) in broken {
        let disk = Disk::new();
        let mut cursor = used(&disk);
        disk.write("out/Purchase_Order_1.csv", bytes);
        disk.write("out/Purchase_Order_2.csv", export(9_000..9_001));
        assert!(drain(&disk, &mut cursor).is_empty());
        disk.pass(10);
        assert_eq!(keys(&drain(&disk, &mut cursor)), ["9000"], "{what}");
        let cards = disk.cards();
        assert!(
            cards.len() == 1 && cards[0].contains(said),
            "{what}: {cards:?}"
        );
    }
}

#[test]
fn a_line_that_breaks_at_any_deed_leaves_the_cursor_where_it_was() {
    let disk = Disk::new();
    let mut cursor = used(&disk);
    disk.write("out/Purchase_Order_1.csv", export(1..3));
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    for _ in 0..20 {
        disk.broken.set(1);
        let said = problem(disk.pull(cursor.as_deref(), true).unwrap_err());
        assert_eq!(said.code, "file-server");
    }
    assert_eq!(keys(&drain(&disk, &mut cursor)), ["1", "2"]);
}

#[test]
fn an_order_by_file_is_one_with_that_of_the_api() {
    let disk = Disk::new();
    let mut cursor = used(&disk);
    let dated = export(1..2);
    let undated = dated
        .replace(",dsco_last_update_date", "")
        .replace(",2025-11-21T09:00:00+00:00", "");
    disk.write("out/Purchase_Order_1.csv", dated);
    disk.pass(1);
    disk.write("out/Purchase_Order_2.csv", undated);
    assert!(drain(&disk, &mut cursor).is_empty());
    disk.pass(10);
    let read = drain(&disk, &mut cursor);
    assert_eq!(keys(&read), ["1", "1"], "one key, so one order");
    assert_eq!(read[0].revision, "2025-11-21T09:00:00Z - - 0");
    assert_eq!(
        read[1].occurred_at,
        super::now() + 1_000,
        "as old as its export"
    );
}
