//! Owns how an order comes into being: what a retailer may say about it, random parts for the rest. Must not know the
//! control side's paths.

use serde::Deserialize;

use super::change::Change;
use super::order::{Address, Lifecycle, Line, Order, Purpose, Status};
use super::sandbox::{Sandbox, Task};
use crate::catalogue::{
    FIRST_PRODUCT, RETAILERS, Retailer, SERVICES, SeedProduct, Service, WAREHOUSES, kept,
};
use crate::dice::Dice;

/// One wished line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLine {
    pub(crate) sku: String,
    #[serde(default = "one")]
    pub(crate) quantity: i64,
    /// Unit cost in cents; without it the catalogue's price, or 10.00.
    #[serde(default)]
    pub(crate) cost_cents: Option<i64>,
    #[serde(default)]
    pub(crate) upc: Option<String>,
    #[serde(default)]
    pub(crate) ean: Option<String>,
    #[serde(default)]
    pub(crate) gtin: Option<String>,
    #[serde(default)]
    pub(crate) isbn: Option<String>,
    #[serde(default)]
    pub(crate) mpn: Option<String>,
    #[serde(default)]
    pub(crate) partner_sku: Option<String>,
    #[serde(default)]
    pub(crate) item_id: Option<String>,
    #[serde(default)]
    pub(crate) title: Option<String>,
}

impl NewLine {
    pub(super) fn plain(sku: &str, quantity: i64) -> Self {
        Self {
            sku: sku.to_owned(),
            quantity,
            cost_cents: None,
            upc: None,
            ean: None,
            gtin: None,
            isbn: None,
            mpn: None,
            partner_sku: None,
            item_id: None,
            title: None,
        }
    }
}

/// A wished way of shipping; what is left out is blank.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewService {
    carrier: String,
    method: String,
    code: String,
}

fn one() -> i64 {
    1
}

/// A wished order; everything may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewOrder {
    pub(crate) po: Option<String>,
    /// Account id of the retailer.
    pub(crate) retailer: Option<String>,
    pub(crate) lines: Option<Vec<NewLine>>,
    /// How many random lines, when `lines` is left out.
    pub(crate) line_count: Option<i64>,
    pub(crate) test: bool,
    pub(crate) order_type: Option<String>,
    pub(crate) consumer_order_number: Option<String>,
    /// Overrides the order's cost total.
    pub(crate) total_cents: Option<i64>,
    /// Added to the order's cost total, so that it does not add up.
    pub(crate) total_off_cents: i64,
    pub(crate) case: Option<String>,
    pub(crate) expect: Option<String>,
    /// `shipByDate`, in minutes from now.
    pub(crate) ship_by_minutes: Option<i64>,
    /// Stays `received` until released.
    pub(crate) hold: bool,
    /// How it is to ship; one of the seed when left out.
    pub(crate) service: Option<NewService>,
    /// From which warehouse, blank for none named; one of the seed when left out.
    pub(crate) warehouse: Option<String>,
}

