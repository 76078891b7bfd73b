//! The addresses the agent listens on: answered by the running agent, or free for one that is to start. Binds without
//! listening, so that nobody can connect meanwhile.

use crate::config::Config;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use waybill_engine::finding::{Check, Finding};

/// Longest wait for an answer from this machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// Page and hooks listener.
pub(super) async fn look(config: &Config, up: bool) -> Vec<Finding> {
    let mut findings = vec![one(Check::Page, "listen", config.listen, up, "200").await];
    if let Some(address) = config.hooks {
        let key = "listen of [hooks]";
        findings.push(one(Check::HooksListener, key, address, up, "404").await);
    }
    findings
}

async fn one(check: Check, key: &str, address: SocketAddr, up: bool, status: &str) -> Finding {
    let place = format!("{address} (`{key}` in the configuration)");
    if address.port() == 0 {
        return Finding::ok(check, "Any free port is taken.").at(place);
    }
    if !up {
        return free(check, address).at(place);
    }
    match tokio::time::timeout(PATIENCE, answers(address)).await {
        Ok(Ok(line)) if line.split(' ').nth(1) == Some(status) => {
            Finding::ok(check, format!("It answers at {address}.")).at(place)
        }
        Ok(Ok(_)) => taken(check, address, "Somebody else answers there").at(place),
        Ok(Err(error)) => Finding::problem(
            check,
            format!("The agent runs, and nobody answers there: {error}."),
        )
        .at(place)
        .next("The configuration was changed since the agent was started: `systemctl restart waybill`."),
        Err(_) => Finding::problem(check, "Nobody answers there in time.")
            .at(place)
            .next("The agent may be overloaded or stuck: `journalctl -u waybill -n 50`, then `systemctl restart waybill`."),
    }
}

/// The first line of the answer to a question that any of our listeners knows.
async fn answers(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /live HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![0; 512];
    let mut filled = 0;
    while filled < answer.len() {
        match stream.read(&mut answer[filled..]).await? {
            0 => break,
            n => filled += n,
        }
    }
    let text = String::from_utf8_lossy(&answer[..filled]).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn free(check: Check, address: SocketAddr) -> Finding {
    let bound = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    let bound = bound.and_then(|socket| {
        // As the agent binds it: what only waits for its last packets does not count.
        socket.set_reuseaddr(true)?;
        socket.bind(address)
    });
    match bound {
        Ok(()) => Finding::ok(check, format!("{address} is free.")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            taken(check, address, "Another program has that port")
        }
        Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
            Finding::problem(check, "This machine has no such address.")
                .next("Listen on 127.0.0.1, or on an address that `ip address` shows.")
        }
        Err(error) => Finding::problem(check, format!("It cannot be listened on: {error}."))
            .next("Choose another address or port in the configuration."),
    }
}

fn taken(check: Check, address: SocketAddr, text: &str) -> Finding {
    let text = match holder(address.port()) {
        Some(who) => format!("{text}: {who}."),
        None => format!("{text}."),
    };
    let look = format!("ss -ltnp 'sport = :{}'", address.port());
    Finding::problem(check, text).next(format!(
        "Stop that program (`{look}` names it to root), or choose another port in the configuration."
    ))
}

/// Who listens on a port, as far as this user may know.
fn holder(port: u16) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    let wanted: Vec<String> = inodes.iter().map(|n| format!("socket:[{n}]")).collect();
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        // `self` and its like are other names of a process.
        let id = process.file_name();
        if !id.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Ok(open) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let mut links = open.flatten().filter_map(|fd| fd.path().read_link().ok());
        if links.any(|link| wanted.iter().any(|w| link.as_os_str() == w.as_str())) {
            let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
            return Some(format!("`{}` (process {})", name.trim(), id.display()));
        }
    }
    None
}

/// Inodes of the listening sockets of a port, in the kernel's table.
fn listening(table: &str, port: u16) -> Vec<String> {
    let wanted = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| {
        let parts: Vec<&str> = line.split_whitespace().collect();
        parts
    });
    rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&wanted)))
        .filter(|row| row.get(3) == Some(&"0A"))
        .filter_map(|row| row.get(9).map(|inode| (*inode).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use waybill_engine::finding::State;

    #[test]
    fn a_taken_port_names_who_has_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let found = free(Check::Page, address);
        assert_eq!(found.state, State::Problem);
        let own = format!("(process {})", std::process::id());
        assert!(found.text.contains(&own), "{}", found.text);
        drop(listener);
        assert_eq!(free(Check::Page, address).state, State::Ok);
    }

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:1EC6 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n   1: 0100007F:1EC6 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n";
        assert_eq!(listening(table, 7878), ["4711"]);
        assert!(listening(table, 7879).is_empty());
    }
}
