//! `policy`: what sandboxed nodes may use and reach under the policy that holds, and whether a policy file is sound.

use std::path::Path;

use crate::{Host, load_policy, policy_to_toml};
use serde_json::json;

use super::args::PolicyCommand;
use super::console;
use super::failure::Failure;

pub fn policy(host: &Host, command: &PolicyCommand, as_json: bool) -> Result<(), Failure> {
    match command {
        PolicyCommand::Show => show(host, as_json),
        PolicyCommand::Check { file } => check(file, as_json),
    }
}

fn show(host: &Host, as_json: bool) -> Result<(), Failure> {
    let policy = &host.config().policy;
    if as_json {
        return console::write_json(&json!({"status": "ok", "source": policy.source, "policy": **policy}));
    }
    let source = match &policy.source {
        Some(file) => format!("# The policy of {}; what it leaves out has its default.\n", file.display()),
        None => "# The built-in defaults. Another policy: --policy FILE, or REMOTEMEDIA_POLICY.\n".into(),
    };
    console::write(&format!("{source}\n{}", policy_to_toml(policy)))
}

fn check(file: &Path, as_json: bool) -> Result<(), Failure> {
    let policy = load_policy(file)?;
    if as_json {
        return console::write_json(&json!({"status": "ok", "source": policy.source, "policy": policy}));
    }
    console::write(&format!("{}: ok\n", file.display()))
}
