//! From what is held, what is taken and the merchant's rules to the levels of one item. Knows neither calls nor time of
//! day; everything it decides from is in the store.

use crate::core::Desk;
use std::collections::{BTreeMap, BTreeSet};
use waybill_model::crosswalk::{ITEMS, Match, WAREHOUSES};
use waybill_model::decimal::Decimal;
use waybill_model::document::Entity;
use waybill_model::ids::{ConnectionId, Millis};
use waybill_model::levels::{self, BUFFER, CAP, PERCENT, Rule, Units};
use waybill_model::settings::{
    self, STOCK_BUFFER, STOCK_CAP, STOCK_ID, STOCK_MODE, STOCK_PERCENT, STOCK_WAREHOUSES,
};
use waybill_store::{CatalogueItem, LevelRow, Read, RouteRow, StoreError, Tx};

/// Most warehouses of a network that are read.
const PLACES: usize = 10_000;

/// One route of stock, with what all its items have in common.
pub(crate) struct Route {
    /// Who holds the units.
    pub(crate) from: ConnectionId,
    /// Who is told.
    pub(crate) to: ConnectionId,
    /// The sender's warehouses that count, and what the receiver calls each.
    pub(super) places: BTreeMap<String, String>,
    /// The receiver lowers its own number when it hands out an order.
    lowers: bool,
    kind: String,
    rule: Rule,
    /// Tables that hold anything.
    filled: BTreeSet<&'static str>,
    /// A person has matched an item.
    matched: bool,
}

/// The routes of stock, paused ones too: what their numbers follow from is kept up to date all the time.
pub(crate) fn all_routes(desk: &Desk) -> impl Iterator<Item = &RouteRow> {
    let routes = desk.routes.iter();
    routes.filter(|row| row.entity == Entity::InventoryLevel)
}

/// Whether stock is sent at all.
pub(crate) fn is_on(desk: &Desk) -> bool {
    let defaults = settings::stock_settings();
    settings::value(&desk.agent, STOCK_MODE, &defaults) != Some("off")
}

/// The routes that `wanted` says, with what their items have in common; none while stock is switched off.
pub(crate) fn routes(
    rows: &dyn Read,
    desk: &Desk,
    wanted: impl Fn(&RouteRow) -> bool,
) -> Result<Vec<Route>, StoreError> {
    all_routes(desk)
        .filter(|row| is_on(desk) && wanted(row))
        .map(|row| Route::read(rows, desk, row.from, row.to))
        .collect()
}

impl Route {
    /// Reads what the items have in common.
    pub(super) fn read(
        rows: &dyn Read,
        desk: &Desk,
        from: ConnectionId,
        to: ConnectionId,
    ) -> Result<Self, StoreError> {
        let defaults = settings::stock_settings();
        let value = |key: &str| settings::value(&desk.agent, key, &defaults);
        let counted: BTreeSet<&str> = value(STOCK_WAREHOUSES)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .collect();
        let cells = rows.cells(from, to, WAREHOUSES, None, PLACES)?;
        let mut places: BTreeMap<String, String> = cells
            .into_iter()
            .filter(|c| c.retailer.is_none() && c.value != waybill_model::crosswalk::ANY)
            .filter(|c| counted.is_empty() || counted.contains(c.value.as_str()))
            .map(|c| (c.value, c.code))
            .collect();
        // What orders' warehouses are matched to says the same the other way round.
        for cell in rows.cells(to, from, WAREHOUSES, None, PLACES)? {
            let counts = counted.is_empty() || counted.contains(cell.code.as_str());
            if counts && cell.retailer.is_none() && cell.value != waybill_model::crosswalk::ANY {
                places.entry(cell.code).or_insert(cell.value);
            }
        }
        let mut filled = BTreeSet::new();
        for table in [PERCENT, BUFFER, CAP] {
            if !rows.cells(from, to, table, None, 1)?.is_empty() {
                filled.insert(table);
            }
        }
        let number = |key: &str| value(key).and_then(|text| text.trim().parse().ok());
        let receiver = desk.slots.get(&to).and_then(|slot| slot.descriptor());
        let intake = receiver.and_then(|d| d.intake(Entity::InventoryLevel));
        Ok(Self {
            from,
            to,
            places,
            lowers: intake.is_some_and(|intake| intake.self_decrementing),
            kind: value(STOCK_ID).unwrap_or("sku").to_owned(),
            rule: Rule {
                percent: percent(number(STOCK_PERCENT)),
                buffer: number(STOCK_BUFFER).unwrap_or(0),
                cap: number(STOCK_CAP),
            },
            filled,
            matched: !rows.cells(to, from, ITEMS, None, 1)?.is_empty(),
        })
    }

