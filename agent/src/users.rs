//! `waybill users`: who may log in, one-time codes. Owns the wording of its answers.

use crate::cli::Users;
use crate::commands::{Agent, coded, list, text, time};
use crate::out::Failure;
use serde_json::{Value, json};

const PLACE: &str = "/api/v1/users";

/// Runs one of its commands.
pub(crate) async fn run(agent: &Agent, command: &Users) -> Result<(), Failure> {
    match command {
        Users::List => all(agent).await,
        Users::Add(new) => {
            let body = json!({"name": new.user.name, "role": new.role.word()});
            given(agent, PLACE, &body).await
        }
        Users::Reset(user) => given(agent, &of(&user.name, "reset"), &Value::Null).await,
        Users::Role(given) => {
            let (name, role) = (&given.user.name, given.role.word());
            let place = of(name, "role");
            let said = format!("`{name}` is {role} now.");
            done(agent, &place, &json!({"role": role}), said).await
        }
        Users::Remove(user) => {
            let said = format!("`{}` is removed.", user.name);
            done(agent, &of(&user.name, "remove"), &Value::Null, said).await
        }
    }
}

fn of(name: &str, verb: &str) -> String {
    format!("{PLACE}/{}/{verb}", coded(name))
}

async fn done(agent: &Agent, place: &str, body: &Value, said: String) -> Result<(), Failure> {
    let answer = agent.ask(place, body).await?;
    agent.out.line(said);
    agent.out.value(&answer);
    Ok(())
}

async fn given(agent: &Agent, place: &str, body: &Value) -> Result<(), Failure> {
    let answer = agent.ask(place, body).await?;
    agent.out.line(format!(
        "Code for `{}`: {}. It is good for one login until {}, and shown only here.",
        text(&answer["name"]),
        text(&answer["code"]),
        time(&answer["until"])
    ));
    agent.out.value(&answer);
    Ok(())
}

async fn all(agent: &Agent) -> Result<(), Failure> {
    let answer = agent.get(PLACE).await?;
    agent.out.value(&answer);
    let rows: Vec<Vec<String>> = list(&answer["rows"])
        .iter()
        .map(|user| {
            let mut row = vec![text(&user["name"]), text(&user["role"])];
            row.push(time(&user["password_since"]));
            row.push(time(&user["code_until"]));
            row
        })
        .collect();
    let heads = ["NAME", "ROLE", "PASSWORD SINCE", "CODE GOOD UNTIL"];
    agent.out.table(&heads, &rows);
    Ok(())
}
