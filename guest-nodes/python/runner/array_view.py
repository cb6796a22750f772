"""The array that stands for a numpy array where there is no numpy: what a node of `cpython` may do with a
`numpy.ndarray` without importing numpy, in pure Python. Elements are Python's own `float`, `int` and `bool`; arithmetic
with floats is done in double precision and rounded to the array's type, as numpy rounds a single operation.

It deliberately has no broadcasting between shapes, no dtypes but the twelve of a packet, and no other functions of
numpy: a node that wants more needs numpy, and with it `runtime_hint: cpython`.
"""

import math
import operator
from array import array

CODES = {
    "bool": "?",
    "uint8": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}


class Flags:
    """`array.flags.writeable`, as numpy spells it."""

    writeable = True


class Array:
    """Elements in a flat buffer, seen through a shape and strides (counted in elements)."""

    __slots__ = ("_buffer", "_offset", "_strides", "dtype", "shape")
    flags = Flags()
    __hash__ = None

    def __init__(self, dtype, shape, buffer, offset=0, strides=None):
        self.dtype, self.shape, self._buffer, self._offset = dtype, tuple(shape), buffer, offset
        self._strides = strides if strides is not None else _c_strides(self.shape)

    @classmethod
    def from_bytes(cls, dtype, shape, data, strides=None):
        return cls(dtype, shape, memoryview(bytearray(data)).cast(CODES[dtype]), 0, strides)

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def T(self):
        return Array(self.dtype, self.shape[::-1], self._buffer, self._offset, self._strides[::-1])

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of an array without dimensions")
        return self.shape[0]

    def __iter__(self):
        if len(self.shape) == 1:
            return iter(self.tolist())
        return (self[index] for index in range(len(self)))

    def _view(self, key):
        """(shape, strides, offset) of what `key` selects."""
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys = keys[:at] + (slice(None),) * (len(self.shape) - len(keys) + 1) + keys[at + 1 :]
        if len(keys) > len(self.shape):
            raise IndexError(f"too many indices: {len(keys)} for {len(self.shape)} dimensions")
        shape, strides, offset = [], [], self._offset
        for axis, extent in enumerate(self.shape):
            one = keys[axis] if axis < len(keys) else slice(None)
            if isinstance(one, slice):
                start, stop, step = one.indices(extent)
                shape.append(len(range(start, stop, step)))
                strides.append(self._strides[axis] * step)
                offset += start * self._strides[axis]
            else:
                index = operator.index(one)
                if not -extent <= index < extent:
                    raise IndexError(f"index {index} is out of bounds for axis {axis} with size {extent}")
                offset += (index + extent if index < 0 else index) * self._strides[axis]
        return tuple(shape), tuple(strides), offset

    def __getitem__(self, key):
        shape, strides, offset = self._view(key)
        if not shape and self.shape:
            return self._buffer[offset]
        return Array(self.dtype, shape, self._buffer, offset, strides)

    def __setitem__(self, key, value):
        shape, strides, offset = self._view(key)
        target = Array(self.dtype, shape, self._buffer, offset, strides)
        if isinstance(value, Array) and value.shape == shape:
            values = value._flat()
        elif isinstance(value, (list, tuple, array, memoryview)) and len(shape) == 1 and len(value) == shape[0]:
            values = list(value)
        elif isinstance(value, (bool, int, float)):
            values = [value] * target.size
        else:
            raise ValueError(f"cannot put {_described(value)} where an array of shape {shape} is")
        convert = _converter(self.dtype)
        for place, element in zip(target._places(), values, strict=True):
            self._buffer[place] = convert(element)

    def _places(self):
        """The place of every element in the buffer, in C order."""
        places = [self._offset]
        for extent, stride in zip(self.shape, self._strides, strict=True):
            steps = [index * stride for index in range(extent)]
            places = [place + step for place in places for step in steps]
        return places

    def _flat(self):
        """Every element in C order, as a list."""
        if self._strides == _c_strides(self.shape):
            return self._buffer[self._offset : self._offset + self.size].tolist()
        if len(self.shape) == 1:
            return self._buffer[slice(*self._line())].tolist()
        buffer = self._buffer
        return [buffer[place] for place in self._places()]

    def _line(self):
        (extent,), (stride,) = self.shape, self._strides
        stop = self._offset + extent * stride
        return self._offset, (None if stop < 0 else stop), stride

    def tolist(self):
        """The elements as nested lists; of an array without dimensions, the element."""
        elements = self._flat()
        for extent in reversed(self.shape[1:]):
            step = max(extent, 1)
            elements = [elements[at : at + extent] for at in range(0, len(elements), step)]
        return elements if self.shape else elements[0]

    def item(self):
        """The only element."""
        (element,) = self._flat()
        return element

    def tobytes(self):
        """The elements in C order, little-endian."""
        if self._strides == _c_strides(self.shape):
            return self._buffer[self._offset : self._offset + self.size].tobytes()
        return _buffer_of(self.dtype, self._flat()).tobytes()

    def copy(self):
        """The same elements in memory of their own."""
        return Array(self.dtype, self.shape, _buffer_of(self.dtype, self._flat()))

    def astype(self, dtype):
        """A copy with elements of another type."""
        dtype = {float: "float64", int: "int64", bool: "bool"}.get(dtype, str(dtype))
        if dtype not in CODES:
            raise TypeError(f"there is no element type {dtype!r}: {', '.join(CODES)}")
        return Array(dtype, self.shape, _buffer_of(dtype, self._flat()))

    def reshape(self, *shape):
        """The same elements in another shape, copied."""
        shape = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
        known = math.prod(extent for extent in shape if extent != -1)
        shape = tuple(self.size // max(known, 1) if extent == -1 else extent for extent in shape)
        if math.prod(shape) != self.size:
            raise ValueError(f"cannot see {self.size} elements as shape {shape}")
        return Array(self.dtype, shape, _buffer_of(self.dtype, self._flat()))

    def sum(self):
        elements = self._flat()
        return math.fsum(elements) if self.dtype.startswith("float") else sum(elements)

    def mean(self):
        return math.fsum(self._flat()) / self.size if self.size else math.nan

    def min(self):
        return min(self._flat())

    def max(self):
        return max(self._flat())

    def _with(self, other, operation, swapped=False):
        if isinstance(other, Array):
            if other.shape != self.shape:
                raise ValueError(f"shapes {self.shape} and {other.shape} do not match; there is no broadcasting here")
            others, dtype = other._flat(), _common(self.dtype, other.dtype)
        elif isinstance(other, (bool, int, float)):
            dtype = self.dtype
            if not dtype.startswith("float") and (isinstance(other, float) or dtype == "bool"):
                dtype = "float64" if isinstance(other, float) else "int64"
            others = [_buffer_of(dtype, [other])[0]] * self.size
        else:
            return NotImplemented
        if operation is operator.truediv and not dtype.startswith("float"):
            dtype = "float64"
        pairs = zip(others, self._flat(), strict=True) if swapped else zip(self._flat(), others, strict=True)
        return Array(dtype, self.shape, _buffer_of(dtype, [operation(a, b) for a, b in pairs]))

    def _in_place(self, other, operation):
        result = self._with(other, operation)
        if result is NotImplemented:
            return result
        self[...] = result.astype(self.dtype)
        return self

    def __add__(self, other):
        return self._with(other, operator.add)

    def __sub__(self, other):
        return self._with(other, operator.sub)

    def __mul__(self, other):
        return self._with(other, operator.mul)

    def __truediv__(self, other):
        return self._with(other, _divide)

    def __radd__(self, other):
        return self._with(other, operator.add, True)

    def __rsub__(self, other):
        return self._with(other, operator.sub, True)

    def __rmul__(self, other):
        return self._with(other, operator.mul, True)

    def __rtruediv__(self, other):
        return self._with(other, _divide, True)

    def __iadd__(self, other):
        return self._in_place(other, operator.add)

    def __isub__(self, other):
        return self._in_place(other, operator.sub)

    def __imul__(self, other):
        return self._in_place(other, operator.mul)

    def __itruediv__(self, other):
        return self._in_place(other, _divide)

    def __neg__(self):
        return Array(self.dtype, self.shape, _buffer_of(self.dtype, [-element for element in self._flat()]))

    def __abs__(self):
        return Array(self.dtype, self.shape, _buffer_of(self.dtype, [abs(element) for element in self._flat()]))

    def __eq__(self, other):
        result = self._with(other, operator.eq)
        return result if result is NotImplemented else result.astype("bool")

    def __bool__(self):
        if self.size != 1:
            raise ValueError("the truth value of an array with more than one element is ambiguous")
        return bool(self.item())

    def __repr__(self):
        return f"array({self.tolist()!r}, dtype={self.dtype})"


def _c_strides(shape):
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def _common(one, other):
    order = list(CODES)
    return max(one, other, key=order.index)


def _divide(a, b):
    """Division as IEEE 754 has it, where Python raises."""
    try:
        return a / b
    except ZeroDivisionError:
        if a != a or a == 0:
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _converter(dtype):
    if dtype.startswith("float"):
        return float
    return bool if dtype == "bool" else int


def _buffer_of(dtype, elements):
    """A new writable buffer of `elements`."""
    code = CODES[dtype]
    if code in "fd":
        return memoryview(array(code, elements))
    buffer = memoryview(bytearray(len(elements) * memoryview(bytearray(8)).cast(code).itemsize)).cast(code)
    convert = _converter(dtype)
    for place, element in enumerate(elements):
        buffer[place] = convert(element)
    return buffer


def _described(value):
    return f"an array of shape {value.shape}" if isinstance(value, Array) else f"a {type(value).__name__}"
