//! Owns how a webhook is registered and what its deliveries look like. Must not know what follows from an event.

use super::envelope::unescape;
use super::ids;
use serde::Serialize;
use serde_json::Value;

/// Names of our body and the variables that Brightpearl puts there.
const BODY: [(&str, &str); 7] = [
    ("accountCode", "${account-code}"),
    ("resourceType", "${resource-type}"),
    ("id", "${resource-id}"),
    ("lifecycleEvent", "${lifecycle-event}"),
    ("fullEvent", "${full-event}"),
    ("raisedOn", "${raised-on}"),
    ("brightpearlVersion", "${brightpearl-version}"),
];

/// Delivered until it is taken.
const AT_LEAST_ONCE: i64 = 1;

/// A webhook as we register it: the ids of one moment in one POST, delivered until it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook<'a> {
    subscribe_to: &'a str,
    http_method: &'static str,
    uri_template: &'a str,
    body_template: String,
    content_type: &'static str,
    id_set_accepted: bool,
    quality_of_service: i64,
}

impl<'a> Webhook<'a> {
    /// For an event, or everything below it.
    pub fn on(event: &'a str, callback: &'a str) -> Self {
        let pairs: Vec<String> = BODY
            .iter()
            .map(|(name, variable)| format!("\"{name}\":\"{variable}\""))
            .collect();
        Self {
            subscribe_to: event,
            http_method: "POST",
            uri_template: callback,
            body_template: format!("{{{}}}", pairs.join(",")),
            content_type: "application/json",
            id_set_accepted: true,
            quality_of_service: AT_LEAST_ONCE,
        }
    }
}

/// A webhook that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub id: i64,
    /// What it is for.
    pub event: String,
    /// Where it delivers.
    pub uri: String,
    /// Delivers as [`Webhook::on`] asks for.
    pub right: bool,
}

/// The webhooks of an answer; what has no id is left out.
pub fn standing(response: &Value) -> Vec<Standing> {
    super::lists::items(response)
        .filter_map(|hook| {
            let text =
                |name: &str| unescape(&hook.get(name).and_then(ids::text).unwrap_or_default());
            let right = text("httpMethod").eq_ignore_ascii_case("POST")
                && text("contentType")
                    .to_ascii_lowercase()
                    .starts_with("application/json")
                && hook.get("idSetAccepted").and_then(ids::flag) == Some(true)
                && hook.get("qualityOfService").and_then(ids::whole) == Some(AT_LEAST_ONCE)
                && is_our_body(&text("bodyTemplate"));
            Some(Standing {
                id: hook.get("id").and_then(ids::whole)?,
                event: text("subscribeTo"),
                uri: text("uriTemplate"),
                right,
            })
        })
        .collect()
}

/// Whatever its blanks and order.
fn is_our_body(template: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_str(template) else {
        return false;
    };
    BODY.iter()
        .all(|(name, variable)| fields.get(*name).and_then(Value::as_str) == Some(variable))
}

/// What a delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The account it happened in.
    pub account: String,
    /// What it happened to, for example `goods-out-note`.
    pub resource: String,
    /// All of what happened, for example `goods-out-note.modified.shipped`.
    pub full: String,
    /// The id set.
    pub ids: String,
}

/// Reads a delivery; `None` where it is not of our shape.
pub fn event(body: &[u8]) -> Option<Event> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| body.get(name).and_then(ids::text);
    let life = text("lifecycleEvent");
    let full = text("fullEvent");
    let resource = text("resourceType").or_else(|| {
        let (resource, _) = full.as_deref()?.split_once('.')?;
        Some(resource.to_owned())
    })?;
    Some(Event {
        account: text("accountCode")?,
        full: full.or_else(|| Some(format!("{resource}.{}", life?)))?,
        resource,
        ids: text("id")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_webhook_names_every_variable() {
        let hook =
            serde_json::to_value(Webhook::on("goods-out-note", "https://x/hooks/bp/s")).unwrap();
        assert_eq!(hook["subscribeTo"], "goods-out-note");
        assert_eq!(hook["uriTemplate"], "https://x/hooks/bp/s");
        assert_eq!(
            (&hook["idSetAccepted"], &hook["qualityOfService"]),
            (&json!(true), &json!(1))
        );
        let template = hook["bodyTemplate"].as_str().unwrap();
        for (_, variable) in BODY {
            assert!(template.contains(variable), "{variable}");
        }
        let mut answer = json!([hook]);
        answer[0]["id"] = json!("122");
        assert!(standing(&answer)[0].right);
        answer[0]["bodyTemplate"] = json!(
            template
                .replace(':', ": ")
                .replace("brightpearlVersion\": ", "brightpearlVersion\" :")
        );
        assert!(standing(&answer)[0].right, "blanks make no difference");
        for (field, wrong) in [
            ("idSetAccepted", json!(false)),
            ("qualityOfService", json!(0)),
            ("httpMethod", json!("PUT")),
            ("bodyTemplate", json!("${resource-id}")),
            ("contentType", json!(null)),
        ] {
            let mut other = answer.clone();
            other[0][field] = wrong;
            assert!(!standing(&other)[0].right, "{field}");
        }
    }

    #[test]
    fn a_delivery_is_read_or_none() {
        let body = br#"{"accountCode":"acme","resourceType":"product","id":"1007,1019-1021","lifecycleEvent":"modified","later":1}"#;
        let event = event(body).unwrap();
        assert_eq!(event.full, "product.modified");
        assert_eq!(event.ids, "1007,1019-1021");
        for other in [
            &b"{"[..],
            b"[]",
            b"{}",
            br#"{"accountCode":"acme","id":"7"}"#,
            b"\xff",
        ] {
            assert_eq!(super::event(other), None);
        }
    }
}
