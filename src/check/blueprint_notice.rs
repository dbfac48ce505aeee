//! What a blueprint has to say about its system: where upstream, editions or common guides differ from what works.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::NoticeLevel;

static RULE: Rule = Rule {
    code: "blueprint-notice",
    severity: Severity::Warning,
    summary: "a blueprint has something to say about its system",
    why: "Images vanish, features move to paid editions, and guides recommend what is unsafe. Where the usual way does \
          not work, the blueprint does what works, and says so.",
    fix: "Read it once; allow it with the reason why it is fine for you.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for component in &platform.components {
        for notice in &component.notices {
            let severity = match notice.level {
                NoticeLevel::Note => Severity::Note,
                NoticeLevel::Warning => Severity::Warning,
                NoticeLevel::Error => Severity::Error,
            };
            let mut finding = Finding::new(
                &RULE,
                component.place.clone(),
                format!("{}: {}", component.name, notice.message),
            )
            .severity(severity)
            .maybe_help(notice.help.clone())
            .component(component.name.clone());
            finding.cause = notice
                .source
                .as_ref()
                .map(|source| format!("source: {source}"));
            findings.push(finding);
        }
    }
}
