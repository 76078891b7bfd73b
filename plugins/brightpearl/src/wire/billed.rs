//! Owns how a sale is read as an invoice: an order of Brightpearl's is its invoice once it is closed. Must not know what
//! becomes of it.

use super::ids;
use serde_json::Value;
use waybill_sdk::commerce::Decimal;

/// The reference of an invoice whose booking is under way.
const PENDING: &str = "pending";

/// How far an invoice is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Not invoiced.
    None,
    /// Being booked.
    Pending,
    /// Its number.
    Number(String),
}

/// One row with its amounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BilledRow {
    /// Its id.
    pub id: i64,
    /// What stands on it.
    pub name: String,
    /// How many.
    pub quantity: Decimal,
    /// Without tax, for all of them.
    pub net: Decimal,
    /// Tax, for all of them.
    pub tax: Decimal,
    /// What it is booked on.
    pub nominal: Option<String>,
}

/// Net, tax and gross of the whole.
pub type Sums = (Decimal, Decimal, Decimal);

/// A sale as an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// The sale's id.
    pub id: i64,
    /// By which we find it again.
    pub external_ref: Option<String>,
    /// Its invoice's number, once it has one.
    pub reference: Reference,
    /// The invoice's date.
    pub issued_at: Option<i64>,
    /// Currency of all amounts.
    pub currency: Option<String>,
    /// All rows, parts of kits among them.
    pub rows: Vec<BilledRow>,
    /// What the sale states; `None` where it does not.
    pub total: Option<Sums>,
}

/// The sales of an answer.
pub fn billed(response: &Value) -> Vec<Billed> {
    super::lists::items(response).filter_map(read).collect()
}

fn read(sale: &Value) -> Option<Billed> {
    let text = |value: Option<&Value>| value.and_then(ids::text);
    let invoice = sale.get("invoice").unwrap_or(&Value::Null);
    let reference = match text(invoice.get("invoiceReference")) {
        None => Reference::None,
        Some(word) if word.eq_ignore_ascii_case(PENDING) => Reference::Pending,
        Some(number) => Reference::Number(number),
    };
    let total = sale.get("total").unwrap_or(&Value::Null);
    let sum = |name: &str| total.get(name).and_then(ids::decimal);
    let rows = sale.get("rows").and_then(Value::as_array);
    let tax_date = invoice.get("taxDate").or_else(|| sale.get("taxDate"));
    Some(Billed {
        id: sale.get("id").and_then(ids::whole).filter(|id| *id > 0)?,
        external_ref: text(sale.get("externalRef")),
        reference,
        issued_at: tax_date.and_then(ids::instant),
        currency: text(sale.get("currency").and_then(|c| c.get("code"))),
        rows: rows.into_iter().flatten().filter_map(row).collect(),
        total: (|| Some((sum("net")?, sum("tax")?, sum("gross")?)))(),
    })
}

fn row(row: &Value) -> Option<BilledRow> {
    let amount = |name: &str| row.get(name).and_then(ids::decimal);
    Some(BilledRow {
        id: row.get("id").and_then(ids::whole)?,
        name: row.get("name").and_then(ids::text).unwrap_or_default(),
        quantity: amount("quantity")?,
        net: amount("net")?,
        tax: amount("tax")?,
        nominal: row.get("nominalCode").and_then(ids::text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_invoice_is_there_once_it_has_a_number() {
        let sale =
            |reference: &Value| json!([{"id": 7, "invoice": {"invoiceReference": reference}}]);
        let of = |reference| billed(&sale(&reference)).remove(0).reference;
        assert_eq!(of(json!("")), Reference::None);
        assert_eq!(of(json!(null)), Reference::None);
        assert_eq!(of(json!("Pending")), Reference::Pending);
        assert_eq!(of(json!("SI-9")), Reference::Number("SI-9".to_owned()));
        assert_eq!(billed(&json!([{"id": 8}]))[0].reference, Reference::None);
    }
}
