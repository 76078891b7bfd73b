//! Cards: what a connector found while it read and cannot settle itself, such as a file that nobody can read. A card is an
//! entry of the private space, so it comes and goes with the page it was found for. Knows nothing of what it is about.

use crate::host::Core;
use crate::types::Problem;

/// How keys of cards begin. The agent shows what `pull` sets under them, until `pull` deletes it. A person who presses Retry
/// deletes it as well: what has no card then is to be looked at again.
pub const CARD: &str = "card/";

/// Shows a card, or gives one that is shown its newest words. `key` begins with [`CARD`]. Fifty of a connection are shown
/// at a time, and one that counts the others; above 500 the agent deletes a key, as Retry does.
pub fn show(host: &dyn Core, key: &str, problem: &Problem) {
    let text = serde_json::json!({
        "code": problem.code,
        "message": problem.message,
        "hint": problem.hint,
    });
    host.kv_set(key, text.to_string().as_bytes());
}
