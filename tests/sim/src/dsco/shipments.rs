//! Owns the shipment calls: `POST /order/singleShipment` and its batch. Must not know how changes become visible.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answers::{self, Message, Verdict, refuse};
use super::cancel::{find_line, workable};
use super::change::Change;
use super::order::{Activity, Order, Package, PackedLine};
use super::sandbox::Sandbox;
use super::settings::{FillKill, RetailerRules, SameTracking};
use super::writes::{Deed, objects, text_or_number};
use crate::catalogue::{SERVICES, Warehouse};
use crate::vendor::{Req, Resp};

/// Codes that name a speed and no carrier.
const GENERIC: [&str; 5] = ["GCG", "GND", "GSE", "GCP", "GCE"];

impl Sandbox {
    /// `POST /order/singleShipment`: at once, 201 or 400.
    pub(crate) fn post_single_shipment(&mut self, now: i64, req: &Req) -> Resp {
        let object = match req.json() {
            Ok(object) if object.is_object() => object,
            _ => return self.refused(now, &[Message::error("The body must be one object")]),
        };
        let (request_id, verdict) = self.perform_now(now, Deed::Ship, &object);
        match verdict {
            Ok(_) => Resp::json(201, &json!({"success": true})),
            Err(errors) => answers::invalid(&errors, &request_id, now, self.settings.messy),
        }
    }

    /// `POST /order/shipment/batch/small`.
    pub(crate) fn post_shipment_batch(&mut self, now: i64, req: &Req) -> Resp {
        match objects(req) {
            Ok(all) => self.queue(now, Deed::Ship, all),
            Err(why) => self.refused(now, &[Message::error(why)]),
        }
    }

    /// Adds the parcels of one object to its order: all, or none when one is refused.
    pub(crate) fn ship(&mut self, now: i64, object: &Value) -> Verdict {
        let (at, warnings) = self.shipped_order(object)?;
        let verdict = self.ship_order(now, at, object, warnings);
        if let Err(errors) = &verdict {
            let texts = errors.iter().map(|m| m.description.as_str());
            let why = texts.collect::<Vec<_>>().join("; ");
            self.book.get_mut(at).refused.push(why);
        }
        verdict
    }

