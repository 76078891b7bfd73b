//! Bodies of the writes that set connections up, for the description of the API. Knows no request.

use crate::openapi::{object, text};
use crate::routes::Route;
use serde_json::{Value, json};

/// The body a write about setting up takes.
pub(crate) fn body(route: Route) -> Option<Value> {
    let map = |about: &str| json!({"type": "object", "additionalProperties": {"type": "string"}, "description": about});
    let flag = |about: &str| json!({"type": "boolean", "description": about, "default": false});
    let redirect = text(
        "The address to come back to, as it is registered with the app at the vendor; this page's own when left out.",
    );
    match route {
        Route::ApiSaveConnection => {
            let slots = json!({"type": "object", "additionalProperties": map("Secrets by name."), "description": "Secrets to set, by credential. One that is not named, or empty, stays."});
            Some(object(
                &["name", "connector"],
                &[
                    ("name", text("Name of the connection.")),
                    ("connector", text("Id of its connector.")),
                    ("title", text("A title of its own.")),
                    (
                        "private_addresses",
                        flag(
                            "It may reach this machine and private networks; as before when left out.",
                        ),
                    ),
                    (
                        "settings",
                        map(
                            "Settings by key; an empty one holds its default, one that is not named stays.",
                        ),
                    ),
                    ("credentials", slots),
                    ("test", flag("Also say what a test reached.")),
                ],
            ))
        }
        Route::ApiRehearse => Some(object(
            &[],
            &[(
                "retailer",
                text("Code of the retailer who orders; the first by name when left out."),
            )],
        )),
        Route::ApiConsent => Some(object(&[], &[("redirect", redirect)])),
        Route::ApiTakeCode => Some(object(
            &["code"],
            &[("code", text("The code.")), ("redirect", redirect)],
        )),
        Route::ApiBeginFlows => Some(object(
            &["which"],
            &[("which", text("`all`, or `stock` for stock alone."))],
        )),
        _ => None,
    }
}
