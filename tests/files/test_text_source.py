"""Text of this process is read as that of a file is."""

from tp_tools.chrome.reader import read
from tp_tools.files.text_source import TextSource


def test_text_is_read_as_often_as_wanted() -> None:
    """Its events, and its size."""
    text = b'{"traceEvents":[{"ph":"X","name":"a","pid":1,"tid":2,"ts":1.5,"dur":2}]}'
    source = TextSource.of(text, "what was made")
    assert [len(read(source)) for _ in range(2)] == [1, 1]
    assert source.size() == len(text)
