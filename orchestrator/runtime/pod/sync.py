"""The sidecar: tells the store how the script fares, has it ended when it must end, and saves everything.

It may be killed and started again at any time: what it has to know is in the volume or in the store.
"""

import signal
import threading
import time

import msgspec

from orchestrator.engines.requirements import FILE
from orchestrator.errors import ConflictError, MlctlError, StoreError
from orchestrator.progress import SILENT
from orchestrator.runtime.arrivals import Arrivals
from orchestrator.runtime.courier import Courier, Shipper, is_replaced
from orchestrator.runtime.ending import concluded, save_end
from orchestrator.runtime.exits import Cause, Exit
from orchestrator.runtime.files.server import FileService
from orchestrator.runtime.logship import LogShipper
from orchestrator.runtime.measure.ship import MetricShipper, files_of
from orchestrator.runtime.output import save_output
from orchestrator.runtime.patience import complain, keep_trying, say
from orchestrator.runtime.pod.checkpoints import Checkpoints
from orchestrator.runtime.pod.others import with_others
from orchestrator.runtime.pod.settings import Settings, on_sigterm
from orchestrator.runtime.pod.usage import ContainerUsage
from orchestrator.runtime.pod.words import WordsShipper, ship_words
from orchestrator.runtime.status import Reason, State, Status
from orchestrator.runtime.task import CANCEL
from orchestrator.runtime.urls import is_url_mode
from orchestrator.store import open_store
from orchestrator.store.base import Store
from orchestrator.store.records import write
from orchestrator.store.scan import Scan, scan_all

POLL = 0.1  # seconds between two looks at the launcher's files
GRACE = 10.0  # seconds between SIGTERM and SIGKILL
SAVE_PATIENCE = 3600.0  # seconds that the store is waited for at the end: meanwhile the pod keeps its GPUs
LAST_PATIENCE = 600.0  # seconds after SIGTERM; the cluster's own is shorter
# Seconds that one request may take with all its attempts, and one while the script runs; all of it is repeated.
PATIENCE = 10.0
WATCH_PATIENCE = 3.0
INSTALLING = f"installing {FILE}"
_ENDERS: tuple[Cause, ...] = ("cancelled", "timeout")  # what sync itself ends a script for


