//! Log lines: in the journal's own form where systemd started the agent, else to standard error as text or JSON. Answers
//! of commands go elsewhere (`out.rs`).

use crate::config::{Config, JOURNAL_STREAM, LogFormat, environment};
use crate::journal::{self, Journal};
use anyhow::Context;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging for this process.
pub(crate) fn start(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(&config.log_filter)
        .context("the log filter is wrong")?;
    let stream = environment(JOURNAL_STREAM);
    // Who asks for JSON collects the lines as they are.
    if config.log_format == LogFormat::Text
        && journal::is_ours(stream.as_deref())
        && let Ok(journal) = Journal::open()
    {
        let lines = tracing_subscriber::registry().with(filter).with(journal);
        return lines.try_init().context("logging does not start");
    }
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match config.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging does not start: {error}"))
}
