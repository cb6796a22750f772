"""Small nodes whose results are easy to foresee."""

from remotemedia import Node


class Plus(Node):
    def __init__(self, addend=1, **kwargs):
        super().__init__(**kwargs)
        self.addend = addend

    def process(self, data):
        return data + self.addend


class Tag(Node):
    """Wraps what comes in a tuple with a letter: the result shows the way it took."""

    def __init__(self, letter, **kwargs):
        super().__init__(**kwargs)
        self.letter = letter

    def process(self, data):
        return (self.letter, data)


class Identity(Node):
    def process(self, data):
        return data


class OnlyOdd(Node):
    def process(self, data):
        return data if data % 2 else None


class Repeat(Node):
    """A generator: each item as often as it says."""

    def process(self, data):
        for _ in range(data):
            yield data


class RepeatLater(Node):
    """The same as an asynchronous generator."""

    async def process(self, data):
        for _ in range(data):
            yield data


class PlusLater(Plus):
    """A coroutine function."""

    async def process(self, data):
        return data + self.addend


class RunningSum(Node):
    is_streaming = True

    async def process(self, data):
        total = 0
        async for item in data:
            total += item
            yield total


class Sum(Node):
    """A streaming node that only answers at the end."""

    is_streaming = True

    async def process(self, data):
        return sum([item async for item in data])


class Last(Node):
    """Gives nothing until the end of the stream."""

    def __init__(self):
        self.last = None

    def process(self, data):
        self.last = data

    def flush(self):
        return self.last


class Fails(Node):
    """Raises `error` in the operation called `where`; in `process` for the item `at` only."""

    def __init__(self, where="process", error=ValueError("no good"), at=None):
        self.where, self.error, self.at = where, error, at

    def _maybe(self, where):
        if self.where == where:
            raise self.error

    def initialize(self):
        self._maybe("initialize")

    def process(self, data):
        if self.at is None or data == self.at:
            self._maybe("process")
        return data

    def flush(self):
        self._maybe("flush")

    def cleanup(self):
        self._maybe("cleanup")


class Diary(Node):
    """Writes down what is called."""

    def __init__(self, diary, letter=""):
        self.diary, self.letter = diary, letter

    def initialize(self):
        self.diary.append(self.letter + "initialize")

    def process(self, data):
        self.diary.append(f"{self.letter}process {data}")
        return data

    def flush(self):
        self.diary.append(self.letter + "flush")

    def cleanup(self):
        self.diary.append(self.letter + "cleanup")


class Numbers(Node):
    """A source that counts to `most`."""

    is_source = True

    def __init__(self, most):
        self.most, self.n = most, 0

    def process(self, data=None):
        self.n += 1
        return self.n if self.n <= self.most else None


class Mix(Node):
    """Two inputs, told apart."""

    remotemedia_inputs = {"left": "any", "right": "any"}

    def process(self, data, port):
        return (port, data)
