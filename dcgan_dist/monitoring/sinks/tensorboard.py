"""TensorBoard's file format, as bytes: https://github.com/tensorflow/tensorboard, tensorboard/compat/proto/event.proto.

Made from TensorBoard's own messages, and not with a `SummaryWriter`: that one writes in a thread of its own, where a
full disk loses what is under way and every point after it.
"""

import io
import time
from collections.abc import Iterable, Mapping

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import DataClass, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DataType
from tensorboard.summary.writer.record_writer import RecordWriter

Hyperparameter = bool | int | float | str
NONE: Mapping[str, str] = {}


def opening(first_step: int) -> bytes:
    """The head of a file. TensorBoard forgets what files before it (by name) say about `first_step` and after it."""
    start = SessionLog(status=SessionLog.START)
    return _record(Event(file_version="brain.Event:2")) + _record(Event(step=first_step, session_log=start))


def scalars(step: int, values: Mapping[str, float], descriptions: Mapping[str, str] = NONE) -> bytes:
    """One point of several curves. TensorBoard keeps the first description of a name that it finds."""
    summary = Summary(
        value=[
            Summary.Value(tag=name, simple_value=value, metadata=_about("scalars", descriptions.get(name, "")))
            for name, value in values.items()
        ]
    )
    return _record(Event(step=step, summary=summary))


def picture(step: int, name: str, png: bytes, height: int, width: int, description: str = "") -> bytes:
    """A picture in color; `height` and `width` in pixels."""
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
    value = Summary.Value(tag=name, image=image, metadata=_about("images", description))
    return _record(Event(step=step, summary=Summary(value=[value])))


def text(step: int, name: str, words: str, description: str = "") -> bytes:
    """A text in Markdown."""
    metadata = SummaryMetadata(
        plugin_data=SummaryMetadata.PluginData(plugin_name="text"), summary_description=description
    )
    tensor = TensorProto(
        dtype=DataType.DT_STRING,
        string_val=[words.encode()],
        tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
    )
    value = Summary.Value(tag=name, metadata=metadata, tensor=tensor)
    return _record(Event(step=step, summary=Summary(value=[value])))


def hparams(values: Mapping[str, Hyperparameter], metrics: Iterable[str], *, ended: bool) -> bytes:
    """A line of TensorBoard's table of hyperparameters: those of a run, and the metrics shown beside them."""
    from torch.utils.tensorboard.summary import hparams as summaries

    experiment, start, end = summaries(dict(values), dict.fromkeys(metrics, 0.0))  # type: ignore[no-untyped-call]
    parts = [experiment, start, end] if ended else [experiment, start]
    return b"".join(_record(Event(summary=summary)) for summary in parts)


def hparams_file(values: Mapping[str, Hyperparameter], metrics: Iterable[str]) -> bytes:
    """A whole file of them, of a run that has ended."""
    return _record(Event(file_version="brain.Event:2")) + hparams(values, metrics, ended=True)


def picture_file(step: int, name: str, png: bytes, height: int, width: int, description: str) -> bytes:
    """A whole file with one picture. It begins nothing anew, so that pictures of files before it stay."""
    return _record(Event(file_version="brain.Event:2")) + picture(step, name, png, height, width, description)


def _about(plugin: str, description: str) -> SummaryMetadata | None:
    if not description:
        return None
    # TensorBoard's faster reader keeps a description only where the class of the data is said as well.
    return SummaryMetadata(
        plugin_data=SummaryMetadata.PluginData(plugin_name=plugin),
        data_class=DataClass.DATA_CLASS_SCALAR if plugin == "scalars" else DataClass.DATA_CLASS_BLOB_SEQUENCE,
        summary_description=description,
    )


def _record(event: Event) -> bytes:
    event.wall_time = time.time()
    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString())
    return file.getvalue()
