//! The one place that writes to standard output and standard error. Text for people, JSON for scripts; never both.

use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use waybill_engine::apply::Mistake;

/// Where answers go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    /// Answer in JSON.
    pub(crate) json: bool,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Mistakes in a file: exit code 64.
    Mistakes(Vec<InFile>),
    /// The command line asks for something that makes no sense: exit code 64.
    Usage {
        message: String,
        hint: Option<String>,
    },
    /// Everything else: exit code 1.
    Other {
        message: String,
        hint: Option<String>,
    },
    /// The answer itself said what is wrong: exit code 1, and nothing more to print.
    Told,
}

/// A mistake and the file it is in.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub(crate) struct InFile {
    /// The file, as it was named.
    pub(crate) file: String,
    /// The mistake.
    #[serde(flatten)]
    pub(crate) mistake: Mistake,
}

/// Exit code for mistakes in files and on the command line (`EX_USAGE`).
pub(crate) const USAGE: u8 = 64;

impl Failure {
    /// A failure without hint.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Other {
            message,
            hint: None,
        }
    }

    /// A failure with a hint.
    pub(crate) fn hinted(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Other {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// The same mistakes with their file.
    pub(crate) fn mistakes(file: impl Into<String>, mistakes: Vec<Mistake>) -> Self {
        let file = file.into();
        let named = mistakes.into_iter().map(|mistake| InFile {
            file: file.clone(),
            mistake,
        });
        Self::Mistakes(named.collect())
    }

    /// The process's exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::Mistakes(_) | Self::Usage { .. } => USAGE,
            Self::Other { .. } | Self::Told => 1,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::other(format!("{error:#}"))
    }
}

impl Out {
    /// One line for people.
    pub(crate) fn line(self, text: impl AsRef<str>) {
        if !self.json {
            write(&mut io::stdout().lock(), text.as_ref());
        }
    }

    /// The answer for scripts.
    pub(crate) fn value(self, value: &impl Serialize) {
        if self.json {
            let text = serde_json::to_string_pretty(value);
            write(
                &mut io::stdout().lock(),
                &text.unwrap_or_else(|e| e.to_string()),
            );
        }
    }

    /// Rows of columns for people; the last column is not padded.
    pub(crate) fn table(self, heads: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(heads[column].chars().count())
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        let print = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            self.line(padded.join("  ").trim_end());
        };
        print(&mut heads.iter().copied());
        for row in rows {
            print(&mut row.iter().map(String::as_str));
        }
    }

    /// Asks a yes-or-no question. Where nobody can answer, it fails with this hint.
    pub(crate) fn ask(self, question: &str, hint: &str) -> Result<bool, Failure> {
        let nobody = || Failure::Usage {
            message: "nobody can be asked here".to_owned(),
            hint: Some(hint.to_owned()),
        };
        if self.json || !io::stdin().is_terminal() {
            return Err(nobody());
        }
        let mut stdout = io::stdout().lock();
        // A closed terminal shows at the read below.
        drop(write!(stdout, "{question} [y/N] ").and_then(|()| stdout.flush()));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|_| nobody())?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// What went wrong: text on standard error, or JSON on standard output.
    pub(crate) fn failure(self, failure: &Failure) {
        if matches!(failure, Failure::Told) {
            return;
        }
        if self.json {
            let value = match failure {
                Failure::Mistakes(mistakes) => serde_json::json!({"mistakes": mistakes}),
                Failure::Usage { message, hint } | Failure::Other { message, hint } => {
                    serde_json::json!({"error": {"message": message, "hint": hint}})
                }
                Failure::Told => return,
            };
            self.value(&value);
            return;
        }
        write(&mut io::stderr().lock(), &text(failure));
    }
}

/// A failure for people.
pub(crate) fn text(failure: &Failure) -> String {
    match failure {
        Failure::Mistakes(mistakes) => {
            let mut lines = Vec::new();
            for InFile { file, mistake } in mistakes {
                lines.push(format!("{file}:{mistake}"));
            }
            let noun = if mistakes.len() == 1 {
                "mistake"
            } else {
                "mistakes"
            };
            lines.push(format!("{} {noun}. Nothing was changed.", mistakes.len()));
            lines.join("\n")
        }
        Failure::Usage { message, hint } | Failure::Other { message, hint } => match hint {
            Some(hint) => format!("error: {message}\n  hint: {hint}"),
            None => format!("error: {message}"),
        },
        Failure::Told => String::new(),
    }
}

fn write(to: &mut impl Write, text: &str) {
    // A reader that went away (`waybill orders | head`) is no failure of the command.
    drop(writeln!(to, "{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_shown_with_file_line_and_column() {
        let mistake = Mistake {
            line: 3,
            column: 7,
            message: "unknown key `lisen` in the file".to_owned(),
            hint: Some("Did you mean `listen`?".to_owned()),
        };
        let failure = Failure::mistakes("agent.toml", vec![mistake]);
        assert_eq!(
            text(&failure),
            "agent.toml:3:7: unknown key `lisen` in the file\n  hint: Did you mean `listen`?\n1 mistake. Nothing was changed."
        );
        assert_eq!(failure.code(), 64);
        assert_eq!(Failure::other("x").code(), 1);
    }
}
