//! `lakewright schema`: JSON Schemas, for editors and other programs.

use schemars::generate::SchemaSettings;

use super::{Session, Status};
use crate::backend::matrix::FlowList;
use crate::blueprint::backup::Backup;
use crate::blueprint::dashboard::Dashboard;
use crate::blueprint::identity::Identity;
use crate::blueprint::model::Blueprint;
use crate::blueprint::monitoring::{Alerts, Metrics};
use crate::bundle::inventory::Inventory;
use crate::host::HostError;
use crate::outline::Outline;
use crate::review::report::json::Document as Review;
use crate::topology::written::Topology;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What the schema is of
    #[arg(value_enum)]
    name: Name,
}

/// What a schema is of
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Name {
    /// Topology files
    Topology,
    /// blueprint.toml
    Blueprint,
    /// dashboard.toml
    Dashboard,
    /// metrics.toml beside it
    Metrics,
    /// alerts.toml beside it
    Alerts,
    /// backup.toml beside it
    Backup,
    /// identity.toml beside it
    Identity,
    /// bundle.json
    Bundle,
    /// platform.json beside it
    Platform,
    /// flows.json beside it
    Flows,
    /// What `diff --format json` prints
    Review,
}

/// Makes the text of a schema.
pub type Document = fn() -> String;

/// The schemas there are, by the names of their files without the ending.
pub const SCHEMAS: &[(&str, Document)] = &[
    ("topology", document::<Topology>),
    ("blueprint", document::<Blueprint>),
    ("dashboard", document::<Dashboard>),
    ("metrics", document::<Metrics>),
    ("alerts", document::<Alerts>),
    ("backup", document::<Backup>),
    ("identity", document::<Identity>),
    ("bundle", document::<Inventory>),
    ("platform", document::<Outline>),
    ("flows", document::<FlowList>),
    ("review", document::<Review>),
];

fn document<T: schemars::JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>();
    format!(
        "{}\n",
        serde_json::to_string_pretty(&schema).unwrap_or_default()
    )
}

pub(super) fn run(session: &Session<'_>, arguments: &Arguments) -> Result<Status, HostError> {
    let text = match arguments.name {
        Name::Topology => document::<Topology>(),
        Name::Blueprint => document::<Blueprint>(),
        Name::Dashboard => document::<Dashboard>(),
        Name::Metrics => document::<Metrics>(),
        Name::Alerts => document::<Alerts>(),
        Name::Backup => document::<Backup>(),
        Name::Identity => document::<Identity>(),
        Name::Bundle => document::<Inventory>(),
        Name::Platform => document::<Outline>(),
        Name::Flows => document::<FlowList>(),
        Name::Review => document::<Review>(),
    };
    session.host.print(&text)?;
    Ok(Status::Done)
}
