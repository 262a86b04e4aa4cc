"""The quotas, as the page of the documentation has them."""

from cli.local_stack.aws_limits.quotas import QUOTAS, Kept, Quota


def reference() -> str:
    """The quotas by service, as sections of Markdown, and the pages of AWS that name them."""
    services = dict.fromkeys(quota.service for quota in QUOTAS)
    sections = [_section(service) for service in services]
    sources = "\n".join(f"[{quota.key}]: {quota.source}" for quota in QUOTAS)
    return "\n\n".join([*sections, sources])


def _section(service: str) -> str:
    lines = [line for quota in QUOTAS if quota.service == service for line in _item(quota)]
    return "\n".join([f"### {service}", "", *lines])


def _item(quota: Quota) -> list[str]:
    value = f"{quota.value:,.0f} {quota.unit}" if quota.value else quota.unit
    notes = [quota.note, f"`{quota.stand_in}` stands in" if quota.kept is Kept.NOT else ""]
    return [
        f"* [{quota.name}][{quota.key}]: {value}, {quota.kept}.",
        f"  `{quota.key}`.",
        *(f"  {note[0].upper()}{note[1:]}." for note in notes if note),
    ]
