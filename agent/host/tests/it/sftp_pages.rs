//! A large file that several calls ask for passes the wire once, and never in the place of another.

use crate::sftp::{KEY, deed, keyed, pattern, sum};
use crate::support::guest::Bench;
use crate::support::openssh::{Cut, Openssh, is_there};
use std::time::{Duration, SystemTime};
use waybill_host::connector::Mode;

const SIZE: usize = 400_000;
/// What a listing and a sign-in may take.
const LITTLE: u64 = 20_000;
const MINUTE: i64 = 60_000;

/// Looks into the folder and reads the file; what it was, and whether it passed the wire.
async fn seen(ssh: &Openssh, bench: &Bench, dir: &str, name: &str) -> (String, bool) {
    ssh.cut(Cut::NEVER);
    let get = format!("do=files-seen\nstep=get {name}\ndir={dir}\npath={dir}/{name}");
    let said = deed(bench, &get).await;
    let (_, down) = ssh.passed();
    assert!(down < LITTLE || down > SIZE as u64, "{down} bytes");
    (said, down > LITTLE)
}

fn dated(ssh: &Openssh, name: &str, secs: u64) {
    let file = std::fs::File::options().write(true).open(ssh.file(name));
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(secs);
    file.unwrap().set_modified(time).unwrap();
}

#[tokio::test]
async fn a_large_file_passes_the_wire_once_wherever_the_server_moves_it() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    std::fs::create_dir(ssh.file("done")).unwrap();
    std::fs::write(ssh.file("a.csv"), pattern(SIZE)).unwrap();
    let whole = sum(&pattern(SIZE));
    assert_eq!(
        seen(&ssh, &bench, ".", "a.csv").await,
        (whole.clone(), true)
    );
    assert_eq!(
        seen(&ssh, &bench, ".", "a.csv").await,
        (whole.clone(), false)
    );
    std::fs::rename(ssh.file("a.csv"), ssh.file("done/a.csv")).unwrap();
    for _ in 0..3 {
        let read = seen(&ssh, &bench, "./done", "a.csv").await;
        assert_eq!(read, (whole.clone(), false));
        bench.clock.advance(9 * MINUTE);
    }
    bench.clock.advance(11 * MINUTE);
    let read = seen(&ssh, &bench, "./done", "a.csv").await;
    assert_eq!(read, (whole, true), "nobody asked for it in a while");
    std::fs::remove_file(ssh.file("done/a.csv")).unwrap();
    let (gone, _) = seen(&ssh, &bench, "./done", "a.csv").await;
    assert!(gone.contains("was read whole before"), "{gone}");
}

#[tokio::test]
async fn another_file_of_that_name_is_read() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    let write = |byte: u8, secs: u64| {
        std::fs::write(ssh.file("a.csv"), vec![byte; SIZE]).unwrap();
        dated(&ssh, "a.csv", secs);
        sum(&vec![byte; SIZE])
    };
    let first = write(1, 1_000);
    assert_eq!(seen(&ssh, &bench, ".", "a.csv").await, (first, true));
    let second = write(2, 1_001);
    assert_eq!(seen(&ssh, &bench, ".", "a.csv").await, (second, true));
    // Ours, under the same name and of the same size: nobody can tell them apart but us.
    let put = format!("do=files-put\nstep=put\npath=./a.csv\nbody-bytes={SIZE}\nabsent=true");
    assert_eq!(deed(&bench, &put).await, "done");
    dated(&ssh, "a.csv", 1_001);
    let ours = (sum(&pattern(SIZE)), true);
    assert_eq!(seen(&ssh, &bench, ".", "a.csv").await, ours);
    // Without a look into its folder nothing is known of it.
    ssh.cut(Cut::NEVER);
    let get = "do=files-get\nstep=get a.csv\npath=./a.csv";
    assert_eq!(deed(&bench, get).await, ours.0);
    assert!(ssh.passed().1 > SIZE as u64);
}

#[tokio::test]
async fn what_was_read_is_told_as_such_and_only_to_whom_may_read() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    std::fs::write(ssh.file("a.csv"), pattern(SIZE)).unwrap();
    seen(&ssh, &bench, ".", "a.csv").await;
    let get = format!("{KEY}\nmembers=0\ndo=files-seen\nstep=get a.csv\npath=./a.csv");
    let again = bench.push(Mode::Live, &get).await;
    let exchange = again.exchanges.last().unwrap();
    assert!(exchange.replayed);
    assert_eq!(exchange.answer, format!("{SIZE} bytes"));
    for mode in [Mode::ReadOnly, Mode::Practice] {
        let told = bench.pushed(mode, &get).await;
        assert!(told.starts_with("IoError::Denied"), "{told}");
    }
}