    /// What the receiver calls this item: what a person matched, and what the product says of itself where no other
    /// product says the same and nobody matched that name elsewhere.
    pub(crate) fn names(
        &self,
        rows: &dyn Read,
        item: &CatalogueItem,
    ) -> Result<BTreeSet<String>, StoreError> {
        // Matched the way orders go: the receiver's name -> our key.
        let mut names = BTreeSet::new();
        if self.matched {
            names.extend(rows.cells_with(self.to, self.from, ITEMS, &item.key)?);
        }
        for (_, name) in item.identifiers.iter().filter(|(k, _)| *k == self.kind) {
            let one = rows.items(self.from, &self.kind, name)?;
            let elsewhere = if self.matched {
                rows.cell(self.to, self.from, ITEMS, "", name)?
            } else {
                None
            };
            if one == Match::One(item.key.clone()) && elsewhere.is_none_or(|key| key == item.key) {
                names.insert(name.clone());
            }
        }
        Ok(names)
    }

    fn rule(&self, rows: &dyn Read, name: &str, place: &str) -> Result<Rule, StoreError> {
        let mut rule = self.rule;
        if self.filled.is_empty() {
            return Ok(rule);
        }
        let both = format!("{name}@{place}");
        let any = format!("*@{place}");
        for table in &self.filled {
            for value in [both.as_str(), name, any.as_str(), "*"] {
                let cell = rows.cell(self.from, self.to, table, "", value)?;
                let Some(number) = cell.and_then(|c| c.trim().parse::<u32>().ok()) else {
                    continue;
                };
                match *table {
                    PERCENT => rule.percent = percent(Some(number)),
                    BUFFER => rule.buffer = number,
                    _ => rule.cap = Some(number),
                }
                break;
            }
        }
        Ok(rule)
    }

    /// Units of an item by the sender's warehouses; `None`: nobody has said yet.
    fn held(
        &self,
        rows: &dyn Read,
        item: &str,
    ) -> Result<Option<BTreeMap<String, i64>>, StoreError> {
        let row = rows.on_hand(self.from, item)?;
        Ok(row.map(|row| {
            let counts = row.counts.into_iter();
            counts
                .map(|c| (c.warehouse, levels::whole(c.units)))
                .collect()
        }))
    }

    /// Units on hand by the receiver's warehouses. A kit is counted in each of the sender's warehouses apart: what lies
    /// in two of them makes no kit.
    fn on_hand(&self, rows: &dyn Read, item: &CatalogueItem) -> Result<Option<Units>, StoreError> {
        let mut parts = Vec::new();
        for (part, per_kit) in &item.components {
            match rows.item(self.from, part)? {
                Some(part) if part.components.is_empty() && !part.tracked => continue,
                Some(part) if part.components.is_empty() => {}
                // Not read yet, or a kit itself: then nobody knows how many there are.
                _ => return Ok(None),
            }
            let Some(held) = self.held(rows, part)? else {
                return Ok(None);
            };
            parts.push((held, *per_kit));
        }
        let own = if item.components.is_empty() {
            self.held(rows, &item.key)?
        } else {
            Some(BTreeMap::new())
        };
        let Some(own) = own else { return Ok(None) };
        let mut units = Units::new();
        for (place, code) in &self.places {
            let here = if item.components.is_empty() {
                own.get(place).copied().unwrap_or(0)
            } else {
                let of = |held: &BTreeMap<String, i64>| held.get(place).copied().unwrap_or(0);
                levels::kits(parts.iter().map(|(held, per_kit)| (of(held), *per_kit)))
            };
            *units.entry(code.clone()).or_default() += here;
        }
        Ok(Some(units))
    }

    /// Units that open orders take: by warehouse, and of no warehouse. A kit loses what its components lose.
    fn taken(&self, rows: &dyn Read, item: &CatalogueItem) -> Result<(Units, i64), StoreError> {
        let (mut places, mut anywhere) = (Units::new(), 0);
        let own = [(item.key.clone(), Decimal::whole(1))];
        let parts = if item.components.is_empty() {
            &own[..]
        } else {
            &item.components
        };
        for (part, per_kit) in parts {
            let (mut here, mut nowhere) = (Units::new(), 0);
            for row in rows.taken(self.from, part)? {
                let units = levels::whole(row.units);
                match row.warehouse {
                    Some(place) => *here.entry(place).or_default() += units,
                    None => nowhere += units,
                }
            }
            let each = levels::whole(*per_kit).max(1);
            let kits = |units: i64| units.div_euclid(each) + i64::from(units.rem_euclid(each) > 0);
            for (place, units) in here {
                let most = places.entry(place).or_insert(0);
                *most = kits(units).max(*most);
            }
            anywhere = kits(nowhere).max(anywhere);
        }
        Ok((places, anywhere))
    }

