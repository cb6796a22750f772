//! Reading the operator's policy from a TOML file, and writing the effective one out. What a policy may say is core's
//! to judge; here its faults get the line that they are on.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use remotemedia_core::policy::{PolicyKey, keys};
use remotemedia_core::{ManifestError, SandboxPolicy};
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A larger file is no policy.
const MOST_POLICY_BYTES: u64 = 1 << 20;

/// Why a policy file cannot be used. No node runs under a policy that was not understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The system refused.
    #[error("cannot read the policy `{}`: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file says something wrong.
    #[error("the policy `{}` has {}:\n{}", path.display(), counted(faults.len()), listed(faults))]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Each with its line, counted from 1, when it has one.
        faults: Vec<(Option<usize>, ManifestError)>,
    },
}

fn counted(faults: usize) -> String {
    if faults == 1 { "a fault".into() } else { format!("{faults} faults") }
}

fn listed(faults: &[(Option<usize>, ManifestError)]) -> String {
    let lines: Vec<String> = faults
        .iter()
        .map(|(line, fault)| {
            let fault = fault.to_string();
            let fault = fault.trim_start_matches(": ");
            line.map_or_else(|| format!("  {fault}"), |line| format!("  line {line}: {fault}"))
        })
        .collect();
    lines.join("\n")
}

/// Reads and checks a policy file. Relative directories in it are relative to its own folder.
///
/// # Errors
/// When the file cannot be read, and everything that is wrong in it.
pub fn load_policy(path: &Path) -> Result<SandboxPolicy, PolicyError> {
    let io = |source| PolicyError::Io { path: path.into(), source };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MOST_POLICY_BYTES + 1).read_to_string(&mut text));
    read.map_err(io)?;
    if text.len() as u64 > MOST_POLICY_BYTES {
        return Err(io(io::Error::other("it is larger than 1 MiB, so it is no policy")));
    }
    let mut policy = parse(&text).map_err(|faults| PolicyError::Invalid { path: path.into(), faults })?;
    let path = std::path::absolute(path).map_err(io)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    for dir in policy.grants.fs_read.iter_mut().chain(&mut policy.grants.fs_write) {
        *dir = folder.join(&*dir);
    }
    policy.source = Some(path);
    Ok(policy)
}

fn parse(text: &str) -> Result<SandboxPolicy, Vec<(Option<usize>, ManifestError)>> {
    let line_of = |offset: usize| text[..text.floor_char_boundary(offset)].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| line_of(span.start));
        vec![(line, ManifestError::new("", format!("this is not TOML: {}", error.message().trim_end())))]
    })?;
    let mut lines = Vec::new();
    let value = object(table.get_ref(), "", &mut |path, offset| lines.push((path, line_of(offset))));
    SandboxPolicy::from_value(&value).map_err(|faults| {
        let line = |fault: &ManifestError| {
            let known = lines.iter().filter(|(path, _)| is_at_or_in(&fault.path, path));
            known.max_by_key(|(path, _)| path.len()).map(|&(_, line)| line)
        };
        let mut faults: Vec<_> = faults.into_iter().map(|fault| (line(&fault), fault)).collect();
        // A table's keys have lost the order that they have in the file.
        faults.sort_by_key(|&(line, _)| line);
        faults
    })
}

fn is_at_or_in(place: &str, path: &str) -> bool {
    place.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The table as JSON. `found` hears the path and the offset of every key.
fn object(table: &DeTable<'_>, prefix: &str, found: &mut dyn FnMut(String, usize)) -> Value {
    let mut fields = Map::new();
    for (key, value) in table {
        let name: &str = key.get_ref();
        let quoted = if name.contains('.') { format!("\"{name}\"") } else { name.to_owned() };
        let path = if prefix.is_empty() { quoted } else { format!("{prefix}.{quoted}") };
        found(path.clone(), key.span().start);
        fields.insert(name.to_owned(), json(value, &path, found));
    }
    Value::Object(fields)
}

fn json(value: &Spanned<DeValue<'_>>, path: &str, found: &mut dyn FnMut(String, usize)) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::from(&**text),
        // A number past 64 bits stays a text, and is refused as one.
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::from(number.as_str()), Value::from),
        // No value of a policy is a fraction, and `1e3` would pass for a whole number where it is checked.
        DeValue::Float(number) => Value::from(number.as_str()),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let path = format!("{path}[{index}]");
                found(path.clone(), item.span().start);
                json(item, &path, found)
            })
            .collect(),
        DeValue::Table(table) => object(table, path, found),
    }
}

