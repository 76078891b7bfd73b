//! Owns what a supplier may write about an item's stock, at once, in a batch and in a file. Must not know the queue.

use serde_json::Value;

use super::answers::{self, Message, Verdict};
use super::inventory::{CODES, Item, Status};
use super::log::Method;
use super::route::UPLOADS;
use super::sandbox::Sandbox;
use super::writes::{Deed, objects};
use crate::catalogue::WAREHOUSES;
use crate::vendor::{Req, Resp};

/// Most units: the fields are 32-bit numbers.
const MOST: i64 = i32::MAX as i64;
/// Longest SKU.
const SKU: usize = 90;

/// Numbers of digits of the codes that have a fixed length.
const DIGITS: [(&str, &[usize]); 4] = [
    ("upc", &[6, 12]),
    ("ean", &[8, 13]),
    ("isbn", &[10, 13]),
    ("gtin", &[8, 12, 13, 14]),
];

impl Sandbox {
    /// `POST /inventory/singleItem`: at once.
    pub(crate) fn post_inventory_one(&mut self, now: i64, req: &Req) -> Resp {
        let object = match req.json() {
            Ok(object) if object.is_object() => object,
            _ => return self.refused(now, &[Message::error("The body must be an object")]),
        };
        let deed = Deed::Stock {
            skip_unknown: false,
            detail: "updateInventorySingleItem",
        };
        let (request_id, verdict) = self.perform_now(now, deed, &object);
        match verdict {
            Ok(_) => Resp::json(201, &serde_json::json!({"success": true})),
            Err(errors) => answers::invalid(&errors, &request_id, now, self.settings.messy),
        }
    }

    /// `POST /inventory/batch/small`: queued.
    pub(crate) fn post_inventory_batch(&mut self, now: i64, req: &Req) -> Resp {
        let deed = Deed::Stock {
            skip_unknown: skips(req),
            detail: "updateInventorySmallBatch",
        };
        match objects(req) {
            Ok(all) if all.is_empty() => {
                self.refused(now, &[Message::error("The array holds no item")])
            }
            Ok(all) => self.queue(now, deed, all),
            Err(why) => self.refused(now, &[Message::error(why)]),
        }
    }

    /// `POST /inventory/batch/large`: an address to send a file to.
    pub(crate) fn post_inventory_large(&mut self, now: i64, req: &Req) -> Resp {
        let request_id = self.dice.uuid();
        self.uploads.insert(request_id.clone(), skips(req));
        // Whoever called reaches us there.
        let host = req.header("host").unwrap_or("localhost");
        let url = format!("http://{host}{UPLOADS}{request_id}");
        let body = serde_json::json!({"status": "success", "requestId": request_id,
            "eventDate": super::dates::iso(now), "dataUrl": url});
        Resp::json(200, &body)
    }

    /// The file of a large batch: one item per line.
    pub(crate) fn put_upload(&mut self, now: i64, id: &str, req: &Req) -> Resp {
        let Some(skip_unknown) = self.uploads.remove(id) else {
            return answers::plain(404, "No file is awaited here");
        };
        let lines = req.body.split(|byte| *byte == b'\n');
        let mut all = Vec::new();
        for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
            // A line that is no object fails alone, as an item without a SKU.
            all.push(serde_json::from_slice(line).unwrap_or(Value::Null));
        }
        let deed = Deed::Stock {
            skip_unknown,
            detail: "updateInventoryLargeBatch",
        };
        self.queue_as(now, (id.into(), Method::Api), deed, all);
        Resp::empty(200)
    }

    /// Whether a queued object is passed over without a word.
    pub(crate) fn leaves_out(&self, deed: Deed, object: &Value) -> bool {
        let Deed::Stock {
            skip_unknown: true, ..
        } = deed
        else {
            return false;
        };
        let sku = object["sku"].as_str();
        sku.is_some_and(|sku| !self.inventory.knows(sku))
    }

    /// Sets the stock of one item. Its list of warehouses replaces the one it had.
    pub(crate) fn set_stock(&mut self, now: i64, object: &Value) -> Verdict {
        let mut errors = Vec::new();
        let read = read(object, &mut errors);
        let new = read
            .sku
            .is_some_and(|sku| !sku.is_empty() && !self.inventory.knows(sku));
        let coded =
            |(at, _): &(u8, Box<str>)| matches!(CODES[usize::from(*at)], "upc" | "ean" | "gtin");
        if new && self.settings.new_item_needs_code && !read.codes.iter().any(coded) {
            errors.push("A new item needs one of upc, ean, gtin".to_owned());
        }
        let (Some(sku), true) = (read.sku, errors.is_empty()) else {
            return Err(errors.into_iter().map(Message::error).collect());
        };
        if new {
            self.inventory.add(Item::empty(sku, now));
        }
        if let Some(item) = self.inventory.get_mut(sku) {
            if !read.codes.is_empty() {
                item.codes = read.codes.into();
            }
            if let Some(status) = read.status {
                item.status = status;
            }
            item.hold(read.stock.into(), read.available);
            item.updated = now;
            item.told = now;
            item.writes += 1;
        }
        Ok(Vec::new())
    }
}

