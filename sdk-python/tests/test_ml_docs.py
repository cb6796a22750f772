"""The examples of docs/ml.md that need no torch run. `make test-ml` runs all of them."""

from test_docs import BLOCK, DOCUMENTS

PAGE = (DOCUMENTS / "ml.md").read_text(encoding="utf-8")
WITH_TORCH = PAGE.index("\n## A torch module\n")


def run_blocks(blocks):
    """Runs them as one program. Tracebacks name the lines of the page."""
    names = {"__name__": "__main__"}
    for block in blocks:
        line = PAGE.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], "ml.md", "exec"), names)


def test_the_blocks_before_torch_run():
    blocks = list(BLOCK.finditer(PAGE, 0, WITH_TORCH))
    assert len(blocks) == 2
    assert all("torch" not in block[1] for block in blocks)
    run_blocks(blocks)
