//! The description of the JSON API, made from the table of routes, so that it cannot forget one. Bodies and answers
//! are described here; knows no request.

use crate::api_practice;
use crate::openapi_connect;
use crate::routes::{self, Access, Entry, Route};
use serde_json::{Map, Value, json};

pub(crate) fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

pub(crate) fn object(required: &[&str], fields: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    json!({"type": "object", "required": required, "properties": properties})
}

/// The body a write takes.
fn body(route: Route) -> Option<Value> {
    match route {
        Route::ApiIgnoreCard => Some(object(
            &["reason"],
            &[("reason", text("Kept in the history."))],
        )),
        Route::ApiRetryCards => Some(object(
            &["cards"],
            &[(
                "cards",
                json!({"type": "array", "items": {"type": "string"}, "description": "Ids of causes."}),
            )],
        )),
        Route::ApiPoll => Some(object(
            &[],
            &[(
                "entity",
                text("Kind of document, for example `order`; all kinds when left out."),
            )],
        )),
        Route::ApiFillCell => Some(object(
            &["from", "to", "table", "value", "code"],
            &[
                (
                    "from",
                    json!({"type": "integer", "description": "Id of the connection whose value it is."}),
                ),
                (
                    "to",
                    json!({"type": "integer", "description": "Id of the connection whose code is given."}),
                ),
                ("table", text("Name of the crosswalk.")),
                ("retailer", text("The retailer the cell is empty for.")),
                ("value", text("The value without a counterpart.")),
                ("code", text("What it is there.")),
                (
                    "for_all",
                    json!({"type": "boolean", "description": "For all retailers.", "default": false}),
                ),
            ],
        )),
        Route::ApiDoctor => Some(object(
            &[],
            &[(
                "vendors",
                json!({"type": "boolean", "description": "Also ask the vendors.", "default": true}),
            )],
        )),
        Route::ApiSupport => Some(object(
            &[],
            &[(
                "texts",
                json!({"type": "object", "additionalProperties": {"type": "string"}, "description": "Further texts by name, to be cleaned."}),
            )],
        )),
        Route::ApiDisconnect => Some(object(
            &[],
            &[(
                "forget_secrets",
                json!({"type": "boolean", "description": "Forget its secrets too.", "default": false}),
            )],
        )),
        _ => {
            let others = [
                matching_body,
                connectors_body,
                stock_body,
                backfill_body,
                setting_body,
                user_body,
                alert_body,
                openapi_connect::body,
            ];
            others.iter().find_map(|body| body(route))
        }
    }
}

/// The body a write about alerts takes.
fn alert_body(route: Route) -> Option<Value> {
    let name =
        json!({"enum": ["smtp-password", "webhook-url", "ping-url"], "description": "Which."});
    match route {
        Route::ApiAlertSecret => Some(object(
            &["name", "value"],
            &[("name", name), ("value", text("Empty removes it."))],
        )),
        _ => None,
    }
}

/// The body a write about users takes.
fn user_body(route: Route) -> Option<Value> {
    let role =
        json!({"enum": ["viewer", "operator", "admin"], "description": "What the user may do."});
    match route {
        Route::ApiAddUser => Some(object(
            &["name", "role"],
            &[
                (
                    "name",
                    text("1 to 40 of a-z, 0-9, dot, dash and underscore."),
                ),
                ("role", role),
            ],
        )),
        Route::ApiUserRole => Some(object(&["role"], &[("role", role)])),
        _ => None,
    }
}

/// The body a write about settings, or a file of them, takes.
fn setting_body(route: Route) -> Option<Value> {
    match route {
        Route::ApiSetSetting => Some(object(
            &["key", "value"],
            &[
                (
                    "key",
                    text("As in a provisioning file, under `[settings]`."),
                ),
                ("value", text("Its value.")),
                (
                    "retailer",
                    text("Only for the retailer of that code; for all when left out."),
                ),
            ],
        )),
        Route::ApiApply => Some(object(
            &["toml"],
            &[
                ("toml", text("The provisioning file.")),
                (
                    "secrets",
                    json!({"type": "object", "additionalProperties": {"type": "string"}, "description": "Values of the references in the file."}),
                ),
                (
                    "dry_run",
                    json!({"type": "boolean", "description": "Only tell the difference.", "default": false}),
                ),
            ],
        )),
        _ => None,
    }
}

