//! Life as a system service: tells the service manager how it goes, hears signals, drains within a grace time. Knows
//! nothing of what the tasks do.

use sd_notify::NotifyState;
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Read as _;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

/// How often it is logged who is left.
const TELL_LEFT: Duration = Duration::from_secs(5);

/// Tells the service manager, where there is one.
pub(crate) fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "The service manager could not be told.");
    }
}

/// Tells the service manager at half its limit that this process is alive, where it wants to know. Runs on the same
/// threads as everything else: when they are stuck, it is silent.
pub(crate) async fn watchdog(stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return stop.cancelled().await;
    };
    let mut beat = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => tell(&[NotifyState::Watchdog]),
        }
    }
}

/// Signals that mean stop.
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    /// The end of standard input, where that means stop.
    parent: Option<oneshot::Receiver<()>>,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            parent: None,
        })
    }

    /// From now on the end of standard input is one of them: whoever started this process holds the other end, and a kill
    /// closes it too.
    pub(crate) fn end_with_stdin(&mut self) {
        let (ended, parent) = oneshot::channel();
        self.parent = Some(parent);
        std::thread::spawn(move || {
            let mut stdin = std::io::stdin();
            let mut bytes = [0; 64];
            while matches!(stdin.read(&mut bytes), Ok(n) if n > 0) {}
            // Nobody listens once this process stops by itself.
            ended.send(()).ok();
        });
    }

    /// The next one's name.
    pub(crate) async fn next(&mut self) -> &'static str {
        let parent = async {
            match &mut self.parent {
                Some(parent) => drop(parent.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            () = parent => {
                self.parent = None;
                "end of standard input"
            }
        }
    }
}

/// How a task ended: by itself well, or why not.
pub(crate) type Ended = Result<(), String>;

/// Tasks with names.
#[derive(Default)]
pub(crate) struct Tasks {
    set: JoinSet<Ended>,
    names: BTreeMap<Id, &'static str>,
}

impl Tasks {
    /// Starts a task.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Ended> + Send + 'static,
    ) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    /// The next task that ends; `None` when none is left.
    pub(crate) async fn next(&mut self) -> Option<(&'static str, Ended)> {
        let (id, ended) = match self.set.join_next_with_id().await? {
            Ok((id, ended)) => (id, ended),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        Some((self.names.remove(&id).unwrap_or("task"), ended))
    }

    /// Waits until every task has ended; after the grace time, or when told to hurry, the rest is cut off. Those that
    /// were.
    pub(crate) async fn drain(
        &mut self,
        grace: Duration,
        hurry: impl Future<Output = &'static str>,
    ) -> Vec<&'static str> {
        let mut tell = tokio::time::interval_at(tokio::time::Instant::now() + TELL_LEFT, TELL_LEFT);
        let late = tokio::time::sleep(grace);
        tokio::pin!(late, hurry);
        loop {
            tokio::select! {
                ended = self.next() => match ended {
                    Some((_, Ok(()))) => {}
                    Some((task, Err(error))) => tracing::error!(task, %error, "Task ended badly."),
                    None => return Vec::new(),
                },
                _ = tell.tick() => {
                    let left: Vec<&str> = self.names.values().copied().collect();
                    tracing::info!(left = left.join(", "), "Still waiting for work to end.");
                }
                () = &mut late => break,
                signal = &mut hurry => {
                    tracing::warn!(signal, "Told again to stop.");
                    break;
                }
            }
        }
        self.set.abort_all();
        let left = self.names.values().copied().collect();
        while self.set.join_next().await.is_some() {}
        self.names.clear();
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_when_all_work_has_ended() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::default();
        for name in ["engine", "page"] {
            let stop = stop.clone();
            tasks.spawn(name, async move {
                stop.cancelled().await;
                tokio::time::sleep(Duration::from_secs(7)).await;
                Ok(())
            });
        }
        stop.cancel();
        assert_eq!(
            tasks.drain(Duration::from_secs(20), pending()).await,
            Vec::<&str>::new()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_outlives_the_grace_is_cut_off_and_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("engine", pending());
        tasks.spawn("page", async { Ok(()) });
        assert_eq!(
            tasks.drain(Duration::from_secs(20), pending()).await,
            ["engine"]
        );
        assert!(tasks.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_cuts_the_grace_short() {
        let mut tasks = Tasks::default();
        tasks.spawn("engine", pending());
        let started = tokio::time::Instant::now();
        let left = tasks
            .drain(Duration::from_mins(10), async { "SIGTERM" })
            .await;
        assert_eq!(left, ["engine"]);
        assert!(started.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_task_that_panics_is_told_by_name() {
        let mut tasks = Tasks::default();
        tasks.spawn("engine", async { panic!("on purpose") });
        let (name, ended) = tasks.next().await.unwrap();
        assert_eq!(name, "engine");
        assert!(ended.unwrap_err().contains("panic"));
    }
}
