//! The grammar of `waybill connectors`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `connectors`.
#[derive(Debug, Subcommand)]
pub(crate) enum Connectors {
    /// List the connectors with what they say of themselves.
    List,
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
