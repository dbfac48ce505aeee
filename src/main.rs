//! The program: arguments in, exit status out.

use std::process::ExitCode;

use lakewright::cli;
use lakewright::host::Host;

fn main() -> ExitCode {
    let host = Host::new();
    let arguments = host.arguments();
    cli::run(&host, arguments).code().into()
}
