//! Storage: classes of encrypted disks for the clouds whose drivers are known, and claims.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Context;
use super::object::{Object, Pairs, pairs};
use super::pod::{memory, owner, volume_name};
use crate::platform::{Component, Service, Volume};
use crate::terms::{Cloud, DiskClass};

/// Makes the storage classes that volumes lie on and the cluster does not have already.
pub(super) fn classes(context: &Context<'_>) -> Vec<Object> {
    let Some(cloud) = context.cluster.cloud else {
        return Vec::new();
    };
    let used: BTreeSet<DiskClass> = context
        .platform
        .components
        .iter()
        .flat_map(|component| &component.volumes)
        .map(|volume| volume.class)
        .filter(|class| !context.cluster.storage_classes.contains_key(class))
        .collect();
    used.into_iter()
        .filter_map(|class| {
            let name = context.cluster.storage_class(class)?;
            let (provisioner, parameters) =
                disks(cloud, class, context.cluster.disk_key.as_deref());
            Some(Object::new(&StorageClass {
                metadata: context.cluster_meta(name),
                provisioner: provisioner.to_owned(),
                parameters: Some(parameters),
                // What a claim is deleted with is not gone with it.
                reclaim_policy: Some("Retain".to_owned()),
                // Where the pod is, not anywhere.
                volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
                allow_volume_expansion: Some(true),
                ..StorageClass::default()
            }))
        })
        .collect()
}

/// Returns the driver and its parameters for disks of a class, encrypted with a key of the user's if there is one. All
/// three clouds encrypt with keys of their own otherwise; Amazon's only when told to.
fn disks(cloud: Cloud, class: DiskClass, key: Option<&str>) -> (&'static str, Pairs) {
    let fast = class == DiskClass::Ssd;
    let (driver, mut parameters, key_parameter) = match cloud {
        Cloud::Aws => (
            "ebs.csi.aws.com",
            pairs([
                ("type", if fast { "gp3" } else { "st1" }),
                ("encrypted", "true"),
            ]),
            "kmsKeyId",
        ),
        Cloud::Gcp => (
            "pd.csi.storage.gke.io",
            pairs([("type", if fast { "pd-ssd" } else { "pd-standard" })]),
            "disk-encryption-kms-key",
        ),
        Cloud::Azure => (
            "disk.csi.azure.com",
            pairs([(
                "skuName",
                if fast {
                    "Premium_LRS"
                } else {
                    "StandardSSD_LRS"
                },
            )]),
            "diskEncryptionSetID",
        ),
    };
    if let Some(key) = key {
        parameters.insert(key_parameter.to_owned(), key.to_owned());
    }
    (driver, parameters)
}

fn claim_spec(context: &Context<'_>, volume: &Volume) -> PersistentVolumeClaimSpec {
    PersistentVolumeClaimSpec {
        access_modes: Some(vec![
            // On one machine all pods can use the same disk.
            if volume.shared && !context.is_embedded() {
                "ReadWriteMany"
            } else {
                "ReadWriteOnce"
            }
            .to_owned(),
        ]),
        storage_class_name: context.cluster.storage_class(volume.class),
        resources: Some(VolumeResourceRequirements {
            requests: Some([("storage".to_owned(), memory(volume.size))].into()),
            ..VolumeResourceRequirements::default()
        }),
        ..PersistentVolumeClaimSpec::default()
    }
}

/// Makes the templates of the claims that each pod of a service gets for itself.
pub(super) fn templates(context: &Context<'_>, service: &Service) -> Vec<PersistentVolumeClaim> {
    let component = context.platform.component_of(service);
    service
        .mounts
        .values()
        .map(|mount| &component.volumes[mount.volume])
        .filter(|volume| !volume.shared)
        .map(|volume| PersistentVolumeClaim {
            metadata: ObjectMeta {
                name: Some(volume_name(&volume.key)),
                // Only what never changes: a template cannot be changed.
                labels: Some(context.selector(service)),
                ..ObjectMeta::default()
            },
            spec: Some(claim_spec(context, volume)),
            ..PersistentVolumeClaim::default()
        })
        .collect()
}

/// Makes the claims that pods of a component share.
pub(super) fn claims(
    context: &Context<'_>,
    component: &Component,
    services: &[&Service],
) -> Vec<Object> {
    let used: BTreeSet<usize> = services
        .iter()
        .flat_map(|service| {
            let volumes = service.mounts.values().map(|mount| mount.volume);
            // A set makes the claims of its pods, and a job may use one of these.
            volumes.filter(|volume| owner(context, service.component, *volume).is_none())
        })
        .collect();
    used.into_iter()
        .map(|at| {
            let volume = &component.volumes[at];
            Object::new(&PersistentVolumeClaim {
                metadata: context.meta(&volume.name, context.component_labels(component)),
                spec: Some(claim_spec(context, volume)),
                ..PersistentVolumeClaim::default()
            })
        })
        .collect()
}
