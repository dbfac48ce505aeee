//! Bundles on a real disk: written, killed half-way, compared, and given secrets.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look at the disk themselves, and fail by panicking"
)]

mod compare;
mod kill;
mod property;
mod scene;
mod secrets;
mod users;
mod write;
