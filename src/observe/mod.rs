//! Observability as values: queries, rules and their tests, in the formats of the programs that read them.
//!
//! In come the parts of a platform that say what is measured and what it means, out come typed values and texts. Blueprints
//! and topologies are unknown here: `resolve` fills in what they say, `check` and `backend` use what is made of it.

pub mod alertmanager;
pub mod cases;
pub mod grafana;
pub mod promql;
pub mod rules;
pub mod runbook;
pub mod scrape;
pub mod slo;

use serde::Serialize;

use crate::value::Value;

/// Turns what is typed here into what templates and data files see.
pub fn value<T: Serialize>(typed: &T) -> Value {
    let json = serde_json::to_value(typed).ok();
    json.and_then(|json| serde_json::from_value(json).ok())
        .unwrap_or_default()
}
