//! Owns how an account comes to hold what somebody else's does: lists, products and their custom fields, contacts, staff. Only before it is
//! served. It must not know why.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::account::Brightpearl;
use super::contacts::Contact;
use super::custom::Field;
use super::products::Product;
use super::reference::{STATUS_NEW, Status};

/// Nominal code of rows that name none.
const USUAL_NOMINAL: &str = "4000";

/// Id of the first custom field that is not seeded.
const FIRST_FIELD: i64 = 1001;
/// How the kind of an identifier begins that is a custom field.
const CUSTOM: &str = "custom:";

/// A product.
#[derive(Debug, Clone, Default)]
pub struct Goods {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Kind (`sku`, `ean`, `upc`, `isbn`, `mpn`, `barcode`, `custom:` and the code of a custom field) and value; others are
    /// passed over.
    pub identifiers: Vec<(String, String)>,
}

/// What an account is to hold.
#[derive(Debug, Clone, Default)]
pub struct Furniture {
    /// Entries of a list, value and name, by the list's name; they take the place of the seeded ones.
    pub lists: BTreeMap<String, Vec<(String, String)>>,
    /// Products.
    pub goods: Vec<Goods>,
    /// Contacts that are there already.
    pub contacts: Vec<i64>,
    /// Contacts who may look after a sale, with their names.
    pub staff: Vec<(i64, String)>,
    /// Custom fields of products, code and name, beside the seeded ones.
    pub product_fields: Vec<(String, String)>,
}

impl Brightpearl {
    /// The same account with that in it.
    #[must_use]
    pub fn furnished(mut self, with: &Furniture) -> Self {
        for (name, entries) in &with.lists {
            if name == "order-status" {
                self.take_statuses(entries);
            } else {
                self.take_list(name, entries);
            }
        }
        for goods in &with.goods {
            self.products.all.insert(goods.id, product(goods));
        }
        for id in &with.contacts {
            let contact = Contact::blank(*id, "Contact", &id.to_string(), "");
            self.contacts.all.entry(*id).or_insert(contact);
        }
        for (id, name) in &with.staff {
            let contact = Contact::blank(*id, name, "", "");
            let contact = self.contacts.all.entry(*id).or_insert(contact);
            contact.is_staff = true;
            self.lists.staff.push(*id);
        }
        self.take_product_fields(&with.product_fields);
        self
    }

    fn take_product_fields(&mut self, with: &[(String, String)]) {
        let fields = &mut self.products.fields;
        for (number, (code, name)) in (FIRST_FIELD..).zip(with) {
            fields.retain(|known| known.code() != code);
            fields.push(Field::text(number, code, name));
        }
    }

    fn take_statuses(&mut self, entries: &[(String, String)]) {
        self.lists.statuses.retain(|known| known.order_type != "SO");
        let taken = entries.iter().filter_map(|(value, name)| {
            Some(Status {
                id: value.parse().ok()?,
                name: name.clone(),
                order_type: "SO",
                disabled: false,
            })
        });
        self.lists.statuses.extend(taken);
        // Sales that name no status get the account's own.
        if self.lists.status(STATUS_NEW).is_none() {
            self.lists.statuses.push(Status {
                id: STATUS_NEW,
                name: "New".to_owned(),
                order_type: "SO",
                disabled: false,
            });
        }
    }

    fn take_list(&mut self, name: &str, entries: &[(String, String)]) {
        let Some((_, list)) = self
            .lists
            .fixed
            .iter_mut()
            .find(|(known, _)| **known == name)
        else {
            return;
        };
        let Some(first) = list.first().cloned() else {
            return;
        };
        let numbered = (1..).zip(entries);
        *list = numbered
            .filter_map(|(number, entry)| row(name, &first, number, entry))
            .collect();
        let is_usual = |row: &Value| row["code"] == USUAL_NOMINAL;
        if name == "nominal-code" && !list.iter().any(is_usual) {
            let usual = (USUAL_NOMINAL.to_owned(), "Sales".to_owned());
            list.extend(row(name, &first, 0, &usual));
        }
    }
}

/// An entry in the shape of the seeded ones; none where its value cannot be of that list.
fn row(list: &str, shape: &Value, number: i64, (value, name): &(String, String)) -> Option<Value> {
    let mut row = shape.clone();
    match list {
        "tax-code" => row = json!({"id": number, "code": value, "description": name}),
        "nominal-code" => {
            row["id"] = json!(number);
            row["code"] = json!(value);
            row["name"] = json!(name);
        }
        _ => {
            row["id"] = json!(value.parse::<i64>().ok()?);
            if row["name"].is_object() {
                row["name"]["text"] = json!(name);
                // Those that are chosen from are there to sell by.
                row["priceListTypeCode"] = json!("SELL");
                row["gross"] = json!(false);
            } else {
                row["name"] = json!(name);
            }
            if row.get("code").is_some() {
                row["code"] = json!(value);
            }
        }
    }
    Some(row)
}

fn product(goods: &Goods) -> Product {
    let mut product = Product {
        tracked: true,
        price: Decimal::new(1999, 2),
        ..Product::plain(goods.id, &goods.name)
    };
    for (kind, value) in &goods.identifiers {
        if let Some(code) = kind.strip_prefix(CUSTOM) {
            product.custom.insert(code.to_owned(), json!(value));
            continue;
        }
        let slot = match kind.as_str() {
            "sku" => &mut product.sku,
            "ean" => &mut product.ean,
            "upc" => &mut product.upc,
            "isbn" => &mut product.isbn,
            "mpn" => &mut product.mpn,
            "barcode" => &mut product.barcode,
            _ => continue,
        };
        value.clone_into(slot);
    }
    product
}
