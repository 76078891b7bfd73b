//! What an invoice is over: which of its units go into one that is sent, what they come to, and how that differs from
//! what the order's source expects. Amounts are added up exactly and leave as whole cents; what is shared out over
//! several invoices adds up to the same cents again.

use crate::contract::Problem;
use crate::decimal::Decimal;
use crate::document::{Charge, Extra, Invoice, Order, OrderLine, Totals, words};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Units by line.
pub type Units = BTreeMap<String, Decimal>;

/// Digits behind the point of what leaves.
const CENTS: u8 = 2;

words!(
    /// How a retailer wants its invoices cut.
    Policy { None = "none", Order = "order", Shipment = "shipment", Lines = "lines" }
);

fn too_large() -> Problem {
    Problem::new(
        "amount-too-large",
        "The amounts of this invoice are too large to add up.",
        "Check the invoice where it was made.",
    )
}

/// What a line comes to, not rounded; a price that is missing counts as nought.
fn net_of(line: &OrderLine, units: Decimal) -> Result<Decimal, Problem> {
    let price = line.unit_price.unwrap_or_default();
    // Prices with many digits are of lines whose sum has few: rounded to four, it is the sum again.
    wide_product(price, units).ok_or_else(too_large)
}

/// The product rounded to four digits, so that prices with nine fit.
fn wide_product(price: Decimal, units: Decimal) -> Option<Decimal> {
    const DIGITS: u8 = 4;
    let product = i128::from(price.units).checked_mul(i128::from(units.units))?;
    let scale = price.scale.checked_add(units.scale)?;
    let down = 10_i128.checked_pow(u32::from(scale.saturating_sub(DIGITS)))?;
    let (whole, rest) = (product / down, product % down);
    let away = if rest.abs().checked_mul(2)? >= down && down > 1 {
        product.signum()
    } else {
        0
    };
    Some(Decimal {
        units: i64::try_from(whole.checked_add(away)?).ok()?,
        scale: scale.min(DIGITS),
    })
}

/// Units that the invoice has of each line.
pub fn billed(invoice: &Invoice) -> Units {
    let mut units = Units::new();
    for line in &invoice.lines {
        let of = units.entry(line.line.clone()).or_default();
        *of = of.checked_add(line.quantity).unwrap_or(*of);
    }
    units.retain(|_, quantity| !quantity.is_zero());
    units
}

/// Whether lines, charges and tax come to what the invoice states.
///
/// # Errors
/// The difference in words, where they do not.
pub fn check(invoice: &Invoice) -> Result<(), Problem> {
    let mut sum = Decimal::ZERO;
    let mut add = |amount: Decimal| -> Result<(), Problem> {
        sum = sum.checked_add(amount).ok_or_else(too_large)?;
        Ok(())
    };
    for line in &invoice.lines {
        add(net_of(line, line.quantity)?)?;
        add(line.tax.unwrap_or_default())?;
    }
    for charge in &invoice.charges {
        add(charge.amount.gross)?;
    }
    let (stated, seen) = (invoice.total.gross.rounded(CENTS), sum.rounded(CENTS));
    if stated == seen {
        return Ok(());
    }
    Err(Problem::new(
        "invoice-total-differs",
        format!(
            "Invoice {} is over {} {}, and its lines and charges come to {}.",
            invoice.number,
            stated.fixed(CENTS),
            invoice.currency,
            seen.fixed(CENTS)
        ),
        "Correct the invoice where it was made, or send it by hand and leave this card with a reason.",
    ))
}

/// The part of an amount that falls on `units` of `all`, in cents, when `before` units had theirs: the shares of all
/// units add up to the rounded amount, however they are cut.
pub fn share(amount: Decimal, before: Decimal, units: Decimal, all: Decimal) -> Option<Decimal> {
    let upto = |part: Decimal| -> Option<i64> {
        let scale = part.scale.max(all.scale);
        let up = |d: Decimal| {
            i128::from(d.units).checked_mul(10_i128.checked_pow(u32::from(scale - d.scale))?)
        };
        let cents = amount.rounded(CENTS);
        let cents =
            i128::from(cents.units) * 10_i128.pow(u32::from(CENTS - cents.scale.min(CENTS)));
        let (part, all) = (up(part)?, up(all)?);
        if all == 0 {
            return Some(0);
        }
        let product = cents.checked_mul(part)?;
        let (whole, rest) = (product / all, product % all);
        let away = if rest.abs().checked_mul(2)? >= all.abs() {
            product.signum() * all.signum()
        } else {
            0
        };
        i64::try_from(whole.checked_add(away)?).ok()
    };
    let after = upto(before.checked_add(units)?)?;
    Some(Decimal::new(after.checked_sub(upto(before)?)?, CENTS))
}

