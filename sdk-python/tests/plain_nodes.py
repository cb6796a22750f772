"""Classes that are nodes without deriving from `remotemedia.Node`, as manifests of the host name them."""


class Times:
    def __init__(self, factor=2, name="times"):
        self.factor, self.name = factor, name

    def process(self, data):
        return data * self.factor


class Lifecycle:
    """Says what was called; has every method, as coroutines."""

    def __init__(self):
        self.called = ["init"]

    async def initialize(self):
        self.called.append("initialize")

    async def process(self, data):
        self.called.append(data)

    async def flush(self):
        return list(self.called)

    async def cleanup(self):
        self.called.append("cleanup")


class Total:
    is_streaming = True

    async def process(self, data):
        total = 0
        async for item in data:
            total += item
            yield total


class Count:
    is_source = True

    def __init__(self, most):
        self.most = most

    def process(self):
        yield from range(self.most)


class Minus:
    remotemedia_inputs = {"left": "any", "right": "any"}

    def __init__(self):
        self.waiting = {}

    def process(self, data, port):
        self.waiting[port] = data
        if len(self.waiting) == 2:
            return self.waiting.pop("left") - self.waiting.pop("right")


class Late:
    """Chooses its `process` in `initialize`."""

    def initialize(self):
        self.process = str

    def process(self, data):
        raise AssertionError


class Broken:
    def process(self, data):
        raise KeyError(data)


class Outer:
    class Inner:
        def process(self, data):
            return ("inner", data)


class NoProcess:
    pass
