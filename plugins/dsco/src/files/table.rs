//! Reads a table in pieces: columns by name, a row at a time, in memory that does not grow with the file. What cannot be
//! understood is refused by row and column, as a spreadsheet counts them. Knows no column's meaning.

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

/// Most bytes of a cell. The longest text of an order is a message of some thousand characters.
const CELL: usize = 64 << 10;
/// Most bytes of a row.
const ROW: usize = 512 << 10;
/// Most columns: the widest export seen has 223.
const COLUMNS: usize = 2_000;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Where a file comes from: the next piece of it, empty at its end.
pub(crate) trait Pieces {
    fn next(&mut self) -> Vec<u8>;
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The header is row 1.
    pub(crate) row: u64,
    /// Its name, or its number where it has none.
    pub(crate) column: Option<String>,
    pub(crate) why: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// The names of the columns, in their order.
#[derive(Debug, Default)]
struct Header {
    names: Vec<String>,
    places: BTreeMap<String, usize>,
}

/// A place between two rows of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Bytes before it.
    pub(crate) offset: u64,
    /// Rows before it, the header among them.
    pub(crate) rows: u64,
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) number: u64,
    /// Where it begins.
    pub(crate) begins: Place,
    header: Rc<Header>,
    cells: Vec<String>,
}

impl Row {
    /// The cell of that column; none where it is blank or the file has no such column.
    pub(crate) fn get(&self, column: &str) -> Option<&str> {
        let cell = self.cells.get(*self.header.places.get(column)?)?.trim();
        (!cell.is_empty()).then_some(cell)
    }

    /// Every filled cell with the name of its column.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.header.names.iter();
        names
            .zip(&self.cells)
            .map(|(name, cell)| (name.as_str(), cell.trim()))
            .filter(|(name, cell)| !name.is_empty() && !cell.is_empty())
    }

    pub(crate) fn mistake(&self, column: &str, why: impl Into<String>) -> Mistake {
        Mistake {
            row: self.number,
            column: Some(column.to_owned()),
            why: why.into(),
        }
    }
}

/// A table that is being read.
pub(crate) struct Table<P> {
    pieces: P,
    reader: Reader,
    delimiter: u8,
    piece: Vec<u8>,
    at: usize,
    begun: bool,
    header: Rc<Header>,
    /// Bytes before the piece.
    before: u64,
    /// Rows read.
    rows: u64,
}

impl<P: Pieces> Table<P> {
    /// Reads the header. Every one of the `required` columns must be in it.
    pub(crate) fn open(pieces: P, delimiter: u8, required: &[&str]) -> Result<Self, Mistake> {
        let mut table = Self {
            pieces,
            reader: reader(delimiter),
            delimiter,
            piece: Vec::new(),
            at: 0,
            begun: false,
            header: Rc::default(),
            before: 0,
            rows: 0,
        };
        let wrong = |column: Option<&str>, why: String| Mistake {
            row: 1,
            column: column.map(str::to_owned),
            why,
        };
        let names = table
            .cells()?
            .ok_or_else(|| wrong(None, "the file is empty".to_owned()))?;
        let names: Vec<String> = names
            .iter()
            .map(|name| name.trim().to_ascii_lowercase())
            .collect();
        let mut places = BTreeMap::new();
        for (place, name) in names.iter().enumerate() {
            if !name.is_empty() && places.insert(name.clone(), place).is_some() {
                return Err(wrong(
                    Some(name),
                    "there are two columns of this name".to_owned(),
                ));
            }
        }
        if let Some(missing) = required.iter().find(|name| !places.contains_key(**name)) {
            return Err(wrong(
                Some(missing),
                "there is no such column: the first row must name the columns".to_owned(),
            ));
        }
        table.header = Rc::new(Header { names, places });
        Ok(table)
    }

    /// Goes on at that place, of which `pieces` gives what follows.
    pub(crate) fn resume(&mut self, pieces: P, place: Place) {
        self.pieces = pieces;
        self.reader = reader(self.delimiter);
        self.piece = Vec::new();
        self.at = 0;
        self.before = place.offset;
        self.rows = place.rows;
    }

