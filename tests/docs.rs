//! The documents say what is true: their manifests plan, the commands they show exist, their links lead somewhere.

use std::path::{Path, PathBuf};

use remotemedia_core::Manifest;
use remotemedia_core::manifest::{ComponentRef, ManifestFormat};
use remotemedia_host::{Config, Host};

use crate::binary::{remotemedia, repository};

/// Every Markdown file of the repository that people wrote.
fn documents() -> Vec<PathBuf> {
    let mut folders = vec![repository().to_owned()];
    let mut documents = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
                folders.push(path);
            } else if name.ends_with(".md") {
                documents.push(path);
            }
        }
    }
    documents.sort();
    assert!(documents.len() > 5, "{documents:?}");
    documents
}

/// The fenced blocks of a language, each with the line it begins on.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut block: Option<(usize, bool, String)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut block, line.trim().strip_prefix("```")) {
            (None, Some(fence)) => block = Some((number + 1, fence.trim() == language, String::new())),
            (Some(_), Some(_)) => blocks.extend(block.take().filter(|(_, wanted, _)| *wanted)),
            (Some((_, _, content)), None) => {
                content.push_str(line);
                content.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks.into_iter().map(|(line, _, content)| (line, content)).collect()
}

fn plan(mut manifest: Manifest, base_dir: &Path) -> Result<(), String> {
    for node in &mut manifest.nodes {
        base_dir.clone_into(&mut node.base_dir);
    }
    let config = Config { current_dir: Some(repository().to_owned()), ..Config::default() };
    Host::new(config).plan(&manifest).map(|_| ()).map_err(|errors| errors.to_string())
}

#[test]
fn every_manifest_in_the_documents_plans() {
    let mut planned = 0;
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for (language, format) in [("json", ManifestFormat::Json), ("yaml", ManifestFormat::Yaml)] {
            for (line, block) in blocks(&text, language) {
                if !block.contains("connections") {
                    continue;
                }
                let place = format!("{}:{line}", document.display());
                let manifest = Manifest::parse(block.as_bytes(), format)
                    .unwrap_or_else(|errors| panic!("{place}:\n{errors}"));
                // The component of a tutorial exists only once the reader has built it.
                let tutorial =
                    |component: &ComponentRef| component.path().to_string_lossy().ends_with("tremolo.wasm");
                if manifest.nodes.iter().filter_map(|node| node.component.as_ref()).any(tutorial) {
                    continue;
                }
                plan(manifest, repository()).unwrap_or_else(|errors| panic!("{place}:\n{errors}"));
                planned += 1;
            }
        }
    }
    assert!(planned >= 2, "only {planned} manifests were found");
}

#[test]
fn every_example_plans() {
    let folder = repository().join("docs/examples");
    let mut planned = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let example = entry.unwrap().path();
        let text = std::fs::read(example.join("pipeline.json")).unwrap();
        let manifest = Manifest::parse(&text, ManifestFormat::Json).unwrap();
        plan(manifest, &example).unwrap_or_else(|errors| panic!("{}:\n{errors}", example.display()));
        planned += 1;
    }
    assert!(planned >= 2);
}

#[test]
fn every_command_in_the_documents_exists() {
    let mut seen = std::collections::BTreeSet::new();
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for (_, block) in blocks(&text, "sh") {
            for line in block.lines() {
                if let Some(verb) =
                    line.trim().strip_prefix("remotemedia ").and_then(|rest| rest.split(' ').next())
                {
                    seen.insert(verb.to_owned());
                }
            }
        }
    }
    assert!(seen.contains("run") && seen.contains("doctor"), "{seen:?}");
    for verb in seen {
        let done = remotemedia(&["help", &verb]);
        assert_eq!(done.code, 0, "`remotemedia {verb}` is in the documents: {}", done.stderr);
    }
}

#[test]
fn every_link_between_files_leads_somewhere() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(' ') {
                continue;
            }
            let path = document.parent().unwrap().join(target);
            assert!(path.exists(), "{} links to {link}", document.display());
        }
    }
}
