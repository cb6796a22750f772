"""Every example of docs/ml.md runs, with torch and transformers."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/ml.md"


def test_every_block_runs():
    text = PAGE.read_text(encoding="utf-8")
    blocks = list(re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    assert len(blocks) == text.count("```python") == 8
    names = {"__name__": "__main__"}
    for block in blocks:
        # Empty lines before it make tracebacks name the page's own lines.
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], PAGE.name, "exec"), names)
