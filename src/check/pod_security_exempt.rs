//! Pods that need more than the restricted Pod Security Standard allows.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;
use crate::terms::{PodSecurity, Target};

static RULE: Rule = Rule {
    code: "pod-security-exempt",
    severity: Severity::Warning,
    summary: "a pod does not meet the restricted Pod Security Standard",
    why: "The standard is set for the whole namespace. One pod that runs as root, does not say as whom it runs, has \
          more capabilities, or looks at its machine, lowers it for all.",
    fix: "Set `run_as.user` in the blueprint, take capabilities or folders of the machine out, or allow this with the \
          reason.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    if platform.environment.target != Target::Kubernetes {
        return;
    }
    for service in platform.services.iter().filter(|service| service.is_ours()) {
        let level = service.pod_security();
        if level == PodSecurity::Restricted {
            continue;
        }
        let cause = match (&service.root, service.user) {
            (Some(reason), _) => format!("it runs as root: {reason}"),
            (None, None) => "its blueprint does not say as which user it runs".to_owned(),
            (None, Some((0, _))) => "it runs as root".to_owned(),
            (None, Some(_)) if !service.host_mounts.is_empty() => {
                let mut folders = service
                    .host_mounts
                    .values()
                    .map(|mount| mount.from.as_str());
                let first = folders.next().unwrap_or_default();
                format!("it looks at `{first}` of its machine")
            }
            (None, Some(_)) => format!("it has {}", service.capabilities.join(", ")),
        };
        let component = platform.component_of(service);
        findings.push(
            Finding::new(
                &RULE,
                component.place.clone(),
                format!(
                    "`{}` lowers the namespace's standard to {level}",
                    service.name
                ),
            )
            .cause(cause)
            .related(service.place.clone(), "the service")
            .component(component.name.clone()),
        );
    }
}
