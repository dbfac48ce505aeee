//! A Java virtual machine that may take more memory than its container.

use super::Check;
use crate::diagnostic::{Finding, Rule, Severity};
use crate::platform::Platform;

static RULE: Rule = Rule {
    code: "jvm-over-limit",
    severity: Severity::Error,
    summary: "a Java virtual machine may take more than its container's memory",
    why: "Heap, direct memory and what the machine itself takes must fit into the limit together. Otherwise the kernel \
          kills the process under load, without a word from Java.",
    fix: "Raise the service's memory, or leave the heap to the blueprint, which derives it from the memory.",
    allowable: false,
};

pub(super) const CHECK: Check = Check { rule: &RULE, run };

fn run(platform: &Platform, findings: &mut Vec<Finding>) {
    for service in &platform.services {
        let Some(jvm) = &service.jvm else { continue };
        let total = jvm
            .heap
            .0
            .saturating_add(jvm.direct.0)
            .saturating_add(jvm.overhead.0);
        if total <= service.resources.memory.0 && jvm.heap.0 > 0 {
            continue;
        }
        findings.push(
            Finding::new(
                &RULE,
                jvm.place.clone(),
                format!(
                    "the Java machine of `{}` takes up to {} MiB of {} MiB",
                    service.name,
                    total / crate::units::Bytes::MIB,
                    service.resources.memory.mib()
                ),
            )
            .cause(format!(
                "heap {} MiB, direct {} MiB, everything else {} MiB",
                jvm.heap.mib(),
                jvm.direct.mib(),
                jvm.overhead.mib()
            ))
            .help("give the service more memory, or set a smaller heap")
            .component(platform.component_of(service).name.clone()),
        );
    }
}
