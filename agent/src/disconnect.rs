//! `waybill disconnect`: lets go of one connection or of all, and says what could not be removed. Knows nothing of what
//! stands at a vendor but its name.

use crate::cli::Disconnect;
use crate::commands::{Agent, coded, list, text};
use crate::out::Failure;
use serde_json::{Value, json};

impl Agent {
    /// Disconnects, one after the other; one that fails does not keep the others.
    pub(crate) async fn disconnect(&self, args: &Disconnect) -> Result<(), Failure> {
        let names = if let Some(name) = &args.connection {
            vec![name.clone()]
        } else {
            let frame = self.get("/api/v1/frame").await?;
            let all = list(&frame["connections"]).iter();
            all.map(|connection| text(&connection["name"])).collect()
        };
        let mut answers = Vec::new();
        for name in names {
            let place = format!("/api/v1/connections/{}/disconnect", coded(&name));
            let body = json!({"forget_secrets": args.forget_secrets});
            let answer = self.ask(&place, &body).await?;
            self.told(&name, &answer);
            answers.push(answer);
        }
        let failed: Vec<String> = answers
            .iter()
            .filter(|answer| answer["why"].is_string())
            .map(|answer| text(&answer["connection"]))
            .collect();
        self.out.value(&json!({"disconnected": answers}));
        if failed.is_empty() {
            return Ok(());
        }
        Err(Failure::hinted(
            format!("not everything could be removed: {}", failed.join(", ")),
            "Run the command again when that system answers, or remove what is named above there by hand.",
        ))
    }

    fn told(&self, name: &str, answer: &Value) {
        let listed = |field: &str| {
            let all: Vec<String> = list(&answer[field]).iter().map(text).collect();
            all.join(", ")
        };
        let said = match (&answer["why"], list(&answer["removed"])) {
            (Value::String(why), _) => {
                format!("still registered there: {}; {why}", listed("left_behind"))
            }
            (_, []) => "nothing was registered there".to_owned(),
            _ => format!("removed there: {}", listed("removed")),
        };
        self.out.line(format!("{name}: paused; {said}."));
        if answer["secrets_forgotten"].as_u64() > Some(0) {
            let many = text(&answer["secrets_forgotten"]);
            self.out.line(format!("{name}: {many} secrets forgotten."));
        }
    }
}
