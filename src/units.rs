//! Quantities with their unit in the type: bytes, millicores, seconds. A leaf: it knows no stage.
//!
//! People write `"8GiB"`, `"500m"`, `"30d"`; each is parsed once, exactly, into a whole number. There are no floats.

use std::fmt;

/// An amount of memory or storage, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Bytes(pub u64);

/// A share of processors, in thousandths of one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct MilliCpu(pub u64);

/// A span of time, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Seconds(pub u64);

/// The units of [`Bytes`], the longest name first so that a suffix is found whole.
const BYTE_UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

const TIME_UNITS: &[(&str, u64)] = &[
    ("min", 60),
    ("w", 604_800),
    ("d", 86_400),
    ("h", 3_600),
    ("s", 1),
];

/// Splits a decimal number from its unit; the fraction is kept in thousandths of a unit, which is all that is accepted.
fn split<'a>(text: &'a str, units: &[(&'a str, u64)]) -> Option<u64> {
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if number.contains('.') && fraction.is_empty() {
        return None;
    }
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u64>().ok()?;
    let part = thousandths.checked_mul(factor)?;
    (part % 1_000 == 0).then_some(())?;
    whole.checked_add(part / 1_000)
}

impl Bytes {
    /// One mebibyte.
    pub const MIB: u64 = 1 << 20;
    /// A gibibyte.
    pub const GIB: u64 = 1 << 30;

    /// What is accepted, for error texts.
    pub const EXPECTED: &str = "a size such as \"512MiB\" or \"8GiB\"";

    /// Parses `"512MiB"`, `"1.5GiB"`, `"10GB"`; a number alone is refused because its unit would be a guess.
    pub fn parse(text: &str) -> Option<Self> {
        split(text, BYTE_UNITS).map(Self)
    }

    /// Returns whole mebibytes, rounded down.
    pub fn mib(self) -> u64 {
        self.0 / Self::MIB
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in BYTE_UNITS {
            if unit.contains('i') && self.0 >= *factor && self.0.is_multiple_of(*factor) {
                return write!(out, "{}{unit}", self.0 / factor);
            }
        }
        write!(out, "{}B", self.0)
    }
}

impl MilliCpu {
    /// What is accepted, for error texts.
    pub const EXPECTED: &str = "a CPU share such as \"500m\", \"2\" or 0.5";

    /// Parses `"500m"`, `"2"`, `"0.5"`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(milli) = text.strip_suffix('m') {
            return (!milli.is_empty() && milli.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| milli.parse().ok().map(Self))?;
        }
        split(&format!("{text}cpu"), &[("cpu", 1_000)]).map(Self)
    }

    /// Returns processors as people count them: `3.5`.
    pub fn cores(self) -> String {
        let text = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Returns whole processors, rounded up, at least one: what programs count their workers by.
    pub fn whole(self) -> u64 {
        self.0.div_ceil(1_000).max(1)
    }
}

impl fmt::Display for MilliCpu {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1_000) {
            write!(out, "{}", self.0 / 1_000)
        } else {
            write!(out, "{}m", self.0)
        }
    }
}

impl Seconds {
    /// What is accepted, for error texts.
    pub const EXPECTED: &str = "a duration such as \"30s\", \"5min\", \"12h\" or \"30d\"";

    /// Parses `"30s"`, `"5min"`, `"12h"`, `"30d"`, `"2w"`. A bare `m` is refused: it could be minutes or months.
    pub fn parse(text: &str) -> Option<Self> {
        split(text, TIME_UNITS).map(Self)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in [("d", 86_400), ("h", 3_600), ("min", 60)] {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(out, "{}{unit}", self.0 / factor);
            }
        }
        write!(out, "{}s", self.0)
    }
}

