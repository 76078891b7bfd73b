//! Owns the money of a sale's rows: what a line comes to, in how many digits, and that the rows add up to what the order
//! asks for, to the cent. Must not know rows or settings.

use waybill_sdk::commerce::{Decimal, OrderLine};
use waybill_sdk::decimal::ZERO;
use waybill_sdk::types::Problem;

/// Digits behind the point that a row of a sale takes.
const DIGITS: u8 = 4;

/// What one line of a sale comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineAmounts {
    /// Ordered and not cancelled.
    pub quantity: Decimal,
    /// Quantity times price, not rounded.
    pub net: Decimal,
    /// Tax of the quantity.
    pub tax: Decimal,
}

/// Ordered and not cancelled; `None` where the numbers do not fit.
pub fn wanted(line: &OrderLine) -> Option<Decimal> {
    line.quantity.minus(line.cancelled)
}

/// What a line comes to. The order gives tax for the whole line: a cancelled part takes its share with it.
pub fn of_line(line: &OrderLine) -> Result<LineAmounts, Problem> {
    let quantity = wanted(line).ok_or_else(too_large)?;
    if !quantity.is_positive() {
        return Ok(LineAmounts {
            quantity,
            net: ZERO,
            tax: ZERO,
        });
    }
    let Some(price) = line.unit_price else {
        return Err(Problem::new(
            "no-price",
            format!(
                "Line {} ({}) has no price on the order.",
                line.line, line.title
            ),
            "Ask the retailer for the price, then retry; a price is never made up.",
        ));
    };
    let net = price.times(quantity).ok_or_else(too_large)?;
    let tax = line.tax.unwrap_or(ZERO);
    let tax = if line.cancelled.is_zero() {
        tax
    } else {
        share(tax, quantity, line.quantity).ok_or_else(too_large)?
    };
    Ok(LineAmounts { quantity, net, tax })
}

/// `amount * part / whole`, rounded half away from nought to the digits of a row.
fn share(amount: Decimal, part: Decimal, whole: Decimal) -> Option<Decimal> {
    let scale = part.scale.max(whole.scale);
    let wide = |d: Decimal, scale: u8| {
        let up = 10_i128.checked_pow(u32::from(scale.checked_sub(d.scale)?))?;
        i128::from(d.units).checked_mul(up)
    };
    let digits = amount.scale.max(DIGITS);
    let whole = wide(whole, scale)?;
    if whole == 0 {
        return Some(ZERO);
    }
    let product = wide(amount, digits)?.checked_mul(wide(part, scale)?)?;
    // Twice the remainder against the divisor rounds a half away from nought.
    let (quotient, rest) = (product / whole, product % whole);
    let up = rest.abs().checked_mul(2)? >= whole.abs();
    let sign = product.signum() * whole.signum();
    let units = quotient.checked_add(if up { sign } else { 0 })?;
    let exact = Decimal {
        units: i64::try_from(units).ok()?,
        scale: digits,
    };
    Some(exact.rounded(DIGITS).normal())
}

/// As a row takes it.
pub fn rounded(amount: Decimal) -> Decimal {
    amount.rounded(DIGITS).normal()
}

/// As a row takes it, with cents.
pub fn in_cents(amount: Decimal) -> Decimal {
    let amount = rounded(amount);
    let up = match amount.scale {
        0 => 100,
        1 => 10,
        _ => 1,
    };
    amount
        .units
        .checked_mul(up)
        .map_or(amount, |units| Decimal {
            units,
            scale: amount.scale.max(2),
        })
}

/// Net and tax of many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    net: Decimal,
    tax: Decimal,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            net: ZERO,
            tax: ZERO,
        }
    }
}

impl Sum {
    /// Adds one row.
    pub fn add(&mut self, net: Decimal, tax: Decimal) -> Result<(), Problem> {
        self.net = self.net.plus(net).ok_or_else(too_large)?;
        self.tax = self.tax.plus(tax).ok_or_else(too_large)?;
        Ok(())
    }

