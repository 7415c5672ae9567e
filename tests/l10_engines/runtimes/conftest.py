from __future__ import annotations

import pytest

# The suites live outside the tests, and their failures should show values all the same.
pytest.register_assert_rewrite("drystone.testing.conformance")
