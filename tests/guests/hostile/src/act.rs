//! The deeds. Each reads its details from the settings and answers with a text that the tests compare.

use core::sync::atomic::{AtomicU32, Ordering};
use waybill_sdk::Settings;
use waybill_sdk::bindings::waybill::host::{blob, clock, effects, folder, http, kv, links, log};
use waybill_sdk::commerce::Entity;
use waybill_sdk::effects::{Effect, IoError};
use waybill_sdk::http::Request;
use waybill_sdk::types::Failure;

/// Does what the setting `do` says.
pub(crate) fn act(settings: &Settings<'_>) -> Result<String, Failure> {
    if let Some(said) = crate::files::act(settings) {
        if settings.toggle("errors-retry", false) && said.starts_with("IoError") {
            return Err(Failure::Retry(None));
        }
        return Ok(said);
    }
    Ok(match settings.text("do", "nothing") {
        "nothing" => "nothing".to_owned(),
        "loop" => never_return(),
        "memory" => eat_memory(),
        "leave" => leave_behind(),
        "trap" => panic!("told to"),
        "fail" => return Err(failure(settings)),
        "send" => return sent(settings),
        "send-twice" => {
            let first = said(&http::send(&request(settings)));
            format!("{first} | {}", said(&http::send(&request(settings))))
        }
        "send-then-insist" => {
            let first = said(&http::send(&request(settings)));
            let mut again = request(settings);
            again.effect = again.effect.map(|effect| Effect {
                members: vec![number(settings, "insist")],
                verified_absent: true,
                ..effect
            });
            format!("{first} | {}", said(&http::send(&again)))
        }
        "send-often" => send_often(settings),
        "follow" => follow(settings),
        "send-and-retract" => {
            let answer = said(&http::send(&request(settings)));
            effects::retract(settings.text("step", ""), &members(settings));
            answer
        }
        "quota" => {
            let first = said(&http::send(&request(settings)));
            http::quota(number(settings, "remaining"), number(settings, "resets"));
            format!("{first} | {}", said(&http::send(&request(settings))))
        }
        "kv" | "kv-fail" | "kv-trap" | "kv-scan" | "kv-many" | "kv-empty" | "kv-large" => {
            return key_values(settings);
        }
        "spool" | "spools" | "spool-large" => spools(settings),
        "later" => later(),
        "log-much" => {
            for _ in 0..5_000 {
                log::write(log::Level::Debug, "again\nand again", &[]);
            }
            "logged".to_owned()
        }
        "links" => format!(
            "{:?}",
            links::of(Entity::Order, &["1".to_owned(), "2".to_owned()])
        ),
        "clock" => format!("{} {}", clock::now_ms() > 0, clock::remaining_ms() > 0),
        "setting" => settings.text(settings.text("which", ""), "none").to_owned(),
        other => panic!("no deed `{other}`"),
    })
}

pub(crate) fn never_return() -> ! {
    let mut n = 0_u64;
    loop {
        n = core::hint::black_box(n.wrapping_add(1));
    }
}

