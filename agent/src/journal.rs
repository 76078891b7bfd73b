//! Log lines in the journal's own form: the sentence with its fields as people read it, and beside it the fields that
//! people search by, as fields of the journal. One datagram a line; a journal that is not there or full loses lines, never
//! the agent. Not `tracing-journald`: it puts the bare sentence into MESSAGE, and `journalctl` would show
//! "Connector not loaded." without the reason.

use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixDatagram;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// Fields that are searched by; the journal knows them in capitals.
pub(crate) const SEARCHED: [&str; 6] =
    ["connection", "entity", "key", "job", "generation", "order"];
/// Longest line sent: a datagram that is too large would be refused whole.
const LONGEST: usize = 48 * 1024;

/// Whether standard error leads to the journal. `stream`: the device and inode that systemd names.
pub(crate) fn is_ours(stream: Option<&str>) -> bool {
    let named = stream.and_then(|stream| {
        let (device, inode) = stream.split_once(':')?;
        Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?))
    });
    let own = std::fs::metadata("/proc/self/fd/2").ok();
    named.is_some() && named == own.map(|file| (file.dev(), file.ino()))
}

/// Sends what is logged to the journal.
pub(crate) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// Reaches the journal.
    pub(crate) fn open() -> io::Result<Self> {
        Self::at(SOCKET)
    }

    fn at(path: &str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // A journal that is stuck must not stop the agent.
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }
}

/// Fields of an event or a span, as text.
#[derive(Debug, Default, Clone)]
struct Fields {
    sentence: String,
    pairs: Vec<(&'static str, String)>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.sentence = value;
            return;
        }
        match self
            .pairs
            .iter_mut()
            .find(|(name, _)| *name == field.name())
        {
            Some(known) => known.1 = value,
            None => self.pairs.push((field.name(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// The journal's levels.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// One field in the journal's form: text with line ends is sent with its length.
fn field(into: &mut Vec<u8>, name: &str, value: &str) {
    into.extend(name.as_bytes());
    if value.contains('\n') {
        into.push(b'\n');
        into.extend((value.len() as u64).to_le_bytes());
    } else {
        into.push(b'=');
    }
    into.extend(value.as_bytes());
    into.push(b'\n');
}

/// The sentence with its fields, as the text form shows them.
fn line(fields: &Fields) -> String {
    let mut text = fields.sentence.clone();
    for (name, value) in &fields.pairs {
        let plain = !value.is_empty() && !value.contains([' ', '"', '\n', '=']);
        // Writing to a string cannot fail.
        let _infallible = if plain {
            write!(text, " {name}={value}")
        } else {
            write!(text, " {name}={value:?}")
        };
    }
    if text.len() > LONGEST {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(" (cut)");
    }
    text
}

fn datagram(level: Level, target: &str, fields: &Fields) -> Vec<u8> {
    let mut bytes = Vec::new();
    field(&mut bytes, "MESSAGE", &line(fields));
    field(&mut bytes, "PRIORITY", &priority(level).to_string());
    field(&mut bytes, "SYSLOG_IDENTIFIER", "waybill");
    field(&mut bytes, "WAYBILL_PART", target);
    for (name, value) in &fields.pairs {
        if SEARCHED.contains(name) && value.len() < 1_000 {
            field(&mut bytes, &name.to_ascii_uppercase(), value);
        }
    }
    bytes
}

impl<S> Layer<S> for Journal
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // What the event says itself goes before what it happens in.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(around) = span.extensions().get::<Fields>() {
                for (name, value) in &around.pairs {
                    if !fields.pairs.iter().any(|(known, _)| known == name) {
                        fields.pairs.push((name, value.clone()));
                    }
                }
            }
        }
        let meta = event.metadata();
        let bytes = datagram(*meta.level(), meta.target(), &fields);
        // Nobody is left to tell.
        drop(self.socket.send(&bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    fn heard(log: impl FnOnce()) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        journal.set_nonblocking(true).unwrap();
        let layer = Journal::at(path.to_str().unwrap()).unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, log);
        let mut all = Vec::new();
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(n) = journal.recv(&mut buffer) {
            all.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
        all
    }

    #[test]
    fn fields_of_a_line_and_of_what_it_happens_in_are_searchable() {
        let lines = heard(|| {
            let span = tracing::info_span!("call", connection = "erp", entity = %"order", generation = 7_u64);
            let _in = span.enter();
            tracing::warn!(job = %12, key = "PO 7", why = "two words", "Step parked.");
            tracing::info!(connection = "network", "Another side.");
        });
        let has = |line: &str, wanted: &[&str]| {
            for part in wanted {
                assert!(
                    line.lines().any(|l| l == *part),
                    "`{part}` is not in {line}"
                );
            }
        };
        has(
            &lines[0],
            &[
                "MESSAGE=Step parked. job=12 key=\"PO 7\" why=\"two words\" connection=erp entity=order generation=7",
                "PRIORITY=4",
                "JOB=12",
                "KEY=PO 7",
                "CONNECTION=erp",
                "ENTITY=order",
                "GENERATION=7",
                "SYSLOG_IDENTIFIER=waybill",
            ],
        );
        assert!(!lines[0].contains("WHY="), "{}", lines[0]);
        has(
            &lines[1],
            &["CONNECTION=network", "PRIORITY=6", "GENERATION=7"],
        );
    }

    #[test]
    fn no_value_forges_a_field_and_no_line_is_too_long() {
        let forged = "a\nPRIORITY=0\nCONNECTION=other".to_owned();
        let long = "x".repeat(500_000);
        let lines = heard(|| {
            tracing::info!(key = forged.as_str(), "Said.");
            tracing::info!(answer = long.as_str(), "Said.");
        });
        assert_eq!(lines.len(), 2);
        // Sent with its length: the journal reads it as one value.
        assert!(lines[0].contains("KEY\n"), "{}", lines[0]);
        assert!(lines[0].contains("key=\"a\\nPRIORITY=0\\nCONNECTION=other\""));
        assert!(lines[1].len() < 64 * 1024 && lines[1].contains("(cut)"));
    }

    #[test]
    fn the_journal_is_ours_only_where_standard_error_leads_to_it() {
        let own = std::fs::metadata("/proc/self/fd/2").unwrap();
        assert!(is_ours(Some(&format!("{}:{}", own.dev(), own.ino()))));
        for other in [None, Some("1:2"), Some("x"), Some("")] {
            assert!(!is_ours(other));
        }
    }
}
