//! Room: what a platform takes in sum, and how full its hosts are. Dangers that no single change shows.

use serde_json::Value as Json;

use super::danger::{CAPACITY_GROWN, HOST_NEARLY_FULL};
use super::fields::{at, text_at};
use super::{Act, Change, Layer};
use crate::units::{Bytes, MilliCpu};

/// Growth of a total that is worth a question, in percent.
const GROWTH: u64 = 25;

/// Part of a host's room that is taken, in percent, from which there is hardly any left.
const FULL: u64 = 90;

/// What a platform takes in sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Services.
    pub services: usize,
    /// Replicas, at the least.
    pub replicas: u64,
    /// Memory of them.
    pub memory: Bytes,
    /// Guaranteed processors of them.
    pub cpu: MilliCpu,
    /// Room of all volumes, for one replica each.
    pub storage: Bytes,
}

/// Writes an amount in gibibytes, with one digit behind the point.
fn gibibytes(bytes: Bytes) -> String {
    let tenths = bytes.0.saturating_mul(10) / Bytes::GIB;
    format!("{}.{}GiB", tenths / 10, tenths % 10)
}

/// Sums up what a platform takes.
pub(super) fn totals(outline: &Json) -> Totals {
    let mut totals = Totals::default();
    let services = outline.get("services").and_then(Json::as_object);
    for service in services.into_iter().flat_map(serde_json::Map::values) {
        let replicas = at(service, &["replicas", "min"])
            .and_then(Json::as_u64)
            .unwrap_or(0);
        totals.services += 1;
        if !matches!(text_at(service, &["kind"]), Some("stateless" | "stateful")) {
            continue;
        }
        totals.replicas += replicas;
        let memory = text_at(service, &["memory"])
            .and_then(Bytes::parse)
            .unwrap_or_default();
        let cpu = text_at(service, &["cpu"])
            .and_then(MilliCpu::parse)
            .unwrap_or_default();
        totals.memory.0 = totals
            .memory
            .0
            .saturating_add(memory.0.saturating_mul(replicas));
        totals.cpu.0 = totals.cpu.0.saturating_add(cpu.0.saturating_mul(replicas));
    }
    let volumes = outline.get("volumes").and_then(Json::as_object);
    for volume in volumes.into_iter().flat_map(serde_json::Map::values) {
        let size = text_at(volume, &["size"])
            .and_then(Bytes::parse)
            .unwrap_or_default();
        totals.storage.0 = totals.storage.0.saturating_add(size.0);
    }
    totals
}

/// Returns the dangers that only the whole shows: room that is taken.
pub(super) fn compare(old: &Json, new: &Json) -> Vec<Change> {
    let mut changes = Vec::new();
    let (before, after) = (totals(old), totals(new));
    let grown = |old: u64, new: u64| {
        old > 0 && new > old && (new - old).saturating_mul(100) / old >= GROWTH
    };
    for (what, old, new, one, other) in [
        (
            "memory",
            before.memory.0,
            after.memory.0,
            gibibytes(before.memory),
            gibibytes(after.memory),
        ),
        (
            "processors",
            before.cpu.0,
            after.cpu.0,
            before.cpu.cores(),
            after.cpu.cores(),
        ),
    ] {
        if old == new {
            continue;
        }
        let mut change = Change::new(Layer::Platform, "total", what);
        change.act = Act::Changed;
        change.old = Some(one.clone());
        change.new = Some(other.clone());
        if grown(old, new) {
            change.risks.push(CAPACITY_GROWN.risk(format!(
                "the platform takes {other} of {what} instead of {one}"
            )));
        }
        changes.push(change);
    }
    let hosts = new.get("hosts").and_then(Json::as_object);
    for (name, host) in hosts.into_iter().flatten() {
        let full = |host: &Json| {
            let bytes = |key: &str| {
                text_at(host, &[key])
                    .and_then(Bytes::parse)
                    .map(|bytes| bytes.0)
            };
            let cpu = |key: &str| {
                text_at(host, &[key])
                    .and_then(MilliCpu::parse)
                    .map(|cpu| cpu.0)
            };
            let part = |taken: Option<u64>, room: Option<u64>| {
                room.filter(|room| *room > 0)
                    .map_or(0, |room| taken.unwrap_or(0).saturating_mul(100) / room)
            };
            part(bytes("memory_taken"), bytes("memory")).max(part(cpu("cpu_taken"), cpu("cpu")))
        };
        let now = full(host);
        let then = at(old, &["hosts", name]).map_or(0, full);
        if now >= FULL && now > then {
            let mut change = Change::new(Layer::Platform, "room", name);
            change.act = Act::Changed;
            change.old = Some(format!("{then} %"));
            change.new = Some(format!("{now} %"));
            change
                .risks
                .push(HOST_NEARLY_FULL.risk(format!("host `{name}` is {now} % full")));
            changes.push(change);
        }
    }
    changes
}
