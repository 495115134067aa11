"""Products and their action catalogues, as the operator registered them."""

from __future__ import annotations

from sqlalchemy import JSON, Connection, ForeignKey, String, delete, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.catalogue import Action, Catalogue, Label, Product
from app.storage.database import Base


class ProductRow(Base):
    __tablename__ = "products"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(String(64))
    identifier: Mapped[str] = mapped_column(String(255), unique=True)
    created_at: Mapped[int]


class ProductActionRow(Base):
    """An action; `position` keeps the order of the operator's file."""

    __tablename__ = "product_actions"

    product: Mapped[str] = mapped_column(ForeignKey("products.name"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int]
    label: Mapped[str] = mapped_column(String(10))
    resources: Mapped[list[str]] = mapped_column(JSON)


def load(connection: Connection) -> Catalogue:
    """The whole catalogue, products in order of their names."""
    actions: dict[str, list[Action]] = {}
    for row in connection.execute(
        select(ProductActionRow).order_by(ProductActionRow.product, ProductActionRow.position)
    ):
        actions.setdefault(row.product, []).append(
            Action(row.name, Label(row.label), tuple(row.resources))
        )
    rows = connection.execute(
        select(ProductRow.name, ProductRow.identifier).order_by(ProductRow.name)
    )
    return Catalogue.of(
        Product(row.name, row.identifier, tuple(actions.get(row.name, ()))) for row in rows
    )


def put(connection: Connection, product: Product, title: str, now: int) -> bool:
    """Register a product or bring its catalogue up to date. Returns whether it is new."""
    updated = connection.execute(
        update(ProductRow)
        .where(ProductRow.name == product.name)
        .values(title=title, identifier=product.identifier)
    )
    is_new = not updated.rowcount
    if is_new:
        connection.execute(
            insert(ProductRow).values(
                name=product.name, title=title, identifier=product.identifier, created_at=now
            )
        )
    connection.execute(delete(ProductActionRow).where(ProductActionRow.product == product.name))
    connection.execute(
        insert(ProductActionRow),
        [
            {
                "product": product.name,
                "name": action.name,
                "position": position,
                "label": action.label.value,
                "resources": list(action.resources),
            }
            for position, action in enumerate(product.actions)
        ],
    )
    return is_new
