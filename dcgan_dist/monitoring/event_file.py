"""TensorBoard's file format, as bytes: https://github.com/tensorflow/tensorboard, tensorboard/compat/proto/event.proto.

Made from TensorBoard's own messages, and not with a `SummaryWriter`: that one writes in a thread of its own, where a
full disk loses what is under way and every point after it.
"""

import io
import time
from collections.abc import Mapping

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DataType
from tensorboard.summary.writer.record_writer import RecordWriter


def opening(first_step: int) -> bytes:
    """The head of a file. TensorBoard forgets what files before it (by name) say about `first_step` and after it."""
    start = SessionLog(status=SessionLog.START)
    return _record(Event(file_version="brain.Event:2")) + _record(Event(step=first_step, session_log=start))


def scalars(step: int, values: Mapping[str, float]) -> bytes:
    """One point of several curves."""
    summary = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
    return _record(Event(step=step, summary=summary))


def picture(step: int, name: str, png: bytes, height: int, width: int) -> bytes:
    """A picture in colour; `height` and `width` in pixels."""
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
    return _record(Event(step=step, summary=Summary(value=[Summary.Value(tag=name, image=image)])))


def text(step: int, name: str, words: str) -> bytes:
    """A text in Markdown."""
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    tensor = TensorProto(
        dtype=DataType.DT_STRING,
        string_val=[words.encode()],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    value = Summary.Value(tag=name, metadata=metadata, tensor=tensor)
    return _record(Event(step=step, summary=Summary(value=[value])))


def hparams(values: Mapping[str, bool | int | float | str], metrics: Mapping[str, float]) -> bytes:
    """A whole file for TensorBoard's table of hyperparameters: those of a run, and the metrics shown beside them."""
    from torch.utils.tensorboard.summary import hparams as summaries

    events = [Event(file_version="brain.Event:2")]
    parts = summaries(dict(values), dict(metrics))  # type: ignore[no-untyped-call]
    events += [Event(summary=summary) for summary in parts]
    return b"".join(_record(event) for event in events)


def _record(event: Event) -> bytes:
    event.wall_time = time.time()
    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString())
    return file.getvalue()
