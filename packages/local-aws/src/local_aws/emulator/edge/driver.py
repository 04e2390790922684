"""Brings HAProxy to what a state says: by command for weights and targets, by a reload for structure.

When `apply` returns, HAProxy carries the state. Health is read from HAProxy when somebody asks, and when it logs that a
server changed (a datagram, so within a millisecond); a look every second makes up for a datagram that was lost. UDP,
because a unix socket holds no more than ten.
Every process that still serves clients gets weights and targets, also those that a reload has replaced.
"""

from __future__ import annotations

import hashlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local_aws.emulator.edge import meter, ports, process, slots
from local_aws.emulator.edge.health import CHECKING, DRAINING, HEALTHY, REGISTERING, backend_of, of_server, servers
from local_aws.emulator.edge.meter import Look, Meter, Names, OwnAnswers, Samples
from local_aws.emulator.edge.process import CONFIG, Failed, Folder, Generation
from local_aws.emulator.edge.render import MAP, Rendered, Seat, backend, binds, frontend, map_text, render
from local_aws.emulator.edge.runtime import Lost, Unwilling
from local_aws.emulator.edge.slots import Table
from local_aws.emulator.elbv2.model import Address, State, TargetGroup, TargetHealth
from local_aws.emulator.elbv2.service import Refused
from local_aws.emulator.elbv2.traffic import Traffic

log = logging.getLogger("edge")

LOOK_EVERY = 1.0  # seconds, without events
LET_GO_WITHIN = 2.0  # seconds for an old process to stop listening
TOO_SHORT, PAUSE = 1.0, 0.5  # seconds: a life that calls for a pause, and the pause
NUDGE = b"look at everything"

Healths = dict[str, dict[Address, TargetHealth]]


@dataclass(frozen=True)
class Carried:
    """What HAProxy has been brought to."""

    state: State
    table: Table
    rendered: Rendered


@dataclass(frozen=True)
class Certificate:
    """`file`: a name that only this text has."""

    arn: str
    pem: str

    @property
    def file(self) -> str:
        return f"{self.arn.rpartition('/')[2]}-{hashlib.sha256(self.pem.encode()).hexdigest()[:12]}.pem"


