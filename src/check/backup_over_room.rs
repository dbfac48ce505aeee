//! Copies that do not fit into the room for them.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::units::Bytes;

static RULE: Rule = Rule {
    code: "backup-over-room",
    severity: Severity::Warning,
    summary: "the copies that are to be kept do not fit into their volume",
    why: "A full volume ends every further backup. How large a copy is, the blueprint estimates from the size of the volumes \
          that it covers, unless `copy_size` says it.",
    fix: "Keep fewer copies, make the volume larger (`volumes.backup.size` of the component), or say how large a copy \
          really is.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let Some(backup) = &platform.backup else {
        return;
    };
    for component in &platform.components {
        let (Some(plan), Some(copies)) = (&component.backup, &component.keeping.copies) else {
            continue;
        };
        let size = |key: &str| {
            let mut volumes = component.volumes.iter();
            volumes
                .find(|volume| volume.key == key)
                .map_or(0, |volume| volume.size.0)
        };
        let room = size("backup");
        let covered: u64 = copies.covers.iter().map(|key| size(key)).sum();
        let one = plan
            .copy_size
            .map_or(covered / 100 * copies.share, |size| size.0);
        // A mirror is kept once, and off site where there is such a place.
        let number = match (copies.mirror, &backup.offsite) {
            (true, Some(_)) => continue,
            (true, None) => 1,
            (false, _) => plan.copies(),
        };
        let needed = one.saturating_mul(number);
        if needed <= room {
            continue;
        }
        findings.push(
            Finding::new(
                &RULE,
                plan.retention_place.clone(),
                format!(
                    "{number} {} of `{}` of {} need {}, and there is room for {}",
                    if number == 1 { "copy" } else { "copies" },
                    component.name,
                    round(one),
                    round(needed),
                    Bytes(room)
                ),
            )
            .cause(format!(
                "{} days, {} weeks and {} months are kept",
                plan.days, plan.weeks, plan.months
            ))
            .help(format!(
                "set [components.{}.volumes.backup] size, or `copy_size` in its `backup`",
                component.name
            ))
            .component(component.name.clone()),
        );
    }
}

/// Whole MiB are exact enough for an estimate.
fn round(size: u64) -> Bytes {
    Bytes(size.div_ceil(Bytes::MIB) * Bytes::MIB)
}
