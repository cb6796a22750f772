//! What several benches need. It holds no measurements.
