//! Makes cargo notice new files among the embedded blueprints.

fn main() {
    println!("cargo::rerun-if-changed=blueprints");
}
