//! Reads tables of a TOML text key by key and notes every mistake with its place instead of stopping at the first.
//! Shared by the provisioning file and the agent's own configuration; knows neither.

use super::mistake::{At, Mistake, Place, suggest};
use super::plan::Pair;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Collects mistakes while sections are read.
#[derive(Debug)]
pub struct Reader<'s> {
    source: &'s str,
    mistakes: Vec<Mistake>,
}

/// One table of the text.
#[derive(Debug, Clone)]
pub struct Section<'t> {
    table: &'t DeTable<'t>,
    /// Where it starts.
    pub place: Place,
    /// How it is called in messages: `[agent]`, `[[connection]]`.
    pub name: String,
}

impl<'s> Reader<'s> {
    /// The tables of a text, and a reader for them. Text that is no TOML gives all its syntax errors.
    pub fn open(source: &'s str) -> Result<(Spanned<DeTable<'s>>, Self), Vec<Mistake>> {
        let (table, errors) = DeTable::parse_recoverable(source);
        if errors.is_empty() {
            let mistakes = Vec::new();
            return Ok((table, Self { source, mistakes }));
        }
        let mut mistakes: Vec<Mistake> = errors
            .iter()
            .map(|error| {
                let offset = error.span().map_or(source.len(), |span| span.start);
                Mistake::new(Place::of(source, offset), error.message())
            })
            .collect();
        mistakes.sort();
        mistakes.dedup();
        Err(mistakes)
    }

    /// The whole text as a section.
    pub fn root<'t>(table: &'t Spanned<DeTable<'_>>) -> Section<'t> {
        Section {
            table: table.get_ref(),
            place: Place { line: 1, column: 1 },
            name: "the file".to_owned(),
        }
    }

