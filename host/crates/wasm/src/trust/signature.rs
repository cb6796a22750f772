//! The text of signatures, the same inside a component and in a file beside it: a header, then one line for each
//! key that signed. What is signed is the component without its signature, by its SHA-256.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::digest::sha256;
use super::failure::TrustFailure;
use super::key::{PrivateKey, PublicKey};

const HEADER: &str = "remotemedia-signature v1";
/// Keeps a signature of a node from being one of anything else that the same key may sign.
const CONTEXT: &[u8] = b"remotemedia node signature v1\n";
/// No text of signatures is longer, in bytes: about 400 keys.
pub(super) const MOST_TEXT_BYTES: usize = 64 << 10;

/// Who signed, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    key: PublicKey,
    bytes: [u8; 64],
}

impl Signature {
    fn is_of(&self, message: &[u8]) -> bool {
        self.key.verifies(message, &self.bytes)
    }
}

/// A key that signed a component, or something that the component was once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// Whose signature it is.
    pub key: PublicKey,
    /// Whether it is of what the component holds now. If not, the component was altered, or the signature made up.
    pub is_of_this: bool,
}

/// Signatures of one component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signatures(Vec<Signature>);

impl Signatures {
    /// Reads what [`Signatures::to_text`] wrote.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &[u8]) -> Result<Self, TrustFailure> {
        let malformed = |reason: &str| TrustFailure::Malformed { reason: reason.into() };
        if text.len() > MOST_TEXT_BYTES {
            return Err(malformed("it is far too long"));
        }
        let text = std::str::from_utf8(text).map_err(|_| malformed("it is not text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(malformed(&format!("it does not begin with `{HEADER}`")));
        }
        let signatures = lines.enumerate().map(|(index, line)| {
            parse_line(line)
                .ok_or_else(|| malformed(&format!("line {} holds no key and signature", index + 2)))
        });
        match signatures.collect::<Result<Vec<_>, _>>()? {
            none if none.is_empty() => Err(malformed("it names no key")),
            signatures => Ok(Self(signatures)),
        }
    }

    pub fn to_text(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|Signature { key, bytes }| format!("{key} {}\n", BASE64_STANDARD.encode(bytes)));
        format!("{HEADER}\n{}", lines.collect::<String>())
    }

    /// Adds the signatures of `other`.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Signs `content`. The key's earlier signature goes, and so do signatures of another content.
    pub fn sign(&mut self, content: &[u8], key: &PrivateKey) {
        let message = message(content);
        let public = key.public();
        self.0.retain(|signature| signature.key != public && signature.is_of(&message));
        self.0.push(Signature { key: public, bytes: key.sign(&message) });
    }

    /// Which of `trusted` signed `content`.
    ///
    /// # Errors
    /// `Altered` when a trusted key signed something else, `UnknownKey` when none signed at all.
    pub fn verify(&self, content: &[u8], trusted: &[PublicKey]) -> Result<PublicKey, TrustFailure> {
        let message = message(content);
        let of_trusted = || self.0.iter().filter(|signature| trusted.contains(&signature.key));
        match (of_trusted().find(|signature| signature.is_of(&message)), of_trusted().next()) {
            (Some(good), _) => Ok(good.key),
            (None, Some(bad)) => Err(TrustFailure::Altered { key: bad.key }),
            (None, None) => {
                Err(TrustFailure::UnknownKey { keys: self.0.iter().map(|one| one.key).collect() })
            }
        }
    }

    /// Every key, and whether `content` is what it signed. A key may sign in the component and beside it.
    pub fn judge(&self, content: &[u8]) -> Vec<SignedBy> {
        let message = message(content);
        let mut judged: Vec<SignedBy> = Vec::new();
        for one in &self.0 {
            let signed = SignedBy { key: one.key, is_of_this: one.is_of(&message) };
            if !judged.contains(&signed) {
                judged.push(signed);
            }
        }
        judged
    }

    pub fn keys(&self) -> Vec<PublicKey> {
        self.0.iter().map(|signature| signature.key).collect()
    }
}

fn message(content: &[u8]) -> Vec<u8> {
    [CONTEXT, &sha256(content).0].concat()
}

fn parse_line(line: &str) -> Option<Signature> {
    let (key, signature) = line.split_once(' ')?;
    let bytes = BASE64_STANDARD.decode(signature).ok()?.try_into().ok()?;
    Some(Signature { key: key.parse().ok()?, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::generate().unwrap()
    }

    fn signed(content: &[u8], keys: &[&PrivateKey]) -> Signatures {
        let mut signatures = Signatures::default();
        for key in keys {
            signatures.sign(content, key);
        }
        signatures
    }

    #[test]
    fn the_text_survives_and_every_changed_character_of_it_is_refused() {
        let author = key();
        let signatures = signed(b"content", &[&author]);
        let text = signatures.to_text();
        assert_eq!(Signatures::parse(text.as_bytes()), Ok(signatures));
        let trusted = [author.public()];
        for position in 0..text.len() - 1 {
            let mut changed = text.clone().into_bytes();
            changed[position] ^= 1;
            let verified = Signatures::parse(&changed).and_then(|read| read.verify(b"content", &trusted));
            assert!(verified.is_err(), "character {position} was not noticed");
        }
    }

    #[test]
    fn unknown_and_altered_are_told_apart() {
        let (author, stranger) = (key(), key());
        let trusted = [author.public()];
        assert_eq!(signed(b"a", &[&author]).verify(b"a", &trusted), Ok(author.public()));
        let altered = Err(TrustFailure::Altered { key: author.public() });
        assert_eq!(signed(b"a", &[&author]).verify(b"b", &trusted), altered);
        let unknown = Err(TrustFailure::UnknownKey { keys: vec![stranger.public()] });
        assert_eq!(signed(b"a", &[&stranger]).verify(b"a", &trusted), unknown);
        assert_eq!(signed(b"a", &[&stranger, &author]).verify(b"a", &trusted), Ok(author.public()));
    }

    #[test]
    fn signing_again_replaces_the_keys_own_and_drops_those_of_another_content() {
        let (author, reviewer) = (key(), key());
        let mut signatures = signed(b"a", &[&author, &reviewer, &author]);
        assert_eq!(signatures.keys(), [reviewer.public(), author.public()]);
        signatures.sign(b"b", &author);
        assert_eq!(signatures.keys(), [author.public()]);
    }

    #[test]
    fn what_is_no_text_of_signatures_says_why() {
        for (text, part) in [
            (&b"\xff"[..], "not text"),
            (b"", "begin with"),
            (b"remotemedia-signature v2\n", "begin with"),
            (b"remotemedia-signature v1\n", "no key"),
            (b"remotemedia-signature v1\ned25519:AAAA BBBB\n", "line 2"),
            (&[b'x'; MOST_TEXT_BYTES + 1], "too long"),
        ] {
            let error = Signatures::parse(text).unwrap_err();
            assert!(matches!(error, TrustFailure::Malformed { .. }), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
