//! Lies about what is returned: every value that comes out of a guest is checked, and the liar is stopped. The lies
//! are the deeds of `guest-nodes/rust/hostile/src/lies.rs`.

use remotemedia_core::{ErrorKind, Operation};
use remotemedia_host::Host;
use serde_json::json;

use super::trial::Trial;

fn lie(host: &Host, deed: &str, words: &str) {
    Trial::deed(host, deed).unhurried().ends(Operation::Process, ErrorKind::Trap, words);
}

super::cases! {
    fn audio_without_a_rate_is_refused(host) {
        lie(host, "zero_rate", "0 Hz is not audio");
    }

    fn audio_at_four_gigahertz_is_refused(host) {
        lie(host, "huge_rate", "audio at 4294967295 Hz");
    }

    /// What resamples it would make thousands of samples of each.
    fn audio_at_one_hertz_is_refused(host) {
        lie(host, "one_hertz", "audio at 1 Hz, below 1000 Hz (limits.lowest_sample_rate_hz)");
    }

    fn audio_without_channels_is_refused(host) {
        lie(host, "zero_channels", "at least one channel");
    }

    fn audio_of_sixty_thousand_channels_is_refused(host) {
        lie(host, "many_channels", "65535 channels");
    }

    fn audio_that_ends_within_a_frame_is_refused(host) {
        lie(host, "partial_frame", "not whole frames of 2 channels");
    }

    fn audio_that_ends_within_a_sample_is_refused(host) {
        lie(host, "partial_sample", "not whole frames");
    }

    fn json_that_is_none_is_refused(host) {
        lie(host, "bad_json", "JSON payload that is not JSON");
    }

    fn json_nested_a_hundred_thousand_deep_is_refused(host) {
        let trial = Trial::deed(host, "deep_json").unhurried();
        trial.ends(Operation::Process, ErrorKind::LimitExceeded, "nests 100000 deep");
    }

    fn text_of_a_rust_guest_that_is_not_utf8_is_refused(host) {
        lie(host, "bad_utf8", "utf-8");
    }

    fn a_tensor_whose_shape_does_not_fit_its_data_is_refused(host) {
        lie(host, "tensor_shape", "shape [2, 3]");
    }

    fn a_tensor_whose_data_does_not_fit_its_element_type_is_refused(host) {
        lie(host, "tensor_dtype", "do not fill");
    }

    fn a_tensor_whose_size_overflows_is_refused(host) {
        lie(host, "tensor_overflow", "do not fill");
    }

    fn a_tensor_of_ten_thousand_dimensions_is_refused(host) {
        lie(host, "tensor_rank", "10000 dimensions");
    }

    fn a_packet_on_a_port_that_was_not_declared_is_refused(host) {
        lie(host, "wrong_port", "output port 2, and it declares 2");
    }

    fn a_payload_of_a_kind_that_was_not_declared_is_refused(host) {
        lie(host, "wrong_kind", "text on output port `audio`");
    }

    /// Times at the ends of the scale, taken by native nodes that compute with them.
    fn times_at_the_ends_of_the_scale_harm_no_node_behind(host) {
        for (deed, rate) in [("first_time", 16_000), ("last_time", 44_100)] {
            Trial::deed(host, deed)
                .into("AudioGain", json!({"gain_db": 3}))
                .into("AudioResample", json!({"target_rate": rate}))
                .into("AudioChunker", json!({}))
                .into("ChannelMixer", json!({"output_channels": 2}))
                .into("VAD", json!({}))
                .ends_somehow();
        }
    }

    fn not_a_number_harms_no_node_behind(host) {
        for node_type in
            ["AudioGain", "AudioChunker", "AudioLevel", "SpectralFeatures", "Denoise", "VAD", "FormatConverter"]
        {
            Trial::deed(host, "nan").into(node_type, json!({})).ends_somehow();
        }
        Trial::deed(host, "nan").into("AudioResample", json!({"target_rate": 16_000})).ends_somehow();
        Trial::deed(host, "nan").into("ChannelMixer", json!({"output_channels": 2})).ends_somehow();
    }
}
