"""When to try again, and when to stop: full jitter, and a total time for each operation."""

import random
import time

FIRST_CONTACT = 3.0  # seconds; who has not answered by then is probably not there
PATIENCE = 120.0  # seconds that an operation may take with all its attempts, once the store has answered
FIRST_PAUSE = 0.1  # seconds; doubled after each attempt, of which a random part is waited
LONGEST_PAUSE = 5.0  # seconds
CONNECT_TIMEOUT = 2.0  # seconds; twice that is still a first contact
READ_TIMEOUT = 60.0  # seconds without a byte


class Attempts:
    """The attempts of one operation.

    Attributes:
        begun: When it began; of `time.monotonic`.
    """

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self._pause = FIRST_PAUSE

    def again(self, within: float) -> bool:
        """Wait a random while and return True, or return False if the time would be over by then.

        Args:
            within: Seconds that all attempts may take together.
        """
        pause = random.uniform(0, self._pause)
        if time.monotonic() - self.begun + pause >= within:
            return False
        time.sleep(pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return True
