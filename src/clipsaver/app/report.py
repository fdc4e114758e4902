"""What `clipsaver check` writes: a line for each thing that was looked at."""

from typing import TextIO

from attrs import define, field


@define
class Report:
    """What was looked at, as it is written."""

    out: TextIO
    failures: int = field(default=0, init=False)

    def good(self, what: str) -> None:
        """Something is as it should be."""
        print(f"ok    {what}", file=self.out)

    def bad(self, what: str) -> None:
        """Something has to be changed before it can work."""
        self.failures += 1
        print(f"FAIL  {what}", file=self.out)

    def note(self, what: str) -> None:
        """Something a person should know, that stops nothing."""
        print(f"note  {what}", file=self.out)
