"""The real daily bars of the NASDAQ composite, 1999-2018, that the package `arch` ships, as a file of ours."""

from pathlib import Path

from arch.data import nasdaq


def write(path: Path, rows: int | None = None) -> int:
    """Write the first rows (all by default) as CSV; returns how many."""
    frame = nasdaq.load().head(rows) if rows else nasdaq.load()
    lines = ["symbol,timestamp,open,high,low,close,volume"]
    for day, row in frame.iterrows():
        prices = ",".join(f"{row[name]:.2f}" for name in ("Open", "High", "Low", "Close"))
        lines.append(f"NASDAQ,{day:%Y-%m-%d},{prices},{int(row['Volume'])}")
    path.write_text("\n".join(lines) + "\n")
    return len(lines) - 1
