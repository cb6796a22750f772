//! `schema`: the JSON Schema of manifests.

use super::console;
use super::failure::Failure;

pub fn schema() -> Result<(), Failure> {
    let schema = remotemedia_core::manifest::json_schema();
    console::write(&format!("{schema:#}\n"))
}
