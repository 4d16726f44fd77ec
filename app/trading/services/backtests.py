"""Runs the backtests that wait, one at a time, each in a child process."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from threading import Thread
from typing import Any

from prometheus_client import Counter

from trading.services.leader import Reign
from trading.storage.backtests import Job, claim, fail, finish, give_back, renew

log = logging.getLogger(__name__)
RUN = Counter("trading_backtests_total", "Backtests that have ended", ["outcome"])
JOBS = "trading.backtest.jobs"
STOP_S = 5.0


class Backtests:
    """The one that runs, if any.

    Args:
        module: what runs them; see `trading.services.backtestjob.Jobs`.
    """

    def __init__(self, module: str = JOBS) -> None:
        self._module = module
        self._running: _Child | None = None

    def step(self, reign: Reign) -> None:
        """Begin the next one, or see how the running one does."""
        if self._running is None:
            with reign.writing():
                job = claim(reign.connection)
            if job:
                log.info("backtest begins", extra={"backtest": str(job.job_id)})
                self._running = _Child(job, self._module)
            return
        child = self._running
        is_over, said = child.look()
        with reign.writing():
            if not is_over:
                renew(reign.connection, child.job.job_id, said.get("progress", 0))
            elif "result" in said:
                finish(reign.connection, child.job.job_id, said["result"])
            else:
                fail(reign.connection, child.job.job_id, said.get("error", "its process ended without a result"))
        if is_over:
            RUN.labels("done" if "result" in said else "failed").inc()
            log.info("backtest has ended", extra={"backtest": str(child.job.job_id), "is_done": "result" in said})
            self._running = None

    def stop(self, reign: Reign) -> None:
        """End the running one; whoever leads next begins it again."""
        if self._running:
            child, self._running = self._running, None
            child.kill()
            with reign.writing():
                give_back(reign.connection, child.job.job_id)

    def kill(self) -> None:
        """End the process of the running one; its lease runs out."""
        if self._running:
            self._running.kill()
            self._running = None


class _Child:
    """A child process and the newest thing that it has said."""

    def __init__(self, job: Job, module: str) -> None:
        self.job = job
        self._said: Mapping[str, Any] = {}
        command = [sys.executable, "-m", "trading.services.backtestjob", module]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reader = Thread(target=self._read, args=(json.dumps(dict(job.spec)),), name="backtest", daemon=True)
        self._reader.start()

    def look(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether it has ended, and what it said last."""
        if self._process.poll() is not None:
            self._reader.join(STOP_S)
            return True, self._said
        return False, self._said

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(STOP_S)
        self._reader.join(STOP_S)

    def _read(self, spec: str) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return
        try:
            with stdin:
                stdin.write(spec)
        except OSError:  # it ended before it had read all; its end says why
            log.warning("backtest has not read its specification", extra={"backtest": str(self.job.job_id)})
        with stdout:
            for line in stdout:
                try:
                    self._said = json.loads(line)
                except ValueError:
                    log.warning("backtest says what is no JSON", extra={"backtest": str(self.job.job_id)})
