"""The HTTP side must start in a moment and need no accelerator."""

import subprocess
import sys


def test_the_adapter_loads_no_machine_learning_library() -> None:
    code = (
        "import sys, timm_service.app, timm_service.adapter; "
        "print([name for name in ('torch', 'timm', 'torchvision') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
