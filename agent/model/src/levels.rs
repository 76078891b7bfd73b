//! What a receiving system should think there is of an item: a level, never an event. Pure: from units on hand, units
//! that open orders take and the merchant's rules to one number per warehouse, with every step kept for people.

use crate::decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many of what is there a system is told. In this order: the share, then the buffer, then the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Percent of what is free; 100 is all of it.
    pub percent: u8,
    /// Units held back.
    pub buffer: u32,
    /// Never more than this.
    pub cap: Option<u32>,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            percent: 100,
            buffer: 0,
            cap: None,
        }
    }
}

impl Rule {
    /// Whether it changes no number.
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The number for one warehouse, and how it came about. There are very many of them: they are stored under short names,
/// and without what is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// As the receiving system names it.
    #[serde(rename = "w", alias = "warehouse")]
    pub warehouse: String,
    /// Whole units on hand in all warehouses that count as this one; a negative stock counts as none.
    #[serde(rename = "h", alias = "on_hand")]
    pub on_hand: i64,
    /// Of these, units of open orders that nobody has set aside yet.
    #[serde(
        rename = "t",
        alias = "taken",
        default,
        skip_serializing_if = "is_nought"
    )]
    pub taken: i64,
    /// The rule.
    #[serde(
        rename = "r",
        alias = "rule",
        default,
        skip_serializing_if = "Rule::is_none"
    )]
    pub rule: Rule,
    /// The number.
    #[serde(rename = "a", alias = "available", with = "crate::decimal::plain")]
    pub available: Decimal,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over references"
)]
const fn is_nought(units: &i64) -> bool {
    *units == 0
}

/// Table: SKU, `SKU@WAREHOUSE`, `*@WAREHOUSE` or `*` -> percent of the free units.
pub const PERCENT: &str = "stock-percent";
/// Table: the same -> units held back.
pub const BUFFER: &str = "stock-buffer";
/// Table: the same -> most units.
pub const CAP: &str = "stock-cap";

/// Units by warehouse of the receiving system.
pub type Units = BTreeMap<String, i64>;

/// Whole units, rounded down; never less than none.
pub fn whole(units: Decimal) -> i64 {
    let tens = 10_i64.checked_pow(u32::from(units.scale));
    tens.map_or(0, |tens| units.units.div_euclid(tens)).max(0)
}

/// What one warehouse offers.
pub const fn available(on_hand: i64, taken: i64, rule: Rule) -> i64 {
    let free = on_hand.saturating_sub(taken);
    let free = if free < 0 { 0 } else { free };
    // 100 is the most a share can be, so that this cannot grow.
    let share = free / 100 * rule.percent as i64 + free % 100 * rule.percent as i64 / 100;
    let left = share.saturating_sub(rule.buffer as i64);
    let left = if left < 0 { 0 } else { left };
    match rule.cap {
        Some(cap) if left > cap as i64 => cap as i64,
        _ => left,
    }
}

/// The numbers of all warehouses. `anywhere` are taken units whose warehouse nobody knows: they come off where most
/// is left, since the receiving system may send the order there.
pub fn derive(
    on_hand: &Units,
    taken: &Units,
    anywhere: i64,
    rule: impl Fn(&str) -> Rule,
) -> Vec<Derived> {
    let mut rest = anywhere.max(0);
    let mut taken: Units = on_hand
        .keys()
        .map(|place| (place.clone(), taken.get(place).copied().unwrap_or(0)))
        .collect();
    let mut by_most: Vec<(&String, i64)> = on_hand
        .iter()
        .map(|(place, units)| (place, units - taken.get(place).copied().unwrap_or(0)))
        .collect();
    by_most.sort_by_key(|(_, left)| std::cmp::Reverse(*left));
    for (place, left) in by_most {
        let here = rest.min(left.max(0));
        rest -= here;
        *taken.entry(place.clone()).or_default() += here;
    }
    on_hand
        .iter()
        .map(|(place, units)| {
            let (rule, taken) = (rule(place), taken.get(place).copied().unwrap_or(0));
            Derived {
                warehouse: place.clone(),
                on_hand: *units,
                taken,
                rule,
                available: Decimal::whole(available(*units, taken, rule)),
            }
        })
        .collect()
}

