//! The runbook's sections: one for each alert, to which the alert's link leads.

use std::collections::BTreeMap;

use super::rules::All;
use crate::platform::rules::Alert;

/// The file in a bundle.
pub const FILE: &str = "RUNBOOK.md";

/// The section of an alert.
#[derive(Debug)]
pub struct Section<'r> {
    /// The component that the alert comes with, unless it is the user's own.
    pub component: Option<&'r str>,
    /// The alert.
    pub alert: &'r Alert,
    /// What it is called: the alert's name, and the component's where several have that alert.
    pub heading: String,
}

impl Section<'_> {
    /// Returns the anchor that Git's web interfaces give the heading.
    pub fn anchor(&self) -> String {
        let kept = self.heading.chars().filter_map(|next| match next {
            ' ' => Some('-'),
            '-' | '_' => Some(next),
            _ if next.is_alphanumeric() => Some(next.to_ascii_lowercase()),
            _ => None,
        });
        kept.collect()
    }

    /// Returns the link to it, below the web address of the bundle.
    pub fn link(&self, base: Option<&str>) -> String {
        let anchor = self.anchor();
        match base {
            Some(base) => format!("{base}/{FILE}#{anchor}"),
            None => format!("{FILE}#{anchor}"),
        }
    }
}

/// Lists the sections of all alerts for which there is something to do, by component.
pub fn sections<'r>(all: &All<'r>) -> Vec<Section<'r>> {
    let alerts = || {
        all.alerts()
            .filter(|(_, alert)| !alert.runbook.trim().is_empty())
    };
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, alert) in alerts() {
        *count.entry(&alert.name).or_default() += 1;
    }
    let sections = alerts().map(|(component, alert)| Section {
        component,
        alert,
        heading: match component {
            Some(component) if count[alert.name.as_str()] > 1 => {
                format!("{} ({component})", alert.name)
            }
            _ => alert.name.clone(),
        },
    });
    sections.collect()
}

/// Writes a text in which Prometheus fills something in for those who read it before: `{{ $labels.instance }}` becomes
/// `INSTANCE`.
pub fn readable(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((inside, behind)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        let mut words = inside.split_whitespace();
        let variable = words.find_map(|word| word.strip_prefix('$'));
        let name = variable.map(|name| name.strip_prefix("labels.").unwrap_or(name));
        out.push_str(&name.unwrap_or("…").to_ascii_uppercase());
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_readable() {
        assert_eq!(
            readable("{{ $labels.instance }} has {{ $value | humanize }} of {{ 10 }} {{"),
            "INSTANCE has VALUE of … {{"
        );
    }
}
