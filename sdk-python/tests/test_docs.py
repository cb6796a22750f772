"""The documents' examples run, block after block, as a reader would type them."""

import re
from pathlib import Path

import pytest

DOCUMENTS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("name", "least"), [("python-sdk.md", 15), ("migration.md", 7)])
def test_every_block_of_the_document_runs(name, least, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (DOCUMENTS / name).read_text(encoding="utf-8")
    names = {"__name__": "__main__"}
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```python") >= least
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        # Empty lines before it make tracebacks name the document's own lines.
        exec(compile("\n" * line + block[1], name, "exec"), names)
