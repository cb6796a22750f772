//! "Did you mean": the known name that is nearest to what somebody wrote.

use super::ManifestError;

/// Names longer than this are not compared: nobody mistyped them by a letter.
const LONGEST_COMPARED: usize = 64;
/// How many names are compared at most, so that a huge manifest with many faults stays cheap to refuse.
const MOST_COMPARED: usize = 1_000;
/// How many names a suggestion lists at most.
const MOST_LISTED: usize = 12;

/// The candidate that `written` was probably meant to be.
///
/// Near means: equal but for case and separators, or within a third of the length in edits (Damerau-Levenshtein,
/// transpositions counting once), or one is the beginning of the other.
pub fn name<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.is_empty() || written.len() > LONGEST_COMPARED {
        return None;
    }
    let folded = fold(written);
    let most_edits = (folded.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .take(MOST_COMPARED)
        .filter(|candidate| candidate.len() <= LONGEST_COMPARED)
        .filter_map(|candidate| {
            let known = fold(candidate);
            let edits = strsim::osa_distance(&folded, &known);
            let begins = folded.len().min(known.len()) >= 3
                && (folded.starts_with(&known) || known.starts_with(&folded));
            (edits <= most_edits || begins).then_some((edits, candidate))
        })
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
}

/// Adds "did you mean …" to `fault`, or else the list of what there is, introduced by `intro`.
pub(crate) fn or_list<'a>(
    fault: ManifestError,
    written: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
    intro: &str,
) -> ManifestError {
    if let Some(meant) = name(written, candidates.clone()) {
        return fault.suggest(format!("did you mean `{meant}`?"));
    }
    match list(candidates) {
        Some(names) => fault.suggest(format!("{intro} {names}")),
        None => fault,
    }
}

/// "`a`, `b` and `c`"; `None` when there is nothing to list.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut rest = names.into_iter();
    let mut names: Vec<String> = rest.by_ref().take(MOST_LISTED).map(|name| format!("`{name}`")).collect();
    let left_out = rest.count();
    if left_out > 0 {
        names.push(format!("{left_out} more"));
    }
    let last = names.pop()?;
    if names.is_empty() {
        return Some(last);
    }
    Some(format!("{} and {last}", names.join(", ")))
}

/// Lower case, without separators: `sampleRate` and `sample_rate` are the same intention.
fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_over_typos_case_and_separators() {
        let known = ["runtime_hint", "node_type", "params", "id"];
        for (written, meant) in [
            ("runtimeHint", Some("runtime_hint")),
            ("parms", Some("params")),
            ("paramsx", Some("params")),
            ("nodetype", Some("node_type")),
            ("node", Some("node_type")),
            ("di", Some("id")),
            ("type", None),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(name(written, known), meant, "{written}");
        }
    }

    #[test]
    fn lists_read_like_prose_and_stay_short() {
        assert_eq!(list([]), None);
        assert_eq!(list(["a"]).as_deref(), Some("`a`"));
        assert_eq!(list(["a", "b", "c"]).as_deref(), Some("`a`, `b` and `c`"));
        let many: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let text = list(many.iter().map(String::as_str)).unwrap();
        assert!(text.ends_with("`11` and 8 more"), "{text}");
    }
}
