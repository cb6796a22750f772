//! How deeply a JSON text nests, without reading it into values: a deep text is refused before it costs memory.

/// The most arrays and objects around anything in `json`. Of a text that is no JSON it is some number.
pub(crate) fn json_depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_but_not_those_in_strings() {
        for (json, depth) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a": [1, {"b": []}], "c": []}"#, 4),
            (r#""[[[[""#, 0),
            (r#"["\"[[", "\\", []]"#, 2),
            ("[[[[", 4),
            ("]]][", 1),
            ("", 0),
        ] {
            assert_eq!(json_depth(json), depth, "{json}");
        }
    }
}
