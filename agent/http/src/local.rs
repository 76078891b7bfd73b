//! The local socket: the same API for the command line, without login. The kernel says who asks; only root and the
//! agent's own user are answered.

use crate::body::Limits;
use crate::people::People;
use crate::router::Routes;
use crate::server::{Limit, ServeError, answers, listen};
use crate::site::{Peer, Site};
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use waybill_engine::Handle;

/// A provisioning file with its secrets is larger than a form.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// Whether that user may command an agent that runs as `own`.
const fn may_ask(uid: u32, own: u32) -> bool {
    uid == 0 || uid == own
}

/// How History names who asked here.
pub(crate) fn who(uid: u32) -> String {
    match uid {
        0 => "the command line (root)".to_owned(),
        other => format!("the command line (user {other})"),
    }
}

/// Serves the API on a unix socket until told to stop. `data_dir`: folder of the database, whose disk is measured.
///
/// # Errors
/// Before the first request only.
pub async fn serve_local(
    listener: UnixListener,
    handle: Handle,
    people: Arc<People>,
    data_dir: PathBuf,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let own = rustix::process::geteuid().as_raw();
    let limit = Limit {
        connections: 32,
        body: LARGEST_BODY,
        ..Limit::default()
    };
    let started_at = handle.now();
    let site = Arc::new(Site {
        handle,
        people,
        data_dir,
        started_at,
        routes: Routes::new().map_err(ServeError::Routes)?,
        zone: TimeZone::system(),
        limits: Limits {
            bytes: limit.body,
            frame: limit.frame,
        },
        browsers: None,
    });
    let accept = || async {
        let (stream, _) = listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        let peer = if may_ask(uid, own) {
            Peer::Local(uid)
        } else {
            tracing::warn!(
                uid,
                "A user who may not command this agent was turned away."
            );
            Peer::Stranger(uid)
        };
        Ok((stream, peer))
    };
    listen(accept, answers(site), &limit, stop).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::may_ask;

    #[test]
    fn only_root_and_the_agents_own_user_may_ask() {
        assert!(!may_ask(1000, 998));
        assert!(!may_ask(998, 0));
        assert!(may_ask(0, 998));
        assert!(may_ask(998, 998));
    }
}
