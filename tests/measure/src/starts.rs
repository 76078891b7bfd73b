//! Owns one timed start: from the moment the process is made until it answers on its socket. Must not know what lies in
//! its data folder.

use anyhow::{bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use waybill_sim::play::agent::{Agent, Place};

/// Longest wait for an agent that starts or stops: what the service gives it.
const PATIENCE: Duration = Duration::from_mins(15);
const ASK: &[u8] = b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[expect(
    clippy::disallowed_methods,
    reason = "real time is what this program measures"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Starts an agent; how long it took until it said that it is ready.
pub(crate) async fn timed(place: &Place) -> anyhow::Result<(Agent, Duration)> {
    let socket = place.data.join("admin.sock");
    let before = now();
    let mut agent = place.start(&[])?;
    while !answers(&socket).await {
        if let Some(status) = agent.ended_within(Duration::from_micros(500)).await? {
            bail!("the agent ended with {status}; its log is `{}`", log(place));
        }
        ensure!(
            before.elapsed() < PATIENCE,
            "the agent does not answer; its log is `{}`",
            log(place)
        );
    }
    Ok((agent, before.elapsed()))
}

/// Asks once. The socket is there before the database is open, and takes a question that is answered when all is ready.
async fn answers(socket: &Path) -> bool {
    let ask = async {
        let mut stream = UnixStream::connect(socket).await?;
        stream.write_all(ASK).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    ask.await.unwrap_or(false)
}

/// Stops an agent as a service manager would.
pub(crate) async fn stop(place: &Place, agent: &mut Agent) -> anyhow::Result<()> {
    let id = agent.id().and_then(|id| i32::try_from(id).ok());
    if let Some(id) = id.and_then(Pid::from_raw) {
        kill_process(id, Signal::TERM)?;
    }
    let ended = agent.ended_within(PATIENCE).await?;
    ensure!(
        ended.is_some(),
        "the agent does not stop; its log is `{}`",
        log(place)
    );
    Ok(())
}

fn log(place: &Place) -> String {
    place.data.join("agent.log").display().to_string()
}
