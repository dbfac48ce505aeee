//! Profiles where everything is started.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::{Platform, SCHEDULED};
use crate::terms::Target;

static RULE: Rule = Rule {
    code: "idle-profile",
    severity: Severity::Warning,
    summary: "a profile holds nothing back on swarm and kubernetes",
    why: "Profiles say what Compose starts only when asked to. A Swarm or cluster runs what was deployed: the components of a \
          profile would run all the time.",
    fix: "Take the profile out of this environment; leave components out with `enabled = false`.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if platform.environment.target == Target::Compose {
        return;
    }
    let profiles = platform.environment.profiles.iter();
    for profile in profiles.filter(|profile| profile.name != SCHEDULED) {
        findings.push(Finding::new(
            &RULE,
            profile.place.clone(),
            format!(
                "what is in the profile `{}` runs all the time here",
                profile.name
            ),
        ));
    }
}
