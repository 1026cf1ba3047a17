# SPDX-License-Identifier: Apache-2.0
"""The event bus: streams on NATS JetStream, published to in atomic batches, read by durable pulls; and wake-ups."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy, DiscardPolicy, Header, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from crossdock.errors import EngineAway
from crossdock.runtime.bus_messages import Publication, Subscription, away
from crossdock.runtime.bus_reading import Reading

# NATS: "atomic publish batch is too large: 1000" (error 10199) beyond that.
LARGEST_BATCH = 1000
_LARGEST_BATCH_BYTES = 8 * 1024 * 1024
# NATS: "atomic publish batch contains duplicate message id"; nothing of the batch is stored.
_DUPLICATE_IN_BATCH = 10201
_IN_FLIGHT = 256
_ANSWER_WITHIN = 5.0
_WAKE = "crossdock.wake"
_log = structlog.get_logger(__name__)


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream keeps, and how far back it recognises a message id; beyond that the oldest goes first.

    `max_age`, `duplicate_window`: seconds. `per_subject`: messages kept per subject, 1 makes a last-value stream.
    """

    max_age: float = 7 * 86_400.0
    max_bytes: int = 4 * 1024**3
    per_subject: int = -1
    duplicate_window: float = 600.0
    replicas: int = 1


class Wakes:
    """Wake-ups for one role. However many come while nobody waits, they are one."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    async def wait(self, within: float) -> bool:
        """Wait for a wake-up at most `within` seconds; True when there was one. Wake-ups may get lost: always look."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._event.wait()
        woken = self._event.is_set()
        self._event.clear()
        return woken

    def set(self) -> None:
        """Wake whoever waits now or next."""
        self._event.set()


