"""Commands that show what stages found in a run, for reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from s1data.cli.options import Place, json_option, print_json

if TYPE_CHECKING:
    import polars as pl

    from s1data.overlaps import Overlaps


@click.command("overlaps")
@click.argument("run_dir", metavar="RUN")
@click.option("--benchmark", metavar="NAME", help="Only matches with this benchmark.")
@click.option("--method", metavar="NAME", help="Only matches by this method.")
@click.option(
    "--borderline",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show N pairs of each method with their texts, the most doubtful first.",
)
@click.option("--out", type=Place(), metavar="FILE", help="Write every pair to a Parquet file.")
@json_option
def overlaps_command(
    *,
    run_dir: str,
    benchmark: str | None,
    method: str | None,
    borderline: int | None,
    out: str | None,
    as_json: bool,
) -> None:
    """Show what of benchmarks is in a run's questions.

    Per stage, benchmark and method: items hit, rows hit, and rows that only this
    method found.

    \b
    Example:
      s1data overlaps runs/quickstart
      s1data overlaps runs/quickstart --method fuzzy --borderline 20
      s1data overlaps runs/quickstart --out pairs.parquet
    """
    from s1data.run import Run

    run = Run.open(run_dir)
    every = run.overlaps()
    _known("--benchmark", benchmark, "benchmark", every)
    _known("--method", method, "method", every)
    found = {label: overlaps.only(benchmark, method) for label, overlaps in every.items()}
    if out is not None:
        _write(found, out)
    read = {k: run.texts_of(k, v.borderline(borderline)) for k, v in found.items() if borderline}
    # Rows that only one method found are counted among all methods, whichever are asked for.
    counts = {label: _counts(overlaps, benchmark, method) for label, overlaps in every.items()}
    if as_json:
        print_json({k: _plain(counts[k], read.get(k)) for k in found})
        return
    for label in found:
        _show(label, counts[label])
        if borderline:
            _show_pairs(read[label])
    if not found:
        click.echo(f"{run_dir}: no finished stage of it holds rows against benchmarks")
    if out is not None:
        click.echo(f"{sum(o.pairs().height for o in found.values()):,} pairs in {out}")


def _counts(overlaps: Overlaps, benchmark: str | None, method: str | None) -> pl.DataFrame:
    import polars as pl

    counts = overlaps.counts()
    for name, value in (("benchmark", benchmark), ("method", method)):
        counts = counts if value is None else counts.filter(pl.col(name) == value)
    return counts


def _known(option: str, value: str | None, column: str, found: dict[str, Overlaps]) -> None:
    from s1data.errors import nearest

    names = sorted({n for o in found.values() for n in o.lines[column].drop_nulls().unique()})
    if value is not None and value not in names:
        wanted = ", ".join(names) or "nothing: no match was found"
        raise click.UsageError(f"{option} {value}: wanted one of {wanted}{nearest(value, names)}")


def _write(found: dict[str, Overlaps], out: str) -> None:
    from pathlib import Path

    import polars as pl

    parts = [o.pairs().select(pl.lit(label).alias("stage"), pl.all()) for label, o in found.items()]
    if not parts:
        raise click.UsageError("--out: no finished stage of the run holds rows against benchmarks")
    try:
        pl.concat(parts).write_parquet(Path(out))
    except OSError as error:
        raise click.UsageError(f"--out {out}: {error.strerror or error}") from None


def _plain(counts: pl.DataFrame, pairs: pl.DataFrame | None) -> dict[str, Any]:
    return {"counts": counts.to_dicts()} | (
        {} if pairs is None else {"borderline": pairs.to_dicts()}
    )


def _show(label: str, counts: pl.DataFrame) -> None:
    click.echo(f"{label}")
    if counts.is_empty():
        click.echo("  nothing was found")
        return
    heads = ("items hit", "rows hit", "only this method")
    click.echo(f"  {'benchmark':<24} {'method':<12} {heads[0]:>10} {heads[1]:>10} {heads[2]:>18}")
    for benchmark, method, items, rows, alone in counts.iter_rows():
        click.echo(f"  {benchmark:<24} {method:<12} {items:>10,} {rows:>10,} {alone:>18,}")


def _show_pairs(pairs: pl.DataFrame) -> None:
    from s1data.side_by_side import visible

    for pair in pairs.iter_rows(named=True):
        by = [f"{name} {pair[name]}" for name in ("score", "run", "pool_rows") if pair[name]]
        told = f" ({', '.join(by)})" if by else ""
        where = f"its {pair['column']} and item {pair['item']} of {pair['benchmark']}"
        click.echo(f"\n  {pair['id']} (row {pair['row']:,}): {where} by {pair['method']}{told}")
        item = pair["item_question"] or "(its authors ask that it is not shown)"
        for name, text in (("span", pair["span"]), ("row", pair["question"]), ("item", item)):
            if text:
                click.echo(f"    {name:<5} {visible(text, 600)}")


COMMANDS: Final = (overlaps_command,)
