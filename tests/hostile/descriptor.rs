//! Lies about oneself: what a hand-made component's `describe` says, and what its params schema costs the host.

use remotemedia_core::{ErrorKind, Operation};

use super::hand_made::HandMade;
use super::trial::Trial;

/// Where `descriptor` lies in the memory of node.wat, and its fields of eight bytes each.
const DESCRIPTOR: usize = 1024;
const NODE_TYPE: usize = 0;
const SUMMARY: usize = 2;
const INPUTS: usize = 3;
const OUTPUTS: usize = 4;
const SCHEMA: usize = 5;

/// Free memory.
const FREE: usize = 70_000;

/// A node whose field of that number is `length` long and holds `content`.
fn with_field(field: usize, length: usize, content: &[u8]) -> HandMade {
    let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let place = [(FREE as u32).to_le_bytes(), (length as u32).to_le_bytes()].concat();
    HandMade::node()
        .adding(
            "MODULE",
            &format!(
                "(data (i32.const {}) \"{}\") (data (i32.const {FREE}) \"{}\")",
                DESCRIPTOR + 8 * field,
                escaped(&place),
                escaped(content)
            ),
        )
        .replacing("(memory (export \"memory\") 4)", "(memory (export \"memory\") 256)")
}

fn saying(field: usize, text: &str) -> HandMade {
    with_field(field, text.len(), text.as_bytes())
}

fn describe_ends(host: &remotemedia_host::Host, node: &HandMade, words: &str) {
    Trial::hand_made(host, node).ends(Operation::Describe, ErrorKind::Trap, words);
}

/// A port of 12 bytes with a name of one letter, at `FREE`.
fn port_named(letter: u8) -> Vec<u8> {
    let name = (FREE as u32 + 24).to_le_bytes();
    let port = [&name[..], &[1, 0, 0, 0], &[0, 0, 0, 0]].concat();
    [&port[..], &port[..], &[letter]].concat()
}

