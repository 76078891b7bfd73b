//! Files of orders as DSCO writes them, as other programs rewrite them, and as nobody should.

use super::{CREATED, now, order, value, wire, with_api};
use crate::files::{Mistake, Orders, Pieces, table};
use crate::order::{self as mapping, Names};
use crate::wire::order::Order as WireOrder;
use serde_json::Value;
use std::fmt::Write as _;
use waybill_sdk::commerce::{Decimal, Document};
use waybill_sdk::replay::TestHost;

/// A file handed out in pieces of that size.
struct File {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl Pieces for File {
    fn next(&mut self) -> Vec<u8> {
        let end = self.bytes.len().min(self.at + self.piece);
        let piece = self.bytes[self.at..end].to_vec();
        self.at = end;
        piece
    }
}

fn open(
    bytes: &[u8],
    piece: usize,
) -> Result<Orders<File, impl FnMut(u64) -> File + use<'_>>, Mistake> {
    Orders::open(b',', move |at| File {
        bytes: bytes.to_vec(),
        at: usize::try_from(at).unwrap(),
        piece,
    })
}

fn all(bytes: &[u8], piece: usize) -> Result<Vec<WireOrder>, Mistake> {
    let mut orders = open(bytes, piece)?;
    let mut found = Vec::new();
    while let Some(order) = orders.next()? {
        found.push(order);
    }
    assert_eq!(found.len(), orders.len());
    Ok(found)
}

fn mistake(text: &str) -> String {
    all(text.as_bytes(), 7).unwrap_err().to_string()
}

fn document(order: &WireOrder) -> Document {
    let host = TestHost::at(now());
    with_api(&host, &[], |api| {
        mapping::document(api, order, &Names::default())
    })
    .unwrap()
}

const COLUMNS: &[&str] = &[
    "po_number",
    "dsco_order_id",
    "dsco_retailer_id",
    "currency_code",
    "line_item_line_number",
    "line_item_sku",
    "line_item_upc",
    "line_item_quantity",
    "line_item_expected_cost",
    "line_item_title",
    "line_item_ship_by_date",
    "dsco_item_id",
    "ship_name",
    "ship_address_1",
    "ship_address_2",
    "ship_city",
    "ship_region",
    "ship_postal",
    "ship_country",
    "ship_carrier",
    "ship_method",
    "shipping_service_level_code",
    "ship_by_date",
    "test_flag",
    "dsco_order_status",
    "dsco_lifecycle",
    "dsco_last_update_date",
];

/// The fixture of the API as the rows of a file.
fn rows() -> Vec<Vec<Option<String>>> {
    let json = value(CREATED);
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        other => Some(other.to_string()),
    };
    let lines = json["lineItems"].as_array().unwrap();
    let cell = |line: &Value, column: &str| match column {
        "po_number" => text(&json["poNumber"]),
        "dsco_order_id" => text(&json["dscoOrderId"]),
        "dsco_retailer_id" => text(&json["dscoRetailerId"]),
        "currency_code" => text(&json["currencyCode"]),
        "line_item_line_number" => text(&line["lineNumber"]),
        "line_item_sku" => text(&line["sku"]),
        "line_item_upc" => text(&line["upc"]),
        "line_item_quantity" => text(&line["quantity"]),
        "line_item_expected_cost" => text(&line["expectedCost"]),
        "line_item_title" => text(&line["title"]),
        "line_item_ship_by_date" => text(&line["shipByDate"]),
        "dsco_item_id" => text(&line["dscoItemId"]),
        "ship_name" => text(&json["shipping"]["name"]),
        "ship_address_1" => text(&json["shipping"]["address1"]),
        "ship_address_2" => text(&json["shipping"]["address2"]),
        "ship_city" => text(&json["shipping"]["city"]),
        "ship_region" => text(&json["shipping"]["region"]),
        "ship_postal" => text(&json["shipping"]["postal"]),
        "ship_country" => text(&json["shipping"]["country"]),
        "ship_carrier" => text(&json["shipCarrier"]),
        "ship_method" => text(&json["shipMethod"]),
        "shipping_service_level_code" => text(&json["shippingServiceLevelCode"]),
        "ship_by_date" => text(&json["shipByDate"]),
        "test_flag" => text(&json["testFlag"]),
        "dsco_order_status" => text(&json["dscoStatus"]),
        "dsco_lifecycle" => text(&json["dscoLifecycle"]),
        "dsco_last_update_date" => text(&json["dscoLastUpdate"]),
        other => panic!("no cell for {other}"),
    };
    let row = |line: &Value| COLUMNS.iter().map(|column| cell(line, column)).collect();
    lines.iter().map(row).collect()
}

