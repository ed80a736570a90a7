"""The Python side of FamilySeer: it holds real TVM objects and does what it is told; it decides nothing."""