super::cases! {
    fn a_thousand_ports_are_refused(host) {
        describe_ends(host, &with_field(INPUTS, 1_000, &[0; 12_000]), "inputs has 1000 ports");
    }

    fn a_million_ports_are_refused(host) {
        let node = with_field(OUTPUTS, 1_000_000, &[]);
        Trial::hand_made(host, &node).ends(Operation::Describe, ErrorKind::LimitExceeded, "asked too much of the host");
    }

    fn a_port_without_a_name_is_refused(host) {
        describe_ends(host, &with_field(INPUTS, 1, &[0; 12]), "inputs has a port ``");
    }

    fn a_port_named_with_a_terminal_escape_is_refused_and_not_printed(host) {
        describe_ends(host, &with_field(OUTPUTS, 1, &port_named(0x1b)), "\\u{1b}");
    }

    fn two_ports_of_one_name_are_refused(host) {
        describe_ends(host, &with_field(INPUTS, 2, &port_named(b'a')), "inputs has a port `a`");
    }

    fn a_node_type_that_is_no_name_is_refused(host) {
        describe_ends(host, &saying(NODE_TYPE, "../../gain"), "node-type `../../gain` is not a name");
    }

    fn an_empty_node_type_is_refused(host) {
        describe_ends(host, &saying(NODE_TYPE, ""), "node-type `` is not a name");
    }

    fn a_node_type_of_a_megabyte_is_refused_and_cut(host) {
        describe_ends(host, &saying(NODE_TYPE, &"a".repeat(1 << 20)), "is not a name");
    }

    fn a_component_that_claims_to_be_another_node_is_refused(host) {
        let node = saying(NODE_TYPE, "AudioGain");
        Trial::hand_made(host, &node).must_be_refused(&["$.nodes[1].component", "`handmade`", "`AudioGain`"]);
    }

    fn a_summary_of_a_megabyte_is_cut(host) {
        let node = saying(SUMMARY, &"so good ".repeat(1 << 17));
        let trial = Trial::hand_made(host, &node);
        assert_eq!(trial.descriptor().summary.len(), 4_096);
        trial.must_be_harmless();
    }

    fn a_params_schema_that_is_no_json_is_refused(host) {
        describe_ends(host, &saying(SCHEMA, "{\"type\": "), "params-schema is not JSON");
    }

    fn a_params_schema_that_is_no_object_is_refused(host) {
        describe_ends(host, &saying(SCHEMA, "[1, 2]"), "params-schema is not a JSON Schema object");
    }

    fn a_params_schema_that_is_no_schema_is_refused(host) {
        let node = saying(SCHEMA, r#"{"type": 7, "minimum": "much"}"#);
        Trial::hand_made(host, &node).must_be_refused(&["$.nodes[1]", "handmade", "is not a JSON Schema"]);
    }

    fn a_params_schema_nested_a_hundred_thousand_deep_is_refused(host) {
        let deep = format!("{}{}", r#"{"not":"#.repeat(100_000), "}".repeat(100_000));
        describe_ends(host, &saying(SCHEMA, &deep), "params-schema");
    }

    fn a_params_schema_of_a_megabyte_is_refused(host) {
        let fields: Vec<String> = (0..30_000).map(|n| format!(r#""field{n}":{{"type":"string"}}"#)).collect();
        let wide = format!(r#"{{"properties":{{{}}}}}"#, fields.join(","));
        describe_ends(host, &saying(SCHEMA, &wide), "params-schema");
    }

    /// Checking anything against it would not end.
    fn a_params_schema_that_is_only_itself_is_refused(host) {
        describe_ends(host, &saying(SCHEMA, r##"{"allOf": [{"$ref": "#"}]}"##), "params-schema refers to itself");
    }

    fn a_params_schema_that_refers_in_a_circle_is_refused(host) {
        let circle = r##"{"$ref": "#/$defs/a", "$defs": {
            "a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}"##;
        describe_ends(host, &saying(SCHEMA, circle), "params-schema refers to itself");
    }

    /// Forty definitions, each of which is twice the one before: 2^40 checks of one value.
    fn a_params_schema_that_doubles_forty_times_is_refused(host) {
        let doubles: Vec<String> = (1..=40)
            .map(|n| format!(r##""d{n}":{{"allOf":[{{"$ref":"#/$defs/d{0}"}},{{"$ref":"#/$defs/d{0}"}}]}}"##, n - 1))
            .collect();
        let bomb = format!(r##"{{"$ref":"#/$defs/d40","$defs":{{"d0":{{}},{}}}}}"##, doubles.join(","));
        describe_ends(host, &saying(SCHEMA, &bomb), "places to check");
    }

    fn a_params_schema_with_a_pattern_that_explodes_is_refused(host) {
        let node = saying(SCHEMA, r#"{"patternProperties": {"((a{100}){100}){100}": {}}}"#);
        Trial::hand_made(host, &node).must_be_refused(&["$.nodes[1]", "is not a JSON Schema"]);
    }

    /// Each of them is small enough by itself.
    fn a_params_schema_with_a_thousand_large_patterns_is_refused(host) {
        let fields: Vec<String> = (0..1_000).map(|n| format!(r#""f{n}":{{"pattern":"(a{{100}}){{90}}"}}"#)).collect();
        let patterns = format!(r#"{{"properties":{{{}}}}}"#, fields.join(","));
        describe_ends(host, &saying(SCHEMA, &patterns), "params-schema has more than 64 regular expressions");
    }

    /// The host follows references by calling itself.
    fn a_params_schema_that_refers_on_and_on_is_refused(host) {
        let chain: Vec<String> =
            (1..=5_000).map(|n| format!(r##""d{n}":{{"$ref":"#/$defs/d{}"}}"##, n - 1)).collect();
        let chain = format!(r##"{{"$ref":"#/$defs/d5000","$defs":{{"d0":{{}},{}}}}}"##, chain.join(","));
        describe_ends(host, &saying(SCHEMA, &chain), "params-schema nests more than 200 levels deep");
    }

    fn a_params_schema_that_would_colour_an_error_message_is_refused(host) {
        let coloured = r#"{"properties": {"\u001b[31mred": {}}, "additionalProperties": false}"#;
        describe_ends(host, &saying(SCHEMA, coloured), "params-schema holds control characters");
    }

    fn a_params_schema_that_refers_to_a_file_of_the_host_is_refused(host) {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), r#"{"const": "a secret"}"#).unwrap();
        let node = saying(SCHEMA, &format!(r#"{{"$ref": "file://{}"}}"#, secret.path().display()));
        let trial = Trial::hand_made(host, &node);
        assert!(!trial.refusal().contains("a secret"), "the file was read");
    }
}
