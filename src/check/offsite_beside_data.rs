//! A store for copies that is lost together with the data.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "offsite-beside-data",
    severity: Severity::Warning,
    summary: "copies are sent to where the data are",
    why: "Copies off site are for the day on which the platform is lost. A store of the platform itself, or on its machines, is \
          lost with it.",
    fix: "Name a store somewhere else: another provider, another region, another building.",
    allowable: true,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    let Some(offsite) = platform
        .backup
        .as_ref()
        .and_then(|backup| backup.offsite.as_ref())
    else {
        return;
    };
    let host = offsite.host.as_str();
    let service = platform.services.iter().find(|service| {
        service.name == host
            || service.host() == host
            || host.split('.').next() == Some(service.name.as_str())
    });
    let hosts = &platform.environment.hosts;
    let domain = &platform.environment.domain;
    let what = if let Some(service) = service {
        format!("`{}`, a service of the platform", service.name)
    } else if platform
        .endpoints
        .iter()
        .any(|endpoint| endpoint.host.as_deref() == Some(host))
        || host == domain
        || host.ends_with(&format!(".{domain}"))
    {
        "an address of the platform itself".to_owned()
    } else if hosts.iter().any(|known| known.name == host) {
        "a machine of the platform".to_owned()
    } else if host == "localhost" || host.starts_with("127.") {
        "the machine itself".to_owned()
    } else {
        return;
    };
    findings.push(
        Finding::new(
            &RULE,
            offsite.place.clone(),
            format!("copies are sent to `{host}`, which is {what}"),
        )
        .help("name a store that is not lost with the platform"),
    );
}
