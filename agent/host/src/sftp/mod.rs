//! SFTP over real sockets: where a server is and which key it must show (`target`), one signed-in connection
//! (`session`), what is done over it (`files`), and what was read and need not be read again (`fetched`). It knows no guests,
//! no journal and no grants; `caps/sftp.rs` does.

mod error;
mod fetched;
mod files;
mod key;
mod session;
mod target;

pub(crate) use error::SftpError;
pub(crate) use fetched::Fetched;
pub(crate) use files::{Entry, Put, entries, get, move_to, put};
pub(crate) use session::{Login, Session, Way};
pub(crate) use target::{Pinned, Target, wrong_path};
