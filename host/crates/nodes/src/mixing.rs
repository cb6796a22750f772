//! Mixing matrices: the layouts of WAVE files and the standard mixes between them. No samples.
//!
//! Source: ITU-R BS.775-4, Annex 4 (downward mixing: C and surrounds at 1/√2 into L and R) and the channel order of
//! WAVEFORMATEXTENSIBLE.

use schemars::JsonSchema;
use serde::Deserialize;

/// A loudspeaker layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One channel.
    Mono,
    /// Left, right.
    Stereo,
    /// Left, right, centre.
    #[serde(rename = "3.0")]
    ThreeZero,
    /// Left, right, back left, back right.
    Quad,
    /// Left, right, centre, back left, back right.
    #[serde(rename = "5.0")]
    FiveZero,
    /// Left, right, centre, LFE, back left, back right.
    #[serde(rename = "5.1")]
    FiveOne,
    /// Left, right, centre, LFE, back centre, side left, side right.
    #[serde(rename = "6.1")]
    SixOne,
    /// Left, right, centre, LFE, back left, back right, side left, side right.
    #[serde(rename = "7.1")]
    SevenOne,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    Left,
    Right,
    Centre,
    Lfe,
    BackLeft,
    BackRight,
    BackCentre,
    SideLeft,
    SideRight,
}

use Speaker::{BackCentre, BackLeft, BackRight, Centre, Left, Lfe, Right, SideLeft, SideRight};

impl Layout {
    /// The usual layout of so many channels; `None` beyond 8.
    pub(crate) fn of_channels(channels: u16) -> Option<Self> {
        match channels {
            1 => Some(Self::Mono),
            2 => Some(Self::Stereo),
            3 => Some(Self::ThreeZero),
            4 => Some(Self::Quad),
            5 => Some(Self::FiveZero),
            6 => Some(Self::FiveOne),
            7 => Some(Self::SixOne),
            8 => Some(Self::SevenOne),
            _ => None,
        }
    }

    const fn speakers(self) -> &'static [Speaker] {
        match self {
            Self::Mono => &[Centre],
            Self::Stereo => &[Left, Right],
            Self::ThreeZero => &[Left, Right, Centre],
            Self::Quad => &[Left, Right, BackLeft, BackRight],
            Self::FiveZero => &[Left, Right, Centre, BackLeft, BackRight],
            Self::FiveOne => &[Left, Right, Centre, Lfe, BackLeft, BackRight],
            Self::SixOne => &[Left, Right, Centre, Lfe, BackCentre, SideLeft, SideRight],
            Self::SevenOne => &[Left, Right, Centre, Lfe, BackLeft, BackRight, SideLeft, SideRight],
        }
    }
}

const MINUS_3_DB: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// Where a speaker that the output lacks goes: the first line whose speakers all exist.
fn substitutes(speaker: Speaker) -> &'static [&'static [(Speaker, f64)]] {
    match speaker {
        Centre => &[&[(Left, MINUS_3_DB), (Right, MINUS_3_DB)]],
        BackLeft => &[&[(SideLeft, 1.0)], &[(Left, MINUS_3_DB)]],
        BackRight => &[&[(SideRight, 1.0)], &[(Right, MINUS_3_DB)]],
        SideLeft => &[&[(BackLeft, 1.0)], &[(Left, MINUS_3_DB)]],
        SideRight => &[&[(BackRight, 1.0)], &[(Right, MINUS_3_DB)]],
        BackCentre => &[
            &[(BackLeft, MINUS_3_DB), (BackRight, MINUS_3_DB)],
            &[(SideLeft, MINUS_3_DB), (SideRight, MINUS_3_DB)],
            &[(Left, 0.5), (Right, 0.5)],
        ],
        Left | Right | Lfe => &[],
    }
}

/// The standard mix of `channels` channels to `target`.
pub(crate) fn standard_matrix(channels: u16, target: Layout) -> Result<Matrix, String> {
    let source = Layout::of_channels(channels);
    match (source, target) {
        (Some(Layout::Mono), _) => Ok(from_mono(target)),
        (_, Layout::Mono) => Ok(mean(channels, source)),
        (Some(source), _) => Ok(by_speakers(source.speakers(), target.speakers())),
        (None, _) => Matrix::discrete(channels, target.speakers().len() as u16),
    }
}

fn from_mono(target: Layout) -> Matrix {
    let speakers = target.speakers();
    let has_centre = speakers.contains(&Centre);
    let heard = |speaker: &Speaker| *speaker == Centre || (!has_centre && matches!(speaker, Left | Right));
    Matrix {
        inputs: 1,
        rows: speakers.iter().map(|speaker| if heard(speaker) { 1.0 } else { 0.0 }).collect(),
    }
}

