//! Lakewright compiles one TOML topology of a data platform into complete deployment bundles.

pub mod diagnostic;
pub mod source;
