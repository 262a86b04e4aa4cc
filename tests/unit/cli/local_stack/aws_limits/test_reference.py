"""The page of the limits has the data that the limiters have."""

from cli.core.state import CHECKOUT
from cli.local_stack.aws_limits.rendering import reference


def test_the_page_of_the_limits_has_every_quota_as_it_is_kept() -> None:
    page = (CHECKOUT / "docs/reference/aws-limits.md").read_text(encoding="utf-8")
    assert page.partition("## Limits")[2].partition("\n### ")[2] == reference().removeprefix("### ") + "\n"
