"""How often resource servers asked, and what they were told: counted, not kept one by one."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.database import Base


class EvaluationCountRow(Base):
    """Evaluations of one product and outcome in one hour (epoch hours)."""

    __tablename__ = "evaluation_counts"

    product: Mapped[str] = mapped_column(String(32), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16), primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]


_ADD = text(
    "INSERT INTO evaluation_counts (product, outcome, hour, count)"
    " VALUES (:product, :outcome, :hour, :count)"
    " ON CONFLICT (product, outcome, hour)"
    " DO UPDATE SET count = evaluation_counts.count + :count"
)


def add(connection: Connection, counts: Mapping[tuple[str, str, int], int]) -> None:
    """Add to what is counted already, by product, outcome and hour."""
    for (product, outcome, hour), count in sorted(counts.items()):
        values = {"product": product, "outcome": outcome, "hour": hour, "count": count}
        connection.execute(_ADD, values)
