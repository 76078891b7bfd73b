//! Transfers over a line that is cut: at twenty places each way, in both directions of a file. Whatever was lost, a
//! connector that looks before it sends again ends with the file there once and whole.

use crate::sftp::{KEY, deed, keyed, pattern, sum};
use crate::support::guest::Bench;
use crate::support::memory::Step;
use crate::support::openssh::{Cut, Openssh, is_there};
use waybill_host::connector::CallError;
use waybill_model::contract::Failure;

const PLACES: u64 = 20;
const SIZE: usize = 400_000;

/// Where to cut a line that passed so many bytes: from the first byte to the last but one.
fn places(passed: u64) -> impl Iterator<Item = u64> {
    (0..PLACES).map(move |n| passed.saturating_sub(1) * n / (PLACES - 1))
}

/// What a connector does after it was told of a doubt: the file is there whole, or it is sent again.
async fn again(ssh: &Openssh, bench: &Bench, put: &str, name: &str) -> String {
    let mut said = deed(bench, put).await;
    for _ in 0..3 {
        if said == "done" {
            return said;
        }
        if !said.starts_with("IoError::InDoubt") {
            said = deed(bench, put).await;
            continue;
        }
        let there = ssh.file(name).metadata().map(|m| m.len()).ok();
        if there == Some(SIZE as u64) {
            return "adopted".to_owned();
        }
        said = deed(bench, &format!("{put}\nabsent=true")).await;
    }
    said
}

#[tokio::test]
async fn a_file_that_is_sent_over_a_cut_line_is_there_once_and_whole() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    ssh.cut(Cut::NEVER);
    let put = |name: &str| format!("do=files-put\nstep={name}\npath={name}\nbody-bytes={SIZE}");
    assert_eq!(deed(&bench, &put("whole.csv")).await, "done");
    let (up, down) = ssh.passed();
    assert!(up > SIZE as u64);
    let mut cuts: Vec<Cut> = places(up).map(|up| Cut { up, ..Cut::NEVER }).collect();
    cuts.extend(places(down).map(|down| Cut { down, ..Cut::NEVER }));
    let (mut lost, mut adopted) = (0, 0);
    for (n, cut) in cuts.into_iter().enumerate() {
        let name = format!("{n}.csv");
        ssh.cut(cut);
        let first = deed(&bench, &put(&name)).await;
        lost += usize::from(first != "done");
        ssh.cut(Cut::NEVER);
        if let Ok(bytes) = std::fs::read(ssh.file(&name)) {
            assert_eq!(bytes, pattern(SIZE), "{n}: half a file under its name");
        }
        let open = bench.journal.of_job(7, &name);
        let ended = again(&ssh, &bench, &put(&name), &name).await;
        match ended.as_str() {
            "done" => {}
            "adopted" => {
                assert!(matches!(open, Some(Step::Open { .. })), "{n}");
                adopted += 1;
            }
            other => panic!("{n}: {other}"),
        }
        assert_eq!(
            std::fs::read(ssh.file(&name)).unwrap(),
            pattern(SIZE),
            "{n}"
        );
        assert!(!ssh.names(".").contains(&format!("{name}.part")), "{n}");
    }
    assert!(lost > 30, "the line was cut before the end: {lost} of 40");
    println!("40 cuts of an upload: {lost} lost an answer, {adopted} were found done");
}

/// A connector that takes a refusal for the server's word asks a person.
#[tokio::test]
async fn a_server_that_is_not_reached_refuses_no_file() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    ssh.cut(Cut {
        down: 0,
        ..Cut::NEVER
    });
    let put = "do=files-put\nstep=a\npath=a.csv\nbody-bytes=10";
    assert_eq!(deed(&bench, put).await, "IoError::TimedOut");
    assert_eq!(bench.journal.of_job(7, "a"), None, "nothing happened");
    ssh.cut(Cut::NEVER);
    assert_eq!(deed(&bench, put).await, "done");
    std::fs::remove_file(ssh.file("a.csv")).unwrap();
    std::fs::create_dir(ssh.file("a.csv")).unwrap();
    let put = put.replace("step=a", "step=b");
    let refused = deed(&bench, &put).await;
    assert!(refused.starts_with("IoError::Refused"), "{refused}");
}

#[tokio::test]
async fn a_line_that_is_cut_while_we_sign_in_is_no_refused_login() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    let list = format!("{KEY}\ndo=files-list\npath=.\nerrors-retry=true");
    ssh.cut(Cut::NEVER);
    bench.said(&list).await;
    let (up, down) = ssh.passed();
    let mut cuts: Vec<Cut> = (1..60)
        .map(|n| Cut {
            up: up * n / 60,
            ..Cut::NEVER
        })
        .collect();
    cuts.extend((1..60).map(|n| Cut {
        down: down * n / 60,
        ..Cut::NEVER
    }));
    let mut broke: u64 = 0;
    for cut in cuts {
        ssh.cut(cut);
        match bench.probe(&list).await.value {
            // What was lost was the goodbye.
            Ok(_) => {}
            Err(CallError::Failure(Failure::Retry(_))) => broke += 1,
            Err(other) => panic!("{cut:?}: {other:?}"),
        }
    }
    assert!(broke > 100 && ssh.cuts() >= broke, "{broke} of 118");
}

#[tokio::test]
async fn a_file_that_is_read_over_a_cut_line_is_read_whole_the_next_time() {
    if !is_there() {
        return;
    }
    let ssh = Openssh::start("").await;
    let bench = keyed(&ssh).await;
    std::fs::write(ssh.file("a.csv"), pattern(SIZE)).unwrap();
    let get = |step: &str| format!("do=files-get\nstep={step}\npath=a.csv");
    ssh.cut(Cut::NEVER);
    assert_eq!(deed(&bench, &get("whole")).await, sum(&pattern(SIZE)));
    let (up, down) = ssh.passed();
    assert!(down > SIZE as u64);
    let mut cuts: Vec<Cut> = places(up).map(|up| Cut { up, ..Cut::NEVER }).collect();
    cuts.extend(places(down).map(|down| Cut { down, ..Cut::NEVER }));
    let mut lost = 0;
    for (n, cut) in cuts.into_iter().enumerate() {
        let step = format!("get {n}");
        ssh.cut(cut);
        let first = deed(&bench, &get(&step)).await;
        if first == sum(&pattern(SIZE)) {
            continue;
        }
        // Not reached, or the line broke.
        let lost_line = first.starts_with("IoError::Refused") || first == "IoError::TimedOut";
        assert!(lost_line, "{n}: {first}");
        assert_eq!(
            bench.journal.of_job(7, &step),
            None,
            "{n}: nothing happened"
        );
        lost += 1;
        ssh.cut(Cut::NEVER);
        assert_eq!(deed(&bench, &get(&step)).await, sum(&pattern(SIZE)), "{n}");
    }
    assert!(lost > 30, "the line was cut before the end: {lost} of 40");
    println!("40 cuts of a download: {lost} were read again");
}
