"""The driver's monitor: takes what workers send, and alone writes terminal, TensorBoard, `metrics.jsonl` and pictures.

It runs in a thread of the driver. Nothing that fails here (a full disk, a store that is away, a closed terminal) ends
the run: it is reported once, what was to be written is kept, and it is tried again.
"""

import json
import logging
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from dcgan_dist.cli.invocation import command_line, in_a_job, tool_line
from dcgan_dist.errors import DcganDistError
from dcgan_dist.model.pixels import grid, png
from dcgan_dist.monitoring.collapse import Finding, Health
from dcgan_dist.monitoring.hangs import LastHeartbeat
from dcgan_dist.monitoring.messages import BadImages, Message, Pictures, Scalars, Started
from dcgan_dist.monitoring.sinks.curves import Curves, Measured, Probed, scalar_of
from dcgan_dist.monitoring.sinks.registry import open_sinks
from dcgan_dist.monitoring.sinks.sink import Sink, Status
from dcgan_dist.monitoring.sinks.terminal import Terminal, Totals, workers_lines
from dcgan_dist.monitoring.stragglers import Ranks
from dcgan_dist.numerals import count
from dcgan_dist.run_folder.attempts import workers_file
from dcgan_dist.run_folder.checkpoint import keep_before
from dcgan_dist.settings import Settings
from dcgan_dist.storage import Place

logger = logging.getLogger(__name__)

INTERVAL_S = 0.5
"""Between two looks into the mailbox."""

COPY_S = 60.0
"""Between two copies of growing files to an object store, which takes only whole files."""

CLOSE_S = 10.0
"""How long the last messages are waited for at the end."""

WALK_COLUMNS = 10


class Source(Protocol):
    """Where messages come from: a `Receiver`, or a list in a test."""

    def receive(self, timeout_s: float) -> list[Message]:
        """What has come since the last time; waits for it at most `timeout_s`."""
        ...


