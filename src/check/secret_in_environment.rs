//! A secret as an environment variable, on a target that has no safe way for it.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::{EnvValue, Platform};
use crate::terms::Target;

static RULE: Rule = Rule {
    code: "secret-in-environment",
    severity: Severity::Error,
    summary: "a service wants a secret as an environment variable, which this target cannot give",
    why: "Compose and Swarm would have to write the value into the file or the container's configuration, where \
          `docker inspect` shows it. Only Kubernetes refers to a secret there.",
    fix: "Read the secret from its file in the container, with a setting that takes a file or in an entry script of the \
          blueprint.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if platform.environment.target == Target::Kubernetes {
        return;
    }
    let services = platform.services.iter();
    for service in services.filter(|service| service.inside.is_none()) {
        for (name, value) in &service.env {
            if let EnvValue::Secret(secret) | EnvValue::Made { secret, .. } = value {
                findings.push(
                    Finding::new(
                        &RULE,
                        service.place.clone(),
                        format!(
                            "`{}` wants the secret `{secret}` as its variable `{name}`, which {} cannot give",
                            service.name, platform.environment.target
                        ),
                    )
                    .component(platform.component_of(service).name.clone()),
                );
            }
        }
    }
}
