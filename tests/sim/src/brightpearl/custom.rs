//! Owns custom fields: their definitions, typed values and the patch of them. It must not know whose fields they are.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::call::Op;
use super::envelope::{Refusal, integer};
use crate::catalogue::kept;

/// Values by code.
pub(super) type Values = BTreeMap<String, Value>;

/// Type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Bool,
    Select(&'static [(i64, &'static str)]),
}

/// A field.
#[derive(Debug, Clone)]
pub(super) struct Field {
    id: i64,
    code: &'static str,
    name: &'static str,
    kind: Kind,
}

impl Field {
    /// One that holds text.
    pub(super) fn text(id: i64, code: &str, name: &str) -> Self {
        Self {
            id,
            code: kept(code),
            name: kept(name),
            kind: Kind::Text,
        }
    }

    pub(super) const fn code(&self) -> &'static str {
        self.code
    }
}

/// Fields of sales.
pub(super) const OF_ORDERS: &[Field] = &[
    Field {
        id: 31,
        code: "PCF_REGION",
        name: "Region",
        kind: Kind::Select(&[(64, "West"), (65, "East")]),
    },
    Field {
        id: 32,
        code: "PCF_CREW",
        name: "Crew",
        kind: Kind::Text,
    },
    Field {
        id: 33,
        code: "PCF_BOXES",
        name: "Boxes",
        kind: Kind::Integer,
    },
    Field {
        id: 34,
        code: "PCF_TRACK",
        name: "Tracking number",
        kind: Kind::Text,
    },
];

/// Fields of products that are seeded.
pub(super) const OF_PRODUCTS: &[Field] = &[
    Field {
        id: 41,
        code: "PCF_DSCO",
        name: "Sell on DSCO",
        kind: Kind::Bool,
    },
    Field {
        id: 42,
        code: "PCF_DSCOSKU",
        name: "DSCO SKU",
        kind: Kind::Text,
    },
];

/// Fields of contacts.
pub(super) const OF_CONTACTS: &[Field] = &[Field {
    id: 51,
    code: "PCF_PARTNER",
    name: "Partner id",
    kind: Kind::Text,
}];

/// The definitions as the meta-data endpoint shows them.
pub(super) fn meta_data(fields: &[Field]) -> Vec<Value> {
    fields
        .iter()
        .map(|field| {
            let mut view = json!({
                "id": field.id, "code": field.code, "name": field.name, "required": false,
                "customFieldType": match field.kind {
                    Kind::Text => "TEXT",
                    Kind::Integer => "INTEGER",
                    Kind::Bool => "YES_NO",
                    Kind::Select(_) => "SELECT",
                },
            });
            if let Kind::Select(options) = field.kind {
                view["options"] = options
                    .iter()
                    .map(|(id, value)| (id.to_string(), json!({ "id": id, "value": value })))
                    .collect::<Map<_, _>>()
                    .into();
            }
            view
        })
        .collect()
}

/// All values; with `nulls` the unset ones too.
pub(super) fn view(fields: &[Field], values: &Values, nulls: bool) -> Value {
    let mut out: Map<String, Value> = values.clone().into_iter().collect();
    if nulls {
        for field in fields {
            out.entry(field.code).or_insert(Value::Null);
        }
    }
    out.into()
}

/// Applies all operations or none.
pub(super) fn patch(fields: &[Field], values: &mut Values, ops: &[Op]) -> Result<(), Refusal> {
    let mut next = values.clone();
    for op in ops {
        let code = op.path.trim_start_matches('/');
        let field = fields
            .iter()
            .find(|field| field.code == code)
            .ok_or_else(|| Refusal::bad("CMNC-046", format!("Unknown custom field: {code}")))?;
        match op.verb.as_str() {
            "add" | "replace" => {
                let value = typed(field, &op.value).ok_or_else(|| {
                    Refusal::bad(
                        "CMNC-047",
                        format!("Invalid value for custom field {code}: {}", op.value),
                    )
                })?;
                next.insert(code.to_owned(), value);
            }
            "remove" => {
                next.remove(code);
            }
            other => return Err(Refusal::patch(other, &op.path)),
        }
    }
    *values = next;
    Ok(())
}

/// A value in the type of its field.
fn typed(field: &Field, value: &Value) -> Option<Value> {
    match field.kind {
        Kind::Text => value.as_str().map(|text| json!(text)),
        Kind::Integer => integer(value).map(|number| json!(number)),
        Kind::Bool => value.as_bool().map(|flag| json!(flag)),
        Kind::Select(options) => {
            let id = integer(&value["id"])?;
            let (id, text) = options.iter().find(|(number, _)| *number == id)?;
            Some(json!({ "id": id, "value": text }))
        }
    }
}
