//! Owns searches: positional rows, filters by type, sorting, paging, chosen columns and their description. It must not
//! know any resource; a resource gives a [`Table`] of columns.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::clock::{Period, Zone};
use super::envelope::Refusal;
use super::idset::IdSet;

/// Largest and usual page.
const PAGE: usize = 500;

/// One value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bool(bool),
    Time(i64),
    /// Several ids: a filter is met when one of them meets it. Never shown.
    Ints(Vec<i64>),
}

impl Cell {
    /// A text, null when empty.
    pub(super) fn filled(text: &str) -> Self {
        if text.is_empty() {
            Self::Null
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// An instant, null when unset.
    pub(super) fn time(at: Option<i64>) -> Self {
        at.map_or(Self::Null, Self::Time)
    }

    fn view(&self, zone: Zone) -> Value {
        match self {
            Self::Null | Self::Ints(_) => Value::Null,
            Self::Int(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::Bool(flag) => json!(flag),
            Self::Time(at) => json!(zone.text(*at)),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) | (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}

/// How a column filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    IdSet,
    Text,
    SearchText,
    TextSet,
    Bool,
    Period,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::IdSet => "IDSET",
            Self::Text => "STRING",
            Self::SearchText => "SEARCH_STRING",
            Self::TextSet => "STRING_SET",
            Self::Bool => "BOOLEAN",
            Self::Period => "PERIOD",
        }
    }
}

/// A column or an extra filter.
#[derive(Debug)]
pub(super) struct Column<R: 'static> {
    name: &'static str,
    kind: Kind,
    reference: Option<&'static str>,
    filterable: bool,
    get: fn(&R) -> Cell,
}

impl<R> Column<R> {
    pub(super) const fn new(name: &'static str, kind: Kind, get: fn(&R) -> Cell) -> Self {
        Self {
            name,
            kind,
            reference: None,
            filterable: true,
            get,
        }
    }

    /// A column whose values are named in a map of the answer's `reference`.
    pub(super) const fn named(
        name: &'static str,
        kind: Kind,
        reference: &'static str,
        get: fn(&R) -> Cell,
    ) -> Self {
        Self {
            name,
            kind,
            reference: Some(reference),
            filterable: true,
            get,
        }
    }

    /// A column that is shown but does not filter.
    pub(super) const fn shown(name: &'static str, kind: Kind, get: fn(&R) -> Cell) -> Self {
        Self {
            name,
            kind,
            reference: None,
            filterable: false,
            get,
        }
    }

    fn view(&self) -> Value {
        let reference: Vec<&str> = self.reference.into_iter().collect();
        json!({
            "name": self.name, "sortable": true, "filterable": self.filterable,
            "reportDataType": self.kind.name(), "referenceData": reference,
            "isFreeTextSearchable": false, "required": false,
        })
    }
}

/// What a resource shows and filters; the first column is its id.
#[derive(Debug)]
pub(super) struct Table<R: 'static> {
    pub(super) columns: &'static [Column<R>],
    pub(super) filters: &'static [Column<R>],
}

/// The page found: the `response` value and the records behind its rows.
#[derive(Debug)]
pub(super) struct Found<'a, R> {
    pub(super) response: Value,
    pub(super) records: Vec<&'a R>,
}

type Query<'q> = &'q [(String, String)];

impl<R> Table<R> {
    /// What `/meta-data` answers.
    pub(super) fn meta_data(&self) -> Value {
        let views = |list: &[Column<R>]| list.iter().map(Column::view).collect::<Vec<_>>();
        json!({ "columns": views(self.columns), "filters": views(self.filters) })
    }

