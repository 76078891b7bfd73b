//! Writes a table: a header and rows, quoted where it must be, with the line ends of RFC 4180. Columns that no row fills
//! are left out, since an empty cell may clear a value. Knows no column's meaning.

use csv_core::{WriteResult, Writer, WriterBuilder};

/// The bytes of a table whose rows have a cell for each of these columns.
pub(crate) fn table(columns: &[&str], rows: &[Vec<Option<String>>], delimiter: u8) -> Vec<u8> {
    let used: Vec<usize> = (0..columns.len())
        .filter(|at| rows.iter().any(|row| cell(row, *at).is_some()))
        .collect();
    let mut writer = WriterBuilder::new()
        .delimiter(delimiter)
        .terminator(csv_core::Terminator::CRLF)
        .build();
    let mut bytes = Vec::new();
    let header = used.iter().map(|at| columns[*at]);
    line(&mut writer, &mut bytes, header);
    for row in rows {
        let cells = used.iter().map(|at| cell(row, *at).unwrap_or_default());
        line(&mut writer, &mut bytes, cells);
    }
    bytes
}

fn cell(row: &[Option<String>], at: usize) -> Option<&str> {
    row.get(at)?.as_deref().filter(|cell| !cell.is_empty())
}

fn line<'a>(writer: &mut Writer, bytes: &mut Vec<u8>, cells: impl Iterator<Item = &'a str>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            fill(bytes, |out| {
                let (result, written) = writer.delimiter(out);
                (result, 0, written)
            });
        }
        let mut rest = cell.as_bytes();
        fill(bytes, |out| {
            let (result, read, written) = writer.field(rest, out);
            rest = &rest[read..];
            (result, read, written)
        });
    }
    fill(bytes, |out| {
        let (result, written) = writer.terminator(out);
        (result, 0, written)
    });
}

/// Calls until everything was written.
fn fill(bytes: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> (WriteResult, usize, usize)) {
    let mut out = [0; 1 << 10];
    loop {
        let (result, _, written) = write(&mut out);
        bytes.extend_from_slice(&out[..written]);
        if result == WriteResult::InputEmpty {
            return;
        }
    }
}
