"""Tools for tests of a training service: a service process, small data sets, a fake framework, a conformance suite."""

import sys

if "pytest" in sys.modules:  # the fake trainer imports this package too, without pytest
    import pytest

    pytest.register_assert_rewrite("trainer_kit.testing.conformance", "trainer_kit.testing.specs")