/// The body a write about orders from before takes.
fn backfill_body(route: Route) -> Option<Value> {
    let time = |about| json!({"type": "integer", "description": about});
    match route {
        Route::ApiLookForOrders => Some(object(
            &["connection"],
            &[
                (
                    "connection",
                    text("Name of the connection that orders come from."),
                ),
                (
                    "from",
                    time("Orders placed from then on, in milliseconds since 1970 UTC."),
                ),
                ("to", time("Orders placed before then.")),
                (
                    "list",
                    text("Order numbers or keys, one a line, instead of `from` and `to`."),
                ),
            ],
        )),
        _ => None,
    }
}

/// The body a write about stock takes.
fn stock_body(route: Route) -> Option<Value> {
    match route {
        Route::ApiSwitchStock => Some(object(
            &["on"],
            &[(
                "on",
                json!({"type": "boolean", "description": "Off: nothing is sent, the network keeps the numbers it has."}),
            )],
        )),
        Route::ApiSendStock => Some(object(
            &[],
            &[
                (
                    "item",
                    text("The item's id at the receiving system; all when left out."),
                ),
                (
                    "route",
                    text("`FROM-TO`, ids of connections; the first route when left out."),
                ),
            ],
        )),
        _ => None,
    }
}

/// The body a write about connectors takes.
fn connectors_body(route: Route) -> Option<Value> {
    let hash = text("SHA-256 of the build, or at least its first eight digits.");
    match route {
        Route::ApiAcceptConnector => {
            let setting = object(
                &["connection", "key", "value"],
                &[
                    ("connection", text("Name of the connection.")),
                    ("key", text("Key of the setting.")),
                    ("value", text("Its value.")),
                ],
            );
            let settings =
                json!({"type": "array", "items": setting, "description": "Settings it asks for."});
            Some(object(&[], &[("hash", hash), ("settings", settings)]))
        }
        Route::ApiChooseConnector => Some(object(&["hash"], &[("hash", hash)])),
        Route::ApiRetryConnector => Some(object(
            &["file"],
            &[("file", text("Name of a file in the connectors folder."))],
        )),
        _ => None,
    }
}

/// The body a write about matches, or about trying again, takes.
fn matching_body(route: Route) -> Option<Value> {
    match route {
        Route::ApiEmptyCell => Some(object(
            &["from", "to", "table", "value"],
            &[
                (
                    "from",
                    json!({"type": "integer", "description": "Id of the connection whose value it is."}),
                ),
                (
                    "to",
                    json!({"type": "integer", "description": "Id of the connection whose code is taken back."}),
                ),
                ("table", text("Name of the crosswalk.")),
                (
                    "retailer",
                    text("Only this retailer's own cell; the one for all when left out."),
                ),
                ("value", text("The value.")),
            ],
        )),
        Route::ApiCreateCustomer => Some(object(
            &["retailer"],
            &[("retailer", text("Code of the retailer."))],
        )),
        Route::ApiImport => Some(object(
            &["csv"],
            &[
                (
                    "csv",
                    text(
                        "The file: a head with `value` and `code`, also `retailer`, `label`, `direction`; a code `-` takes a match back, an empty one changes nothing.",
                    ),
                ),
                (
                    "dry_run",
                    json!({"type": "boolean", "description": "Only tell what would change.", "default": false}),
                ),
            ],
        )),
        _ => further_body(route),
    }
}

/// Bodies of what came later.
fn further_body(route: Route) -> Option<Value> {
    match route {
        Route::ApiPauseFlow => Some(object(
            &[],
            &[("why", text("Why, for the history; may be left out."))],
        )),
        Route::ApiTurnPractice | Route::ApiApplyPractised | Route::ApiDiscardPractised => {
            Some(api_practice::body(route))
        }
        Route::ApiReplay => Some(object(
            &[],
            &[
                (
                    "order",
                    json!({"type": "integer", "description": "Id of an order."}),
                ),
                (
                    "since",
                    json!({"type": "integer", "description": "Everything that stopped then or later, in milliseconds since 1970."}),
                ),
                ("card", text("Id of a cause.")),
                (
                    "all_parked",
                    json!({"type": "boolean", "description": "Everything that waits for a person."}),
                ),
                (
                    "dry_run",
                    json!({"type": "boolean", "description": "Only tell what would be tried.", "default": false}),
                ),
            ],
        )),
        _ => None,
    }
}

