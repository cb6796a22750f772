//! What a new node may be called: one name for the folder, the package and the node type.

use super::KitError;
use super::lock;

const MOST_BYTES: usize = 64;

/// Names that compilers keep for themselves.
const RESERVED: [&str; 62] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "node",
    "override",
    "plugin",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "sdk",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "target",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Checks a new node's name.
///
/// # Errors
/// When it is no kebab-case, too long, or taken.
pub(super) fn check(name: &str) -> Result<(), KitError> {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !begins_well || !name.split('-').all(is_word) || name.len() > MOST_BYTES {
        return Err(KitError::Usage(format!(
            "`{}` cannot be a node's name: lower-case words of letters and digits with `-` between them, at most {MOST_BYTES} \
             characters, a letter first; for example `{}`",
            name.escape_debug(),
            suggestion(name)
        )));
    }
    if RESERVED.contains(&name) || lock::packages().any(|package| package == name) {
        return Err(KitError::Usage(format!(
            "`{name}` cannot be a node's name: compilers or the packages that nodes are made of have taken it; for \
             example `my-{name}` is free"
        )));
    }
    Ok(())
}

/// The nearest name that would do.
fn suggestion(name: &str) -> String {
    let mut kebab = String::new();
    let mut before_lower = false;
    for letter in name.chars().take(MOST_BYTES - 8) {
        let begins_word = !letter.is_ascii_alphanumeric() || (letter.is_ascii_uppercase() && before_lower);
        if begins_word && !kebab.is_empty() && !kebab.ends_with('-') {
            kebab.push('-');
        }
        if letter.is_ascii_alphanumeric() {
            kebab.push(letter.to_ascii_lowercase());
        }
        before_lower = letter.is_ascii_lowercase();
    }
    let kebab = kebab.trim_end_matches('-');
    match kebab.bytes().next() {
        None => "my-node".into(),
        Some(first) if first.is_ascii_digit() => format!("node-{kebab}"),
        Some(_) => kebab.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kebab_case_is_a_name() {
        for name in ["gain", "my-tremolo", "eq3", "a-1-b"] {
            assert!(check(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn other_forms_are_refused_with_one_that_would_do() {
        for (name, better) in [
            ("MyTremolo", "`my-tremolo`"),
            ("my_tremolo", "`my-tremolo`"),
            ("3band", "`node-3band`"),
            ("../evil", "`evil`"),
            ("", "`my-node`"),
            ("gäin", "`g-in`"),
            ("a--b", "`a-b`"),
            ("-a", "`a`"),
            ("\u{1b}[31m", "`node-31m`"),
        ] {
            let error = check(name).unwrap_err().to_string();
            assert!(error.ends_with(better), "{name}: {error}");
            assert!(!error.contains('\u{1b}'), "{error:?}");
        }
        assert!(check(&"a".repeat(65)).is_err());
    }

    #[test]
    fn taken_names_are_refused() {
        for name in ["match", "test", "serde", "remotemedia-node"] {
            assert!(check(name).unwrap_err().to_string().contains("taken"), "{name}");
        }
    }
}
