//! Where something is that may have been put: in the file of its name, in other files of ours, on the order itself. A file
//! that nobody can read stops those whose rows it can hold, and no others. What no waiting mends is said as it is: a card,
//! a refused login. Sends nothing.

use super::depot::{File, Reading, SERVER, TOO_LARGE};
use super::named::{is_plain, named};
use super::table::{Mistake, Table};
use super::upload::{Part, TRIES, Upload, stamp};
use crate::lookup::{self, LOOK_MS, Shown};
use std::collections::{BTreeMap, BTreeSet};
use waybill_sdk::Spool;
use waybill_sdk::effect::effect;
use waybill_sdk::types::{Failure, Problem, Verdict};

/// A file that is no whole table, or holds something in part only.
const BROKEN: &str = "file-not-whole";
/// How much earlier than its order something told of it may be dated, with all clocks in between.
const SLACK_MS: i64 = 86_400_000;
const NEXT: &str = "Look in the DSCO portal whether this was imported. If it was, press Done; if not, take the file off the server, then press Retry.";

/// What is in a file.
enum Content {
    /// These of the rows that are looked for.
    Rows(BTreeSet<String>),
    /// It is no whole table. Those whom it names, where that can be told.
    Broken(Problem, Option<BTreeSet<String>>),
}

impl Upload<'_> {
    /// Which of their rows are in the file of that name, wherever DSCO has put it since; none where it is nowhere.
    pub(super) fn found(
        &self,
        name: &str,
        parts: &[&Part<'_>],
    ) -> Result<Option<BTreeSet<String>>, Failure> {
        let imports = self.depot.transfer.folder_in;
        let all = locate(imports, &self.dir, |dir| self.listed(dir))?;
        let Some(file) = all.get(name) else {
            return Ok(None);
        };
        match self.content(file, parts)? {
            Content::Rows(rows) => Ok(Some(rows)),
            // Each of them was put there.
            Content::Broken(problem, _) => Err(Failure::InDoubt(problem)),
        }
    }

    /// What is known of members that are not in the file they may have been put in. After a restore that may have been
    /// another: one that DSCO has not taken yet is looked into, whatever its name. What it has taken, the orders and invoices
    /// themselves show, where the API is connected.
    pub(super) fn elsewhere(
        &self,
        name: &str,
        parts: &[&Part<'_>],
        age: i64,
    ) -> Result<Vec<Option<Verdict>>, Failure> {
        let imports = self.depot.transfer.folder_in;
        let dirs = [self.dir.clone(), format!("{imports}/processing")];
        let mut files = wandering(&dirs, |dir| self.listed(dir))?;
        files.retain(|other, _| other != name && self.is_ours(other));
        let mut known: Vec<Option<Verdict>> = vec![None; parts.len()];
        let stopped = self.in_files(&files, parts, age, &mut known);
        if self.api.config.api {
            self.on_orders(parts, age, &mut known);
        }
        let known = known.into_iter().zip(stopped);
        Ok(known
            .map(|(known, stopped)| known.or_else(|| stopped.map(Err)))
            .collect())
    }

    /// Notes whom these files hold. Which of the others may be in one that was not read, and why that was.
    fn in_files(
        &self,
        files: &BTreeMap<String, File>,
        parts: &[&Part<'_>],
        age: i64,
        known: &mut [Option<Verdict>],
    ) -> Vec<Option<Failure>> {
        let mut stopped: Vec<Option<Failure>> = vec![None; parts.len()];
        let mut looked = 0;
        // The newest first: what it cannot hold is proven without the older ones.
        for file in files.values().rev() {
            let is_open = |at: &usize| {
                !matches!(known[*at], Some(Ok(_))) && self.can_hold(file, parts[*at].placed)
            };
            let open: Vec<usize> = (0..parts.len()).filter(is_open).collect();
            if open.is_empty() {
                continue;
            }
            let content = if looked > 0 && self.api.host.remaining_ms() < LOOK_MS {
                Err(Failure::Retry(None))
            } else {
                looked += 1;
                self.content(file, parts)
            };
            let (failure, names) = match content {
                Ok(Content::Rows(there)) => {
                    for at in open {
                        match self.rows_in(&there, parts[at]) {
                            0 => {}
                            some if some < parts[at].rows.len() => {
                                known[at].get_or_insert(Err(in_part(&file.name)));
                            }
                            _ => {
                                let verdict = self.sent(&file.name, parts[at], self.begun_at(age));
                                known[at] = Some(verdict);
                            }
                        }
                    }
                    continue;
                }
                Ok(Content::Broken(problem, names)) => (Failure::InDoubt(problem), names),
                Err(failure) => (failure, None),
            };
            // Somebody else's, however it begins.
            if dated(self.own(&file.name)).is_none() {
                continue;
            }
            for at in open {
                let shown = names.as_ref().zip(self.name_in_file(parts[at]));
                if shown.is_none_or(|(names, name)| names.contains(name)) {
                    stopped[at].get_or_insert_with(|| failure.clone());
                }
            }
        }
        stopped
    }

    /// What the orders and invoices show, as many of them as there is time for: the others are looked at in another call.
    fn on_orders(&self, parts: &[&Part<'_>], age: i64, known: &mut [Option<Verdict>]) {
        let mut stopped: Option<Failure> = None;
        let mut looked = 0;
        let unknown = known.iter_mut().zip(parts);
        for (known, part) in unknown.filter(|(known, _)| known.is_none()) {
            if looked > 0 && self.api.host.remaining_ms() < LOOK_MS {
                stopped.get_or_insert(Failure::Retry(Some(0)));
            }
            if let Some(failure) = &stopped {
                *known = Some(Err(failure.clone()));
                continue;
            }
            looked += 1;
            *known = match lookup::on_orders(self.api, &[part.member], self.begun_at(age), 0) {
                Ok((mut found, _)) => match found.remove(&part.member.index) {
                    Some(Shown::Verdict(verdict)) => Some(verdict),
                    Some(Shown::Refused(failure)) => Some(Err(failure)),
                    Some(Shown::Parcels(_)) => Some(Err(shown_in_part())),
                    Some(Shown::Nothing) | None => None,
                },
                Err(failure) => {
                    // One bad answer is its member's alone; whatever else stops us stops us for the others, too.
                    if failure != Failure::Retry(None) {
                        stopped = Some(failure.clone());
                    }
                    Some(Err(failure))
                }
            };
        }
    }

    fn is_ours(&self, name: &str) -> bool {
        name.starts_with(self.prefix) && name.ends_with(&self.depot.transfer.ending())
    }

    /// A name of ours without how all of them begin and end.
    fn own<'n>(&self, name: &'n str) -> &'n str {
        let ending = self.depot.transfer.ending();
        let own = name.strip_prefix(self.prefix).unwrap_or(name);
        own.strip_suffix(ending.as_str()).unwrap_or(own)
    }

    /// Whether something of an order placed then can be in that file: not in one that was long there.
    fn can_hold(&self, file: &File, placed: Option<i64>) -> bool {
        let Some(placed) = placed.map(|at| at.saturating_sub(SLACK_MS)) else {
            return true;
        };
        let dated = dated(self.own(&file.name));
        file.modified <= 0
            || placed <= file.modified
            || dated.is_none_or(|dated| stamp(placed).as_str() <= dated)
    }

    /// What every row of a member names, if a file shows that as it is.
    fn name_in_file<'p>(&self, part: &'p Part<'_>) -> Option<&'p str> {
        let column = self.sheet.identity.first()?;
        let name = part.rows.first()?.get(column)?.as_str();
        is_plain(name, self.depot.transfer.delimiter()).then_some(name)
    }

    /// Which of the rows of these members are in a file.
    fn content(&self, file: &File, parts: &[&Part<'_>]) -> Result<Content, Failure> {
        let spool = self.read(file, parts)?;
        let mistake = match self.rows(&*spool, parts) {
            Ok(rows) => return Ok(Content::Rows(rows)),
            Err(mistake) => mistake,
        };
        let wanted = parts.iter().filter_map(|part| self.name_in_file(part));
        let delimiter = self.depot.transfer.delimiter();
        let names = named(Reading::new(&*spool, 0), delimiter, &wanted.collect());
        let names = names.map(|names| names.into_iter().map(str::to_owned).collect());
        let problem = Problem::new(
            BROKEN,
            format!(
                "The file `{}` on DSCO's server is not whole: {mistake}.",
                file.name
            ),
            NEXT,
        );
        Ok(Content::Broken(problem, names))
    }

    fn rows(&self, spool: &dyn Spool, parts: &[&Part<'_>]) -> Result<BTreeSet<String>, Mistake> {
        let wanted = parts.iter().flat_map(|part| self.identities(part));
        let wanted: BTreeSet<String> = wanted.collect();
        let pieces = Reading::new(spool, 0);
        let mut table = Table::open(pieces, self.depot.transfer.delimiter(), &[])?;
        let mut there = BTreeSet::new();
        while let Some(row) = table.next()? {
            let row = self.identity(|column| row.get(column));
            if wanted.contains(&row) {
                there.insert(row);
            }
        }
        Ok(there)
    }

    /// Reads a file. What is refused although it is there, and again, the server itself refuses.
    fn read(&self, file: &File, parts: &[&Part<'_>]) -> Result<Box<dyn Spool>, Failure> {
        let members = parts.iter().map(|part| part.member.index);
        let step = effect(&format!("look {}", self.sheet.step), members);
        let read = || self.depot.read(&file.path, &step);
        let spool = match read() {
            Err(Failure::Rejected(problem)) if problem.code == SERVER => {
                if self.attempt < TRIES || !self.is_there(file) {
                    return Err(Failure::Retry(None));
                }
                read()
            }
            once => once,
        };
        spool.map_err(|failure| match failure {
            Failure::Rejected(problem) if [SERVER, TOO_LARGE].contains(&&*problem.code) => {
                Failure::InDoubt(unread(file, &problem))
            }
            other => other,
        })
    }

    fn is_there(&self, file: &File) -> bool {
        let dir = file.path.rsplit_once('/').map_or("", |(dir, _)| dir);
        let files = self.depot.files(dir);
        files.is_ok_and(|all| all.iter().any(|one| one.path == file.path))
    }

    /// The files of a folder. What is refused while another folder is shown, and again, the server itself refuses.
    fn listed(&self, dir: &str) -> Result<Vec<File>, Failure> {
        match self.depot.files(dir) {
            Err(Failure::Rejected(problem)) if problem.code == SERVER => {
                let others = [self.dir.as_str(), self.depot.transfer.folder_out];
                let mut others = others.into_iter().filter(|other| *other != dir);
                if self.attempt < TRIES || !others.any(|other| self.depot.files(other).is_ok()) {
                    return Err(Failure::Retry(None));
                }
                self.depot.files(dir)
            }
            listed => listed,
        }
    }
}

/// The time in a name of ours, without its beginning and its end: that of the newest document in it.
fn dated(own: &str) -> Option<&str> {
    let (rest, hash) = own.rsplit_once('_')?;
    let begins = rest.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let is_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = &rest[begins..];
    (is_hash && digits.len() >= 14).then_some(digits)
}

fn unread(file: &File, why: &Problem) -> Problem {
    Problem::new(
        &why.code,
        format!(
            "The file `{}` on DSCO's server may hold this, and cannot be read. {}",
            file.name, why.message
        ),
        NEXT,
    )
}

pub(super) fn in_part(name: &str) -> Failure {
    Failure::InDoubt(Problem::new(
        BROKEN,
        format!("The file `{name}` on DSCO's server holds this in part only."),
        NEXT,
    ))
}

fn shown_in_part() -> Failure {
    Failure::InDoubt(Problem::new(
        "shown-in-part",
        "DSCO shows some of the parcels of this shipment on its order, and no file of ours holds the others.",
        "Look at the order in the DSCO portal: enter what is missing there and press Done, or press Retry where nothing of it is there.",
    ))
}

/// Our files wherever DSCO may have put them, by name. Only all folders together show that one is nowhere.
pub(super) fn locate(
    imports: &str,
    dir: &str,
    list: impl Fn(&str) -> Result<Vec<File>, Failure>,
) -> Result<BTreeMap<String, File>, Failure> {
    let [processing, archive] = ["processing", "archive"].map(|name| format!("{imports}/{name}"));
    wandering(&[dir.to_owned(), processing, archive], list)
}

/// The files of folders in the order in which a file wanders: one that moves meanwhile is seen twice, never missed.
fn wandering(
    dirs: &[String],
    list: impl Fn(&str) -> Result<Vec<File>, Failure>,
) -> Result<BTreeMap<String, File>, Failure> {
    let mut all = BTreeMap::new();
    for dir in dirs {
        let files = list(dir)?;
        all.extend(files.into_iter().map(|file| (file.name.clone(), file)));
    }
    Ok(all)
}