class Monitor:
    """Writes down how a run goes. `start`, then `close`, which prints where everything lies."""

    def __init__(
        self,
        run: Place,
        settings: Settings,
        source: Source,
        terminal: Terminal,
        totals: Totals,
        name_of: Callable[[int], str] = "number {}".format,
        on_scalars: Callable[[int, Mapping[str, float]], None] = lambda images, values: None,
    ) -> None:
        """
        Args:
            name_of: what a person knows an image of the data set by, from its number.
            on_scalars: called with every point of the curves: images, and values by metric name.
        """
        self._run = run
        self._settings = settings
        self._source = source
        self._terminal = terminal
        self._totals = totals
        self._name_of = name_of
        self._on_scalars = on_scalars
        self._group: Started | None = None
        self._newest_images = 0
        self._terminal_lock = threading.Lock()
        self._failing: set[str] = set()
        self._health = Health(settings.optimization.loss)
        self._findings: list[Finding] = []
        self._ranks = Ranks()
        self._rank_values: dict[str, float] = {}
        self._files: dict[Place, bytes] = {}
        self._probed: deque[Probed | Measured] = deque()
        self._newest_samples: Place | None = None
        self._newest_checkpoint: str | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="monitor", daemon=True)

    def start(self) -> None:
        """Fetch the curves of a run that goes on (`DataError` where they cannot be read), and start the thread."""
        self._scratch = tempfile.TemporaryDirectory(prefix="dcgan-dist-", ignore_cleanup_errors=True)
        self._curves = Curves(self._run, Path(self._scratch.name), self._settings)
        self._copied_at = time.monotonic()
        self.say(f"run {self._run}")
        self._sinks = open_sinks(self._run, self._settings, self.say)
        self._thread.start()

    @property
    def bad_samples(self) -> frozenset[int]:
        """Numbers of the images of the data set that could not be decoded so far, in all attempts."""
        return frozenset(self._curves.bad_images)

    @property
    def findings(self) -> Sequence[Finding]:
        """What is wrong with training, as far as this driver has seen."""
        return self._findings

    @property
    def nodes(self) -> frozenset[str]:
        """Those on which the newest worker group runs, as Ray calls them."""
        return frozenset(worker["node"] for worker in self._group["workers"]) if self._group else frozenset()

    @property
    def hosts(self) -> dict[int, str]:
        """Where each rank of the newest worker group runs."""
        return {worker["rank"]: worker["host"] for worker in self._group["workers"]} if self._group else {}

    def hear(self, ranks: Sequence[LastHeartbeat]) -> None:
        """Take heartbeats: shares of time go with the next point of the curves; slow ranks and full hosts are named."""
        values, told = self._ranks.hear(ranks)
        if values:
            self._rank_values = values
        for text in told:
            self.say(text)

    def say(self, text: str) -> None:
        """One line on the terminal, from any thread (not from a signal handler, which may hold its lock already)."""
        self._on_terminal(lambda: self._terminal.say(text))

    def probed(self, result: Probed | Measured) -> None:
        """Take in what was found of a checkpoint, from any thread; it is written with the next look at the mailbox."""
        self._probed.append(result)

    def close(self, status: Status = "finished") -> None:
        """Write down the last messages, end the thread, and say where the run lies and how to look at it.

        To be called while Ray still runs, since the last messages lie in the mailbox. `status` is for trackers.
        """
        self._closing.set()
        self._thread.join()
        self._to_sinks(lambda sink: sink.close(status))
        self._scratch.cleanup()
        self._on_terminal(self._terminal.close)
        for line in self._ending():
            self.say(line)

    def _loop(self) -> None:
        while not self._closing.wait(INTERVAL_S):
            self._tick(INTERVAL_S)
        deadline = time.monotonic() + CLOSE_S
        while (self._tick(CLOSE_S) or self._probed) and time.monotonic() < deadline:
            pass
        self._survive(f"copying the curves up to {self._run}", self._curves.copy_up)

    def _tick(self, timeout_s: float) -> int:
        """Fetch messages and write them down; how many there were."""
        messages: list[Message] = []
        self._survive("fetching what the workers sent", lambda: messages.extend(self._source.receive(timeout_s)))
        points: list[Scalars] = []
        for message in messages:
            self._survive(f"taking in {message['kind']}", partial(self._take, message, points))
        if points:
            self._on_terminal(lambda: self._terminal.progress(points))
        while self._probed:
            self._survive("taking in a probe", partial(self._take_probe, self._probed.popleft()))
        self._survive(f"writing the curves of {self._run}", self._curves.flush)
        self._survive("writing pictures and machines", self._write_files)
        if time.monotonic() - self._copied_at >= COPY_S:
            self._survive(f"copying the curves up to {self._run}", self._curves.copy_up)
            self._copied_at = time.monotonic()
        return len(messages)

    def _take(self, message: Message, points: list[Scalars]) -> None:
        """Write a message down; a point of the curves is also appended to `points`."""
        match message["kind"]:
            case "scalars":
                self._take_point(message, points)
            case "pictures":
                self._take_pictures(message)
            case "started":
                self._take_start(message)
            case "bad_images":
                self._take_bad_images(message)
            case "checkpoint":
                self._newest_checkpoint = message["name"]
                self.say(f"checkpoint {message['name']} at {message['images']:,} images ({message['seconds']:.1f} s)")
            case "event":
                self.say(message["text"])
            case "dropped":
                lost = f"{message['scalars']:,} points of the curves and {message['others']:,} other messages"
                self.say(f"the driver was too slow for the workers: {lost} were dropped")

    def _take_point(self, message: Scalars, points: list[Scalars]) -> None:
        if not self._curves.awaits(message):
            return
        values, self._rank_values = self._rank_values, {}
        finding = self._health.add(message["images"], message["values"])
        values = message["values"] | values
        self._curves.add({**message, "values": values}, str(finding) if finding else None)
        self._on_scalars(message["images"], values)
        values = values | {"data/bad_images": float(len(self._curves.bad_images))}
        self._to_sinks(lambda sink: sink.scalars(message["images"], values))
        points.append(message)
        self._newest_images = message["images"]
        if finding is not None:
            self._findings.append(finding)
            self.say(f"health: {finding}")
            self._to_sinks(lambda sink: sink.text("health", str(finding)))
            kept = keep_before(self._run, finding.onset)
            self.say(
                f"checkpoint {kept} from before that is kept" if kept else "no checkpoint is left from before that"
            )

    def _take_probe(self, result: Probed | Measured) -> None:
        self._curves.add_probed(result)
        value = dict([scalar_of(result)])
        self._on_scalars(result["images"], value)
        self._to_sinks(lambda sink: sink.scalars(result["images"], value))

    def _take_start(self, message: Started) -> None:
        before = self._group
        if before is not None and message["attempt"] <= before["attempt"]:
            return  # delivered twice
        self._group = message
        self._curves.begin(message["attempt"], message["step"], message["images"])
        self._files[workers_file(self._run, message["attempt"])] = json.dumps(message["workers"], indent=1).encode()
        for line in workers_lines(message["workers"]):
            self.say(line)
        self.say("the first images are read")
        if message["checkpoint"] is None and before is None:
            return
        self._newest_checkpoint = message["checkpoint"]
        epoch = self._totals.images_per_epoch
        begins = f"checkpoint {message['checkpoint']}" if message["checkpoint"] else "the start"
        text = (
            f"resuming from {begins} at {message['images']:,} images (step {message['step']:,}; "
            f"{epoch - message['images'] % epoch:,} images left in this epoch)"
        )
        if before is not None:
            # Steps since the last point of the curves are lost as well, but nobody reported them.
            lost, self._newest_images = max(0, self._newest_images - message["images"]), message["images"]
            text += f" with {count(len(message['workers']), 'worker')}, {len(before['workers'])} before; "
            text += f"{count(lost, 'image')} rolled back" if lost else "nothing rolled back"
        self.say(text)

    def _take_pictures(self, message: Pictures) -> None:
        samples = message["name"] == "samples"
        # A long walk is read row by row, as in the paper's figure 4.
        layout = (message["columns"], 2) if samples else (WALK_COLUMNS, 0)
        picture = grid(message["array"], *layout)
        images, kind = message["images"], message["generator"]
        file = png(picture, f"{self._run.name} after {images:,} images, {kind} generator, fixed statistics")
        where = self._run / "samples" / f"{'' if samples else 'walk-'}{images:09}-{kind}.png"
        self._files[where] = file
        if samples:
            self._newest_samples = where
        name = f"{message['name']}/{kind}"
        self._curves.add_picture(name, images, file, picture)
        self._to_sinks(lambda sink: sink.picture(images, name, picture))

    def _take_bad_images(self, message: BadImages) -> None:
        before = len(self._curves.bad_images)
        after = before + self._curves.add_bad_images(message["samples"])
        # Told at 1, 2, 4, 8, ...: a rotten data set must not bury the other lines.
        if after.bit_length() > before.bit_length():
            example = self._name_of(message["samples"][-1])
            self.say(f"bad images: {after:,} could not be decoded and were replaced, the last one is {example}")

    def _write_files(self) -> None:
        for where in list(self._files):
            where.write_bytes(self._files[where])
            del self._files[where]

    def _to_sinks(self, act: Callable[[Sink], None]) -> None:
        for sink in self._sinks:
            self._survive(f"sending metrics to {sink.name}", partial(act, sink), retried=False)

    def _survive(self, what: str, act: Callable[[], object], *, retried: bool = True) -> None:
        """Do it; say once that it fails, and once that it works again."""
        try:
            act()
        except Exception as error:
            if what not in self._failing:
                self._failing.add(what)
                self.say(f"{what} fails; training continues{', and it is retried' if retried else ''}: {error}")
                if not isinstance(error, OSError | DcganDistError):
                    logger.exception("%s fails", what)  # a defect of ours keeps its traceback
        else:
            if what in self._failing:
                self._failing.discard(what)
                self.say(f"{what} works again")

    def _on_terminal(self, act: Callable[[], object]) -> None:
        """Write to the terminal, which may be gone (a closed pipe, a lost connection): the run does not need it."""
        with self._terminal_lock:
            try:
                act()
            except (OSError, ValueError) as error:
                if "terminal" not in self._failing:
                    self._failing.add("terminal")
                    logger.warning("The terminal is gone; the run continues without it: %s", error)

    def _ending(self) -> list[str]:
        lines = ending(self._run, self._newest_checkpoint, self._newest_samples)
        if self._newest_checkpoint is not None:
            # A job's current folder is Ray's, and goes with its cache.
            out = ["--out", str(self._run / "more-samples.png")] if in_a_job() else []
            lines.append(f"more samples {command_line('sample', str(self._run), '-n', '64', *out)}")
        return lines


def ending(run: Place, checkpoint: str | None, samples: Place | None = None) -> list[str]:
    """Lines about where all lies that a run has left.

    Args:
        run: its folder.
        checkpoint: name of the newest; None: it has written none.
        samples: file of the newest; None: there are none.
    """
    # TensorBoard reads object stores with a client of its own that it does not bring along.
    client = "" if run.is_local else "  (needs: pip install boto3)"
    lines = [f"run          {run}"]
    if samples is not None:
        lines.append(f"samples      {samples}")
    if checkpoint is not None:
        lines.append(f"checkpoint   {run / 'checkpoints' / checkpoint}")
    lines.append(f"curves       {tool_line('tensorboard', '--logdir', str(run / 'tensorboard'))}{client}")
    return lines
