//! Owns the shared seed data of both sandboxes: products, retailers, warehouses, shipping codes. Deterministic, so that
//! the two processes agree without talking. Must not know orders or any vendor's shapes.

/// One product of the seed catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedProduct {
    /// The ERP's product id, from 1001.
    pub id: i64,
    /// Stock keeping unit; blank for one special product, shared by two others.
    pub sku: String,
    /// 13 digits.
    pub ean: String,
    /// 12 digits.
    pub upc: String,
    /// Name.
    pub name: String,
    /// Net unit price in cents.
    pub price_cents: i64,
    /// Whether stock is counted.
    pub tracked: bool,
    /// `Some(components)` for a bundle: product id and quantity each.
    pub bundle: Option<Vec<(i64, i64)>>,
}

impl SeedProduct {
    /// Whether a normal order may use it: its SKU is not blank and nobody else has it.
    pub fn orderable(&self) -> bool {
        !self.sku.is_empty() && !self.sku.starts_with("DUP-")
    }
}

/// How many products the seed catalogue has unless asked otherwise; both sandboxes use this number by default.
pub const PRODUCTS: usize = 200;

/// First product id.
pub const FIRST_PRODUCT: i64 = 1001;

const KINDS: [(&str, &str, i64); 8] = [
    ("TEE", "Tee", 950),
    ("CAP", "Cap", 600),
    ("MUG", "Mug", 425),
    ("SOCK", "Socks", 380),
    ("BAG", "Bag", 1575),
    ("LAMP", "Lamp", 3250),
    ("RUG", "Rug", 8999),
    ("HOOD", "Hoodie", 2740),
];
const COLOURS: [(&str, &str); 5] = [
    ("BLK", "black"),
    ("RED", "red"),
    ("BLU", "blue"),
    ("GRN", "green"),
    ("WHT", "white"),
];
const SIZES: [&str; 5] = ["S", "M", "L", "XL", "OS"];

/// The first `count` products, ids from 1001. Of every hundred, number 97 has a blank SKU, 98 and 99 share one, 95 is a
/// bundle of the first two of its hundred and 93 is not stock-tracked.
pub fn products(count: usize) -> Vec<SeedProduct> {
    (0..count).map(product).collect()
}

fn product(index: usize) -> SeedProduct {
    let (code, kind, base) = KINDS[index % KINDS.len()];
    let (colour_code, colour) = COLOURS[index / KINDS.len() % COLOURS.len()];
    let size = SIZES[index / (KINDS.len() * COLOURS.len()) % SIZES.len()];
    let series = index / (KINDS.len() * COLOURS.len() * SIZES.len());
    let number = i64::try_from(index).unwrap_or(i64::MAX - FIRST_PRODUCT);
    let hundred = index / 100;
    let mut sku = format!("{code}-{colour_code}-{size}");
    if series > 0 {
        sku = format!("{sku}-{series}");
    }
    let mut bundle = None;
    match index % 100 {
        95 => {
            let first = FIRST_PRODUCT + number - 95;
            sku = format!("SET-{hundred}");
            bundle = Some(vec![(first, 1), (first + 1, 2)]);
        }
        97 => sku = String::new(),
        98 | 99 => sku = format!("DUP-{hundred}"),
        _ => {}
    }
    SeedProduct {
        id: FIRST_PRODUCT + number,
        sku,
        ean: with_check_digit(&format!("40{number:010}")),
        upc: with_check_digit(&format!("01{number:09}")),
        name: format!("{kind} {colour} {size}"),
        price_cents: base + number % 7 * 5,
        tracked: index % 100 != 93,
        bundle,
    }
}

/// Appends the GS1 check digit.
fn with_check_digit(digits: &str) -> String {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| u32::from(b - b'0') * if i % 2 == 0 { 3 } else { 1 })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// A retailer of the dropship network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retailer {
    /// Network account id (the order's retailer id).
    pub account_id: &'static str,
    /// How the retailer labels this supplier.
    pub partner_id: &'static str,
    /// Name.
    pub name: &'static str,
    /// Status of the partnership.
    pub status: &'static str,
    /// Currency of its orders.
    pub currency: &'static str,
}

