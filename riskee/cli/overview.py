"""The page of `riskee --help`: every command in a line, in groups, on one screen."""

from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of a command's first sentence, which stands beside it.
_LONGEST = 52


class Overview(TyperGroup):
    """The groups stand beside their commands: a frame around each would not leave them a screen (docs/adr/0144)."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (Rich lays it out)
        """Print the page. The groups are the help panels of the commands, in their order."""
        from rich.table import Table
        from rich.text import Text

        from riskee.cli.console import console

        out = console(markup=False)
        out.print(ctx.get_usage())
        out.print(f"{self.help}\n")
        for rows in (self._commands(), self._options(ctx)):
            grid = Table.grid("", "", "", padding=(0, 1, 0, 0))
            grid.columns[0].min_width, grid.columns[0].style = 11, "bold"
            grid.columns[1].style, grid.columns[1].no_wrap = "cyan", True
            for row in rows:
                # A line each, however narrow the terminal.
                grid.add_row(*row[:2], Text(row[2], no_wrap=True, overflow="ellipsis"))
            out.print(grid)

    def _commands(self) -> "Iterator[tuple[str, str, str]]":
        groups = dict.fromkeys(_group(command) for command in self.commands.values())
        for group in groups:
            of_it = [(name, command) for name, command in self.commands.items() if _group(command) == group]
            for at, (name, command) in enumerate(of_it):
                yield ("" if at else group, name, command.get_short_help_str(_LONGEST))

    def _options(self, ctx: Any) -> "Iterator[tuple[str, str, str]]":
        for at, option in enumerate(self.get_params(ctx)):
            yield ("" if at else "Options", ", ".join(option.opts), getattr(option, "help", "") or "")


def _group(command: object) -> str:
    return str(getattr(command, "rich_help_panel", ""))