    /// Net, tax and gross must be the same to the cent: rounding the rows may not move it.
    pub fn must_equal(&self, asked: &Self) -> Result<(), Problem> {
        let gross = |sum: &Self| sum.net.plus(sum.tax).ok_or_else(too_large);
        for (name, ours, theirs) in [
            ("net", self.net, asked.net),
            ("tax", self.tax, asked.tax),
            ("total", gross(self)?, gross(asked)?),
        ] {
            let (ours, theirs) = (ours.rounded(2), theirs.rounded(2));
            if ours.compare(theirs).is_ne() {
                let (ours, theirs) = (in_cents(ours), in_cents(theirs));
                return Err(Problem::new(
                    "total-differs",
                    format!(
                        "The order comes to {name} {theirs}, the rows of its sale to {ours}, since a row has four digits behind the point."
                    ),
                    "Ask the retailer for prices with fewer digits, or enter this sale by hand.",
                ));
            }
        }
        Ok(())
    }
}

fn too_large() -> Problem {
    Problem::new(
        "amount-too-large",
        "The amounts of this order are too large to add up.",
        "Check the order at its source.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(amount: Decimal) -> String {
        in_cents(amount).to_string()
    }

    fn dec(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn line(quantity: &str, cancelled: &str, price: Option<&str>, tax: Option<&str>) -> OrderLine {
        OrderLine {
            line: "1".to_owned(),
            number: Some(1),
            identifiers: Vec::new(),
            title: "Mug".to_owned(),
            quantity: dec(quantity),
            cancelled: dec(cancelled),
            shipped: ZERO,
            unit_price: price.map(dec),
            tax: tax.map(dec),
            ship_by: None,
            warehouse: None,
            extras: Vec::new(),
        }
    }

    #[test]
    fn a_line_is_quantity_times_price() {
        let all = of_line(&line("3", "0", Some("9.99"), Some("2.4"))).unwrap();
        assert_eq!(
            (text(all.net), text(all.tax)),
            ("29.97".into(), "2.40".into())
        );
        let fine = of_line(&line("3", "0", Some("1.23456"), None)).unwrap();
        assert_eq!(
            (text(fine.net), text(fine.tax)),
            ("3.7037".into(), "0.00".into())
        );
    }

    #[test]
    fn a_cancelled_part_takes_its_tax_with_it() {
        let part = of_line(&line("3", "1", Some("10"), Some("1.00"))).unwrap();
        assert_eq!(part.quantity, dec("2"));
        assert_eq!(
            (text(part.net), text(part.tax)),
            ("20.00".into(), "0.6667".into())
        );
        let none = of_line(&line("3", "3", Some("10"), Some("1.00"))).unwrap();
        assert!(none.quantity.is_zero() && none.tax.is_zero());
    }

    #[test]
    fn a_price_is_never_made_up() {
        assert_eq!(
            of_line(&line("1", "0", None, None)).unwrap_err().code,
            "no-price"
        );
        let gone = of_line(&line("2", "2", None, None)).unwrap();
        assert!(gone.net.is_zero(), "what is cancelled needs no price");
        let free = of_line(&line("1", "0", Some("0"), None)).unwrap();
        assert_eq!(text(free.net), "0.00");
    }

    #[test]
    fn rounding_may_not_move_a_cent() {
        let (mut asked, mut sent) = (Sum::default(), Sum::default());
        for _ in 0..150 {
            asked.add(dec("0.00004"), ZERO).unwrap();
            sent.add(rounded(dec("0.00004")), ZERO).unwrap();
        }
        assert_eq!(sent.must_equal(&asked).unwrap_err().code, "total-differs");
        let (mut asked, mut sent) = (Sum::default(), Sum::default());
        asked.add(dec("3.70368"), dec("0.5")).unwrap();
        sent.add(rounded(dec("3.70368")), dec("0.5")).unwrap();
        sent.must_equal(&asked).unwrap();
    }

    #[test]
    fn amounts_have_cents_and_at_most_four_digits() {
        for (given, written) in [
            ("18", "18.00"),
            ("-2.5", "-2.50"),
            ("0.12345", "0.1235"),
            ("0", "0.00"),
        ] {
            assert_eq!(text(dec(given)), written);
        }
    }

    #[test]
    fn what_does_not_fit_is_a_problem() {
        let huge = line("9000000000000000000", "0", Some("9"), None);
        assert_eq!(of_line(&huge).unwrap_err().code, "amount-too-large");
    }
}
