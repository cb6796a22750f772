//! Where an embedded signature lies: in a custom section that is the last one of the component. Tools that do not
//! know it skip it.

/// The custom section's name.
const SECTION: &str = "remotemedia-signature";
/// Magic number and version: where the first section begins.
const HEADER_BYTES: usize = 8;
const CUSTOM: u8 = 0;

/// Why a signature section cannot be trusted to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misplaced {
    /// The sections do not fill the file.
    #[error("its sections are cut off")]
    CutOff,
    /// It is not the last section.
    #[error("something follows the signature")]
    NotLast,
}

/// A component without its signature, and what the signature's section holds.
///
/// # Errors
/// When the sections of the component do not add up, or the signature is not the last of them.
pub(super) fn split(component: &[u8]) -> Result<(&[u8], Option<&[u8]>), Misplaced> {
    let mut rest = component.get(HEADER_BYTES..).ok_or(Misplaced::CutOff)?;
    while !rest.is_empty() {
        let content = &component[..component.len() - rest.len()];
        let (section, after) = section(rest).ok_or(Misplaced::CutOff)?;
        if let Some(signature) = section.signature() {
            return if after.is_empty() { Ok((content, Some(signature))) } else { Err(Misplaced::NotLast) };
        }
        rest = after;
    }
    Ok((component, None))
}

/// `content` with that signature.
pub(super) fn join(content: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(SECTION.len() + signature.len() + 1);
    write_length(&mut body, SECTION.len());
    body.extend_from_slice(SECTION.as_bytes());
    body.extend_from_slice(signature);
    let mut component = content.to_vec();
    component.push(CUSTOM);
    write_length(&mut component, body.len());
    component.extend(body);
    component
}

struct Section<'a> {
    id: u8,
    body: &'a [u8],
}

impl<'a> Section<'a> {
    fn signature(&self) -> Option<&'a [u8]> {
        if self.id != CUSTOM {
            return None;
        }
        let (length, rest) = read_length(self.body)?;
        let (name, data) = rest.split_at_checked(length)?;
        (name == SECTION.as_bytes()).then_some(data)
    }
}

/// The first section of `bytes`, and what follows it.
fn section(bytes: &[u8]) -> Option<(Section<'_>, &[u8])> {
    let (&id, rest) = bytes.split_first()?;
    let (length, rest) = read_length(rest)?;
    let (body, after) = rest.split_at_checked(length)?;
    Some((Section { id, body }, after))
}

/// An unsigned LEB128 of at most 32 bits.
fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()? as usize, &bytes[index + 1..]));
        }
    }
    None
}

fn write_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component() -> Vec<u8> {
        wat::parse_str("(component (core module (func)) (component))").unwrap()
    }

    #[test]
    fn what_was_joined_is_split_again_and_stays_a_component() {
        let content = component();
        for signature in [&b""[..], b"x", &[7; 300], &[7; 70_000]] {
            let joined = join(&content, signature);
            assert_eq!(split(&joined), Ok((&content[..], Some(signature))));
            let engine = wasmtime::Engine::default();
            assert!(wasmtime::component::Component::from_binary(&engine, &joined).is_ok());
        }
        assert_eq!(split(&content), Ok((&content[..], None)));
    }

    #[test]
    fn a_signature_inside_a_nested_component_or_with_another_name_is_none() {
        let nested =
            wat::parse_str(r#"(component (component (@custom "remotemedia-signature" "x")))"#).unwrap();
        assert_eq!(split(&nested), Ok((&nested[..], None)));
        let other = wat::parse_str(r#"(component (@custom "remotemedia-signature2" "x"))"#).unwrap();
        assert_eq!(split(&other), Ok((&other[..], None)));
    }

    #[test]
    fn what_follows_a_signature_and_what_is_cut_off_is_noticed() {
        let joined = join(&component(), b"signature");
        assert_eq!(split(&join(&joined, b"again")), Err(Misplaced::NotLast));
        let mut followed = joined.clone();
        followed.extend([CUSTOM, 2, 1, b'a']);
        assert_eq!(split(&followed), Err(Misplaced::NotLast));
        for cut in 0..joined.len() {
            // Cut between two sections, it is a component without a signature.
            if let Ok((content, signature)) = split(&joined[..cut]) {
                assert_eq!((content.len(), signature), (cut, None));
            }
        }
        assert_eq!(split(&joined[..joined.len() - 1]), Err(Misplaced::CutOff));
        let endless = [b"\0asm\x0d\0\x01\0".as_slice(), &[0, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
        assert_eq!(split(&endless), Err(Misplaced::CutOff));
    }
}
