"""A progress bar, where a package that draws one is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Progress(Protocol):
    """Is told how far a run is."""

    def __call__(self, done: int, total: int | None, /) -> None: ...


class _Silent:
    def __call__(self, done: int, total: int | None, /) -> None:
        pass

    def close(self) -> None:
        pass


class _Told(_Silent):
    """The caller's own function."""

    def __init__(self, tell: Progress) -> None:
        self._tell = tell

    def __call__(self, done: int, total: int | None, /) -> None:
        self._tell(done, total)


class _Tqdm(_Silent):
    def __init__(self, tqdm: Callable[..., Any], title: str) -> None:
        self._tqdm, self._title = tqdm, title
        self._bar: Any = None

    def __call__(self, done: int, total: int | None, /) -> None:
        if self._bar is None:
            self._bar = self._tqdm(total=total, desc=self._title, unit="item")
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class _Rich(_Silent):
    def __init__(self, bars: Any, title: str) -> None:
        self._bars, self._title = bars, title
        self._task: Any = None

    def __call__(self, done: int, total: int | None, /) -> None:
        if self._task is None:
            self._bars.start()
            self._task = self._bars.add_task(self._title, total=total)
        self._bars.update(self._task, completed=done)

    def close(self) -> None:
        if self._task is not None:
            self._bars.stop()


def progress_of(wanted: bool | Progress, title: str) -> _Silent:
    """What `progress=` asks for: a bar by rich, else by tqdm, else nothing; or a function `(done, total)`."""
    if callable(wanted):
        return _Told(wanted)
    if not isinstance(wanted, bool):
        raise TypeError(f"progress must be True, False or a function (done, total), not a {type(wanted).__name__}")
    if wanted:
        try:
            from rich.progress import Progress as Bars
        except ImportError:
            pass
        else:
            return _Rich(Bars(), title)
        try:
            from tqdm.auto import tqdm
        except ImportError:
            pass
        else:
            return _Tqdm(tqdm, title)
    return _Silent()
