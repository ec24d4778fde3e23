"""Prometheus metrics of a training service: its slots, its disk, its GPUs, and each trainer's resources."""

import contextlib
import shutil
from collections.abc import Iterator

import psutil
from prometheus_client import REGISTRY, CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from data_kit import DiskReserve
from http_kit.children import ask_program
from trainer_kit.server.service import Service
from trainer_kit.supervisor import Attempt

GPU_SECONDS = 5.0
GPU_COLUMNS = "index,utilization.gpu,memory.used,memory.total"
disable_created_metrics()  # a needless series for each counter


def exposition(requests: CollectorRegistry, service: Service, disk: DiskReserve) -> bytes:
    """Return all current metrics in text format. Blocks until the GPU's driver answers."""
    state = CollectorRegistry(auto_describe=False)
    state.register(ServiceCollector(service, disk))
    return b"".join(map(generate_latest, (requests, REGISTRY, state)))


class ServiceCollector(Collector):
    """Collector of the service's state, which is read at each scrape."""

    def __init__(self, service: Service, disk: DiskReserve) -> None:
        self._service = service
        self._disk = disk

    def collect(self) -> Iterator[Metric]:
        yield from self._slots()
        yield from _trainers(self._service.supervisor.list_running())
        yield from gpu_metrics()
        yield from self._disk_room()

    def _disk_room(self) -> Iterator[Metric]:
        room = self._disk.read()
        yield GaugeMetricFamily("service_disk_free_bytes", "Room for data sets and checkpoints.", value=room.free_bytes)
        text = "Room below which it starts nothing."
        yield GaugeMetricFamily("service_disk_reserve_bytes", text, value=room.reserve_bytes)

    def _slots(self) -> Iterator[Metric]:
        supervisor, models = self._service.supervisor, self._service.catalog.models
        about = {"framework": models.framework, "framework_version": models.framework_version}
        yield InfoMetricFamily("service", "Who answers.", about | {"instance_id": str(supervisor.instance_id)})
        yield GaugeMetricFamily("service_slots", "Attempts that may run at a time.", value=supervisor.slots)
        yield GaugeMetricFamily("service_free_slots", "Slots that nobody has.", value=supervisor.free_slots)
        yield GaugeMetricFamily("service_draining", "1 while it is ending.", value=int(supervisor.is_draining))
        held = GaugeMetricFamily("service_attempts", "Attempts that are held.", labels=("state",))
        states = [one.state for one in supervisor.list_held()]
        for state in ("running", "ended"):
            held.add_metric((state,), states.count(state))
        yield held


def _trainers(running: list[Attempt]) -> Iterator[Metric]:
    """Yield metrics of each trainer's process and its children, such as data loaders."""
    labels = ("job_uid", "attempt")
    seconds = CounterMetricFamily("trainer_cpu_seconds", "CPU time of what runs now.", labels=labels)
    memory = GaugeMetricFamily("trainer_memory_bytes", "Resident memory; shared pages count twice.", labels=labels)
    processes = GaugeMetricFamily("trainer_processes", "Processes of it.", labels=labels)
    for attempt in running:
        values = (str(attempt.job_uid), str(attempt.number))
        family = list(_process_tree(attempt))
        usage = [found for process in family if (found := _usage(process)) is not None]
        if usage:
            seconds.add_metric(values, sum(cpu for cpu, _ in usage))
            memory.add_metric(values, sum(resident for _, resident in usage))
            processes.add_metric(values, len(usage))
    yield from (seconds, memory, processes)


def _process_tree(attempt: Attempt) -> Iterator[psutil.Process]:
    identity = attempt.folder.find_process("trainer")
    if identity is None or identity.owner() != "itself":
        return
    with contextlib.suppress(psutil.Error):
        trainer = psutil.Process(identity.pid)
        yield trainer
        yield from trainer.children(recursive=True)


def _usage(process: psutil.Process) -> tuple[float, int] | None:
    try:
        with process.oneshot():
            times = process.cpu_times()
            return times.user + times.system, process.memory_info().rss
    except psutil.Error:
        return None


def gpu_metrics() -> Iterator[Metric]:
    """Yield metrics of every GPU of this machine."""
    busy = GaugeMetricFamily("gpu_utilization_ratio", "Part of the time that it computes.", labels=("gpu",))
    used = GaugeMetricFamily("gpu_memory_used_bytes", "Memory in use, by anybody.", labels=("gpu",))
    total = GaugeMetricFamily("gpu_memory_bytes", "Memory that it has.", labels=("gpu",))
    for gpu, utilization, used_mebibytes, mebibytes in _query_driver():
        for family, value in ((busy, utilization / 100), (used, used_mebibytes * 2**20), (total, mebibytes * 2**20)):
            family.add_metric((gpu,), value)
    yield from (busy, used, total)


def _query_driver() -> Iterator[tuple[str, float, float, float]]:
    command = shutil.which("nvidia-smi")
    if command is None:
        return
    query = [command, f"--query-gpu={GPU_COLUMNS}", "--format=csv,noheader,nounits"]
    for line in (ask_program(query, seconds=GPU_SECONDS) or "").splitlines():
        gpu, *numbers = (part.strip() for part in line.split(","))
        with contextlib.suppress(ValueError):  # "[N/A]"
            utilization, used, total = map(float, numbers)
            yield gpu, utilization, used, total
