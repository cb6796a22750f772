//! The node `text-filter`: passes, drops and rewrites text, one packet at a time and without patterns to get wrong.
//! In this order: trim, choose, replace, change case, drop what became empty.

use remotemedia_node::{Info, Node, NodeError, Outputs, Packet, Payload, PayloadKind, Port};

/// The params of a manifest.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Params {
    /// Take white space off both ends.
    trim: bool,
    /// Pass only text that contains one of these; empty passes all.
    contains: Vec<String>,
    /// Drop text that contains one of these.
    excludes: Vec<String>,
    /// Compare `contains` and `excludes` without regard to case.
    ignore_case: bool,
    /// Replacements, done one after the other on the whole text.
    replace: Vec<Replacement>,
    /// The case of what leaves.
    case: Case,
    /// Drop text that is empty in the end.
    drop_empty: bool,
}

/// Puts one text in the place of another.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Replacement {
    /// What is looked for, as it is written; not empty.
    #[schemars(length(min = 1))]
    from: String,
    /// What takes the place of every occurrence.
    to: String,
}

/// What happens to letters.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Case {
    /// They stay as they are.
    #[default]
    Keep,
    /// They become lower case.
    Lower,
    /// They become upper case.
    Upper,
}

/// The filter.
#[derive(Debug)]
struct TextFilter(Params);

impl TextFilter {
    fn passes(&self, text: &str) -> bool {
        let compared = |text: &str| if self.0.ignore_case { text.to_lowercase() } else { text.to_owned() };
        let text = compared(text);
        let has = |part: &String| text.contains(&compared(part));
        (self.0.contains.is_empty() || self.0.contains.iter().any(has)) && !self.0.excludes.iter().any(has)
    }

    fn rewritten(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for Replacement { from, to } in &self.0.replace {
            text = text.replace(from, to);
        }
        match self.0.case {
            Case::Keep => text,
            Case::Lower => text.to_lowercase(),
            Case::Upper => text.to_uppercase(),
        }
    }
}

impl Node for TextFilter {
    type Params = Params;
    const INFO: Info = Info::new(
        "text-filter",
        "Passes, drops and rewrites text.",
        &[Port { name: "in", kind: PayloadKind::Text }],
        &[Port { name: "out", kind: PayloadKind::Text }],
    )
    .stateless();

    fn new(params: Params) -> Result<Self, NodeError> {
        let searched = params.contains.iter().chain(&params.excludes);
        if searched.chain(params.replace.iter().map(|replacement| &replacement.from)).any(String::is_empty) {
            return Err(NodeError::invalid_params(
                "contains, excludes and replace.from look for text: an empty one is everywhere",
            ));
        }
        Ok(Self(params))
    }

    fn process(&mut self, _: u16, packet: Packet, out: &mut Outputs) -> Result<(), NodeError> {
        let Payload::Text(text) = packet.payload else {
            return Err(NodeError::invalid_input("`text-filter` takes text"));
        };
        let text = if self.0.trim { text.trim() } else { &text };
        if !self.passes(text) {
            return Ok(());
        }
        let text = self.rewritten(text);
        if !(self.0.drop_empty && text.is_empty()) {
            out.push(Packet::new(packet.pts_ns, text));
        }
        Ok(())
    }
}

remotemedia_node::export!(TextFilter);

#[cfg(test)]
mod tests {
    use super::*;
    use remotemedia_node::testing::start;

    /// What becomes of a text; `None` when it is dropped.
    fn filtered(params: &str, text: &str) -> Option<String> {
        let mut node = start::<TextFilter>(params).unwrap();
        let out = node.process(0, Packet::new(7, String::from(text))).unwrap();
        out.into_iter().next().map(|(port, packet)| match packet.payload {
            Payload::Text(text) if port == 0 && packet.pts_ns == 7 => text,
            other => panic!("{} on {port}", other.kind_name()),
        })
    }

    #[test]
    fn without_params_text_passes_unchanged() {
        assert_eq!(filtered("{}", " Grüße\n").unwrap(), " Grüße\n");
        assert_eq!(filtered("{}", "").unwrap(), "");
    }

    #[test]
    fn text_is_chosen_by_what_it_contains() {
        let params = r#"{"contains": ["error", "Warnung"], "excludes": ["debug"]}"#;
        assert!(filtered(params, "an error").is_some());
        assert!(filtered(params, "an Error").is_none());
        assert!(filtered(params, "a debug error").is_none());
        let params = r#"{"contains": ["GRÜSSE"], "ignore_case": true}"#;
        assert!(filtered(params, "Viele grüsse").is_some());
    }

    #[test]
    fn replacements_follow_each_other_and_case_comes_last() {
        let params = r#"{"replace": [{"from": "a", "to": "b"}, {"from": "bb", "to": "c"}], "case": "upper"}"#;
        assert_eq!(filtered(params, "ab aß").unwrap(), "C BSS");
        assert_eq!(filtered(r#"{"case": "lower"}"#, "ÄB").unwrap(), "äb");
    }

    #[test]
    fn trimmed_and_emptied_text_may_be_dropped() {
        assert_eq!(filtered(r#"{"trim": true}"#, "  x \n").unwrap(), "x");
        assert!(filtered(r#"{"trim": true, "drop_empty": true}"#, " \t").is_none());
    }

    #[test]
    fn empty_searches_and_other_payloads_are_refused() {
        assert!(start::<TextFilter>(r#"{"contains": [""]}"#).is_err());
        assert!(start::<TextFilter>(r#"{"replace": [{"from": "", "to": "x"}]}"#).is_err());
        let mut node = start::<TextFilter>("{}").unwrap();
        let error = node.process(0, Packet::new(0, vec![1_u8])).unwrap_err();
        assert_eq!(error.message(), "`text-filter` takes text");
    }
}
