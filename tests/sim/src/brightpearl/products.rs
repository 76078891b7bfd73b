//! Owns products: the seed, reading, searching, custom fields and prices. It must not know stock levels (`stock.rs`) or
//! orders.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::account::Brightpearl;
use super::call::{Call, operations};
use super::clock::Zone;
use super::custom::{self, Field, OF_PRODUCTS, Values};
use super::envelope::{Answer, Refusal, Reply, fixed, number};
use super::idset::{IdSet, compact};
use super::search::{Cell, Column, Kind, Table};
use crate::catalogue;

/// Most ids of one GET.
pub(super) const MAX_IDS: i64 = 200;

/// The product that free-text rows carry.
pub(super) const MISC: i64 = 1000;

/// When the seeded records were made: 2025-01-06 09:00 UTC.
pub(super) const SEEDED_ON: i64 = 1_736_154_000_000;

/// A product.
#[derive(Debug, Clone)]
pub(super) struct Product {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) sku: String,
    pub(super) ean: String,
    pub(super) upc: String,
    pub(super) isbn: String,
    pub(super) mpn: String,
    pub(super) barcode: String,
    pub(super) tracked: bool,
    /// Components with their quantity; empty when it is no bundle.
    pub(super) bundle: Vec<(i64, i64)>,
    pub(super) price: Decimal,
    pub(super) live: bool,
    pub(super) created_on: i64,
    pub(super) updated_on: Option<i64>,
    pub(super) visible_from: i64,
    pub(super) custom: Values,
}

impl Product {
    pub(super) fn is_bundle(&self) -> bool {
        !self.bundle.is_empty()
    }

    /// A product with nothing but an id and a name.
    pub(super) fn plain(id: i64, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            sku: String::new(),
            ean: String::new(),
            upc: String::new(),
            isbn: String::new(),
            mpn: String::new(),
            barcode: String::new(),
            tracked: false,
            bundle: Vec::new(),
            price: Decimal::ZERO,
            live: true,
            created_on: SEEDED_ON,
            updated_on: None,
            visible_from: 0,
            custom: Values::new(),
        }
    }
}

/// All products.
#[derive(Debug)]
pub(super) struct Products {
    pub(super) all: BTreeMap<i64, Product>,
    /// Their custom fields.
    pub(super) fields: Vec<Field>,
}

impl Products {
    /// The catalogue, behind the miscellaneous product.
    pub(super) fn seeded(count: usize) -> Self {
        let mut all = BTreeMap::from([(MISC, Product::plain(MISC, "Misc"))]);
        for seed in catalogue::products(count) {
            let bundle = seed.bundle.clone().unwrap_or_default();
            let edited = seed.id % 3 == 0;
            let product = Product {
                sku: seed.sku.clone(),
                ean: seed.ean.clone(),
                upc: seed.upc.clone(),
                mpn: if seed.id % 2 == 0 {
                    format!("MB-{}", seed.id)
                } else {
                    String::new()
                },
                barcode: seed.ean.clone(),
                tracked: seed.tracked && bundle.is_empty(),
                bundle,
                price: Decimal::new(seed.price_cents, 2),
                updated_on: edited.then_some(SEEDED_ON + 3_600_000),
                ..Product::plain(seed.id, &seed.name)
            };
            all.insert(seed.id, product);
        }
        let fields = OF_PRODUCTS.to_vec();
        Self { all, fields }
    }

    pub(super) fn get(&self, id: i64) -> Option<&Product> {
        self.all.get(&id)
    }

    pub(super) fn next_id(&self) -> i64 {
        self.all
            .keys()
            .next_back()
            .map_or(catalogue::FIRST_PRODUCT, |id| id + 1)
    }

    fn composition(&self, product: &Product) -> Value {
        if !product.is_bundle() {
            return json!({ "bundle": false });
        }
        let parts: Vec<Value> = product
            .bundle
            .iter()
            .map(|(id, quantity)| {
                let part = self.get(*id).map(|part| self.composition(part));
                json!({ "productId": id, "productQuantity": quantity, "composition": part })
            })
            .collect();
        json!({ "bundle": true, "bundleComponents": parts })
    }

