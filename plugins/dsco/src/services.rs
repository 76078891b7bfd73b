//! Service codes that are known to be in use: suggestions for the table of shipping methods, and the words that go with
//! a code. The list of an account is longer and not to be had by a call.

use waybill_sdk::types::Choice;

const KNOWN: [(&str, &str, &str); 20] = [
    ("FedEx", "Ground", "FECG"),
    ("FedEx", "Home Delivery", "FEHD"),
    ("FedEx", "Ground Economy", "FESP"),
    ("FedEx", "Express Saver", "FEES"),
    ("FedEx", "2Day", "FE2D"),
    ("FedEx", "2Day AM", "F2DA"),
    ("FedEx", "Standard Overnight", "FESO"),
    ("FedEx", "Priority Overnight", "FEPO"),
    ("FedEx", "First Overnight", "FEFO"),
    ("UPS", "Ground", "UPCG"),
    ("UPS", "SurePost", "UPSP"),
    ("UPS", "3 Day Select", "U3DS"),
    ("UPS", "2nd Day Air", "U2DA"),
    ("UPS", "2nd Day Air AM", "U2AA"),
    ("UPS", "Next Day Air Saver", "UNAS"),
    ("USPS", "Ground Advantage", "USGA"),
    ("USPS", "Priority Mail", "USPM"),
    ("USPS", "Priority Mail Express", "USPE"),
    ("USPS", "First-Class", "USFC"),
    ("OnTrac", "Ground", "ONCG"),
];

/// The suggestions: cells hold `carrier|method|code`.
pub(crate) fn choices() -> Vec<Choice> {
    let all = KNOWN.iter();
    all.map(|(carrier, method, code)| Choice {
        value: format!("{carrier}|{method}|{code}"),
        label: format!("{carrier} {method} ({code})"),
        disabled: false,
    })
    .collect()
}

/// Carrier and method of a code.
pub(crate) fn of_code(code: &str) -> Option<(String, String)> {
    let mut all = KNOWN.iter();
    let (carrier, method, _) = all.find(|(_, _, known)| known.eq_ignore_ascii_case(code))?;
    Some(((*carrier).to_owned(), (*method).to_owned()))
}
