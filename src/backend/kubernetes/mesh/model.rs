//! The mesh's objects, as its custom resource definitions describe them: the parts that are used.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::super::object::Pairs;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Matching {
    pub(super) match_labels: Pairs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerAuthentication {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) selector: Option<Matching>,
    pub(super) mtls: Mode,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) port_level_mtls: BTreeMap<u16, Mode>,
}

#[derive(Serialize)]
pub(super) struct Mode {
    pub(super) mode: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthorizationPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) selector: Option<Matching>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) target_refs: Vec<TargetRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<AccessRule>,
}

#[derive(Serialize)]
pub(super) struct TargetRef {
    pub(super) group: &'static str,
    pub(super) kind: &'static str,
    pub(super) name: String,
}

#[derive(Serialize)]
pub(super) struct AccessRule {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) from: Vec<AccessFrom>,
    pub(super) to: Vec<AccessTo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) when: Vec<Condition>,
}

#[derive(Serialize)]
pub(super) struct Condition {
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RequestAuthentication {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) selector: Option<Matching>,
    pub(super) jwt_rules: Vec<JwtRule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JwtRule {
    pub(super) issuer: String,
    pub(super) forward_original_token: bool,
}

#[derive(Serialize)]
pub(super) struct AccessFrom {
    pub(super) source: Source,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Source {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) principals: BTreeSet<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) not_principals: Vec<&'static str>,
}

#[derive(Serialize)]
pub(super) struct AccessTo {
    pub(super) operation: Operation,
}

#[derive(Serialize)]
pub(super) struct Operation {
    pub(super) ports: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sidecar {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) workload_selector: Option<WorkloadSelector>,
    pub(super) egress: Vec<SidecarEgress>,
    pub(super) outbound_traffic_policy: Mode,
}

#[derive(Serialize)]
pub(super) struct WorkloadSelector {
    pub(super) labels: Pairs,
}

#[derive(Serialize)]
pub(super) struct SidecarEgress {
    pub(super) hosts: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Telemetry {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) selector: Option<Matching>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) access_logging: Vec<AccessLogging>,
    pub(super) tracing: Vec<Tracing>,
}

#[derive(Serialize)]
pub(super) struct AccessLogging {
    pub(super) providers: Vec<Provider>,
}

#[derive(Serialize)]
pub(super) struct Provider {
    pub(super) name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tracing {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) providers: Vec<Provider>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) random_sampling_percentage: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) disable_span_reporting: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DestinationRule {
    pub(super) host: String,
    pub(super) traffic_policy: TrafficPolicy,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrafficPolicy {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) connection_pool: Option<ConnectionPool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) load_balancer: Option<LoadBalancer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outlier_detection: Option<OutlierDetection>,
    pub(super) tls: Mode,
}

#[derive(Serialize)]
pub(super) struct ConnectionPool {
    pub(super) tcp: TcpPool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TcpPool {
    pub(super) connect_timeout: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoadBalancer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) consistent_hash: Option<ConsistentHash>,
    pub(super) locality_lb_setting: Locality,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsistentHash {
    pub(super) http_cookie: Cookie,
}

#[derive(Serialize)]
pub(super) struct Cookie {
    pub(super) name: String,
    pub(super) path: &'static str,
    pub(super) ttl: &'static str,
    pub(super) attributes: Vec<CookieAttribute>,
}

#[derive(Serialize)]
pub(super) struct CookieAttribute {
    pub(super) name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Locality {
    pub(super) enabled: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) failover_priority: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutlierDetection {
    pub(super) consecutive_5xx_errors: u32,
    pub(super) consecutive_gateway_errors: u32,
    pub(super) interval: &'static str,
    pub(super) base_ejection_time: &'static str,
    pub(super) max_ejection_percent: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceEntry {
    pub(super) hosts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) addresses: Vec<String>,
    pub(super) location: &'static str,
    pub(super) resolution: &'static str,
    pub(super) ports: Vec<EntryPort>,
    pub(super) export_to: Vec<&'static str>,
}

#[derive(Serialize)]
pub(super) struct EntryPort {
    pub(super) number: u16,
    pub(super) name: String,
    pub(super) protocol: &'static str,
}
