//! The capability `sftp` against OpenSSH: who is let in, which server is the right one, what may be asked, and what
//! becomes of files.

use crate::support::guest::{Bench, Plan};
use crate::support::memory::Step;
use crate::support::openssh::{Openssh, fingerprint, is_there, make_key, user};
use crate::support::password::{Asks, PasswordServer};
use std::sync::atomic::Ordering;
use tempfile::TempDir;
use waybill_host::connector::{CallError, Mode};
use waybill_model::contract::Failure;

pub(crate) const KEY: &str = "slot=files-key";

/// A connection to that server, private addresses allowed, with these settings.
pub(crate) async fn bench(server: &str, more: &[(&str, &str)]) -> Bench {
    let mut settings = vec![("server", server)];
    settings.extend(more);
    let bench = Bench::planned(Plan {
        more: &settings,
        ..Plan::default()
    })
    .await;
    bench.vault.enter("files", "user", "merchant");
    bench.vault.enter("files", "password", "correct horse");
    bench
}

/// A connection that signs in to OpenSSH with a key.
pub(crate) async fn keyed(ssh: &Openssh) -> Bench {
    let bench = bench(&ssh.server(), &[]).await;
    bench.vault.enter("files-key", "user", &user());
    bench.vault.enter("files-key", "key", &ssh.client_key());
    bench
}

/// Does a deed in a push and gives what it said.
pub(crate) async fn deed(bench: &Bench, details: &str) -> String {
    bench
        .pushed(Mode::Live, &format!("{KEY}\nmembers=0\n{details}"))
        .await
}

/// FNV-1a, as the guest sums up what it read.
pub(crate) fn sum(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{} {sum:016x}", bytes.len())
}

pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..251_u8).cycle().take(len).collect()
}

#[tokio::test]
async fn files_go_both_ways_over_one_connection() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    std::fs::create_dir(ssh.file("done")).unwrap();
    let round = "do=files-round\nstep=a\npath=a.csv\nto=done/a.csv\nbody=sku,quantity";
    assert_eq!(
        deed(&bench, round).await,
        "done | ./a.csv 12 true | moved",
        "the folder is no file of the list"
    );
    assert_eq!(ssh.connections(), 1, "one sign-in for the whole call");
    let moved = std::fs::read_to_string(ssh.file("done/a.csv")).unwrap();
    assert_eq!(moved, "sku,quantity");
    for size in [0, 1, 32 << 10, (32 << 10) + 1, 3_000_000] {
        let name = format!("{size}.csv");
        let put = format!("do=files-put\nstep={name}\npath={name}\nbody-bytes={size}");
        assert_eq!(deed(&bench, &put).await, "done");
        assert_eq!(std::fs::read(ssh.file(&name)).unwrap(), pattern(size));
        let get = format!("do=files-get\nstep=get {name}\npath={name}");
        assert_eq!(deed(&bench, &get).await, sum(&pattern(size)));
        std::fs::remove_file(ssh.file(&name)).unwrap();
    }
    assert_eq!(ssh.names("."), ["done"], "nothing else is left behind");
}