#[test]
fn an_order_by_file_is_the_order_of_the_api() {
    let file = table(COLUMNS, &rows(), b',');
    let orders = all(&file, 11).unwrap();
    let (by_file, by_api) = (document(&orders[0]), document(&wire(CREATED)));
    assert_eq!((orders.len(), &by_file.key), (1, &by_api.key));
    assert_eq!(
        by_file.revision, by_api.revision,
        "one order, whichever way it came"
    );
    let (file, api) = (order(&by_file), order(&by_api));
    assert_eq!((&file.number, &file.retailer), (&api.number, &api.retailer));
    assert_eq!(
        (&file.ship_to.street, &file.ship_to.name),
        (&api.ship_to.street, &api.ship_to.name)
    );
    assert_eq!(file.shipping_method, api.shipping_method);
    assert_eq!(
        file.ship_by.as_ref().map(|d| d.at),
        api.ship_by.as_ref().map(|d| d.at)
    );
    assert_eq!((file.phase, file.test), (api.phase, api.test));
    assert_eq!(file.lines.len(), 2);
    for (file, api) in file.lines.iter().zip(&api.lines) {
        assert_eq!((&file.line, file.number), (&api.line, api.number));
        assert_eq!(
            file.quantity.compare(api.quantity),
            std::cmp::Ordering::Equal
        );
    }
}

const PLAIN: &str = "po_number,dsco_order_id,line_item_line_number,line_item_sku,line_item_quantity,ship_address_1,ship_name\n\
    PO-1,10,1,A,2,\"12 Example St, Apt \"\"4\"\"\",Zoë\n\
    PO-1,10,2,B,1,\"12 Example St, Apt \"\"4\"\"\",Zoë\n\
    PO-2,11,1,\"C\n2\",3,Elsewhere,Jo\n";

fn summary(orders: &[WireOrder]) -> Vec<String> {
    let line = |order: &WireOrder| {
        let lines: Vec<String> = order
            .line_items
            .iter()
            .map(|l| {
                format!(
                    "{}x{}",
                    l.quantity.unwrap(),
                    l.sku.as_deref().unwrap_or("-")
                )
            })
            .collect();
        let address = order.shipping.as_ref().unwrap();
        format!(
            "{} {} {} / {} / {}",
            order.po_number.as_deref().unwrap(),
            order.dsco_order_id.as_deref().unwrap(),
            lines.join(" "),
            address.address1.as_deref().unwrap(),
            address.name.as_deref().unwrap()
        )
    };
    orders.iter().map(line).collect()
}

#[test]
fn columns_may_come_in_any_order_and_dress() {
    let expected = [
        "PO-1 10 2xA 1xB / 12 Example St, Apt \"4\" / Zoë",
        "PO-2 11 3xC\n2 / Elsewhere / Jo",
    ];
    let mark = format!("\u{feff}{PLAIN}");
    let windows = PLAIN
        .replace(",Zoë\n", ",Zoë\r\n")
        .replace("ship_name\n", "ship_name\r\n");
    let no_end = PLAIN.trim_end().to_owned();
    let blank_lines = PLAIN.replace("Zoë\n", "Zoë\n\n");
    for (name, text) in [
        ("plain", PLAIN.to_owned()),
        ("mark", mark),
        ("windows", windows),
        ("no line end", no_end),
        ("blank lines", blank_lines),
    ] {
        for piece in [1, 2, 3, 5, 64, 100_000] {
            let orders = all(text.as_bytes(), piece).unwrap();
            assert_eq!(summary(&orders), expected, "{name} in pieces of {piece}");
        }
    }
    let shuffled = "SHIP_NAME,a new column, dsco_order_id ,line_item_quantity,line_item_sku,line_item_line_number,ship_address_1,po_number,\n\
        Jo,x,11,3,C,1,Elsewhere,PO-2,\n";
    let orders = all(shuffled.as_bytes(), 9).unwrap();
    assert_eq!(summary(&orders), ["PO-2 11 3xC / Elsewhere / Jo"]);
    assert_eq!(
        orders[0].others,
        [("a new column".to_owned(), "x".to_owned())]
    );
}