fn query(route: Route) -> Vec<Value> {
    let parameter = |name: &str, kind: &str, about: &str| json!({"name": name, "in": "query", "required": false, "description": about, "schema": {"type": kind}});
    match route {
        Route::ApiOrders => vec![
            parameter(
                "state",
                "string",
                "One of the order states, for example `waiting`.",
            ),
            parameter("q", "string", "PO, tracking, SKU or sale number."),
            parameter("before", "integer", "`next` of the last answer."),
            parameter("limit", "integer", "Rows, at most 500."),
        ],
        Route::ApiShipments | Route::ApiInvoices | Route::ApiCancellations => vec![
            parameter(
                "state",
                "string",
                "One of you, waits, under-way, unconfirmed, confirmed, over.",
            ),
            parameter("retailer", "integer", "`id` of one of `retailers`."),
            parameter(
                "q",
                "string",
                "PO, sale, note, tracking or invoice number, instead of the others.",
            ),
            parameter("before", "integer", "`next` of the last answer."),
            parameter("limit", "integer", "Rows, at most 500."),
        ],
        Route::ApiItems => vec![
            parameter(
                "standing",
                "string",
                "One of by-hand, automatic, suggested, ambiguous, unmatched.",
            ),
            parameter("retailer", "string", "Code of a retailer."),
            parameter(
                "q",
                "string",
                "Start of an identifier, or words of the title.",
            ),
            parameter(
                "after_retailer",
                "string",
                "First part of `next` of the last answer.",
            ),
            parameter("after_value", "string", "Second part of it."),
            parameter("limit", "integer", "Rows, at most 500."),
        ],
        Route::ApiStock => vec![
            parameter(
                "route",
                "string",
                "`FROM-TO`, ids of connections; the first route when left out.",
            ),
            parameter("show", "string", "One of all, waiting, refused."),
            parameter(
                "q",
                "string",
                "Start of the item's id at the receiving system.",
            ),
            parameter("after", "string", "`next` of the last answer."),
            parameter("limit", "integer", "Items, at most 500."),
        ],
        Route::ApiPractice => vec![
            parameter("before", "integer", "`next` of the last answer."),
            parameter("limit", "integer", "Rows, at most 500."),
        ],
        Route::ApiStockItem => vec![parameter(
            "route",
            "string",
            "`FROM-TO`, ids of connections.",
        )],
        Route::ApiRetailer => vec![parameter(
            "before",
            "integer",
            "`next` of the last answer: older orders.",
        )],
        Route::ApiHistory => vec![parameter("limit", "integer", "Rows, at most 500.")],
        _ => Vec::new(),
    }
}

/// What an answer holds, in one line.
const fn answer(route: Route) -> &'static str {
    match route {
        Route::ApiFrame => {
            "store, version, now, practice, practising, paused, causes, waiting, connections"
        }
        Route::ApiToday => "verdict, stamp, stages, days, deadlines, cards, recent",
        Route::ApiOrders => "rows, next, stages",
        Route::ApiShipments | Route::ApiInvoices | Route::ApiCancellations => {
            "rows, next, counts by state, retailers, route"
        }
        Route::ApiOrder => {
            "order, document, deadlines, timeline, jobs, money, money_sentence, exchanges"
        }
        Route::ApiRetailer => {
            "retailer, deadlines, waiting, orders, next, settings, at_connections"
        }
        Route::ApiSettings => "agent, connections, changes",
        Route::ApiSetSetting => "changed",
        Route::ApiSettingsFile => "the provisioning file",
        Route::ApiSettingsSince => "version, rows: key, connection, retailer, then, now",
        Route::ApiRestoreSettings => "changed: how many, sentence",
        Route::ApiCards => "cards",
        Route::ApiRehearsal => {
            "running, unable: why there can be none, retailers, cut_short, outdated: something has changed since, report: began, ended, who, retailer, steps: step, text, at; asides, sale: fields, lines; end: good, sentence, next, card"
        }
        Route::ApiComparisons => {
            "running, next, rows: id, who, began, from, ended, seen, equal, taken, over, differs, unknown, not_compared, left, problem, lines: source, entity, key, order, number, finding, card, text"
        }
        Route::ApiFlows => {
            "rows: entity, from, to, title, state, sentence, hours, opens, who, why, since, held"
        }
        Route::ApiPractice => {
            "sentence, any, all, flows, retailers, practised, undecided, rows: job, order, number, retailer, flow, what, key, to, at, undecided, now, fields, request; next, stock, stock_waiting"
        }
        Route::ApiTurnPractice | Route::ApiApplyPractised | Route::ApiDiscardPractised => {
            "steps: how many, sentence"
        }
        Route::ApiBackfill => "backfill, orders: the first ones it found",
        Route::ApiLookForOrders | Route::ApiCompare => "id, sentence",
        Route::ApiStock => {
            "routes, route, on, sentence, all, waiting, refused, full_set, rows, next"
        }
        Route::ApiStockItem => "route, item, title, key, places: row and steps, orders",
        Route::ApiCrosswalk => {
            "table, creates, directions: from, to, source, target, rows, more, choices"
        }
        Route::ApiItems => "route, source, target, compared, counts, retailers, rows, next",
        Route::ApiMappings => "the CSV file",
        Route::ApiImport => {
            "table, rows, new, changed, taken_back, announced, same, changes, wrong, mistakes, released, applied"
        }
        Route::ApiReplay => "again, rows, finished, under_way, yours, left_alone, dry_run",
        Route::ApiFillCell
        | Route::ApiRetryCard
        | Route::ApiRetryCards
        | Route::ApiCreateCustomer => "released: how many jobs go on",
        Route::ApiProbe => "reached: name and value of what was found",
        Route::ApiHistory | Route::ApiBackfills | Route::ApiRetailers => "rows",
        Route::ApiConnectors => "connectors, strangers, folder, now",
        Route::ApiTakeBackfill
        | Route::ApiStopBackfill
        | Route::ApiAcceptConnector
        | Route::ApiRollBackConnector
        | Route::ApiChooseConnector
        | Route::ApiRetryConnector => "sentence",
        Route::ApiDoctor => "findings: check, state, about, text, place, next",
        Route::ApiSupport => "files: text by name; removed: how often what was taken out of each",
        Route::ApiApply => "applied, difference",
        Route::ApiSession => "user, form_token",
        Route::ApiOpenapi => "an OpenAPI 3.1 document",
        _ => "done",
    }
}