/// Returns the bytes that a number with a unit of size, CPU or time stands for in an expression: `512MiB`, `500m`, `30s`.
pub fn literal(text: &str) -> Option<u64> {
    Bytes::parse(text)
        .map(|bytes| bytes.0)
        .or_else(|| {
            MilliCpu::parse(text)
                .map(|cpu| cpu.0)
                .filter(|_| text.ends_with('m'))
        })
        .or_else(|| Seconds::parse(text).map(|time| time.0))
}

/// Reads a duration as rules of Prometheus have it, in milliseconds: numbers with units, the longest first.
pub fn rule_duration(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] = &[
        ("y", 31_536_000_000),
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    /// More makes no sense, and might not fit.
    const DIGITS: usize = 7;
    let mut rest = text;
    let mut least = 0;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|next: char| !next.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let letters = behind
            .find(|next: char| !next.is_ascii_lowercase())
            .unwrap_or(behind.len());
        let (word, behind) = behind.split_at(letters);
        let unit = UNITS.iter().position(|(unit, _)| *unit == word)?;
        let counting = number.trim_start_matches('0').len();
        if unit < least || number.is_empty() || counting > DIGITS {
            return None;
        }
        let number: u64 = number.parse().ok()?;
        sum = sum.checked_add(number.checked_mul(UNITS[unit].1)?)?;
        least = unit + 1;
        rest = behind;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact_or_refused() {
        assert_eq!(Bytes::parse("8GiB"), Some(Bytes(8 << 30)));
        assert_eq!(Bytes::parse("1.5GiB"), Some(Bytes(3 << 29)));
        assert_eq!(Bytes::parse("10GB"), Some(Bytes(10_000_000_000)));
        for refused in [
            "",
            "8",
            "GiB",
            "8Gib",
            "8 GiB",
            "-1GiB",
            "1e3MiB",
            "1.MiB",
            ".5GiB",
            "0.0001kB",
            "99999999999TiB",
        ] {
            assert_eq!(Bytes::parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn cpu_shares_are_millicores() {
        assert_eq!(MilliCpu::parse("500m"), Some(MilliCpu(500)));
        assert_eq!(MilliCpu::parse("2"), Some(MilliCpu(2_000)));
        assert_eq!(MilliCpu::parse("0.25"), Some(MilliCpu(250)));
        assert_eq!(MilliCpu(250).whole(), 1);
        assert_eq!(MilliCpu(2_001).whole(), 3);
        for refused in ["", "m", "-1", "1.5m", "two"] {
            assert_eq!(MilliCpu::parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn durations_say_their_unit() {
        assert_eq!(Seconds::parse("30d"), Some(Seconds(2_592_000)));
        assert_eq!(Seconds::parse("5min"), Some(Seconds(300)));
        assert_eq!(Seconds::parse("5m"), None);
    }

    #[test]
    fn durations_of_rules_have_their_own_units() {
        for (good, milliseconds) in [
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("100ms", 100),
            ("0s", 0),
            ("1y2w3d4h5m6s7ms", 33_019_506_007),
            ("0000000000005m", 300_000),
        ] {
            assert_eq!(rule_duration(good), Some(milliseconds), "{good}");
        }
        for bad in [
            "",
            "5",
            "m",
            "5m1h",
            "1.5h",
            "5 m",
            "5min",
            "5m5m",
            "99999999s",
            "é5m",
            "5é",
        ] {
            assert_eq!(rule_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_printed_parses_again() {
        for bytes in [1, 1023, 1024, 320 << 20, 3 << 29, 7 << 30] {
            assert_eq!(Bytes::parse(&Bytes(bytes).to_string()), Some(Bytes(bytes)));
        }
        for milli in [1, 250, 1_000, 3_500] {
            assert_eq!(
                MilliCpu::parse(&MilliCpu(milli).to_string()),
                Some(MilliCpu(milli))
            );
        }
        for seconds in [1, 60, 90, 3_600, 86_400] {
            assert_eq!(
                Seconds::parse(&Seconds(seconds).to_string()),
                Some(Seconds(seconds))
            );
        }
    }
}
