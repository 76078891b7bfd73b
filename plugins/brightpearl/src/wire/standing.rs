//! Owns how a sale is read as it stands: whether it can be cancelled, how much of it is set aside, and its rows with their
//! amounts. Must not know what is done with it.

use super::ids;
use serde_json::Value;
use waybill_sdk::commerce::Decimal;

/// One row of a sale as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingRow {
    /// Its id.
    pub id: i64,
    /// Key of the line at the order's source.
    pub line: Option<String>,
    /// How many.
    pub quantity: Decimal,
    /// Without tax, for all of them.
    pub net: Decimal,
    /// Tax, for all of them.
    pub tax: Decimal,
    /// A kit, whose parts are rows of their own.
    pub bundle: bool,
}

/// How much of a sale is set aside or has left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Aside {
    /// Nothing, or nobody says.
    #[default]
    Nothing,
    /// A part; the sale does not say which.
    Part,
    /// All that has stock.
    All,
    /// All of it has left.
    Left,
}

impl Aside {
    /// From the codes of allocation and shipping. One that is not known says nothing: then less is told as free.
    fn read(allocation: &str, shipping: &str) -> Self {
        match (allocation, shipping) {
            (_, "ASS") => Self::Left,
            ("AAA" | "ANR", _) | (_, "NST") => Self::All,
            ("APA", _) | (_, "SPS") => Self::Part,
            _ => Self::Nothing,
        }
    }

    /// A word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Part => "part",
            Self::All => "all",
            Self::Left => "left",
        }
    }
}

/// A sale as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: i64,
    /// Its status.
    pub status: Option<i64>,
    /// In the account's own status for cancelled sales.
    pub cancelled: bool,
    /// Its invoice has a number, or is on its way.
    pub invoiced: bool,
    /// Something was paid.
    pub paid: bool,
    /// How much of it is set aside.
    pub aside: Aside,
    /// By which we find it again.
    pub external_ref: Option<String>,
    /// When it was changed last.
    pub updated_on: Option<i64>,
    /// Its rows; parts of kits are left out.
    pub rows: Vec<StandingRow>,
}

/// The sales of an answer.
pub fn standing(response: &Value) -> Vec<Standing> {
    super::lists::items(response).filter_map(read).collect()
}

fn read(sale: &Value) -> Option<Standing> {
    let text = |name: &str| sale.get(name).and_then(ids::text);
    let invoice = sale.get("invoice").and_then(|i| i.get("invoiceReference"));
    let paid = text("orderPaymentStatus").unwrap_or_default();
    let code = |name: &str| text(name).unwrap_or_default().trim().to_ascii_uppercase();
    let rows = sale.get("rows").and_then(Value::as_array);
    Some(Standing {
        id: sale.get("id").and_then(ids::whole).filter(|id| *id > 0)?,
        status: sale.get("statusId").and_then(ids::whole),
        cancelled: sale.get("isCanceled").and_then(ids::flag) == Some(true),
        invoiced: invoice.and_then(ids::text).is_some(),
        paid: matches!(paid.as_str(), "PAID" | "PARTIALLY_PAID"),
        aside: Aside::read(&code("allocationStatusCode"), &code("shippingStatusCode")),
        external_ref: text("externalRef"),
        updated_on: sale.get("updatedOn").and_then(ids::instant),
        rows: rows.into_iter().flatten().filter_map(row).collect(),
    })
}

fn row(row: &Value) -> Option<StandingRow> {
    let parent = row.get("parentRowId").and_then(ids::whole);
    let child = row.get("bundleChild").and_then(ids::flag) == Some(true);
    if child || parent.is_some_and(|id| id > 0) {
        return None;
    }
    let amount = |name: &str| row.get(name).and_then(ids::decimal);
    Some(StandingRow {
        id: row.get("id").and_then(ids::whole)?,
        line: row.get("externalRef").and_then(ids::text),
        quantity: amount("quantity")?,
        net: amount("net")?,
        tax: amount("tax")?,
        bundle: row.get("bundleParent").and_then(ids::flag) == Some(true),
    })
}

/// The part of an amount that belongs to some of the units, to four places.
pub fn share(amount: Decimal, units: Decimal, of: Decimal) -> Option<Decimal> {
    const PLACES: u8 = 4;
    let scaled = |value: Decimal| {
        let value = value.rounded(PLACES);
        let factor = 10_i128.pow(u32::from(PLACES.saturating_sub(value.scale)));
        i128::from(value.units) * factor
    };
    let (amount, units, of) = (scaled(amount), scaled(units), scaled(of));
    let doubled = amount.checked_mul(units)?.checked_mul(2)?;
    let quotient = doubled.checked_div(of)?;
    // Half away from nought.
    let rounded = i128::midpoint(quotient, quotient.signum());
    Some(Decimal {
        units: i64::try_from(rounded).ok()?,
        scale: PLACES,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn shares_are_rounded_to_four_places() {
        let of = |amount, units, all| {
            share(decimal(amount), decimal(units), decimal(all)).map(Decimal::normal)
        };
        assert_eq!(of("27.00", "2", "3"), Some(decimal("18").normal()));
        assert_eq!(of("10.00", "2", "3"), Some(decimal("6.6667").normal()));
        assert_eq!(of("-10.00", "1", "3"), Some(decimal("-3.3333").normal()));
        assert_eq!(of("1", "1", "0"), None);
    }

    #[test]
    fn codes_that_nobody_knows_set_nothing_aside() {
        for (allocation, shipping, aside) in [
            ("ANA", "SNS", Aside::Nothing),
            ("APA", "SNS", Aside::Part),
            ("AAA", "SPS", Aside::All),
            ("aaa ", "", Aside::All),
            ("AAA", "ASS", Aside::Left),
            ("ANR", "NST", Aside::All),
            ("ANA", "SPS", Aside::Part),
            ("AXX", "SXX", Aside::Nothing),
            ("", "", Aside::Nothing),
        ] {
            let sale = json!([{"id": 7, "allocationStatusCode": allocation, "shippingStatusCode": shipping}]);
            assert_eq!(standing(&sale)[0].aside, aside, "{allocation} {shipping}");
        }
    }

    #[test]
    fn a_sale_is_read_with_what_forbids_a_cancel() {
        let sale = json!([{"id": "7", "statusId": 22, "isCanceled": null, "orderPaymentStatus": "PARTIALLY_PAID",
            "invoice": {"invoiceReference": ""}, "externalRef": "wb-1", "rows": [
            {"id": 1, "quantity": "3.0000", "net": "27.0000", "tax": 0, "externalRef": "L1", "bundleParent": "true"},
            {"id": 2, "quantity": "3", "net": 1, "tax": 0, "bundleChild": true, "parentRowId": 1}]}]);
        let all = standing(&sale);
        let [one] = all.as_slice() else {
            panic!("{all:?}")
        };
        assert!(one.paid && !one.invoiced && !one.cancelled);
        assert_eq!(one.rows.len(), 1);
        assert!(one.rows[0].bundle);
        assert!(standing(&json!([{"id": 8, "invoice": {"invoiceReference": "SI-1"}}]))[0].invoiced);
    }
}
