# SPDX-License-Identifier: Apache-2.0
"""What travels on the bus, and what a reader does with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error, MaxPayloadError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.errors import APIError, ServiceUnavailableError

from crossdock.errors import CrossdockError, EngineAway


class Publication(msgspec.Struct, frozen=True):
    """A message to publish. `id`: the same on every try, the stream keeps one of each. `headers`: ASCII."""

    subject: str
    payload: bytes
    id: str
    headers: Mapping[str, str] = {}


class Received:
    """A message read from a stream; it comes again until it is acknowledged."""

    def __init__(self, message: Msg) -> None:
        self._message = message

    @property
    def subject(self) -> str:
        """The subject it was published under."""
        return self._message.subject

    @property
    def payload(self) -> bytes:
        """Its bytes."""
        return self._message.data

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, the message id under `Nats-Msg-Id` among them."""
        return self._message.headers or {}

    @property
    def sequence(self) -> int:
        """Its number in the stream, from 1."""
        return self._message.metadata.sequence.stream

    @property
    def number(self) -> int:
        """Its number among those that this reader was sent, from 1."""
        return self._message.metadata.sequence.consumer

    @property
    def pending(self) -> int:
        """How many more wait for this reader."""
        return self._message.metadata.num_pending

    async def ack(self) -> None:
        """Done. EngineAway when NATS is away; the message then comes again."""
        with away():
            await self._message.ack()

    async def again(self, after: float = 0.0) -> None:
        """Have it come again, in `after` seconds at the earliest."""
        with away():
            await self._message.nak(delay=after or None)

    async def drop(self) -> None:
        """Done with it for good although it was not processed."""
        with away():
            await self._message.term()


class Subscription:
    """A durable reader of a stream."""

    def __init__(self, pull: JetStreamContext.PullSubscription) -> None:
        self._pull = pull

    async def fetch(self, limit: int = 500, *, within: float = 1.0) -> list[Received]:
        """Up to `limit` messages, fewer or none after `within` seconds. Raises EngineAway."""
        try:
            with away():
                return [Received(message) for message in await self._pull.fetch(limit, timeout=within)]
        except EngineAway as error:
            if isinstance(error.__cause__, TimeoutError):
                return []
            raise

    async def close(self) -> None:
        """Stop reading; where it left off is kept."""
        with contextlib.suppress(Error):
            await self._pull.unsubscribe()


@contextlib.contextmanager
def away() -> Iterator[None]:
    """Turn what means "NATS cannot be reached or does not answer" into EngineAway, a refusal into CrossdockError."""
    try:
        yield
    except NoRespondersError as error:
        raise EngineAway("no stream takes this subject, or JetStream is still starting") from error
    except (ServiceUnavailableError, NatsTimeoutError, OSError) as error:
        raise EngineAway(f"NATS does not answer: {type(error).__name__}: {error}") from error
    except MaxPayloadError as error:
        raise CrossdockError("the message is larger than NATS takes", rule="event_too_large") from error
    except APIError as error:
        # 503 and 500: JetStream is overloaded, has no leader or no space just now.
        if (error.code or 0) >= 500:
            raise EngineAway(f"NATS cannot store just now: {error.description}") from error
        raise CrossdockError(f"NATS refuses: {error.description} ({error.err_code})", rule="bus_refused") from error
    except Error as error:
        raise EngineAway(f"NATS is away: {type(error).__name__}: {error}") from error
