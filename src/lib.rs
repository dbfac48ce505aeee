//! Lakewright compiles one TOML topology of a data platform into complete deployment bundles.
//!
//! Data flows one way:
//!
//! 1. [`topology`] reads the file and lays each environment over the platform's defaults;
//! 2. [`blueprint`] reads how systems are deployed;
//! 3. [`resolve`] wires, sizes, places, names and renders, with what [`observe`] makes for those who watch, which gives a
//!    final
//! 4. [`platform`], over which
//! 5. [`check`] reports findings, and from which a
//! 6. [`backend`] builds files, which
//! 7. [`bundle`] seals, writes and compares.
//!
//! No stage reaches back; `tests/architecture.rs` holds the table of who may use whom. [`compile`] is the whole way.

pub mod backend;
pub mod blueprint;
pub mod bundle;
pub mod check;
pub mod cli;

pub mod compile;
mod cron;
pub mod diagnostic;
pub mod graph;
pub mod host;
pub mod import;
pub mod lock;
pub mod names;
pub mod observe;
pub mod origin;
pub mod outline;
pub mod platform;
pub mod resolve;
pub mod review;
pub mod schema;
pub mod source;
pub mod template;
pub mod terms;
pub mod topology;
pub mod tree;
pub mod units;
pub mod value;

/// Returns every rule that a finding can come from, sorted by code.
pub fn rules() -> Vec<&'static diagnostic::Rule> {
    let mut rules = vec![
        &backend::ILLEGAL_PATH,
        &backend::compose::WITHOUT_ADDRESS,
        &backend::swarm::UNKEPT,
        &blueprint::FAULTY_BLUEPRINT,
        &check::UNUSED_ALLOW,
        &cli::BROKEN_BUNDLE,
        &cli::NOT_A_BUNDLE,
        &cli::UNKNOWN_REVISION,
        &resolve::TEMPLATE_FAILED,
        &resolve::query::PROMQL_ERROR,
        &resolve::query::UNKNOWN_METRIC,
        &resolve::identity::ROLE_WITHOUT_GROUPS,
        &resolve::wire::AMBIGUOUS_PROVIDER,
        &resolve::wire::BINDING_CONFLICT,
        &resolve::wire::MISSING_PROVIDER,
        &resolve::wire::PROVIDER_IN_PROFILE,
        &schema::ILLEGAL_VALUE,
        &schema::MISSING_KEY,
        &schema::UNKNOWN_KEY,
        &topology::ILLEGAL_NAME,
        &topology::layer::DANGLING_OVERRIDE,
        &topology::layer::DUPLICATE_NAME,
        &topology::layer::UNKNOWN_NAME,
        &topology::secret::SECRET_IN_CLEAR,
        &tree::TOML_SYNTAX,
    ];
    rules.extend(check::CHECKS.iter().map(|check| check.rule));
    rules.sort_by_key(|rule| rule.code);
    rules
}
