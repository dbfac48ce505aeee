//! A review for people on a terminal.

use std::fmt::Write as _;

use super::super::danger::Level;
use super::super::effect::Effect;
use super::super::{Change, EnvironmentReview, Layer, Review};
use super::{Group, causes, count, effect, folded, followers, groups, headline, values};

/// Lines of one text's difference that are shown.
const LINES: usize = 40;

/// Names that are listed where many have the same change.
const NAMES: usize = 6;

/// Writes with or without colours.
struct Paint {
    color: bool,
    out: String,
}

impl Paint {
    fn styled(&self, code: &str, text: &str) -> String {
        let text = clean(text);
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text
        }
    }

    fn bold(&self, text: &str) -> String {
        self.styled("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.styled("2", text)
    }

    fn level(&self, level: Level) -> String {
        let code = match level {
            Level::High => "1;31",
            Level::Medium => "33",
            Level::Low => "36",
        };
        self.styled(code, &format!("{:<6}", level.word()))
    }

    fn effect(&self, effect: Effect, text: &str) -> String {
        let code = match effect {
            Effect::None => "2",
            Effect::Reload => "36",
            Effect::RollingRestart | Effect::Recreate => "33",
            Effect::Refused | Effect::DataAtRisk => "1;31",
        };
        self.styled(code, text)
    }

    fn sign(&self, sign: char) -> String {
        let code = match sign {
            '+' => "32",
            '-' => "31",
            _ => "33",
        };
        self.styled(code, &sign.to_string())
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }
}

/// A file may hold what a terminal takes for orders.
fn clean(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let escape = letter.is_control() && letter != '\t';
            let escaped = escape.then(|| letter.escape_default());
            let plain = (!escape).then_some(letter);
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

/// Renders a review.
pub fn render(review: &Review, color: bool) -> String {
    let mut paint = Paint {
        color,
        out: String::new(),
    };
    for one in &review.environments {
        environment(one, &mut paint);
    }
    if review.environments.len() > 1 {
        let changed = review
            .environments
            .iter()
            .filter(|one| !one.changes.is_empty());
        let words = format!(
            "{} in {} of {}.",
            count(review.len(), "change"),
            changed.count(),
            count(review.environments.len(), "environment")
        );
        paint.line(&words);
    }
    paint.out
}

fn environment(one: &EnvironmentReview, paint: &mut Paint) {
    let title = paint.bold(&one.title());
    paint.line(&format!("{title}: {}", headline(one)));
    if one.parity && one.targets.0 != one.targets.1 {
        let words = format!(
            "  Targets differ ({} and {}).",
            one.targets.0, one.targets.1
        );
        paint.line(&paint.dim(&words));
    }
    if one.changes.is_empty() {
        return;
    }
    paint.line("");
    let risks = one.risks();
    if !risks.is_empty() {
        paint.line(&paint.bold("Risks"));
        for (_, risk) in risks {
            let line = format!(
                "  {} {:<13} {} {}",
                paint.level(risk.level),
                risk.category().word(),
                clean(&risk.message),
                paint.dim(&format!("[{}]", risk.code()))
            );
            paint.line(&line);
        }
        paint.line("");
    }
    if !one.services.is_empty() {
        paint.line(&paint.bold("Services that are touched"));
        for service in &one.services {
            let word = format!("{:<15}", service.outcome.effect.word());
            let line = format!(
                "  {} {} {}",
                paint.effect(service.outcome.effect, &word),
                clean(&service.name),
                paint.dim(&format!("({})", service.outcome.reason))
            );
            paint.line(&line);
        }
        paint.line("");
    }
    let groups = groups(one);
    for (layer, title) in [
        (Layer::Platform, "Platform"),
        (Layer::Resource, "Objects"),
        (Layer::File, "Files"),
    ] {
        let of_layer: Vec<Vec<&Group<'_>>> = folded(&groups)
            .into_iter()
            .filter(|group| group[0].layer == layer)
            .collect();
        if of_layer.is_empty() {
            continue;
        }
        paint.line(&paint.bold(title));
        for group in of_layer {
            thing(&group, one.parity, paint);
        }
        paint.line("");
    }
    if let Some(followers) = followers(one) {
        paint.line(&paint.dim(&followers));
        paint.line("");
    }
}

fn thing(alike: &[&Group<'_>], parity: bool, paint: &mut Paint) {
    let group = alike[0];
    let first = group.changes[0];
    let names: Vec<&str> = alike.iter().map(|group| group.name).collect();
    let mut title = format!(
        "{} {}",
        group.noun,
        names
            .iter()
            .take(NAMES)
            .copied()
            .collect::<Vec<_>>()
            .join(", ")
    );
    if names.len() > NAMES {
        title.push_str(&format!(" and {} more", names.len() - NAMES));
    }
    if let super::Act::Renamed { from } = &first.act {
        title.push_str(&format!(" (was {from})"));
    }
    let sign = paint.sign(first.act.sign());
    let mut line = format!("  {sign} {}", paint.bold(title.trim()));
    if first.field.is_empty() {
        let what = values(first);
        if !what.is_empty() {
            line.push_str(&format!("  {}", clean(&what)));
        }
    }
    paint.line(&line);
    for change in &group.changes {
        field(change, parity, paint);
    }
}

fn field(change: &Change, parity: bool, paint: &mut Paint) {
    if !change.field.is_empty() {
        let line = format!("      {}: {}", clean(&change.field), clean(&values(change)));
        paint.line(&line);
    }
    if !parity {
        let line = paint.effect(change.outcome.effect, &effect(change));
        paint.line(&format!("        {line}"));
    }
    for cause in causes(change) {
        let line = paint.dim(&cause);
        paint.line(&format!("        {line}"));
    }
    let Some(lines) = &change.lines else { return };
    let all = lines.lines().count();
    for text in lines.lines().take(LINES) {
        let styled = match text.chars().next() {
            Some('+') => paint.styled("32", text),
            Some('-') => paint.styled("31", text),
            Some('@') => paint.styled("36", text),
            _ => clean(text),
        };
        paint.line(&format!("        {styled}"));
    }
    if all > LINES {
        let mut more = String::new();
        let _ = write!(more, "... {} more lines", all - LINES);
        paint.line(&format!("        {}", paint.dim(&more)));
    }
}