fn skips(req: &Req) -> bool {
    req.param("skipItemsThatDontExist") == Some("true")
}

/// What an object says.
struct Read<'a> {
    sku: Option<&'a str>,
    codes: Vec<(u8, Box<str>)>,
    status: Option<Status>,
    stock: Vec<(u8, i64)>,
    available: i64,
}

fn read<'a>(object: &'a Value, errors: &mut Vec<String>) -> Read<'a> {
    let sku = object["sku"].as_str();
    if sku.is_none_or(str::is_empty) {
        errors.push("sku is required".to_owned());
    } else if sku.is_some_and(|sku| sku.len() > SKU) {
        errors.push(format!("sku is longer than {SKU} characters"));
    }
    let status = object["status"].as_str().map(Status::of);
    if status == Some(None) {
        errors.push("status is not valid".to_owned());
    }
    if let Some(cost) = object["cost"].as_f64()
        && cost < 0.0
    {
        errors.push("cost must be at least 0".to_owned());
    }
    let codes = codes(object, errors);
    let (stock, counted) = warehouses(object, errors);
    let sum: i64 = stock.iter().map(|(_, units)| units).sum();
    let available = match (&object["quantityAvailable"], counted) {
        (Value::Null, true) => sum,
        (Value::Null, false) => {
            errors.push("quantityAvailable or the warehouses' quantity is required".to_owned());
            0
        }
        (value, counted) => match value.as_i64() {
            None => {
                errors.push("quantityAvailable must be a whole number".to_owned());
                0
            }
            Some(units) if units < 0 => {
                errors.push("quantityAvailable must not be negative".to_owned());
                0
            }
            Some(units) if counted && units != sum => {
                errors.push(format!(
                    "quantityAvailable {units} is not the sum {sum} of the warehouses"
                ));
                0
            }
            Some(units) => units,
        },
    };
    Read {
        sku,
        codes,
        status: status.flatten(),
        stock,
        available,
    }
}

fn codes(object: &Value, errors: &mut Vec<String>) -> Vec<(u8, Box<str>)> {
    let mut found = Vec::new();
    for (at, name) in (0_u8..).zip(CODES) {
        let Some(code) = object[name].as_str() else {
            continue;
        };
        let lengths = DIGITS.iter().find(|(kind, _)| *kind == name);
        let plain = code.bytes().all(|byte| byte.is_ascii_digit());
        if lengths.is_some_and(|(_, lengths)| !plain || !lengths.contains(&code.len())) {
            errors.push(format!("{name} {code} is not valid"));
        }
        found.push((at, code.into()));
    }
    found
}

/// The units by warehouse, and whether every warehouse has a quantity.
fn warehouses(object: &Value, errors: &mut Vec<String>) -> (Vec<(u8, i64)>, bool) {
    let list = object["warehouses"].as_array();
    let list = list.map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        errors.push("warehouses is required".to_owned());
    }
    let mut stock: Vec<(u8, i64)> = Vec::new();
    let mut counted = true;
    for one in list {
        let Some(code) = one["code"].as_str() else {
            errors.push("warehouseCode is required".to_owned());
            continue;
        };
        let place = WAREHOUSES.iter().position(|w| w.code == code);
        let Some(at) = place.and_then(|at| u8::try_from(at).ok()) else {
            errors.push(format!("warehouseCode {code} is not known"));
            continue;
        };
        if stock.iter().any(|(other, _)| *other == at) {
            errors.push(format!("warehouseCode {code} is given twice"));
        }
        let units = match &one["quantity"] {
            Value::Null => {
                counted = false;
                0
            }
            value => match value.as_i64() {
                Some(units) if (0..=MOST).contains(&units) => units,
                Some(units) if units > MOST => {
                    errors.push(format!("quantity of warehouse {code} is too large"));
                    0
                }
                Some(_) => {
                    errors.push(format!("quantity of warehouse {code} must not be negative"));
                    0
                }
                None => {
                    errors.push(format!(
                        "quantity of warehouse {code} must be a whole number"
                    ));
                    0
                }
            },
        };
        stock.push((at, units));
    }
    (stock, counted)
}