    /// The levels of an item follow from what is stored now. An item that is not sold any more has none left.
    fn follow(
        &self,
        tx: &mut Tx<'_>,
        key: &str,
        item: Option<CatalogueItem>,
    ) -> Result<(), StoreError> {
        let item = item.filter(|i| i.active && (i.tracked || !i.components.is_empty()));
        let mut told: BTreeSet<String> = tx.told_as(self.from, self.to, key)?.into_iter().collect();
        if let Some(item) = item.filter(|_| !self.places.is_empty()) {
            let names = self.names(tx, &item)?;
            let on_hand = if names.is_empty() {
                None
            } else {
                self.on_hand(tx, &item)?
            };
            for name in names {
                told.remove(&name);
                if let Some(on_hand) = &on_hand {
                    self.put(tx, &item, name, on_hand)?;
                }
            }
        }
        for name in told {
            self.let_go(tx, &name)?;
        }
        Ok(())
    }

    fn put(
        &self,
        tx: &mut Tx<'_>,
        item: &CatalogueItem,
        name: String,
        on_hand: &Units,
    ) -> Result<(), StoreError> {
        let (taken, anywhere) = self.taken(tx, item)?;
        let mut rules = BTreeMap::new();
        for place in on_hand.keys() {
            rules.insert(place.as_str(), self.rule(tx, &name, place)?);
        }
        let rule = |place: &str| rules.get(place).copied().unwrap_or(self.rule);
        let wanted = levels::derive(on_hand, &taken, anywhere, rule);
        let old = tx.level(self.from, self.to, &name)?;
        if old
            .as_ref()
            .is_some_and(|old| old.wanted == wanted && old.source == item.key)
        {
            return Ok(());
        }
        let row = LevelRow {
            from: self.from,
            to: self.to,
            item: name,
            source: item.key.clone(),
            wanted,
            sent: old.as_ref().and_then(|old| old.sent.clone()),
            sent_at: old.as_ref().and_then(|old| old.sent_at),
            // Other numbers may be taken where these were not.
            problem: None,
            doubted: old.as_ref().is_some_and(|old| old.doubted),
        };
        tx.replace_level(old.as_ref(), &row)
    }

    /// The receiver may have changed its own numbers of these items: they are told again, whatever was told before.
    pub(super) fn doubt(&self, tx: &mut Tx<'_>, keys: &BTreeSet<String>) -> Result<(), StoreError> {
        for key in keys.iter().filter(|_| self.lowers) {
            for name in tx.told_as(self.from, self.to, key)? {
                if let Some(row) = tx.level(self.from, self.to, &name)? {
                    tx.put_level(&LevelRow {
                        doubted: true,
                        ..row
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Whether the receiver has a number of this item, told before then.
    pub(super) fn was_told_before(
        &self,
        tx: &Tx<'_>,
        key: &str,
        at: Millis,
    ) -> Result<bool, StoreError> {
        for name in tx.told_as(self.from, self.to, key)? {
            let level = tx.level(self.from, self.to, &name)?;
            if level
                .and_then(|level| level.sent_at)
                .is_some_and(|sent| sent < at)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Nothing of it is offered any more.
    fn let_go(&self, tx: &mut Tx<'_>, name: &str) -> Result<(), StoreError> {
        let Some(mut row) = tx.level(self.from, self.to, name)? else {
            return Ok(());
        };
        // A lost answer leaves open what it has.
        if row.sent.is_none() && row.sent_at.is_none() {
            return tx.remove_level(&row);
        }
        for place in &mut row.wanted {
            place.on_hand = 0;
            place.taken = 0;
            place.available = Decimal::ZERO;
        }
        tx.put_level(&row)
    }

    /// The levels of these items and of the kits they are part of.
    pub(crate) fn follow_all<'k>(
        &self,
        tx: &mut Tx<'_>,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<(), StoreError> {
        let mut all = BTreeSet::new();
        for key in keys {
            all.insert(key.to_owned());
            all.extend(tx.kits_of(self.from, key)?);
        }
        let mut items = Vec::with_capacity(all.len());
        for key in all {
            items.push((tx.item(self.from, &key)?, key));
        }
        // Levels lie in the order of their names: followed in it, each page of many is read and written once.
        items.sort_by(|(a, _), (b, _)| self.own_name(a.as_ref()).cmp(&self.own_name(b.as_ref())));
        let mut items = items.into_iter();
        items.try_for_each(|(item, key)| self.follow(tx, &key, item))
    }

    /// What a product says of itself.
    fn own_name<'i>(&self, item: Option<&'i CatalogueItem>) -> Option<&'i str> {
        let mut all = item?.identifiers.iter();
        all.find(|(kind, _)| *kind == self.kind)
            .map(|(_, name)| name.as_str())
    }
}

fn percent(number: Option<u32>) -> u8 {
    number.map_or(100, |n| u8::try_from(n.min(100)).unwrap_or(100))
}
