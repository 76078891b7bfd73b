//! Completions for shells and the manual pages, both made from the grammar in `cli.rs`, so that they cannot fall behind
//! it. Owns the sections of the manual that no grammar knows: files, environment, exit codes.

use crate::cli::Cli;
use crate::out::Failure;
use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::Write;
use std::path::Path;

const NAME: &str = "waybill";
/// Follows what the grammar says on the page of the program itself.
const MORE: &str = r".SH FILES
.TP
\fI/etc/waybill/agent.toml\fR
Where things are. Every key with its default is in the packaged file.
.TP
\fI/etc/waybill/seal.key\fR
The key that seals secrets in the database, handed to the service as the credential \fBwaybill.key\fR. Keep it with every
backup: without it the secrets have to be entered again.
.TP
\fI/var/lib/waybill\fR
The database, large bodies, and \fIfirst\-password\fR, the code of the first login, until a password is chosen.
.TP
\fI/var/cache/waybill\fR
Compiled connectors. May be removed while the agent is stopped.
.TP
\fI/usr/lib/waybill/connectors\fR
The connectors. Only root may be able to write here.
.TP
\fI/usr/lib/waybill/trusted\-keys.d\fR
Keys whose connectors are run, beside those that \fBtrusted\-keys\fR of the configuration names.
.TP
\fI/run/waybill/admin.sock\fR
The socket by which the other commands talk to the running agent. Only root and the agent's own user may.
.SH ENVIRONMENT
.TP
\fBWAYBILL_CONFIG\fR
The configuration file, where \fB\-\-config\fR is not given.
.TP
\fBWAYBILL_LOG\fR
What is logged, over the configuration: \fBinfo\fR, or parts as in \fBinfo,waybill_engine=debug\fR.
.TP
\fBCREDENTIALS_DIRECTORY\fR
Set by systemd: where the credential \fBwaybill.key\fR lies.
.SH EXIT STATUS
.TP
\fB0\fR
Done.
.TP
\fB1\fR
Not done; standard error says why and what to do.
.TP
\fB64\fR
A mistake on the command line, in the configuration or in a provisioning file. Nothing was changed.
.SH SEE ALSO
\fBsystemctl\fR(1), \fBjournalctl\fR(1), \fBsystemd.exec\fR(5)
";

/// Writes one shell's completions to standard output.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    // Into memory first: the generator panics where it cannot write, and a closed pipe is no bug.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    let mut out = std::io::stdout().lock();
    Ok(out
        .write_all(&script)
        .and_then(|()| out.flush())
        .context("the completions cannot be written")?)
}

/// Writes one page for the program and one for each command into a folder.
pub(crate) fn pages(folder: &Path) -> Result<(), Failure> {
    let cannot = || format!("the manual cannot be written to `{}`", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot)?;
    let mut grammar = Cli::command().disable_help_subcommand(true);
    grammar.build();
    below(&grammar, folder).with_context(cannot)?;
    let mut page = Vec::new();
    Man::new(grammar).render(&mut page).with_context(cannot)?;
    page.extend_from_slice(MORE.as_bytes());
    std::fs::write(folder.join(format!("{NAME}.1")), page).with_context(cannot)?;
    Ok(())
}

/// The pages of the commands below this one.
fn below(command: &Command, folder: &Path) -> std::io::Result<()> {
    for command in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        below(command, folder)?;
        Man::new(command.clone()).generate_to(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_the_program_says_where_its_files_are() {
        let folder = tempfile::tempdir().unwrap();
        pages(folder.path()).unwrap();
        let grammar = Cli::command();
        for command in grammar.get_subcommands() {
            let page = folder
                .path()
                .join(format!("{NAME}-{}.1", command.get_name()));
            assert_eq!(page.exists(), !command.is_hide_set(), "{}", page.display());
        }
        let own = std::fs::read_to_string(folder.path().join("waybill.1")).unwrap();
        for part in ["FILES", "EXIT STATUS", "waybill\\-apply(1)", "seal.key"] {
            assert!(own.contains(part), "{part} is not in\n{own}");
        }
        assert!(!own.contains("manual\\-pages"), "hidden commands stay out");
    }

    #[test]
    fn completions_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("connectors"), "{shell}");
        }
    }
}