/// One invoice to be cut from another.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    /// The invoice as it was made.
    pub of: &'a Invoice,
    /// Its number when it is sent.
    pub number: &'a str,
    /// The order's key where it is sent.
    pub order_key: &'a str,
    /// Units of each line.
    pub units: &'a Units,
    /// Units of each line that went into others before.
    pub before: &'a Units,
    /// Whether it carries the charges.
    pub charges: bool,
    /// Tracking numbers of what it is for.
    pub tracking: &'a [String],
}

impl Cut<'_> {
    /// The invoice that is sent.
    ///
    /// # Errors
    /// When the amounts are too large to add up.
    pub fn invoice(&self) -> Result<Invoice, Problem> {
        let mut skip = self.before.clone();
        let mut left = self.units.clone();
        let mut lines = Vec::new();
        for line in &self.of.lines {
            let skipped = take(&mut skip, &line.line, line.quantity);
            let rest = line.quantity.checked_sub(skipped).unwrap_or_default();
            let units = take(&mut left, &line.line, rest);
            if !units.is_positive() {
                continue;
            }
            let tax = share(line.tax.unwrap_or_default(), skipped, units, line.quantity);
            lines.push(OrderLine {
                quantity: units.normal(),
                tax: Some(tax.ok_or_else(too_large)?),
                ..line.clone()
            });
        }
        let charges = if self.charges {
            self.of.charges.iter().map(in_cents).collect::<Option<_>>()
        } else {
            Some(Vec::new())
        };
        let charges: Vec<Charge> = charges.ok_or_else(too_large)?;
        let total = total(&lines, &charges)?;
        let tracking = self.tracking.join(",");
        let extra = |value: String| Extra {
            name: "tracking".to_owned(),
            value,
        };
        Ok(Invoice {
            number: self.number.to_owned(),
            order_key: self.order_key.to_owned(),
            issued_at: self.of.issued_at,
            currency: self.of.currency.clone(),
            lines,
            charges,
            total,
            extras: (!tracking.is_empty())
                .then(|| extra(tracking))
                .into_iter()
                .collect(),
        })
    }
}

/// Takes as much as is there of what is wanted.
fn take(from: &mut Units, line: &str, most: Decimal) -> Decimal {
    let Some(left) = from.get_mut(line) else {
        return Decimal::ZERO;
    };
    let taken = (*left).min(most);
    *left = left.checked_sub(taken).unwrap_or_default();
    taken
}

fn in_cents(charge: &Charge) -> Option<Charge> {
    let (net, tax) = (
        charge.amount.net.rounded(CENTS),
        charge.amount.tax.rounded(CENTS),
    );
    let gross = net.checked_add(tax)?;
    Some(Charge {
        amount: Totals { net, tax, gross },
        ..charge.clone()
    })
}

fn total(lines: &[OrderLine], charges: &[Charge]) -> Result<Totals, Problem> {
    let (mut net, mut tax) = (Decimal::ZERO, Decimal::ZERO);
    let mut add = |one: Decimal, its_tax: Decimal| -> Result<(), Problem> {
        net = net.checked_add(one).ok_or_else(too_large)?;
        tax = tax.checked_add(its_tax).ok_or_else(too_large)?;
        Ok(())
    };
    for line in lines {
        let amount = net_of(line, line.quantity)?.rounded(CENTS);
        add(amount, line.tax.unwrap_or_default())?;
    }
    for charge in charges {
        add(charge.amount.net, charge.amount.tax)?;
    }
    let gross = net.checked_add(tax).ok_or_else(too_large)?;
    Ok(Totals { net, tax, gross })
}

/// How an invoice that is sent differs from what the order expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What the invoice is over.
    pub billed: Decimal,
    /// What the order expects for the same units.
    pub expected: Decimal,
    /// All differences added up, none against another.
    pub off: Decimal,
    /// What differs, line by line.
    pub words: String,
}

