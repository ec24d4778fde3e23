"""What tests of a training service need: a service process, a small data set, a framework that is none."""

import sys

if "pytest" in sys.modules:  # the fake trainer, which imports this too, has no need of it
    import pytest

    pytest.register_assert_rewrite("trainer_kit.testing.conformance", "trainer_kit.testing.specs")
