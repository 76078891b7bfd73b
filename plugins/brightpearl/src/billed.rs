//! Owns how a closed sale becomes an invoice: pure, one sale in, one document out. Rows that are lines of the order are
//! named as its source names them; the others are charges. Amounts are the sale's own. Must not know how sales are found.

use crate::settings::Settings;
use crate::wire::billed::{Billed, BilledRow, Reference};
use crate::wire::sold::Sold;
use waybill_sdk::commerce::{
    Body, Charge, Decimal, Document, Extra, Identifier, Invoice, OrderLine, Totals,
};
use waybill_sdk::decimal::ZERO;

/// Digits behind the point of a price that does not end sooner.
const DIGITS: u8 = 9;

/// Kinds of charges, each with its nominal code in the settings.
const KINDS: [&str; 5] = ["shipping", "handling", "discount", "surcharge", "tax"];

/// The invoice of a sale; `None` where it has none yet, or lacks what nobody may make up.
pub fn document(sale: &Billed, sold: &Sold, settings: Settings<'_>) -> Option<Document> {
    let Reference::Number(number) = &sale.reference else {
        return None;
    };
    let (net, tax, gross) = sale.total?;
    let issued_at = sale.issued_at?;
    let mut invoice = Invoice {
        number: number.clone(),
        order_key: sale.id.to_string(),
        issued_at,
        currency: sale.currency.clone()?,
        lines: Vec::new(),
        charges: Vec::new(),
        total: Totals { net, tax, gross },
        extras: Vec::new(),
    };
    for row in &sale.rows {
        let Some(known) = sold.rows.get(&row.id) else {
            continue;
        };
        if known.child {
            // A kit is invoiced by its own row; parts may carry amounts of their own all the same.
            if !row.net.is_zero() || !row.tax.is_zero() {
                invoice.charges.push(charge(row, settings));
            }
        } else if known.doubtful {
            invoice.extras.push(Extra {
                name: crate::packing::AMBIGUOUS.to_owned(),
                value: format!("{} of `{}`, row {}", row.quantity, row.name, row.id),
            });
        } else if let Some(key) = &known.line {
            invoice.lines.push(line(row, key, known.product)?);
        } else if !row.net.is_zero() || !row.tax.is_zero() {
            invoice.charges.push(charge(row, settings));
        }
    }
    let revision = format!("{number} {net} {tax} {gross}");
    Some(Document {
        key: sale.id.to_string(),
        revision,
        occurred_at: issued_at,
        body: Body::Invoice(invoice),
    })
}

fn line(row: &BilledRow, key: &str, product: Option<i64>) -> Option<OrderLine> {
    let mapped = product.map(|id| Identifier {
        kind: "mapped".to_owned(),
        value: id.to_string(),
    });
    Some(OrderLine {
        line: key.to_owned(),
        number: None,
        identifiers: mapped.into_iter().collect(),
        title: row.name.clone(),
        quantity: row.quantity.normal(),
        cancelled: ZERO,
        shipped: ZERO,
        unit_price: Some(each(row.net, row.quantity)?),
        tax: Some(row.tax.normal()),
        ship_by: None,
        warehouse: None,
        extras: Vec::new(),
    })
}

fn charge(row: &BilledRow, settings: Settings<'_>) -> Charge {
    let gross = row.net.plus(row.tax).unwrap_or(row.net);
    Charge {
        kind: kind(row, settings).to_owned(),
        title: if row.name.is_empty() {
            kind(row, settings).to_owned()
        } else {
            row.name.clone()
        },
        amount: Totals {
            net: row.net.normal(),
            tax: row.tax.normal(),
            gross: gross.normal(),
        },
    }
}

