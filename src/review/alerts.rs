//! Alerts: whether one fires less, or weighs less, than before.

use super::danger::{ALERT_LOOSENED, Level, Risk};

/// Returns how much weight a severity has.
pub(super) fn weight(severity: &str) -> u8 {
    match severity {
        "critical" | "page" => 3,
        "warning" => 2,
        "info" | "none" => 1,
        _ => 0,
    }
}

/// Says whether an alert with another query fires less.
pub(super) fn expression(alert: &str, old: &str, new: &str) -> Option<Risk> {
    let (one, other) = (threshold(old), threshold(new));
    match (one, other) {
        (Some((left, sign, before)), Some((same, other, after)))
            if left == same && sign == other =>
        {
            let rises = sign.starts_with('>');
            let looser = if rises {
                after > before
            } else {
                after < before
            };
            if !looser {
                return None;
            }
            Some(ALERT_LOOSENED.risk(format!(
                "alert `{alert}` fires at {sign} {after} instead of {before}"
            )))
        }
        _ => Some(
            ALERT_LOOSENED
                .risk(format!("alert `{alert}` asks something else"))
                .level(Level::Low),
        ),
    }
}

/// A number of a query, in millionths, so that it can be compared without rounding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Number(i128);

impl std::fmt::Display for Number {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, part) = (self.0.abs() / 1_000_000, self.0.abs() % 1_000_000);
        let text = format!("{sign}{whole}.{part:06}");
        out.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Splits a query at the comparison that ends it: what is compared, how, with which number.
fn threshold(query: &str) -> Option<(&str, &str, Number)> {
    let signs = [">=", "<=", ">", "<"];
    let at = signs
        .iter()
        .filter_map(|sign| Some((query.rfind(sign)?, *sign)))
        .max_by_key(|(at, sign)| (*at, sign.len()))?;
    let (at, sign) = match at {
        // `>=` is found as `>` and as itself.
        (at, sign) if sign.len() == 1 && query[at..].starts_with(&format!("{sign}=")) => {
            (at, &query[at..at + 2])
        }
        found => found,
    };
    let value = query[at + sign.len()..].trim();
    let number = match value.split_once('/') {
        Some((above, below)) => {
            let (above, below) = (number(above.trim())?, number(below.trim())?);
            (below.0 != 0).then(|| Number(above.0 * 1_000_000 / below.0))?
        }
        None => number(value)?,
    };
    Some((query[..at].trim(), sign, number))
}

fn number(text: &str) -> Option<Number> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 24;
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let part: i128 = format!("{part:0<6}")[..6].parse().ok()?;
    Some(Number(
        sign * (whole.parse::<i128>().ok()? * 1_000_000 + part),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_compared_by_their_number() {
        let looser = |old: &str, new: &str| expression("X", old, new).map(|risk| risk.level);
        assert_eq!(looser("a > 80 / 100", "a > 90 / 100"), Some(Level::Medium));
        assert_eq!(looser("a > 90 / 100", "a > 0.8"), None);
        assert_eq!(looser("a < 5", "a < 3"), Some(Level::Medium));
        assert_eq!(looser("a < 3", "a < 5"), None);
        assert_eq!(looser("a >= 1.5", "a >= 1.25"), None);
        assert_eq!(looser("a > 1", "b > 1"), Some(Level::Low));
        assert_eq!(looser("up == 0", "up == 1"), Some(Level::Low));
    }
}