    fn view(&self, product: &Product, zone: Zone) -> Value {
        let mut identity = json!({ "sku": product.sku, "barcode": product.barcode });
        let keys = [
            ("ean", &product.ean),
            ("upc", &product.upc),
            ("isbn", &product.isbn),
            ("mpn", &product.mpn),
        ];
        for (key, text) in keys {
            // Some products carry empty keys, most leave them out.
            if !text.is_empty() || product.id % 10 == 0 {
                identity[key] = json!(text);
            }
        }
        let text = json!({ "languageCode": "en", "text": "", "format": "HTML_FRAGMENT" });
        let mut stock = json!({ "stockTracked": product.tracked });
        if !product.is_bundle() {
            stock["weight"] = json!({ "magnitude": number("0.4500") });
            stock["dimensions"] = json!({
                "length": number("10.00"), "height": number("9.00"), "width": number("9.00"),
                "volume": number("0.00"),
            });
        }
        let place = json!({ "defaultLocationId": 0, "overflowLocationId": 0, "reorderLevel": 0, "reorderQuantity": 0 });
        let mut view = json!({
            "id": product.id, "brandId": 74, "productTypeId": 1, "identity": identity, "featured": false,
            "stock": stock,
            "financialDetails": { "taxable": true, "taxCode": { "id": 2, "code": "T" } },
            "salesChannels": [{
                "salesChannelName": "Brightpearl", "productName": product.name, "productCondition": "new",
                "categories": [{ "categoryCode": "296" }], "description": text, "shortDescription": text,
            }],
            "composition": self.composition(product),
            "createdOn": zone.text(product.created_on),
            "warehouses": { "2": place, "3": place },
            "nominalCodeStock": "1001", "nominalCodePurchases": "5000", "nominalCodeSales": "4000",
            "seasonIds": [], "reporting": {}, "status": status(product), "salesPopupMessage": "",
            "warehousePopupMessage": "", "version": product.updated_on.unwrap_or(product.created_on),
        });
        if product.id % 2 == 0 {
            view["collectionId"] = json!(0);
            view["productGroupId"] = json!(0);
            view["variations"] = json!([]);
        }
        if let Some(at) = product.updated_on {
            view["updatedOn"] = json!(zone.text(at));
        }
        view
    }
}

fn status(product: &Product) -> &'static str {
    if product.live { "LIVE" } else { "DISCONTINUED" }
}

static TABLE: Table<Product> = Table {
    columns: &[
        Column::named("productId", Kind::IdSet, "productCategoryMembership", |p| {
            Cell::Int(p.id)
        }),
        Column::new("productName", Kind::SearchText, |p| {
            Cell::Text(p.name.clone())
        }),
        Column::new("SKU", Kind::Text, |p| Cell::Text(p.sku.clone())),
        Column::new("barcode", Kind::Text, |p| Cell::Text(p.barcode.clone())),
        Column::new("EAN", Kind::Text, |p| Cell::filled(&p.ean)),
        Column::new("UPC", Kind::Text, |p| Cell::filled(&p.upc)),
        Column::new("ISBN", Kind::Text, |p| Cell::filled(&p.isbn)),
        Column::new("MPN", Kind::Text, |p| Cell::filled(&p.mpn)),
        Column::new("stockTracked", Kind::Bool, |p| Cell::Bool(p.tracked)),
        Column::shown("salesChannelName", Kind::Text, |_| {
            Cell::Text("Brightpearl".to_owned())
        }),
        Column::new("createdOn", Kind::Period, |p| Cell::Time(p.created_on)),
        Column::new("updatedOn", Kind::Period, |p| Cell::time(p.updated_on)),
        Column::new("brightpearlCategoryCode", Kind::IdSet, |_| Cell::Int(296)),
        Column::new("productGroupId", Kind::Integer, |p| match p.id % 2 {
            0 => Cell::Int(0),
            _ => Cell::Null,
        }),
        Column::new("brandId", Kind::IdSet, |_| Cell::Int(74)),
        Column::new("productTypeId", Kind::IdSet, |_| Cell::Int(1)),
        Column::new("productStatus", Kind::Text, |p| {
            Cell::Text(status(p).to_owned())
        }),
        Column::new("primarySupplierId", Kind::IdSet, |_| Cell::Null),
    ],
    filters: &[Column::new("channelId", Kind::Integer, |_| {
        Cell::Ints(vec![1, 3, 7])
    })],
};

/// Reads an id set of limited size.
pub(super) fn ids_of(text: &str, most: i64) -> Result<Vec<i64>, Refusal> {
    let set = IdSet::parse(text)
        .ok_or_else(|| Refusal::bad("CMNC-011", format!("Invalid ID set: {text}")))?;
    if set.size() > most {
        let text = format!("The ID set may not name more than {most} resources");
        return Err(Refusal::bad("CMNC-012", text));
    }
    Ok(set.ids().into_iter().collect())
}