class Sync:
    """What the sidecar does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._volume = volume = settings.volume
        self._order = order = volume.order()
        self._status = msgspec.structs.replace(order.status, message="starting the script's container")
        self._stop = threading.Event()
        self._arrivals = Arrivals(volume.log, time.time)
        self._courier = Courier(
            order.task,
            lambda: self._connect(order.task.store, WATCH_PATIENCE),
            self._shippers,
            lambda: self._end_script("cancelled"),
            worker=settings.worker,
        )
        self._usage = ContainerUsage(volume)
        self._files = FileService(
            order.task,
            volume,
            lambda url: open_store(url, settings.context),
            shared=(volume.work,),
            mode=0o666,  # the script may be anybody, and the volume is the pod's own
        )
        self._checkpoints = Checkpoints(lambda: scan_all(volume.output), self._save_checkpoint, settings.save_every)

    def _shippers(self, store: Store) -> list[Shipper]:
        """Return what brings the script's log to the store, and what is said beside it."""
        settings = self._settings
        log = LogShipper(store, settings.prefix + settings.worker.log, self._volume.log, self._arrivals)
        task = self._order.task
        metrics = MetricShipper(
            store,
            files_of(task, self._volume, lambda url: open_store(url, settings.context)),
            task,
            self._volume,
            settings.worker,
            sample=self._usage.sample,
            told=self._courier.measure,
        )
        return [log, WordsShipper(settings, store), metrics]

    def run(self) -> int:
        """Look after the script until the pod ends; return the exit code."""
        on_sigterm(self._stop.set)
        say("waiting for the script")
        if not self._volume.asked("saved"):
            self._finish(self._watch())
        # Whoever ends before SIGTERM is started again.
        self._stop.wait()
        return 0

    def _watch(self) -> Exit:
        """Follow the script to its end, and return how it ended."""
        if end := self._ended():
            return end  # the one before was killed while it saved: what it told last may be the final status
        self._courier.tell(self._status)
        self._courier.start()
        self._files.start()
        if not is_url_mode(self._order.task):
            self._checkpoints.start()
        begun, kill_at = 0.0, float("inf")
        task, earlier = self._order.task, self._status.earlier
        allowed = task.max_duration - earlier if task.budget else task.max_duration  # a budget is for all attempts
        while (end := self._ended()) is None:
            now = time.monotonic()
            self._arrivals.note()
            if not begun and (started := self._volume.started()):
                begun = now - (time.time() - started)
                self._status = msgspec.structs.replace(self._status, state=State.RUNNING, message="", started=started)
                self._courier.tell(self._status)
            if self._volume.installing() and self._status.message != INSTALLING:
                self._status = msgspec.structs.replace(self._status, message=INSTALLING)
                self._courier.tell(self._status)
            if begun and now - begun > allowed:
                self._end_script("timeout")
            if self._volume.asked("term"):
                kill_at = min(kill_at, now + GRACE)
            if now >= kill_at:
                self._volume.ask("kill")
            self._stop.wait(POLL)
        self._arrivals.note()
        return end

    def _ended(self) -> Exit | None:
        """Return how the script ended, or None if it runs or may still start.

        A pod's SIGTERM comes to sync only when the other containers have ended. If the launcher could not tell how,
        its container was killed as a whole, as the kernel does for lack of memory.
        """
        stopped = self._stop.is_set()
        ender = self._ender()
        if end := self._volume.exit(unless=ender or "exit"):
            return end
        if not stopped:
            return None
        if not self._volume.started():
            return Exit(cause=ender or "stopped", finished=time.time())
        return self._volume.killed(unless=ender or "exit")

    def _ender(self) -> Cause | None:
        return next((cause for cause in _ENDERS if self._volume.asked(cause)), None)

    def _end_script(self, cause: Cause) -> None:
        """Have the script ended; the first cause counts."""
        if not self._ender():
            self._volume.ask(cause)
        self._volume.ask("term")

    def _finish(self, end: Exit) -> None:
        say("the script has ended: saving its log and output")
        self._courier.tell(msgspec.structs.replace(self._status, message="it has ended; its log and output are saved"))
        self._courier.leave_log()
        self._files.stop()
        self._checkpoints.stop()
        if self._stop.is_set() or not self._save(end, SAVE_PATIENCE):
            if not self._stop.is_set():
                self._volume.ask("lost")
                self._stop.wait()
            self._save(end, LAST_PATIENCE)

    def _save(self, end: Exit, patience: float) -> bool:
        """Save everything, and tell whether that worked in time; SIGTERM ends a wait for the store."""
        settings, task, volume = self._settings, self._order.task, self._volume
        told = self._stop.is_set()

        def attempt() -> bool:
            try:
                store = self._connect(task.store, PATIENCE)
                if is_replaced(self._status, store, task.prefix + settings.worker.status):
                    complain(ConflictError("a later pod runs the job; nothing of this one is saved"))
                    return True
                if self._by_cluster(end) and store.head(task.prefix + CANCEL):
                    end.cause = "cancelled"
                final = concluded(task, volume, self._status, end)
                final.unclear = self._by_cluster(end)
                final = self._retried(with_others(final, task, settings.worker, store, hurry=self._stop))
                final = save_end(
                    task,
                    volume,
                    final,
                    lambda url: self._connect(url, PATIENCE),
                    arrivals=self._arrivals,
                    worker=settings.worker,
                    before_status=lambda: self._last_words(store),
                )
                if final.reason is not Reason.OUTPUT_NOT_SAVED:
                    return True
                complain(StoreError(final.message))
                self._tell_recovering(final, store)
            except MlctlError as error:
                complain(error)
            return False

        if not keep_trying(attempt, patience=patience, give_up=lambda: self._stop.is_set() and not told):
            return False
        volume.ask("saved")
        return True

    def _last_words(self, store: Store) -> None:
        """Bring what was said to the store, which is there: log and output are saved."""
        self._courier.stop()
        try:
            ship_words(self._settings, store)
        except MlctlError as error:  # not worth to try everything again for
            complain(error)

    def _retried(self, final: Status) -> Status:
        """Return the status of a script that failed and that the cluster starts again: it is not final."""
        if final.state is not State.FAILED or final.attempt > self._settings.retries:
            return final
        left = self._settings.retries - final.attempt
        more = f", and {left} times more if need be" if left else ""
        message = f"{final.message}; it is started again{more}"
        return msgspec.structs.replace(final, state=State.RECOVERING, message=message, unclear=False)

    @staticmethod
    def _by_cluster(end: Exit) -> bool:
        """Tell whether the cluster ended the script: whoever cancels a job may delete its pod at once."""
        return end.cause == "stopped" or (end.cause == "exit" and end.signal == signal.SIGKILL)

    def _save_checkpoint(self, scan: Scan) -> None:
        task = self._order.task
        store, output_store = (self._connect(url, PATIENCE) for url in (task.store, task.output_store))
        worker = self._settings.worker
        if is_replaced(self._status, store, task.prefix + worker.status):
            return
        save_output(task, self._volume, store, output_store, complete=False, reporter=SILENT, worker=worker, scan=scan)

    def _tell_recovering(self, final: Status, store: Store) -> None:
        """Tell that the end is not saved yet: it may be the store of the output alone that is away."""
        hint = "it is tried again and again, for an hour: mend what the message names"
        status = msgspec.structs.replace(final, state=State.RECOVERING, hint=hint, heartbeat=time.time())
        self._courier.tell(status)
        write(store, self._order.task.prefix + self._settings.worker.status, status)

    def _connect(self, url: str, patience: float) -> Store:
        """Open a store with the keys that there are now."""
        return open_store(url, self._settings.context, patience=patience)
