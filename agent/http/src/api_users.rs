//! The part of the JSON API about users, for admins and the local socket. Must not decide who may.

use crate::answer::{self, Answer, Failure};
use crate::api::read;
use crate::roles::Role;
use crate::routes::Route;
use crate::site::Asked;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

/// What is answered here.
pub(crate) const ROUTES: [Route; 5] = [
    Route::ApiUsers,
    Route::ApiAddUser,
    Route::ApiResetUser,
    Route::ApiUserRole,
    Route::ApiRemoveUser,
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    name: String,
    role: Role,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    role: Role,
}

/// Answers a route about users.
pub(crate) async fn answer(asked: &Asked<'_>) -> Result<Answer, Failure> {
    let (people, who) = (&asked.site.people, asked.who.as_str());
    let name = asked.param("name");
    let done = || answer::json(StatusCode::OK, &json!({"done": true}));
    let answer = match asked.entry.route {
        Route::ApiAddUser => {
            let new: New = read(asked)?;
            let given = people.passwords.add(&new.name, new.role, who).await?;
            answer::json(StatusCode::OK, &given)
        }
        Route::ApiResetUser => {
            let given = people.reset(name, who).await?;
            answer::json(StatusCode::OK, &given)
        }
        Route::ApiUserRole => {
            let Given { role } = read(asked)?;
            people.set_role(name, role, who).await?;
            done()
        }
        Route::ApiRemoveUser => {
            people.remove(name, who).await?;
            done()
        }
        _ => {
            let rows = people.passwords.list().await?;
            return Ok(answer::json(StatusCode::OK, &json!({"rows": rows})));
        }
    };
    Ok(answer)
}
