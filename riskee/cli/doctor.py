"""`riskee doctor`."""

import typer

from riskee.cli.console import Json, console, print_json, print_table, styled

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
_AT_ONCE = 6


def doctor(json: Json = False) -> None:
    """Check every dependency, disk and ports."""
    from concurrent.futures import ThreadPoolExecutor

    from riskee.cli.checks import all_checks, run_check
    from riskee.cli.runtime import read_settings

    settings = read_settings()
    with console(error=True).status("checking …"), ThreadPoolExecutor(_AT_ONCE) as pool:
        findings = list(pool.map(lambda item: run_check(item, settings), all_checks(settings)))
    wrong = [finding for finding in findings if finding.state == "problem"]
    if json:
        print_json({"ok": not wrong, "profile": settings.profile, "home": str(settings.home), "checks": findings})
    else:
        rows = ((f.name, styled(f.state, _COLOURS[f.state]), f.version, f.detail) for f in findings)
        print_table(f"{settings.profile} stack, data in {settings.home}", ("check", "", "version", "found"), rows)
        for finding in findings:
            if finding.state != "ok":
                typer.echo(f"{finding.name}: {finding.remedy}")
    if wrong:
        raise typer.Exit(1)
