"""`localpers doctor`: check the installation."""

from __future__ import annotations

from dataclasses import asdict

import typer

from localpers.cli.console import Json, print_json, say


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check what localpers needs on this machine, with advice for each failure."""
    from localpers.cli.unlocking import open_profile
    from localpers.doctor import examine

    checks = []
    profile = open_profile(context)
    for check in examine(profile):
        checks.append(check)
        if not as_json:
            mark = "ok  " if check.ok else ("FAIL" if check.required else "note")
            say(f"{mark}  {check.name}: {check.detail}")
            if not check.ok:
                say(f"      {check.advice}")
    healthy = all(check.ok for check in checks if check.required)
    if healthy and not as_json:
        from localpers.cli.next_step import next_step

        say(f"Next: {next_step(profile.name)}")
    if as_json:
        print_json({"healthy": healthy, "checks": [asdict(check) for check in checks]})
    if not healthy:
        raise typer.Exit(1)