/// By its nominal code, where one kind alone has it; else by its name, as we sent it; else by its sign.
fn kind(row: &BilledRow, settings: Settings<'_>) -> &'static str {
    let booked = |kind: &&&str| {
        let own = settings.get(&format!("nominal-{kind}"));
        own.is_some() && own == row.nominal.as_deref()
    };
    let all: Vec<&&str> = KINDS.iter().filter(booked).collect();
    if let [one] = all.as_slice() {
        return one;
    }
    let named = KINDS
        .iter()
        .find(|kind| row.name.eq_ignore_ascii_case(kind));
    match named {
        Some(kind) => kind,
        None if row.net.units < 0 => "discount",
        None => "surcharge",
    }
}

/// What one unit costs: exact where that ends, else rounded half away from nought to nine digits.
pub fn each(net: Decimal, quantity: Decimal) -> Option<Decimal> {
    if quantity.is_zero() {
        return net.is_zero().then_some(ZERO);
    }
    let up = |value: i64, digits: u32| i128::from(value).checked_mul(10_i128.checked_pow(digits)?);
    let over = up(net.units, u32::from(DIGITS) + u32::from(quantity.scale))?;
    let under = up(quantity.units, u32::from(net.scale))?;
    let (whole, rest) = (over / under, over % under);
    let sign = over.signum() * under.signum();
    let away = if rest.abs().checked_mul(2)? >= under.abs() {
        sign
    } else {
        0
    };
    let exact = Decimal {
        units: i64::try_from(whole.checked_add(away)?).ok()?,
        scale: DIGITS,
    };
    Some(exact.normal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{billed, sold};
    use serde_json::{Value, json};

    fn dec(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn invoice(rows: &Value, own: &[(&str, &str)]) -> Invoice {
        let sale = json!([{"id": 100_245, "externalRef": "wb-1", "currency": {"code": "USD"}, "rows": rows,
            "invoice": {"invoiceReference": "SI-2044", "taxDate": "2025-11-07T00:00:00.000Z"},
            "total": {"net": "20.00", "tax": "2.00", "gross": "22.00"}}]);
        let pairs: Vec<_> = own
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let (_, _, sold) = sold::sales(&sale).remove(0);
        let billed = billed::billed(&sale).remove(0);
        let document = document(&billed, &sold, Settings::of(&pairs)).unwrap();
        assert_eq!(document.key, "100245");
        match document.body {
            Body::Invoice(invoice) => invoice,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn prices_are_exact_or_round_to_the_same_sum() {
        assert_eq!(each(dec("18.0000"), dec("2.0000")), Some(dec("9")));
        assert_eq!(each(dec("-2.5"), dec("2")), Some(dec("-1.25")));
        let third = each(dec("10.00"), dec("3")).unwrap();
        let sum = third.times(dec("3")).unwrap().rounded(4);
        assert_eq!(sum.normal(), dec("10"));
        assert_eq!(each(dec("1"), ZERO), None);
        assert_eq!(each(dec("9000000000000"), dec("0.0001")), None);
    }

    #[test]
    fn rows_are_lines_of_the_order_or_charges() {
        let all = invoice(
            &json!([
                {"id": 1, "productId": 1007, "name": "Mug", "quantity": "2.0000", "net": "18.0000", "tax": "1.80", "externalRef": "L1"},
                {"id": 2, "productId": 1100, "name": "Kit", "quantity": 1, "net": 0, "tax": 0, "externalRef": "L2", "bundleParent": true},
                {"id": 3, "productId": 1008, "name": "Part", "quantity": 2, "net": 0, "tax": 0, "bundleChild": true, "parentRowId": 2},
                {"id": 4, "productId": 1000, "name": "Freight", "quantity": 1, "net": "3.00", "tax": "0.20", "nominalCode": "4040"},
                {"id": 5, "productId": 1000, "name": "Goodwill", "quantity": 1, "net": "-1.00", "tax": "0", "nominalCode": "4000"},
                {"id": 6, "productId": 1000, "name": "Tax", "quantity": 1, "net": "0.50", "tax": "0", "nominalCode": "4000"},
            ]),
            &[("nominal-shipping", "4040")],
        );
        let lines: Vec<_> = all
            .lines
            .iter()
            .map(|l| (l.line.as_str(), l.quantity.to_string(), l.unit_price))
            .collect();
        assert_eq!(
            lines,
            [
                ("L1", "2".to_owned(), Some(dec("9"))),
                ("L2", "1".to_owned(), Some(ZERO)),
            ]
        );
        let charges: Vec<_> = all
            .charges
            .iter()
            .map(|c| (c.kind.as_str(), c.amount.net))
            .collect();
        let expected = [
            ("shipping", dec("3")),
            ("discount", dec("-1")),
            ("tax", dec("0.5")),
        ];
        assert_eq!(charges, expected);
        assert_eq!(all.total.gross, dec("22"));
    }
}