#[test]
fn rows_of_an_order_need_not_stand_together() {
    let text = "po_number,dsco_order_id,line_item_line_number,line_item_quantity\n\
        P,1,2,1\nQ,2,1,1\nP,1,10,1\nQ,2,2,1\nP,1,1,1\n";
    let orders = all(text.as_bytes(), 16).unwrap();
    let lines = |order: &WireOrder| -> Vec<i64> {
        order
            .line_items
            .iter()
            .map(|l| l.line_number.unwrap())
            .collect()
    };
    assert_eq!(lines(&orders[0]), [1, 2], "the order that ends first");
    assert_eq!(lines(&orders[1]), [1, 2, 10]);
    let mut rest = open(text.as_bytes(), 3).unwrap();
    rest.skip(1);
    assert_eq!(lines(&rest.next().unwrap().unwrap()), [1, 2, 10]);
    assert!(rest.next().unwrap().is_none() && rest.place().is_none());
    // Quoted line ends, blank lines and Windows' line ends are no rows of their own.
    let dressed = text
        .replace("Q,2,1,1\n", "\"Q\",2,1,1\r\n\r\n")
        .replace("P,1,1,1", "\"P\",\"1\",1,1");
    let orders = all(dressed.as_bytes(), 5).unwrap();
    assert_eq!(
        (lines(&orders[0]), lines(&orders[1])),
        (vec![1, 2], vec![1, 2, 10])
    );
}

#[test]
fn what_is_no_file_of_orders_is_refused_by_row_and_column() {
    let head = "po_number,dsco_order_id,line_item_line_number,line_item_quantity";
    let row = |cells: &str| mistake(&format!("{head}\nP,1,1,1\n{cells}\n"));
    for empty in ["", "\n\n", "\u{feff}"] {
        assert_eq!(mistake(empty), "row 1: the file is empty");
    }
    assert_eq!(
        mistake("P,1,1,1\nP,1,2,1\n"),
        "row 1, column `1`: there are two columns of this name"
    );
    assert_eq!(
        mistake("P,1,x,y\n"),
        "row 1, column `po_number`: there is no such column: the first row must name the columns"
    );
    assert_eq!(
        mistake(&format!("{head},PO_NUMBER\n")),
        "row 1, column `po_number`: there are two columns of this name"
    );
    assert_eq!(
        row("P,1,2"),
        "row 3, column `line_item_quantity`: the row ends after 3 of 4 cells"
    );
    assert_eq!(
        row("P,1,2,1,x"),
        "row 3, column `5`: the row has more than 4 cells"
    );
    assert_eq!(row("P,,2,1"), "row 3, column `dsco_order_id`: it is empty");
    assert_eq!(
        row("P,1,2,two"),
        "row 3, column `line_item_quantity`: `two` is no number"
    );
    assert_eq!(
        row("P,1,2,0"),
        "row 3, column `line_item_quantity`: it must be more than 0"
    );
    assert_eq!(
        row("P,1,2,-1"),
        "row 3, column `line_item_quantity`: it must be more than 0"
    );
    assert_eq!(
        row("P,1,1.5,1"),
        "row 3, column `line_item_line_number`: it must be a whole number"
    );
    assert_eq!(
        row("P,1,1,1"),
        "row 3, column `line_item_line_number`: the order has two lines `1`"
    );
    assert_eq!(
        row("X,1,2,1"),
        "row 3, column `po_number`: it differs from row 2, which is of the same order"
    );
    assert_eq!(
        row("=cmd(\"x\"),2,1,1"),
        "row 3, column `po_number`: it holds a formula"
    );
    let dated = format!("{head},ship_by_date,test_flag\n");
    assert_eq!(
        mistake(&format!("{dated}P,1,1,1,tomorrow,0\n")),
        "row 2, column `ship_by_date`: `tomorrow` is no date"
    );
    assert_eq!(
        mistake(&format!("{dated}P,1,1,1,,perhaps\n")),
        "row 2, column `test_flag`: `perhaps` is neither 1 nor 0"
    );
    assert_eq!(
        mistake(&format!("{head},number_of_line_items\nP,1,1,1,2\n")),
        "row 2, column `number_of_line_items`: the order says 2 lines and has 1"
    );
}