/// What OPTIONS answers: the existing ids in portions that one GET takes.
pub(super) fn get_uris<'a>(
    resource: &str,
    set: Option<&str>,
    existing: impl Iterator<Item = &'a i64>,
) -> Answer {
    let wanted = match set {
        Some(text) => Some(
            IdSet::parse(text)
                .ok_or_else(|| Refusal::bad("CMNC-011", format!("Invalid ID set: {text}")))?,
        ),
        None => None,
    };
    let ids: Vec<i64> = existing
        .copied()
        .filter(|id| wanted.as_ref().is_none_or(|w| w.contains(*id)))
        .collect();
    let portion = usize::try_from(MAX_IDS).unwrap_or(usize::MAX);
    let uris: Vec<String> = ids
        .chunks(portion)
        .map(|part| format!("/{resource}/{}", compact(part)))
        .collect();
    Ok(Reply::ok(json!({ "getUris": uris })))
}

impl Brightpearl {
    /// `GET product/{set}`.
    pub(super) fn product_get(&self, set: &str, call: &Call) -> Answer {
        let ids = ids_of(set, MAX_IDS)?;
        let nulls = call.includes("nullCustomFields");
        let items: Vec<Value> = ids
            .iter()
            .filter_map(|id| self.products.get(*id))
            .rev()
            .map(|product| {
                let mut view = self.products.view(product, self.zone());
                if nulls || call.includes("customFields") {
                    view["customFields"] =
                        custom::view(&self.products.fields, &product.custom, nulls);
                }
                view
            })
            .collect();
        if items.is_empty() {
            return Err(Refusal::missing("No Product Found"));
        }
        Ok(Reply::found(&items, ids.len()))
    }

    /// `OPTIONS product[/{set}]`.
    pub(super) fn product_options(&self, set: Option<&str>) -> Answer {
        get_uris("product", set, self.products.all.keys())
    }

    /// `GET product-search`.
    pub(super) fn product_search(&self, now: i64, call: &Call) -> Answer {
        let lag = self.settings.search_lag_ms;
        let seen = self
            .products
            .all
            .values()
            .filter(|p| now - p.visible_from >= lag);
        let found = TABLE.search(seen, &call.query, self.zone())?;
        let mut body = json!({ "response": found.response, "reference": {} });
        if !found.records.is_empty() {
            let members: Map<String, Value> = found
                .records
                .iter()
                .map(|p| (p.id.to_string(), json!([296])))
                .collect();
            body["reference"]["productCategoryMembership"] = members.into();
        }
        Ok(Reply { status: 200, body })
    }

    /// `GET product-search/meta-data`.
    pub(super) fn product_search_meta() -> Reply {
        Reply::ok(TABLE.meta_data())
    }

    /// `GET product-custom-field/{set}`: unknown ids give an empty entry.
    pub(super) fn product_custom_fields(&self, set: &str) -> Answer {
        let ids = ids_of(set, MAX_IDS)?;
        let entry = |id: &i64| {
            let values = self.products.get(*id).map(|p| &p.custom);
            let view = values.map_or(json!({}), |v| custom::view(&self.products.fields, v, false));
            (id.to_string(), view)
        };
        Ok(Reply::ok(ids.iter().map(entry).collect::<Map<_, _>>()))
    }

    /// `GET|PATCH product/{id}/custom-field`.
    pub(super) fn product_custom_field(&mut self, now: i64, id: &str, call: &Call) -> Answer {
        let Products { all, fields } = &mut self.products;
        let product = id
            .parse()
            .ok()
            .and_then(|id: i64| all.get_mut(&id))
            .ok_or_else(|| Refusal::missing("No Product Found"))?;
        if call.method == "PATCH" {
            custom::patch(fields, &mut product.custom, &operations(call)?)?;
            product.updated_on = Some(now);
        }
        Ok(Reply::ok(custom::view(fields, &product.custom, false)))
    }

    /// `GET product-price/{set}`.
    pub(super) fn product_price(&self, set: &str) -> Answer {
        let ids = ids_of(set, MAX_IDS)?;
        let price = |list: i64, amount: Decimal| {
            json!({
                "priceListId": list, "currencyCode": "USD", "currencyId": 1,
                "quantityPrice": { "1": fixed(amount, 4) },
            })
        };
        let items: Vec<Value> = ids
            .iter()
            .filter(|id| **id != MISC)
            .filter_map(|id| self.products.get(*id))
            .map(|p| {
                let half = p.price / Decimal::from(2);
                json!({
                    "productId": p.id,
                    "priceLists": [price(1, half), price(2, p.price), price(3, p.price)],
                })
            })
            .collect();
        if items.is_empty() {
            return Err(Refusal::missing("No Product Price Found"));
        }
        Ok(Reply::ok(items))
    }
}
