//! The grammar of `remotemedia node`. The doc comments are the help texts.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Check what every node must hold to: cuts, caps, silence, NaN, params, ends, memory, time.
    #[command(after_help = "Example:\n  remotemedia node conform gain.wasm --quick")]
    Conform(super::conform::ConformArgs),
    /// Make a pair of keys for signing components.
    #[command(after_help = "Example:\n  remotemedia node keygen author.key")]
    Keygen(KeygenArgs),
    /// Sign a component, so that others see that it is yours and unchanged.
    #[command(after_help = "Example:\n  remotemedia node sign gain.wasm --key author.key")]
    Sign(SignArgs),
    /// Show which trusted key signed a component.
    #[command(after_help = "Example:\n  remotemedia node verify gain.wasm --key author.pub")]
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// The file for the private key; the public key goes beside it, with the ending `.pub`.
    #[arg(value_name = "FILE.key", value_hint = ValueHint::FilePath)]
    pub key: PathBuf,
}

#[derive(Debug, Args)]
pub struct SignArgs {
    /// The component.
    #[arg(value_name = "FILE.wasm", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Your private key, as `remotemedia node keygen` wrote it.
    #[arg(long, value_name = "FILE.key", value_hint = ValueHint::FilePath)]
    pub key: PathBuf,
    /// Write the signature into FILE.wasm.sig and leave the component as it is.
    #[arg(long)]
    pub detached: bool,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The component.
    #[arg(value_name = "FILE.wasm", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// A public key or a file that holds one; may be given several times. By default, the policy's trusted keys.
    #[arg(long = "key", value_name = "KEY|FILE.pub")]
    pub keys: Vec<String>,
}
