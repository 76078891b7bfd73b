//! Tests of the host, in one binary: real components, real sockets, ports in memory. `support/` owns the ports, the
//! site and the component.

#![expect(
    clippy::unwrap_used,
    reason = "the lint knows test functions, not what they share"
)]

mod approvals;
mod budgets;
mod hostile;
mod http;
mod journal;
mod loading;
mod oauth;
mod sftp;
mod sftp_cut;
mod sftp_pages;
mod signatures;
mod support;
mod versions;
mod wire;