type Person = (&'static str, &'static str, u32, &'static str);
const PEOPLE: [Person; 6] = [
    ("Jo", "Shopper", 12, "Example St"),
    ("Ana", "Reyes", 480, "Cedar Ave"),
    ("Sam", "O'Neil", 7, "Harbor Rd"),
    ("Lee", "Park", 2201, "Main St"),
    ("Mia", "Novak", 93, "Hill \"Top\" Ln"),
    ("Max", "Berg & Sons", 15, "Lake Dr"),
];
const CITIES: [(&str, &str, &str); 5] = [
    ("Springfield", "IL", "62701"),
    ("Portland", "OR", "97201"),
    ("Austin", "TX", "73301"),
    ("Boston", "MA", "02108"),
    ("Denver", "CO", "80202"),
];

impl Sandbox {
    /// Creates an order at `now` and returns its place.
    ///
    /// # Errors
    /// A sentence naming the field that is not valid.
    pub(crate) fn create(&mut self, now: i64, wish: NewOrder) -> Result<usize, String> {
        let hold = wish.hold;
        let order = self.build(now, wish)?;
        self.inventory.sell(&order);
        let at = self.book.add(order);
        if hold || self.settings.d1_ms > 0 {
            let tell = hold || self.settings.received_events;
            self.book.get_mut(at).announced = tell;
            let change = if tell {
                Change::of(&["create"])
            } else {
                Change::default()
            };
            self.changed(now, at, change);
            if !hold {
                self.schedule(now + self.settings.d1_ms, Task::Release(at));
            }
        } else {
            self.release(now, at);
        }
        Ok(at)
    }

    fn build(&mut self, now: i64, wish: NewOrder) -> Result<Order, String> {
        let retailer = match &wish.retailer {
            None => RETAILERS[0],
            Some(id) => *self
                .retailers
                .iter()
                .find(|r| r.account_id == id)
                .ok_or_else(|| format!("retailer `{id}` is not known"))?,
        };
        let wished = match wish.lines {
            Some(lines) if lines.is_empty() => return Err("`lines` is empty".to_owned()),
            Some(lines) => lines,
            None => self.random_lines(wish.line_count.unwrap_or(1).max(1)),
        };
        if wished.iter().any(|l| l.quantity < 1) {
            return Err("a line's `quantity` is below 1".to_owned());
        }
        let lines: Vec<Line> = (1..)
            .zip(&wished)
            .map(|(number, line)| self.line(number, line, retailer))
            .collect();
        let sum: i64 = lines.iter().map(Line::extended_cents).sum();
        let id = self.next_order;
        self.next_order += 1;
        let po = wish.po.unwrap_or_else(|| self.fresh_po());
        let expect = if wish.test { "no-sale-test" } else { "sale" };
        let drawn = *self.dice.pick(&SERVICES[..3]).unwrap_or(&SERVICES[0]);
        let service = wish.service.map_or(drawn, |wished| Service {
            code: kept(&wished.code),
            carrier: kept(&wished.carrier),
            method: kept(&wished.method),
        });
        let drawn = self.dice.pick(&WAREHOUSES).unwrap_or(&WAREHOUSES[0]).code;
        let warehouse = wish.warehouse.map_or(drawn, |code| kept(&code));
        Ok(Order {
            id,
            consumer_number: wish
                .consumer_order_number
                .unwrap_or_else(|| format!("W{po}")),
            po,
            retailer,
            supplier_number: None,
            status: Status::Created,
            lifecycle: Lifecycle::Received,
            kind: wish.order_type.unwrap_or_else(|| "dropship".to_owned()),
            test: wish.test,
            announced: false,
            cancel_requested: None,
            created: now,
            updated: now,
            acknowledged: None,
            ack_count: 0,
            lines,
            packages: Vec::new(),
            refused: Vec::new(),
            ship_by: wish.ship_by_minutes.map(|minutes| now + minutes * 60_000),
            total_cents: wish.total_cents.unwrap_or(sum) + wish.total_off_cents,
            service,
            warehouse,
            address: address(&mut self.dice),
            purpose: Purpose {
                case: wish.case.unwrap_or_else(|| "normal".to_owned()),
                expect: wish.expect.unwrap_or_else(|| expect.to_owned()),
            },
        })
    }

    fn line(&self, number: i64, wish: &NewLine, retailer: Retailer) -> Line {
        let product = self.catalogue.iter().find(|p| p.sku == wish.sku);
        let cost_cents = wish
            .cost_cents
            .or(product.map(|p| p.price_cents))
            .unwrap_or(1000);
        let item = product.map_or(900_000 + number, |p| p.id - FIRST_PRODUCT);
        Line {
            number,
            item_id: (wish.item_id.clone()).unwrap_or_else(|| (1_090_000_001 + item).to_string()),
            sku: wish.sku.clone(),
            partner_sku: wish.partner_sku.clone().unwrap_or_else(|| {
                let last = retailer.account_id.get(9..).unwrap_or_default();
                format!("R{last}-{}", 5000 + item)
            }),
            upc: wish.upc.clone().or_else(|| product.map(|p| p.upc.clone())),
            ean: wish.ean.clone().or_else(|| product.map(|p| p.ean.clone())),
            gtin: wish.gtin.clone(),
            isbn: wish.isbn.clone(),
            mpn: wish.mpn.clone(),
            title: wish.title.clone().unwrap_or_else(|| {
                product.map_or_else(|| format!("Item {}", wish.sku), |p| p.name.clone())
            }),
            quantity: wish.quantity,
            cost_cents,
            shipped: 0,
            cancelled: 0,
            cancelled_early: 0,
            cancel_code: None,
            cancel_reason: None,
            cancel_requested: None,
            activity: Vec::new(),
        }
    }

    /// A line of a kit: the ERP keeps it as a product made of others.
    pub(crate) fn kit_line(&mut self) -> Option<NewLine> {
        let usable = |p: &&SeedProduct| p.orderable() && p.bundle.is_some();
        let kits: Vec<&SeedProduct> = self.catalogue.iter().filter(usable).collect();
        let sku = self.dice.pick(&kits)?.sku.clone();
        let quantity = self.dice.between(1, 2);
        Some(NewLine::plain(&sku, quantity))
    }

    /// Lines of different, orderable, single products.
    pub(crate) fn random_lines(&mut self, count: i64) -> Vec<NewLine> {
        let usable = |p: &&SeedProduct| p.orderable() && p.bundle.is_none() && p.tracked;
        let products: Vec<&SeedProduct> = self.catalogue.iter().filter(usable).collect();
        let mut lines: Vec<NewLine> = Vec::new();
        let most = usize::try_from(count).unwrap_or(1).min(products.len());
        while lines.len() < most {
            let Some(product) = self.dice.pick(&products) else {
                break;
            };
            if lines.iter().any(|l| l.sku == product.sku) {
                continue;
            }
            let quantity = self.dice.between(1, 4);
            lines.push(NewLine::plain(&product.sku, quantity));
        }
        lines
    }

    /// A PO number nobody used.
    pub(crate) fn fresh_po(&mut self) -> String {
        let po = format!("PO-{}", self.next_po);
        self.next_po += 1;
        po
    }
}

fn address(dice: &mut Dice) -> Address {
    let (first, last, number, street) = *dice.pick(&PEOPLE).unwrap_or(&PEOPLE[0]);
    let (city, region, postal) = *dice.pick(&CITIES).unwrap_or(&CITIES[0]);
    let line2 = dice.chance(0.3).then_some("Apt 4");
    Address {
        first,
        last,
        line1: format!("{number} {street}"),
        line2,
        city,
        region,
        postal,
    }
}
