"""Messages for people."""

from seqgan.core.errors import UserError


def test_a_message_that_quotes_a_whole_file_stays_readable() -> None:
    message = str(
        UserError(f"a.jsonl: line 3 has no field 'prompt'; it has: {'a' * 100_000}; name it")
    )
    assert message.startswith("a.jsonl: line 3 has no field 'prompt'; it has: aaa")
    assert message.endswith("aaa; name it")
    assert len(message) < 1_200
    assert str(UserError("short; mend it")) == "short; mend it"


def test_what_breaks_a_line_or_commands_a_terminal_is_spelled_out() -> None:
    message = str(UserError("v.txt: 'a\rb\x1b[31mü\u2028\ud800' is more than one word"))
    assert message == r"v.txt: 'a\rb\x1b[31mü\u2028\ud800' is more than one word"
