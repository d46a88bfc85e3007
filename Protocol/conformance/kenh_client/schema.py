"""What a node declares of tables: it says what is shown and how it is written, never what is merged."""

from dataclasses import dataclass, field

from .merge import ColumnRule


@dataclass
class TableRule:
    """A declared table."""

    name: str
    columns: dict[str, ColumnRule]
    has_text_ids: bool = True
    # The channel to which all its rows belong, or none where each row says its own.
    channel: str | None = None

    def may_show(self, row_id: str | bytes, channel: str) -> bool:
        """Whether the table shows rows of this id (section 14, “id”) and channel (section 9, “Shown”)."""
        if self.channel not in (None, channel):
            return False
        if isinstance(row_id, str):
            return self.has_text_ids and len(row_id) <= 1_000
        return not self.has_text_ids and len(row_id) == 16


@dataclass
class Schema:
    """The declared tables by name."""

    tables: dict[str, TableRule] = field(default_factory=dict)

    def has_text_ids(self, table: str) -> bool | None:
        """The type of a table's ids; none where it is not declared."""
        rule = self.tables.get(table)
        return rule.has_text_ids if rule else None