    /// Where the next row begins.
    pub(crate) fn place(&self) -> Place {
        Place {
            offset: self.before + self.at as u64,
            rows: self.rows,
        }
    }

    /// The next row; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, Mistake> {
        let begins = self.place();
        let Some(cells) = self.cells()? else {
            return Ok(None);
        };
        let columns = self.header.names.len();
        if cells.len() < columns {
            return Err(self.mistake(
                cells.len(),
                format!("the row ends after {} of {columns} cells", cells.len()),
            ));
        }
        if let Some(beyond) = (columns..cells.len()).find(|at| !cells[*at].trim().is_empty()) {
            return Err(self.mistake(beyond, format!("the row has more than {columns} cells")));
        }
        // What a spreadsheet would work out is not what the file says.
        let formula = |cell: &String| cell.starts_with('=') && cell.contains(['(', '"', '!']);
        if let Some(at) = cells.iter().position(formula) {
            return Err(self.mistake(at, "it holds a formula".to_owned()));
        }
        Ok(Some(Row {
            number: self.rows,
            begins,
            header: Rc::clone(&self.header),
            cells,
        }))
    }

    fn mistake(&self, place: usize, why: String) -> Mistake {
        let name = self.header.names.get(place).filter(|name| !name.is_empty());
        Mistake {
            row: self.rows.max(1),
            column: Some(name.cloned().unwrap_or_else(|| (place + 1).to_string())),
            why,
        }
    }

    /// The cells of the next row.
    fn cells(&mut self) -> Result<Option<Vec<String>>, Mistake> {
        let mut cells: Vec<String> = Vec::new();
        let (mut cell, mut size) = (Vec::new(), 0);
        let mut out = [0; 4 << 10];
        loop {
            if self.at == self.piece.len() {
                self.refill()?;
            }
            let (result, read, written) = self.reader.read_field(&self.piece[self.at..], &mut out);
            self.at += read;
            cell.extend_from_slice(&out[..written]);
            size += written;
            let place = cells.len();
            if cell.len() > CELL || size > ROW || place >= COLUMNS {
                self.rows += 1;
                return Err(self.mistake(
                    place,
                    "it does not end: a quotation mark is not closed, or this is no table"
                        .to_owned(),
                ));
            }
            match result {
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => {
                    let bytes = std::mem::take(&mut cell);
                    let text = String::from_utf8(bytes).map_err(|_| {
                        self.rows += 1;
                        self.mistake(place, "it is not written in UTF-8".to_owned())
                    })?;
                    cells.push(text);
                    if record_end {
                        self.rows += 1;
                        return Ok(Some(cells));
                    }
                }
                ReadFieldResult::End => return Ok(None),
            }
        }
    }

    /// The next piece; the mark that some programs put before the first character is no part of it.
    fn refill(&mut self) -> Result<(), Mistake> {
        self.before += self.piece.len() as u64;
        self.piece = self.pieces.next();
        self.at = 0;
        if self.begun || self.piece.is_empty() {
            return Ok(());
        }
        self.begun = true;
        // A mark may come in parts.
        while self.piece.len() < BOM.len() {
            let more = self.pieces.next();
            if more.is_empty() {
                break;
            }
            self.piece.extend(more);
        }
        if self.piece.starts_with(BOM) {
            self.piece.drain(..BOM.len());
            self.before += BOM.len() as u64;
            // Nothing of it is left, and nothing means the end.
            if self.piece.is_empty() {
                self.piece = self.pieces.next();
            }
        } else if self.piece.starts_with(b"\xff\xfe") || self.piece.starts_with(b"\xfe\xff") {
            return Err(self.mistake(0, "the file is written in UTF-16, not in UTF-8".to_owned()));
        }
        Ok(())
    }
}

fn reader(delimiter: u8) -> Reader {
    ReaderBuilder::new().delimiter(delimiter).build()
}
