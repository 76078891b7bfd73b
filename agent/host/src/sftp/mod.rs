//! SFTP over real sockets: where a server is and which key it must show (`target`), one signed-in connection
//! (`session`), and what is done over it (`files`). It knows no guests, no journal and no grants; `caps/sftp.rs` does.

mod error;
mod files;
mod key;
mod session;
mod target;

pub(crate) use error::SftpError;
pub(crate) use files::{Entry, Put, entries, get, move_to, put};
pub(crate) use session::{Login, Session, Way};
pub(crate) use target::{Pinned, Target, wrong_path};