    /// Runs a search over records that come in the order of their id.
    pub(super) fn search<'a>(
        &self,
        records: impl Iterator<Item = &'a R>,
        query: Query<'_>,
        zone: Zone,
    ) -> Result<Found<'a, R>, Refusal> {
        let tests = self.tests(query)?;
        let mut hits: Vec<&R> = records
            .filter(|r| tests.iter().all(|t| t.accepts(r)))
            .collect();
        let sorting = self.sorting(query);
        if !matches!(sorting.as_slice(), [(0, false)]) {
            hits.sort_by(|a, b| self.compare(&sorting, a, b));
        }
        let total = hits.len();
        let size = paging(query, "pageSize", PAGE)?.clamp(1, PAGE);
        let first = paging(query, "firstResult", 1)?.max(1);
        let count_only = param(query, "countOnly") == Some("true");
        let page: Vec<&R> = if count_only {
            Vec::new()
        } else {
            hits.into_iter().skip(first - 1).take(size).collect()
        };
        let columns = self.chosen(query);
        let rows: Vec<Value> = page
            .iter()
            .map(|r| {
                columns
                    .iter()
                    .map(|c| (c.get)(r).view(zone))
                    .collect::<Vec<_>>()
                    .into()
            })
            .collect();
        let mut meta = Map::new();
        meta.insert(
            "morePagesAvailable".into(),
            json!(!count_only && first - 1 + page.len() < total),
        );
        meta.insert("resultsAvailable".into(), json!(total));
        meta.insert("resultsReturned".into(), json!(page.len()));
        if !page.is_empty() {
            meta.insert("firstResult".into(), json!(first));
            meta.insert("lastResult".into(), json!(first - 1 + page.len()));
        }
        meta.insert(
            "columns".into(),
            columns.iter().map(|c| c.view()).collect::<Vec<_>>().into(),
        );
        let sorting: Vec<Value> = sorting
            .iter()
            .map(|(index, down)| {
                let direction = if *down { "DESC" } else { "ASC" };
                json!({ "filterable": self.columns[*index].view(), "direction": direction })
            })
            .collect();
        meta.insert("sorting".into(), sorting.into());
        Ok(Found {
            response: json!({ "results": rows, "metaData": meta }),
            records: page,
        })
    }

    /// Reads the filters. Names that are no filter are ignored: nothing says that they are refused.
    fn tests(&self, query: Query<'_>) -> Result<Vec<Test<R>>, Refusal> {
        let mut tests = Vec::new();
        for (name, value) in query {
            let known = self.columns.iter().chain(self.filters);
            let column = known.into_iter().find(|c| c.filterable && c.name == name);
            let Some(column) = column else { continue };
            let want = Want::parse(column.kind, value)
                .ok_or_else(|| Refusal::filter(name, value, column.kind.name()))?;
            tests.push(Test {
                get: column.get,
                want,
            });
        }
        Ok(tests)
    }

    fn sorting(&self, query: Query<'_>) -> Vec<(usize, bool)> {
        let text = param(query, "sort").unwrap_or("");
        let keys = text.split(',').filter_map(|key| {
            let (name, direction) = key.split_once(['.', '|']).unwrap_or((key, "ASC"));
            let index = self.columns.iter().position(|c| c.name == name.trim())?;
            Some((index, direction.trim().eq_ignore_ascii_case("DESC")))
        });
        let keys: Vec<(usize, bool)> = keys.collect();
        if keys.is_empty() {
            vec![(0, false)]
        } else {
            keys
        }
    }

    fn compare(&self, sorting: &[(usize, bool)], a: &R, b: &R) -> Ordering {
        for (index, down) in sorting {
            let get = self.columns[*index].get;
            let order = get(a).order(&get(b));
            let order = if *down { order.reverse() } else { order };
            if order != Ordering::Equal {
                return order;
            }
        }
        Ordering::Equal
    }

    fn chosen(&self, query: Query<'_>) -> Vec<&'static Column<R>> {
        let Some(names) = param(query, "columns").filter(|names| !names.is_empty()) else {
            return self.columns.iter().collect();
        };
        names
            .split(',')
            .filter_map(|name| self.columns.iter().find(|c| c.name == name.trim()))
            .collect()
    }
}

struct Test<R> {
    get: fn(&R) -> Cell,
    want: Want,
}

impl<R> Test<R> {
    fn accepts(&self, record: &R) -> bool {
        self.want.meets(&(self.get)(record))
    }
}

enum Want {
    Int(i64),
    Ids(IdSet),
    Text(String),
    Words(Vec<String>),
    Texts(Vec<String>),
    Bool(bool),
    Period(Period),
}

impl Want {
    fn parse(kind: Kind, value: &str) -> Option<Self> {
        Some(match kind {
            Kind::Integer => Self::Int(value.parse().ok()?),
            Kind::IdSet => Self::Ids(IdSet::parse(value)?),
            Kind::Text => Self::Text(value.to_owned()),
            Kind::SearchText => Self::Words(
                value
                    .to_lowercase()
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect(),
            ),
            Kind::TextSet => Self::Texts(value.split(',').map(|t| t.trim().to_owned()).collect()),
            Kind::Bool => Self::Bool(value.parse().ok()?),
            Kind::Period => Self::Period(Period::parse(value)?),
        })
    }

    fn meets(&self, cell: &Cell) -> bool {
        match (self, cell) {
            (Self::Int(want), Cell::Int(is)) => want == is,
            (Self::Int(want), Cell::Ints(are)) => are.contains(want),
            (Self::Ids(set), Cell::Int(is)) => set.contains(*is),
            (Self::Ids(set), Cell::Ints(are)) => are.iter().any(|id| set.contains(*id)),
            (Self::Text(want), Cell::Text(is)) => want == is,
            (Self::Text(want), Cell::Null) => want.is_empty(),
            (Self::Words(words), Cell::Text(is)) => {
                let is = is.to_lowercase();
                words.iter().all(|word| is.contains(word.as_str()))
            }
            (Self::Texts(want), Cell::Text(is)) => want.contains(is),
            (Self::Bool(want), Cell::Bool(is)) => want == is,
            (Self::Period(period), Cell::Time(at)) => period.contains(*at),
            _ => false,
        }
    }
}

fn param<'q>(query: Query<'q>, name: &str) -> Option<&'q str> {
    query
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, v)| v.as_str())
}

fn paging(query: Query<'_>, name: &'static str, usual: usize) -> Result<usize, Refusal> {
    let Some(text) = param(query, name) else {
        return Ok(usual);
    };
    text.parse()
        .map_err(|_| Refusal::filter(name, text, "INTEGER"))
}

/// The `reference` section: the names of the values that occur, nothing when there is no row.
pub(super) fn names_of<R>(
    records: &[&R],
    id: impl Fn(&R) -> i64,
    name: impl Fn(i64) -> Option<String>,
) -> Value {
    let mut out = Map::new();
    for record in records {
        let id = id(record);
        if let Some(name) = name(id) {
            out.insert(id.to_string(), json!(name));
        }
    }
    out.into()
}
