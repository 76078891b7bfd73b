//! What the connector says of files: who signs in to the server, and the settings of the transport. Must not know the
//! values a merchant entered.

use crate::describe::{one_of, setting};
use crate::settings::{SFTP, SFTP_KEY, key};
use waybill_sdk::types::{Credential, Field, Scheme, Setting};

const TRANSPORT: &str = "transport";
const FILES: &str = "files";

/// Both ways to sign in to the file server.
pub(crate) fn credentials() -> Vec<Credential> {
    let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    let slot =
        |slot: &str, label: &str, help: &str, scheme: Scheme, secrets: &[&str], steps: &[&str]| {
            Credential {
                slot: slot.to_owned(),
                label: label.to_owned(),
                help: help.to_owned(),
                scheme,
                secrets: own(secrets),
                steps: own(steps),
                hosts: vec!["{sftp-host}".to_owned()],
            }
        };
    vec![
        slot(
            SFTP,
            "File server: user and password",
            "Only where files are exchanged. In the DSCO portal: Automation & Reporting, Automation, SFTP. The user is the word account and a number.",
            Scheme::SftpPassword,
            &["user", "password"],
            &[
                "Log in to the DSCO portal as an administrator.",
                "Open Automation & Reporting, then Automation, then SFTP: host, user and password are shown there.",
                "Create a job for each flow that is to go by files; its folder and its names are entered under Files here.",
            ],
        ),
        slot(
            SFTP_KEY,
            "File server: user and private key",
            "Only where files are exchanged, with a server that lets in by key. Paste the whole private key; leave the passphrase empty if it has none.",
            Scheme::SshKey,
            &["user", "key", "passphrase"],
            &[
                "Ask who runs the file server to let in the public half of your key, and paste the private half here.",
            ],
        ),
    ]
}

/// The settings of the transport and of files.
pub(crate) fn settings() -> Vec<Setting> {
    let mut all = vec![setting(
        TRANSPORT,
        key::TRANSPORT,
        "Connected by",
        "By API, by files on DSCO's SFTP server, or by both. Files alone cannot tell of cancel requests or answer for single rows. Let only one of both bring orders: switch the order export job in the DSCO portal off where the API does.",
        one_of(&[("api", "API"), ("each", "Both: each flow as chosen below")]),
    )];
    for (name, label, help) in [
        (
            key::ORDERS_BY,
            "Orders by",
            "Files come from an order export job in the DSCO portal. DSCO counts an order as acknowledged once it has exported it.",
        ),
        (
            key::SHIPMENTS_BY,
            "Shipments by",
            "Files need a shipment import job in the DSCO portal.",
        ),
        (
            key::STOCK_BY,
            "Stock by",
            "Files need an inventory import job in the DSCO portal. Unknown items cannot be left out by file.",
        ),
        (
            key::INVOICES_BY,
            "Invoices by",
            "Files need an invoice import job in the DSCO portal.",
        ),
        (
            key::CANCELS_BY,
            "Cancels by",
            "Files need a cancel import job in the DSCO portal. The API is the surer way.",
        ),
    ] {
        let ways = one_of(&[("api", "API"), ("files", "Files")]);
        all.push(setting(TRANSPORT, (name, "api"), label, help, ways));
    }
    all.extend(server());
    all.extend(names());
    all
}

fn server() -> Vec<Setting> {
    let text =
        |of: (&str, &str), label: &str, help: &str| setting(FILES, of, label, help, Field::Text);
    vec![
        text(
            key::SFTP_HOST,
            "File server",
            "Host of the SFTP server, with a port where it is not 22: files.example.com:2222.",
        ),
        setting(
            FILES,
            key::SFTP_LOGIN,
            "Sign in to the file server with",
            "Which of the two credentials of the file server is used.",
            one_of(&[
                ("password", "User and password"),
                ("key", "User and private key"),
            ]),
        ),
        text(
            (key::SFTP_HOST_KEY, ""),
            "Host key of the file server",
            "Its SHA256 fingerprint, several with commas. Empty: the key it shows first is kept, and another one later stops the connection.",
        ),
        text(
            key::FOLDER_IN,
            "Folder of imports",
            "Where files for DSCO are put, as seen after signing in. It has the folders processing and archive in it.",
        ),
        text(
            key::FOLDER_OUT,
            "Folder of exports",
            "Where files from DSCO lie. It has the folder archive in it.",
        ),
    ]
}

fn names() -> Vec<Setting> {
    let text =
        |of: (&str, &str), label: &str, help: &str| setting(FILES, of, label, help, Field::Text);
    let number = |(name, default): (&str, i64), label: &str, help: &str| {
        setting(
            FILES,
            (name, &default.to_string()),
            label,
            help,
            Field::Integer,
        )
    };
    vec![
        setting(
            FILES,
            key::FILE_ENDING,
            "Ending of file names",
            "As in the jobs of the DSCO portal; it also says what stands between two cells.",
            one_of(&[
                ("csv", "csv: comma"),
                ("tab", "tab: tabulator"),
                ("psv", "psv: vertical bar"),
            ]),
        ),
        text(
            key::ORDERS_FILE,
            "Names of order files",
            "How they begin, with a sub-folder in front where the job has one: orders/Purchase_Order_.",
        ),
        text(
            key::SHIPMENTS_FILE,
            "Names of shipment files",
            "How they begin, with a sub-folder in front where the job has one.",
        ),
        text(
            key::INVOICES_FILE,
            "Names of invoice files",
            "How they begin, with a sub-folder in front where the job has one.",
        ),
        text(
            key::CANCELS_FILE,
            "Names of cancel files",
            "How they begin, with a sub-folder in front where the job has one.",
        ),
        text(
            key::STOCK_FILE,
            "Names of stock files",
            "How they begin, with a sub-folder in front where the job has one.",
        ),
        text(
            key::CODE_COLUMN,
            "Column of the cancel code",
            "DSCO does not document its name: enter the one that the cancel import job's template shows.",
        ),
        text(
            (key::IGNORED_FILES, ""),
            "Files to leave alone",
            "Names of order files that are never read, separated by commas: what is in them you enter yourself.",
        ),
        number(
            key::FILE_SETTLE,
            "A file is whole after, seconds",
            "How long a file must keep its size and time before it is read: until then somebody may still be writing it.",
        ),
        number(
            key::ARCHIVE_DAYS,
            "Read archived files of, days",
            "When the connection is first used: how old a file in the archive of exports may be to be read. 0: none, since somebody read them before.",
        ),
    ]
}
