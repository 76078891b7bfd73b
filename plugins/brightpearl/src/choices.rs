//! Owns what a lookup offers: the account's own lists, read when asked. Must not know which value is chosen.

use crate::api::Api;
use crate::settings::Settings;
use crate::wire::lists::List;
use crate::wire::search::{Row, Search};
use waybill_sdk::Host;
use waybill_sdk::types::{Choice, ChoicePage, Context, Failure};

/// Rows of one page of contacts or products.
const PAGE: usize = 200;

/// The list a setting is chosen from.
pub fn list_of(key: &str) -> Option<List> {
    Some(match key {
        "order-status" | "cancel-status" => List::OrderStatus,
        "channel" => List::Channel,
        "price-list" => List::PriceList,
        "tax-code" | "charge-tax-code" => List::TaxCode,
        "warehouse" => List::Warehouse,
        "shipping-method" => List::ShippingMethod,
        "lead-source" => List::LeadSource,
        "custom-id-field" => List::ProductField,
        _ if key.starts_with("nominal-") => List::NominalCode,
        _ => return None,
    })
}

/// One page of choices.
pub fn choices(
    host: &dyn Host,
    ctx: &Context,
    key: &str,
    cursor: Option<&str>,
) -> Result<ChoicePage, Failure> {
    let api = Api::new(host, Settings::of(&ctx.settings))?;
    let first = cursor.and_then(|c| c.parse().ok()).unwrap_or(1);
    match key {
        "customer" => search(
            &api,
            "/contact-service/contact-search?columns=contactId,companyName,firstName,lastName",
            first,
            contact,
        ),
        // The id of a member of staff is that of his contact.
        "owner" => search(
            &api,
            "/contact-service/contact-search?isStaff=true&columns=contactId,companyName,firstName,lastName",
            first,
            contact,
        ),
        "item" => search(
            &api,
            "/product-service/product-search?columns=productId,SKU,productName,productStatus",
            first,
            product,
        ),
        _ => {
            let Some(list) = list_of(key) else {
                return Err(Failure::rejected(
                    "no-choices",
                    format!("There is no list to choose `{key}` from."),
                    "Enter the value by hand.",
                ));
            };
            let found = api.get_found(list.path())?;
            let entries = found.map(|r| list.entries(&r.value)).unwrap_or_default();
            let items = entries.into_iter().map(|e| Choice {
                value: e.value,
                label: e.label,
                disabled: e.disabled,
            });
            Ok(ChoicePage {
                items: items.collect(),
                next: None,
            })
        }
    }
}

fn search(
    api: &Api<'_>,
    path: &str,
    first: u64,
    choice: fn(Row<'_>) -> Option<Choice>,
) -> Result<ChoicePage, Failure> {
    let path = format!("{path}&pageSize={PAGE}&firstResult={first}");
    let Some(page) = api
        .get_found(&path)?
        .and_then(|reply| Search::read(reply.value))
    else {
        return Err(Failure::Retry(None));
    };
    Ok(ChoicePage {
        items: page.rows().filter_map(choice).collect(),
        next: page.next(first, PAGE).map(|n| n.to_string()),
    })
}

fn contact(row: Row<'_>) -> Option<Choice> {
    let id = row.whole("contactId")?;
    let person = [row.text("firstName"), row.text("lastName")];
    let person: Vec<String> = person.into_iter().flatten().collect();
    let person = Some(person.join(" ")).filter(|p| !p.is_empty());
    let label = match (row.text("companyName"), person) {
        (Some(company), Some(person)) => format!("{company}, {person} ({id})"),
        (Some(one), None) | (None, Some(one)) => format!("{one} ({id})"),
        (None, None) => id.to_string(),
    };
    Some(Choice {
        value: id.to_string(),
        label,
        disabled: false,
    })
}

fn product(row: Row<'_>) -> Option<Choice> {
    let id = row.whole("productId").filter(|id| *id > 1000)?;
    let words = [row.text("SKU"), row.text("productName")];
    let words: Vec<String> = words.into_iter().flatten().collect();
    let status = row.text("productStatus");
    Some(Choice {
        value: id.to_string(),
        label: format!("{} ({id})", words.join(" ")).trim().to_owned(),
        disabled: status.is_some_and(|s| !s.eq_ignore_ascii_case("LIVE")),
    })
}
