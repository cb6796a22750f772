//! Tensors: a shape, an element type and row-major little-endian bytes. No arithmetic.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::foreign::{Foreign, Owner};

/// The element type of a tensor, by its numpy name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum DType {
    Bool,
    Uint8,
    Int8,
    Uint16,
    Int16,
    Uint32,
    Int32,
    Uint64,
    Int64,
    Float16,
    Float32,
    Float64,
}

impl DType {
    /// Bytes of one element.
    #[must_use]
    pub const fn bytes_per_element(self) -> usize {
        match self {
            Self::Bool | Self::Uint8 | Self::Int8 => 1,
            Self::Uint16 | Self::Int16 | Self::Float16 => 2,
            Self::Uint32 | Self::Int32 | Self::Float32 => 4,
            Self::Uint64 | Self::Int64 | Self::Float64 => 8,
        }
    }

    /// The numpy name, for example `float32`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Uint8 => "uint8",
            Self::Int8 => "int8",
            Self::Uint16 => "uint16",
            Self::Int16 => "int16",
            Self::Uint32 => "uint32",
            Self::Int32 => "int32",
            Self::Uint64 => "uint64",
            Self::Int64 => "int64",
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }

    /// The element type of that numpy name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        use DType::{
            Bool, Float16, Float32, Float64, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64,
        };
        [Bool, Uint8, Int8, Uint16, Int16, Uint32, Int32, Uint64, Int64, Float16, Float32, Float64]
            .into_iter()
            .find(|dtype| dtype.name() == name)
    }
}

/// The data's length does not fit the shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes do not fill a {} tensor of shape {shape:?}", dtype.name())]
pub struct TensorError {
    dtype: DType,
    shape: Vec<usize>,
    bytes: usize,
}

#[derive(Clone, Debug)]
enum Elements {
    Own(Bytes),
    Foreign(Arc<Owner<u8>>),
}

/// An n-dimensional array in row-major (C) order. Cloning shares the data.
#[derive(Clone, Debug)]
pub struct Tensor {
    dtype: DType,
    shape: Arc<[usize]>,
    elements: Elements,
}

impl Tensor {
    /// Takes row-major little-endian `data` without copying it. An empty shape is a scalar.
    ///
    /// # Errors
    /// When the length of `data` is not the product of `shape` times the element size.
    pub fn new(dtype: DType, shape: &[usize], data: Bytes) -> Result<Self, TensorError> {
        fill(dtype, shape, data.len())?;
        Ok(Self { dtype, shape: shape.into(), elements: Elements::Own(data) })
    }

    /// As [`Tensor::new`], of elements that `owner` keeps.
    ///
    /// # Errors
    /// As [`Tensor::new`].
    pub fn from_foreign(
        dtype: DType,
        shape: &[usize],
        owner: impl Foreign<u8> + 'static,
    ) -> Result<Self, TensorError> {
        fill(dtype, shape, owner.as_slice().len())?;
        let elements = Elements::Foreign(Arc::new(Owner::new(owner)));
        Ok(Self { dtype, shape: shape.into(), elements })
    }

    /// The element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The extents, outermost first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Row-major little-endian elements.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        match &self.elements {
            Elements::Own(data) => data,
            Elements::Foreign(owner) => owner.get().as_slice(),
        }
    }

    /// The owner of foreign elements; `None` when the host owns them.
    #[must_use]
    pub fn foreign(&self) -> Option<&dyn Foreign<u8>> {
        match &self.elements {
            Elements::Own(_) => None,
            Elements::Foreign(owner) => Some(owner.get()),
        }
    }

    /// Foreign elements for writing in place, when nobody else holds them.
    pub fn foreign_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.elements {
            Elements::Own(_) => None,
            Elements::Foreign(owner) => Arc::get_mut(owner)?.get_mut().as_mut_slice(),
        }
    }

    /// The elements alone, copied when they are foreign; a sole owner may then write to them in place.
    #[must_use]
    pub fn into_data(self) -> Bytes {
        match self.elements {
            Elements::Own(data) => data,
            Elements::Foreign(owner) => Bytes::copy_from_slice(owner.get().as_slice()),
        }
    }

    /// The same elements, in memory of the host's when they were lent.
    #[must_use]
    pub fn into_own(self) -> Self {
        if self.foreign().is_some_and(Foreign::is_lent) {
            let (dtype, shape) = (self.dtype, Arc::clone(&self.shape));
            return Self { dtype, shape, elements: Elements::Own(self.into_data()) };
        }
        self
    }
}

impl PartialEq for Tensor {
    /// Equal types, shapes and bytes, whoever owns them.
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.shape == other.shape && self.data() == other.data()
    }
}

impl Eq for Tensor {}

/// Do `bytes` fill a tensor of that type and shape?
fn fill(dtype: DType, shape: &[usize], bytes: usize) -> Result<(), TensorError> {
    // Nothing is nothing, however large the other extents are and wherever they stand.
    let needed = if shape.contains(&0) {
        Some(0)
    } else {
        shape.iter().try_fold(dtype.bytes_per_element(), |bytes, &extent| bytes.checked_mul(extent))
    };
    if needed == Some(bytes) { Ok(()) } else { Err(TensorError { dtype, shape: shape.to_vec(), bytes }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::tests::block;

    #[test]
    fn data_must_fill_the_shape_exactly() {
        assert!(Tensor::new(DType::Float32, &[2, 3], Bytes::from(vec![0; 24])).is_ok());
        assert!(Tensor::new(DType::Float32, &[], Bytes::from(vec![0; 4])).is_ok());
        let error = Tensor::new(DType::Int16, &[5], Bytes::from(vec![0; 9])).unwrap_err();
        assert_eq!(error.to_string(), "9 bytes do not fill a int16 tensor of shape [5]");
        assert!(Tensor::new(DType::Uint8, &[usize::MAX, 2], Bytes::new()).is_err());
        for shape in [[0, usize::MAX, 2], [usize::MAX, 2, 0]] {
            assert!(Tensor::new(DType::Uint8, &shape, Bytes::new()).is_ok(), "{shape:?}");
        }
    }

    #[test]
    fn foreign_elements_are_shared_until_they_are_lent_and_leave() {
        let owner = block(vec![1, 0, 2, 0], true);
        let address = owner.first.as_ptr();
        let mut lent = Tensor::from_foreign(DType::Int16, &[2], owner).unwrap();
        assert_eq!(lent.clone().data().as_ptr(), address);
        assert!(lent.foreign_mut().is_none());
        let own = lent.clone().into_own();
        assert!(own.foreign().is_none() && own == lent);
        assert_eq!(own.into_data(), Bytes::from(vec![1, 0, 2, 0]));
        let mut sole = Tensor::from_foreign(DType::Uint8, &[2], block(vec![1, 2], false)).unwrap();
        sole.foreign_mut().unwrap()[0] = 7;
        let (mut sole, shared) = (sole.clone().into_own(), sole);
        assert!(sole.foreign_mut().is_none());
        drop(shared);
        assert_eq!(sole.foreign_mut().unwrap(), [7, 2]);
        assert!(Tensor::from_foreign(DType::Int16, &[2], block(vec![0; 3], true)).is_err());
    }

    #[test]
    fn every_dtype_is_found_by_its_name() {
        for dtype in [DType::Bool, DType::Float16, DType::Uint64] {
            assert_eq!(DType::from_name(dtype.name()), Some(dtype));
        }
        assert_eq!(DType::from_name("complex64"), None);
    }
}