impl Difference {
    /// Whether it is small enough: at most so much, or so many percent of what is expected; the larger one counts.
    pub fn is_within(&self, amount: Decimal, percent: Decimal) -> bool {
        let share =
            wide_product(self.expected, percent).map(|p| Decimal::new(p.units, p.scale + 2));
        self.off <= amount || share.is_some_and(|share| self.off <= share)
    }
}

/// What an order expects, as far as it was looked at.
#[derive(Default)]
struct Held {
    expected: Decimal,
    off: Decimal,
    /// Tax that was billed, and that is expected.
    tax: (Decimal, Decimal),
    words: Vec<String>,
}

fn plus(sum: Decimal, more: Decimal) -> Result<Decimal, Problem> {
    sum.checked_add(more).ok_or_else(too_large)
}

impl Held {
    /// Holds one amount against what is expected.
    fn hold(&mut self, what: &str, billed: Decimal, expected: Decimal) -> Result<(), Problem> {
        self.expected = plus(self.expected, expected)?;
        if billed != expected {
            let (billed_words, words) = (billed.fixed(CENTS), expected.fixed(CENTS));
            self.words
                .push(format!("{what} {billed_words} instead of {words}"));
            self.off = plus(self.off, distance(billed, expected))?;
        }
        Ok(())
    }

    fn hold_line(
        &mut self,
        sent: &Invoice,
        order: &Order,
        (key, units): (&str, Decimal),
        before: &Units,
    ) -> Result<(), Problem> {
        let (mut net, mut tax) = (Decimal::ZERO, Decimal::ZERO);
        for row in sent.lines.iter().filter(|l| l.line == key) {
            net = plus(net, net_of(row, row.quantity)?.rounded(CENTS))?;
            tax = plus(tax, row.tax.unwrap_or_default())?;
        }
        self.tax.0 = plus(self.tax.0, tax)?;
        let own = order.lines.iter().find(|l| l.line == key);
        let Some((line, price)) = own.and_then(|l| Some((l, l.unit_price?))) else {
            // Nobody says what it should cost.
            self.tax.1 = plus(self.tax.1, tax)?;
            self.expected = plus(self.expected, net)?;
            return Ok(());
        };
        let skipped = before.get(key).copied().unwrap_or_default();
        let its = share(line.tax.unwrap_or_default(), skipped, units, line.quantity);
        self.tax.1 = plus(self.tax.1, its.ok_or_else(too_large)?)?;
        let wanted = wide_product(price, units).ok_or_else(too_large)?;
        let title = line.title.trim();
        let what = if title.is_empty() {
            format!("line {key}")
        } else {
            format!("line {key} ({title})")
        };
        self.hold(&what, net, wanted.rounded(CENTS))
    }

    fn hold_charges(&mut self, sent: &Invoice, order: &Order) -> Result<(), Problem> {
        let (mut net, mut wanted) = (Decimal::ZERO, Decimal::ZERO);
        for charge in &sent.charges {
            net = plus(net, charge.amount.net.rounded(CENTS))?;
            self.tax.0 = plus(self.tax.0, charge.amount.tax.rounded(CENTS))?;
        }
        for charge in &order.charges {
            wanted = plus(wanted, charge.amount.net.rounded(CENTS))?;
            self.tax.1 = plus(self.tax.1, charge.amount.tax.rounded(CENTS))?;
        }
        self.hold("charges", net, wanted)
    }
}

/// What the order expects for the units of an invoice, held against what it is over. Lines without an expected price are
/// passed over; charges, where the invoice carries them, and tax are expected as the order names them.
///
/// # Errors
/// When the amounts are too large to add up.
pub fn difference(
    sent: &Invoice,
    order: &Order,
    before: &Units,
    charges: bool,
) -> Result<Difference, Problem> {
    let mut held = Held::default();
    for (key, units) in billed(sent) {
        held.hold_line(sent, order, (&key, units), before)?;
    }
    if charges {
        held.hold_charges(sent, order)?;
    }
    let (tax, wanted) = held.tax;
    held.hold("tax", tax, wanted)?;
    Ok(Difference {
        billed: sent.total.gross,
        expected: held.expected,
        off: held.off,
        words: held.words.join("; "),
    })
}

fn distance(one: Decimal, other: Decimal) -> Decimal {
    let apart = one.checked_sub(other).unwrap_or_default();
    Decimal::new(apart.units.abs(), apart.scale)
}
