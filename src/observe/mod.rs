//! Observability as values: queries, rules and their tests, in the formats of the programs that read them.
//!
//! In come the parts of a platform that say what is measured and what it means, out come typed values and texts. Blueprints
//! and topologies are unknown here: `resolve` fills in what they say, `check` and `backend` use what is made of it.

pub mod promql;
pub mod scrape;
