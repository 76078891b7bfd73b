//! The grammar of `waybill connectors`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `connectors`.
#[derive(Debug, Subcommand)]
pub(crate) enum Connectors {
    /// What runs and since when, what waits, what was refused, what each may do.
    List(ListConnectors),
    /// Show what a new build asks for beyond what was granted; with --yes, grant it.
    Accept(AcceptBuild),
    /// Go back to the build before; the one that is left is not loaded again unless you choose it.
    Rollback(NamedConnector),
    /// Choose a build by its hash: an earlier one, or one that was taken back.
    Choose(ChooseBuild),
    /// Look again at a file that was refused.
    Retry(RetryBuild),
    /// Make a key to sign connectors with.
    Keygen(Keygen),
    /// Sign connectors. An earlier signature is replaced.
    Sign(Sign),
    /// Say who signed a connector and what it may do. Nothing of it is run.
    Verify(Verify),
    /// Put a connector into the connectors folder, in place of an older build of it.
    Install(Install),
    /// Take a connector out of the connectors folder.
    Remove(Remove),
}

/// `connectors keygen`.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// Where the private key goes; the public one is written beside it, as FILE.pub.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Whose key it is, for those who trust it.
    #[arg(long)]
    pub(crate) name: String,
}

/// `connectors sign`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The private key; nobody but its owner may be able to read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// The connectors.
    #[arg(value_name = "CONNECTOR", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

/// `connectors verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The connector.
    #[arg(value_name = "CONNECTOR")]
    pub(crate) file: PathBuf,
    /// Trust the keys of this .pub file, and no others.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

/// `connectors install`.
#[derive(Debug, Args)]
pub(crate) struct Install {
    /// The connector.
    #[arg(value_name = "CONNECTOR")]
    pub(crate) file: PathBuf,
    /// Show what it is and what it may do, and stop.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `connectors remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Id of the connector, or the name of its file in the folder.
    #[arg(value_name = "ID|FILE")]
    pub(crate) connector: String,
    /// Also when a connection uses it.
    #[arg(long)]
    pub(crate) force: bool,
}

/// `connectors list`.
#[derive(Debug, Args)]
pub(crate) struct ListConnectors {
    /// Read the connectors folder instead of asking the running agent.
    #[arg(long)]
    pub(crate) folder: bool,
}

/// A command about one connector.
#[derive(Debug, Args)]
pub(crate) struct NamedConnector {
    /// Id of the connector.
    pub(crate) connector: String,
}

/// `connectors accept`.
#[derive(Debug, Args)]
pub(crate) struct AcceptBuild {
    /// Id of the connector.
    pub(crate) connector: String,
    /// Only this build (its hash, or the first eight digits of it, or more).
    #[arg(long, value_name = "HASH")]
    pub(crate) hash: Option<String>,
    /// A setting it asks for, as CONNECTION.KEY=VALUE; may be given several times.
    #[arg(long, value_name = "SETTING", value_parser = set)]
    pub(crate) set: Vec<Set>,
    /// Grant it.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// A setting of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    /// Name of the connection.
    pub(crate) connection: String,
    /// Its key.
    pub(crate) key: String,
    /// Its value.
    pub(crate) value: String,
}

/// `connectors choose`.
#[derive(Debug, Args)]
pub(crate) struct ChooseBuild {
    /// Id of the connector.
    pub(crate) connector: String,
    /// The hash, or the first eight digits of it, or more.
    pub(crate) hash: String,
}

/// `connectors retry`.
#[derive(Debug, Args)]
pub(crate) struct RetryBuild {
    /// Name of the file.
    pub(crate) file: String,
}

/// `CONNECTION.KEY=VALUE`; a key may hold points.
fn set(text: &str) -> Result<Set, String> {
    let parts = text.split_once('=').and_then(|(place, value)| {
        let (connection, key) = place.split_once('.')?;
        Some(Set {
            connection: connection.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        })
    });
    parts.ok_or_else(|| "write it as CONNECTION.KEY=VALUE".to_owned())
}
