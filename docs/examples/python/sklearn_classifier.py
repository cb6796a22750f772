"""A model as a node: scikit-learn tells tones from noise, by two features that another node measures."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from remotemedia import Node, Pipeline

RATE = 16000


class Features(Node):
    """How flat the spectrum is (1 for noise, 0 for a tone), and how often the signal crosses zero."""

    def process(self, data):
        samples, rate = data
        power = np.abs(np.fft.rfft(samples[0] * np.hanning(samples.shape[1]))) ** 2 + 1e-12
        flatness = np.exp(np.mean(np.log(power))) / np.mean(power)
        return np.array([flatness, np.mean(np.diff(np.sign(samples[0])) != 0)])


class Classifier(Node):
    def __init__(self, model):
        self.model = model

    def process(self, data):
        (probability,) = self.model.predict_proba(data[np.newaxis])[:, 1]
        return ("noise" if probability > 0.5 else "tone"), round(float(max(probability, 1 - probability)), 2)


def tone(hz):
    return np.sin(2 * np.pi * hz * np.arange(4096) / RATE)[np.newaxis], RATE


def noise(seed):
    return np.random.default_rng(seed).standard_normal((1, 4096)), RATE


tones, noises = [tone(hz) for hz in range(200, 2200, 100)], [noise(seed) for seed in range(20)]
features = Pipeline([Features()]).run_sync(tones + noises)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, [0] * 20 + [1] * 20)

unheard = {"a tone of 333 Hz": tone(333), "noise": noise(99), "a tone of 1234 Hz": tone(1234)}
answers = Pipeline([Features(), Classifier(model)]).run_sync(list(unheard.values()))
for what, (answer, sure) in zip(unheard, answers):
    print(f"{what}: {answer} ({'sure' if sure > 0.9 else 'not sure'})")
