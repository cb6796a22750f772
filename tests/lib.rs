//! What several integration tests need: paths of the repository's own files. It holds no assertions.
