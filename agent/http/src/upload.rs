//! A file sent with a form (`multipart/form-data`): its text fields, and the one file. Knows no route and no file format.

use hyper::header::{self, HeaderMap};

/// A file as it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    /// Its name, for people.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// What a form with a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Text fields.
    pub(crate) fields: Vec<(String, String)>,
    /// The first file that was chosen.
    pub(crate) file: Option<Upload>,
}

/// The boundary of a form with files; `None` for every other body.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parts = kind.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let named = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    let boundary = named.trim_matches('"');
    (!boundary.is_empty() && boundary.len() <= 70).then(|| boundary.to_owned())
}

fn find(text: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let at = rest.windows(what.len()).position(|w| w == what)?;
    Some(from + at)
}

/// A parameter of a `content-disposition` line.
fn parameter(line: &str, name: &str) -> Option<String> {
    line.split(';').skip(1).find_map(|part| {
        let (key, value) = part.trim().split_once('=')?;
        (key == name).then(|| value.trim_matches('"').to_owned())
    })
}

/// Takes a body apart; what is cut short or wrongly framed is left out.
pub(crate) fn parse(body: &[u8], boundary: &str) -> Parts {
    let mark = format!("--{boundary}").into_bytes();
    let next = [b"\r\n", mark.as_slice()].concat();
    let mut out = Parts::default();
    let Some(mut at) = find(body, &mark, 0).map(|at| at + mark.len()) else {
        return out;
    };
    while body.get(at..at + 2) == Some(b"\r\n") {
        let start = at + 2;
        let Some(blank) = find(body, b"\r\n\r\n", start) else {
            break;
        };
        let Some(end) = find(body, &next, blank + 2) else {
            break;
        };
        let content = body.get(blank + 4..end).unwrap_or_default();
        let head = String::from_utf8_lossy(body.get(start..blank).unwrap_or_default()).into_owned();
        let line = head.lines().find(|line| {
            let name = line.split(':').next().unwrap_or_default();
            name.eq_ignore_ascii_case("content-disposition")
        });
        if let Some(line) = line {
            match (parameter(line, "name"), parameter(line, "filename")) {
                (Some(_), Some(name)) if !name.is_empty() && out.file.is_none() => {
                    let bytes = content.to_vec();
                    out.file = Some(Upload { name, bytes });
                }
                (Some(name), None) => {
                    let value = String::from_utf8_lossy(content).into_owned();
                    out.fields.push((name, value));
                }
                _ => {}
            }
        }
        at = end + next.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_file_come_apart() {
        let body = b"--x1\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nabc\r\n--x1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.csv\"\r\nContent-Type: text/csv\r\n\r\nvalue,code\r\n--x,1\r\n\r\n--x1--\r\n";
        let parts = parse(body, "x1");
        assert_eq!(parts.fields, [("token".to_owned(), "abc".to_owned())]);
        let file = parts.file.unwrap();
        assert_eq!(file.name, "a b.csv");
        assert_eq!(file.bytes, b"value,code\r\n--x,1\r\n");
    }

    #[test]
    fn what_is_cut_short_is_left_out() {
        for body in [
            &b"--x1\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nabc"[..],
            b"--x1",
            b"",
            b"nonsense",
        ] {
            assert_eq!(parse(body, "x1"), Parts::default());
        }
        let empty = b"--x1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n--x1--";
        assert_eq!(parse(empty, "x1").file, None, "no file was chosen");
    }

    #[test]
    fn only_forms_with_files_have_a_boundary() {
        let of = |kind: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            boundary(&headers)
        };
        assert_eq!(
            of("multipart/form-data; boundary=\"a1\""),
            Some("a1".to_owned())
        );
        assert_eq!(
            of("Multipart/Form-Data; charset=x; boundary=a1"),
            Some("a1".to_owned())
        );
        assert_eq!(of("application/x-www-form-urlencoded"), None);
        assert_eq!(of("multipart/form-data"), None);
    }
}
