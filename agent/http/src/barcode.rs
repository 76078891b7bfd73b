//! Code 128 (set B) of a PO number, as one SVG path: real, scannable, always black on white. Knows nothing of orders.

use std::fmt::Write;

/// Widths of bars and spaces, starting with a bar, for values 0 to 105.
const WIDTHS: [&[u8; 6]; 106] = [
    b"212222", b"222122", b"222221", b"121223", b"121322", b"131222", b"122213", b"122312",
    b"132212", b"221213", b"221312", b"231212", b"112232", b"122132", b"122231", b"113222",
    b"123122", b"123221", b"223211", b"221132", b"221231", b"213212", b"223112", b"312131",
    b"311222", b"321122", b"321221", b"312212", b"322112", b"322211", b"212123", b"212321",
    b"232121", b"111323", b"131123", b"131321", b"112313", b"132113", b"132311", b"211313",
    b"231113", b"231311", b"112133", b"112331", b"132131", b"113123", b"113321", b"133121",
    b"313121", b"211331", b"231131", b"213113", b"213311", b"213131", b"311123", b"311321",
    b"331121", b"312113", b"312311", b"332111", b"314111", b"221411", b"431111", b"111224",
    b"111422", b"121124", b"121421", b"141122", b"141221", b"112214", b"112412", b"122114",
    b"122411", b"142112", b"142211", b"241211", b"221114", b"413111", b"241112", b"134111",
    b"111242", b"121142", b"121241", b"114212", b"124112", b"124211", b"411212", b"421112",
    b"421211", b"212141", b"214121", b"412121", b"111143", b"111341", b"131141", b"114113",
    b"114311", b"411113", b"411311", b"113141", b"114131", b"311141", b"411131", b"211412",
    b"211214", b"211232",
];
const STOP: &[u8; 7] = b"2331112";
const START_B: u32 = 104;
const QUIET: u32 = 10;
const HEIGHT: u32 = 40;
/// Longer numbers would print too fine to be read.
const MAX_LEN: usize = 32;

/// The drawing of a barcode: width of its view box, and the path of its bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Barcode {
    /// Units across, quiet zones included; 40 units high.
    pub(crate) width: u32,
    /// The bars.
    pub(crate) path: String,
}

/// The barcode of a text; `None` when it is empty, too long, or holds what set B cannot say.
pub(crate) fn code128(text: &str) -> Option<Barcode> {
    if text.is_empty() || text.len() > MAX_LEN || !text.bytes().all(|b| (32..127).contains(&b)) {
        return None;
    }
    let mut values = vec![START_B];
    values.extend(text.bytes().map(|b| u32::from(b) - 32));
    let sum: u32 = values
        .iter()
        .zip(0_u32..)
        .map(|(value, at)| value * at.max(1))
        .sum();
    values.push(sum % 103);
    let mut path = String::new();
    let mut x = QUIET;
    let mut draw = |widths: &[u8]| {
        for (at, width) in widths.iter().enumerate() {
            let width = u32::from(width - b'0');
            if at % 2 == 0 {
                // Writing to a string cannot fail.
                let _ = write!(path, "M{x} 0h{width}v{HEIGHT}h-{width}z");
            }
            x += width;
        }
    };
    for value in values {
        draw(WIDTHS[usize::try_from(value).ok()?]);
    }
    draw(STOP);
    Some(Barcode {
        width: x + QUIET,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_is_eleven_units_wide() {
        for (value, widths) in WIDTHS.iter().enumerate() {
            let sum: u32 = widths.iter().map(|w| u32::from(w - b'0')).sum();
            assert_eq!(sum, 11, "value {value}");
        }
        let mut all: Vec<_> = WIDTHS.to_vec();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), WIDTHS.len());
    }

    #[test]
    fn a_known_number_has_its_known_bars() {
        let code = code128("HP-4471764").unwrap();
        // 10 characters + start + check, 11 units each, stop of 13, two quiet zones of 10.
        assert_eq!(code.width, 12 * 11 + 13 + 20);
        assert!(
            code.path.starts_with(
                "M10 0h2v40h-2zM13 0h1v40h-1zM16 0h1v40h-1zM21 0h2v40h-2zM26 0h1v40h-1z"
            )
        );
        assert!(
            code.path
                .ends_with("M147 0h3v40h-3zM151 0h1v40h-1zM153 0h2v40h-2z")
        );
    }

    #[test]
    fn what_set_b_cannot_say_has_no_barcode() {
        assert_eq!(code128(""), None);
        assert_eq!(code128("\u{e9}"), None);
        assert_eq!(code128(&"9".repeat(33)), None);
    }
}