    fn ship_order(
        &mut self,
        now: i64,
        at: usize,
        object: &Value,
        mut warnings: Vec<Message>,
    ) -> Verdict {
        let order = self.book.get(at);
        let Some(parcels) = object["shipments"].as_array().filter(|all| !all.is_empty()) else {
            return refuse("shipments is required");
        };
        let rules = self.settings.rules(order.retailer.account_id);
        let mut packages = order.packages.clone();
        let mut errors: Vec<Message> = missing_fields(object, parcels, &rules);
        let mut fresh = false;
        for parcel in parcels {
            match read_parcel(order, parcel, &rules, &self.warehouses) {
                Ok((mut package, more)) => {
                    package.group = self.group_of(&packages, &package);
                    warnings.extend(more);
                    match place(&mut packages, package, self.settings.same_tracking) {
                        Ok(changed) => fresh |= changed,
                        Err(error) => errors.push(error),
                    }
                }
                Err(more) => errors.extend(more),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if !fresh {
            self.changed(now, at, Change::of(&["update_shipment"]));
            return Ok(warnings);
        }
        workable(order)?;
        check_quantities(order, &packages, rules.fill_kill)?;
        self.put_packages(now, at, packages);
        Ok(warnings)
    }

    /// Parcels of one call that spread the same units are one group, and so is a parcel that comes later with the same
    /// lines and ship date.
    fn group_of(&self, known: &[Package], package: &Package) -> u64 {
        let same = known.iter().find(|other| {
            other.items == package.items
                && other.ship_date == package.ship_date
                && other.tracking != package.tracking
                && package.items.iter().any(|item| item.span)
        });
        let fresh = self.next_package + u64::try_from(known.len()).unwrap_or(0);
        same.map_or(fresh, |other| other.group)
    }

    /// The order a shipment names: several keys may be given and must agree.
    pub(super) fn shipped_order(
        &self,
        object: &Value,
    ) -> Result<(usize, Vec<Message>), Vec<Message>> {
        let mut found: Option<(usize, Vec<Message>)> = None;
        for key in ["dscoOrderId", "poNumber", "supplierOrderNumber"] {
            let Some(value) = text_or_number(&object[key]) else {
                continue;
            };
            match &found {
                None => found = Some(self.first(key, &value)?),
                Some((at, _)) => {
                    let all = self.book.find(key, &value).unwrap_or_default();
                    if !all.contains(at) {
                        let text = format!("{key} {value} does not belong to the same order");
                        return Err(vec![Message::error(text)]);
                    }
                }
            }
        }
        found.ok_or_else(|| {
            vec![Message::error(
                "One of these fields is required: dscoOrderId, poNumber, supplierOrderNumber",
            )]
        })
    }

    fn put_packages(&mut self, now: i64, at: usize, mut packages: Vec<Package>) {
        for package in packages.iter_mut().filter(|p| p.id == 0) {
            package.id = self.next_package;
            self.next_package += 1;
        }
        let order = self.book.get_mut(at);
        let mut change = Change::of(&["add_shipment"]);
        for (index, line) in order.lines.iter_mut().enumerate() {
            let units = units(&packages, index);
            let more = units - line.shipped;
            if more != 0 {
                line.activity.push(Activity {
                    action: "ship",
                    quantity: more,
                    reason: None,
                    at: now,
                });
                change.items.push(("shipped", index, more));
            }
            line.shipped = units;
        }
        order.packages = packages;
        order.settle(now, true);
        change.reasons.push("update_status_lifecycle");
        self.changed(now, at, change);
    }
}

/// Units of a line in these parcels; a unit spread over the parcels of a group counts once.
fn units(packages: &[Package], line: usize) -> i64 {
    let mut plain = 0;
    let mut spread: BTreeMap<u64, i64> = BTreeMap::new();
    for package in packages {
        for item in package.items.iter().filter(|item| item.line == line) {
            if item.span {
                let most = spread.entry(package.group).or_default();
                *most = item.quantity.max(*most);
            } else {
                plain += item.quantity;
            }
        }
    }
    plain + spread.values().sum::<i64>()
}

/// Fields the retailer wants beyond the schema's.
fn missing_fields(object: &Value, parcels: &[Value], rules: &RetailerRules) -> Vec<Message> {
    let lines = || {
        parcels
            .iter()
            .flat_map(|p| p["lineItems"].as_array().into_iter().flatten())
    };
    let lacks = |name: &str| match name {
        "poNumber" => object[name].is_null(),
        "sku" | "lineNumber" => lines().any(|line| line[name].is_null()),
        _ => parcels.iter().any(|parcel| parcel[name].is_null()),
    };
    let lacking: Vec<&str> = rules
        .require
        .iter()
        .map(String::as_str)
        .filter(|name| lacks(name))
        .collect();
    if lacking.is_empty() {
        return Vec::new();
    }
    let all = lacking.join(", ");
    vec![Message::error(format!(
        "All of these fields are required: {all}"
    ))]
}

fn check_quantities(
    order: &Order,
    packages: &[Package],
    rule: FillKill,
) -> Result<(), Vec<Message>> {
    let mut errors = Vec::new();
    for (index, line) in order.lines.iter().enumerate() {
        let units = units(packages, index);
        let most = line.quantity - line.cancelled;
        if units > most {
            errors.push(Message::error(format!(
                "Line {} would ship {units} of {most} units; packageSpanFlag is needed when one \
                 unit is in several parcels",
                line.number
            )));
        }
        let part = units < most && (units > 0 || rule == FillKill::Order);
        if rule != FillKill::None && part {
            errors.push(Message::error(format!(
                "The retailer's fill or kill policy forbids shipping a part of line {}",
                line.number
            )));
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// Puts a parcel among the known ones; whether anything changed.
fn place(
    packages: &mut Vec<Package>,
    mut package: Package,
    rule: SameTracking,
) -> Result<bool, Message> {
    let Some(known) = packages.iter_mut().find(|p| p.tracking == package.tracking) else {
        packages.push(package);
        return Ok(true);
    };
    if known.items == package.items {
        return Ok(false);
    }
    match rule {
        SameTracking::Reject => Err(Message::error(format!(
            "trackingNumber {} is already on the order with other lines",
            package.tracking
        ))),
        SameTracking::Replace => {
            (package.id, package.group) = (known.id, known.group);
            *known = package;
            Ok(true)
        }
        SameTracking::Add => {
            known.items.extend(package.items);
            Ok(true)
        }
    }
}

fn read_parcel(
    order: &Order,
    parcel: &Value,
    rules: &RetailerRules,
    warehouses: &[Warehouse],
) -> Result<(Package, Vec<Message>), Vec<Message>> {
    let text = |name: &str| {
        parcel[name]
            .as_str()
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
    };
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let tracking = text("trackingNumber").unwrap_or_else(|| {
        errors.push(Message::error("trackingNumber is required"));
        String::new()
    });
    let (carrier, method, code) = (
        text("shipCarrier"),
        text("shipMethod"),
        text("shippingServiceLevelCode"),
    );
    errors.extend(service_errors(
        carrier.as_deref(),
        method.as_deref(),
        code.as_deref(),
        rules,
    ));
    let warehouse = text("warehouseCode");
    match &warehouse {
        None if rules.require_warehouse => {
            errors.push(Message::error("warehouseCode is required"));
        }
        Some(code) if !warehouses.iter().any(|w| w.code == code) => {
            errors.push(Message::error(format!("warehouseCode {code} is not known")));
        }
        _ => {}
    }
    let mut items = Vec::new();
    for item in parcel["lineItems"].as_array().into_iter().flatten() {
        let quantity = item["quantity"].as_i64().unwrap_or(0);
        if quantity < 1 {
            errors.push(Message::error("quantity must be at least 1"));
            continue;
        }
        match find_line(order, item) {
            Ok((line, warning)) => {
                warnings.extend(warning);
                let span = item["packageSpanFlag"].as_bool().unwrap_or(false);
                items.push(PackedLine {
                    line,
                    quantity,
                    span,
                });
            }
            Err(error) => errors.push(error),
        }
    }
    if items.is_empty() && errors.is_empty() {
        errors.push(Message::error("lineItems is required"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let cost_cents = cents(&parcel["shipCost"]);
    let ship_date = text("shipDate");
    let id = 0;
    Ok((
        Package {
            id,
            tracking,
            items,
            carrier,
            method,
            code,
            ship_date,
            warehouse,
            cost_cents,
            group: 0,
        },
        warnings,
    ))
}

fn service_errors(
    carrier: Option<&str>,
    method: Option<&str>,
    code: Option<&str>,
    rules: &RetailerRules,
) -> Option<Message> {
    let Some(code) = code else {
        let both = carrier.is_some() && method.is_some();
        return (!both).then(|| {
            Message::error(
                "All of these fields are required: shippingServiceLevelCode, or shipCarrier and \
                 shipMethod",
            )
        });
    };
    let known = SERVICES.iter().find(|s| s.code.eq_ignore_ascii_case(code));
    let generic = GENERIC.iter().any(|g| g.eq_ignore_ascii_case(code));
    if rules.refuse_generic_codes && generic {
        return Some(Message::error(format!(
            "shippingServiceLevelCode {code} is generic"
        )));
    }
    (rules.refuse_unknown_codes && known.is_none())
        .then(|| Message::error(format!("shippingServiceLevelCode {code} is not known")))
}

/// A JSON number of money as cents, read from its text so that no float rounds it.
fn cents(value: &Value) -> i64 {
    let text = value.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = format!("{part:0<2}");
    let whole: i64 = whole.parse().unwrap_or(0);
    let part: i64 = part.get(..2).and_then(|p| p.parse().ok()).unwrap_or(0);
    whole * 100 + part
}
