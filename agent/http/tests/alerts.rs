//! The page of alerts over real sockets: what is saved, and what stays as it was.

mod support;

use serde_json::Value;
use support::Served;

/// What the fields of the form that is on the page would send, as a browser does.
fn fields(page: &str) -> Vec<(String, String)> {
    let quoted = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let mut all = Vec::new();
    for tag in page.split('<').filter(|tag| tag.contains("name=\"alerts.")) {
        let name = quoted(tag, "name");
        let value = if tag.starts_with("select") {
            let (_, rest) = page.split_once(tag).unwrap_or_default();
            let options = rest.split("</select>").next().unwrap_or_default();
            let mut options = options.split("<option ");
            options
                .find(|o| o.contains(" selected"))
                .map_or_else(String::new, |o| quoted(o, "value"))
        } else {
            quoted(tag, "value")
        };
        all.push((name, value));
    }
    all
}

#[tokio::test]
async fn saving_the_page_sets_only_what_was_changed() {
    let served = Served::start().await;
    let (cookie, token) = served.log_in().await;
    let with = [("cookie", cookie.as_str())];
    let page = served.get("/alerts", &with).await;
    let mut sent = fields(&page.body);
    assert_eq!(sent.len(), 14, "{sent:?}");
    for (name, value) in [
        ("alerts.private", "false"),
        ("alerts.webhook", "off"),
        ("alerts.ship-hours", "4"),
        ("alerts.mail-to", ""),
    ] {
        assert!(
            sent.contains(&(name.to_owned(), value.to_owned())),
            "{name}: {sent:?}"
        );
    }
    for (name, value) in &mut sent {
        if name == "alerts.private" {
            "true".clone_into(value);
        }
    }
    let form: Vec<String> = sent
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let form = format!("token={token}&{}", form.join("&"));
    let heard = served.form("/alerts/save", &with, &form).await;
    assert_eq!(heard.header("location"), Some("/alerts"), "{}", heard.body);
    let settings = served.get("/api/v1/settings", &with).await;
    let settings: Value = serde_json::from_str(&settings.body).unwrap();
    let changes = settings["changes"].as_array().unwrap().iter();
    let keys: Vec<&str> = changes
        .filter_map(|change| change["key"].as_str())
        .collect();
    let alerts: Vec<&&str> = keys
        .iter()
        .filter(|key| key.starts_with("alerts."))
        .collect();
    assert_eq!(alerts, [&"alerts.private"]);
}
