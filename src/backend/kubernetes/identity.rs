//! Identity: a service account for each service, and for those that use the Kubernetes API, what they may do there.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::Context;
use super::object::Object;
use crate::platform::Service;

/// Makes the service account of a service, its role and their binding.
pub(super) fn objects(context: &Context<'_>, service: &Service) -> Vec<Object> {
    let rules = service.cluster_api.iter().flat_map(|api| &api.rules);
    let operated = service.managed.as_ref();
    // An operator makes the account of its pods, unless they have rights that it does not give.
    if operated.is_some_and(|managed| !managed.launched) && rules.clone().next().is_none() {
        return Vec::new();
    }
    let meta = || context.meta(service.account(), context.service_labels(service));
    let mut objects = vec![Object::new(&ServiceAccount {
        metadata: meta(),
        // Pods that need a token ask for it themselves.
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    })];
    let rules: Vec<PolicyRule> = rules
        .map(|rule| PolicyRule {
            api_groups: Some(rule.groups.clone()),
            resources: Some(rule.resources.clone()),
            resource_names: (!rule.names.is_empty()).then(|| rule.names.clone()),
            verbs: rule.verbs.clone(),
            ..PolicyRule::default()
        })
        .collect();
    if !rules.is_empty() {
        objects.push(Object::new(&Role {
            metadata: meta(),
            rules: Some(rules),
        }));
        objects.push(Object::new(&RoleBinding {
            metadata: meta(),
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".to_owned(),
                kind: "Role".to_owned(),
                name: service.account().to_owned(),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".to_owned(),
                name: service.account().to_owned(),
                namespace: Some(context.cluster.namespace.clone()),
                ..Subject::default()
            }]),
        }));
    }
    objects
}