/// A text of whoever starts a sandbox, as the seed holds its own: for as long as the process lives.
pub fn kept(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// The seeded retailers. The first three trade; the fourth is being brought aboard.
pub const RETAILERS: [Retailer; 4] = [
    Retailer {
        account_id: "1000007001",
        partner_id: "VEND-88",
        name: "Northwind Stores",
        status: "active",
        currency: "USD",
    },
    Retailer {
        account_id: "1000007002",
        partner_id: "S-4411",
        name: "Harbour Home",
        status: "active",
        currency: "USD",
    },
    Retailer {
        account_id: "1000007003",
        partner_id: "ACME-GOODS",
        name: "Petal and Pine",
        status: "active",
        currency: "USD",
    },
    Retailer {
        account_id: "1000007004",
        partner_id: "NEW-1",
        name: "Summit Outfitters",
        status: "onboarding",
        currency: "USD",
    },
];

/// This supplier's account in the dropship network.
pub const SUPPLIER: (&str, &str) = ("1000012345", "Acme Goods");

/// A warehouse as both sides know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warehouse {
    /// The supplier's own code, used in the network.
    pub code: &'static str,
    /// The network's id.
    pub network_id: &'static str,
    /// The ERP's warehouse id.
    pub erp_id: i64,
    /// Name.
    pub name: &'static str,
    /// City.
    pub city: &'static str,
    /// Region.
    pub region: &'static str,
    /// Postal code.
    pub postal: &'static str,
}

/// The seeded warehouses.
pub const WAREHOUSES: [Warehouse; 2] = [
    Warehouse {
        code: "WH01",
        network_id: "5000000001",
        erp_id: 2,
        name: "Main warehouse",
        city: "Reno",
        region: "NV",
        postal: "89501",
    },
    Warehouse {
        code: "WH02",
        network_id: "5000000002",
        erp_id: 3,
        name: "East warehouse",
        city: "Newark",
        region: "NJ",
        postal: "07102",
    },
];

/// A shipping service of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Service level code.
    pub code: &'static str,
    /// Carrier name.
    pub carrier: &'static str,
    /// Method name.
    pub method: &'static str,
}

/// The seeded shipping services; the first three are what orders ask for.
pub const SERVICES: [Service; 8] = [
    Service {
        code: "GCG",
        carrier: "Generic",
        method: "Ground",
    },
    Service {
        code: "UPCG",
        carrier: "UPS",
        method: "Ground",
    },
    Service {
        code: "FECG",
        carrier: "FedEx",
        method: "Ground",
    },
    Service {
        code: "U2DA",
        carrier: "UPS",
        method: "2nd Day Air",
    },
    Service {
        code: "FE2D",
        carrier: "FedEx",
        method: "2Day",
    },
    Service {
        code: "USGA",
        carrier: "USPS",
        method: "Ground Advantage",
    },
    Service {
        code: "USPM",
        carrier: "USPS",
        method: "Priority Mail",
    },
    Service {
        code: "ONCG",
        carrier: "OnTrac",
        method: "Ground",
    },
];

/// ERP ids of the shipping methods: the services in their order, from this id on.
pub const FIRST_METHOD: i64 = 11;

/// What a shipping method of the ERP is at the network. The generic one is what its parcels really travel with.
pub fn service_of(method: i64) -> Option<Service> {
    let index = usize::try_from(method.checked_sub(FIRST_METHOD)?).ok()?;
    SERVICES.get(index.max(1)).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{PRODUCTS, products};

    #[test]
    fn orderable_skus_are_unique_and_special_ones_exist() {
        let all = products(PRODUCTS * 3);
        assert_eq!(all[0].id, 1001);
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for p in &all {
            *seen.entry(p.sku.as_str()).or_default() += 1;
            assert_eq!(p.ean.len(), 13);
            assert_eq!(p.upc.len(), 12);
            assert!(p.price_cents > 0);
        }
        assert!(
            all.iter()
                .filter(|p| p.orderable())
                .all(|p| seen[p.sku.as_str()] == 1)
        );
        assert!(seen[""] > 1);
        assert_eq!(seen["DUP-0"], 2);
        assert!(all.iter().any(|p| p.bundle.is_some()));
        assert!(all.iter().any(|p| !p.tracked));
    }

    #[test]
    fn a_check_digit_is_right() {
        assert_eq!(super::with_check_digit("400638133393"), "4006381333931");
    }
}
