"""The node without a host; `remotemedia node test` runs this first."""

import unittest

from node import Gain
from remotemedia_node import NodeError, testing


class GainTest(unittest.TestCase):
    def test_twenty_decibels_are_a_factor_of_ten(self):
        self.assertEqual(testing.start(Gain, gain_db=20).audio([0.25, -1.0], channels=2), [2.5, -10.0])

    def test_a_gain_out_of_range_is_refused(self):
        with self.assertRaises(NodeError) as caught:
            testing.start(Gain, gain_db=1000)
        self.assertEqual(caught.exception.message, "gain_db is 1000, must be from -150 to 150")
