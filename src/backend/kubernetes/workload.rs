//! Workloads: what runs a service's pods.

use k8s_openapi::api::apps::v1::{
    DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, Deployment, DeploymentSpec,
    DeploymentStrategy, RollingUpdateDeployment, StatefulSet,
    StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
};
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, Job, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::object::Object;
use super::pod::{self, is_stateful};
use super::{Context, availability, config, exception, service, storage};
use crate::platform::{Kind, Service};
use crate::units::Seconds;

/// How many old versions of a workload are kept to go back to.
const HISTORY: i32 = 3;

/// How often a job's pod is started again: on a first start what it needs may take minutes to come up.
const RETRIES: i32 = 10;

/// How long a job that has ended can be looked at, in seconds: a week.
const KEPT: i32 = 7 * 24 * 3600;

/// How late a scheduled run may still start unless its blueprint says otherwise, in seconds.
const DEADLINE: i64 = 3600;

/// A date that does not come: a schedule is asked for, even of what is suspended.
const NEVER: &str = "0 0 31 2 *";

/// How long a rollout may take without progress, in seconds; Kubernetes' own default.
const PROGRESS: u64 = 600;

fn time(seconds: Seconds) -> i64 {
    i64::try_from(seconds.0).unwrap_or(i64::MAX)
}

/// Makes the workload of a service; none where somebody else makes its pods.
pub(super) fn object(context: &Context<'_>, at: usize) -> Option<Object> {
    let service = context.service(at);
    if !service.is_ours() {
        return None;
    }
    let template = pod::template(context, at);
    let meta = ObjectMeta {
        annotations: Some(exception::of(service)).filter(|all| !all.is_empty()),
        ..context.meta(&service.name, context.service_labels(service))
    };
    Some(match &service.kind {
        Kind::Job { timeout } => job(meta, template, *timeout),
        Kind::OnDemand { timeout } => cron_job(meta, template, None, *timeout, None),
        Kind::Scheduled {
            schedule,
            timeout,
            deadline,
        } => cron_job(meta, template, Some(schedule), *timeout, *deadline),
        Kind::Stateless | Kind::Stateful if service.per_host => {
            daemon_set(context, service, meta, template)
        }
        Kind::Stateless | Kind::Stateful if is_stateful(service) => {
            stateful_set(context, service, meta, template)
        }
        Kind::Stateless | Kind::Stateful => deployment(context, service, meta, template),
    })
}

/// Makes a job that runs at set times; without any it is suspended, and whoever wants a run makes a job of it.
fn cron_job(
    meta: ObjectMeta,
    template: PodTemplateSpec,
    schedule: Option<&String>,
    timeout: Option<Seconds>,
    deadline: Option<Seconds>,
) -> Object {
    Object::new(&CronJob {
        metadata: meta,
        spec: Some(CronJobSpec {
            schedule: schedule.map_or(NEVER, String::as_str).to_owned(),
            suspend: schedule.is_none().then_some(true),
            time_zone: Some("Etc/UTC".to_owned()),
            // A run that is not done when the next one is due goes on.
            concurrency_policy: Some("Forbid".to_owned()),
            starting_deadline_seconds: Some(deadline.map_or(DEADLINE, time)),
            successful_jobs_history_limit: Some(HISTORY),
            failed_jobs_history_limit: Some(HISTORY),
            job_template: JobTemplateSpec {
                metadata: None,
                spec: Some(JobSpec {
                    // It runs again when its time comes; what failed for a reason fails again.
                    backoff_limit: Some(1),
                    active_deadline_seconds: timeout.map(time),
                    template,
                    ..JobSpec::default()
                }),
            },
        }),
        ..CronJob::default()
    })
}

/// Makes a job that runs once for each version of itself: a job cannot be changed, so its name follows from what it is.
fn job(mut meta: ObjectMeta, template: PodTemplateSpec, timeout: Option<Seconds>) -> Object {
    let spec = JobSpec {
        backoff_limit: Some(RETRIES),
        active_deadline_seconds: timeout.map(time),
        ttl_seconds_after_finished: Some(KEPT),
        template,
        ..JobSpec::default()
    };
    let text = serde_json::to_string(&spec).expect("a job has text keys and no failing parts");
    meta.name = meta
        .name
        .map(|name| format!("{name}-{}", config::short_digest(&text)));
    Object::new(&Job {
        metadata: meta,
        spec: Some(spec),
        ..Job::default()
    })
}

fn replicas(service: &Service) -> Option<i32> {
    // An autoscaler's number must not be set back by whoever applies the bundle again.
    (!availability::is_scaled(service))
        .then(|| i32::try_from(service.replicas.min).unwrap_or(i32::MAX))
}

fn selector(context: &Context<'_>, service: &Service) -> LabelSelector {
    LabelSelector {
        match_labels: Some(context.selector(service)),
        ..LabelSelector::default()
    }
}

fn deployment(
    context: &Context<'_>,
    service: &Service,
    meta: ObjectMeta,
    template: PodTemplateSpec,
) -> Object {
    let startup = service.probe.as_ref().map_or(0, |probe| probe.startup.0);
    Object::new(&Deployment {
        metadata: meta,
        spec: Some(DeploymentSpec {
            replicas: replicas(service),
            selector: selector(context, service),
            // Inside a service there is no room for an old and a new one at a time.
            strategy: Some(if service.single.is_some() || context.is_embedded() {
                DeploymentStrategy {
                    type_: Some("Recreate".to_owned()),
                    rolling_update: None,
                }
            } else {
                DeploymentStrategy {
                    type_: Some("RollingUpdate".to_owned()),
                    rolling_update: Some(RollingUpdateDeployment {
                        max_surge: Some(IntOrString::Int(1)),
                        max_unavailable: Some(IntOrString::Int(0)),
                    }),
                }
            }),
            progress_deadline_seconds: Some(
                i32::try_from(PROGRESS.max(startup + PROGRESS / 2)).unwrap_or(i32::MAX),
            ),
            revision_history_limit: Some(HISTORY),
            template,
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    })
}

fn daemon_set(
    context: &Context<'_>,
    service: &Service,
    meta: ObjectMeta,
    template: PodTemplateSpec,
) -> Object {
    Object::new(&DaemonSet {
        metadata: meta,
        spec: Some(DaemonSetSpec {
            selector: selector(context, service),
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: None,
            }),
            revision_history_limit: Some(HISTORY),
            template,
            ..DaemonSetSpec::default()
        }),
        ..DaemonSet::default()
    })
}

fn stateful_set(
    context: &Context<'_>,
    service: &Service,
    meta: ObjectMeta,
    template: PodTemplateSpec,
) -> Object {
    let templates = storage::templates(context, service);
    Object::new(&StatefulSet {
        metadata: meta,
        spec: Some(StatefulSetSpec {
            replicas: replicas(service),
            selector: selector(context, service),
            service_name: Some(service::governing(service)),
            // All at once: a quorum cannot come up one by one. Updates go one by one all the same.
            pod_management_policy: Some("Parallel".to_owned()),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: None,
            }),
            persistent_volume_claim_retention_policy: (!templates.is_empty()).then(|| {
                // Data outlives the set that used it: it can be made again around its volumes.
                StatefulSetPersistentVolumeClaimRetentionPolicy {
                    when_deleted: Some("Retain".to_owned()),
                    when_scaled: Some("Retain".to_owned()),
                }
            }),
            revision_history_limit: Some(HISTORY),
            volume_claim_templates: (!templates.is_empty()).then_some(templates),
            template,
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    })
}