class Bus:
    """A connection to NATS that heals by itself. While NATS is away every call raises EngineAway at once."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._client = Client()
        self._connecting: asyncio.Task[None] | None = None
        self._wakes: dict[str, Wakes] = {}
        self._heard: dict[str, Callable[[bytes], None]] = {}
        self._last_error = "no answer yet"

    @classmethod
    async def connect(cls, url: str, *, patience: float = 5.0, or_later: bool = False, name: str = "crossdock") -> Bus:
        """A bus at `url`, tried for `patience` seconds; then EngineAway or, with `or_later`, tried on in background."""
        bus = cls(url, name)
        bus._connecting = asyncio.create_task(bus._connect())
        done, _ = await asyncio.wait([bus._connecting], timeout=patience)
        if done:
            error = bus._connecting.exception()
            if error:
                await bus.close()
                raise EngineAway(f"NATS cannot be reached: {error}") from error
        elif not or_later:
            await bus.close()
            raise EngineAway(f"NATS cannot be reached within {patience:g} s: {bus._last_error}")
        return bus

    @property
    def connected(self) -> bool:
        """True while NATS is there."""
        return self._client.is_connected

    async def close(self) -> None:
        """Hang up; what was published and acknowledged is kept."""
        if self._connecting and not self._connecting.done():
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        with contextlib.suppress(Error, OSError):
            await self._client.close()

    async def ensure_stream(self, name: str, subjects: Sequence[str], limits: StreamLimits | None = None) -> None:
        """Make stream `name` for `subjects` on disk, taking atomic batches; or bring the one there is to `limits`."""
        limits = limits or StreamLimits()
        config = StreamConfig(
            name=name,
            subjects=list(subjects),
            # Work-queue retention completes acknowledgements behind the client's back; limits do not.
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.OLD,
            max_age=limits.max_age,
            max_bytes=limits.max_bytes,
            max_msgs_per_subject=limits.per_subject,
            duplicate_window=limits.duplicate_window,
            num_replicas=limits.replicas,
            allow_direct=True,
            allow_atomic=True,
        )
        with self._call():
            try:
                await self._streams.stream_info(name)
            except NotFoundError:
                await self._streams.add_stream(config)
            else:
                await self._streams.update_stream(config)

    async def streams(self) -> list[str]:
        """The names of all streams."""
        with self._call():
            return [str(info.config.name) for info in await self._streams.streams_info()]

    async def drop_stream(self, name: str) -> None:
        """Remove a stream with all its messages; nothing happens when there is none."""
        with self._call(), contextlib.suppress(NotFoundError):
            await self._streams.delete_stream(name)

    async def publish_batch(self, publications: Sequence[Publication]) -> None:
        """Publish in order, all to one stream; returns when all are stored.

        Up to 1,000 travel as one atomic batch (about four disk flushes instead of one each). A message id that the
        stream has seen within its duplicate window makes no second message, so after EngineAway the same call is
        repeated. Raises EngineAway (stored or not is unknown), CrossdockError when NATS refuses it.
        """
        with self._call():
            for chunk in _chunks(publications):
                if len(chunk) > 1 and await self._publish_atomic(chunk):
                    continue
                await self._publish_singly(chunk)

    async def subscribe(
        self, stream: str, durable: str, subject: str = ">", *, ack_within: float = 30.0, from_start: bool = True
    ) -> Subscription:
        """Read `stream` where the reader called `durable` left off, messages matching `subject` only.

        A message not acknowledged within `ack_within` seconds comes again. `from_start`: a new reader begins with the
        oldest.
        """
        config = ConsumerConfig(
            ack_wait=ack_within,
            max_ack_pending=5_000,
            deliver_policy=DeliverPolicy.ALL if from_start else DeliverPolicy.NEW,
        )
        with self._call():
            pull = await self._streams.pull_subscribe(subject, durable=durable, stream=stream, config=config)
        return Subscription(pull)

    async def read(
        self, stream: str, subjects: Sequence[str], *, after: int = 0, since: datetime | None = None
    ) -> Reading:
        """Read messages of `stream` matching `subjects` in order, those behind number `after` or stored since a moment.

        Nobody else is disturbed and nothing is kept of how far it came. Raises EngineAway, also while there is no such
        stream.
        """
        with self._call(), _made_later(stream):
            reading = Reading(self._client, self._streams, stream)
            await reading.open(subjects, after, since)
        return reading

    async def last_sequence(self, stream: str) -> int:
        """The number of the newest message of `stream`, 0 when it never had one. Raises EngineAway as `read`."""
        with self._call(), _made_later(stream):
            return (await self._streams.stream_info(stream)).state.last_seq

    async def tell(self, subject: str, payload: bytes) -> bool:
        """Say something to whoever hears it now. It is not kept: False when NATS is away, and it may get lost."""
        if not self.connected:
            return False
        with contextlib.suppress(Error, OSError):
            await self._client.publish(subject, payload)
            return True
        return False

    async def hear(self, subject: str, heard: Callable[[bytes], None]) -> None:
        """Call `heard` with what is told under `subject`, from now on or, when NATS is away, from when it is back."""
        self._heard[subject] = heard
        if self.connected:
            await self._listen(subject, heard)

    async def wake(self, role: str) -> bool:
        """Tell every process of `role` that there is work. A hint: False when NATS is away, nobody needs to care."""
        return await self.tell(f"{_WAKE}.{role}", b"")

    async def wakes(self, role: str) -> Wakes:
        """The wake-ups of `role`, from now on or, when NATS is away, from when it is back."""
        if role not in self._wakes:
            wakes = self._wakes[role] = Wakes()
            await self.hear(f"{_WAKE}.{role}", lambda _: wakes.set())
        return self._wakes[role]

    @property
    def _streams(self) -> JetStreamContext:
        return self._client.jetstream(timeout=_ANSWER_WITHIN)

    @contextlib.contextmanager
    def _call(self) -> Iterator[None]:
        if not self.connected:
            raise EngineAway(f"NATS is away: {self._last_error}")
        with away():
            yield

    async def _connect(self) -> None:
        await self._client.connect(
            self._url,
            name=self._name,
            error_cb=self._note_error,
            disconnected_cb=self._note_loss,
            reconnected_cb=self._wake_all,
            connect_timeout=2,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # type: ignore[arg-type]  # declared int, used as seconds of any kind
            ping_interval=20,
        )
        for subject, heard in list(self._heard.items()):
            await self._listen(subject, heard)
        await self._wake_all()

    async def _listen(self, subject: str, heard: Callable[[bytes], None]) -> None:
        async def take(message: Msg) -> None:
            heard(message.data)

        with away():
            await self._client.subscribe(subject, cb=take)
        # Lost just now: the client subscribes again by itself when it is back.
        with contextlib.suppress(Error, OSError):
            await self._client.flush(2)

    async def _wake_all(self) -> None:
        # Hints may have been lost while NATS was away.
        for wakes in self._wakes.values():
            wakes.set()

    async def _note_error(self, error: Exception) -> None:
        self._last_error = f"{type(error).__name__}: {error}"

    async def _note_loss(self) -> None:
        if self._connecting and self._connecting.done() and not self._client.is_closed:
            _log.warning("NATS is away", reason=self._last_error)

    async def _publish_atomic(self, chunk: Sequence[Publication]) -> bool:
        """Store all or none; False when the stream knows one of the ids already, and has stored none."""
        batch, last = secrets.token_hex(16), len(chunk)
        for number, publication in enumerate(chunk[:-1], start=1):
            headers = _headers(publication, batch, number)
            await self._client.publish(publication.subject, publication.payload, headers=headers)
        headers = _headers(chunk[-1], batch, last) | {Header.BATCH_COMMIT.value: "1"}
        error = await self._stored(chunk[-1], headers)
        if error is None:
            return True
        if error.err_code == _DUPLICATE_IN_BATCH:
            return False
        raise error

    async def _publish_singly(self, chunk: Sequence[Publication]) -> None:
        """Store one by one, in order, many in flight; the stream answers a known id as stored and keeps it once."""
        for start in range(0, len(chunk), _IN_FLIGHT):
            part = chunk[start : start + _IN_FLIGHT]
            for error in await asyncio.gather(*(self._stored(one, _headers(one)) for one in part)):
                if error is not None:
                    raise error

    async def _stored(self, publication: Publication, headers: dict[str, str]) -> APIError | None:
        answer = await self._client.request(
            publication.subject, publication.payload, timeout=_ANSWER_WITHIN, headers=headers
        )
        error = msgspec.json.decode(answer.data, type=_Answer).error
        return APIError(code=error.code, err_code=error.err_code, description=error.description) if error else None


@contextlib.contextmanager
def _made_later(stream: str) -> Iterator[None]:
    """A stream that is not there will be: its writer makes it, also after NATS lost its data."""
    try:
        yield
    except NotFoundError as error:
        raise EngineAway(f"there is no stream {stream} yet") from error


class _AnswerError(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct):
    error: _AnswerError | None = None


def _headers(publication: Publication, batch: str = "", number: int = 0) -> dict[str, str]:
    headers = {**publication.headers, Header.MSG_ID.value: publication.id}
    if batch:
        headers |= {Header.BATCH_ID.value: batch, Header.BATCH_SEQUENCE.value: str(number)}
    return headers


def _chunks(publications: Sequence[Publication]) -> Iterator[Sequence[Publication]]:
    start = size = 0
    for index, publication in enumerate(publications):
        size += len(publication.payload)
        if index > start and (index - start == LARGEST_BATCH or size > _LARGEST_BATCH_BYTES):
            yield publications[start:index]
            start, size = index, len(publication.payload)
    if start < len(publications):
        yield publications[start:]