fn mean(channels: u16, source: Option<Layout>) -> Matrix {
    let lfe = source.and_then(|layout| layout.speakers().iter().position(|speaker| *speaker == Lfe));
    let heard = f64::from(channels) - if lfe.is_some() { 1.0 } else { 0.0 };
    let inputs = usize::from(channels);
    Matrix {
        inputs,
        rows: (0..inputs).map(|input| if Some(input) == lfe { 0.0 } else { 1.0 / heard }).collect(),
    }
}

fn by_speakers(source: &[Speaker], target: &[Speaker]) -> Matrix {
    let mut matrix = Matrix { inputs: source.len(), rows: vec![0.0; source.len() * target.len()] };
    let position = |speaker: Speaker| target.iter().position(|other| *other == speaker);
    for (input, &speaker) in source.iter().enumerate() {
        if let Some(output) = position(speaker) {
            matrix.rows[output * source.len() + input] = 1.0;
            continue;
        }
        let exists = |line: &&&[(Speaker, f64)]| line.iter().all(|(speaker, _)| target.contains(speaker));
        for &(substitute, coefficient) in
            substitutes(speaker).iter().find(exists).copied().unwrap_or_default()
        {
            if let Some(output) = position(substitute) {
                matrix.rows[output * source.len() + input] = coefficient;
            }
        }
    }
    matrix
}

/// Linear coefficients, one row per output channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    inputs: usize,
    rows: Vec<f64>,
}

impl Matrix {
    pub(crate) fn from_rows(rows: &[Vec<f64>]) -> Result<Self, String> {
        let inputs = rows.first().map_or(0, Vec::len);
        let sizes = 1..=64;
        if !sizes.contains(&rows.len()) || !sizes.contains(&inputs) {
            return Err("`matrix` needs 1 to 64 rows of 1 to 64 coefficients".into());
        }
        if let Some(row) = rows.iter().position(|row| row.len() != inputs) {
            return Err(format!(
                "row 0 of `matrix` has {inputs} coefficients, row {row} has {}",
                rows[row].len()
            ));
        }
        Ok(Self { inputs, rows: rows.concat() })
    }

    /// Keeps channels as they are and adds silent ones; refuses to leave any out.
    pub(crate) fn discrete(inputs: u16, outputs: u16) -> Result<Self, String> {
        if outputs == 1 {
            return Ok(mean(inputs, Layout::of_channels(inputs)));
        }
        if outputs < inputs {
            return Err(format!(
                "there is no standard mix of {inputs} channels to {outputs}; say what you want with `matrix`"
            ));
        }
        let inputs = usize::from(inputs);
        let cell = |index: usize| if index / inputs == index % inputs { 1.0 } else { 0.0 };
        Ok(Self { inputs, rows: (0..inputs * usize::from(outputs)).map(cell).collect() })
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.rows.len() / self.inputs
    }

    pub(crate) fn row(&self, output: usize) -> &[f64] {
        &self.rows[output * self.inputs..][..self.inputs]
    }

    pub(crate) fn is_identity(&self) -> bool {
        let expected = |index: usize| if index / self.inputs == index % self.inputs { 1.0 } else { 0.0 };
        self.outputs() == self.inputs
            && self.rows.iter().enumerate().all(|(index, cell)| *cell == expected(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_one_to_five_one_folds_the_sides_into_the_back() {
        let matrix = standard_matrix(8, Layout::FiveOne).unwrap();
        assert_eq!(matrix.row(4), [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        assert_eq!(matrix.row(3), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn six_one_to_stereo_spreads_the_back_centre() {
        let matrix = standard_matrix(7, Layout::Stereo).unwrap();
        assert_eq!(matrix.row(0), [1.0, 0.0, MINUS_3_DB, 0.0, 0.5, MINUS_3_DB, 0.0]);
    }

    #[test]
    fn a_layout_to_itself_is_the_identity() {
        for channels in 1..=8 {
            let layout = Layout::of_channels(channels).unwrap();
            assert!(standard_matrix(channels, layout).unwrap().is_identity(), "{layout:?}");
        }
    }

    #[test]
    fn stereo_in_surround_stays_in_front() {
        let matrix = standard_matrix(2, Layout::SevenOne).unwrap();
        let heard: Vec<_> = (0..8).map(|output| matrix.row(output).to_vec()).collect();
        assert_eq!(heard[0], [1.0, 0.0]);
        assert_eq!(heard[1], [0.0, 1.0]);
        assert!(heard[2..].iter().flatten().all(|cell| *cell == 0.0));
    }

    #[test]
    fn discrete_channels_are_kept_and_never_dropped() {
        let matrix = Matrix::discrete(2, 10).unwrap();
        assert_eq!((matrix.outputs(), matrix.row(1), matrix.row(9)), (10, &[0.0, 1.0][..], &[0.0, 0.0][..]));
        assert!(Matrix::discrete(10, 9).is_err());
        assert_eq!(Matrix::discrete(4, 1).unwrap().row(0), [0.25; 4]);
    }
}
