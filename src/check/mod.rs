//! Checks: findings over a platform that was resolved. All of them run, each on its own.
//!
//! A check is a file here: its rule, and one function. `allow` in the topology silences a finding where it stands.

mod backup_collision;
mod backup_in_clear;
mod backup_over_room;
mod backup_too_rare;
mod blocked_eviction;
mod blueprint_notice;
mod clear_text;
mod drill_after_retention;
mod duplicate_host_name;
mod edition_lacks_feature;
mod host_over_budget;
mod idle_autoscaler;
mod idle_profile;
mod idle_receiver;
mod image_gone;
mod image_untagged;
mod jvm_over_limit;
mod licence_refused;
mod local_accounts;
mod local_volume_shared;
mod missing_registry;
mod needs_cluster;
mod no_host_large_enough;
mod no_room_after_loss;
mod offsite_beside_data;
mod open_page;
mod pod_security_exempt;
mod port_conflict;
mod privileged_refused;
mod profile_over_budget;
mod public_in_clear;
mod quorum_lost_with_host;
mod quorum_lost_with_zone;
mod secret_in_environment;
mod single_point_of_failure;
mod start_cycle;
mod too_few_hosts;
mod too_many_hosts;
mod unencrypted_volumes;
mod unknown_storage_class;
mod unmatched_host_labels;
mod unreached_bind;
mod unsafe_storage;
mod unsent_alerts;
mod unserved_by_version;
mod unsupported_target;
mod untested_version;
mod untold_alerts;
mod without_backup;

use std::collections::BTreeMap;

use crate::diagnostic::{Finding, Rule, Severity, suggest};
use crate::platform::Platform;
use crate::topology::layer::Allow;
use crate::topology::secret::SECRET_IN_CLEAR;

/// A rule over the platform, and how it is checked.
pub struct Check {
    /// What it says.
    pub rule: &'static Rule,
    run: fn(&Platform, &mut Vec<Finding>),
}

/// All checks, sorted by code.
pub const CHECKS: &[Check] = &[
    backup_collision::CHECK,
    backup_in_clear::CHECK,
    backup_over_room::CHECK,
    backup_too_rare::CHECK,
    blocked_eviction::CHECK,
    blueprint_notice::CHECK,
    clear_text::CHECK,
    drill_after_retention::CHECK,
    duplicate_host_name::CHECK,
    edition_lacks_feature::CHECK,
    host_over_budget::CHECK,
    idle_autoscaler::CHECK,
    idle_profile::CHECK,
    idle_receiver::CHECK,
    image_gone::CHECK,
    image_untagged::CHECK,
    jvm_over_limit::CHECK,
    licence_refused::CHECK,
    local_accounts::CHECK,
    local_volume_shared::CHECK,
    missing_registry::CHECK,
    needs_cluster::CHECK,
    no_host_large_enough::CHECK,
    no_room_after_loss::CHECK,
    offsite_beside_data::CHECK,
    open_page::CHECK,
    pod_security_exempt::CHECK,
    port_conflict::CHECK,
    privileged_refused::CHECK,
    profile_over_budget::CHECK,
    public_in_clear::CHECK,
    quorum_lost_with_host::CHECK,
    quorum_lost_with_zone::CHECK,
    secret_in_environment::CHECK,
    single_point_of_failure::CHECK,
    start_cycle::CHECK,
    too_few_hosts::CHECK,
    too_many_hosts::CHECK,
    unencrypted_volumes::CHECK,
    unknown_storage_class::CHECK,
    unmatched_host_labels::CHECK,
    unreached_bind::CHECK,
    unsafe_storage::CHECK,
    unsent_alerts::CHECK,
    unserved_by_version::CHECK,
    unsupported_target::CHECK,
    untested_version::CHECK,
    untold_alerts::CHECK,
    without_backup::CHECK,
];

/// An `allow` that silences nothing.
pub static UNUSED_ALLOW: Rule = Rule {
    code: "unused-allow",
    severity: Severity::Warning,
    summary: "an `allow` silences nothing",
    why: "A finding that is gone, or a code that does not exist, leaves an `allow` behind that would silence the next \
          finding of its kind unseen.",
    fix: "Remove it, or correct its code.",
    allowable: false,
};

/// Runs all checks over a platform.
pub fn check(platform: &Platform) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in CHECKS {
        (check.run)(platform, &mut findings);
    }
    for finding in &mut findings {
        finding
            .environment
            .get_or_insert_with(|| platform.environment.name.clone());
    }
    findings
}

/// Takes out the findings that one of these accepts, and notes which of these did, with the worst that it accepted.
pub fn apply_allows(
    findings: &mut Vec<Finding>,
    allows: &[Allow],
    used: &mut BTreeMap<usize, Severity>,
) {
    // By code and component, since both lists grow with the platform.
    let mut by_subject: BTreeMap<(&str, Option<&str>), Vec<usize>> = BTreeMap::new();
    for (at, allow) in allows.iter().enumerate() {
        let subject = (allow.code.as_str(), allow.component.as_deref());
        by_subject.entry(subject).or_default().push(at);
    }
    findings.retain(|finding| {
        if !finding.rule.allowable {
            return true;
        }
        let code = finding.rule.code;
        let everywhere = by_subject.get(&(code, None));
        let here = finding
            .component
            .as_deref()
            .and_then(|component| by_subject.get(&(code, Some(component))));
        for at in everywhere.into_iter().chain(here).flatten() {
            let worst = used.entry(*at).or_insert(finding.severity);
            *worst = finding.severity.max(*worst);
        }
        everywhere.is_none() && here.is_none()
    });
}

/// Reports an `allow` that accepted nothing in any environment it applies to.
pub fn unused_allow(allow: &Allow) -> Finding {
    let mut known: Vec<&str> = CHECKS.iter().map(|check| check.rule.code).collect();
    known.push(SECRET_IN_CLEAR.code);
    let finding = Finding::new(
        &UNUSED_ALLOW,
        allow.place.clone(),
        format!("`{}` silences nothing here", allow.code),
    );
    if known.contains(&allow.code.as_str()) {
        finding.help("remove it")
    } else {
        finding
            .cause(format!(
                "`{}` is not a finding that can be allowed",
                allow.code
            ))
            .maybe_help(suggest(&allow.code, known))
    }
}
