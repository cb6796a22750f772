"""`python3 -m unittest` in this folder, with ../sdk on PYTHONPATH: the node without a host."""

import unittest

from gain import Gain
from remotemedia_node import INT16, Audio, NodeError, testing


class GainTest(unittest.TestCase):
    def test_twenty_decibels_are_a_factor_of_ten(self):
        node = testing.start(Gain, gain_db=20)
        self.assertEqual(node.audio([float(n) for n in range(150)]), [float(10 * n) for n in range(150)])

    def test_no_params_change_nothing(self):
        self.assertEqual(testing.start(Gain).audio([0.25, -1.0], channels=2), [0.25, -1.0])

    def test_integers_round_half_to_even_and_saturate(self):
        halved = testing.start(Gain, gain_db=-6.020599913279624)
        audio = Audio.from_bytes(8_000, 1, INT16, b"\x01\x00\x03\x00\xfd\xff")
        halved.process(audio)
        # 0.5, 1.5 and -1.5 are ties.
        self.assertEqual(audio.to_bytes(), b"\x00\x00\x02\x00\xfe\xff")
        loud = Audio.from_bytes(8_000, 1, INT16, b"\x00\x40\x00\x80")
        testing.start(Gain, gain_db=20).process(loud)
        self.assertEqual(loud.to_bytes(), b"\xff\x7f\x00\x80")

    def test_a_gain_out_of_range_or_of_another_name_is_refused(self):
        for params, message in [
            ({"gain_db": 1000}, "gain_db is 1000, must be from -150 to 150"),
            ({"gain": 1}, "params: unknown field `gain`, there is: `gain_db`"),
            ({"gain_db": "loud"}, 'gain_db is "loud", must be a number'),
        ]:
            with self.assertRaises(NodeError) as caught:
                testing.start(Gain, **params)
            self.assertEqual((caught.exception.kind, caught.exception.message), ("invalid_params", message))


if __name__ == "__main__":
    unittest.main()
