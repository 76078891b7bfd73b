//! Owns the generator of a demonstration mix: ordinary orders and every awkward case, each with what is expected of it.
//! Must not know the control side's paths.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::create::{NewLine, NewOrder};
use super::sandbox::{Sandbox, Task};
use crate::catalogue::RETAILERS;
use crate::dice::Dice;

/// Every awkward case, and how many of a hundred orders are of it unless asked otherwise.
const CASES: [(&str, usize); 9] = [
    ("multi-line", 10),
    ("kit", 6),
    ("same-sku", 4),
    ("split-po", 4),
    ("same-po", 4),
    ("test", 3),
    ("unknown-item", 3),
    ("bad-total", 3),
    ("cancelled-early", 3),
];

/// Extra visibility lag of an early cancel: the order is seen as created for that long.
const LATE_NEWS_MS: i64 = 1500;

/// What the control side asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Wish {
    /// How many orders altogether.
    pub(crate) count: usize,
    pub(crate) seed: Option<u64>,
    /// How many orders of each case; cases left out get none. Without it the usual mix.
    pub(crate) mix: Option<BTreeMap<String, usize>>,
}

impl Sandbox {
    /// Creates the orders and returns their places.
    ///
    /// # Errors
    /// A sentence naming a case that does not exist.
    pub(crate) fn generate(&mut self, now: i64, wish: &Wish) -> Result<Vec<usize>, String> {
        if let Some(seed) = wish.seed {
            self.dice = Dice::new(seed);
        }
        let mut made = Vec::with_capacity(wish.count);
        for (case, orders) in amounts(wish)? {
            let goal = made.len() + orders;
            while made.len() < goal {
                self.generate_case(now, case, goal - made.len(), &mut made)?;
            }
        }
        while made.len() < wish.count {
            let count = self.dice.between(1, 3);
            let retailer = self.any_retailer();
            let order = NewOrder {
                line_count: Some(count),
                retailer: Some(retailer),
                ..NewOrder::default()
            };
            made.push(self.create(now, order)?);
        }
        Ok(made)
    }

    /// Makes one occurrence of a case: one or two orders, at most `room`.
    fn generate_case(
        &mut self,
        now: i64,
        case: &str,
        room: usize,
        made: &mut Vec<usize>,
    ) -> Result<(), String> {
        let retailer = self.any_retailer();
        let mut base = NewOrder {
            case: Some(case.to_owned()),
            retailer: Some(retailer.clone()),
            line_count: Some(self.dice.between(1, 2)),
            ..NewOrder::default()
        };
        match case {
            "multi-line" => base.line_count = Some(self.dice.between(3, 8)),
            "same-sku" => {
                let mut lines = self.random_lines(2);
                let again = NewLine {
                    quantity: lines[0].quantity + 1,
                    ..lines[0].clone()
                };
                lines.push(again);
                base.lines = Some(lines);
            }
            "split-po" | "same-po" => {
                base.po = Some(self.fresh_po());
                if room > 1 {
                    let other = if case == "same-po" {
                        self.other_retailer(&retailer)
                    } else {
                        retailer
                    };
                    let twin = NewOrder {
                        retailer: Some(other),
                        ..base.clone()
                    };
                    made.push(self.create(now, twin)?);
                }
            }
            "kit" => {
                let mut lines = self.random_lines(1);
                lines.extend(self.kit_line());
                base.lines = Some(lines);
            }
            "test" => base.test = true,
            "unknown-item" => {
                let mut lines = self.random_lines(1);
                let number = self.next_po;
                let digits = format!("{:012}", 990_000_000_000_u64 + number);
                lines.push(NewLine {
                    cost_cents: Some(1234),
                    upc: Some(digits.clone()),
                    ean: Some(format!("9{digits}")),
                    ..NewLine::plain(&format!("NEW-ITEM-{number}"), 1)
                });
                base.lines = Some(lines);
                base.expect = Some("waits-until-mapped".to_owned());
            }
            "bad-total" => {
                base.total_off_cents = 100;
                base.expect = Some("waits-total".to_owned());
            }
            _ => base.expect = Some("no-sale-cancelled".to_owned()),
        }
        let at = self.create(now, base)?;
        made.push(at);
        if case == "cancelled-early" {
            let due = now + self.settings.d1_ms + 1;
            let code = "CXRR".to_owned();
            self.schedule(
                due,
                Task::RetailerCancel {
                    at,
                    code,
                    extra_ms: LATE_NEWS_MS,
                },
            );
        }
        Ok(())
    }

    fn any_retailer(&mut self) -> String {
        self.dice
            .pick(&RETAILERS[..3])
            .unwrap_or(&RETAILERS[0])
            .account_id
            .to_owned()
    }

    fn other_retailer(&mut self, than: &str) -> String {
        let others: Vec<&str> = RETAILERS[..3]
            .iter()
            .map(|r| r.account_id)
            .filter(|id| *id != than)
            .collect();
        self.dice
            .pick(&others)
            .map_or_else(|| than.to_owned(), |id| (*id).to_owned())
    }
}

/// How many orders of each case, at most `count` together.
fn amounts(wish: &Wish) -> Result<Vec<(&'static str, usize)>, String> {
    let mut left = wish.count;
    if let Some(mix) = &wish.mix
        && let Some(bad) = mix
            .keys()
            .find(|name| !CASES.iter().any(|(case, _)| case == name))
    {
        let known: Vec<&str> = CASES.iter().map(|(case, _)| *case).collect();
        return Err(format!(
            "case `{bad}` does not exist; there are: {}",
            known.join(", ")
        ));
    }
    let amounts = CASES.iter().map(|&(case, percent)| {
        let wanted = match &wish.mix {
            Some(mix) => mix.get(case).copied().unwrap_or(0),
            // Two at least, since two cases come in pairs.
            None => (wish.count * percent / 100).max(2),
        };
        let amount = wanted.min(left);
        left -= amount;
        (case, amount)
    });
    Ok(amounts.collect())
}
