//! DSCO's files: tables of text, read by the names of their columns and written the same way. They know no server and no
//! cursor. No flow uses them yet; see "DSCO by SFTP" in agent/ARCHITECTURE.md.
#![cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the flows over SFTP that use it come next"
    )
)]

mod orders;
mod table;
mod write;

pub(crate) use orders::Orders;
pub(crate) use table::{Mistake, Pieces};
pub(crate) use write::table;
