"""A reporter for the terminal: plain lines when piped, progress bars with ETA when watched."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from medistill.train.progress import Progress as Listener
from medistill.train.progress import ProgressEvent

_PIPED_SECONDS = 15.0


class ConsoleReporter:
    """Speaks to a terminal through Rich; to a file in one line every quarter minute."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(text, markup=False)

    def training(self, title: str) -> Listener:
        """A bar for one training, with its loss."""
        bar = _Bar(self.console, title)

        def listen(event: ProgressEvent) -> None:
            note = f"epoch {event.epoch}/{event.epochs}, {event.images_per_second:.0f} images/s"
            if event.loss is not None:
                note += f", loss {event.loss:.3f}"
            bar.move(event.step, event.steps, note)

        return listen

    def counting(self, title: str) -> Callable[[int, int], None]:
        """A bar for a count."""
        bar = _Bar(self.console, title)
        return lambda done, total: bar.move(done, total, f"{done}/{total}")


class _Bar:
    """One progress bar; closes itself when the total is reached."""

    def __init__(self, console: Console, title: str) -> None:
        self.console, self.title = console, title
        self.progress: Progress | None = None
        self.task: TaskID | None = None
        self.started = self.spoken = time.monotonic()

    def move(self, done: int, total: int, note: str) -> None:
        """Show where the work stands."""
        if self.console.is_terminal:
            self._draw(done, total, note)
        else:
            self._speak(done, total, note)

    def _draw(self, done: int, total: int, note: str) -> None:
        if self.progress is None:
            self.progress = Progress(
                TextColumn("{task.description:28}"),
                BarColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=self.console,
            )
            self.progress.start()
            self.task = self.progress.add_task(self.title, total=total, note=note)
        if self.task is not None:
            self.progress.update(self.task, completed=done, total=total, note=note)
        if done >= total:
            self.progress.stop()

    def _speak(self, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if done < total and now - self.spoken < _PIPED_SECONDS:
            return
        self.spoken = now
        left = (now - self.started) / max(done, 1) * (total - done)
        rest = f", about {left:.0f} s left" if done < total else f", {now - self.started:.0f} s"
        self.console.print(f"{self.title}: {note}{rest}", markup=False)
