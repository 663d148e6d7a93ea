"""Writing C: lines of text, operands, loops over elements, expressions, and the whole source."""
