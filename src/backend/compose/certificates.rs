//! Certificates on Compose: each service finds its own in a volume, which the one-shot service fills.

use super::model::{Mount, NoCopy};
use crate::platform::Service;

/// Names the volume of a service's certificate.
pub(super) fn volume(service: &str) -> String {
    format!("{service}-tls")
}

/// Mounts a service's certificate where it looks for it, if it has one.
pub(super) fn mount(service: &Service) -> Option<Mount> {
    let used = service.certificate.as_ref()?;
    Some(Mount {
        kind: "volume",
        source: volume(&service.name),
        target: used.path.clone(),
        read_only: true,
        volume: Some(NoCopy { nocopy: true }),
        bind: None,
    })
}

/// Mounts it where the one-shot service puts it.
pub(super) fn given(service: &Service) -> Mount {
    Mount {
        kind: "volume",
        source: volume(&service.name),
        target: format!("/certificates/{}", service.name),
        read_only: false,
        volume: None,
        bind: None,
    }
}