class Driver:
    """An elbv2.service.Edge. Thread-safe. `on_change` is called, in a thread of the driver, when health changed."""

    def __init__(
        self,
        folder: Path,
        time_scale: float,
        on_change: Callable[[], None],
        pem: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`pem` is asked for what to serve with for a certificate; None: with what it was before."""
        self._place = folder
        self._pem = pem
        self._certificates: dict[str, Certificate] = {}
        self._time_scale = time_scale
        self._on_change = on_change
        self._lock = threading.RLock()
        self._carried = Carried(State(), {}, Rendered("", "", {}))
        self._health: Healths = {}
        self._reported: Healths = {}  # health as of the last `on_change`
        self._current: Generation | None = None
        self._leaving: list[Generation] = []
        self._meter, self._own, self._names = Meter(), OwnAnswers(), Names()
        self._running = False

    # ------------------------------------------------------------ start and end

    def start(self, state: State) -> None:
        """Take over from an earlier emulator. Raises Refused."""
        with self._lock:
            try:
                self._executable = process.find_executable()
            except Failed as error:
                raise Refused(str(error)) from error
            self._folder = Folder(self._place)
            try:
                self._folder.occupy()
            except process.Occupied as error:
                self._folder.close()
                raise Refused(str(error)) from error
            self._folder.clear()
            self._spawner = ThreadPoolExecutor(1, "edge-spawner")
            self._events = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._events.bind(("127.0.0.1", 0))
            self._events.settimeout(LOOK_EVERY)
            self._samples = Samples()
            self._running = True
            try:
                self.apply(state)
            except BaseException:
                self.stop()
                self._events.close()
                self._folder.close()
                raise
            threading.Thread(target=self._listen, name="edge-events", daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            if not self._running:
                return
            self._running = False
            self._nudge()
            generations = [*self._leaving, *([self._current] if self._current else [])]
            process.end([one.pid for one in generations])
            for one in generations:
                self._folder.forget(one)
            self._current, self._leaving = None, []
            self._carried = Carried(State(), {}, Rendered("", "", {}))
            self._folder.record([])
            self._folder.leave()
            self._spawner.shutdown(wait=False)
            self._samples.stop()

    # ------------------------------------------------------------ changes

    def apply(self, state: State) -> None:
        """Raises Refused with the state of before still carried."""
        with self._lock:
            before = self._carried
            table = slots.seated(state, before.table)
            after = Carried(state, table, self._render(state, table))
            if self._current is None or after.rendered.structure != before.rendered.structure:
                self._reload(after)
            else:
                try:
                    self._adjust(before, after)
                except (Lost, Unwilling) as error:
                    log.warning("HAProxy is started anew: %s", error)
                    self._abandon()
                    self._reload(after)
            self._carried = after
            self._nudge()

    def _render(self, state: State, table: Table) -> Rendered:
        sizes = {name: one.size for name, one in table.items()}
        files = {arn: f"{process.CERTIFICATES}/{one.file}" for arn, one in self._serving(state).items()}
        return render(state, self._time_scale, sizes, self._seats(table), files)

    def _serving(self, state: State) -> dict[str, Certificate]:
        """Of all that the listeners have."""
        used = {arn for one in state.listeners.values() for arn in one.certificates}
        found = {arn: Certificate(arn, text) for arn in used if (text := self._pem(arn))}
        self._certificates |= found
        if gone := sorted(used - self._certificates.keys()):
            raise Refused(f"A listener serves with a certificate that ACM does not know: {gone[0]}")
        return {arn: self._certificates[arn] for arn in used}

    def _seats(self, table: Table) -> dict[str, list[Seat]]:
        return {
            name: [
                Seat(slot.number, ip, port, self._known(name, (ip, port)) == HEALTHY)
                for (ip, port), slot in one.slots.items()
                if not slot.draining
            ]
            for name, one in table.items()
        }

    def _known(self, name: str, address: Address) -> TargetHealth:
        return self._health.get(name, {}).get(address, REGISTERING)

    def _adjust(self, before: Carried, after: Carried) -> None:
        """By command. The map file as well, so that a process that starts later has the same weights."""
        old, new = before.rendered.weights, after.rendered.weights
        moved = {key: value for key, value in new.items() if old.get(key) != value}
        if moved:
            self._folder.write(MAP, map_text(new))
        commands = [f"set map {MAP} {key} {value}" for key, value in moved.items()]
        self._tell([*commands, *slots.changes(before.table, after.table)])

    def _tell(self, commands: Sequence[str]) -> None:
        if not commands or self._current is None:
            return
        self._current.runtime.tell(commands)
        for one in list(self._leaving):
            # an old process may lack a server or rule; what it has must be right as long as it serves somebody
            with suppress(Lost):
                for command in commands:
                    one.runtime.ask(command)

    # ------------------------------------------------------------ reloads

    def _reload(self, after: Carried) -> None:
        if self._current is not None:
            with suppress(Lost):
                self._look(self._carried.table)
        self._claim(after.state)
        rendered = self._render(after.state, after.table)  # with the health that was just seen
        self._folder.write(MAP, map_text(rendered.weights))
        self._folder.write(CONFIG, rendered.config)
        certificates = {one.file: one.pem for one in self._serving(after.state).values()}
        self._folder.keep_certificates(certificates)
        try:
            listening = self._events.getsockname()[1], self._samples.port
            new = self._spawner.submit(self._folder.spawn, self._executable, *listening, self._current).result()
        except Failed as error:
            self._folder.write(MAP, map_text(self._carried.rendered.weights))
            raise self._why(error) from error
        self._folder.drop_certificates(but=certificates)
        self._replace(new)
        self._reintroduce(after.table)

    @staticmethod
    def _why(error: Failed) -> Exception:
        """A port may have been taken in the last moment; anything else is a fault of ours."""
        return Refused(str(error)) if "cannot bind" in str(error) else RuntimeError(f"HAProxy did not start: {error}")

    def _claim(self, state: State) -> None:
        """Raises Refused for a port that is not to be had. Our own processes may need a moment to let one go."""
        held = binds(self._carried.state) if self._current else set()
        own = [one.pid for one in [*self._leaving, *([self._current] if self._current else [])]]
        deadline = time.monotonic() + LET_GO_WITHIN
        for address, port in sorted(binds(state) - held):
            try:
                while not ports.claim(address, port, own) and time.monotonic() < deadline:
                    time.sleep(process.LOOK_EVERY)
            except ports.Taken as error:
                raise Refused(str(error)) from error

    def _replace(self, new: Generation) -> None:
        old, self._current = self._current, new
        threading.Thread(target=self._watch, args=(new,), name="edge-watch", daemon=True).start()
        if old is not None:
            self._leaving.append(old)
            self._wait_until_leaving(old)
        self._folder.record([one.pid for one in [*self._leaving, new]])

    @staticmethod
    def _wait_until_leaving(old: Generation) -> None:
        """Until it accepts no connection any more, so that every new one is treated as the new state says."""
        deadline = time.monotonic() + LET_GO_WITHIN
        with suppress(Lost):
            while old.runtime.info().get("Stopping") == "0" and time.monotonic() < deadline:
                time.sleep(process.LOOK_EVERY)

    def _reintroduce(self, table: Table) -> None:
        """Bring the new process to the health that the old one had found."""
        assert self._current is not None
        for name, one in table.items():
            for address, slot in one.slots.items():
                if slot.draining:
                    continue
                match self._known(name, address).state:
                    case "healthy":
                        commands = slots.reintroduce_healthy(name, slot.number)
                    case "unhealthy":
                        commands = slots.reintroduce_unhealthy(name, slot.number)
                    case _:
                        commands = slots.introduce(name, slot.number, address)
                self._current.runtime.tell(commands)

    # ------------------------------------------------------------ processes that end

    def _watch(self, generation: Generation) -> None:
        """Wait for its end; if it was the current one, begin again until it works."""
        begin = time.monotonic()
        code = generation.process.wait()
        if time.monotonic() - begin < TOO_SHORT:
            time.sleep(PAUSE)  # it may end again at once: do not spin
        while not self._ended(generation, code):
            time.sleep(PAUSE)

    def _ended(self, generation: Generation, code: int) -> bool:
        """Whether there is nothing more to do about it."""
        with self._lock:
            self._folder.forget(generation)
            self._meter.forget(generation.pid)
            if generation in self._leaving:
                self._leaving.remove(generation)
            if not self._running or (self._current is not None and self._current is not generation):
                return True
            log.error("HAProxy (process %d) ended with %d; starting it again", generation.pid, code)
            self._abandon()
            try:
                self._reload(self._carried)
            except Exception:
                log.exception("HAProxy could not be started again; next try in %s seconds", PAUSE)
                return False
            self._nudge()
            return True

    def _abandon(self) -> None:
        """Forget the current process, which is no use any more."""
        if self._current is not None:
            self._current.runtime.close()
            process.end([self._current.pid])
            self._current = None

    # ------------------------------------------------------------ health

    def health(self, group: TargetGroup) -> Mapping[Address, TargetHealth]:
        """As HAProxy has it now; as last seen while HAProxy is being started."""
        name = backend(group)
        with self._lock:
            one = self._carried.table.get(name)
            if one is None:
                return {}
            with suppress(Lost):
                self._look({name: one})
            return {address: self._known(name, address) for address in one.slots}

    def _look(self, table: Table) -> None:
        """Read health from HAProxy. Raises Lost."""
        if self._current is None:
            return
        for name, one in table.items():
            before = self._health.get(name, {})
            found = servers(self._current.runtime.ask(f"show stat {name} 4 -1 no-maint")) if one.slots else {}
            self._health[name] = {
                address: DRAINING
                if slot.draining
                else of_server(found.get(f"s{slot.number}"), before.get(address, CHECKING))
                for address, slot in one.slots.items()
            }

    # ------------------------------------------------------------ traffic

    def traffic(self) -> Traffic:
        """What was carried since the last call, and how many targets are healthy as of the last look."""
        with self._lock:
            for one in [*self._leaving, *([self._current] if self._current else [])]:
                with suppress(Lost):
                    self._count(one)
            hosts = {name: _hosts(self._health.get(name, {})) for name in self._carried.table}
            before, self._names = self._names, _names(self._carried.state)
            known = Names(
                {**before.listeners, **self._names.listeners},
                {**before.groups, **self._names.groups},
            )
            listeners, groups = self._meter.take()
            return meter.attributed(Look(listeners, groups, self._samples.take(), hosts), known, self._own)

    def _count(self, one: Generation) -> None:
        """Raises Lost."""
        self._meter.read(one.pid, one.runtime.ask(meter.COMMAND))

    def _nudge(self) -> None:
        """Make the events' thread look at everything, and tell of changes without any lock held here."""
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(NUDGE, self._events.getsockname())

    def _listen(self) -> None:
        """The events' thread."""
        while self._running:
            try:
                names = self._changed_backends()
                if self._look_at(names):
                    self._on_change()
            except Exception:
                log.exception("an event of HAProxy could not be handled")
        self._events.close()
        self._folder.close()

    def _changed_backends(self) -> set[str] | None:
        """Wait for events, and name the backends that they are about; None: any."""
        names: set[str] = set()
        try:
            while True:
                event = self._events.recv(4096)
                if event == NUDGE:
                    return None
                if name := backend_of(event):
                    names.add(name)
                self._events.setblocking(False)  # all that has come already
        except BlockingIOError:
            return names
        except TimeoutError:
            return None
        finally:
            self._events.settimeout(LOOK_EVERY)

    def _look_at(self, names: Iterable[str] | None) -> bool:
        """Whether there is something to tell."""
        with self._lock:
            self._let_go()
            table = self._carried.table
            wanted = table if names is None else {name: table[name] for name in names if name in table}
            with suppress(Lost):  # its watcher starts it again
                self._look(wanted)
            self._health = {name: self._health[name] for name in table if name in self._health}
            before, self._reported = self._reported, dict(self._health)
            return self._reported != before

    def _let_go(self) -> None:
        """An old process ends when it serves no client any more and we close its socket."""
        for one in list(self._leaving):
            try:
                if int(one.runtime.info().get("Jobs", "0")) <= 1:  # ours
                    self._count(one)
                    one.runtime.close()
                    self._leaving.remove(one)
            except Lost:
                self._leaving.remove(one)


def _hosts(healths: Mapping[Address, TargetHealth]) -> tuple[int, int]:
    states = [health.state for health in healths.values()]
    return states.count("healthy"), states.count("unhealthy")


def _names(state: State) -> Names:
    balancers = state.load_balancers
    return Names(
        listeners={frontend(balancers[one.load_balancer], one): one.load_balancer for one in state.listeners.values()},
        groups={backend(one): (state.load_balancers_of(one.arn)[0], one.arn) for one in state.used_groups()},
    )
