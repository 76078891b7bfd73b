//! The deeds with files on a server. Details: `slot`, `path`, `dir`, `to`, `step`, `members`, `absent`, `body`, `body-bytes`.

use crate::act::{members, number};
use waybill_sdk::Settings;
use waybill_sdk::bindings::waybill::host::{blob::Spool, sftp};
use waybill_sdk::effects::Effect;

const READ: u32 = 1 << 20;

/// Does what `do` says, if it is one of these.
pub(crate) fn act(settings: &Settings<'_>) -> Option<String> {
    let path = settings.text("path", "");
    Some(match settings.text("do", "") {
        "files-list" => list(settings, path),
        "files-get" => get(settings, path),
        // As whoever reads a large file in pages: first it is looked for.
        "files-seen" => {
            list(settings, settings.text("dir", "."));
            get(settings, path)
        }
        "files-put" => put(settings, path),
        "files-move" => moved(settings, path),
        // One after the other, in one call.
        "files-round" => {
            let (put, list) = (put(settings, path), list(settings, "."));
            format!("{put} | {list} | {}", moved(settings, path))
        }
        "files-twice" => format!("{} | {}", put(settings, path), put(settings, path)),
        "files-here" => {
            let spool = body(settings);
            said(&spool)
        }
        _ => return None,
    })
}

fn slot<'a>(settings: &'a Settings<'_>) -> &'a str {
    settings.text("slot", "files")
}

fn effect(settings: &Settings<'_>, more: &str) -> Effect {
    Effect {
        step: format!("{}{more}", settings.text("step", "step")),
        members: members(settings),
        verified_absent: settings.toggle("absent", false),
    }
}

fn list(settings: &Settings<'_>, dir: &str) -> String {
    match sftp::entries(slot(settings), dir) {
        Ok(files) => {
            let one = |f: &sftp::Entry| format!("{} {} {}", f.path, f.size, f.modified_ms > 0);
            files.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Err(error) => format!("{error:?}"),
    }
}

fn get(settings: &Settings<'_>, path: &str) -> String {
    match sftp::get(slot(settings), path, &effect(settings, "")) {
        Ok(spool) => said(&spool),
        Err(error) => format!("{error:?}"),
    }
}

fn put(settings: &Settings<'_>, path: &str) -> String {
    let body = body(settings);
    match sftp::put(slot(settings), path, &body, &effect(settings, "")) {
        Ok(()) => "done".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn moved(settings: &Settings<'_>, path: &str) -> String {
    let to = settings.text("to", "");
    match sftp::move_to(slot(settings), path, to, &effect(settings, "-move")) {
        Ok(()) => "moved".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// `body`, or so many bytes of a pattern.
fn body(settings: &Settings<'_>) -> Spool {
    let spool = Spool::new();
    spool.append(settings.text("body", "").as_bytes());
    let mut left = number(settings, "body-bytes") as usize;
    let pattern: Vec<u8> = (0..251_u8).cycle().take(251 * 1_000).collect();
    while left > 0 {
        let len = left.min(pattern.len());
        spool.append(&pattern[..len]);
        left -= len;
    }
    spool
}

/// Its length and an FNV-1a sum, read in pieces.
fn said(spool: &Spool) -> String {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    loop {
        let piece = spool.read(at, READ);
        if piece.is_empty() {
            return format!("{} {sum:016x}", spool.len());
        }
        for byte in &piece {
            sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        at += piece.len() as u64;
    }
}