#[tokio::test]
async fn what_was_done_is_replayed_and_a_taken_name_is_refused() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    let put = "do=files-put\nstep=put\npath=a.csv\nbody=one";
    assert_eq!(deed(&bench, put).await, "done");
    std::fs::remove_file(ssh.file("a.csv")).unwrap();
    let again = bench
        .push(Mode::Live, &format!("{KEY}\nmembers=0\n{put}"))
        .await;
    let exchange = &again.exchanges[0];
    assert!(exchange.replayed && ssh.names(".").is_empty());
    assert_eq!(exchange.method, "SFTP PUT");
    assert_eq!(exchange.url, format!("sftp://{}/a.csv", ssh.server()));
    std::fs::write(ssh.file("b.csv"), "theirs").unwrap();
    let taken = deed(&bench, "do=files-put\nstep=b\npath=b.csv\nbody=ours").await;
    assert!(taken.contains("is there already"), "{taken}");
    assert_eq!(bench.journal.of_job(7, "b"), None, "nothing happened");
    std::fs::write(ssh.file("c.csv"), "c").unwrap();
    let moved = deed(&bench, "do=files-move\nstep=c\npath=c.csv\nto=b.csv").await;
    assert!(moved.contains("is there already"), "{moved}");
    assert_eq!(
        std::fs::read_to_string(ssh.file("b.csv")).unwrap(),
        "theirs"
    );
    // A file that was read and is gone is told apart from one that never was.
    let get = "do=files-get\nstep=get\npath=c.csv";
    assert_eq!(deed(&bench, get).await, sum(b"c"));
    assert_eq!(
        deed(&bench, get).await,
        sum(b"c"),
        "to read again is harmless"
    );
    std::fs::remove_file(ssh.file("c.csv")).unwrap();
    let gone = deed(&bench, get).await;
    assert!(gone.contains("was read whole before (1 bytes)"), "{gone}");
    let never = deed(&bench, "do=files-get\nstep=never\npath=never.csv").await;
    assert!(never.contains("`never.csv` is not there"), "{never}");
}

#[tokio::test]
async fn what_a_lost_attempt_left_is_looked_up_and_replaced() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    bench.journal.leave_open(7, "put", 1_000);
    std::fs::write(ssh.file("a.csv"), "hal").unwrap();
    std::fs::write(ssh.file("a.csv.part"), "half of somethi").unwrap();
    let put = "do=files-put\nstep=put\npath=a.csv\nbody=half of it";
    let doubt = deed(&bench, put).await;
    assert!(doubt.starts_with("IoError::InDoubt"), "{doubt}");
    assert_eq!(std::fs::read_to_string(ssh.file("a.csv")).unwrap(), "hal");
    assert_eq!(deed(&bench, &format!("{put}\nabsent=true")).await, "done");
    let whole = std::fs::read_to_string(ssh.file("a.csv")).unwrap();
    assert_eq!((whole.as_str(), ssh.names(".").len()), ("half of it", 1));
    assert!(matches!(
        bench.journal.of_job(7, "put"),
        Some(Step::Finished(_))
    ));
}

#[tokio::test]
async fn a_server_without_renames_or_temporary_names_gets_the_file_at_once() {
    if !is_there() {
        return;
    }
    let put = "do=files-put\nstep=put\npath=a.csv\nbody-bytes=100000";
    let ssh = Openssh::start("-P rename,posix-rename").await;
    assert_eq!(deed(&keyed(&ssh).await, put).await, "done");
    assert_eq!(std::fs::read(ssh.file("a.csv")).unwrap(), pattern(100_000));
    assert_eq!(ssh.names("."), ["a.csv"]);
    let ssh = Openssh::start("").await;
    std::fs::create_dir(ssh.file("a.csv.part")).unwrap();
    assert_eq!(deed(&keyed(&ssh).await, put).await, "done");
    assert_eq!(std::fs::read(ssh.file("a.csv")).unwrap(), pattern(100_000));
    let ssh = Openssh::start("-R").await;
    let bench = keyed(&ssh).await;
    let refused = deed(&bench, put).await;
    assert!(refused.contains("the server refused"), "{refused}");
    assert_eq!(bench.journal.of_job(7, "put"), None, "nothing happened");
    assert!(ssh.names(".").is_empty());
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_refused() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    let path = ssh.file("a.csv");
    std::fs::write(&path, pattern(4_000_000)).unwrap();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (path, stop) = (path.clone(), stop.clone());
        move || {
            use std::io::Write;
            let mut file = std::fs::File::options().append(true).open(path).unwrap();
            while !stop.load(Ordering::SeqCst) {
                file.write_all(b"one more row\n").unwrap();
                std::thread::yield_now();
            }
        }
    });
    let get = "do=files-get\nstep=get\npath=a.csv";
    let read = deed(&bench, get).await;
    stop.store(true, Ordering::SeqCst);
    writer.join().unwrap();
    assert!(read.contains("changed in the meantime"), "{read}");
    assert_eq!(bench.journal.of_job(7, "get"), None);
    let whole = std::fs::read(&path).unwrap();
    if whole.len() < 60 << 20 {
        assert_eq!(deed(&bench, get).await, sum(&whole));
    }
}

