"""A node that gives back what it gets, for packets of anything."""


class Echo:
    def process(self, value):
        return value
