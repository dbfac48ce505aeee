//! Copies that are not encrypted.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "backup-in-clear",
    severity: Severity::Warning,
    summary: "copies are not encrypted",
    why: "A copy holds everything that the system protects: rows, and the hashes of passwords. Whoever can read the volume, or \
          the store that copies are sent to, has it all.",
    fix: "Make a pair of keys with `age-keygen`, put the public one into `recipients` of [backup] and the secret one into the \
          secret `backup-identity`; keep it also where the platform is not.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let Some(backup) = &platform.backup else {
        return;
    };
    let copied = platform
        .components
        .iter()
        .any(|component| component.backup.is_some());
    if copied && backup.recipients.is_empty() {
        findings.push(
            Finding::new(
                &RULE,
                backup.place.clone(),
                "copies are kept as they are: nothing encrypts them",
            )
            .help("add `recipients = [\"age1…\"]`, which `age-keygen` prints"),
        );
    }
}