/// Whole kits in one warehouse: `parts` are units on hand of each component and how many of them one kit needs.
/// A kit of nothing is not counted.
pub fn kits(parts: impl IntoIterator<Item = (i64, Decimal)>) -> i64 {
    let each = parts.into_iter().map(|(on_hand, per_kit)| {
        let tens = 10_i64.checked_pow(u32::from(per_kit.scale)).unwrap_or(1);
        if per_kit.units <= 0 {
            return i64::MAX;
        }
        on_hand.max(0).saturating_mul(tens) / per_kit.units
    });
    each.min().filter(|kits| *kits != i64::MAX).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(percent: u8, buffer: u32, cap: Option<u32>) -> Rule {
        Rule {
            percent,
            buffer,
            cap,
        }
    }

    #[test]
    fn the_share_comes_before_the_buffer_and_the_cap() {
        assert_eq!(available(45, 0, Rule::default()), 45);
        assert_eq!(available(45, 5, rule(50, 3, None)), 17);
        assert_eq!(available(45, 5, rule(50, 3, Some(10))), 10);
        assert_eq!(available(2, 5, Rule::default()), 0);
        assert_eq!(available(3, 0, rule(100, 5, None)), 0);
    }

    #[test]
    fn orders_without_a_warehouse_come_off_where_most_is_left() {
        let on_hand = Units::from([("E".to_owned(), 4), ("M".to_owned(), 10)]);
        let taken = Units::from([("M".to_owned(), 3)]);
        let told = |anywhere| {
            let all = derive(&on_hand, &taken, anywhere, |_| Rule::default());
            all.iter().map(|d| d.available.units).collect::<Vec<_>>()
        };
        assert_eq!(told(0), [4, 7]);
        assert_eq!(told(5), [4, 2]);
        assert_eq!(told(9), [2, 0]);
        assert_eq!(told(99), [0, 0]);
    }

    #[test]
    fn a_kit_is_there_as_often_as_its_scarcest_component() {
        let two = Decimal::whole(2);
        assert_eq!(kits([(7, two), (9, Decimal::whole(1))]), 3);
        assert_eq!(kits([(7, Decimal::new(5, 1))]), 14);
        assert_eq!(kits([(-4, two)]), 0);
        assert_eq!(kits([]), 0);
        assert_eq!(whole(Decimal::new(-5, 1)), 0);
        assert_eq!(whole(Decimal::new(75, 1)), 7);
    }

    proptest! {
        #[test]
        fn never_more_than_is_free_and_never_less_than_none(
            on_hand in 0_i64..1_000_000, taken in 0_i64..1_000_000, anywhere in 0_i64..1_000,
            percent in 0_u8..=100, buffer in 0_u32..1_000, cap in proptest::option::of(0_u32..1_000),
        ) {
            let rule = rule(percent, buffer, cap);
            let units = Units::from([("M".to_owned(), on_hand), ("E".to_owned(), on_hand / 3)]);
            let taken_by = Units::from([("M".to_owned(), taken)]);
            let all = derive(&units, &taken_by, anywhere, |_| rule);
            for one in &all {
                prop_assert!(one.available.units >= 0);
                prop_assert!(one.available.units <= (one.on_hand - one.taken).max(0));
                prop_assert!(cap.is_none_or(|cap| one.available.units <= i64::from(cap)));
            }
            // One more order never raises a number.
            let more = derive(&units, &taken_by, anywhere + 1, |_| rule);
            let sum = |all: &[Derived]| all.iter().map(|d| d.available.units).sum::<i64>();
            prop_assert!(sum(&more) <= sum(&all));
        }
    }
}
