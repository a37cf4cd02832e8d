"""What a failure is told as, and which ones a run survives."""

import pytest
import torch
from ray.core.generated.common_pb2 import ActorDiedErrorContext
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    NodeDiedError,
    OutOfMemoryError,
    RaySystemError,
    RayTaskError,
    ReferenceCountingAssertionError,
    WorkerCrashedError,
)
from ray.train import WorkerGroupError
from torch.distributed import DistBackendError

from dcgan_dist.errors import ClusterError, DataError
from dcgan_dist.settings import Settings
from dcgan_dist.training.failures import causes, explain, loss, of_a_step


def test_a_gpu_that_is_too_small_is_told_in_one_sentence() -> None:
    def wrapped(error: Exception) -> Exception:
        try:
            try:
                raise RayTaskError("train_worker", "Traceback ...", error)
            except RayTaskError as inner:
                raise RuntimeError("training failed") from inner
        except RuntimeError as outer:
            return outer

    told = explain(wrapped(torch.OutOfMemoryError("CUDA out of memory")), Settings(images=1))
    assert isinstance(told, ClusterError)
    assert "optimization.batch_size 128" in str(told)
    assert str(explain(wrapped(DataError("a shard is gone")), Settings(images=1))) == "a shard is gone"
    assert explain(wrapped(ZeroDivisionError()), Settings(images=1)) is None
    gloo = "[enforce fail at device.cc:84] ifa != nullptr. Unable to find address for: eth9"
    assert "no network interface eth9, which GLOO_SOCKET_IFNAME named" in str(
        explain(wrapped(RuntimeError(gloo)), Settings(images=1))
    )


def in_group(*errors: Exception) -> Exception:
    """What Ray Train raises when ranks fail."""
    return WorkerGroupError("training failed", dict(enumerate(errors)))


def in_worker(error: Exception) -> Exception:
    return RayTaskError("train_worker", "Traceback ...", error)


def died(detail: str = "Worker unexpectedly exits with a connection error code 2. End of file") -> Exception:
    """What Ray raises of a worker process that is gone."""
    told = f"Worker exit type: SYSTEM_ERROR Worker exit detail: {detail}."
    return ActorDiedError(
        ActorDiedErrorContext(
            class_name="W", actor_id=b"1" * 16, pid=3, node_ip_address="10.0.0.7", error_message=f"It is dead. {told}"
        )
    )


PEER = RuntimeError("[../gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:4242")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (in_group(ActorDiedError()), "the worker of rank 0 on host-a died: it was killed, or crashed"),
        (in_group(in_worker(PEER), ActorDiedError()), "the worker of rank 1 on host-b died: it was killed, or crashed"),
        (in_group(in_worker(PEER), in_worker(PEER), died()), "the worker of rank 2 died: it was killed, or crashed"),
        (in_group(died("Worker exits by SIGTERM")), "the worker of rank 0 on host-a died (Worker exits by SIGTERM)"),
        (
            in_group(in_worker(PEER)),
            "the connection between workers broke (RuntimeError: [../gloo/transport/tcp/pair.cc:553] Connection closed "
            "by peer [127.0.0.1]:4242)",
        ),
        (
            in_group(NodeDiedError("node 1 is gone")),
            "the machine of the worker of rank 0 on host-a is gone (node 1 is gone)",
        ),
        (
            in_group(OutOfMemoryError("Task was killed due to the node running low on memory.")),
            "the worker of rank 0 on host-a was killed by Ray, because its machine ran out of memory: use "
            "fewer workers per machine",
        ),
        # The data of a rank comes from an actor that was lost with its node.
        (
            in_group(in_worker(RayTaskError("get", "Traceback ...", ActorDiedError()))),
            "a process that the worker of rank 0 on host-a needs died: it was killed, or crashed",
        ),
        (ActorDiedError(), "a process of the run died: it was killed, or crashed"),
        (
            WorkerCrashedError(),
            "a process of the run died (The worker died unexpectedly while executing this task. "
            "Check python-core-worker-*.log files for more information)",
        ),
        (died("Worker exits by SIGTERM\nSee its log"), "a process of the run died (Worker exits by SIGTERM)"),
        (
            in_group(ActorUnavailableError("no answer", b"1" * 16)),
            "the worker of rank 0 on host-a cannot be reached any more (The actor 31313131313131313131313131313131 is "
            "unavailable: no answer. The task may or may not have been executed on the actor)",
        ),
        (
            in_group(in_worker(ReferenceCountingAssertionError("4242", None, "here"))),
            "data that a process that the worker of rank 0 on host-a needs needed was lost with a machine or a process "
            "(ReferenceCountingAssertionError: Failed to retrieve object 4242. The ObjectRef was created at: here)",
        ),
        (RaySystemError("no room"), "a process of the run was lost (RaySystemError: System error: no room)"),
        (DistBackendError("timed out"), "the connection between workers broke (DistBackendError: timed out)"),
        (
            type("WorkerGroupStartupTimeoutError", (Exception,), {})("it took 30 s"),
            "the workers could not be started (WorkerGroupStartupTimeoutError: it took 30 s)",
        ),
    ],
)
def test_a_loss_is_told_from_what_the_others_say_of_it(error: Exception, words: str) -> None:
    assert loss(error, {0: "host-a", 1: "host-b"}) == words
    assert explain(error, Settings(images=1)) is None


def test_a_process_that_is_gone_is_a_loss_where_it_was_the_only_one() -> None:
    class WorkerHealthCheckFailedError(Exception):
        health_check_failure = ActorDiedError()

    assert loss(in_group(WorkerHealthCheckFailedError())) == "the worker of rank 0 died: it was killed, or crashed"


def test_each_cause_is_told_once_though_they_lead_to_each_other() -> None:
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__context__ = second, first
    assert list(causes(first)) == [first, second]


def test_a_defect_is_no_loss() -> None:
    assert loss(in_group(in_worker(ZeroDivisionError("division by zero")))) is None
    assert loss(in_group(in_worker(RuntimeError("the data of steps 2 to 2 came where step 1 was due")))) is None


def test_a_failure_that_a_user_can_mend_goes_before_the_loss_that_it_caused() -> None:
    error = in_group(in_worker(PEER), in_worker(DataError("a shard is gone")))
    assert str(explain(error, Settings(images=1))) == "a shard is gone"


def test_what_ray_adds_to_a_sentence_is_left_out() -> None:
    error = in_group(in_worker(DataError("a shard is gone: put it back\nFailed to apply UDF transform")))
    assert str(explain(error, Settings(images=1))) == "a shard is gone: put it back"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (in_worker(ZeroDivisionError()), "ZeroDivisionError"),
        (in_worker(ValueError("\n")), "ValueError"),
        (in_worker(ValueError("shapes differ\nof many")), "ValueError: shapes differ"),
        (in_worker(ValueError("shapes differ")).as_instanceof_cause(), "ValueError: shapes differ"),
        (in_worker(DataError("a shard is gone")), "a shard is gone"),
        (ActorDiedError(), "a process of the run died: it was killed, or crashed"),
        (
            in_worker(torch.OutOfMemoryError("CUDA out of memory")),
            "a worker ran out of GPU memory with optimization.batch_size 128 over 1 workers: use a smaller batch, "
            "more workers, or networks with fewer maps",
        ),
    ],
)
def test_a_step_that_was_tried_and_fails_is_one_sentence(error: Exception, words: str) -> None:
    assert (
        str(of_a_step(error, Settings(images=1)))
        == f"a step with these settings fails, as it would in the run: {words}"
    )
