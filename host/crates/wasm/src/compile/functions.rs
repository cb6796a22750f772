//! Counts the functions of a component before anything is compiled: each costs the compiler some time and memory,
//! however small it is.

use wasmparser::{Parser, Payload};

use super::failure::CompileFailure;

/// Refuses a component with more than `most` functions in all its modules together. What cannot be parsed is the
/// compiler's to refuse.
pub(super) fn check(component: &[u8], most: u64) -> Result<(), CompileFailure> {
    let sections = Parser::new(0).parse_all(component).map_while(Result::ok);
    let functions = sections
        .map(|section| match section {
            Payload::FunctionSection(functions) => u64::from(functions.count()),
            Payload::ComponentCanonicalSection(functions) => u64::from(functions.count()),
            _ => 0,
        })
        .sum();
    if functions > most { Err(CompileFailure::TooManyFunctions { functions, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_all_nested_modules_count() {
        let text = "(component
            (core module (func) (func))
            (component (core module (func)) (component (core module (func) (func)))))";
        let bytes = wat::parse_str(text).unwrap();
        assert_eq!(check(&bytes, 5), Ok(()));
        assert_eq!(check(&bytes, 4), Err(CompileFailure::TooManyFunctions { functions: 5, most: 4 }));
    }

    #[test]
    fn what_is_no_component_is_left_to_the_compiler() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0\x01\xff\xff"] {
            assert_eq!(check(bytes, 0), Ok(()));
        }
    }
}
