//! A profile that does not fit beside what always runs.

use std::collections::BTreeSet;

use super::Check;
use super::host_over_budget::{cut, table};
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::platform::budget::load;

static RULE: Rule = Rule {
    code: "profile-over-budget",
    severity: Severity::Warning,
    summary: "a profile does not fit beside what always runs",
    why: "A profile is started on top of everything that has none. What does not fit then makes the machine kill \
          processes.",
    fix: "Move something that always runs into a profile of its own, or say what is stopped for this one: \
          `{ start = [\"search\"], stop = [\"dashboards\"] }`.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for (at, host) in platform.environment.hosts.iter().enumerate() {
        if !load(platform, at, &BTreeSet::new()).fits() {
            continue;
        }
        for profile in &platform.environment.profiles {
            let (profile, place) = (&profile.name, &profile.place);
            let load = load(platform, at, &BTreeSet::from([profile.as_str()]));
            if !load.fits() {
                findings.push(
                    Finding::new(
                        &RULE,
                        place.clone(),
                        format!(
                            "with the profile `{profile}`, services take {} MiB of {} MiB on `{}`",
                            load.memory.mib(),
                            load.memory_budget.mib(),
                            host.name
                        ),
                    )
                    .cause(table(platform, &load))
                    .help(cut(platform, &load)),
                );
            }
        }
    }
}
