"""The Python nodes of the cpython bench."""


class Take:
    """Looks at nothing: what remains is the call."""

    def process(self, data):
        return None


class Same:
    def process(self, data):
        return data


class Halve:
    """Works in place, so it needs samples that nobody shares."""

    def process(self, data):
        samples, _ = data
        samples *= 0.5
        return data


class Coroutine:
    async def process(self, data):
        return data


class Hold:
    """Keeps the interpreter to itself for 200 ms."""

    def process(self, data):
        import ctypes

        ctypes.PyDLL(None).usleep(200_000)  # PyDLL, unlike CDLL, does not let go of the interpreter
        return data