#[test]
fn another_encoding_is_refused_where_it_shows() {
    let head = "po_number,dsco_order_id,line_item_line_number,line_item_quantity";
    let latin = [head.as_bytes(), b"\nP\xe9,1,1,1\n"].concat();
    let said = all(&latin, 5).unwrap_err().to_string();
    assert_eq!(
        said,
        "row 2, column `po_number`: it is not written in UTF-8"
    );
    let utf16: Vec<u8> = "\u{feff}po_number"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let said = all(&utf16, 1).unwrap_err().to_string();
    assert_eq!(
        said,
        "row 1, column `1`: the file is written in UTF-16, not in UTF-8"
    );
}

/// Hands out the same piece for ever, or as often as it is told.
struct Endless {
    first: Option<Vec<u8>>,
    piece: Vec<u8>,
    left: u64,
}

impl Pieces for Endless {
    fn next(&mut self) -> Vec<u8> {
        if let Some(first) = self.first.take() {
            return first;
        }
        self.left = self
            .left
            .checked_sub(1)
            .expect("it was not read to its end");
        self.piece.clone()
    }
}

#[test]
fn a_line_of_a_gigabyte_is_refused_at_its_beginning() {
    let head = b"po_number,dsco_order_id,line_item_line_number,line_item_quantity\nP,\"".to_vec();
    let refused = |piece: &[u8], first: &[u8]| {
        let file = |_| Endless {
            first: Some(first.to_vec()),
            piece: piece.to_vec(),
            left: 20,
        };
        Orders::open(b',', file)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    // A gigabyte would be a thousand of these pieces; it is not read beyond the first twenty.
    let open_quote = refused(&vec![b'x'; 1 << 20], &head);
    assert!(
        open_quote.starts_with("row 2, column `dsco_order_id`: it does not end"),
        "{open_quote}"
    );
    let no_table = refused(&vec![0; 1 << 20], b"\0");
    assert!(
        no_table.starts_with("row 1, column `1`: it does not end"),
        "{no_table}"
    );
    let commas = refused(&vec![b','; 1 << 20], b"a");
    assert!(
        commas.starts_with("row 1, column `2001`: it does not end"),
        "{commas}"
    );
}

/// The rows of a large export, made as they are asked for.
struct Large {
    row: u64,
    rows: u64,
}

impl Pieces for Large {
    fn next(&mut self) -> Vec<u8> {
        let mut piece = String::new();
        if self.row == 0 {
            piece.push_str("po_number,dsco_order_id,line_item_line_number,line_item_sku,line_item_quantity,ship_name\n");
        }
        for _ in 0..1_000.min(self.rows - self.row) {
            let (order, line) = (self.row / 2, self.row % 2 + 1);
            writeln!(
                piece,
                "PO-{order},{order},{line},SKU-{order},{line},Shopper {order}"
            )
            .unwrap();
            self.row += 1;
        }
        piece.into_bytes()
    }
}

#[test]
fn a_hundred_thousand_rows_are_fifty_thousand_orders() {
    let mut orders = Orders::open(b',', |_| Large {
        row: 0,
        rows: 100_000,
    })
    .unwrap();
    assert_eq!(orders.len(), 50_000);
    let (mut count, mut units) = (0, Decimal::whole(0));
    while let Some(order) = orders.next().unwrap() {
        assert_eq!(order.dsco_order_id, Some(count.to_string()));
        for line in &order.line_items {
            units = units.plus(line.quantity.unwrap()).unwrap();
        }
        count += 1;
    }
    assert_eq!((count, units.to_whole()), (50_000, Some(150_000)));
}

#[test]
fn a_table_is_quoted_and_leaves_out_what_nobody_fills() {
    let own = |cells: &[&str]| -> Vec<Option<String>> {
        let cell = |c: &&str| (!c.is_empty()).then(|| (*c).to_owned());
        cells.iter().map(cell).collect()
    };
    let long = "x".repeat(5_000);
    let rows = [
        own(&["A,1", "", "say \"hi\"", &long]),
        own(&["", "", "two\nlines", "y"]),
    ];
    let bytes = table(&["sku", "upc", "title", "message"], &rows, b',');
    let expected =
        format!("sku,title,message\r\n\"A,1\",\"say \"\"hi\"\"\",{long}\r\n,\"two\nlines\",y\r\n");
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}
