"""The models that ``accuracy.py`` chooses among: the project's DenseNet, a support vector machine, and extremely random trees.

Each is ``model(x, y, x_new, seed) -> predictions`` for standardised clip vectors: class probabilities for labels (integers), or
numbers for targets (floating point). Nothing is tuned inside; the constants were set on other divisions of the same data sets
(docs/accuracy.md).
"""

from collections.abc import Callable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.svm import SVC, SVR

from mer_jax.models.dense import DenseConfig, DenseNet
from mer_jax.training.step import split

Model = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]

TREES = {"n_estimators": 500, "min_samples_leaf": 2, "n_jobs": -1}
# Training of the dense networks: passes, clips a step, AdamW's step size and weight decay, shares of mixed clips from
# Beta(0.4, 0.4), smoothing of labels.
EPOCHS, BATCH, STEP_SIZE, WEIGHT_DECAY, MIXUP, SMOOTHING = 40, 64, 1e-3, 1e-2, 0.4, 0.05
# Networks with different initial weights and batches, whose outputs are averaged.
MEMBERS = 3


def is_labels(y: np.ndarray) -> bool:
    """Whether ``y`` holds classes, not numbers to predict."""
    return np.issubdtype(y.dtype, np.integer)


def support_vectors(x: np.ndarray, y: np.ndarray, x_new: np.ndarray, seed: int) -> np.ndarray:
    """SVM with a Gaussian kernel; probabilities are a softmax of its one-against-rest decisions."""
    del seed
    if is_labels(y):
        return softmax(SVC(C=2.0, gamma="scale").fit(x, y).decision_function(x_new))
    return np.stack([SVR(C=0.1, epsilon=0.05).fit(x, target).predict(x_new) for target in y.T], axis=1)


def random_trees(x: np.ndarray, y: np.ndarray, x_new: np.ndarray, seed: int) -> np.ndarray:
    """500 extremely randomised trees."""
    if is_labels(y):
        return ExtraTreesClassifier(**TREES, random_state=seed).fit(x, y).predict_proba(x_new)
    return ExtraTreesRegressor(**TREES, max_features=0.2, random_state=seed).fit(x, y).predict(x_new)


def dense(config: DenseConfig) -> Model:
    """The project's DenseNet of a configuration, trained with AdamW, a cosine schedule, mixup and smoothed labels."""
    return partial(_fit_dense, config)


def softmax(x: np.ndarray) -> np.ndarray:
    """Along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _fit_dense(config: DenseConfig, x: np.ndarray, y: np.ndarray, x_new: np.ndarray, seed: int) -> np.ndarray:
    mean, std = y.mean(axis=0), y.std(axis=0)
    goal = np.eye(int(y.max()) + 1)[y] if is_labels(y) else (y - mean) / std
    steps = len(x) // BATCH
    train = _trainer(config, x.shape[1], goal.shape[1], steps, is_labels(y))
    keys = jax.random.split(jax.random.key(seed), MEMBERS)
    # Four standard deviations are enough: a rare value far out would decide what the first layer does.
    kept, kept_new = (jnp.asarray(np.clip(part, -4, 4), jnp.float32) for part in (x, x_new))
    found = np.asarray(train(keys, kept, jnp.asarray(goal, jnp.float32), kept_new)).mean(axis=0)
    return found if is_labels(y) else found * std + mean


@lru_cache(maxsize=16)
def _trainer(
    config: DenseConfig, num_features: int, num_outputs: int, steps: int, classes: bool
) -> Callable[..., jax.Array]:
    """A compiled function (keys, x, goals, x_new) -> (members, clips, outputs) that trains one network a key side by side."""

    def loss(outputs: jax.Array, goal: jax.Array) -> jax.Array:
        if classes:
            return optax.softmax_cross_entropy(
                outputs, goal * (1 - SMOOTHING) + SMOOTHING / num_outputs
            ).mean()
        return jnp.square(outputs - goal).mean()

    def train(key: jax.Array, x: jax.Array, goal: jax.Array, x_new: jax.Array) -> jax.Array:
        for_weights, for_steps = jax.random.split(key)
        network = DenseNet(
            num_features=num_features, num_classes=num_outputs, config=config, rngs=nnx.Rngs(for_weights)
        )
        graph, params, rest = split(network)
        optimizer = optax.adamw(
            optax.cosine_decay_schedule(STEP_SIZE, EPOCHS * steps), weight_decay=WEIGHT_DECAY
        )

        def step(state: tuple, given: tuple[jax.Array, jax.Array]) -> tuple[tuple, None]:
            params, rest, moments = state
            rows, key = given
            for_share, for_partner, for_dropout = jax.random.split(key, 3)
            share = jax.random.beta(for_share, MIXUP, MIXUP, (BATCH, 1))
            partner = jax.random.permutation(for_partner, rows)
            mixed, mixed_goal = (share * part[rows] + (1 - share) * part[partner] for part in (x, goal))

            def objective(params: dict) -> tuple[jax.Array, dict]:
                network = nnx.merge(graph, params, rest)
                outputs = network(mixed, deterministic=False, rngs=for_dropout)
                return loss(outputs, mixed_goal), split(network)[2]

            grads, rest = jax.grad(objective, has_aux=True)(params)
            updates, moments = optimizer.update(grads, moments, params)
            return (optax.apply_updates(params, updates), rest, moments), None

        def epoch(state: tuple, key: jax.Array) -> tuple[tuple, None]:
            for_order, for_step = jax.random.split(key)
            order = jax.random.permutation(for_order, x.shape[0])[: steps * BATCH]
            return jax.lax.scan(step, state, (order.reshape(steps, BATCH), jax.random.split(for_step, steps)))

        start = (params, rest, optimizer.init(params))
        (params, rest, _), _ = jax.lax.scan(epoch, start, jax.random.split(for_steps, EPOCHS))
        outputs = nnx.merge(graph, params, rest)(x_new)
        return jax.nn.softmax(outputs) if classes else outputs

    return jax.jit(jax.vmap(train, in_axes=(0, None, None, None)))


#: What the choice in each fold is among.
CANDIDATES: dict[str, Model] = {
    "dense 512-256-128-64, dropout 0.3": dense(DenseConfig()),
    "dense 256-128, dropout 0.5": dense(DenseConfig(widths=(256, 128), dropout=0.5)),
    "support vectors": support_vectors,
    "random trees": random_trees,
}
