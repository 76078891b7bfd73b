//! The money check: an order's lines and charges against the total its source states. Exact, to the cent.

use crate::contract::Problem;
use crate::decimal::Decimal;
use crate::document::{Order, OrderLine, Totals};

/// What one line comes to: ordered quantity times price, and its tax.
/// `None` where the source gave no price, or the product does not fit.
pub fn line_totals(line: &OrderLine) -> Option<Totals> {
    let net = line.unit_price?.checked_mul(line.quantity)?;
    let tax = line.tax.unwrap_or_default();
    Some(Totals {
        net,
        tax,
        gross: net.checked_add(tax)?,
    })
}

/// Lines plus charges, as ordered.
pub fn order_totals(order: &Order) -> Result<Totals, Problem> {
    let mut sum = Totals {
        net: Decimal::ZERO,
        tax: Decimal::ZERO,
        gross: Decimal::ZERO,
    };
    let mut add = |amount: &Totals| -> Option<()> {
        sum.net = sum.net.checked_add(amount.net)?;
        sum.tax = sum.tax.checked_add(amount.tax)?;
        sum.gross = sum.gross.checked_add(amount.gross)?;
        Some(())
    };
    let too_large = || {
        Problem::new(
            "amount-too-large",
            "The amounts of this order are too large to add up.",
            "Check the order at its source.",
        )
    };
    for line in &order.lines {
        let amount = line_totals(line).ok_or_else(|| {
            Problem::new(
                "no-price",
                format!(
                    "Line {} ({}) has no price on the order.",
                    line.line, line.title
                ),
                "Ask the retailer for the price, then retry; a price is never made up.",
            )
        })?;
        add(&amount).ok_or_else(too_large)?;
    }
    for charge in &order.charges {
        add(&charge.amount).ok_or_else(too_large)?;
    }
    Ok(sum)
}

/// Whether lines and charges add up to the stated total, to the cent. The computed totals, or the difference in words.
pub fn check(order: &Order) -> Result<Totals, Problem> {
    let sum = order_totals(order)?;
    let Some(stated) = &order.total else {
        return Ok(sum);
    };
    for (name, stated, seen) in [
        ("net", stated.net, sum.net),
        ("tax", stated.tax, sum.tax),
        ("total", stated.gross, sum.gross),
    ] {
        if stated.rounded(2) != seen.rounded(2) {
            let difference = stated
                .rounded(2)
                .checked_sub(seen.rounded(2))
                .unwrap_or_default();
            let currency = order.currency.as_deref().unwrap_or("");
            return Err(Problem::new(
                "total-differs",
                format!(
                    "The order states {name} {} {currency}, its lines come to {}: a difference of {}.",
                    stated.fixed(2), seen.rounded(2).fixed(2), difference.fixed(2),
                ).replace("  ", " "),
                "Ask the retailer which one is right. Trying again accepts the lines as they are, for this order only.",
            ));
        }
    }
    Ok(sum)
}