    /// Notes a mistake.
    pub fn note(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// The value, if no mistake was noted; else all of them, in the order of the text.
    pub fn finish<T>(mut self, value: T) -> Result<T, Vec<Mistake>> {
        if self.mistakes.is_empty() {
            return Ok(value);
        }
        self.mistakes.sort();
        self.mistakes.dedup();
        Err(self.mistakes)
    }

    fn place<T>(&self, spanned: &Spanned<T>) -> Place {
        Place::of(self.source, spanned.span().start)
    }

    fn wrong_type(&mut self, key: &str, found: &Spanned<DeValue<'_>>, wanted: &str) {
        let (place, is) = (self.place(found), found.get_ref().type_str());
        self.note(Mistake::new(
            place,
            format!("`{key}` must be {wanted}, not {} {is}", article(is)),
        ));
    }

    /// Refuses every key but these.
    pub fn only(&mut self, section: &Section<'_>, known: &[&str]) {
        for (key, _) in section.table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let mut mistake = Mistake::new(
                    self.place(key),
                    format!("unknown key `{name}` in {}", section.name),
                );
                mistake.hint = suggest(name, known);
                self.note(mistake);
            }
        }
    }

    /// Whether the key is there at all.
    pub fn has(section: &Section<'_>, key: &str) -> bool {
        section.table.contains_key(key)
    }

    /// A string, if the key is there.
    pub fn text(&mut self, section: &Section<'_>, key: &str) -> Option<At<String>> {
        let found = section.table.get(key)?;
        let place = self.place(found);
        if let Some(text) = found.get_ref().as_str() {
            let value = text.to_owned();
            return Some(At { value, place });
        }
        self.wrong_type(key, found, "a string");
        None
    }

    /// A string that must be there and not be blank.
    pub fn need_text(&mut self, section: &Section<'_>, key: &str) -> Option<At<String>> {
        if !Self::has(section, key) {
            self.note(Mistake::new(
                section.place,
                format!("`{key}` is missing in {}", section.name),
            ));
            return None;
        }
        let text = self.text(section, key)?;
        if text.value.trim().is_empty() {
            self.note(Mistake::new(
                text.place,
                format!("`{key}` must not be empty"),
            ));
            return None;
        }
        Some(text)
    }

    /// A boolean, if the key is there.
    pub fn toggle(&mut self, section: &Section<'_>, key: &str) -> Option<At<bool>> {
        let found = section.table.get(key)?;
        let place = self.place(found);
        if let Some(value) = found.get_ref().as_bool() {
            return Some(At { value, place });
        }
        self.wrong_type(key, found, "true or false");
        None
    }

    /// A whole number of nought or more, if the key is there.
    pub fn number(&mut self, section: &Section<'_>, key: &str) -> Option<At<u64>> {
        let found = section.table.get(key)?;
        let place = self.place(found);
        let number = found
            .get_ref()
            .as_integer()
            .and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
        if let Some(value) = number {
            return Some(At { value, place });
        }
        self.wrong_type(key, found, "a whole number of 0 or more");
        None
    }

    /// A list of strings; empty where the key is not there.
    pub fn texts(&mut self, section: &Section<'_>, key: &str) -> Vec<At<String>> {
        let Some(found) = section.table.get(key) else {
            return Vec::new();
        };
        let Some(list) = found.get_ref().as_array() else {
            self.wrong_type(key, found, "a list of strings");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for entry in list {
            match entry.get_ref().as_str() {
                Some(text) => texts.push(At {
                    value: text.to_owned(),
                    place: self.place(entry),
                }),
                None => self.wrong_type(key, entry, "a list of strings"),
            }
        }
        texts
    }

    /// A table, if the key is there.
    pub fn section<'t>(&mut self, section: &Section<'t>, key: &str) -> Option<Section<'t>> {
        let found = section.table.get(key)?;
        let place = self.place(found);
        if let Some(table) = found.get_ref().as_table() {
            let name = format!("[{key}]");
            return Some(Section { table, place, name });
        }
        self.wrong_type(key, found, "a table");
        None
    }

    /// Every table in a section, with its key; values that are no table are mistakes.
    pub fn named_sections<'t>(&mut self, section: &Section<'t>) -> Vec<(At<String>, Section<'t>)> {
        let mut sections = Vec::new();
        for (key, found) in section.table {
            let place = self.place(key);
            let value = key.get_ref().clone().into_owned();
            match found.get_ref().as_table() {
                Some(table) => {
                    let name = format!("`{value}`");
                    sections.push((At { value, place }, Section { table, place, name }));
                }
                None => self.wrong_type(&value, found, "a table"),
            }
        }
        sections
    }

    /// A list of tables; empty where the key is not there.
    pub fn sections<'t>(&mut self, section: &Section<'t>, key: &str) -> Vec<Section<'t>> {
        let Some(found) = section.table.get(key) else {
            return Vec::new();
        };
        let Some(list) = found.get_ref().as_array() else {
            let place = self.place(found);
            self.note(
                Mistake::new(place, format!("`{key}` must be a list of tables"))
                    .hint(format!("Write `[[{key}]]` with two brackets.")),
            );
            return Vec::new();
        };
        let mut sections = Vec::new();
        for entry in list {
            let place = self.place(entry);
            match entry.get_ref().as_table() {
                Some(table) => {
                    let name = format!("[[{key}]]");
                    sections.push(Section { table, place, name });
                }
                None => self.wrong_type(key, entry, "a table"),
            }
        }
        sections
    }

    /// Names and values; numbers and booleans are taken as they are written. A dotted name without quotes is the same
    /// as one in quotes.
    pub fn pairs(&mut self, section: &Section<'_>, key: &str) -> Vec<Pair> {
        let mut pairs = Vec::new();
        if let Some(inner) = self.section(section, key) {
            self.flatten("", inner.table, &mut pairs);
        }
        pairs.sort_by_key(|pair| pair.key.place);
        pairs
    }

    /// The same for a whole section.
    pub fn own_pairs(&mut self, section: &Section<'_>) -> Vec<Pair> {
        let mut pairs = Vec::new();
        self.flatten("", section.table, &mut pairs);
        pairs.sort_by_key(|pair| pair.key.place);
        pairs
    }

    fn flatten(&mut self, prefix: &str, table: &DeTable<'_>, pairs: &mut Vec<Pair>) {
        for (key, found) in table {
            let name = match prefix {
                "" => key.get_ref().clone().into_owned(),
                _ => format!("{prefix}.{}", key.get_ref()),
            };
            let value = match found.get_ref() {
                DeValue::String(text) => text.clone().into_owned(),
                DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
                DeValue::Float(number) => number.as_str().to_owned(),
                DeValue::Boolean(value) => value.to_string(),
                DeValue::Table(inner) => {
                    self.flatten(&name, inner, pairs);
                    continue;
                }
                _ => {
                    self.wrong_type(&name, found, "a string, a number, true or false");
                    continue;
                }
            };
            let place = self.place(key);
            pairs.push(Pair {
                key: At { value: name, place },
                value: At {
                    value,
                    place: self.place(found),
                },
            });
        }
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}
