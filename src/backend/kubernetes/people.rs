//! Roles of people in the cluster: what groups of the API server's identity provider may do in the platform's namespace.
//!
//! Nobody but Admins may make Jobs or change workloads: whoever can do so mounts any Secret of the namespace.

use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::Context;
use super::object::Object;
use crate::terms::{Login, Role as Part};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Makes the roles that the cluster does not have by itself, and binds groups to all of them.
pub(super) fn roles(context: &Context<'_>) -> Vec<Object> {
    let identity = &context.platform.identity;
    let mut objects = Vec::new();
    for part in Part::ALL {
        let groups: Vec<&str> = match identity.kind {
            // The API server knows groups by an identity provider, which calls them otherwise than a directory does.
            Login::Ldap => {
                let names = identity.roles.get(part).into_iter().flatten();
                names.map(String::as_str).collect()
            }
            _ => identity.groups_of(*part).collect(),
        };
        if groups.is_empty() {
            continue;
        }
        let bound: &[(&str, &str)] = match part {
            Part::Admin => &[("ClusterRole", "admin")],
            Part::Engineer => &[("ClusterRole", "view"), ("Role", OPERATE)],
            Part::Analyst => &[("ClusterRole", "view")],
            Part::Viewer => &[],
        };
        for (kind, role) in bound {
            if *kind == "Role" {
                objects.push(operate(context));
            }
            objects.push(Object::new(&RoleBinding {
                metadata: context.meta(
                    format!("people-{part}-{}", role.trim_start_matches("people-")),
                    context.platform_labels(),
                ),
                role_ref: RoleRef {
                    api_group: RBAC.to_owned(),
                    kind: (*kind).to_owned(),
                    name: (*role).to_owned(),
                },
                subjects: Some(
                    groups
                        .iter()
                        .map(|group| Subject {
                            api_group: Some(RBAC.to_owned()),
                            kind: "Group".to_owned(),
                            name: format!("{}{group}", context.cluster.group_prefix),
                            namespace: None,
                        })
                        .collect(),
                ),
            }));
        }
    }
    objects
}

/// The role of those who may restart and scale what runs.
const OPERATE: &str = "people-operate";

fn operate(context: &Context<'_>) -> Object {
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(resources.iter().map(|it| (*it).to_owned()).collect()),
        verbs: verbs.iter().map(|it| (*it).to_owned()).collect(),
        ..PolicyRule::default()
    };
    Object::new(&Role {
        metadata: context.meta(OPERATE, context.platform_labels()),
        rules: Some(vec![
            rule("", &["pods"], &["delete"]),
            rule(
                "apps",
                &["deployments/scale", "statefulsets/scale"],
                &["get", "patch", "update"],
            ),
        ]),
    })
}
