"""Settings for all tests: one thread, Hypothesis profiles, and Triton without a GPU.

``pytest --hypothesis-profile=thorough`` is the long run.
"""

import gc
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy is first imported

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when Triton is first imported

SLOW_IS_FINE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
settings.register_profile(
    "quick", max_examples=50, deadline=None, suppress_health_check=SLOW_IS_FINE
)
settings.register_profile(
    "thorough", max_examples=5000, deadline=None, suppress_health_check=SLOW_IS_FINE
)
settings.load_profile("quick")


def pytest_collection_finish() -> None:
    """Freeze what exists, mostly modules and tests that live to the end, so that gc skips it."""
    gc.collect()
    gc.freeze()


def pytest_runtest_teardown() -> None:
    """Undo the number of threads that a training run has set for the whole process."""
    torch.set_num_threads(1)