pub(crate) fn eat_memory() -> ! {
    let mut all = Vec::new();
    loop {
        all.push(core::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

/// Says what an earlier call left, in a static or on the heap, and leaves all it can.
fn leave_behind() -> String {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let calls = CALLS.fetch_add(1, Ordering::Relaxed);
    // Zeroed memory that was just grown is taken for zeroed by the allocator, and not wiped by it.
    let mut block = core::hint::black_box(vec![0_u8; 2 << 20]);
    let found = block.iter().filter(|byte| **byte != 0).count();
    block.fill(7);
    core::mem::forget(core::hint::black_box(block));
    format!("{calls} calls, {found} bytes")
}

pub(crate) fn number(settings: &Settings<'_>, key: &str) -> u32 {
    u32::try_from(settings.integer(key, 0)).unwrap_or(0)
}

fn failure(settings: &Settings<'_>) -> Failure {
    match settings.get("secs") {
        Some(secs) => Failure::Retry(secs.parse().ok()),
        None => Failure::rejected("told-to", "It was told to fail.", "Tell it otherwise."),
    }
}

pub(crate) fn members(settings: &Settings<'_>) -> Vec<u32> {
    let list = settings.text("members", "");
    list.split(',').filter_map(|m| m.parse().ok()).collect()
}

/// `method`, `url`, `body`, `body-bytes`, `header`, `credential`, `step`, `members`, `absent`.
fn request(settings: &Settings<'_>) -> Request {
    let mut request = Request::new(settings.text("method", "GET"), settings.text("url", ""));
    if let Some((name, value)) = settings.get("header").and_then(|h| h.split_once(": ")) {
        request = request.header(name, value);
    }
    request.body = settings.text("body", "").as_bytes().to_vec();
    if let Some(size) = settings.get("body-bytes").and_then(|b| b.parse().ok()) {
        request.body = vec![b'x'; size];
    }
    request.credential = settings.get("credential").map(str::to_owned);
    request.effect = settings.get("step").map(|step| Effect {
        step: step.to_owned(),
        members: members(settings),
        verified_absent: settings.toggle("absent", false),
    });
    request
}

fn said(result: &Result<http::Response, IoError>) -> String {
    match result {
        Ok(response) => {
            let replayed = if response.replayed { " replayed" } else { "" };
            format!("{}{replayed} {}", response.status, response.text())
        }
        Err(error) => format!("{error:?}"),
    }
}

fn sent(settings: &Settings<'_>) -> Result<String, Failure> {
    let result = http::send(&request(settings));
    if settings.toggle("errors-retry", false) && result.is_err() {
        return Err(Failure::Retry(None));
    }
    Ok(said(&result))
}

fn send_often(settings: &Settings<'_>) -> String {
    let mut last = String::new();
    for _ in 0..settings.integer("times", 1) {
        last = said(&http::send(&request(settings)));
    }
    last
}

/// Asks again where a redirect points.
fn follow(settings: &Settings<'_>) -> String {
    let mut request = request(settings);
    match http::send(&request) {
        Ok(response) if (300..400).contains(&response.status) => {
            response
                .header("location")
                .unwrap_or_default()
                .clone_into(&mut request.url);
            let second = said(&http::send(&request));
            format!("{} | {second}", response.status)
        }
        other => said(&other),
    }
}

fn key_values(settings: &Settings<'_>) -> Result<String, Failure> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match settings.text("do", "") {
        "kv-many" => {
            kv::get_many(&vec![String::new(); 1_000_000]);
        }
        "kv-empty" => kv::set("", b"value"),
        "kv-large" => kv::set("key", &vec![0; 2 << 20]),
        "kv-scan" => {
            kv::set("a2", b"own");
            kv::delete("a3");
            kv::set("b1", b"other prefix");
            let first = kv::scan("a", None, 2);
            let rest = kv::scan("a", first.last().map(|(key, _)| key.as_str()), 9);
            let row = |(key, value): &(String, Vec<u8>)| format!("{key}={}", text(value));
            let rows: Vec<String> = first.iter().chain(&rest).map(row).collect();
            return Ok(rows.join(" "));
        }
        _ => kv::set("key", b"value"),
    }
    match settings.text("do", "") {
        "kv-fail" => return Err(failure(settings)),
        "kv-trap" => panic!("told to"),
        _ => {}
    }
    let read = kv::get_many(&["key".to_owned(), "none".to_owned(), "key".to_owned()]);
    let shown: Vec<String> = read
        .iter()
        .map(|value| value.as_deref().map_or("-".to_owned(), text))
        .collect();
    Ok(shown.join(" "))
}

fn spools(settings: &Settings<'_>) -> String {
    match settings.text("do", "") {
        "spools" => {
            let many: Vec<blob::Spool> = (0..10_000).map(|_| blob::Spool::new()).collect();
            format!("{}", many.len())
        }
        "spool-large" => {
            let spool = blob::Spool::new();
            let chunk = vec![0; 8 << 20];
            for _ in 0..100 {
                spool.append(&chunk);
            }
            format!("{}", spool.len())
        }
        _ => {
            let spool = blob::Spool::new();
            spool.append(b"hello ");
            spool.append(b"spool");
            let tail = spool.read(6, 100);
            let beyond = spool.read(1_000, 1);
            format!(
                "{} {} {}",
                spool.len(),
                String::from_utf8_lossy(&tail),
                beyond.len()
            )
        }
    }
}

fn later() -> String {
    format!("{:?}", folder::entries("in"))
}
