//! The order that is pushed: five lines, a charge, two addresses; once in the agent's types and once in the connector's,
//! from the same text. Knows no clock.

/// Both sides name their fields alike, so one text makes both.
macro_rules! five_lines {
    () => {{
        let text = |words: &str| words.to_owned();
        let some = |words: &str| Some(words.to_owned());
        let whole = |units| Decimal { units, scale: 0 };
        let money = |units| Decimal { units, scale: 2 };
        let totals = |net, tax| Totals {
            net: money(net),
            tax: money(tax),
            gross: money(net + tax),
        };
        let identifier = |kind: &str, value: String| Identifier {
            kind: kind.to_owned(),
            value,
        };
        let extra = |name: &str, value: &str| Extra {
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let address = |name: &str| Address {
            name: name.to_owned(),
            company: some("Northwind Stores"),
            attention: None,
            street: vec![text("1 Harbor Rd"), text("Unit 2")],
            city: text("Austin"),
            region: some("TX"),
            postcode: text("78701"),
            country: some("US"),
            phone: some("+1 512 555 0100"),
            email: some("jo@example.test"),
        };
        let line = |n: u32| OrderLine {
            line: n.to_string(),
            number: Some(n),
            identifiers: vec![
                identifier("mapped", (1_000 + n).to_string()),
                identifier("sku", format!("TEE-BLK-{n}")),
                identifier("upc", format!("03600029145{n}")),
                identifier("network-item", format!("90010{n}")),
            ],
            title: format!("Tee, black, size {n}"),
            quantity: whole(i64::from(n)),
            cancelled: whole(0),
            shipped: whole(0),
            unit_price: Some(money(1_099)),
            tax: Some(money(0)),
            ship_by: Some(1_762_400_000_000),
            warehouse: some("2"),
            extras: vec![
                extra("color", "black"),
                extra("size", "M"),
                extra("lineItemStatus", "open"),
            ],
        };
        Order {
            number: text("PO-778812"),
            retailer: text("1000007001"),
            retailer_name: text("Northwind Stores"),
            kind: text("dropship"),
            test: false,
            phase: OrderPhase::Accepted,
            currency: some("USD"),
            placed_at: Some(1_762_178_700_000),
            acknowledge_by: None,
            ship_by: Some(Deadline {
                at: 1_762_400_000_000,
                set_by: DeadlineSource::Order,
            }),
            invoice_by: None,
            cancel_after: None,
            customer: some("2051"),
            warehouse: some("2"),
            shipping_method: Some(Method {
                carrier: some("FedEx"),
                name: some("Ground"),
                code: some("12"),
            }),
            bill_to: Some(address("Northwind Stores")),
            ship_to: address("Jo Doe"),
            lines: (1..=5).map(line).collect(),
            charges: vec![Charge {
                kind: text("shipping"),
                title: text("Ground shipping"),
                amount: totals(750, 0),
            }],
            total: None,
            supplier_number: None,
            extras: (1..=20)
                .map(|n| extra(&format!("field{n}"), "some value"))
                .collect(),
        }
    }};
}

/// A batch of one.
macro_rules! deliveries {
    () => {
        vec![Delivery {
            document: Document {
                key: "10000".to_owned(),
                revision: "1".to_owned(),
                occurred_at: 1_762_178_700_000,
                body: Body::Order(five_lines!()),
            },
            origin: None,
            links: Vec::new(),
            settings: vec![("channel".to_owned(), "7".to_owned())],
        }]
    };
}

/// In the agent's types.
pub(crate) mod agent {
    use waybill_model::contract::Delivery;
    use waybill_model::decimal::Decimal;
    use waybill_model::document::{
        Address, Body, Charge, Deadline, DeadlineSource, Document, Extra, Identifier, Method,
        Order, OrderLine, OrderPhase, Totals,
    };

    pub(crate) fn batch() -> Vec<Delivery> {
        deliveries!()
    }
}

/// In the connector's types.
pub(crate) mod connector {
    use waybill_brightpearl::bindings::exports::waybill::connector::sink::Delivery;
    use waybill_sdk::commerce::{
        Address, Body, Charge, Deadline, DeadlineSource, Decimal, Document, Extra, Identifier,
        Method, Order, OrderLine, OrderPhase, Totals,
    };

    pub(crate) fn batch() -> Vec<Delivery> {
        deliveries!()
    }
}

/// The connection's settings.
pub(crate) fn settings() -> Vec<(String, String)> {
    [
        ("base-url", "http://127.0.0.1:4100/public-api/simaccount"),
        ("app-ref", "simaccount_waybill"),
        ("auth", "staff"),
        ("instance-id", "34"),
        ("order-status", "22"),
        ("channel", "1"),
        ("warehouse", "3"),
        ("price-list", "3"),
        ("price-mode", "EXC"),
        ("currency", "USD"),
        ("tax-code", "Z"),
        ("charge-tax-code", "T"),
        ("nominal-code", "4000"),
        ("nominal-shipping", "4040"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .to_vec()
}