#[tokio::test]
async fn a_file_larger_than_allowed_is_not_taken() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let file = std::fs::File::create(ssh.file("a.csv")).unwrap();
    file.set_len(65 << 20).unwrap();
    let said = deed(&keyed(&ssh).await, "do=files-get\nstep=get\npath=a.csv").await;
    assert_eq!(said, format!("IoError::TooLarge({})", 64 << 20));
}

#[tokio::test]
async fn the_first_key_is_kept_and_another_stops_the_connection() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    let list = "do=files-list\npath=.";
    assert_eq!(deed(&bench, list).await, "");
    let kept = bench.host_keys.0.lock().unwrap()[&ssh.server()].clone();
    assert_eq!(kept, ssh.fingerprint());
    ssh.change_host_key();
    let said = deed(&bench, list).await;
    assert!(
        said.contains(&kept) && said.contains(&ssh.fingerprint()),
        "{said}"
    );
    // A connector that only tries again is not asked again before a person looked.
    let error = bench
        .error(&format!("{KEY}\n{list}\nerrors-retry=true"))
        .await;
    let CallError::Failure(Failure::Unauthorized(problem)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(problem.code, "host-key-changed");
    assert!(problem.message.contains("nothing was sent"), "{problem:?}");
    assert_eq!(bench.host_keys.0.lock().unwrap()[&ssh.server()], kept);
}

#[tokio::test]
async fn a_fingerprint_that_was_entered_counts_alone() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let list = format!("{KEY}\ndo=files-list\npath=.");
    let entered = |key: String| {
        let ssh = &ssh;
        async move {
            let bench = bench(&ssh.server(), &[("sftp-host-key", &key)]).await;
            bench.vault.enter("files-key", "user", &user());
            bench.vault.enter("files-key", "key", &ssh.client_key());
            bench
        }
    };
    let right = entered(format!("SHA256:other, {}", ssh.fingerprint())).await;
    assert_eq!(right.said(&list).await, "");
    assert!(right.host_keys.0.lock().unwrap().is_empty());
    let wrong = entered("SHA256:other".to_owned()).await;
    let said = wrong.said(&list).await;
    assert!(said.contains("shows the host key"), "{said}");
}

#[tokio::test]
async fn passwords_go_only_to_the_right_server() {
    if !is_there() {
        return;
    }
    let home = TempDir::new().unwrap();
    let host_key = home.path().join("host");
    make_key(&host_key, "");
    let list = "do=files-list\npath=.";
    for asks in [Asks::Password, Asks::Questions] {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("a.csv"), "a").unwrap();
        let server = PasswordServer::start(&host_key, folder.path(), asks).await;
        let address = format!("127.0.0.1:{}", server.port);
        let stranger = bench(&address, &[("sftp-host-key", "SHA256:other")]).await;
        let said = stranger.said(list).await;
        assert!(said.contains("shows the host key"), "{said}");
        assert!(
            server.tried.lock().unwrap().is_empty(),
            "no sign-in was tried"
        );
        let bench = bench(&address, &[]).await;
        assert_eq!(bench.said(list).await, "./a.csv 1 true");
        let kept = bench.host_keys.0.lock().unwrap()[&address].clone();
        assert_eq!(kept, fingerprint(&home.path().join("host.pub")));
        bench.vault.enter("files", "password", "wrong horse");
        let answer = bench.probe(&format!("{list}\nerrors-retry=true")).await;
        let Err(CallError::Failure(Failure::Unauthorized(problem))) = answer.value else {
            panic!("{:?}", answer.value);
        };
        assert_eq!(problem.code, "credential-refused");
        assert!(!format!("{problem:?}{:?}", answer.exchanges).contains("horse"));
        assert!(!format!("{:?}", answer.exchanges).contains("merchant"));
        for _ in 0..500 {
            if server.open.load(Ordering::SeqCst) == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(
            server.open.load(Ordering::SeqCst),
            0,
            "connections end with their calls"
        );
    }
}

