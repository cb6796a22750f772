//! What is wrong with a manifest: a list, because a user wants to mend everything in one go.

use std::fmt;

use serde::Serialize;

/// One fault, where it is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManifestError {
    /// JSON path of the offending value, for example `$.nodes[2].params.gain_db`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
    /// What to write instead, when that can be guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl ManifestError {
    /// A fault at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), suggestion: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Shown(&self.path), Shown(&self.message))?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, " ({})", Shown(suggestion))?;
        }
        Ok(())
    }
}

/// Words of the manifest on a terminal, which they must not steer: of control characters only line breaks and tabs are
/// left, and the others are written as escapes.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steers = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
        let mut rest = self.0;
        while let Some((before, letter)) =
            rest.find(steers).and_then(|at| rest[at..].chars().next().map(|letter| (&rest[..at], letter)))
        {
            write!(f, "{before}{}", letter.escape_default())?;
            rest = &rest[before.len() + letter.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// All faults of one manifest; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ManifestErrors(pub Vec<ManifestError>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_manifest_says_does_not_steer_the_terminal_that_shows_it() {
        let fault =
            ManifestError::new("$[\"\u{7f}d\"]", "no field `\u{1b}[2J\u{9b}31m`\n\there").suggest("\r, ü?");
        assert_eq!(fault.to_string(), "$[\"\\u{7f}d\"]: no field `\\u{1b}[2J\\u{9b}31m`\n\there (\\r, ü?)");
        assert_eq!(ManifestError::new("$", "plain").to_string(), "$: plain");
    }
}
