"""What tells the moods apart: the distribution of eight musical cues in each, and how cues become valence and arousal.

All numbers here are in *standard units*: zero is middling music, one is a clear step of that cue; :mod:`.sampling` maps them to
beats a minute, decibels and so on. The literature gives direction and order of importance, not numbers on these scales; the
sizes below were set by hand to follow them and to keep the moods overlapping (measured in docs/synthetic.md).

Sources:
    Gabrielsson & Lindström (2010), "The role of structure in the musical expression of emotions", in Juslin & Sloboda (eds),
        Handbook of Music and Emotion, Oxford: review of all eight cues; the same cue serves several emotions.
    Juslin & Laukka (2004), "Expression, perception, and induction of musical emotions", J. New Music Research 33(3), 217-238:
        cue profiles of anger, happiness, sadness and tenderness.
    Juslin (2000), "Cue utilization in communication of emotion in music performance", J. Exp. Psychol.: Human Perception and
        Performance 26(6), 1797-1813: cues are redundant, performers reach one emotion with different cues.
    Eerola, Friberg & Bresin (2013), "Emotional expression in music: contribution, linearity, and additivity of primary musical
        cues", Frontiers in Psychology 4:487: cues act linearly and add up; importance mode > tempo > register > dynamics >
        articulation > timbre.
    Hevner (1937), "The affective value of pitch and tempo in music", Am. J. Psychology 49(4), 621-630: register and tempo.
    Dalla Bella, Peretz, Rousseau & Gosselin (2001), "A developmental study of the affective value of tempo and mode in music",
        Cognition 80(3), B1-B10: tempo and mode decide between happy and sad.
    Ramos, Bueno & Bigand (2011), "Manipulating Greek musical modes and tempo affects perceived musical emotion in musicians
        and nonmusicians", Braz. J. Med. Biol. Res. 44(2), 165-172: tempo moves arousal, mode moves valence.
    Dean, Bailes & Schubert (2011), "Acoustic intensity causes perceived changes in arousal levels in music", PLoS ONE 6(4).
    Lahdelma & Eerola (2016), "Mild dissonance preferred over consonance in single chord perception", i-Perception 7(3):
        dissonant chords are heard as tense.
    Herbst (2018), "Heaviness and the electric guitar", Metal Music Studies 4(1), 95-113: distortion lowers sensory consonance.
"""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

CLASSES = ("Aggressive", "Dramatic", "Happy", "Romantic", "Sad")

# The order of every cue vector in this package.
CUE_NAMES = (
    "tempo",
    "mode",
    "register",
    "loudness",
    "articulation",
    "brightness",
    "tension",
    "roughness",
)


class MoodProfile(NamedTuple):
    """Means of a mood's cues in standard units; ``mode`` is the probability of a major key.

    Directions: tempo fast +, register high +, loudness loud +, articulation staccato +, brightness bright +, tension
    dissonant +, roughness distorted +.
    """

    tempo: float
    mode: float
    register: float
    loudness: float
    articulation: float
    brightness: float
    tension: float
    roughness: float


# Anger: fast, loud, minor, dissonant, staccato, sharp and noisy timbre; its register is left near the middle. Happiness: fast,
# major, high, staccato, bright, consonant. Tenderness (Romantic): slow, major, soft, legato, mellow. Sadness: slow, minor, low,
# soft, legato, dull. Dramatic has no basic emotion of its own in these reviews: it takes what they give for tension and
# solemnity, that is minor, low, loud, dissonant, at a middling pace and with a clean tone.
PROFILES: MappingProxyType[str, MoodProfile] = MappingProxyType(
    {
        "Aggressive": MoodProfile(0.9, 0.25, -0.2, 1.1, 0.7, 0.8, 0.7, 1.2),
        "Dramatic": MoodProfile(-0.1, 0.15, -0.7, 0.6, -0.3, -0.1, 1.1, 0.1),
        "Happy": MoodProfile(0.9, 0.90, 0.8, 0.3, 0.8, 0.6, -0.8, -0.4),
        "Romantic": MoodProfile(-0.6, 0.80, 0.4, -0.6, -0.8, -0.4, -0.6, -0.7),
        "Sad": MoodProfile(-1.0, 0.10, -0.5, -0.9, -0.6, -0.8, 0.1, -0.3),
    }
)

# Standard deviation around those means: between songs of a mood, and between the sections of one song. A song keeps its tempo,
# key, harmony and sound; its sections differ in register, loudness, articulation and, a little, brightness.
SONG_SPREAD = MappingProxyType(
    {
        "tempo": 0.62,
        "register": 0.52,
        "loudness": 0.52,
        "articulation": 0.52,
        "brightness": 0.62,
        "tension": 0.62,
        "roughness": 0.62,
    }
)
SECTION_SPREAD = MappingProxyType(
    {"register": 0.35, "loudness": 0.35, "articulation": 0.35, "brightness": 0.20}
)

# Linear weights, in the order of CUE_NAMES with mode as -1 minor, +1 major. Valence: the six cues that Eerola et al. varied in
# their order of importance (the small minus of loudness is our choice: loud music is both joyful and threatening), dissonance
# and distortion negative after Lahdelma & Eerola and Herbst. Arousal: tempo and loudness lead (Ramos et al.; Dean et al.), then
# articulation, roughness and brightness; mode has no part in it.
VALENCE_WEIGHTS = np.array([0.12, 0.30, 0.10, -0.05, 0.04, 0.02, -0.14, -0.10])
AROUSAL_WEIGHTS = np.array([0.21, 0.00, 0.03, 0.21, 0.10, 0.07, 0.05, 0.08])

# One listener's disagreement with the model, in valence and in arousal.
RATING_NOISE = 0.08


def valence_arousal(cue_vector: np.ndarray) -> np.ndarray:
    """Return the expected (valence, arousal) of cue vectors: ``cues @ weights``.

    Args:
        cue_vector: (..., 8) cues in standard units, in the order of :data:`CUE_NAMES`.

    Returns:
        (..., 2) valence and arousal, not yet clipped to [-1, 1] and without a listener's noise.
    """
    return np.stack([cue_vector @ VALENCE_WEIGHTS, cue_vector @ AROUSAL_WEIGHTS], axis=-1)