#[tokio::test]
async fn keys_are_read_as_merchants_paste_them() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    let list = "do=files-list\npath=.";
    let flat = ssh.client_key().replace('\n', "");
    bench.vault.enter("files-key", "key", &flat);
    assert_eq!(deed(&bench, list).await, "");
    let home = TempDir::new().unwrap();
    let other = home.path().join("other");
    make_key(&other, "open sesame");
    bench.vault.enter(
        "files-key",
        "key",
        &std::fs::read_to_string(&other).unwrap(),
    );
    let said = deed(&bench, list).await;
    assert!(said.contains("private key cannot be used"), "{said}");
    bench.vault.enter("files-key", "passphrase", "open sesame");
    let said = deed(&bench, list).await;
    assert!(said.contains("did not accept the sign-in"), "{said}");
}

#[tokio::test]
async fn only_what_was_granted_is_asked() {
    let list = "do=files-list\npath=.";
    let none = bench("", &[]).await.said(list).await;
    assert!(
        none.contains("NotGranted") && none.contains("not set"),
        "{none}"
    );
    let web = bench("https://a.test", &[]).await.said(list).await;
    assert!(web.contains("NotGranted"), "{web}");
    let here = [("server", "127.0.0.1:9")];
    let bench = Bench::planned(Plan {
        allow_private: false,
        more: &here,
        ..Plan::default()
    })
    .await;
    bench.vault.enter("files", "user", "merchant");
    let missing = bench.said(list).await;
    assert!(missing.contains("the secret `password`"), "{missing}");
    bench.vault.enter("files", "password", "correct horse");
    let private = bench.said(list).await;
    assert!(
        private.contains("NotGranted") && private.contains("127.0.0.1"),
        "{private}"
    );
    let bench = self::bench("169.254.169.254", &[]).await;
    let never = bench.said(list).await;
    assert!(never.contains("NotGranted"), "{never}");
    let bench = self::bench("127.0.0.1:9", &[]).await;
    let nobody = bench.said(list).await;
    assert!(nobody.contains("could not connect"), "{nobody}");
    for (slot, said) in [("key", "signs in to no file server"), ("?", "declares no")] {
        let said_of = bench.said(&format!("slot={slot}\n{list}")).await;
        assert!(said_of.contains(said), "{said_of}");
    }
    let up = bench.said("do=files-list\npath=../..").await;
    assert!(up.contains("climbs"), "{up}");
    let web = bench
        .said("do=send\nurl={base}/api/x\ncredential=files")
        .await;
    assert!(web.contains("NotGranted"), "{web}");
}

#[tokio::test]
async fn reads_change_nothing_and_practice_writes_nothing() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    std::fs::write(ssh.file("a.csv"), "a").unwrap();
    let asked = format!("{KEY}\nmembers=0\nstep=s\npath=b.csv\nto=c.csv\nbody=rows");
    for (mode, said) in [
        (Mode::ReadOnly, "ReadOnlyCall"),
        (Mode::Practice, "Practice"),
    ] {
        for verb in ["files-get", "files-put", "files-move"] {
            let answer = bench.push(mode, &format!("do={verb}\n{asked}")).await;
            let exchange = &answer.exchanges[0];
            assert_eq!(exchange.status, 0);
            if verb == "files-put" {
                assert_eq!(exchange.request, "rows", "what would have been sent");
            }
            let told = bench.pushed(mode, &format!("do={verb}\n{asked}")).await;
            assert!(told.contains(said), "{told}");
        }
        let list = format!("{KEY}\nmembers=0\ndo=files-list\npath=.");
        assert_eq!(bench.pushed(mode, &list).await, "./a.csv 1 true");
    }
    assert_eq!(ssh.names("."), ["a.csv"]);
    assert!(bench.journal.steps.lock().unwrap().is_empty());
    let unnamed = format!("{KEY}\ndo=files-put\nstep=s\npath=b.csv\nbody=rows");
    let told = bench.pushed(Mode::Live, &unnamed).await;
    assert!(told.contains("names no member"), "{told}");
}
