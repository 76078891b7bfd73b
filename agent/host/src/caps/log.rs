//! `log`: a guest's lines in the agent's log, cut to size and counted. The only capability that answers while loading.

use crate::state::CallState;

/// How loud.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

const LINE_CHARS: usize = 2_000;
const FIELD_CHARS: usize = 500;
const FIELDS: usize = 20;

pub(crate) fn write(
    state: &mut CallState,
    level: Level,
    message: &str,
    fields: &[(String, String)],
) {
    state.log_lines += 1;
    let limit = state.limits.log_lines;
    let connection = state
        .visitor
        .as_ref()
        .map_or("", |v| v.bound.setup.name.as_str());
    if state.log_lines > limit {
        if state.log_lines == limit + 1 {
            tracing::warn!(
                connection,
                limit,
                "A connector logs too much; later lines of this call are dropped."
            );
        }
        return;
    }
    let said = cut(message, LINE_CHARS);
    let fields = fields
        .iter()
        .take(FIELDS)
        .map(|(name, value)| format!("{}={}", cut(name, FIELD_CHARS), cut(value, FIELD_CHARS)))
        .collect::<Vec<_>>()
        .join(" ");
    match level {
        Level::Debug => tracing::debug!(connection, said, fields, "Connector says."),
        Level::Info => tracing::info!(connection, said, fields, "Connector says."),
        Level::Warn => tracing::warn!(connection, said, fields, "Connector says."),
        // Not an error of the agent: nobody has to act on a guest's word alone.
        Level::Error => tracing::warn!(connection, said, fields, "Connector says it is wrong."),
    }
}

/// Control characters would let a guest forge lines.
fn cut(text: &str, chars: usize) -> String {
    text.chars()
        .take(chars)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
