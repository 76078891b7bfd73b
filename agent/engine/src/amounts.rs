//! What an order states beside what its sale is made of under its retailer's rules, for the page of the order.

use crate::view::{MoneyRow, Tone};
use waybill_model::amounts::Rules;
use waybill_model::decimal::Decimal;
use waybill_model::document::{Order, Totals};
use waybill_model::money;

/// Net of the lines, net of the charges, tax, and all of it.
struct Parts {
    lines: Decimal,
    charges: Decimal,
    tax: Decimal,
    gross: Decimal,
}

impl Parts {
    fn of(lines: Decimal, sum: &Totals) -> Self {
        Self {
            lines,
            charges: sum.net.checked_sub(lines).unwrap_or_default(),
            tax: sum.tax,
            gross: sum.gross,
        }
    }
}

/// The rows, and whether both sides agree. The connector proves that the sale has just these amounts.
pub(crate) fn rows(order: &Order, rules: Rules, is_made: bool) -> (Vec<MoneyRow>, (Tone, String)) {
    let sold = rules.apply(order);
    let (Ok(stated), Ok(sum)) = (money::order_totals(order), sold.totals()) else {
        let words = "A line has no price, so nothing can be compared.";
        return (Vec::new(), (Tone::You, words.to_owned()));
    };
    let mut charges = order.charges.iter().map(|charge| charge.amount.net);
    let charges = charges.try_fold(Decimal::ZERO, Decimal::checked_add);
    let lines = stated.net.checked_sub(charges.unwrap_or_default());
    let lines = lines.unwrap_or_default();
    let (own, sale) = (Parts::of(lines, &stated), Parts::of(lines, &sum));
    let cancelled = order
        .lines
        .iter()
        .filter_map(|l| l.unit_price?.checked_mul(l.cancelled))
        .try_fold(Decimal::ZERO, Decimal::checked_add)
        .unwrap_or_default();
    let row = |label: &str, order: Decimal, sale: Decimal, sum: bool| MoneyRow {
        label: label.to_owned(),
        order: Some(order),
        sale: is_made.then_some(sale),
        sum,
    };
    let mut rows = vec![row("Lines as ordered", own.lines, sale.lines, false)];
    if !cancelled.is_zero() {
        let off = Decimal::ZERO.checked_sub(cancelled).unwrap_or_default();
        rows.push(row("Cancelled", off, off, false));
    }
    if !own.charges.is_zero() || !sale.charges.is_zero() {
        rows.push(row("Charges", own.charges, sale.charges, false));
    }
    rows.push(row("Tax", own.tax, sale.tax, false));
    let now = |gross: Decimal| gross.checked_sub(cancelled).unwrap_or(gross);
    rows.push(row("Total now", now(own.gross), now(sale.gross), true));
    let as_ruled = own.gross != sale.gross || !sold.is_compared();
    let sentence = match sold.check() {
        Ok(_) if as_ruled => (
            Tone::Quiet,
            "The sale comes to what your rules for amounts say".to_owned(),
        ),
        Ok(_) if is_made => (Tone::Ok, "Order and sale agree to the cent".to_owned()),
        Ok(_) => (
            Tone::Quiet,
            "The order's lines and its total agree to the cent".to_owned(),
        ),
        Err(problem) => (Tone::You, problem.message),
    };
    (rows, sentence)
}
