//! Components written by hand, for attacks that no compiler would write: `node.wat` is a whole node, and a case
//! changes one place of it.

const NODE: &str = include_str!("node.wat");

/// The text of a component.
pub struct HandMade(String);

impl HandMade {
    /// A node that gives audio back as it came.
    pub fn node() -> Self {
        Self(NODE.into())
    }

    /// The text of a component that shares nothing with `node.wat`.
    pub fn other(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The node with another body of that function.
    pub fn with(self, function: &str, body: &str) -> Self {
        let start = format!(";;[{function}\n");
        let (before, rest) = self.0.split_once(&start).expect("a function of node.wat");
        let (_, after) = rest.split_once(";;]").expect("every body of node.wat has an end");
        Self(format!("{before}{start}{body}\n;;]{after}"))
    }

    /// The node with more text at a place that node.wat marks: `IMPORTS`, `MODULE` or `COMPONENT`.
    pub fn adding(self, place: &str, text: &str) -> Self {
        self.replacing(&format!(";; {place}\n"), &format!("{text}\n;; {place}\n"))
    }

    /// The node with another text in the place of `old`.
    pub fn replacing(self, old: &str, new: &str) -> Self {
        assert!(self.0.contains(old), "`{old}` is not in the component");
        Self(self.0.replace(old, new))
    }

    /// The node importing the table that `$memory` exports into the module of the code.
    pub fn sharing_a_table(self) -> Self {
        self.replacing(
            "(core module $memory\n",
            "(core module $memory (type $none (func)) (table (export \"table\") 1 1 funcref)\n",
        )
        .replacing(
            "(core module $code\n",
            "(core module $code (type $none (func)) (import \"memory\" \"table\" (table 1 1 funcref))\n",
        )
    }

    /// The binary.
    pub fn bytes(&self) -> Vec<u8> {
        wat::parse_str(&self.0).unwrap_or_else(|error| panic!("{error}"))
    }
}
