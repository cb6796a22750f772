//! The envelope of a stream of any length in bounded memory, and its picture with segments.

use std::fmt::Write;

use remotemedia_core::AudioBuffer;

use super::score::Segment;

/// At most this many columns are kept; twice what a wide page shows.
const MOST_COLUMNS: usize = 2400;

/// Least and greatest sample of every stretch of the stream, all channels together.
#[derive(Clone, Debug)]
pub struct Waveform {
    columns: Vec<(f32, f32)>,
    frames_per_column: u64,
    /// Frames in the last column.
    filled: u64,
    frames: u64,
    sample_rate_hz: u32,
}

impl Default for Waveform {
    fn default() -> Self {
        Self { columns: Vec::new(), frames_per_column: 64, filled: 64, frames: 0, sample_rate_hz: 1 }
    }
}

impl Waveform {
    /// Adds the next stretch of the stream.
    pub fn push(&mut self, audio: &AudioBuffer) {
        let spec = audio.spec();
        self.sample_rate_hz = spec.sample_rate_hz;
        for frame in audio.to_f32().chunks_exact(usize::from(spec.channels)) {
            if self.filled == self.frames_per_column {
                if self.columns.len() == MOST_COLUMNS {
                    self.halve();
                }
                self.columns.push((f32::INFINITY, f32::NEG_INFINITY));
                self.filled = 0;
            }
            if let Some((least, most)) = self.columns.last_mut() {
                for &sample in frame {
                    *least = least.min(sample);
                    *most = most.max(sample);
                }
            }
            self.filled += 1;
            self.frames += 1;
        }
    }

    /// Joins neighbouring columns. There is an even number of them, all full.
    fn halve(&mut self) {
        self.columns = self
            .columns
            .chunks(2)
            .map(|pair| pair.iter().fold(pair[0], |a, b| (a.0.min(b.0), a.1.max(b.1))))
            .collect();
        self.frames_per_column *= 2;
        self.filled = self.frames_per_column;
    }

    /// Length of what was pushed.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.frames as f64 / f64::from(self.sample_rate_hz)
    }

    /// The picture: the envelope, above it the lane of true segments, below it the lane of found ones.
    pub(super) fn to_svg(&self, found: &[Segment], truth: &[Segment]) -> String {
        const WIDTH: f64 = 1200.0;
        const HEIGHT: f64 = 150.0;
        let top = if truth.is_empty() { 6.0 } else { 30.0 };
        let bottom = top + HEIGHT;
        let lane = bottom + 8.0;
        let total_height = lane + 18.0 + 26.0;
        let seconds = self.seconds().max(1e-9);
        let x_of = |ns: i64| (ns as f64 / 1e9 / seconds).clamp(0.0, 1.0) * WIDTH;
        let mut svg = format!(
            "<svg class=\"wave\" viewBox=\"0 0 {WIDTH} {total_height}\" role=\"img\" \
             aria-label=\"the waveform with its segments\">\n"
        );
        for (segments, class, y, height) in
            [(truth, "truth", top - 24.0, 16.0), (found, "band", top, HEIGHT), (found, "found", lane, 16.0)]
        {
            for (number, segment) in segments.iter().enumerate() {
                let (x, end) = (x_of(segment.start_ns), x_of(segment.end_ns));
                let _ = writeln!(
                    svg,
                    "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{y}\" width=\"{:.2}\" height=\"{height}\" rx=\"{}\">\
                     <title>{class} {}: {:.2}–{:.2} s</title></rect>",
                    (end - x).max(1.0),
                    if class == "band" { 0 } else { 4 },
                    number + 1,
                    segment.start_ns as f64 / 1e9,
                    segment.end_ns as f64 / 1e9,
                );
            }
        }
        let _ = writeln!(svg, "<path class=\"envelope\" d=\"{}\"/>", self.outline(top, HEIGHT, WIDTH));
        axis(&mut svg, seconds, WIDTH, lane + 22.0);
        svg.push_str("</svg>");
        svg
    }

    /// The envelope as one closed line: upper edge forth, lower edge back. Scaled to the loudest sample.
    fn outline(&self, top: f64, height: f64, width: f64) -> String {
        let peak =
            self.columns.iter().map(|(least, most)| least.abs().max(most.abs())).fold(1e-6_f32, f32::max);
        let total = self.frames.max(1) as f64 / self.frames_per_column as f64;
        let x = |at: usize| ((at as f64 + 0.5) / total).min(1.0) * width;
        let y = |sample: f32| top + height / 2.0 * (1.0 - f64::from(sample / peak) * 0.96);
        let mut path = String::from("M");
        for (at, (_, most)) in self.columns.iter().enumerate() {
            let _ = write!(path, "{:.1} {:.1} ", x(at), y(*most) - 0.4);
        }
        for (at, (least, _)) in self.columns.iter().enumerate().rev() {
            let _ = write!(path, "{:.1} {:.1} ", x(at), y(*least) + 0.4);
        }
        path.push('z');
        path
    }
}

/// Seconds under the picture, at round distances.
fn axis(svg: &mut String, seconds: f64, width: f64, y: f64) {
    let steps = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0];
    let step = steps.into_iter().find(|step| seconds / step <= 14.0).unwrap_or(seconds / 10.0);
    let mut mark = 0.0;
    while mark <= seconds {
        let x = mark / seconds * width;
        let anchor = if x < 12.0 {
            "start"
        } else if x > width - 30.0 {
            "end"
        } else {
            "middle"
        };
        let _ = write!(
            svg,
            "<path class=\"tick\" d=\"M{x:.1} {y:.1}v5\"/><text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\" \
             text-anchor=\"{anchor}\">{}</text>",
            y + 18.0,
            if step < 1.0 { format!("{mark:.1} s") } else { format!("{mark:.0} s") },
        );
        mark += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_of_a_long_stream_keeps_its_extremes_in_bounded_memory() {
        let mut waveform = Waveform::default();
        let mut samples = vec![0.0_f32; 1_000_003];
        samples[17] = 0.9;
        samples[999_999] = -0.7;
        for chunk in samples.chunks(977) {
            waveform.push(&AudioBuffer::from_f32(16_000, 1, chunk.to_vec()).unwrap());
        }
        assert!(waveform.columns.len() <= MOST_COLUMNS);
        assert!(waveform.columns.len() > MOST_COLUMNS / 2 - 1);
        assert_eq!(waveform.columns[0].1, 0.9);
        assert_eq!(waveform.columns.last().unwrap().0, -0.7);
        assert_eq!(waveform.frames, 1_000_003);
        let covered = (waveform.columns.len() as u64 - 1) * waveform.frames_per_column + waveform.filled;
        assert_eq!(covered, 1_000_003);
    }
}