/// The whole policy as a TOML file that says the same, with what each value means and may be.
#[must_use]
pub fn policy_to_toml(policy: &SandboxPolicy) -> String {
    let value = serde_json::to_value(policy).unwrap_or_default();
    let mut text = String::new();
    let mut open_section = "";
    let keys = keys();
    for PolicyKey { path, meaning, range, .. } in &keys {
        let (section, key) = path.split_once('.').unwrap_or(("", path));
        if section != open_section {
            let separator = if open_section.is_empty() { "" } else { "\n" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{separator}[{section}]");
            open_section = section;
        }
        let range = range.map_or_else(String::new, |(least, most)| format!(" ({least} to {most})"));
        let _ = writeln!(text, "# {meaning}{range}");
        let _ = match &value[section][key.trim_matches('"')] {
            Value::Null => writeln!(text, "# {key} is not set"),
            value => writeln!(text, "{key} = {}", toml_of(value)),
        };
    }
    text
}

/// Numbers, texts and lists of texts are written alike in JSON and TOML, but for one control character.
fn toml_of(value: &Value) -> String {
    value.to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        parse(text).unwrap_err().iter().map(|fault| listed(std::slice::from_ref(fault))).collect()
    }

    #[test]
    fn a_fault_names_line_key_range_and_nearest_name() {
        let text = "[limits]\nmemory_mb = 0\n\n[grants]\n\"fs.raed\" = []\nenv = [\"A\",\n  5]\n";
        assert_eq!(
            faults(text),
            [
                "  line 2: limits.memory_mb: 0 is too small: 1 is the least (`limits.memory_mb` may be 1 to 4096)",
                "  line 5: grants.\"fs.raed\": there is no field `fs.raed` here (did you mean `fs.read`?)",
                "  line 7: grants.env[1]: it must be a string, not the number 5",
            ]
        );
        assert!(faults("limits = 5")[0].starts_with("  line 1: limits: it must be an object"));
        assert!(
            faults("\n\n[limits\n")[0].starts_with("  line 3: this is not TOML"),
            "{:?}",
            faults("\n\n[limits\n")
        );
        assert!(faults("[limits]\nmemory_mb = 1e3")[0].contains("line 2"));
        assert!(faults("[limits]\nmemory_mb = 99999999999999999999")[0].contains("line 2"));
        assert!(faults("[limits]\nmemory_mb = 1\nmemory_mb = 2")[0].contains("line 3"));
    }

    #[test]
    fn what_is_written_out_reads_back_as_the_same_policy() {
        let mut policy = SandboxPolicy::default();
        assert_eq!(parse(&policy_to_toml(&policy)).unwrap(), policy);
        policy.limits.call_timeout_ms = Some(7);
        policy.grants.fs_read = vec!["/a \"b\"\\c\u{7f}".into(), "/ü".into()];
        policy.grants.env = vec!["A".into()];
        policy.restart.attempts = 3;
        assert_eq!(parse(&policy_to_toml(&policy)).unwrap(), policy);
    }

    #[test]
    fn directories_are_relative_to_the_policy_s_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("remotemedia.toml");
        std::fs::write(&file, "[grants]\n\"fs.read\" = [\"data\", \"/srv\"]\n").unwrap();
        let policy = load_policy(&file).unwrap();
        assert_eq!(policy.grants.fs_read, [folder.path().join("data"), PathBuf::from("/srv")]);
        assert_eq!(policy.source, Some(file));
        assert!(matches!(load_policy(&folder.path().join("absent")), Err(PolicyError::Io { .. })));
    }
}