fn operation(entry: &Entry) -> Value {
    let mut parameters: Vec<Value> = entry
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    parameters.extend(query(entry.route));
    if entry.method == "POST" && entry.access != Access::Local {
        parameters.push(json!({
            "name": "x-form-token", "in": "header", "required": false, "schema": {"type": "string"},
            "description": "Needed beside a session's cookie; not on the local socket.",
        }));
    }
    let error = json!({"description": "Did not work.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
    let mut operation = json!({
        "operationId": format!("{:?}", entry.route).trim_start_matches("Api"),
        "summary": entry.about,
        "parameters": parameters,
        "responses": {
            "200": {"description": answer(entry.route), "content": {"application/json": {"schema": {"type": "object"}}}},
            "default": error,
        },
    });
    if entry.access == Access::Local {
        operation["x-local-socket-only"] = json!(true);
        operation["responses"]["422"] =
            json!({"description": "Mistakes in the file, each with line and column."});
    }
    if let Some(schema) = body(entry.route) {
        let required = schema["required"]
            .as_array()
            .is_some_and(|names| !names.is_empty());
        operation["requestBody"] =
            json!({"required": required, "content": {"application/json": {"schema": schema}}});
    }
    operation
}

/// The description.
pub(crate) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for entry in routes::all().filter(|entry| entry.path.starts_with("/api/")) {
        let path = paths.entry(entry.path).or_insert_with(|| json!({}));
        path[entry.method.to_ascii_lowercase()] = operation(entry);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Waybill",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Everything the page can do. Served to a logged-in browser on the local address, and without login to root and the agent's own user on the local socket.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": object(&["error"], &[("error", object(&["code", "message"], &[
                ("code", text("Stable, kebab-case.")), ("message", text("One sentence.")), ("hint", json!({"type": ["string", "null"], "description": "What to do next."})),
            ]))])},
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "waybill-PORT"}},
        },
        "security": [{"session": []}, {}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_route_is_described_with_its_parameters() {
        let document = document();
        let mut seen = 0;
        for entry in routes::all().filter(|entry| entry.path.starts_with("/api/")) {
            let operation = &document["paths"][entry.path][entry.method.to_ascii_lowercase()];
            assert_eq!(operation["summary"], entry.about, "{}", entry.path);
            let named = operation["parameters"].as_array().unwrap();
            for name in entry
                .path
                .split('/')
                .filter_map(|p| p.strip_prefix('{')?.strip_suffix('}'))
            {
                assert!(
                    named.iter().any(|p| p["name"] == name && p["in"] == "path"),
                    "{} {name}",
                    entry.path
                );
            }
            seen += 1;
        }
        let described: usize = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|path| path.as_object().unwrap().len())
            .sum();
        assert_eq!(described, seen, "nothing is described that is not there");
        assert!(seen >= 15);
    }

    #[test]
    fn writes_say_what_they_take() {
        let document = document();
        let cells = &document["paths"]["/api/v1/cells"]["post"]["requestBody"];
        assert_eq!(cells["required"], true);
        let apply = &document["paths"]["/api/v1/apply"]["post"];
        assert_eq!(apply["x-local-socket-only"], true);
        assert!(
            apply["requestBody"]["content"]["application/json"]["schema"]["properties"]["dry_run"]
                .is_object()
        );
    }
}
